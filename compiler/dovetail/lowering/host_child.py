"""The child of `host`: times small models on ONNX Runtime's CPU provider.

Run as a script, with nothing of Dovetail imported. Arguments: a folder for what native code prints, and the journal.
Standard input has a JSON object a line, with the path of a model, of its feeds (arrays `f0`, `f1`, ...), and the names
of its inputs in that order. The journal gets a line when a model is begun and one when it is done.
"""

import json
import os
import statistics
import sys
import time
from typing import IO

import numpy as np
import onnxruntime

THREADS = 1
"""One, whatever the machine has: the operators of a small unit gain little by more, and others use the machine too."""
WARM_UP_S = 0.02
ROUNDS = 7
ROUND_S = 0.02
"""Seconds of a round, so that a unit of microseconds is run many times in it."""
MOST_RUNS = 2000


def main() -> int:
    """Time every model of standard input."""
    folder, journal_path = sys.argv[1:3]
    printed = os.open(os.path.join(folder, "printed.txt"), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    with open(journal_path, "a", encoding="utf-8") as journal:
        for line in sys.stdin:
            asked = json.loads(line)
            write(journal, {"begun": asked["name"]})
            write(journal, {"done": asked["name"], **timed(asked)})
    return 0


def write(journal: IO[str], record: dict[str, object]) -> None:
    """Add a line that survives a crash right after."""
    journal.write(json.dumps(record) + "\n")
    journal.flush()


def timed(asked: dict[str, object]) -> dict[str, object]:
    """The time of one run of a model, or how it failed."""
    try:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = THREADS
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(str(asked["model"]), options, providers=["CPUExecutionProvider"])
        with np.load(str(asked["feeds"]), allow_pickle=False) as loaded:
            feeds = {name: loaded[f"f{index}"] for index, name in enumerate(names(asked))}
        return {"words": "", "taken": [str(asked["name"])], "left": [], "microseconds": run_time(session, feeds) * 1e6}
    except Exception as error:
        return {"words": " ".join(str(error).split())[:1000]}


def names(asked: dict[str, object]) -> list[str]:
    """The inputs of a model."""
    found = asked["inputs"]
    assert isinstance(found, list)
    return [str(name) for name in found]


def run_time(session: onnxruntime.InferenceSession, feeds: dict[str, np.ndarray]) -> float:
    """Seconds of a run: the median over rounds of the mean in a round. Feeds are bound, as a plan's tensors are."""
    binding = session.io_binding()
    for name, array in feeds.items():
        binding.bind_cpu_input(name, array)
    for output in session.get_outputs():
        binding.bind_output(output.name)
    begin, count = time.perf_counter(), 0
    while count < 3 or (time.perf_counter() - begin < WARM_UP_S and count < MOST_RUNS):
        session.run_with_iobinding(binding)
        count += 1
    runs = max(1, min(MOST_RUNS, int(ROUND_S * count / (time.perf_counter() - begin))))
    rounds = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(runs):
            session.run_with_iobinding(binding)
        rounds.append((time.perf_counter() - begin) / runs)
    return statistics.median(rounds)


if __name__ == "__main__":
    sys.exit(main())
