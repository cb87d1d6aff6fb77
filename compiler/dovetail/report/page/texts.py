"""Text of model files on its way into a page: each string once, without control characters, never markup."""

import json
from typing import Any, Final

from dovetail.report.words import printable

_ESCAPES: Final = (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"))


class Texts:
    """Strings by number, so that a name which stands in many rows is in the page once."""

    def __init__(self) -> None:
        """Start with the empty string, as number 0."""
        self._numbers = {"": 0}

    def number(self, text: str) -> int:
        """The number of a string, control characters escaped."""
        shown = text if text.isprintable() else printable(text)
        return self._numbers.setdefault(shown, len(self._numbers))

    def all(self) -> list[str]:
        """All strings, in the order of their numbers."""
        return list(self._numbers)


def script_json(document: Any) -> str:
    """Return a document as JSON that can stand inside a script element: nothing in it ends the element."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter, escape in _ESCAPES:
        text = text.replace(letter, escape)
    return text
