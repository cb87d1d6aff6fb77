"""The sentences that matter in a vendor's log: why it refused a partition."""

import re
from typing import Final

_MAX_CHARACTERS: Final = 600
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_LOGGED_ERROR = re.compile(r"\[[EF]:[^\]]*\] (.*)")
_REFUSED_NODE = re.compile(r"Operator type: (\S+) Node name: (.*?) Node index.*\n\s*REASON : (.*)")
_PREAMBLE = re.compile(r".*\[ONNXRuntimeError\] : \d+ : \w+ : ", re.DOTALL)
_UNINFORMATIVE: Final = "fallback to CPU EP has been explicitly disabled"


def vendor_words(problem: str, log: str) -> str:
    """One line that says why a session could not be made.

    Args:
        problem: The text of the error.
        log: What the libraries printed meanwhile.
    """
    text = _COLOR.sub("", log)
    refused = [
        f"{name} ({kind}): {reason}" if name.strip() else f"{kind}: {reason}"
        for kind, name, reason in _REFUSED_NODE.findall(text)
    ]
    errors = [line for line in _LOGGED_ERROR.findall(text) if _UNINFORMATIVE not in line]
    # the error itself often says no more than that something was refused
    first = [] if _UNINFORMATIVE in problem and (refused or errors) else [problem]
    found = dict.fromkeys(line for words in first + refused + errors if (line := one_line(words)))
    words = "; ".join(found)
    return words if len(words) <= _MAX_CHARACTERS else words[: _MAX_CHARACTERS - 3] + "..."


def one_line(text: str) -> str:
    """The text of an error of ONNX Runtime, without the places in its source and its line breaks."""
    return " ".join(_PREAMBLE.sub("", text).split())
