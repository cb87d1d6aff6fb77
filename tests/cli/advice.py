"""Whether a message ends with what to do."""

import re
from typing import Final

VERBS: Final = frozenset(
    re.findall(
        r"\w+",
        """
        add ask cast change check choose compile convert copy correct declare export fix flatten get give import
        install keep leave load make name pin put quantize raise remove rename repair reshape run save see
        set shorten store take try update use write
        """,
    )
)
"""What the last clause of a message may begin with. Each was read in a message before it came here."""

_QUOTED: Final = re.compile(r"""(?<!\w)(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")


def ends_with_advice(line: str) -> bool:
    """Tell whether the clause behind the last semicolon is an imperative, or proposes a name.

    Args:
        line: an error message. What it quotes, which may be anything, is not looked at.
    """
    unquoted = _QUOTED.sub("'...'", line)
    clause = unquoted.rpartition("; ")[2]
    if clause == unquoted:
        return False
    return clause == "did you mean '...'?" or clause.partition(" ")[0] in VERBS
