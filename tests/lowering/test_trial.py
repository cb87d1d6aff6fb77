"""A plan run in a child, as its users will run it."""

import shutil
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from tests.conftest import model_from_text, random_feeds, run_cpu

from dovetail.compiler import CompileOptions, compile_model
from dovetail.lowering import trial
from dovetail.lowering.trial import run_plan
from dovetail.plan.errors import LoweringError

THREE: Final = str(Path(__file__).parents[1] / "data" / "three-cpus.yaml")
MODEL: Final = """
g (float[2] file, int64[3] n) => (float[2] y, int64[3] m)
{ [first] a = Exp(file)  [second] y = Neg(a)  [third] m = Abs(n) }
"""


def planned(text: str, folder: Path, target: str = THREE) -> Path:
    options = CompileOptions(place=(("second", "cpu"),) if "second" in text else (), solver="greedy")
    return compile_model(model_from_text(text).SerializeToString(), target, options).save(folder / "p.plan")


def test_every_sample_gives_every_output_and_where_partitions_ran(tmp_path: Path) -> None:
    model = model_from_text(MODEL)
    samples = [random_feeds(model, seed) for seed in range(3)]
    values, placement = run_plan(planned(MODEL, tmp_path), samples, ["y", "m"])
    assert list(values) == ["y", "m"]
    for number, sample in enumerate(samples):
        wanted = run_cpu(model, sample)
        assert values["y"][number].tolist() == pytest.approx(wanted["y"].tolist(), rel=1e-6)
        assert values["m"][number].tolist() == wanted["m"].tolist()
    assert sorted(set(placement.values())) == ["cpu", "npu"]


def test_inputs_go_by_their_names_whatever_their_order(tmp_path: Path) -> None:
    sample = random_feeds(model_from_text(MODEL))
    turned = dict(reversed(sample.items()))
    plan = planned(MODEL, tmp_path)
    one, other = run_plan(plan, [sample], ["y", "m"])[0], run_plan(plan, [turned], ["y", "m"])[0]
    np.testing.assert_equal(one, other)


def test_text_goes_in_and_comes_out(tmp_path: Path) -> None:
    plan = planned("g (string[2] t) => (string[2] u) { u = Identity(t) }", tmp_path)
    values, _ = run_plan(plan, [{"t": np.array(["a", "bc"], object)}], ["u"])
    assert values["u"][0].astype(str).tolist() == ["a", "bc"]


def test_a_model_without_inputs_runs(tmp_path: Path) -> None:
    plan = planned("g () => (float[2] y) { y = RandomNormal<shape = [2], seed = 1.0>() }", tmp_path)
    values, _ = run_plan(plan, [{}], ["y"])
    assert values["y"][0].shape == (2,)


def test_inputs_that_do_not_fit_are_an_error_in_one_line(tmp_path: Path) -> None:
    plan = planned(MODEL, tmp_path)
    with pytest.raises(LoweringError, match=r"^plan: it can't be run here: .*file") as caught:
        run_plan(plan, [{"file": np.zeros(9, np.float32), "n": np.zeros(3, np.int64)}], ["y", "m"])
    assert len(str(caught.value).splitlines()) == 1


def test_a_plan_that_is_damaged_is_an_error(tmp_path: Path) -> None:
    plan = planned(MODEL, tmp_path)
    shutil.rmtree(plan / "partitions")
    with pytest.raises(LoweringError, match=r"^plan: it can't be run here: .*partitions"):
        run_plan(plan, [random_feeds(model_from_text(MODEL))], ["y", "m"])


def test_a_plan_that_never_ends_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endless = """
    g (float[1] x, bool go) => (float[1] y) {
        y = Loop ("", go, x) <
            body = b (int64 i, bool c, float[1] v) => (bool d, float[1] u) { d = Identity(c)  u = Neg(v) }
        >
    }
    """
    monkeypatch.setattr(trial, "TIME_LIMIT_S", 4)
    plan = planned(endless, tmp_path)
    with pytest.raises(LoweringError, match=r"^plan: running it took over 4 s and was stopped"):
        run_plan(plan, [{"x": np.ones(1, np.float32), "go": np.array(True)}], ["y"])
