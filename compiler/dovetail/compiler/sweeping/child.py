"""The child of an engine: makes one row after another, and ends when nobody is left to ask.

Run as a script. Requests come on standard input, one a line, and are answered on what was standard output; what native
code prints goes nowhere.
"""

import base64
import dataclasses
import json
import os
import pickle
import sys
import threading
from queue import SimpleQueue

from dovetail.compiler.sweeping.job import run_job


def main() -> None:
    """Serve until the parent ends, however it ends: a row that is under way then is of use to nobody."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for descriptor in (1, 2):
            os.dup2(nowhere, descriptor)
        requests: SimpleQueue[str] = SimpleQueue()
        threading.Thread(target=_listen, args=(requests,), daemon=True).start()
        print("{}", file=answers, flush=True)
        while True:
            # pickled by the parent, which started this process: no file and no stranger has a say in it
            job = pickle.loads(base64.b64decode(json.loads(requests.get())["job"]))
            print(json.dumps(dataclasses.asdict(run_job(job))), file=answers, flush=True)


def _listen(requests: "SimpleQueue[str]") -> None:
    for line in sys.stdin:
        requests.put(line)
    os._exit(0)


if __name__ == "__main__":
    main()
