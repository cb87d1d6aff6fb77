"""A target file's text as plain data, with the line of every field, and nothing that YAML can do beyond data."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import yaml

from dovetail.plan.errors import TargetError
from dovetail.plan.files import read_regular
from dovetail.plan.naming import shown

_LARGEST_FILE: Final = 2_000_000
"""Bytes; the largest shipped file is a tenth of it."""
_DEEPEST: Final = 40

_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong in a target file."""

    file: str
    line: int
    field: str
    """Steps from the top, joined by points; empty for the file as a whole."""
    problem: str
    """What was got and what is allowed."""


class MistakeError(TargetError):
    """A target file can't be used because of one mistake, at one line."""

    def __init__(self, mistake: Mistake, more: int = 0) -> None:
        """Say the mistake in one line; `more` is how many others there are."""
        field = f"{mistake.field}: " if mistake.field else ""
        super().__init__(
            f"target file {mistake.file}, line {mistake.line}: {field}{mistake.problem}{_remedy(mistake, more)}"
        )
        self.mistake = mistake


def _remedy(mistake: Mistake, more: int) -> str:
    if more:
        return f"; correct it and {more} more, see 'dovetail targets check'"
    return "" if mistake.problem.endswith("?") else "; correct it"


class Source(Protocol):
    """The data of a target, and the lines of the file that it is written in."""

    name: str
    data: dict[str, object]

    def line(self, path: Sequence[int | str]) -> int:
        """Return the line of a field, or of its nearest parent."""

    def known_path(self, path: Sequence[int | str]) -> list[int | str]:
        """Return `path` without the steps that the file lacks, its last step apart."""


def mistake_at(source: Source, path: Sequence[int | str], problem: str) -> Mistake:
    """Return the mistake of a field."""
    field = ".".join(str(step) for step in source.known_path(path)) if path else ""
    return Mistake(source.name, source.line(path), field or "the file", problem)


class Document:
    """Data of one file and the lines it stands on."""

    def __init__(self, name: str, text: str, path: Path | None = None) -> None:
        """Parse `text`; `path` is where it was read from.

        Raises:
            TargetError: it is not YAML, is not a mapping, nests too deep, repeats a key, or uses aliases.
        """
        self.name = name
        self.path = path
        if "&" in text or "*" in text:
            self._refuse_aliases(text)
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            if not isinstance(root, yaml.MappingNode):
                raise self._error(1, "it must be a mapping with name, vendor and devices")
            self._root: yaml.Node = root
            self._walk(self._root, 0)
            self.data: dict[str, object] = loader.construct_document(self._root)
        except yaml.YAMLError as error:
            raise self._syntax_error(error) from error
        except (ValueError, RecursionError) as error:
            raise self._error(1, f"a value can't be read: {error}") from error
        finally:
            loader.dispose()

    def _error(self, line: int, problem: str) -> MistakeError:
        return MistakeError(Mistake(self.name, line, "", problem))

    def _refuse_aliases(self, text: str) -> None:
        try:
            for event in yaml.parse(text, Loader=_Loader):
                if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                    raise self._error(
                        event.start_mark.line + 1 if event.start_mark is not None else 1,
                        "anchors and aliases are not part of the language;"
                        " write shared rules under rule_sets and name them with use",
                    )
        except yaml.YAMLError as error:
            raise self._syntax_error(error) from error

    def _syntax_error(self, error: yaml.YAMLError) -> MistakeError:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        return self._error(mark.line + 1 if mark is not None else 1, f"not valid YAML: {problem}")

    def _walk(self, node: yaml.Node, depth: int) -> None:
        line = node.start_mark.line + 1
        if depth > _DEEPEST:
            raise self._error(line, f"nested deeper than {_DEEPEST}")
        if isinstance(node, yaml.SequenceNode):
            for item in node.value:
                self._walk(item, depth + 1)
        elif isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise self._error(line, "a key must be plain text")
                if key.value in seen:
                    raise self._error(key.start_mark.line + 1, f"{key.value} is given twice")
                seen.add(key.value)
                self._walk(value, depth + 1)

    def knows(self, path: Sequence[int | str]) -> bool:
        """Return whether the file has the field at `path`."""
        return len(self._follow(path)[0]) == len(path)

    def line(self, path: Sequence[int | str]) -> int:
        """Return the line of a field, or of its nearest parent; steps of `path` that the file lacks are skipped."""
        return self._follow(path)[1]

    def known_path(self, path: Sequence[int | str]) -> list[int | str]:
        """Return `path` without the steps that the file lacks; its last step is kept: it may be what is missing."""
        return [*self._follow(path[:-1])[0], *path[-1:]]

    def _follow(self, path: Sequence[int | str]) -> tuple[list[int | str], int]:
        node: yaml.Node = self._root
        line = self._root.start_mark.line + 1
        found: list[int | str] = []
        for step in path:
            child, mark = _child(node, step)
            if child is not None and mark is not None:
                node, line = child, mark.line + 1
                found.append(step)
        return found, line


def _child(node: yaml.Node, step: int | str) -> tuple[yaml.Node | None, yaml.Mark | None]:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step].start_mark
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return value, key.start_mark
    return None, None


def read_document(path: Path) -> Document:
    """Read a target file.

    Raises:
        TargetError: it can't be read, is larger than the limit, is not UTF-8, or is not a target document.
    """
    data = read_regular(path, limit=_LARGEST_FILE, what="target file", error=TargetError)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise TargetError(
            f"target file {shown(str(path))}: is not UTF-8 text, at byte {error.start}; save it as UTF-8"
        ) from error
    return Document(path.name, text, path)
