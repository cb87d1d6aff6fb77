"""How messages name things: quoted and cut, and the known name that an unknown one was meant to be."""

import difflib
import os
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

_LIKENESS: Final = 0.6
"""Of two names, 0 to 1; below it a proposal is more often wrong than right."""
_MOST_LISTED: Final = 30
_LONGEST: Final = 200
"""Characters; comparing longer names takes time that grows with the square, and nobody types them."""
_MOST_FILES: Final = 10_000
"""Entries of a folder that are looked through."""
_SHOWN_CHARACTERS: Final = 120


def shown(text: str) -> str:
    """Text that is not trusted, quoted and cut so that it fits in one line of a message."""
    cut = text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."
    return repr(cut)


def meant(name: str, known: Iterable[str]) -> str:
    """The last clause of a message about an unknown name, what to do: `did you mean 'a'?`, `choose one of 'a', 'b'`.

    Args:
        name: what was got.
        known: the names that there are, in the order in which they are to be listed.
    """
    names = list(known)
    found = closest(name, names)
    if found is not None:
        return f"did you mean {shown(found)}?"
    if not names:
        return "leave it out, there are none"
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return f"choose {'one of ' * (len(names) > 1)}{', '.join(map(shown, names[:_MOST_LISTED]))}{more}"


def closest(name: str, known: Sequence[str]) -> str | None:
    """The known name that is most like another, upper and lower case alike; None where none is like it.

    A name that begins with what was typed counts too, and the only one that has it inside: people shorten.
    """
    if not 0 < len(name) <= _LONGEST:
        return None
    folded = {each.casefold(): each for each in reversed(known) if len(each) <= _LONGEST}
    typed = name.casefold()
    found = difflib.get_close_matches(typed, folded, n=1, cutoff=_LIKENESS)
    within = [each for each in folded if len(typed) > 2 and typed in each]
    begun = [each for each in within if each.startswith(typed)]
    near = found or begun or (within if len(within) == 1 else [])
    return folded[near[0]] if near else None


def meant_path(path: Path, fits: Callable[[Path], bool] = Path.exists) -> str:
    """The last clause of a message about a path where nothing is: `did you mean 'model.onnx'?`, `check the path`.

    Args:
        path: what was got.
        fits: whether an entry of the same folder could have been meant.
    """
    try:
        with os.scandir(path.parent) as entries:
            names = sorted(entry.name for entry in islice(entries, _MOST_FILES))
        there = [name for name in names if fits(path.with_name(name))]
    except (OSError, ValueError):
        return "check the path"
    # by what is before the suffix: '.onnx' alone makes any two names of models alike
    stems = {Path(name).stem: name for name in there if Path(name).suffix == path.suffix}
    others = [name for name in there if name not in stems.values()]
    stem = closest(path.stem, list(stems))
    found = stems[stem] if stem is not None else closest(path.name, others)
    return "check the path" if found is None else f"did you mean {shown(str(path.with_name(found)))}?"
