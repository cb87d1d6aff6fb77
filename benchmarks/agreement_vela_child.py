"""Compiles TFLite models of one operator with Vela and writes down whether the NPU takes them.

Run by a Python that has ethos-u-vela, with nothing of Dovetail imported. Arguments: the accelerator, a folder, the
journal. Cases come on standard input, one JSON object a line; see `agreement_ethos_cases.Lite`.
"""

import contextlib
import importlib
import io
import json
import os
import sys
from typing import Any

import flatbuffers
import numpy as np
from ethosu.vela import vela
from ethosu.vela.tflite.BuiltinOperator import BuiltinOperator
from ethosu.vela.tflite.BuiltinOptions import BuiltinOptions
from ethosu.vela.tflite.Model import Model
from ethosu.vela.tflite.TensorType import TensorType

SCALE = 0.05


def main() -> int:
    """Compile every case of standard input."""
    accelerator, folder, journal_path = sys.argv[1:4]
    with open(journal_path, "a", encoding="utf-8") as journal:
        for line in sys.stdin:
            case = json.loads(line)
            print(json.dumps({"begun": case["name"]}), file=journal, flush=True)
            record = compile_case(case, accelerator, folder)
            print(json.dumps({"done": case["name"], **record}), file=journal, flush=True)
    return 0


def compile_case(case: dict[str, Any], accelerator: str, folder: str) -> dict[str, str]:
    """The answer for one case: taken, refused or failed, and Vela's words."""
    path = os.path.join(folder, "case.tflite")
    with open(path, "wb") as file:
        file.write(as_tflite(case))
    words = io.StringIO()
    try:
        with contextlib.redirect_stdout(words), contextlib.redirect_stderr(words):
            vela.main([path, "--accelerator-config", accelerator, "--output-dir", folder])
        with open(os.path.join(folder, "case_vela.tflite"), "rb") as file:
            codes = operators_of(file.read())
    except (Exception, SystemExit) as error:
        return {"answer": "failed", "words": f"{type(error).__name__}: {error} {last_lines(words.getvalue())}"[:600]}
    finally:
        with contextlib.suppress(OSError):
            os.remove(os.path.join(folder, "case_vela.tflite"))
    taken = all(code == BuiltinOperator.CUSTOM for code in codes)  # none left: it costs nothing
    return {"answer": "taken" if taken else "refused", "words": "" if taken else last_lines(words.getvalue())}


def last_lines(text: str) -> str:
    """Vela's warnings, without its figures."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    kept = [line for line in lines if line.startswith(("Warning", "Error", "-")) and "Using a default" not in line]
    return " ".join(kept)[:600]


def operators_of(data: bytes) -> list[int]:
    """The operator codes of a model."""
    model = Model.GetRootAs(data, 0)
    graph = model.Subgraphs(0)
    codes = [model.OperatorCodes(graph.Operators(i).OpcodeIndex()) for i in range(graph.OperatorsLength())]
    return [max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) for code in codes]


class Writer:
    """A flatbuffer of TFLite, by the generated classes that Vela brings."""

    def __init__(self) -> None:
        self.builder = flatbuffers.Builder(1024)

    def table(self, kind: str, fields: dict[str, object]) -> int:
        """Write a table; lists become vectors of int32, or of float where their items are."""
        module = importlib.import_module(f"ethosu.vela.tflite.{kind}")
        ready = {name: self._ready(module, kind, name, value) for name, value in fields.items()}
        getattr(module, f"{kind}Start")(self.builder)
        for name, value in ready.items():
            getattr(module, f"{kind}Add{name}")(self.builder, value)
        return int(getattr(module, f"{kind}End")(self.builder))

    def tables(self, kind: str, field: str, offsets: list[int]) -> int:
        """A vector of tables."""
        module = importlib.import_module(f"ethosu.vela.tflite.{kind}")
        getattr(module, f"{kind}Start{field}Vector")(self.builder, len(offsets))
        for offset in reversed(offsets):
            self.builder.PrependUOffsetTRelative(offset)
        return int(self.builder.EndVector())

    def _ready(self, module: object, kind: str, name: str, value: object) -> object:
        if isinstance(value, str):
            return self.builder.CreateString(value)
        if isinstance(value, np.ndarray):
            return self.builder.CreateNumpyVector(value)
        if isinstance(value, list):
            return self.builder.CreateNumpyVector(np.array(value, dtype=np.int32))
        return value


def as_tflite(case: dict[str, Any]) -> bytes:
    """The model of one operator."""
    writer = Writer()
    tensors = [*case["inputs"], *case["outputs"]]
    buffers = [writer.table("Buffer", {})]
    offsets = []
    for number, tensor in enumerate(tensors):
        buffer = 0
        if tensor["data"] is not None:
            array = np.array(tensor["data"], dtype=tensor["dtype"])
            buffers.append(writer.table("Buffer", {"Data": array.reshape(-1).view(np.uint8)}))
            buffer = len(buffers) - 1
        offsets.append(write_tensor(writer, tensor, buffer, f"tensor{number}"))
    ins = list(range(len(case["inputs"])))
    outs = list(range(len(ins), len(tensors)))
    operator = write_operator(writer, case, ins, outs)
    graph = writer.table(
        "SubGraph",
        {
            "Tensors": writer.tables("SubGraph", "Tensors", offsets),
            "Inputs": [index for index in ins if tensors[index]["data"] is None],
            "Outputs": outs,
            "Operators": writer.tables("SubGraph", "Operators", [operator]),
            "Name": "main",
        },
    )
    code = getattr(BuiltinOperator, case["operator"])
    codes = writer.table("OperatorCode", {"DeprecatedBuiltinCode": min(code, 127), "Version": 2, "BuiltinCode": code})
    model = writer.table(
        "Model",
        {
            "Version": 3,
            "OperatorCodes": writer.tables("Model", "OperatorCodes", [codes]),
            "Subgraphs": writer.tables("Model", "Subgraphs", [graph]),
            "Description": "one operator",
            "Buffers": writer.tables("Model", "Buffers", buffers),
        },
    )
    writer.builder.Finish(model, file_identifier=b"TFL3")
    return bytes(writer.builder.Output())


def write_tensor(writer: Writer, tensor: dict[str, Any], buffer: int, name: str) -> int:
    """A tensor; one with a scale is quantized per tensor with zero point 0."""
    fields: dict[str, object] = {
        "Shape": tensor["shape"],
        "Type": getattr(TensorType, tensor["dtype"].upper()),
        "Buffer": buffer,
        "Name": name,
    }
    if tensor["scale"]:
        scale = np.array([tensor["scale"]], dtype=np.float32)
        quantization = {"Scale": scale, "ZeroPoint": np.zeros(1, dtype=np.int64)}
        fields["Quantization"] = writer.table("QuantizationParameters", quantization)
    return writer.table("Tensor", fields)


def write_operator(writer: Writer, case: dict[str, Any], ins: list[int], outs: list[int]) -> int:
    """The operator with its options."""
    fields: dict[str, object] = {"OpcodeIndex": 0, "Inputs": ins, "Outputs": outs}
    if case["options"]:
        fields["BuiltinOptionsType"] = getattr(BuiltinOptions, case["options"])
        fields["BuiltinOptions"] = writer.table(case["options"], case["values"])
    return writer.table("Operator", fields)


if __name__ == "__main__":
    sys.exit(main())
