"""Writing is whole or not at all; reading finds every change."""

import os
from pathlib import Path

import pytest

from dovetail.plan import Plan, PlanError, atomic_folder, is_plan, read_plan, write_plan


def test_round_trip(plan: Plan, plan_folder: Path) -> None:
    read = read_plan(plan_folder)
    assert read.partitions == plan.partitions
    assert sorted(read.files) == [f"partitions/{name}" for name in ("0.onnx", "1.onnx", "e.onnx", "weights.bin")]
    assert is_plan(plan_folder)
    assert read_plan(plan_folder, verify=False) == read


def test_the_same_plan_is_the_same_bytes(plan: Plan, plan_folder: Path) -> None:
    before = (plan_folder / "plan.json").read_bytes()
    write_plan(read_plan(plan_folder), plan_folder)
    assert (plan_folder / "plan.json").read_bytes() == before


@pytest.mark.parametrize("name", ["partitions/0.onnx", "partitions/weights.bin"])
def test_changed_truncated_missing(plan_folder: Path, name: str) -> None:
    file = plan_folder / name
    good = file.read_bytes()
    for bad in (good[:-1], good + b"!", bytes([good[0] ^ 1]) + good[1:], b""):
        file.write_bytes(bad)
        with pytest.raises(PlanError, match=f"file '{name}' is changed or truncated"):
            read_plan(plan_folder)
    file.unlink()
    for verify in (True, False):
        with pytest.raises(PlanError, match=f"file '{name}' is missing"):
            read_plan(plan_folder, verify=verify)


def test_a_file_that_is_not_listed(plan_folder: Path) -> None:
    (plan_folder / "report.html").write_text("for people")
    read_plan(plan_folder)
    (plan_folder / "partitions" / "more.bin").write_bytes(b"weights from elsewhere")
    with pytest.raises(PlanError, match=r"file 'partitions/more\.bin' is not listed; remove it"):
        read_plan(plan_folder)


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_links_in_a_plan_are_refused(plan_folder: Path) -> None:
    file = plan_folder / "partitions" / "weights.bin"
    file.rename(plan_folder.parent / "weights.bin")
    file.symlink_to(plan_folder.parent / "weights.bin")
    with pytest.raises(PlanError, match="goes through the link"):
        read_plan(plan_folder)
    file.unlink()
    file.hardlink_to(plan_folder.parent / "weights.bin")
    with pytest.raises(PlanError, match="is a hard link"):
        read_plan(plan_folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is not valid JSON"), (b"\xff", "is not UTF-8"), (b"{}", "schema_version: is missing|: is missing")],
)
def test_damaged_plan_json(plan_folder: Path, content: bytes, message: str) -> None:
    (plan_folder / "plan.json").write_bytes(content)
    with pytest.raises(PlanError, match=r"file 'plan\.json' is changed or truncated"):
        read_plan(plan_folder)
    (plan_folder / "plan.json.sha256").unlink()  # as of older plans
    with pytest.raises(PlanError, match=message):
        read_plan(plan_folder)


def test_not_a_plan(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cases = {"": "no plan.json in it", "file": "but a file", "missing": "does not exist; check the path"}
    for name, message in cases.items():
        with pytest.raises(PlanError, match=message):
            read_plan(tmp_path / name)


def test_an_invalid_plan_is_not_written(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="is not listed in files"), atomic_folder(tmp_path / "m.plan") as folder:
        write_plan(plan, folder)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_old_plan(plan_folder: Path) -> None:
    before = {path: path.read_bytes() for path in plan_folder.rglob("*") if path.is_file()}
    with pytest.raises(KeyboardInterrupt), atomic_folder(plan_folder) as folder:  # noqa: PT012
        (folder / "half").write_text("written")
        raise KeyboardInterrupt
    assert {path: path.read_bytes() for path in plan_folder.rglob("*") if path.is_file()} == before
    assert list(plan_folder.parent.iterdir()) == [plan_folder]


def test_a_new_plan_replaces_the_old_whole(plan_folder: Path) -> None:
    with atomic_folder(plan_folder) as folder:
        (folder / "plan.json").write_text("new")
    assert [path.name for path in plan_folder.rglob("*")] == ["plan.json"]
    assert list(plan_folder.parent.iterdir()) == [plan_folder]


def test_a_crash_between_the_renames_leaves_the_old_plan_beside(
    plan_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Path.rename

    def fail_for_the_new(self: Path, target: Path) -> Path:
        if self.suffix == ".tmp":
            raise OSError(5, "Input/output error")
        return original(self, target)

    monkeypatch.setattr(Path, "rename", fail_for_the_new)
    with pytest.raises(PlanError, match="can't be written, Input/output error"), atomic_folder(plan_folder) as folder:
        (folder / "plan.json").write_text("new")
    read_plan(plan_folder)
    assert list(plan_folder.parent.iterdir()) == [plan_folder]


def test_what_is_not_a_plan_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine").write_text("mine")
    cases = {
        tmp_path / "file": "a file is there",
        tmp_path / "folder": "a folder that is not a plan is there",
        tmp_path / "missing" / "m.plan": "its folder does not exist",
    }
    for path, message in cases.items():
        with pytest.raises(PlanError, match=message), atomic_folder(path):
            pass
    assert (tmp_path / "file").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_a_link_to_a_plan_stays_a_link(plan_folder: Path) -> None:
    link = plan_folder.parent / "link.plan"
    link.symlink_to(plan_folder)
    with atomic_folder(link) as folder:
        (folder / "plan.json").write_text("new")
    assert link.is_symlink()
    assert (plan_folder / "plan.json").read_text() == "new"


def test_a_plan_is_as_readable_as_any_new_folder(plan_folder: Path) -> None:
    other = plan_folder.parent / "other"
    other.mkdir()
    assert plan_folder.stat().st_mode == other.stat().st_mode
