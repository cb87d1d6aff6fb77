"""Comparisons of a verdict with a vendor's answer, counted and written down."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

STATES = ("supported", "soft", "unknown", "unsupported")
ANSWERS = ("taken", "refused", "failed")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One operator: what Dovetail says, what the vendor's compiler does."""

    target: str
    form: str
    name: str
    op_type: str
    ours: str
    theirs: str
    our_reason: str
    their_words: str

    @property
    def agrees(self) -> bool:
        """Taken as we say, or not taken as we say; `unknown` promises nothing."""
        if self.ours == "unknown":
            return self.theirs != "taken"
        return (self.ours in ("supported", "soft")) == (self.theirs == "taken")


def precision(rows: Sequence[Comparison]) -> float:
    """Of what is called supported, the part that is taken."""
    said = [row for row in rows if row.ours == "supported"]
    return sum(row.theirs == "taken" for row in said) / max(len(said), 1)


def recall(rows: Sequence[Comparison]) -> float:
    """Of what is taken, the part that is called supported or soft."""
    taken = [row for row in rows if row.theirs == "taken"]
    return sum(row.ours in ("supported", "soft") for row in taken) / max(len(taken), 1)


def as_markdown(rows: Sequence[Comparison], notes: dict[str, Sequence[str]]) -> str:
    """The matrices, the figures and every disagreement, by target. `notes` has lines for each target."""
    return "\n".join(_lines(rows, notes)) + "\n"


def as_json(rows: Sequence[Comparison]) -> str:
    """Every comparison."""
    return json.dumps([asdict(row) for row in rows], indent=1)


def _lines(rows: Sequence[Comparison], notes: dict[str, Sequence[str]]) -> Iterator[str]:
    yield "# Verdicts against the vendors' own compilers"
    yield ""
    yield "Written by `python benchmarks/target_agreement.py`. Precision: of what we call supported, the part that is"
    yield "taken. Recall: of what is taken, the part that we call supported or soft. Failed: the tool takes the"
    yield "operator, then can't compile it, crashes or takes too long."
    for target in dict.fromkeys(row.target for row in rows):
        of_target = [row for row in rows if row.target == target]
        yield from ("", f"## {target}", "")
        yield from notes.get(target, ())
        yield from ("", *_figures(of_target), "", *_matrix(of_target), "", *_disagreements(of_target))


def _figures(rows: Sequence[Comparison]) -> Iterator[str]:
    yield "| form | operators | precision | recall |"
    yield "|---|---:|---:|---:|"
    forms = list(dict.fromkeys(row.form for row in rows))
    for form in forms:
        of_form = [row for row in rows if row.form == form]
        yield f"| {form} | {len(of_form)} | {precision(of_form):.1%} | {recall(of_form):.1%} |"
    if len(forms) > 1:
        yield f"| **all** | {len(rows)} | **{precision(rows):.1%}** | **{recall(rows):.1%}** |"


def _matrix(rows: Sequence[Comparison]) -> Iterator[str]:
    counts = Counter((row.ours, row.theirs) for row in rows)
    yield "| our verdict | " + " | ".join(ANSWERS) + " |"
    yield "|---|" + "---:|" * len(ANSWERS)
    for state in STATES:
        yield f"| {state} | " + " | ".join(str(counts[state, answer]) for answer in ANSWERS) + " |"


def _disagreements(rows: Sequence[Comparison]) -> Iterator[str]:
    different = [row for row in rows if not row.agrees]
    if not different:
        yield "No disagreement."
        return
    yield f"{len(different)} disagreements:"
    yield ""
    yield "| operator | test | form | ours | theirs | our reason | the vendor's words |"
    yield "|---|---|---|---|---|---|---|"
    for row in sorted(different, key=lambda row: (row.op_type, row.form, row.name)):
        cells = (row.op_type, row.name, row.form, row.ours, row.theirs, row.our_reason, row.their_words)
        yield "| " + " | ".join(cell.replace("|", "\\|")[:240] for cell in cells) + " |"
