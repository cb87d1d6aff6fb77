"""The child of `vela`: compiles small TFLite models with Vela and writes down what the NPU takes of each.

Run as a script by a Python that has ethos-u-vela, with nothing of Dovetail imported. Arguments: the accelerator, a
folder, and the journal. Models come on standard input, one JSON object a line, as `tflite.form` writes them. The
journal begins with a line about Vela, and gets one when a model is begun and one when it is done.
"""

import sys

sys.path.pop(0)  # the folder of this file, whose modules are none of Vela's

import base64
import contextlib
import csv
import glob
import importlib
import importlib.metadata
import json
import os
from typing import IO, Any

import flatbuffers  # type: ignore[import-untyped, import-not-found, unused-ignore]
import numpy as np
from ethosu.vela import vela  # type: ignore[import-not-found]
from ethosu.vela.architecture_features import Accelerator  # type: ignore[import-not-found]
from ethosu.vela.tflite.BuiltinOperator import BuiltinOperator  # type: ignore[import-not-found]
from ethosu.vela.tflite.BuiltinOptions import BuiltinOptions  # type: ignore[import-not-found]
from ethosu.vela.tflite.Model import Model  # type: ignore[import-not-found]
from ethosu.vela.tflite.TensorType import TensorType  # type: ignore[import-not-found]

NAMES = {code: name for name, code in vars(BuiltinOperator).items() if not name.startswith("_")}
REASON = ("Reason: ", "- ", "Error", "error")
SILENT = "Using a default"


def main() -> int:
    """Compile every model of standard input."""
    accelerator, folder, journal_path = sys.argv[1:4]
    # what native code prints is read from a file, and never mixes with what the parent reads
    printed = os.open(os.path.join(folder, "printed.txt"), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    about = f"ethos-u-vela {importlib.metadata.version('ethos-u-vela')}"
    with open(journal_path, "a", encoding="utf-8") as journal:
        write(journal, {"tool": about, "accelerators": Accelerator.member_list()})
        for line in sys.stdin:
            model = json.loads(line)
            write(journal, {"begun": model["name"]})
            os.ftruncate(printed, 0)
            os.lseek(printed, 0, os.SEEK_SET)
            record = compile_model(model, accelerator, folder)
            sys.stdout.flush()
            sys.stderr.flush()
            os.lseek(printed, 0, os.SEEK_SET)
            words = words_in(os.read(printed, 1 << 22).decode(errors="replace"))
            error = str(record.pop("error", ""))
            write(journal, {"done": model["name"], "words": " ".join(f"{error} {words}".split())[:1000], **record})
    return 0


def write(journal: IO[str], record: dict[str, object]) -> None:
    """Add a line that survives a crash right after."""
    journal.write(json.dumps(record) + "\n")
    journal.flush()


def compile_model(model: dict[str, Any], accelerator: str, folder: str) -> dict[str, object]:
    """What the NPU takes of a model, by the names of its operators, or how Vela failed."""
    path = os.path.join(folder, "model.tflite")
    result = os.path.join(folder, "model_vela.tflite")
    with contextlib.suppress(OSError):
        os.remove(result)
    try:
        with open(path, "wb") as file:
            file.write(as_tflite(model))
        vela.main([path, f"--accelerator-config={accelerator}", f"--output-dir={folder}", "--verbose-performance"])
        with open(result, "rb") as file:
            codes = operators_of(file.read())
        microseconds = estimate(folder)
    except (Exception, SystemExit) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    left = [NAMES.get(code, str(code)) for code in codes if code != BuiltinOperator.CUSTOM]
    every = [operator["name"] for operator in model["operators"]]
    taken = [name for name in every if name not in left]
    return {"taken": taken, "left": left, "microseconds": microseconds}


def estimate(folder: str) -> float:
    """Vela's own estimate of what the NPU takes for the model just compiled: cycles of its table, by the clock."""
    (summary,) = table(folder, "model_summary_*.csv")
    cycles = sum(float(row["Op Cycles"]) for row in table(folder, "model_per-layer.csv") if row["Target"] == "NPU")
    return cycles / float(summary["core_clock"]) * 1e6


def table(folder: str, pattern: str) -> list[dict[str, str]]:
    """The rows of a file that Vela wrote."""
    (path,) = glob.glob(os.path.join(glob.escape(folder), pattern))
    with open(path, encoding="utf-8", newline="") as file:
        return [dict(row) for row in csv.DictReader(file, skipinitialspace=True)]


def words_in(text: str) -> str:
    """Vela's reasons, each once, without its figures."""
    lines = [line.strip() for line in text.splitlines()]
    kept = [line.removeprefix("Reason: ") for line in lines if line.startswith(REASON) and SILENT not in line]
    return "; ".join(dict.fromkeys(kept))


def operators_of(data: bytes) -> list[int]:
    """The operator codes of a model."""
    model = Model.GetRootAs(data, 0)
    graph = model.Subgraphs(0)
    codes = [model.OperatorCodes(graph.Operators(i).OpcodeIndex()) for i in range(graph.OperatorsLength())]
    return [max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) for code in codes]


class Writer:
    """A flatbuffer of TFLite, by the generated classes that Vela brings."""

    def __init__(self) -> None:
        """Begin an empty one."""
        self.builder = flatbuffers.Builder(1024)

    def table(self, kind: str, fields: dict[str, object]) -> int:
        """Write a table; lists become vectors of int32."""
        module = importlib.import_module(f"ethosu.vela.tflite.{kind}")
        ready = {name: self._ready(value) for name, value in fields.items()}
        getattr(module, f"{kind}Start")(self.builder)
        for name, value in ready.items():
            getattr(module, f"{kind}Add{name}")(self.builder, value)
        return int(getattr(module, f"{kind}End")(self.builder))

    def tables(self, kind: str, field: str, offsets: list[int]) -> int:
        """Write a vector of tables."""
        module = importlib.import_module(f"ethosu.vela.tflite.{kind}")
        getattr(module, f"{kind}Start{field}Vector")(self.builder, len(offsets))
        for offset in reversed(offsets):
            self.builder.PrependUOffsetTRelative(offset)
        return int(self.builder.EndVector())

    def _ready(self, value: object) -> object:
        if isinstance(value, str):
            return self.builder.CreateString(value)
        if isinstance(value, np.ndarray):
            return self.builder.CreateNumpyVector(value)
        if isinstance(value, list):
            return self.builder.CreateNumpyVector(np.array(value, dtype=np.int32))
        return value


def as_tflite(model: dict[str, Any]) -> bytes:
    """The model as a file."""
    writer = Writer()
    buffers = [writer.table("Buffer", {})]
    tensors = [write_tensor(writer, tensor, buffers, f"tensor{n}") for n, tensor in enumerate(model["tensors"])]
    codes = list(dict.fromkeys(operator["name"] for operator in model["operators"]))
    operators = [write_operator(writer, operator, codes) for operator in model["operators"]]
    graph = writer.table(
        "SubGraph",
        {
            "Tensors": writer.tables("SubGraph", "Tensors", tensors),
            "Inputs": model["inputs"],
            "Outputs": model["outputs"],
            "Operators": writer.tables("SubGraph", "Operators", operators),
            "Name": "main",
        },
    )
    root = writer.table(
        "Model",
        {
            "Version": 3,
            "OperatorCodes": writer.tables("Model", "OperatorCodes", [write_code(writer, name) for name in codes]),
            "Subgraphs": writer.tables("Model", "Subgraphs", [graph]),
            "Description": "one operator",
            "Buffers": writer.tables("Model", "Buffers", buffers),
        },
    )
    writer.builder.Finish(root, file_identifier=b"TFL3")
    return bytes(writer.builder.Output())


def write_code(writer: Writer, name: str) -> int:
    """Write an operator's code."""
    code = getattr(BuiltinOperator, name)
    return writer.table("OperatorCode", {"DeprecatedBuiltinCode": min(code, 127), "Version": 2, "BuiltinCode": code})


def write_tensor(writer: Writer, tensor: dict[str, Any], buffers: list[int], name: str) -> int:
    """Write a tensor, and its data behind the other buffers."""
    fields: dict[str, object] = {"Shape": tensor["shape"], "Type": getattr(TensorType, tensor["dtype"].upper())}
    fields |= {"Buffer": 0, "Name": name}
    if tensor["data"] is not None:
        data = np.frombuffer(base64.b64decode(tensor["data"]), dtype=np.uint8)
        fields["Buffer"] = len(buffers)
        buffers.append(writer.table("Buffer", {"Data": data}))
    if tensor["scale"]:
        quantization = {
            "Scale": np.array(tensor["scale"], dtype=np.float32),
            "ZeroPoint": np.array(tensor["zero_point"], dtype=np.int64),
            "QuantizedDimension": tensor["axis"],
        }
        fields["Quantization"] = writer.table("QuantizationParameters", quantization)
    return writer.table("Tensor", fields)


def write_operator(writer: Writer, operator: dict[str, Any], codes: list[str]) -> int:
    """Write an operator with its options."""
    fields: dict[str, object] = {"OpcodeIndex": codes.index(operator["name"])}
    fields |= {"Inputs": operator["inputs"], "Outputs": operator["outputs"]}
    if operator["options"]:
        fields["BuiltinOptionsType"] = getattr(BuiltinOptions, operator["options"])
        fields["BuiltinOptions"] = writer.table(operator["options"], operator["values"])
    return writer.table("Operator", fields)


if __name__ == "__main__":
    sys.exit(main())
