"""A vendor's compiler that is not one: it takes everything but what the test forbids. Run as a script.

Arguments: a JSON object {"refused": [digest...], "hangs": [...], "aborts": [...], "together": [[digest, digest]...]},
and a file that gets a line for every model. A digest stands for a node under neutral surroundings: see `mark`.
"""

import hashlib
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper


def mark(model: onnx.ModelProto, node: onnx.NodeProto) -> str:
    """What a compiler sees of a node: its type, attributes and constants, and no name."""
    digest = hashlib.sha256(node.op_type.encode())
    for attribute in sorted(node.attribute, key=lambda each: each.name):
        digest.update(attribute.SerializeToString(deterministic=True))
    constants = {each.name: each for each in model.graph.initializer}
    for name in node.input:
        digest.update(numpy_helper.to_array(constants[name]).tobytes() if name in constants else b"-")
    return digest.hexdigest()


def main() -> int:
    rules, journal = json.loads(sys.argv[1]), Path(sys.argv[2])
    print("{}", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        model = onnx.load(request["model"])
        if request["do"] == "run":
            answer = run(request)
        else:
            with journal.open("a") as file:
                file.write(f"{len(model.graph.node)}\n")
            marks = {mark(model, node): node for node in model.graph.node}
            if any(each in marks for each in rules.get("hangs", ())):
                time.sleep(3600)
            if any(each in marks for each in rules.get("aborts", ())):
                os.abort()
            bad = [each for each in rules.get("refused", ()) if each in marks]
            bad += [pair[0] for pair in rules.get("together", ()) if all(each in marks for each in pair)]
            named = f" at {marks[bad[0]].name}" if bad and rules.get("names") else ""
            answer = {"words": f"could not create op{named}" if bad else "", "written": not bad}
            if not bad:
                onnx.save(model, request["out"])
        print(json.dumps(answer), flush=True)
    return 0


def run(request: dict) -> dict:  # type: ignore[type-arg]
    session = onnxruntime.InferenceSession(request["model"], providers=["CPUExecutionProvider"])
    with np.load(request["feeds"]) as loaded:
        feeds = {name: loaded[f"f{index}"] for index, name in enumerate(request["inputs"])}
    results = session.run(request["outputs"], feeds)
    np.savez(request["out"], **{f"r{index}": array for index, array in enumerate(results)})
    return {"words": ""}


if __name__ == "__main__":
    sys.exit(main())
