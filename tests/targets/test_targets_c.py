"""Verdicts of Warboy, MDLA, BM1684X, the CUDA machines and plain CPUs that a user would check by hand, both ways."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.targets.operators import operator, tensor, weights

from dovetail.compiler import compile_model
from dovetail.plan.errors import TargetError
from dovetail.plan.schema import Reason
from dovetail.targets import OperatorView, QuantView, TensorView, Verdict, load_target
from dovetail.targets.overlay import AnswerPart, OverlayPart, apply_overlay
from dovetail.targets.signature import signature
from dovetail.targets.view import Attribute

UNPUBLISHED = ("hailo-8", "cambricon-mlu370")


def const(*values: float, dtype: str = "int64") -> TensorView:
    array = np.array(values, dtype=dtype)
    return TensorView("k", dtype, array.shape, lambda: array)


def quantized(view: OperatorView, dtype: str = "int8", scheme: str = "per_tensor") -> OperatorView:
    """The same operator inside a Q/DQ group; its constants are quantized by `scheme`, everything else per tensor."""
    one = QuantView("per_tensor", None, np.ones(1, dtype="float32"), np.zeros(1, dtype=dtype), dtype)
    fine = one if scheme == "per_tensor" else replace(one, scheme="per_channel", axis=0)

    def inside(item: TensorView | None) -> TensorView | None:
        if item is None or item.dtype != "float32":
            return item
        return replace(item, dtype=dtype, quant=one if item.constant is None else fine)

    inputs, outputs = tuple(map(inside, view.inputs)), tuple(map(inside, view.outputs))
    return replace(view, inputs=inputs, outputs=outputs, quantized=True)


def conv(channels: int = 16, kernel: int = 3, group: int = 1, **attributes: Attribute) -> OperatorView:
    kernels = weights(16 * group, channels // group, kernel, kernel)
    return operator("Conv", [tensor(1, channels, 32, 32), kernels], tensor(1, 16, 32, 32), group=group, **attributes)


def judge(target: str, view: OperatorView) -> Verdict:
    return load_target(target).devices[0].verdict(view)


def refusal(target: str, view: OperatorView) -> Reason:
    """The one rule that speaks against `view`."""
    verdict = judge(target, view)
    assert verdict.state == "unsupported", verdict
    assert len(verdict.reasons) == 1, verdict
    return verdict.reasons[0]


def takes(target: str, view: OperatorView) -> bool:
    return judge(target, view).state == "supported"


class TestWarboy:
    def test_asks_for_a_quantized_model(self) -> None:
        assert (
            refusal("furiosa-warboy", conv()).fix == "quantize the model to int8 (--quantize int8, or Q/DQ in its file)"
        )
        assert takes("furiosa-warboy", quantized(conv()))
        assert takes("furiosa-warboy", quantized(conv(), "uint8"))
        assert "int16" in refusal("furiosa-warboy", quantized(conv(), "int16")).message

    def test_groups_and_dilations_of_a_convolution(self) -> None:
        assert takes("furiosa-warboy", quantized(conv(channels=128, group=128)))
        reason = refusal("furiosa-warboy", quantized(conv(channels=129, group=129)))
        assert (reason.rule, reason.got, reason.allowed) == ("attr_range", "129", "in [1, 128]")
        assert takes("furiosa-warboy", quantized(conv(dilations=(12, 12))))
        assert refusal("furiosa-warboy", quantized(conv(dilations=(1, 13)))).got == "(1, 13)"

    def test_a_batch_normalization_only_behind_a_convolution(self) -> None:
        statistics = [weights(16)] * 4
        view = quantized(operator("BatchNormalization", [tensor(1, 16, 8, 8), *statistics], tensor(1, 16, 8, 8)))
        behind = replace(view, producers=("Conv", "", "", "", ""))
        assert takes("furiosa-warboy", behind)
        assert refusal("furiosa-warboy", view).rule == "only_in_pattern"

    def test_softmax_of_two_and_of_three(self) -> None:
        assert takes("furiosa-warboy", quantized(operator("Softmax", [tensor(2, 10)], tensor(2, 10))))
        assert (
            refusal("furiosa-warboy", quantized(operator("Softmax", [tensor(3, 10)], tensor(3, 10)))).rule
            == "dim_range"
        )

    def test_slices_and_concatenations_along_channels_and_height(self) -> None:
        def cut(axis: int) -> OperatorView:
            inputs = [tensor(1, 16, 8, 8), const(0), const(4), const(axis)]
            return quantized(operator("Slice", inputs, tensor(1, 4, 8, 8)))

        def joined(axis: int) -> OperatorView:
            return quantized(operator("Concat", [tensor(1, 8, 8, 8)] * 2, tensor(1, 16, 8, 8), axis=axis))

        assert takes("furiosa-warboy", cut(1))
        assert takes("furiosa-warboy", cut(-2))
        assert refusal("furiosa-warboy", cut(3)).got == "(3)"
        assert takes("furiosa-warboy", joined(2))
        assert refusal("furiosa-warboy", joined(3)).rule == "axis_in"

    def test_only_the_batch_is_not_padded(self) -> None:
        def padded(*pads: int) -> OperatorView:
            return quantized(operator("Pad", [tensor(1, 4, 8, 8), const(*pads)], tensor(1, 4, 9, 9)))

        assert takes("furiosa-warboy", padded(0, 1, 1, 1, 0, 0, 0, 0))
        assert "batch" in refusal("furiosa-warboy", padded(0, 0, 0, 0, 1, 0, 0, 0)).message


class TestMdla:
    def test_kernels(self) -> None:
        assert takes("mediatek-mdla", conv(kernel=16, pads=(8, 8, 7, 7)))
        assert refusal("mediatek-mdla", conv(kernel=17, pads=(8, 8, 8, 8))).allowed == "in [1, 16]"
        assert takes("mediatek-mdla", conv(group=16, kernel=8))
        assert refusal("mediatek-mdla", conv(group=16, kernel=9)).allowed == "in [1, 8]"

    def test_groups_are_one_or_depthwise(self) -> None:
        assert takes("mediatek-mdla", conv(group=16))
        reason = refusal("mediatek-mdla", conv(group=4))
        assert (reason.rule, reason.got, reason.allowed) == ("attr_in", "4", "1")

    def test_strides(self) -> None:
        assert takes("mediatek-mdla", conv(strides=(8, 8)))
        assert refusal("mediatek-mdla", conv(strides=(5, 5))).allowed == "1 or 2 or 3 or 4 or 8"
        assert takes("mediatek-mdla", conv(group=16, strides=(3, 3)))
        assert refusal("mediatek-mdla", conv(group=16, strides=(4, 4))).allowed == "at most kernel_shape"
        assert takes("mediatek-mdla", conv(dilations=(2, 2)))
        assert "stride 1" in refusal("mediatek-mdla", conv(dilations=(2, 2), strides=(2, 2))).message

    def test_channels_depend_on_the_element_type(self) -> None:
        assert takes("mediatek-mdla", conv(channels=4095))
        assert refusal("mediatek-mdla", conv(channels=4096)).allowed == "in [1, 4095]"
        assert takes("mediatek-mdla", quantized(conv(channels=8194)))
        assert refusal("mediatek-mdla", quantized(conv(channels=8195))).allowed == "in [1, 8194]"

    def test_weights_that_are_computed_must_be_aligned(self) -> None:
        def computed(channels: int) -> OperatorView:
            view = conv(channels=channels)
            return replace(view, inputs=(view.inputs[0], tensor(16, channels, 3, 3)))

        assert takes("mediatek-mdla", computed(16))
        assert refusal("mediatek-mdla", computed(8)).got == "(16, 8, 3, 3)"

    def test_pools_are_small_or_whole(self) -> None:
        def pool(size: int, kernel: int) -> OperatorView:
            square = (kernel, kernel)
            return operator("AveragePool", [tensor(1, 8, size, size)], tensor(1, 8, 1, 1), kernel_shape=square)

        assert takes("mediatek-mdla", pool(16, 8))
        assert refusal("mediatek-mdla", pool(16, 9)).allowed == "in [1, 8]"
        assert takes("mediatek-mdla", pool(16, 16))
        assert takes("mediatek-mdla", pool(512, 512))
        assert refusal("mediatek-mdla", pool(513, 513)).allowed == "at most 262144"

    def test_batches_depend_on_the_generation(self) -> None:
        def added(batch: int) -> OperatorView:
            return operator("Add", [tensor(batch, 8)] * 2, tensor(batch, 8))

        assert takes("mediatek-mdla:mt8195", added(255))
        assert refusal("mediatek-mdla:mt8195", added(256)).got == "A: 256 (shape (256, 8))"
        assert takes("mediatek-mdla:mt8188", added(256))

    def test_only_some_operators_are_quantized_per_channel(self) -> None:
        assert takes("mediatek-mdla", quantized(conv(), scheme="per_channel"))
        product = operator("Mul", [tensor(1, 8), weights(8)], tensor(1, 8))
        assert takes("mediatek-mdla", quantized(product))
        assert refusal("mediatek-mdla", quantized(product, scheme="per_channel")).rule == "quant"

    def test_what_the_public_part_of_the_list_lacks_is_unknown(self) -> None:
        verdict = judge("mediatek-mdla", operator("Softmax", [tensor(1, 10)], tensor(1, 10)))
        assert (verdict.state, verdict.reasons[0].rule) == ("unknown", "op_list")
        assert "no public list says" in verdict.reasons[0].message


class TestBm1684x:
    def test_takes_floats_and_int8(self) -> None:
        assert takes("sophgo-bm1684x", conv())
        assert takes("sophgo-bm1684x", quantized(conv()))
        assert refusal("sophgo-bm1684x", quantized(conv(), "uint8")).allowed == "int8"
        double = operator("Relu", [tensor(1, 8, dtype="float64")], tensor(1, 8, dtype="float64"))
        assert "no float64" in refusal("sophgo-bm1684x", double).message

    def test_the_importer_wants_a_zero_point(self) -> None:
        inputs = [tensor(1, 8), const(0.5, dtype="float32"), const(0, dtype="int8")]
        assert takes("sophgo-bm1684x", operator("QuantizeLinear", inputs, tensor(1, 8, dtype="int8")))
        without = operator("QuantizeLinear", inputs[:2], tensor(1, 8, dtype="uint8"))
        assert refusal("sophgo-bm1684x", without).rule == "input_count"

    def test_some_operators_may_run_on_its_cores(self) -> None:
        inputs = [tensor(1, 8), const(3)]
        verdict = judge("sophgo-bm1684x", operator("TopK", inputs, tensor(1, 3)))
        assert (verdict.state, verdict.engine) == ("supported", "cpu_layer")
        assert judge("sophgo-bm1684x", conv()).engine == ""
        tangent = operator("Tan", [tensor(1, 8)], tensor(1, 8))
        assert refusal("sophgo-bm1684x", tangent).rule == "op_list"


class TestCuda:
    GPUS = pytest.mark.parametrize("target", ["nvidia-h200", "nvidia-a100", "nvidia-rtx-4090"])

    @GPUS
    def test_element_types_are_those_of_the_kernels(self, target: str) -> None:
        assert takes(target, conv())
        assert takes(target, quantized(conv()))
        assert refusal(target, quantized(conv(), "int16")).got == "X: int16"
        for dtype, wanted in (("int32", True), ("int16", False), ("float64", True)):
            large = operator("Greater", [tensor(1, 8, dtype=dtype)] * 2, tensor(1, 8, dtype="bool"))
            assert takes(target, large) == wanted

    @GPUS
    def test_shapes_may_stay_open(self, target: str) -> None:
        assert takes(target, operator("Relu", [tensor("batch", 8)], tensor("batch", 8)))

    @GPUS
    def test_what_has_no_kernel_or_no_fixed_shape_stays_on_the_cpu(self, target: str) -> None:
        assert refusal(target, operator("Tan", [tensor(1, 8)], tensor(1, 8))).rule == "op_list"
        nonzero = operator("NonZero", [tensor(1, 8)], tensor(2, "n", dtype="int64"))
        assert "depends on the data" in refusal(target, nonzero).message

    def test_transposed_convolutions_are_padded_evenly(self) -> None:
        def up(pads: tuple[int, ...], auto_pad: str = "NOTSET") -> OperatorView:
            inputs = [tensor(1, 8, 8, 8), weights(8, 4, 3, 3)]
            return operator("ConvTranspose", inputs, tensor(1, 4, 9, 9), pads=pads, auto_pad=auto_pad)

        assert takes("nvidia-h200", up((1, 0, 1, 0)))
        assert refusal("nvidia-h200", up((1, 1, 0, 0))).got == "(1, 1, 0, 0)"
        assert "SAME_UPPER" in {reason.got for reason in judge("nvidia-h200", up((0, 0, 0, 0), "SAME_UPPER")).reasons}

    def test_recurrent_networks_are_those_of_cudnn(self) -> None:
        inputs = [tensor(5, 1, 8), weights(1, 12, 8), weights(1, 12, 4)]

        def gru(**attributes: Attribute) -> OperatorView:
            return operator("GRU", inputs, tensor(5, 1, 1, 4), hidden_size=4, **attributes)

        assert takes("nvidia-h200", gru(linear_before_reset=1))
        assert refusal("nvidia-h200", gru()).allowed == "1"
        assert takes("nvidia-h200", gru(linear_before_reset=1, activations=("Sigmoid", "Tanh")))
        assert refusal("nvidia-h200", gru(linear_before_reset=1, activations=("Relu", "Tanh"))).got == "(Relu, Tanh)"
        assert refusal("nvidia-h200", gru(linear_before_reset=1, clip=1.0)).rule == "attr_absent"

    def test_machines_differ_in_figures_alone(self) -> None:
        h200, a100, ada = (load_target(name) for name in ("nvidia-h200", "nvidia-a100", "nvidia-rtx-4090"))
        assert h200.device("gpu").op_types() == a100.device("gpu").op_types() == ada.device("gpu").op_types()
        assert [target.device("gpu").figures["dram_gbps"].value for target in (h200, a100, ada)] == [4800, 2039, 1008]
        assert [target.links[0].figures["gbps"].value for target in (h200, a100, ada)] == [52, 25, 25]
        assert "peak_fp8_tflops" not in a100.device("gpu").figures
        assert not any(figure.verified for figure in ada.device("gpu").figures.values())
        assert h200.device("gpu").figures["peak_fp16_tflops"].verified


class TestCpuOnly:
    def test_variants_take_everything_and_differ_in_figures(self) -> None:
        peaks = []
        for variant in ("zen4", "sapphire-rapids", "cortex-a76"):
            cpu = load_target(f"cpu-only:{variant}").device("cpu")
            assert cpu.verdict(conv()).state == "supported"
            peaks.append(cpu.figures["peak_fp32_gflops"].value)
        assert peaks == [1280, 10200, 153.6]
        assert load_target("cpu-only").ref == "cpu-only:host"


class TestUnpublished:
    @pytest.mark.parametrize("name", UNPUBLISHED)
    def test_every_operator_is_unknown(self, name: str) -> None:
        verdict = judge(name, operator("Relu", [tensor(1, 8)], tensor(1, 8)))
        assert "op_list" in {reason.rule for reason in verdict.reasons}
        assert verdict.state == ("unsupported" if name == "hailo-8" else "unknown"), "Hailo takes no floats"
        assert load_target(name).devices[0].op_types() == ()

    @pytest.mark.parametrize("name", UNPUBLISHED)
    def test_nothing_is_compiled_on_a_guess(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(TargetError, match=rf"^target {name}: \w+ publishes no list .*-t my.yaml.*--overlay$"):
            compile_model(tmp_path / "not even there.onnx", name)

    def test_a_probes_answers_are_enough(self) -> None:
        view = quantized(conv())
        answer = AnswerPart(signature=signature(view), taken=True)
        probed = OverlayPart(overlay=1, target="hailo-8", device="npu", source="a compiler", answers=(answer,))
        target = apply_overlay(load_target("hailo-8"), probed)
        target.require_operators()
        assert target.device("npu").verdict(view).state == "supported"
        assert target.device("npu").verdict(quantized(conv(kernel=1))).state == "unknown"

    def test_a_list_of_ones_own_is_enough(self, tmp_path: Path) -> None:
        own = tmp_path / "my-hailo.yaml"
        own.write_text("schema: 1\nname: my-hailo\nextends: hailo-8\ndevices:\n  npu:\n    ops: {Relu: , Conv: }\n")
        target = load_target(str(own))
        target.require_operators()
        assert target.device("npu").op_types() == ("Conv", "Relu")
        assert takes(str(own), quantized(conv()))
        assert judge(str(own), quantized(operator("Tanh", [tensor(1, 8)], tensor(1, 8)))).state == "unknown"
