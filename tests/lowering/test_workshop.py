"""A child that serves requests: whatever it does, the next request is served."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from dovetail.lowering.workshop import NoAnswer, Workshop
from dovetail.plan.errors import LoweringError

LONG: Final = 60.0
SHORT: Final = 0.3
CHILD: Final = """
import json, os, sys, threading, time
print("ready", flush=True)
for line in sys.stdin:
    request = json.loads(line)
    what = request["do"]
    if what == "exit": sys.exit(request["status"])
    if what == "abort": os.abort()
    if what == "hang": time.sleep(3600)
    if what == "say": print(request["text"], flush=True); continue
    if what == "bytes": sys.stdout.buffer.write(b"\\xff\\xfe\\n"); sys.stdout.flush(); continue
    if what == "flood errors": print("x" * (1 << 22), file=sys.stderr)
    if what == "flood":
        while True: sys.stdout.write("x" * (1 << 16))
    if what == "close":
        os.close(1); time.sleep(3600)
    if what == "memory": bytearray(request["bytes"])
    print(json.dumps({"process": os.getpid(), "echo": request}), flush=True)
    if what == "twice": print(json.dumps({"stale": True}), flush=True)
    if what == "last": sys.exit(0)
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    script = tmp_path / "child.py"
    script.write_text(CHILD, encoding="utf-8")
    with Workshop([sys.executable, str(script)], memory=1 << 28) as made:
        yield made


def serves(shop: Workshop) -> int:
    """Return the process that answers."""
    answer = shop.ask({"do": "echo", "text": "häß\n"}, LONG)
    assert answer["echo"] == {"do": "echo", "text": "häß\n"}
    return int(answer["process"])


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until_heard(shop: Workshop) -> None:
    """Wait until the child has said or ended something that nobody has asked for."""
    until = time.monotonic() + LONG
    while shop._answers.empty() and time.monotonic() < until:
        time.sleep(0.01)


def test_one_process_serves_one_request_after_another(shop: Workshop) -> None:
    first = serves(shop)
    assert serves(shop) == first
    assert is_running(first)
    shop.close()
    assert not is_running(first)
    assert serves(shop) != first


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"do": "exit", "status": 3}, r"^it crashed \(exit status 3\)$"),
        ({"do": "exit", "status": 0}, r"^it crashed \(exit status 0\)$"),
        ({"do": "abort"}, r"^it crashed \(signal 6\)$"),
        ({"do": "say", "text": "Hello"}, r"^its answer can't be read: 'Hello\\n'$"),
        ({"do": "say", "text": "[1, 2]"}, r"^its answer can't be read: '\[1, 2\]"),
        ({"do": "say", "text": "null"}, "^its answer can't be read: 'null"),
        ({"do": "say", "text": ""}, r"^its answer can't be read: '\\n'"),
        ({"do": "bytes"}, "^its answer can't be read"),
        ({"do": "flood"}, "^its answer can't be read: 'x{100}'$"),
        ({"do": "memory", "bytes": 1 << 29}, "^it crashed"),
    ],
    ids=str,
)
@pytest.mark.parametrize("fresh", [True, False])
def test_a_request_that_ends_the_child_costs_only_itself(
    request_: dict[str, Any], words: str, fresh: bool, shop: Workshop
) -> None:
    if request_["do"] == "memory" and sys.platform != "linux":
        pytest.skip("other systems set no limits from outside")
    before = None if fresh else serves(shop)
    with pytest.raises(NoAnswer, match=words) as caught:
        shop.ask(request_, LONG)
    assert not caught.value.timed_out
    assert serves(shop) != before


def test_what_fits_the_memory_is_served(shop: Workshop) -> None:
    assert shop.ask({"do": "memory", "bytes": 1 << 20}, LONG)["process"]


def test_a_child_that_hangs_is_stopped_after_its_time(shop: Workshop) -> None:
    before = serves(shop)
    with pytest.raises(NoAnswer, match=r"^no answer within 0\.3 s$") as caught:
        shop.ask({"do": "hang"}, SHORT)
    assert caught.value.timed_out
    assert not is_running(before)
    assert serves(shop) != before


def test_another_thread_can_end_what_is_waited_for(shop: Workshop) -> None:
    shop.stop()  # nothing is there yet
    before = serves(shop)
    threading.Timer(SHORT, shop.stop).start()
    with pytest.raises(NoAnswer, match=r"^it crashed \(signal 9\)$"):
        shop.ask({"do": "hang"}, LONG)
    assert serves(shop) != before


def test_an_output_that_is_closed_by_a_child_that_lives_on_is_a_crash(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dovetail.lowering.workshop._END_S", SHORT)
    before = serves(shop)
    with pytest.raises(NoAnswer, match=r"^it crashed \(it closed its output\)$"):
        shop.ask({"do": "close"}, LONG)
    assert not is_running(before)
    serves(shop)


def test_what_it_says_as_errors_is_not_waited_for(shop: Workshop) -> None:
    assert shop.ask({"do": "flood errors"}, LONG)["process"] == serves(shop)


def test_a_child_that_speaks_unasked_is_replaced(shop: Workshop) -> None:
    before = shop.ask({"do": "twice"}, LONG)["process"]
    wait_until_heard(shop)
    assert serves(shop) != before  # and the answer is the one to this request


def test_a_child_that_ended_after_its_answer_is_not_held_against_the_next_request(shop: Workshop) -> None:
    before = shop.ask({"do": "last"}, LONG)["process"]
    wait_until_heard(shop)
    assert serves(shop) != before


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise SystemExit(4)", r"it crashed \(exit status 4\)"),
        ("import time; time.sleep(3600)", "no answer within 2 s"),
    ],
)
def test_a_child_that_never_gets_ready_says_nothing_of_a_request(
    code: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dovetail.lowering.workshop._START_S", 2.0)
    with Workshop([sys.executable, "-c", code]) as shop:
        for _ in range(2):
            with pytest.raises(LoweringError, match=f"ended before it was asked anything: {words}; install"):
                shop.ask({"do": "echo"}, LONG)


def test_closing_leaves_no_thread_and_may_be_done_twice(shop: Workshop) -> None:
    before = threading.active_count()
    serves(shop)
    shop.close()
    shop.close()
    until = time.monotonic() + LONG
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.01)
    assert threading.active_count() == before
