"""A target file's text as plain data, with the line of every field, and nothing that YAML can do beyond data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml

from dovetail.plan.errors import TargetError

_LARGEST_FILE: Final = 2_000_000
"""Bytes; the largest shipped file is a tenth of it."""
_DEEPEST: Final = 40

_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Document:
    """Data of one file and the lines it stands on."""

    def __init__(self, name: str, text: str) -> None:
        """Parse `text`.

        Raises:
            TargetError: it is not YAML, is not a mapping, nests too deep, repeats a key, or uses aliases.
        """
        self.name = name
        if "&" in text or "*" in text:
            self._refuse_aliases(text)
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            if not isinstance(root, yaml.MappingNode):
                raise TargetError(f"target file {name}: it must be a mapping with name, vendor and devices")
            self._root: yaml.Node = root
            self._walk(self._root, 0)
            self.data: dict[str, object] = loader.construct_document(self._root)
        except yaml.YAMLError as error:
            raise self._syntax_error(error) from error
        except (ValueError, RecursionError) as error:
            raise TargetError(f"target file {name}: a value can't be read: {error}") from error
        finally:
            loader.dispose()

    def _refuse_aliases(self, text: str) -> None:
        try:
            for event in yaml.parse(text, Loader=_Loader):
                if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                    line = f", line {event.start_mark.line + 1}" if event.start_mark is not None else ""
                    raise TargetError(
                        f"target file {self.name}{line}: anchors and aliases are not part of the language;"
                        " write shared rules under rule_sets and name them with use"
                    )
        except yaml.YAMLError as error:
            raise self._syntax_error(error) from error

    def _syntax_error(self, error: yaml.YAMLError) -> TargetError:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        return TargetError(f"target file {self.name}{line}: not valid YAML: {problem}")

    def _walk(self, node: yaml.Node, depth: int) -> None:
        line = node.start_mark.line + 1
        if depth > _DEEPEST:
            raise TargetError(f"target file {self.name}, line {line}: nested deeper than {_DEEPEST}")
        if isinstance(node, yaml.SequenceNode):
            for item in node.value:
                self._walk(item, depth + 1)
        elif isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise TargetError(f"target file {self.name}, line {line}: a key must be plain text")
                if key.value in seen:
                    line = key.start_mark.line + 1
                    raise TargetError(f"target file {self.name}, line {line}: {key.value} is given twice")
                seen.add(key.value)
                self._walk(value, depth + 1)

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
    try:
        if not path.is_file():
            raise TargetError(f"target file {path}: no such file")
        if (size := path.stat().st_size) > _LARGEST_FILE:
            raise TargetError(f"target file {path}: at most {_LARGEST_FILE} bytes are read, got {size}")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TargetError(f"target file {path}: can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TargetError(f"target file {path}: not UTF-8 text, at byte {error.start}") from error
    return Document(path.name, text)
