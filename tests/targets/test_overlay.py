"""Overlays: what identifies an operator, files, and which answer counts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dovetail.plan.errors import TargetError
from dovetail.targets import OperatorView, QuantView, Target, TensorView, load_target
from dovetail.targets.overlay import AnswerPart, OverlayPart, apply_overlay, read_overlay, write_overlay
from dovetail.targets.signature import signature

REF = "qualcomm-hexagon-htp:sm8650"


def tensor(shape: tuple[int | str | None, ...] = (1, 4), constant: list[int] | None = None) -> TensorView:
    value = None if constant is None else np.array(constant)
    return TensorView("t", "float32", shape, None if value is None else lambda: value)


def operator(op_type: str = "Relu", *inputs: TensorView, **attributes: int) -> OperatorView:
    given = inputs or (tensor(),)
    names = tuple("XABCD"[: len(given)])
    return OperatorView(
        name="node",
        op_type=op_type,
        domain="",
        opset=21,
        inputs=given,
        outputs=(tensor(),),
        input_names=names,
        output_names=("Y",),
        attributes=attributes,
        quantized=False,
        producers=("",) * len(given),
        consumers=(),
    )


def overlay(answers: list[tuple[OperatorView, bool]], ref: str = REF, words: str = "") -> OverlayPart:
    parts = tuple(AnswerPart(signature=signature(op), taken=taken, words=words) for op, taken in answers)
    return OverlayPart(overlay=1, target=ref, device="npu", source="the tool 1.0", answers=parts)


def target() -> Target:
    return load_target(REF)


def test_a_signature_knows_what_a_compiler_may_decide_by() -> None:
    plain = operator("Slice", tensor(), tensor((1,), [1]), axis=0)
    quant = QuantView("per_channel", 0, None, None, "uint8")
    others = [
        operator("Gather", tensor(), tensor((1,), [1]), axis=0),
        operator("Slice", tensor((1, 5)), tensor((1,), [1]), axis=0),
        operator("Slice", tensor((1, None)), tensor((1,), [1]), axis=0),
        operator("Slice", tensor(), tensor((1,), [2]), axis=0),
        operator("Slice", tensor(), tensor((1,)), axis=0),
        operator("Slice", tensor(), tensor((1,), [1]), axis=1),
        operator("Slice", replace(tensor(), quant=quant), tensor((1,), [1]), axis=0),
        operator("Slice", replace(tensor(), dtype="float16"), tensor((1,), [1]), axis=0),
        replace(plain, quantized=True),
        replace(plain, opset=13),
        replace(plain, domain="com.microsoft"),
    ]
    texts = {signature(op) for op in (plain, *others)}

    assert len(texts) == len(others) + 1
    assert signature(plain) == signature(replace(plain, name="another", producers=("Relu", "")))


def test_values_of_weights_are_not_part_of_it() -> None:
    def with_weights(value: int) -> str:
        return signature(operator("MatMul", tensor(), tensor((4, 5), [value] * 20)))

    assert with_weights(1) == with_weights(2)


def test_an_answer_goes_before_the_rules_in_both_directions() -> None:
    taken, refused = operator("Acos"), operator("Relu")
    npu = target().device("npu")
    assert (npu.verdict(taken).state, npu.verdict(refused).state) == ("unsupported", "supported")
    npu = apply_overlay(target(), overlay([(taken, True), (refused, False)], words="no can do")).device("npu")

    assert npu.verdict(taken).state == "supported"
    verdict = npu.verdict(refused)
    assert verdict.state == "unsupported"
    (reason,) = verdict.reasons
    assert reason.rule == "probe"
    assert reason.source == "probe, the tool 1.0"
    assert "no can do" in reason.message
    assert npu.verdict(operator("Relu", tensor((1, 8)))).state == "supported"


def test_the_later_of_two_answers_counts() -> None:
    op = operator("Acos")
    twice = apply_overlay(apply_overlay(target(), overlay([(op, False)])), overlay([(op, True)]))

    assert twice.device("npu").verdict(op).state == "supported"
    assert target().device("npu").verdict(op).state == "unsupported"


def test_another_variant_is_refused() -> None:
    with pytest.raises(TargetError, match="overlay for qualcomm-hexagon-htp:sm8750"):
        apply_overlay(target(), overlay([], ref="qualcomm-hexagon-htp:sm8750"))


def test_a_file_holds_what_was_written(tmp_path: Path) -> None:
    made = overlay([(operator("Acos"), True), (operator("Relu"), False)], words='it\'s: "odd" {words} #1')
    write_overlay(made, tmp_path / "o.yaml")

    assert read_overlay(tmp_path / "o.yaml") == made


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="its folder does not exist"):
        write_overlay(overlay([]), tmp_path / "missing" / "o.yaml")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("overlay: 2\ntarget: a\ndevice: npu\nsource: b\n", "line 1: overlay"),
        ("overlay: 1\ntarget: a\ndevice: tpu\nsource: b\n", "line 3: device"),
        ("overlay: 1\ntarget: a\ndevice: npu\nsource: b\nanswers:\n- signature: c\n  taken: 3.5\n", "line 7"),
        ("overlay: 1\ntarget: a\ndevice: npu\nsource: b\nrules: []\n", "line 5: rules"),
    ],
)
def test_a_broken_file_is_told_with_its_line(text: str, where: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TargetError, match=where):
        read_overlay(path)
