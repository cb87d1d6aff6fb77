"""What a vendor's compiler says of models, learnt from child processes that any of the models may kill."""

import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from dovetail.lowering.child import run_child
from dovetail.plan.errors import LoweringError

Outcome = Literal["answered", "failed", "not asked"]
Command = Callable[[Path, Path], Sequence[str]]
"""From a folder for the child's own files, and its journal, to what is to be run."""

BATCH: Final = 50
"""Models for one child: a model that hangs holds up no more than these."""
MODEL_LIMIT_S: Final = 60
"""Seconds for one model; a single operator takes a tenth of a second."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the vendor's compiler said of one model."""

    outcome: Outcome
    """`failed`: it refused the model as a whole, crashed or took too long. `not asked`: it could not be asked."""
    taken: tuple[str, ...] = ()
    """Names of the nodes that it takes; the provider may have rewritten the model before it chose."""
    left: tuple[str, ...] = ()
    """Names of those that it leaves to others."""
    words: str = ""
    """Its own words about what it does not take, where it has any; or why it was not asked."""
    microseconds: float | None = None
    """Of one run of what it takes: estimated by the vendor's tool, or measured; None where the tool says nothing."""

    @property
    def whole(self) -> bool:
        """It takes every node."""
        return self.outcome == "answered" and bool(self.taken) and not self.left


def ask_children(lines: Mapping[str, str], command: Command, who: str, model_limit_s: float) -> dict[str, Answer]:
    """Ask about models, one child process after another: a new one goes on behind a model that killed the last.

    The child reads lines from its standard input. It adds `{"begun": name}` to the journal when it begins a model,
    then `{"done": name, "words": ...}`, with `taken` and `left`, and `microseconds` where it knows them, unless it
    failed. `{"tool": ...}` speaks of no model.

    Args:
        lines: name of a model -> the line that the child is given.
        command: what starts the child.
        who: who answers, as it stands in a message.
        model_limit_s: seconds for one model, on average over those of a child.

    Raises:
        LoweringError: a child ended before it began a model.
    """
    answers: dict[str, Answer] = {}
    with tempfile.TemporaryDirectory(prefix="dovetail-probe-") as folder:
        while left := [name for name in lines if name not in answers]:
            some = [lines[name] for name in left[:BATCH]]
            answers |= _ask_some(some, command, who, model_limit_s, Path(folder))
    return answers


def _ask_some(
    lines: Sequence[str], command: Command, who: str, model_limit_s: float, folder: Path
) -> dict[str, Answer]:
    """Ask one child until it is done or dead; at least one model is answered."""
    journal = folder / "journal.jsonl"
    journal.unlink(missing_ok=True)
    try:
        given = "".join(f"{line}\n" for line in lines).encode()
        seconds = model_limit_s + model_limit_s / 10 * len(lines)
        done = run_child(command(folder, journal), seconds=seconds, given=given)
        end = f"{who} crashed (exit status {done.returncode})"
    except subprocess.TimeoutExpired:
        end = f"{who} took too long and was stopped"
    answers = _answers(read_journal(journal), end)
    if not answers:
        why = last_line(folder / "printed.txt")
        raise LoweringError(f"probe: {end} before it was asked anything: {why}; check its installation")
    return answers


def read_journal(path: Path) -> list[dict[str, Any]]:
    """The records of a journal; none where there is no file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def last_line(path: Path) -> str:
    """The last that a child printed."""
    words = path.read_text(errors="replace").strip().splitlines() if path.exists() else []
    return words[-1][:300] if words else "it said nothing"


def _answers(records: Sequence[Mapping[str, Any]], end: str) -> dict[str, Answer]:
    answers = {}
    for record in records:
        if "tool" in record:
            continue
        if "begun" in record:
            answers[str(record["begun"])] = Answer("failed", words=end)
            continue
        words = str(record["words"])
        if "taken" in record:
            taken, left = tuple(record["taken"]), tuple(record["left"])
            answer = Answer("answered", taken, left, words, record.get("microseconds"))
        else:
            answer = Answer("failed", words=words)
        answers[str(record["done"])] = answer
    return answers
