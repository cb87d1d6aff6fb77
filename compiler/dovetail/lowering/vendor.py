"""The vendor's own compiler: partitions really compiled, and run, in a child process with limits.

What it made of a model, or its refusal, is kept by the model's content: a block that repeats is compiled once, and a
model that is compiled again costs next to nothing.
"""

import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import onnx

from dovetail.lowering.canonical import content_key, neutral_names
from dovetail.lowering.probe import tool_name, why_no_probe
from dovetail.lowering.workshop import NoAnswer, Workshop
from dovetail.plan import BackendSpec, cache_folder
from dovetail.plan.schema import DeviceKind

Array = npt.NDArray[np.generic]

COMPILE_LIMIT_S: Final = 120.0
"""Seconds for one partition."""
_CHILD = Path(__file__).with_name("vendor_child.py")
_MODEL, _OUTCOME = "model.onnx", "outcome.json"
_PART_LIMIT_S, _PART_SHARE = 5.0, 8
"""Seconds for a part of a model that took too long, at most such a part of the limit: enough for what does not hang."""
_LARGEST_MODEL: Final = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Compiled:
    """What the vendor's compiler made of a model."""

    key: str
    """Of the model's content."""
    words: str
    """Why it was refused; empty where it was not."""
    folder: Path | None = None
    """With the compiled model and its binaries; None where there are none to keep."""
    by_chance: bool = False
    """It took too long, or was killed from outside, as where memory runs out: another time it may be taken."""

    @property
    def model(self) -> Path | None:
        """The compiled model: its inputs and outputs in the order of the given one, under other names."""
        return None if self.folder is None else self.folder / _MODEL


class VendorCompiler:
    """Compiles for one device. A request that kills or holds the compiler costs a new process, and nothing else."""

    def __init__(
        self,
        backend: BackendSpec,
        kind: DeviceKind,
        *,
        limit_s: float = COMPILE_LIMIT_S,
        folder: Path | None = None,
        command: Sequence[str] | None = None,
        tool: str | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            backend: the provider with its options.
            kind: of the device.
            limit_s: seconds for one model.
            folder: where results are kept; by default in the user's cache.
            command: another compiler than the provider's, that serves the same requests.
            tool: its name and version; by default the provider's.
        """
        settings = (backend.provider, json.dumps(backend.options), json.dumps(backend.session_config), kind)
        self.tool = tool or tool_name(backend)
        self.compiles = 0
        """Models that were compiled, or refused, now; not those whose result was there."""
        self.full_waits = 0
        """Models that were waited for until the limit, and gave no answer."""
        self._limit_s = self._now_s = limit_s
        self._settings = (self.tool, *settings)
        self._command = [sys.executable, "-P", str(_CHILD), *settings] if command is None else command
        self._workshop = Workshop(self._command)
        self._folder = _usable(folder or cache_folder() / "compiled")
        self._known: dict[str, Compiled] = {}

    def compile(self, model: onnx.ModelProto) -> Compiled:
        """Compile a model, or look up what came of it before.

        After a model that took too long, those that are asked about to find the reason get less time: it is spent
        once, not once for each of them.
        """
        if model.ByteSize() > _LARGEST_MODEL:
            return Compiled("", "it has more than 2 GB of constants, which no compiler is given in one piece")
        neutral = neutral_names(model)
        key = content_key(neutral, *self._settings)
        if key not in self._known:
            self._known[key] = self._look_up(key) or self._compile(neutral, key)
        return self._known[key]

    def known(self, model: onnx.ModelProto) -> Compiled | None:
        """What came of a model in this process; None where it was not asked about."""
        return self._known.get(content_key(neutral_names(model), *self._settings))

    def run(self, compiled: Compiled, inputs: Sequence[Array]) -> list[Array]:
        """Run a compiled model once.

        Args:
            compiled: with a folder.
            inputs: one per input, in order.

        Raises:
            NoAnswer: it can't be run; with the vendor's words.
        """
        assert compiled.model is not None
        graph = onnx.load(compiled.model, load_external_data=False).graph
        outputs = [value.name for value in graph.output]
        with tempfile.TemporaryDirectory(prefix="dovetail-run-") as folder:
            feeds, out = Path(folder, "feeds.npz"), Path(folder, "out.npz")
            np.savez(feeds, allow_pickle=False, **{f"f{index}": array for index, array in enumerate(inputs)})
            request = {
                "do": "run",
                "model": str(compiled.model),
                "feeds": str(feeds),
                "inputs": [value.name for value in graph.input],
                "outputs": outputs,
                "out": str(out),
            }
            answer = self._workshop.ask(request, self._limit_s)
            if answer["words"]:
                raise NoAnswer(str(answer["words"]), timed_out=False)
            with np.load(out, allow_pickle=False) as loaded:
                return [loaded[f"r{index}"] for index in range(len(outputs))]

    def be_patient(self) -> None:
        """Give the next model the whole time again."""
        self._now_s = self._limit_s

    def close(self) -> None:
        """Stop the child."""
        self._workshop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _compile(self, model: onnx.ModelProto, key: str) -> Compiled:
        self.compiles += 1
        with tempfile.TemporaryDirectory(prefix=".new-", dir=self._folder) as work:
            given, made = Path(work, "given.onnx"), Path(work, "made")
            made.mkdir()
            given.write_bytes(model.SerializeToString())
            request = {"do": "compile", "model": str(given), "out": str(made / _MODEL)}
            late = is_ours = False
            try:
                answer = self._workshop.ask(request, self._now_s)
            except NoAnswer as problem:
                late, answer = problem.timed_out, {"words": str(problem)}
                is_ours = problem.was_killed
            if late:
                self.full_waits += self._now_s == self._limit_s
                self._now_s = min(self._limit_s / _PART_SHARE, _PART_LIMIT_S)
            return self._keep(key, made, answer, late or is_ours)

    def _keep(self, key: str, made: Path, answer: dict[str, Any], by_chance: bool) -> Compiled:
        if by_chance:  # another day there is more time or memory: known to this process only
            return Compiled(key, str(answer["words"]), by_chance=True)
        files = {path.name: _sha256(path) for path in made.iterdir()} if answer.get("written") else {}
        outcome = {"words": answer["words"], "files": files}
        (made / _OUTCOME).write_text(json.dumps(outcome), encoding="utf-8")
        final = self._folder / key
        try:
            made.rename(final)
        except OSError:  # it is there: damaged, or made by another process meanwhile
            if self._look_up(key) is None:
                shutil.rmtree(final, ignore_errors=True)
                made.rename(final)
        return Compiled(key, str(answer["words"]), final if files else None)

    def _look_up(self, key: str) -> Compiled | None:
        folder = self._folder / key
        try:
            outcome = json.loads((folder / _OUTCOME).read_text(encoding="utf-8"))
            if any(_sha256(folder / name) != digest for name, digest in outcome["files"].items()):
                return None
            return Compiled(key, str(outcome["words"]), folder if outcome["files"] else None)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # not there, or damaged
            return None


def _usable(folder: Path) -> Path:
    """The folder, made if need be; a temporary one where nothing can be written."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return Path(tempfile.mkdtemp(prefix="dovetail-compiled-"))
    return folder


def why_not_compiled(backend: BackendSpec | None) -> str:
    """Why partitions of a device can't be compiled here; empty where they can."""
    return "nothing on this machine compiles for it" if backend is None else why_no_probe(backend)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
