"""The guide builds as a site, strictly; its links lead somewhere, and it works without a network."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import pytest
from tests.docs.blocks import ROOT

LOADED: Final = {
    ("script", "src"),
    ("img", "src"),
    ("iframe", "src"),
    ("source", "src"),
    ("video", "src"),
    ("object", "data"),
    ("form", "action"),
}
"""What a browser asks for by itself; of `link` elements all but those that are only an address."""
OUTSIDE: Final = ("README.md", "CONTRIBUTING.md", "sample_models/README.md")
ADDRESSES: Final = {"canonical", "next", "prev"}


class Page(HTMLParser):
    """What a page leads to, what it loads, and the places in it that can be led to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "link" and values.get("rel") not in ADDRESSES:
            self.loaded.append(values["href"])
        self.loaded += [values[name] for of, name in LOADED if of == tag and values.get(name)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does; any warning fails."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """The pages of the guide; the reports of the gallery are no part of them, and have tests of their own."""
    files = [path for path in site.rglob("*.html") if not path.name.endswith(".report.html")]
    return {path: Page(path.read_text(encoding="utf-8")) for path in files}


def test_every_page_is_in_the_site(site: Path) -> None:
    sources = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    made = {path.with_name("index.html") if path.name == "README.md" else path.with_suffix(".html") for path in sources}
    assert {str(path) for path in made if not (site / path).is_file()} == set()


def test_links_and_their_anchors_lead_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    lost = [f"{path.relative_to(site)}: {link}" for path, page in pages.items() for link in page.links]
    assert len(lost) > 1000  # the navigation alone
    assert [at for at, ok in zip(lost, _resolved(site, pages), strict=True) if not ok] == []


def test_links_of_the_pages_outside_the_site_lead_to_files() -> None:
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in OUTSIDE}
    links = [(name, link) for name, text in texts.items() for link in re.findall(r"\]\((?!https:)([^)#]+)", text)]
    assert links
    assert [(name, link) for name, link in links if not (ROOT / name).parent.joinpath(link).exists()] == []


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    foreign = re.compile(r"^(?:https?:)?//")
    assert [f"{path.name}: {one}" for path, page in pages.items() for one in page.loaded if foreign.match(one)] == []
    sheets = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"url\(\s*[\"']?(?:https?:)?//[^)]*|@import[^;]*//[^;]*", sheets) == []


def test_what_is_loaded_is_there(site: Path, pages: dict[Path, Page]) -> None:
    paths = {
        path.parent / unquote(urlsplit(one).path)
        for path, page in pages.items()
        for one in page.loaded
        if path.name != "404.html" and not one.startswith("data:")
    }
    assert [str(path) for path in paths if not path.exists()] == []


def test_search_works_in_a_page_opened_from_disk(site: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    playwright = pytest.importorskip("playwright.sync_api")
    if chromium is None:
        pytest.skip("there is no Chromium here")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        wrong: list[str] = []
        page.on("request", lambda request: None if request.url.startswith("file:") else wrong.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto((site / "index.html").as_uri())
        page.click("input.md-search__input")
        page.keyboard.type("certificate")
        page.wait_for_selector(".md-search-result__item a", timeout=20_000)
        found = page.inner_text(".md-search-result__list")
        browser.close()
    assert wrong == []
    assert "Verifying" in found


def _resolved(site: Path, pages: dict[Path, Page]) -> list[bool]:
    """Whether each link of each page leads to a file and to a place in it; addresses in the network count as good."""
    found = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                found.append(parts.scheme in ("https", "mailto", "javascript"))
                continue
            # the page for what is not found stands at any depth, so that its links begin at the top
            base = site if path.name == "404.html" else path.parent
            goal = (base / unquote(parts.path).lstrip("/")).resolve() if parts.path else path
            anchors = pages[goal].anchors if goal in pages else set()
            found.append(goal.exists() and (not parts.fragment or unquote(parts.fragment) in anchors))
    return found
