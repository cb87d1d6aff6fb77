"""Verdicts that a user of these targets would check by hand: the value and the rule in the reason, both ways."""

from dataclasses import replace

import numpy as np
import pytest
from tests.targets.operators import constant, ints, operator, tensor, weights

from dovetail.plan.schema import Reason
from dovetail.targets import Device, OperatorView, QuantView, TensorView, Verdict, load_target
from dovetail.targets.view import Attribute


def in_group(view: OperatorView, dtype: str = "int8", scale: float = 0.5, bits: str = "int8") -> OperatorView:
    """The same operator inside a Q/DQ group: activations of `dtype`, weights of `bits`."""

    def quantized(item: TensorView | None) -> TensorView | None:
        if item is None or item.dtype != "float32":
            return item
        kind = bits if item.constant is not None else dtype
        quant = QuantView("per_tensor", None, np.array(scale), np.array(0), kind)
        values = item.constant().astype(kind) if item.constant is not None else None
        return replace(item, dtype=kind, quant=quant, constant=None if values is None else lambda: values)

    inputs, outputs = tuple(map(quantized, view.inputs)), tuple(map(quantized, view.outputs))
    return replace(view, inputs=inputs, outputs=outputs, quantized=True)


def conv(channels: int = 16, kernel: int = 3, size: int = 32, group: int = 1, **attributes: Attribute) -> OperatorView:
    """A convolution to 16 channels, or to as many as it has groups."""
    out = group if group > 1 else 16
    inputs = [tensor(1, channels, size, size), weights(out, channels // group, kernel, kernel)]
    pads = (kernel // 2,) * 4
    return operator("Conv", inputs, tensor(1, out, size, size), **{"group": group, "pads": pads, **attributes})


def unary(op_type: str, *shape: int, **attributes: Attribute) -> OperatorView:
    return operator(op_type, [tensor(*shape)], tensor(*shape), **attributes)


def pool(op_type: str, kernel: int, stride: int = 1, pad: int = 0) -> OperatorView:
    attributes: dict[str, Attribute] = {
        "kernel_shape": (kernel, kernel),
        "strides": (stride, stride),
        "pads": (pad,) * 4,
    }
    return operator(op_type, [tensor(1, 16, 600, 600)], tensor(1, 16, 300, 300), **attributes)


def resize(factor: float, mode: str = "nearest", coordinates: str = "asymmetric", **more: Attribute) -> OperatorView:
    scales = constant(np.array([1, 1, factor, factor], dtype=np.float32))
    size = int(16 * factor)
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinates, "nearest_mode": "floor", **more}
    return operator("Resize", [tensor(1, 16, 16, 16), None, scales], tensor(1, 16, size, size), **attributes)


def npu(ref: str) -> Device:
    return load_target(ref).device("npu")


def states(device: Device, *views: OperatorView) -> list[str]:
    return [device.verdict(view).state for view in views]


def reason(verdict: Verdict, rule: str) -> Reason:
    """The one reason that a rule of this kind gave."""
    found = [item for item in verdict.reasons if item.rule == rule]
    assert len(found) == 1, [item.message for item in verdict.reasons]
    return found[0]


class TestIntel:
    def test_a_convolution_for_the_dpu(self) -> None:
        verdict = npu("intel-npu").verdict(conv())
        assert (verdict.state, verdict.engine) == ("supported", "dpu")

    @pytest.mark.parametrize(
        ("view", "rule", "got", "allowed"),
        [
            (conv(kernel=13), "attr_range", "(13, 13)", "in [1, 11]"),
            (conv(strides=(9, 9)), "attr_range", "(9, 9)", "in [1, 8]"),
            (conv(strides=(1, 2)), "predicate", "strides = (1, 2)", "stride"),
            (conv(pads=(2, 2, 2, 2)), "predicate", "pads = (2, 2, 2, 2)", "size // 2"),
            (conv(channels=24), "dim_multiple", "24 (shape (1, 24, 32, 32))", "a multiple of 16"),
        ],
    )
    def test_limits_of_the_dpu_cost_speed_not_support(
        self, view: OperatorView, rule: str, got: str, allowed: str
    ) -> None:
        verdict = npu("intel-npu").verdict(view)
        found = reason(verdict, rule)
        assert verdict.state == "soft"
        assert got in found.got
        assert allowed in found.allowed

    def test_three_channels_are_fine_in_the_first_convolution_only(self) -> None:
        assert states(npu("intel-npu"), conv(channels=3), conv(channels=8)) == ["supported", "soft"]

    def test_integers_need_a_group(self) -> None:
        plain = replace(unary("Relu", 1, 16, 8, 8), inputs=(tensor(1, 16, 8, 8, dtype="int8"),))
        verdict = npu("intel-npu").verdict(plain)
        assert (verdict.state, reason(verdict, "dtype").got) == ("unsupported", "X: int8")
        assert npu("intel-npu").verdict(in_group(unary("Relu", 1, 16, 8, 8))).state == "supported"
        assert npu("intel-npu").verdict(in_group(conv(), bits="int4")).state == "supported"

    def test_resize(self) -> None:
        device = npu("intel-npu")
        cubic = resize(2, "cubic", "half_pixel")
        assert states(device, cubic, replace(cubic, attributes={**cubic.attributes, "antialias": 1})) == [
            "supported",
            "unsupported",
        ]
        verdict = device.verdict(resize(2, "linear", "tf_crop_and_resize"))
        assert reason(verdict, "attr_not_in").got == "tf_crop_and_resize"

    def test_control_flow_leaves_the_accelerators(self) -> None:
        loop = replace(conv(), op_type="Loop")
        for device in load_target("intel-npu").devices[:2]:
            assert device.verdict(loop).reasons[0].rule == "op_list"

    def test_the_gpu_takes_what_the_npu_compiler_does_not_list(self) -> None:
        target = load_target("intel-npu")
        view = unary("Softsign", 1, 16)
        assert target.device("npu").verdict(view).reasons[0].rule == "op_list"
        assert target.device("gpu").verdict(view).state == "supported"

    def test_variants(self) -> None:
        assert npu("intel-npu:mtl").figures["peak_int8_tops"].value == 11
        assert npu("intel-npu").figures["peak_int8_tops"].value == 48
        assert not npu("intel-npu").figures["peak_fp16_tflops"].verified
        assert load_target("intel-npu").limits.whole_graph_preferred


class TestApple:
    def test_a_convolution(self) -> None:
        device = npu("apple-ane-coreml")
        assert states(device, conv(), conv(dilations=(2, 2))) == ["supported", "soft"]
        hint = reason(device.verdict(conv(dilations=(2, 2))), "attr_in")
        assert (hint.got, hint.allowed, hint.confidence) == ("(2, 2)", "1", "low")

    def test_what_only_the_neural_engine_lacks_runs_on_the_gpu(self) -> None:
        gpu = load_target("apple-ane-coreml").device("gpu")
        assert states(gpu, conv(dilations=(2, 2)), pool("MaxPool", 15, 3)) == ["supported", "supported"]
        assert {item.got for item in npu("apple-ane-coreml").verdict(pool("MaxPool", 15, 3)).reasons} == {
            "(15, 15)",
            "(3, 3)",
        }

    def test_the_longest_dimension(self) -> None:
        device = npu("apple-ane-coreml")
        assert device.verdict(unary("Relu", 1, 16384)).state == "supported"
        found = reason(device.verdict(unary("Relu", 1, 16385)), "dim_range")
        assert "16385" in found.got
        assert found.allowed == "at most 16384"

    def test_the_model_format_decides(self) -> None:
        view = unary("Erf", 1, 16)
        old = npu("apple-ane-coreml:m4-neuralnetwork")
        assert npu("apple-ane-coreml").verdict(view).state == "supported"
        assert reason(old.verdict(view), "mode_in").got == "NeuralNetwork"
        assert states(old, unary("Flatten", 1, 16)) == ["supported"]
        assert old.backend is not None
        assert old.backend.options["ModelFormat"] == "NeuralNetwork"

    def test_quantized_models_are_refused(self) -> None:
        found = reason(npu("apple-ane-coreml").verdict(in_group(unary("Relu", 1, 16))), "quant")
        assert "QuantizeLinear" in found.message

    @pytest.mark.parametrize(
        ("pads", "state"), [((0, 0, 1, 1, 0, 0, 1, 1), "supported"), ((0, 1, 0, 0, 0, 0, 0, 0), "unsupported")]
    )
    def test_pad_of_the_last_two_dimensions(self, pads: tuple[int, ...], state: str) -> None:
        view = operator("Pad", [tensor(1, 3, 8, 8), ints(*pads)], tensor(1, 3, 10, 10))
        assert npu("apple-ane-coreml:m4-neuralnetwork").verdict(view).state == state

    def test_resize(self) -> None:
        device = npu("apple-ane-coreml")
        assert states(device, resize(2), resize(0.5), resize(4)) == ["supported", "supported", "soft"]
        assert "whole number" in "".join(item.message for item in device.verdict(resize(1.5)).reasons)
        assert "asymmetric" in device.verdict(resize(2, coordinates="half_pixel")).reasons[0].message

    def test_a_slope_for_each_channel(self) -> None:
        device = npu("apple-ane-coreml")
        image, wide = tensor(1, 16, 8, 8), weights(16, 8, 8)
        good = [operator("PRelu", [image, slope], image) for slope in (weights(16, 1, 1), weights(1))]
        assert states(device, *good) == ["supported", "supported"]
        assert reason(device.verdict(operator("PRelu", [image, wide], image)), "predicate").got == "(16, 8, 8)"


class TestAmd:
    def test_the_mode_is_a_column_of_the_table(self) -> None:
        gather = operator("Gather", [tensor(8, 16), tensor(4, dtype="int64")], tensor(4, 16))
        assert npu("amd-ryzen-ai-xdna:stx-bf16").verdict(gather).state == "supported"
        found = reason(npu("amd-ryzen-ai-xdna:stx-a8w8").verdict(in_group(gather)), "mode_in")
        assert (found.got, found.allowed) == ("A8W8", "BF16")

    def test_float_models_need_bf16(self) -> None:
        assert npu("amd-ryzen-ai-xdna:stx-bf16").verdict(conv()).state == "supported"
        verdict = npu("amd-ryzen-ai-xdna").verdict(conv())
        assert reason(verdict, "quant").fix == "quantize the model to int8 (--quantize int8, or Q/DQ in its file)"
        assert npu("amd-ryzen-ai-xdna").verdict(in_group(conv())).state == "supported"
        assert npu("amd-ryzen-ai-xdna:stx-bf16").verdict(in_group(conv())).state == "unsupported"

    def test_activations_of_16_bits(self) -> None:
        wide = in_group(conv(), "uint16")
        assert npu("amd-ryzen-ai-xdna:stx-a16w8").verdict(wide).state == "supported"
        assert reason(npu("amd-ryzen-ai-xdna").verdict(wide), "dtype").got == "X: uint16"

    @pytest.mark.parametrize(("scale", "state"), [(0.25, "supported"), (1.0, "supported"), (0.3, "unsupported")])
    def test_xint8_scales(self, scale: float, state: str) -> None:
        verdict = npu("amd-ryzen-ai-xdna:phx-xint8").verdict(in_group(conv(), scale=scale))
        assert verdict.state == state
        assert all("power of two" in item.message for item in verdict.reasons)

    def test_grouped_convolutions(self) -> None:
        device = npu("amd-ryzen-ai-xdna")
        found = reason(device.verdict(in_group(conv(group=4))), "mode_in")
        assert (found.allowed, found.confidence) == ("BF16", "high")
        assert reason(device.verdict(in_group(conv(group=16))), "mode_in").confidence == "low"

    def test_a_newer_opset_is_soft(self) -> None:
        verdict = npu("amd-ryzen-ai-xdna").verdict(replace(in_group(conv()), opset=21))
        assert (verdict.state, reason(verdict, "opset").got) == ("soft", "opset 21")

    def test_phoenix_uses_the_old_compiler(self) -> None:
        old, new = npu("amd-ryzen-ai-xdna:phx-xint8").backend, npu("amd-ryzen-ai-xdna").backend
        assert old is not None
        assert new is not None
        assert (old.options["target"], new.options["target"]) == ("X1", "X2")
        assert npu("amd-ryzen-ai-xdna:stx-bf16").numerics == "fp16"
        assert load_target("amd-ryzen-ai-xdna").limits.one_precision_per_model


def transposed(size: int, kernel: int, stride: int) -> OperatorView:
    out = (size - 1) * stride + kernel
    inputs = [tensor(1, 16, size, size), weights(16, 16, kernel, kernel)]
    return operator("ConvTranspose", inputs, tensor(1, 16, out, out), strides=(stride, stride), pads=(0,) * 4)


class TestHuawei:
    def test_a_convolution(self) -> None:
        device = npu("huawei-ascend-310")
        row = operator("Conv", [tensor(1, 16, 32), weights(16, 16, 3)], tensor(1, 16, 32), pads=(1, 1))
        assert states(device, conv(), row, conv(channels=3)) == ["supported", "soft", "soft"]
        assert states(device, replace(conv(), opset=7)) == ["unsupported"]

    def test_constants_stay_on_the_host(self) -> None:
        verdict = npu("huawei-ascend-310").verdict(operator("Relu", [weights(1, 16)], tensor(1, 16)))
        assert reason(verdict, "predicate").got == "constants only"
        assert npu("huawei-ascend-310").verdict(unary("Relu", 1, 16)).state == "supported"

    @pytest.mark.parametrize(
        ("view", "got"),
        [
            (transposed(4, 4, 16), "256"),
            # (9 + 1) rows * 2000 columns * stride 2 * 32 bytes, and 9 * 9 * 512 bytes of weights
            (transposed(2000, 9, 2), "1321472"),
        ],
    )
    def test_limits_of_transposed_convolutions(self, view: OperatorView, got: str) -> None:
        verdict = npu("huawei-ascend-310").verdict(view)
        assert verdict.state == "unsupported"
        assert got in {item.got for item in verdict.reasons}
        assert npu("huawei-ascend-310").verdict(transposed(32, 4, 2)).state == "supported"

    def test_the_ai_cpu_is_another_engine(self) -> None:
        scores = operator("NonZero", [tensor(4, 4)], tensor(2, "count", dtype="int64"))
        verdict = npu("huawei-ascend-310").verdict(scores)
        assert (verdict.state, verdict.engine) == ("unknown", "ai_cpu")

    def test_quantized_models_are_refused(self) -> None:
        assert reason(npu("huawei-ascend-310").verdict(in_group(conv())), "quant").got == "quantized"

    def test_variants(self) -> None:
        assert npu("huawei-ascend-310").figures["peak_int8_tops"].value == 16
        assert npu("huawei-ascend-310:ascend310p").figures["power_w"].value == 72
        assert not npu("huawei-ascend-310:ascend310b").figures["peak_fp16_tflops"].verified


class TestEthos:
    def test_floats_are_refused(self) -> None:
        verdict = npu("arm-ethos-u55-u65").verdict(conv())
        assert reason(verdict, "quant").fix == "quantize the model to int8 (--quantize int8, or Q/DQ in its file)"
        assert npu("arm-ethos-u55-u65").verdict(in_group(conv())).state == "supported"
        assert npu("arm-ethos-u55-u65").backend is None

    def test_integers_without_a_scale_are_refused(self) -> None:
        plain = replace(
            unary("Relu", 1, 8), inputs=(tensor(1, 8, dtype="int8"),), outputs=(tensor(1, 8, dtype="int8"),)
        )
        assert reason(npu("arm-ethos-u55-u65").verdict(plain), "predicate").got == "integers without a scale"

    @pytest.mark.parametrize(
        ("view", "got", "allowed"),
        [
            (conv(group=16, strides=(4, 4)), "(4, 4)", "in [1, 3]"),
            (pool("AveragePool", 9, pad=1), "(9, 9)", "at most 8"),
        ],
    )
    def test_kernels(self, view: OperatorView, got: str, allowed: str) -> None:
        verdict = npu("arm-ethos-u55-u65").verdict(in_group(view))
        assert (got, allowed) in {(item.got, item.allowed) for item in verdict.reasons}

    def test_kernels_within_the_limits(self) -> None:
        device = npu("arm-ethos-u55-u65")
        views = [conv(kernel=65, size=80), conv(kernel=8, size=80, dilations=(9, 9))]
        views += [pool("AveragePool", 9), pool("AveragePool", 8, pad=1), pool("MaxPool", 256)]
        assert states(device, *map(in_group, views)) == ["supported"] * 5

    def test_a_stride_above_3_needs_no_padding(self) -> None:
        device = npu("arm-ethos-u55-u65")
        padded, bare = conv(strides=(4, 4)), conv(strides=(4, 4), pads=(0, 0, 0, 0))
        assert states(device, in_group(padded), in_group(bare)) == ["unsupported", "supported"]

    def test_the_sum_of_weights(self) -> None:
        """The limit is 65536 weights of 127."""
        device = npu("arm-ethos-u55-u65")
        for depth, got in ((65536, []), (65537, ["8323199"])):
            heavy = constant(np.full((1, depth), 127, dtype=np.float32))
            view = in_group(operator("Gemm", [tensor(1, depth), heavy], tensor(1, 1), transB=1))
            assert [item.got for item in device.verdict(view).reasons if item.rule == "predicate"] == got

    @pytest.mark.parametrize(
        ("view", "state"),
        [
            (resize(2), "supported"),
            (resize(8), "supported"),
            (resize(3), "unsupported"),
            (resize(16), "unsupported"),
            (resize(2, "linear", "half_pixel"), "supported"),
            (resize(4, "linear", "half_pixel"), "unsupported"),
            (resize(4, "linear"), "supported"),
        ],
    )
    def test_resize(self, view: OperatorView, state: str) -> None:
        assert npu("arm-ethos-u55-u65").verdict(in_group(view)).state == state

    def test_strides_of_transposed_convolutions(self) -> None:
        device = npu("arm-ethos-u55-u65")
        assert states(device, in_group(transposed(8, 2, 2)), in_group(transposed(8, 3, 3))) == [
            "supported",
            "unsupported",
        ]
        row = operator("ConvTranspose", [tensor(1, 4, 1, 8), weights(4, 4, 1, 2)], tensor(1, 4, 1, 16), strides=(1, 2))
        assert device.verdict(in_group(row)).state == "supported"

    def test_argmax_over_few_channels(self) -> None:
        device = npu("arm-ethos-u55-u65")
        views = [
            in_group(operator("ArgMax", [tensor(1, depth, 8, 8)], tensor(1, 1, 8, 8, dtype="int64"), axis=1))
            for depth in (127, 128)
        ]
        assert states(device, *views) == ["supported", "unsupported"]

    @pytest.mark.parametrize(
        ("shape", "perm", "state"),
        [
            ((1, 300, 300, 300), (0, 3, 1, 2), "supported"),
            ((2, 300, 300, 300), (0, 3, 1, 2), "unsupported"),
            ((2, 300, 300, 300), (0, 1, 2, 3), "supported"),
            ((2, 200, 200, 200), (3, 2, 1, 0), "supported"),
        ],
    )
    def test_transpose(self, shape: tuple[int, ...], perm: tuple[int, ...], state: str) -> None:
        view = operator("Transpose", [tensor(*shape)], tensor(*(shape[axis] for axis in perm)), perm=perm)
        assert npu("arm-ethos-u55-u65").verdict(in_group(view)).state == state

    def test_transpose_of_32_bits(self) -> None:
        device = npu("arm-ethos-u55-u65")
        for perm, state in {(0, 1, 3, 2): "supported", (0, 3, 1, 2): "unsupported"}.items():
            view = operator("Transpose", [tensor(1, 8, 8, 8, dtype="int32")], tensor(1, 8, 8, 8), perm=perm)
            output = tensor(1, 8, 8, 8, dtype="int32")
            assert device.verdict(replace(view, outputs=(output,))).state == state

    def test_the_batch_may_be_symbolic_only_where_it_does_not_matter(self) -> None:
        device = npu("arm-ethos-u55-u65")
        pooled = operator("GlobalAveragePool", [tensor("n", 8, 8, 8)], tensor("n", 8, 1, 1))
        image = replace(unary("Relu", 1, 8, 8, 8), inputs=(tensor("n", 8, 8, 8),), outputs=(tensor("n", 8, 8, 8),))
        assert states(device, in_group(pooled), in_group(image)) == ["unknown", "supported"]
        assert reason(device.verdict(in_group(pooled)), "dim_range").fix == "pin it: --dim n=1"

    @pytest.mark.parametrize("target", ["arm-ethos-u55-u65", "arm-ethos-u85"])
    def test_what_vela_answered_when_it_was_asked(self, target: str) -> None:
        device = npu(target)
        views = [
            in_group(unary("HardSwish", 1, 8)),
            in_group(unary("Relu")),
            in_group(conv(group=4)),
            in_group(operator("Softmax", [tensor(1, 12, 512, 512)], tensor(1, 12, 512, 512), axis=-1)),
            in_group(operator("ReduceMean", [tensor(2, 16, 64)], tensor(2, 16, 1), axes=(-1,))),
            in_group(operator("ReduceMean", [tensor(8, 64)], tensor(8, 1), axes=(-1,))),
        ]
        expected = ["supported", "unsupported", "supported", "supported", "unsupported", "supported"]
        assert states(device, *views) == expected

    def test_integers_of_32_bits_need_no_scale(self) -> None:
        for dtype, state in {"int8": "unsupported", "int32": "supported", "int64": "unsupported"}.items():
            values = tensor(1, 8, dtype=dtype)
            plain = operator("Add", [values, values], values)
            assert states(npu("arm-ethos-u85"), plain) == [state], dtype

    def test_variants(self) -> None:
        assert npu("arm-ethos-u55-u65").figures["peak_int8_tops"].value == 0.256
        assert npu("arm-ethos-u55-u65:u65-512").figures["sram_bytes"].value == 393216
        assert npu("arm-ethos-u55-u65:u55-32").figures["dram_gbps"].value == 0.5
