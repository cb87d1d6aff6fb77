"""Plans compiled on first use, kept for the next.

The key of a plan is made of all that can change it: the model's bytes, the state of its external data files, the
target, the loading options and Dovetail's version. Nothing is ever deleted; the folder may be, at any time.
"""

import hashlib
import logging
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

from dovetail.plan import DovetailError, PlanError, __version__, cache_folder, check_relative, is_plan, read_plan, shown

_logger = logging.getLogger("dovetail.session")

# an entry of a tensor's external data in protobuf: the key `location`, then the value's length in one or two bytes
_LOCATION: Final = re.compile(rb"\x0a\x08location\x12([\x00-\x7f]|[\x80-\xff][\x00-\x7f])")


class Saveable(Protocol):
    """What the compiler returns."""

    def save(self, path: Path) -> Path:
        """Write the plan folder, whole or not at all."""
        ...


def cached_plan(key: str, compile_plan: Callable[[], Saveable]) -> tuple[Path, bool]:
    """The plan of a key, compiled where it is not in the cache or is damaged there.

    Returns:
        The plan folder, checked; and whether it is in a temporary folder, because no cache can be written here.
    """
    folder, is_temporary = _plans_folder()
    path = folder / f"{key}.plan"
    if not _is_sound(path):
        compilation = compile_plan()
        # another process may have been faster, and may use its plan already
        if not _is_sound(path):
            compilation.save(path)
    return path, is_temporary


def plan_key(model: bytes, folder: Path | None, *settings: str) -> str:
    """The name of the plan that a model and settings give.

    Args:
        model: The bytes of the ONNX file.
        folder: Where its external data lies; None if it can have none.
        settings: All else that changes the plan.
    """
    digest = hashlib.sha256(model)
    for line in (__version__, *settings, *_external_states(model, folder)):
        digest.update(f"{len(line)}:{line}".encode(errors="backslashreplace"))
    return digest.hexdigest()


def _is_sound(path: Path) -> bool:
    if not is_plan(path):
        return False
    try:
        read_plan(path)
    except PlanError as problem:
        _logger.warning("cache: %s", problem)
        return False
    return True


def _plans_folder() -> tuple[Path, bool]:
    try:
        folder = cache_folder() / "plans"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as problem:
        reason = problem.strerror or problem
        _logger.warning("cache: can't be written, %s; models are compiled again at every start", reason)
        return Path(tempfile.mkdtemp(prefix="dovetail-")), True
    return folder, False


def _external_states(model: bytes, folder: Path | None) -> Iterator[str]:
    """Name, size and time of every file that the model may name as external data.

    The names are found by their bytes: ONNX is not read here, the compiler does that properly, and a name too many
    costs nothing.
    """
    if folder is None:
        return
    for name in sorted(set(_locations(model))):
        try:
            state = Path(folder, *check_relative(name, what="external data", error=DovetailError)).stat()
        except (DovetailError, OSError):
            yield f"{shown(name)} can't be read"
        else:
            yield f"{name} {state.st_size} {state.st_mtime_ns}"


def _locations(model: bytes) -> Iterator[str]:
    for match in _LOCATION.finditer(model):
        size = sum((byte & 127) << (7 * position) for position, byte in enumerate(match.group(1)))
        yield model[match.end() : match.end() + size].decode(errors="backslashreplace")
