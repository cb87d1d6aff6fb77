"""Arm's Vela, asked operator by operator. It has an environment of its own, whose Python runs `vela_child.py`."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dovetail.ir import Graph
from dovetail.lowering.answers import MODEL_LIMIT_S, Answer, ask_children, last_line, read_journal
from dovetail.lowering.child import run_child
from dovetail.lowering.tflite import Form, NoFormError, as_json, lite_form
from dovetail.passes.quantize import is_dequantize, is_quantize
from dovetail.passes.tagging import UnitTag
from dovetail.passes.tagging.views import operator_view
from dovetail.plan.errors import LoweringError
from dovetail.plan.naming import meant
from dovetail.targets import OperatorView

VARIABLE: Final = "DOVETAIL_VELA"
"""The environment variable that says where Vela is, if it is not on PATH."""

_CHILD = Path(__file__).with_name("vela_child.py")
_START_LIMIT_S: Final = 60
_PYTHONS: Final = ("python3", "python", "python.exe", "../python.exe")
_SHEBANG_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class VelaTool:
    """Vela, for one of its accelerators."""

    accelerator: str

    def why_not(self) -> str:
        """Why it can't be asked here; empty where it can."""
        return find_vela()[1]

    def ask(self, graph: Graph, units: Sequence[Sequence[str]]) -> tuple[str, list[Answer]]:
        """Vela's name, and its answer for each unit; LoweringError as `ask_vela`."""
        forms: dict[str, Form] = {}
        unasked: dict[str, Answer] = {}
        for number, members in enumerate(units):
            try:
                forms[str(number)] = lite_form(unit_views(graph, members))
            except NoFormError as error:
                unasked[str(number)] = Answer("not asked", words=str(error))
        name, answers = ask_vela(forms, self.accelerator)
        return name, [(answers | unasked)[str(number)] for number in range(len(units))]


def unit_views(graph: Graph, members: Sequence[str]) -> list[OperatorView]:
    """The operators of a unit in the order in which they run, without the Q/DQ nodes around them."""
    unit = graph.tag(members[0], UnitTag)
    nodes = [graph.node(name) for name in members]
    if not unit.quantized:
        return [operator_view(graph, node) for node in nodes]
    return [operator_view(graph, node, nodes) for node in nodes if not is_quantize(node) and not is_dequantize(node)]


def find_vela() -> tuple[Path | None, str]:
    """The Python that has Vela; or None, with why it was not found and what to do."""
    given = os.environ.get(VARIABLE, "")
    found = given or shutil.which("vela")
    if not found:
        return (
            None,
            f"Vela is not installed; run 'pip install ethos-u-vela' in an environment, and set {VARIABLE} to its vela",
        )
    if not Path(found).is_file():
        return None, f"{VARIABLE} names {given!r}, which is no file; set it to the executable vela"
    python = interpreter_of(Path(found))
    return python, "" if python else f"no Python was found that runs {found}; set {VARIABLE} to the executable vela"


def interpreter_of(script: Path) -> Path | None:
    """The Python that runs an installed command: the one in its first line, else the one beside it."""
    with script.open("rb") as file:
        first = file.read(_SHEBANG_BYTES).split(b"\n")[0].decode(errors="replace").strip()
    if first.startswith("#!"):
        words = first[2:].split()
        named = shutil.which(words[-1]) if words and words[0].endswith("/env") else first[2:].strip()
        if named and Path(named).name.startswith("python") and Path(named).is_file():
            return Path(named)
    beside = (script.resolve().parent / name for name in _PYTHONS)
    return next((path for path in beside if path.is_file()), None)


def ask_vela(
    forms: Mapping[str, Form], accelerator: str, python: Path | None = None, model_limit_s: float = MODEL_LIMIT_S
) -> tuple[str, dict[str, Answer]]:
    """Let Vela compile small TFLite models, each alone. Nothing is run.

    Args:
        forms: name of a model -> its operators.
        accelerator: what it is compiled for, as Vela names it.
        python: a Python that has Vela; by default the one that `find_vela` finds.
        model_limit_s: seconds for one model, on average over those of a child.

    Returns:
        Vela's name with its version, and the answers by the names of the models.

    Raises:
        LoweringError: there is no Vela, it does not start, or it does not know the accelerator.
    """
    if python is None:
        python, why = find_vela()
        if python is None:
            raise LoweringError(f"probe: {why}")
    start = [str(python), str(_CHILD), accelerator]

    def command(folder: Path, journal: Path) -> Sequence[str]:
        return [*start, str(folder), str(journal)]

    name = _introduced(start, accelerator)
    lines = {key: json.dumps(as_json(key, form)) for key, form in forms.items()}
    return name, ask_children(lines, command, "Vela", model_limit_s)


def _introduced(start: Sequence[str], accelerator: str) -> str:
    """Vela's name and version, and a check of the accelerator."""
    with tempfile.TemporaryDirectory(prefix="dovetail-probe-") as folder:
        journal = Path(folder, "journal.jsonl")
        printed = Path(folder, "errors.txt")
        try:
            with printed.open("wb") as errors:
                run_child([*start, folder, str(journal)], seconds=_START_LIMIT_S, stderr=errors)
        except subprocess.TimeoutExpired as error:
            raise LoweringError("probe: Vela took too long to start and was stopped; try again") from error
        records = read_journal(journal)
        if not records:
            raise LoweringError(
                f"probe: Vela does not start with {start[0]}; {last_line(printed)}; install what it needs"
            )
    known = records[0]["accelerators"]
    if accelerator not in known:
        raise LoweringError(f"probe: Vela has no accelerator {accelerator!r}; {meant(accelerator, known)}")
    return f"{records[0]['tool']}, {accelerator}"
