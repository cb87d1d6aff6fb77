"""Ethos-U: what the targets' files say of int8 operators, against Vela."""

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from agreement_ethos_cases import NOT_COMPARED, Pair, pairs
from agreement_table import Comparison
from agreement_verdicts import Said, verdicts

from dovetail.targets import load_target

TARGETS = {
    "arm-ethos-u85:u85-1024": "ethos-u85-1024",
    "arm-ethos-u55-u65:u55-256": "ethos-u55-256",
    "arm-ethos-u55-u65:u65-512": "ethos-u65-512",
}
_CHILD = Path(__file__).with_name("agreement_vela_child.py")
_LIMIT_S = 300


def compare_ethos(python: Path) -> Iterator[tuple[str, list[Comparison], Sequence[str]]]:
    """Yield a target, its comparisons and notes; `python` has ethos-u-vela."""
    every = list(pairs())
    version = "import importlib.metadata as m; print(m.version('ethos-u-vela'))"
    vela = subprocess.run([python, "-c", version], capture_output=True, text=True, check=True).stdout.strip()
    for target, accelerator in TARGETS.items():
        answers = ask_vela(python, accelerator, every)
        device = load_target(target)
        by_name = {pair.case.name: pair for pair in every}
        rows = []
        left_out = []
        for said in verdicts([pair.case for pair in every], device, "npu"):
            if isinstance(said, Said):
                rows.append(_compared(target, said, by_name[said.case.name], answers[said.case.name]))
            else:
                left_out.append(said[0].name)
        notes = [f"ethos-u-vela {vela} for {accelerator}, {len(rows)} int8 models of one operator, written as TFLite."]
        notes.append(f"Not compared: {', '.join([*NOT_COMPARED, *left_out])}.")
        yield target, rows, notes


def ask_vela(python: Path, accelerator: str, every: Sequence[Pair]) -> dict[str, dict[str, Any]]:
    """Vela's answer for each case, by its name; one that crashes or hangs has failed."""
    answers: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="agreement-vela-") as folder:
        journal = Path(folder, "journal.jsonl")
        while left := [pair for pair in every if pair.case.name not in answers]:
            text = "".join(json.dumps(pair.lite.as_json(pair.case.name)) + "\n" for pair in left)
            command = [str(python), str(_CHILD), accelerator, folder, str(journal)]
            with contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run(command, input=text.encode(), capture_output=True, timeout=_LIMIT_S, check=False)
            for record in map(json.loads, journal.read_text(encoding="utf-8").splitlines()):
                name = record.get("begun") or record["done"]
                answers[name] = record if "done" in record else {"answer": "failed", "words": "Vela crashed or hung"}
    return answers


def _compared(target: str, said: Said, pair: Pair, answer: dict[str, Any]) -> Comparison:
    return Comparison(
        target=target,
        form="int8",
        name=pair.case.name,
        op_type=pair.case.op_type,
        ours=said.state,
        theirs=answer["answer"],
        our_reason="; ".join(reason.message.split("): ", 1)[-1] for reason in said.reasons),
        their_words=answer["words"],
    )
