"""Verdicts against the vendors' own compilers: `python benchmarks/target_agreement.py --write`.

Hexagon: every single-node test of ONNX that ONNX Runtime's CPU provider takes, as it stands, with constants, and with
uint8 Q/DQ around it, is judged by the target's file and offered to onnxruntime-qnn. Ethos-U: single operators in int8
are judged as Q/DQ models and compiled by Vela as TFLite, where `--vela` names a Python that has ethos-u-vela.

Prints the table; exits with 1 where precision is below 98 % or recall below 90 % for the Hexagon.
"""

import argparse
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import onnx
from agreement_models import FORMS, node_tests
from agreement_table import Comparison, as_json, as_markdown, precision, recall
from agreement_verdicts import Said, verdicts

from dovetail.lowering.probe import Answer, ask_provider, tool_name
from dovetail.plan.schema import BackendSpec
from dovetail.targets import load_target

HEXAGON = "qualcomm-hexagon-htp:sm8650"
RESULTS = Path(__file__).with_name("results") / "target_agreement.md"
LEAST_PRECISION, LEAST_RECALL = 0.98, 0.90


def compare_hexagon(forms: Sequence[str], only: str) -> tuple[list[Comparison], list[str]]:
    """Return the comparisons, and notes on what was compared and what not."""
    cases = [case for case in node_tests() if case.form in forms and only in case.name]
    target = load_target(HEXAGON)
    backend = target.device("npu").backend
    assert backend is not None
    said, left_out = [], []
    for each in verdicts(cases, target, "npu"):
        if not isinstance(each, Said):
            left_out.append(each)
        elif each.quantized or not each.case.form.startswith("quantized"):
            said.append(each)
    with tempfile.TemporaryDirectory() as folder:
        files = _write(said, Path(folder))
        on_host = ask_provider(list(files), BackendSpec("CPUExecutionProvider"))
        runnable = [file for file in files if on_host[file].whole]
        answers = ask_provider(runnable, backend)
    rows = [_compared(files[file], answers[file]) for file in runnable]
    tests = len({row.name for row in rows})
    notes = [
        f"{tool_name(backend)} on its HTP simulator: {len(rows)} models of {tests} node tests of onnx",
        f"{onnx.__version__}.",
        f"Left out: {len(files) - len(runnable)} models whose operator ONNX Runtime's CPU provider does not have,",
        f"{len(left_out)} that Dovetail's loader refuses, and Q/DQ around operators that form no group with it.",
        "A lone QuantizeLinear or DequantizeLinear is asked about with a Relu on its float side, as the provider",
        "leaves a partition of nothing but Q/DQ to the host by design. If and NonZero are taken in the one form that",
        "their tests have; the file refuses both on purpose, for what else they stand for.",
    ]
    return rows, notes


def _write(said: Sequence[Said], folder: Path) -> dict[Path, Said]:
    files = {}
    for number, each in enumerate(said):
        path = folder / f"{number:05}.onnx"
        path.write_bytes(each.model.SerializeToString())
        files[path] = each
    return files


def _compared(said: Said, answer: Answer) -> Comparison:
    return Comparison(
        target=HEXAGON,
        form=said.case.form,
        name=said.case.name.removeprefix("test_"),
        op_type=said.case.op_type,
        ours=said.state,
        theirs="failed" if answer.outcome == "failed" else "taken" if answer.whole else "refused",
        our_reason="; ".join(reason.message.split("): ", 1)[-1] for reason in said.reasons),
        their_words="" if answer.whole else answer.words,
    )


def main() -> int:
    """Compare, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--form", choices=FORMS, action="append", help="only these forms; repeatable")
    parser.add_argument("--only", default="", metavar="TEXT", help="only tests whose name contains this")
    parser.add_argument("--vela", type=Path, metavar="PYTHON", help="a Python with ethos-u-vela: compare Ethos-U too")
    parser.add_argument("--no-hexagon", action="store_true", help="leave out the Hexagon")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every comparison")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name} beside the benchmarks")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # ONNX's tests compute with infinities
    rows: list[Comparison] = []
    notes: dict[str, Sequence[str]] = {}
    if not arguments.no_hexagon:
        rows, notes[HEXAGON] = compare_hexagon(arguments.form or FORMS, arguments.only)
    hexagon = list(rows)
    if arguments.vela is not None:
        from agreement_vela import compare_ethos

        for target, compared, target_notes in compare_ethos(arguments.vela):
            rows += compared
            notes[target] = target_notes
    text = as_markdown(rows, notes)
    print(text, end="")
    if arguments.json is not None:
        arguments.json.write_text(as_json(rows), encoding="utf-8")
    if arguments.write:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(text, encoding="utf-8")
    good = not hexagon or (precision(hexagon) >= LEAST_PRECISION and recall(hexagon) >= LEAST_RECALL)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
