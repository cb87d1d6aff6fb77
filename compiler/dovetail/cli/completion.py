"""`dovetail completion`: what a shell asks for at each Tab. Nothing here loads a model or imports what does."""

import json
import os
import re
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

from dovetail.plan.codes import CODES

VARIABLE: Final = "_DOVETAIL_COMPLETE"
"""The environment variable by which a shell's script asks for completions, as click names it."""
TARGET_FILES: Final = Path(__file__).parents[1] / "targets/data"
"""The shipped targets. Importing `dovetail.targets` would take longer than a Tab may."""

_BASH: Final = """\
%(complete_func)s() {
    local IFS=$'\\n' completion type value
    COMPREPLY=()
    for completion in $(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORDBREAKS="$COMP_WORDBREAKS" \\
            %(complete_var)s=bash_complete "$1"); do
        IFS=',' read -r type value <<< "$completion"
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


_SPECIAL: Final = re.compile(r"[^\w@%+=:,./-]")
"""What bash may read as something else than a letter of a word."""


class Bash(BashComplete):
    """Bash, with words that hold a colon: bash ends a word there, so `name:variant` would come as three."""

    source_template = _BASH
    _kept = ""
    """What of the incomplete word stands on the line already and is not replaced."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Take the words from the line up to the cursor."""
        line = os.environ["COMP_LINE"]
        words = split_arg_string(line)[1:]
        incomplete = words.pop() if words and not line[-1].isspace() else ""
        if ":" in os.environ["COMP_WORDBREAKS"]:
            self._kept = incomplete[: incomplete.rfind(":") + 1]
        return words, incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """Return the type and the text that goes behind the last colon, as bash reads it.

        Names come from plans: one with `;` or a space would else end the word, and the rest be run as a command.
        """
        value = item.value.removeprefix(self._kept)
        return f"{item.type},{_SPECIAL.sub(_escaped, value) if item.type == 'plain' else value}"


def _escaped(special: re.Match[str]) -> str:
    return f"\\{special[0]}"


add_completion_class(Bash)


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script that completes commands, options, targets and operators in SHELL.

    \b
      bash  ~/.bashrc                   eval "$(dovetail completion bash)"
      zsh   ~/.zshrc, behind compinit   eval "$(dovetail completion zsh)"
      fish  ~/.config/fish/config.fish  dovetail completion fish | source
    """
    from dovetail.cli.main import program

    made = get_completion_class(shell)
    assert made is not None  # those of the choice are click's own
    click.echo(made(program, {}, "dovetail", VARIABLE).source())


def target_items(incomplete: str) -> list[CompletionItem]:
    """Complete the last of some targets between commas: a shipped name, behind a colon its variant, else a file."""
    before, comma, last = incomplete.rpartition(",")
    name, colon, variant = last.partition(":")
    if colon:
        found = [f"{name}:{each}" for each in _variants(name) if each.startswith(variant)]
    else:
        found = sorted(path.stem for path in TARGET_FILES.glob("*.yaml") if path.stem.startswith(last))
    if not found and not colon:
        return [CompletionItem(incomplete, type="file")]
    return [CompletionItem(f"{before}{comma}{each}") for each in found]


def source_items(incomplete: str) -> list[CompletionItem]:
    """Complete a model, a plan or a code: codes where the word begins like one, else files."""
    codes = [CompletionItem(each.code, help=each.title) for each in CODES if each.code.startswith(incomplete)]
    return codes if incomplete and codes else [CompletionItem(incomplete, type="file")]


def operator_items(plan: Path | None, incomplete: str) -> list[CompletionItem]:
    """Complete the name of an operator of a plan; a model would have to be compiled first."""
    try:
        document: dict[str, Any] = json.loads((plan / "plan.json").read_bytes()) if plan else {}
        names = [str(operator["name"]) for operator in document["operators"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete) and name.isprintable()]


def _variants(name: str) -> list[str]:
    """The variants of a shipped target and of those that it extends, read without a YAML parser."""
    path = TARGET_FILES / f"{name}.yaml"
    if path not in TARGET_FILES.iterdir():
        return []
    text = path.read_text(encoding="utf-8")
    base = re.search(r"^extends: ([\w-]+)$", text, re.MULTILINE)
    block = re.search(r"^variants:\n((?:[ #].*\n|\n)+)", text, re.MULTILINE)
    own = re.findall(r"^  ([\w.-]+):", block[1], re.MULTILINE) if block else []
    inherited = _variants(base[1]) if base else []
    return [*inherited, *(each for each in own if each not in inherited)]
