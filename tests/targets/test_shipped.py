"""The shipped targets: complete, consistent with ONNX, and a reason for every no."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import onnx
import pytest

from dovetail.targets import Device, OperatorView, QuantView, Target, TensorView, load_target, target_names
from dovetail.targets.expression import names_in
from dovetail.targets.rules.attribute import AttrAbsentRule, AttrInRule, AttrNotInRule, AttrRangeRule
from dovetail.targets.rules.base import Rule
from dovetail.targets.rules.constant import ConstInputRule
from dovetail.targets.rules.predicate import PredicateRule, TableRule
from dovetail.targets.rules.quant import QuantRule
from dovetail.targets.rules.tensor import TensorRule
from dovetail.targets.view import Attribute

ONNX_RUNTIME_ONLY = {"SimplifiedLayerNormalization"}
"""Operators that ONNX Runtime adds to ai.onnx itself."""

GROUPS = {"*", "inputs", "outputs", "activations"}


def all_schemas() -> dict[tuple[str, str], list[onnx.defs.OpSchema]]:
    found: dict[tuple[str, str], list[onnx.defs.OpSchema]] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        found.setdefault((schema.domain, schema.name), []).append(schema)
    return found


SCHEMAS = all_schemas()


def formal_names(parameters: Sequence[onnx.defs.OpSchema.FormalParameter]) -> tuple[str, ...]:
    return tuple(parameter.name for parameter in parameters)


def float_view(schema: onnx.defs.OpSchema) -> OperatorView:
    """An operator whose every input and output is a float image."""
    image = TensorView("t", "float32", (1, 4, 8, 8), None)
    attributes: dict[str, Attribute] = {}
    for name, attribute in schema.attributes.items():
        if attribute.default_value.type:
            value = onnx.helper.get_attribute_value(attribute.default_value)
            plain = value.decode() if isinstance(value, bytes) else value
            attributes[name] = tuple(plain) if isinstance(plain, list) else plain
    return OperatorView(
        name="op",
        op_type=schema.name,
        domain=schema.domain,
        opset=21,
        inputs=(image,) * len(schema.inputs),
        outputs=(image,) * len(schema.outputs),
        input_names=formal_names(schema.inputs),
        output_names=formal_names(schema.outputs),
        attributes=attributes,
        quantized=False,
        producers=("",) * len(schema.inputs),
        consumers=(),
    )


def conv(channels: int = 3, kernel: int = 3, width: int = 224, **attributes: Attribute) -> OperatorView:
    """A convolution of a float image, one pixel of padding."""
    weights = np.zeros((8, channels, kernel, kernel), dtype=np.float32)
    view = float_view(SCHEMAS["", "Conv"][-1])
    inputs = (
        TensorView("x", "float32", (1, channels, 32, width), None),
        TensorView("w", "float32", weights.shape, lambda: weights),
        None,
    )
    output = TensorView("y", "float32", (1, 8, 32, width), None)
    return replace(
        view, inputs=inputs, outputs=(output,), attributes={"pads": (1, 1, 1, 1), "group": 1, **attributes}, opset=17
    )


def every_device() -> list[tuple[str, str]]:
    return [(name, device.id) for name in target_names() for device in load_target(name).devices]


@pytest.mark.parametrize(("name", "device_id"), every_device())
def test_every_onnx_operator_has_a_verdict_with_a_reason(name: str, device_id: str) -> None:
    device = load_target(name).device(device_id)
    for versions in SCHEMAS.values():
        verdict = device.verdict(float_view(max(versions, key=lambda schema: int(schema.since_version))))
        if verdict.state == "supported":
            assert not verdict.reasons
            continue
        assert verdict.reasons
        for reason in verdict.reasons:
            assert reason.rule
            assert reason.got
            assert reason.allowed
            assert reason.message.startswith("'op' (")
            assert "\n" not in reason.message


@pytest.mark.parametrize("name", target_names())
def test_every_variant_loads_and_describes_itself(name: str) -> None:
    variants = load_target(name).variants or ("",)
    for variant in variants:
        target = load_target(f"{name}:{variant}" if variant else name)
        assert target.variant == variant
        description = target.describe()
        assert description.ref == target.ref
        assert description.devices[-1].kind == "cpu"
        for device in description.devices:
            assert device.operators or device.domains or device.operator_list == "unpublished"
            assert all(sentence for form in device.operators for sentence in form.sentences)
            assert all("{" not in option for option in options(target.device(device.id)))


def options(device: Device) -> tuple[str, ...]:
    return tuple(device.backend.options.values()) if device.backend is not None else ()


def rules_with_forms(target: Target) -> Iterator[tuple[str, Rule]]:
    """Every rule of every operator of ONNX in the target, under the operator's name."""
    for device in target.devices:
        for key, forms in device.book.device.ops.items():
            for form in forms:
                for rule in device.book.rules_of(form):
                    yield key, rule


def known_names(key: str, target: Target) -> set[str] | None:
    """Names that rules of an operator may use; None where ONNX has no such operator."""
    domain, _, op_type = key.rpartition(":")
    versions = SCHEMAS.get((domain, op_type))
    if versions is None:
        return None
    names = {name for schema in versions for name in (*schema.attributes, *formal_names(schema.inputs))}
    names |= {name for schema in versions for name in formal_names(schema.outputs)}
    return names | set(target.devices[0].book.context.properties)


@pytest.mark.parametrize("name", target_names())
def test_rules_name_only_what_the_operator_has(name: str) -> None:
    target = load_target(name)
    for key, rule in rules_with_forms(target):
        known = known_names(key, target)
        if known is None:
            assert key.startswith("com.microsoft:") or key in ONNX_RUNTIME_ONLY, f"{key} is no operator of ONNX"
            continue
        used = {*references(rule), *expression_names(rule)}
        if isinstance(rule, AttrInRule | AttrNotInRule | AttrRangeRule):
            used.add(rule.attr)
        if isinstance(rule, AttrAbsentRule):
            used.update(rule.attrs)
        unknown = {text for text in used if not text.startswith(("input[", "output["))} - known - GROUPS
        assert not unknown, f"{key}: {rule.sentence()}: {unknown}"


def references(rule: Rule) -> tuple[str, ...]:
    if isinstance(rule, ConstInputRule):
        return rule.inputs
    if isinstance(rule, QuantRule) and rule.same_scale:
        return rule.same_scale
    return rule.tensor if isinstance(rule, TensorRule) else ()


def expression_names(rule: Rule) -> frozenset[str]:
    texts = [rule.when] if rule.when is not None else []
    if isinstance(rule, PredicateRule):
        texts += [rule.expr] if rule.got is None else [rule.expr, rule.got]
    if isinstance(rule, TableRule):
        texts += [rule.key, *rule.rows.values(), rule.otherwise]
    return frozenset(name for text in texts for name in names_in(text))


@pytest.mark.parametrize("name", target_names())
def test_forms_name_only_what_the_operator_has(name: str) -> None:
    target = load_target(name)
    for device in target.devices:
        for key, forms in device.book.device.ops.items():
            known = known_names(key, target)
            for form in forms:
                if form.match is not None and known is not None:
                    assert names_in(form.match) <= known


def test_v68_has_no_fp16_and_v75_has() -> None:
    old = load_target("qualcomm-hexagon-htp:sm8350").device("npu")
    verdict = old.verdict(conv())
    assert (verdict.state, verdict.reasons[0].rule, verdict.reasons[0].got) == ("unsupported", "arch", "htp_arch 68")
    assert "v68 has no fp16" in verdict.reasons[0].message
    assert old.numerics == "int8"
    assert load_target("qualcomm-hexagon-htp:sm8450").device("npu").verdict(conv()).state == "supported"
    assert load_target("qualcomm-hexagon-htp").variant == "sm8650"


def test_integers_run_on_v68() -> None:
    view = conv()
    quant = QuantView("per_tensor", None, np.float32(0.1), np.uint8(0), "uint8")  # type: ignore[arg-type]

    def quantized(tensor: TensorView | None) -> TensorView | None:
        return None if tensor is None else replace(tensor, dtype="uint8", quant=quant)

    inputs, outputs = tuple(map(quantized, view.inputs)), tuple(map(quantized, view.outputs))
    quantized_view = replace(view, inputs=inputs, outputs=outputs, quantized=True)
    assert load_target("qualcomm-hexagon-htp:sm8350").device("npu").verdict(quantized_view).state == "supported"


def test_ethos_asks_for_a_quantized_model() -> None:
    verdict = load_target("arm-ethos-u85").device("npu").verdict(conv())
    assert verdict.state == "unsupported"
    assert (verdict.reasons[0].rule, verdict.reasons[0].fix) == (
        "quant",
        "quantize the model to int8 (--quantize int8, or Q/DQ in its file)",
    )
    assert "vela --supported-ops-report" in verdict.reasons[0].source


def test_dla_counts_banks_of_the_convolution_buffer() -> None:
    """512 channels, 3x3, fp16, 224 wide.

    Weights of one kernel: ceil(512 * 3 * 3 * 2 / 32768) = 1 bank. Rows: ceil(512 * 2 / 32) * 224 / 4 = 1792 entries,
    times 3 rows = 5376 entries of 256 a bank = 21. Together 22, and there are 16.
    """
    npu = load_target("nvidia-orin-dla").device("npu")
    verdict = npu.verdict(conv(512))
    assert [reason.got for reason in verdict.reasons] == ["22"]
    assert verdict.reasons[0].allowed == "at most 16 banks"
    assert npu.verdict(conv(512, width=160)).state == "supported"
    assert npu.verdict(conv(512, width=161)).state == "unsupported"
    assert npu.verdict(conv(256)).state == "supported"


def test_dla_reports_every_broken_rule() -> None:
    verdict = load_target("nvidia-orin-dla").device("npu").verdict(conv(strides=(9, 9), dilations=(33, 1)))
    assert {reason.got for reason in verdict.reasons} >= {"(9, 9)", "(33, 1)"}


def test_a_symbolic_batch_is_unknown_and_says_what_to_pin() -> None:
    view = conv()
    image = TensorView("x", "float32", ("batch", 3, 32, 224), None)
    verdict = load_target("qualcomm-hexagon-htp").device("npu").verdict(replace(view, inputs=(image, *view.inputs[1:])))
    assert verdict.state == "unknown"
    assert verdict.reasons[0].fix == "pin it: --dim batch=1"


@pytest.mark.parametrize(("name", "device_id"), every_device())
def test_an_operator_of_an_unknown_domain_is_refused_everywhere(name: str, device_id: str) -> None:
    view = replace(conv(), domain="my.own", op_type="Sorcery")
    verdict = load_target(name).device(device_id).verdict(view)
    assert verdict.state == "unsupported"
    assert any(reason.rule == "op_list" for reason in verdict.reasons)
    if device_id == "cpu":
        assert "custom operator" in verdict.reasons[0].message


def test_control_flow_stays_off_the_gpu() -> None:
    gpu = load_target("nvidia-orin-dla").device("gpu")
    for op_type in ("If", "Loop", "Scan", "NonZero"):
        assert gpu.verdict(replace(conv(), op_type=op_type)).state == "unsupported"


def test_unverified_figures_stay_marked() -> None:
    dla = load_target("nvidia-orin-dla").device("npu")
    assert not dla.figures["peak_fp16_tflops"].verified
    assert dla.figures["peak_int8_tops"].verified
    assert load_target("nvidia-orin-dla").limits.max_partitions == {"npu": 16}


def test_a_description_says_what_a_verdict_says() -> None:
    target = load_target("nvidia-orin-dla")
    sentences = {
        sentence
        for form in target.device("npu").describe().operators
        if form.op_type == "Conv"
        for sentence in form.sentences
    }
    reasons = target.device("npu").verdict(conv(512, strides=(9, 9))).reasons
    said = {reason.message.partition("): ")[2].rpartition(", got")[0] for reason in reasons}
    assert said
    assert said <= sentences
    assert "at most 16 partitions on the npu" in target.describe().limits
    assert "all operators of a partition have one batch size" in target.describe().limits
