"""The child of `vendor`: compiles partitions with an ONNX Runtime provider, and runs them.

Run as a script. Arguments: the backend's provider, options and session entries as JSON, and the kind of the device.
Requests come on standard input, one a line, and are answered on what was standard output; what native code prints
there goes nowhere, but for what is said while a request is served.
"""

import json
import os
import sys
from typing import Any

import numpy as np
import onnxruntime as ort

from dovetail.plan import BackendSpec
from dovetail.runtime.capture import captured_output
from dovetail.runtime.environment import session_options
from dovetail.runtime.providers import use_provider, why_missing
from dovetail.runtime.sessions import SessionRequest, open_session
from dovetail.runtime.words import one_line, vendor_words


def main() -> int:
    """Serve until nobody asks any more."""
    provider, options, entries, kind = sys.argv[1:5]
    backend = BackendSpec(provider, json.loads(options), json.loads(entries))
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for descriptor in (1, 2):
            os.dup2(nowhere, descriptor)
        missing = why_missing(backend)
        print("{}", file=answers, flush=True)
        for line in sys.stdin:
            request = json.loads(line)
            try:
                answer = {"words": missing} if missing else serve(request, backend, kind)
            except Exception as problem:  # ONNX Runtime's errors have no common class
                answer = {"words": one_line(str(problem)) or type(problem).__name__}
            print(json.dumps(answer), file=answers, flush=True)
    return 0


def serve(request: dict[str, Any], backend: BackendSpec, kind: Any) -> dict[str, Any]:
    """Do what is asked: `words` say why it can't be done, and are empty where it is done."""
    if request["do"] == "compile":
        return compile_model(request["model"], request["out"], backend, kind)
    session = open_session(SessionRequest(request["model"], backend, kind))
    with np.load(request["feeds"], allow_pickle=False) as loaded:
        feeds = {name: loaded[f"f{index}"] for index, name in enumerate(request["inputs"])}
    results = session.run(request["outputs"], feeds)
    np.savez(request["out"], allow_pickle=False, **{f"r{index}": array for index, array in enumerate(results)})
    return {"words": ""}


def compile_model(model: str, out: str, backend: BackendSpec, kind: Any) -> dict[str, Any]:
    """Compile a model to one that holds nothing but compiled parts, with their binary beside it.

    A provider that keeps nothing of what it compiles takes the model all the same: `written` is false then.
    """
    options = session_options(1, optimize=True)
    options.log_severity_level = 3
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    providers = use_provider(options, backend, kind)
    if providers is not None:
        for name, settings in providers:
            options.add_provider(name, settings)
    with captured_output() as output:
        try:
            ort.ModelCompiler(options, model, embed_compiled_data_into_model=False).compile_to_file(out)
            problem = ""
        except Exception as error:  # ONNX Runtime's errors have no common class
            problem = str(error)
    if not problem:
        return {"words": "", "written": True}
    try:
        open_session(SessionRequest(model, backend, kind))  # type: ignore[arg-type]
    except Exception as error:  # its words say more than those of the compiler
        return {"words": one_line(str(error)) or vendor_words(problem, output.text)}
    return {"words": "", "written": False}


if __name__ == "__main__":
    sys.exit(main())
