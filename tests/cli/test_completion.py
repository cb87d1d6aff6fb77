"""Completion: what click's protocol answers, that nothing heavy is loaded for a Tab, and real shells."""

import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest
from tests.cli.calling import dovetail

from dovetail.cli.completion import _variants
from dovetail.cli.main import COMMANDS
from dovetail.plan.codes import CODES
from dovetail.targets import load_target, target_names

BREAKS: Final = " \t\n\"'><=;|&(:"
"""Bash's own characters at which it ends a word."""
HEAVY: Final = ("onnx", "onnxruntime", "numpy", "rich", "pydantic", "yaml", "networkx", "dovetail.targets")

WRAPPER: Final = """#!/bin/sh
[ -n "$_DOVETAIL_COMPLETE" ] && exec "{python}" -m dovetail.cli
printf '<'; printf '[%s]' "$@"; echo '>'
"""
"""In place of the command: completes as it does, and shows its arguments."""


def completions(line: str, breaks: str = BREAKS) -> list[str]:
    """What bash is told to put in place of the last word of a line."""
    environment = {**os.environ, "_DOVETAIL_COMPLETE": "bash_complete", "COMP_LINE": line, "COMP_WORDBREAKS": breaks}
    command = [sys.executable, "-m", "dovetail.cli"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_commands() -> None:
    assert completions("dovetail ") == [f"plain,{name}" for name in COMMANDS]
    assert completions("dovetail ins") == ["plain,inspect"]
    assert completions("dovetail targets pro") == ["plain,probe"]
    assert completions("dovetail nonsense ") == [f"plain,{name}" for name in COMMANDS]


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("dovetail compile model.onnx --obj", ["plain,--objective"]),
        ("dovetail compile model.onnx --objective e", ["plain,energy", "plain,edp"]),
        ("dovetail compile model.onnx -t qual", ["plain,qualcomm-hexagon-htp"]),
        ("dovetail compile model.onnx --target=qual", ["plain,qualcomm-hexagon-htp"]),
        ("dovetail compile model.onnx -t boards/my", ["file,boards/my"]),
        ("dovetail sweep model.onnx -t cpu-only,qual", ["plain,cpu-only,qualcomm-hexagon-htp"]),
        ("dovetail targets show hail", ["plain,hailo-8"]),
        ("dovetail check model.plan -t hail", ["plain,hailo-8"]),
        ("dovetail compile ", ["file,"]),
        ("dovetail run mod", ["file,mod"]),
        ("dovetail explain DV10", [f"plain,{code.code}" for code in CODES if code.code.startswith("DV10")]),
        ("dovetail explain ", ["file,"]),
    ],
)
def test_words(line: str, answers: list[str]) -> None:
    assert completions(line) == answers


def test_a_variant_replaces_what_stands_behind_the_colon_where_bash_ends_a_word_there() -> None:
    line = "dovetail compile model.onnx -t qualcomm-hexagon-htp:sm84"
    assert completions(line) == ["plain,sm8450"]
    assert completions(line, breaks=" ") == ["plain,qualcomm-hexagon-htp:sm8450"]


@pytest.mark.parametrize("name", target_names())
def test_the_variants_are_those_of_the_target(name: str) -> None:
    assert sorted(_variants(name)) == sorted(load_target(name).variants)


def test_operators_are_those_of_the_plan(tiny_plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert completions("dovetail explain tiny.plan ") == ["plain,relu", "plain,scale", "plain,compare"]
    assert completions("dovetail explain tiny.plan sc") == ["plain,scale"]
    assert completions("dovetail explain nothing.plan sc") == []
    (tiny_plan / "plan.json").write_text('{"operators": [1]}')
    assert completions("dovetail explain tiny.plan sc") == []


def test_a_name_with_what_bash_reads_otherwise_stays_one_word(place: Path) -> None:
    _skip_without("bash")
    names = ["scale;touch broken", "scale $(touch broken)", "scale'\"`*", "plain/a.b_1"]
    (place / "tiny.plan/plan.json").write_text(json.dumps({"operators": [{"name": name} for name in names]}))
    (place / "completion").write_text(dovetail("completion", "bash").stdout)
    line = "dovetail explain tiny.plan "
    script = (
        f'source ./completion; COMP_LINE="{line}" COMP_POINT={len(line)}; _dovetail_completion dovetail; '
        "eval \"printf '%s\\n' ${COMPREPLY[*]}\""
    )

    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True)

    assert done.stdout.splitlines() == names
    assert not (place / "broken").exists()


@pytest.mark.parametrize("words", ["", "compile -t q", "explain tiny.plan ", "targets show n"])
def test_nothing_heavy_is_loaded_for_a_tab(words: str) -> None:
    code = (
        "import os, sys\nfrom dovetail.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print('loaded', *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    line = {"_DOVETAIL_COMPLETE": "bash_complete", "COMP_LINE": f"dovetail {words}", "COMP_WORDBREAKS": BREAKS}
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **line}, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1].strip() == "loaded", done.stderr


def test_other_shells_are_refused() -> None:
    assert dovetail("completion", "tcsh").exit_code == 2


CASES: Final = [
    ("dovetail ins", "<[inspect]>"),
    ("dovetail compile -t qualcomm-hexagon-htp:sm84", "<[compile][-t][qualcomm-hexagon-htp:sm8450]>"),
    ("dovetail compile digi", "<[compile][digits.onnx]>"),
    ("dovetail compile --targ", "<[compile][--target]>"),
    ("dovetail explain tiny.plan sca", "<[explain][tiny.plan][scale]>"),
]
"""What is typed before a Tab, and the arguments that the command then gets."""
SHELLS: Final = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}


@pytest.fixture
def place(tmp_path: Path, tiny_plan: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder holds a model's file and a plan, and the command is found."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/dovetail").write_text(WRAPPER.replace("{python}", sys.executable))
    (tmp_path / "bin/dovetail").chmod(0o755)
    (tmp_path / "digits.onnx").touch()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("shell", SHELLS)
def test_a_real_shell_completes_what_is_typed(shell: str, place: Path) -> None:
    _skip_without(shell)
    (place / "completion").write_text(dovetail("completion", shell).stdout)
    begin = "autoload -U compinit; compinit -u -D; " if shell == "zsh" else ""
    typed = [f"{begin}source ./completion; echo rea''dy\n", *(f"{line}\t\n" for line, _ in CASES)]
    expected = ["ready", *(arguments for _, arguments in CASES)]
    seen = _type(SHELLS[shell], typed, expected)
    assert [want for want in expected if want not in seen] == [], seen


def test_fish_completes_what_is_typed(place: Path) -> None:
    _skip_without("fish")
    (place / "completion.fish").write_text(dovetail("completion", "fish").stdout)
    line = "dovetail compile -t qualcomm-hexagon-htp:sm84"
    script = f"source completion.fish; complete -C '{line}'; complete -C 'dovetail ins'"
    done = subprocess.run(["fish", "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert "qualcomm-hexagon-htp:sm8450" in done.stdout
    assert "inspect" in done.stdout


def _skip_without(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")


def _type(shell: list[str], typed: list[str], expected: list[str], limit_s: float = 60) -> str:
    """Type lines into an interactive shell, each when the one before is answered; returns all that it showed."""
    terminal, inner = pty.openpty()
    process = subprocess.Popen(shell, stdin=inner, stdout=inner, stderr=inner, start_new_session=True)
    os.close(inner)
    seen = ""
    try:
        for line, want in zip(typed, expected, strict=True):
            os.write(terminal, line.encode())
            end = time.monotonic() + limit_s
            while want not in seen and time.monotonic() < end:
                if select.select([terminal], [], [], 0.2)[0]:
                    seen += os.read(terminal, 65536).decode(errors="replace").replace("\r\n", "\n")
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    return seen
