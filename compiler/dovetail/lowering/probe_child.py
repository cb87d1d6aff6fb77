"""The child of `probe`: offers models to an ONNX Runtime provider and writes down what it takes of each.

Run as a script, with nothing of Dovetail imported. Arguments: the provider, its options and the session's entries as
JSON, a folder for what native code prints, and the journal. Paths of models come on standard input, one a line. The
journal gets a line when a model is begun and one when it is done, so whoever reads it after a crash knows which model
it was.
"""

import importlib
import json
import os
import re
import sys
from typing import TextIO

import onnxruntime

PLUGINS = {"QNNExecutionProvider": "onnxruntime_qnn"}
REASON = re.compile(r"(?:REASON :|<E>) (.+)")
EMPTY_WORDS = re.compile(
    r"Failed to (add node|validate op)|QnnBackend_validateOpConfig|unexpected GraphHtpSettings"
    r"|(Requested|Supported) I/O datatype set|Please refer to"
)
"""What the log repeats under every refusal, whatever its reason."""


def main() -> int:
    """Ask about every model of standard input."""
    provider, options, entries, folder, journal_path = sys.argv[1:6]
    # what the vendor's code prints is read from a file, and never mixes with what the parent reads
    printed = os.open(os.path.join(folder, "printed.txt"), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    onnxruntime.set_default_logger_severity(0)
    devices = load_plugin(provider)
    with open(journal_path, "a", encoding="utf-8") as journal:
        for line in sys.stdin:
            path = line.rstrip("\n")
            write(journal, {"begun": path})
            os.ftruncate(printed, 0)
            os.lseek(printed, 0, os.SEEK_SET)
            settings = session_options(json.loads(entries))
            record = ask(path, settings, provider, json.loads(options), devices)
            os.lseek(printed, 0, os.SEEK_SET)
            log = os.read(printed, 1 << 22).decode(errors="replace")
            write(journal, {"done": path, "words": words_in(log), **record})
    return 0


def write(journal: TextIO, record: dict[str, object]) -> None:
    """Add a line that survives a crash right after."""
    journal.write(json.dumps(record) + "\n")
    journal.flush()


def load_plugin(provider: str) -> list[object]:
    """The devices of a provider that comes as a library of its own; none where it is built in."""
    if provider not in PLUGINS:
        return []
    library = importlib.import_module(PLUGINS[provider]).get_library_path()
    onnxruntime.register_execution_provider_library(provider, library)
    return [device for device in onnxruntime.get_ep_devices() if device.ep_name == provider][:1]


def session_options(entries: dict[str, str]) -> onnxruntime.SessionOptions:
    """Options under which every node is asked about as it stands in the file."""
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 0  # the reasons are there and nowhere else
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    settings.intra_op_num_threads = 1
    settings.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    for key, value in entries.items():
        settings.add_session_config_entry(key, value)
    return settings


def ask(
    path: str, settings: onnxruntime.SessionOptions, provider: str, options: dict[str, str], devices: list[object]
) -> dict[str, object]:
    """Which nodes of a model the provider takes, or how it failed."""
    try:
        if devices:
            settings.add_provider_for_devices(devices, options)
            session = onnxruntime.InferenceSession(path, settings)
        else:
            session = onnxruntime.InferenceSession(path, settings, providers=[(provider, options)])
        if provider not in session.get_providers():
            return {"words": f"{provider} could not be created with these options"}
        groups = session.get_provider_graph_assignment_info()
    except Exception as error:
        return {"words": " ".join(str(error).split())[:1000]}
    names = [(group.ep_name == provider, node.name) for group in groups for node in group.get_nodes()]
    return {"taken": [name for own, name in names if own], "left": [name for own, name in names if not own]}


def words_in(log: str) -> str:
    """The vendor's reasons in a log, each once."""
    found = [words.strip() for words in REASON.findall(log)]
    return "; ".join(dict.fromkeys(words for words in found if not EMPTY_WORDS.match(words)))[:1000]


if __name__ == "__main__":
    sys.exit(main())
