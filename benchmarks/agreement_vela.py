"""Ethos-U: what the targets' files say of int8 operators, against Vela."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from agreement_ethos_cases import NOT_COMPARED, Pair, pairs
from agreement_table import Comparison
from agreement_verdicts import Said, verdicts

from dovetail.lowering.answers import Answer
from dovetail.lowering.vela import ask_vela
from dovetail.targets import load_target

TARGETS = ("arm-ethos-u85:u85-1024", "arm-ethos-u55-u65:u55-256", "arm-ethos-u55-u65:u65-512")


def compare_ethos(python: Path) -> Iterator[tuple[str, list[Comparison], Sequence[str]]]:
    """Yield a target, its comparisons and notes; `python` has ethos-u-vela."""
    every = list(pairs())
    by_name = {pair.case.name: pair for pair in every}
    for target in TARGETS:
        described = load_target(target)
        tool = described.device("npu").tool
        assert tool is not None
        forms = {pair.case.name: pair.lite.form() for pair in every}
        vela, answers = ask_vela(forms, tool.accelerator, python)
        rows = []
        left_out = []
        for said in verdicts([pair.case for pair in every], described, "npu"):
            if isinstance(said, Said):
                rows.append(_compared(target, said, by_name[said.case.name], answers[said.case.name]))
            else:
                left_out.append(said[0].name)
        notes = [f"{vela}: {len(rows)} int8 models of one operator, written as TFLite."]
        notes.append(f"Not compared: {', '.join([*NOT_COMPARED, *left_out])}.")
        notes.append("The file was corrected by these very answers, so they are no measure of it for other operators.")
        yield target, rows, notes


def _answer(answer: Answer) -> str:
    return "failed" if answer.outcome == "failed" else "taken" if answer.whole else "refused"


def _compared(target: str, said: Said, pair: Pair, answer: Answer) -> Comparison:
    return Comparison(
        target=target,
        form="int8",
        name=pair.case.name,
        op_type=pair.case.op_type,
        ours=said.state,
        theirs=_answer(answer),
        our_reason="; ".join(reason.message.split("): ", 1)[-1] for reason in said.reasons),
        their_words="" if answer.whole else answer.words,
    )
