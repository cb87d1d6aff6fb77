"""`extends`: a target file that states only what is different from another.

Mappings merge, field by field. Everything else replaces what the base has; so do lists, rules among them. `null`
removes a field that the base has. `devices` are told apart by their `id`: written as a list, or as a mapping from id
to changes, in which `null` removes the device with all that names it. A device that the base lacks goes in before the
base's last one; a list that names every device sets their order.

The base is a shipped target's name, or the path of a file relative to the file that extends it; it must be a whole
target by itself. It may extend another one.
"""

import copy
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

from dovetail.plan.errors import TargetError
from dovetail.targets.document import Document, MistakeError, Source, mistake_at, read_document
from dovetail.targets.mistakes import parse
from dovetail.targets.shipped import is_path, shipped_file

_LONGEST_CHAIN: Final = 8

_Fields = dict[str, object]
_Change = tuple[int | str, str, _Fields | None]
"""Where a device stands in the file, its id, and what is different about it; None: it is removed."""


class Extended:
    """What a file that extends another comes to; lines are those of the file itself."""

    def __init__(self, document: Document, base: Source) -> None:
        """Merge `document` into `base`; MistakeError where it removes what is not there, or has no name of its own."""
        self.name = document.name
        self._document = document
        changes = {key: value for key, value in document.data.items() if key not in ("extends", "devices")}
        if "name" not in changes:
            raise _error(document, ("extends",), "a target that extends another needs a name of its own")
        devices = document.data.get("devices")
        named = _named_devices(document, devices) if devices is not None else []
        kept = _without(base.data, {name for _, name, change in named if change is None})
        self.data = _merged(document, kept, changes, ())
        listed = base.data["devices"]
        assert isinstance(listed, list), "a base is a whole target"
        self.data["devices"] = _devices(document, {device["id"]: device for device in listed}, named)

    def line(self, path: Sequence[int | str]) -> int:
        """Return the line of a field, or of its nearest parent; that of `extends` where the file has neither."""
        own = self._own_path(path)
        return self._document.line(own if own and self._document.knows(own[:1]) else ("extends",))

    def known_path(self, path: Sequence[int | str]) -> list[int | str]:
        """Return `path` without the steps that the file lacks; its last step is kept."""
        return self._document.known_path(self._own_path(path))

    def _own_path(self, path: Sequence[int | str]) -> tuple[int | str, ...]:
        """Return a path of the merged data as it is in the file: its devices may stand in another order."""
        if len(path) < 2 or path[0] != "devices" or not isinstance(path[1], int):
            return tuple(path)
        merged, own = self.data.get("devices"), self._document.data.get("devices")
        device = _ids(merged)[path[1]]
        if isinstance(own, dict):
            return ("devices", device, *path[2:])
        position = {name: index for index, name in enumerate(_ids(own))}.get(device)
        return ("devices", *path[2:]) if position is None else ("devices", position, *path[2:])


def resolve(document: Document, chain: tuple[str, ...] = ()) -> Source:
    """Return `document`, merged into what it extends, if anything.

    Raises:
        TargetError: the base does not exist, has a mistake, or extends in a circle; or a change can't be made.
    """
    if "extends" not in document.data:
        return document
    ref = document.data["extends"]
    if not isinstance(ref, str) or not ref:
        raise _error(document, ("extends",), f"must be a target's name or a path, got {ref!r}")
    files = (*chain, _identity(document))
    base = _read(document, ref)
    if _identity(base) in files or len(files) >= _LONGEST_CHAIN:
        why = "goes in a circle" if _identity(base) in files else f"goes over more than {_LONGEST_CHAIN} files"
        raise _error(document, ("extends",), f"{why}: {' -> '.join(Path(file).name for file in files)} -> {base.name}")
    source = resolve(base, files)
    parse(source)
    return Extended(document, source)


def _identity(document: Document) -> str:
    return str(document.path.resolve()) if document.path is not None else document.name


def _read(document: Document, ref: str) -> Document:
    try:
        if not is_path(ref):
            return read_document(shipped_file(ref))
        if Path(ref).is_absolute():
            raise TargetError("a path must be relative to the file")
        folder = document.path.parent if document.path is not None else Path()
        return read_document(folder / ref)
    except MistakeError:
        raise
    except TargetError as error:
        raise _error(document, ("extends",), str(error)) from error


def _merged(document: Document, base: Mapping[str, object], changes: _Fields, at: tuple[int | str, ...]) -> _Fields:
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        if value is None and key not in merged:
            raise _error(
                document,
                (*at, key),
                "null removes what the base has, and it has no such field; for an empty one write {}",
            )
        if value is None:
            del merged[key]
        elif isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _merged(document, old, value, (*at, key))
        else:
            merged[key] = value
    return merged


def _devices(document: Document, base: Mapping[str, _Fields], named: list[_Change]) -> list[object]:
    """Return the base's devices, changed."""
    merged = dict(base)
    last = next(reversed(merged))
    for step, name, change in named:
        if change is None:
            if merged.pop(name, None) is None:
                raise _error(document, ("devices", step), f"null removes a device, and the base has no {name}")
        elif name in merged:
            merged[name] = _merged(document, merged[name], change, ("devices", step))
        else:
            behind = merged.pop(last, None)
            merged[name] = change
            merged |= {last: behind} if behind is not None else {}
    order = [name for step, name, _ in named if isinstance(step, int)]
    return [merged[name] for name in (order if set(order) == set(merged) else merged)]


def _without(base: _Fields, removed: AbstractSet[str]) -> _Fields:
    """Return a base without what speaks of the devices that are removed."""
    data = copy.deepcopy(base)
    for variant in _mapping(data.get("variants")).values():
        _drop(_mapping(_mapping(variant).get("devices")), removed)
    _drop(_mapping(_mapping(data.get("limits")).get("max_partitions")), removed)
    links = data.get("links")
    if isinstance(links, list):
        data["links"] = [link for link in links if removed.isdisjoint(link["between"])]
    return data


def _drop(mapping: _Fields, names: AbstractSet[str]) -> None:
    for name in names:
        mapping.pop(name, None)


def _mapping(value: object) -> _Fields:
    return value if isinstance(value, dict) else {}


def _named_devices(document: Document, changes: object) -> list[_Change]:
    """Return each device's step in the file, its id and what it changes."""
    if isinstance(changes, dict):
        items: list[tuple[int | str, object, object]] = [(name, name, change) for name, change in changes.items()]
    elif isinstance(changes, list):
        items = [(i, item.get("id") if isinstance(item, dict) else None, item) for i, item in enumerate(changes)]
    else:
        raise _error(document, ("devices",), "must be a list of devices, or a mapping from id to changes")
    named: list[_Change] = []
    for step, name, change in items:
        if not isinstance(name, str) or not isinstance(change, dict | None):
            raise _error(document, ("devices", step), "each device must be a mapping, with an id")
        named.append((step, name, {"id": name, **change} if change is not None else None))
    if len({name for _, name, _ in named}) != len(named):
        raise _error(document, ("devices",), "a device is given twice")
    return named


def _ids(devices: object) -> list[str]:
    if not isinstance(devices, list):
        return []
    return [str(device.get("id")) if isinstance(device, dict) else "" for device in devices]


def _error(document: Document, path: tuple[int | str, ...], problem: str) -> MistakeError:
    return MistakeError(mistake_at(document, path, problem))
