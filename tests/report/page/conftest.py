"""A browser that has no network."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, sync_playwright
from tests.report.page.visiting import Visit

INSTALL_LIMIT_S = 240


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser; it is installed where that can be done, and the test is skipped where not."""
    found = shutil.which("chromium")
    if found is not None:
        return found
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        pytest.skip("no chromium on PATH, and it can't be installed: that needs root and apt-get")
    command = ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_LIMIT_S)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as problem:
        pytest.skip(f"no chromium on PATH, and apt-get could not install it: {type(problem).__name__}")
    return shutil.which("chromium") or pytest.skip("apt-get has installed no chromium")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[[Path], Visit]]:
    """Open a file from disk with the network off. What goes wrong in the page fails the test that opened it."""
    context = browser.new_context(offline=True, viewport={"width": 1400, "height": 900}, reduced_motion="reduce")
    visits: list[Visit] = []

    def opened(path: Path) -> Visit:
        made = Visit(context.new_page())
        visits.append(made)

        def only_itself(route: Route) -> None:
            if route.request.url.partition("#")[0] == path.as_uri():
                route.continue_()
            else:
                made.problems.append(f"request for {route.request.url}")
                route.abort()

        made.page.route("**/*", only_itself)
        made.page.on("console", lambda message: made.problems.append(f"{message.type}: {message.text}"))
        made.page.on("pageerror", lambda error: made.problems.append(str(error)))
        made.page.goto(path.as_uri())
        return made

    yield opened
    context.close()
    assert [each.problems for each in visits] == [[] for _ in visits]
