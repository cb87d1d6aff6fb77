"""The child of `trial`: runs a plan with the bundled runtime.

Run as a script. Arguments: the plan folder, feeds.npz, the names of its arrays as JSON, the number of samples,
results.npz, which also gets where each partition ran, as JSON. On failure it prints its last word on standard error.
"""

import json
import sys

import numpy as np

from dovetail.runtime import Executor


def main() -> int:
    """Run every sample; on failure say why in one line on standard error."""
    plan, feeds_file, names, count, results_file = sys.argv[1:6]
    inputs = json.loads(names)
    results = {}
    try:
        with np.load(feeds_file, allow_pickle=False) as loaded, Executor(plan) as executor:
            for sample in range(int(count)):
                feeds = {name: loaded[f"s{sample}_{index}"] for index, name in enumerate(inputs)}
                outputs = executor.run(feeds)
                for index, array in enumerate(outputs.values()):
                    results[f"s{sample}_{index}"] = array.astype(str) if array.dtype.hasobject else array
            results["placement"] = np.array(json.dumps(executor.placement))
    except Exception as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    np.savez(results_file, allow_pickle=False, **results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
