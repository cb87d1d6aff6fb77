"""The child of `reference`: runs an unsplit model on ONNX Runtime's CPU provider.

Run as a script, with nothing of Dovetail imported. Arguments: model, feeds.npz, the names of its arrays as JSON,
outputs as JSON, results.npz. It dies by the limits that the parent sets, and prints its last word on standard error.
"""

import json
import sys

import numpy as np
import onnxruntime


def main() -> int:
    """Run once; on failure say why in one line on standard error."""
    model, feeds_file, inputs, outputs, results_file = sys.argv[1:6]
    try:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        with np.load(feeds_file, allow_pickle=False) as loaded:
            feeds = {name: loaded[f"f{index}"] for index, name in enumerate(json.loads(inputs))}
        names = json.loads(outputs)
        results = session.run(names, feeds)
    except Exception as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    plain = {f"r{index}": without_objects(np.asarray(result)) for index, result in enumerate(results)}
    np.savez(results_file, allow_pickle=False, **plain)
    return 0


def without_objects(array: np.ndarray) -> np.ndarray:
    """Text as NumPy's own string type: object arrays would need pickle."""
    return array.astype(str) if array.dtype.hasobject else array


if __name__ == "__main__":
    sys.exit(main())
