"""Verdicts of Rockchip, TI, Google and Kendryte devices that a user would check by hand, both ways."""

from dataclasses import replace

import numpy as np
import pytest
from tests.targets.operators import constant, ints, number, operator, tensor, weights

from dovetail.plan.schema import Reason
from dovetail.targets import Device, OperatorView, QuantView, TensorView, Verdict, load_target
from dovetail.targets.view import Attribute


def in_group(view: OperatorView, dtype: str = "int8") -> OperatorView:
    """The same operator inside a Q/DQ group, every float tensor of it quantized to `dtype`."""
    quant = QuantView("per_tensor", None, np.array(0.5), np.array(0), dtype)

    def quantized(item: TensorView | None) -> TensorView | None:
        if item is None or item.dtype != "float32":
            return item
        values = item.constant().astype(dtype) if item.constant is not None else None
        return replace(item, dtype=dtype, quant=quant, constant=None if values is None else lambda: values)

    inputs, outputs = tuple(map(quantized, view.inputs)), tuple(map(quantized, view.outputs))
    return replace(view, inputs=inputs, outputs=outputs, quantized=True)


def conv(channels: int = 16, kernel: int = 3, size: int = 32, group: int = 1, **attributes: Attribute) -> OperatorView:
    """A convolution to 16 channels, or to as many as it has groups."""
    out = group if group > 1 else 16
    inputs = [tensor(1, channels, size, size), weights(out, channels // group, kernel, kernel)]
    return operator("Conv", inputs, tensor(1, out, size, size), **{"group": group, **attributes})


def unary(op_type: str, *shape: int, **attributes: Attribute) -> OperatorView:
    return operator(op_type, [tensor(*shape)], tensor(*shape), **attributes)


def transpose(shape: tuple[int, ...], *perm: int) -> OperatorView:
    return operator("Transpose", [tensor(*shape)], tensor(*(shape[axis] for axis in perm)), perm=perm)


def resize(factor: float, **attributes: Attribute) -> OperatorView:
    scales = constant(np.array([1, 1, factor, factor], dtype=np.float32))
    size = int(32 * factor)
    return operator("Resize", [tensor(1, 16, 32, 32), None, scales], tensor(1, 16, size, size), **attributes)


def power(exponent: float) -> OperatorView:
    return operator("Pow", [tensor(1, 16, 8, 8), number(exponent)], tensor(1, 16, 8, 8))


def npu(ref: str) -> Device:
    return load_target(ref).device("npu")


def state(device: Device, view: OperatorView) -> str:
    return device.verdict(view).state


def reason(verdict: Verdict, rule: str) -> Reason:
    """The one reason that a rule of this kind gave."""
    found = [item for item in verdict.reasons if item.rule == rule]
    assert len(found) == 1, [item.message for item in verdict.reasons]
    return found[0]


class TestRockchip:
    def test_the_table_of_transposes_names_the_perm_and_the_dimensions(self) -> None:
        """As the compiler of RKNN-Toolkit2 2.5.0 placed each of them."""
        device = npu("rockchip-rk3588")
        assert state(device, transpose((1, 64, 80, 80), 0, 2, 3, 1)) == "supported"
        verdict = device.verdict(transpose((1, 3, 224, 224), 0, 2, 1, 3))
        assert verdict.state == "unsupported"
        assert verdict.reasons[0].rule == "table"
        assert verdict.reasons[0].got == "perm = (0,2,1,3), data.H = 224, data.W = 224"
        assert "rknn-toolkit2 2.5.0" in verdict.reasons[0].source

    @pytest.mark.parametrize(
        ("shape", "perm", "fp16", "int8"),
        [
            ((1, 16, 64, 64), (1, 0, 2, 3), True, True),
            ((1, 16, 64, 65), (1, 0, 2, 3), False, True),
            ((1, 16, 128, 128), (1, 0, 2, 3), False, False),
            ((1, 16, 512, 512), (0, 3, 1, 2), True, False),
            ((1, 16, 4, 8200), (0, 2, 3, 1), False, False),
            ((1, 17, 15, 15), (2, 1, 3, 0), False, False),
        ],
    )
    def test_the_limit_of_a_transpose_depends_on_its_perm_and_its_element_type(
        self, shape: tuple[int, ...], perm: tuple[int, ...], fp16: bool, int8: bool
    ) -> None:
        device, view = npu("rockchip-rk3588"), transpose(shape, *perm)
        assert (state(device, view) != "unsupported") == fp16
        assert (state(device, in_group(view)) != "unsupported") == int8

    def test_beyond_the_documents_limits_a_convolution_is_only_slower(self) -> None:
        device = npu("rockchip-rk3588")
        assert state(device, conv(kernel=31, size=64)) == "supported"
        verdict = device.verdict(conv(kernel=32, size=64))
        assert (verdict.state, reason(verdict, "attr_range").got) == ("soft", "(32, 32)")
        assert state(device, conv(strides=(7, 7))) == "supported"
        assert state(device, conv(strides=(8, 8))) == "soft"

    def test_the_depthwise_kernel_ends_earlier(self) -> None:
        device = npu("rockchip-rk3588")
        assert state(device, conv(16, 8, group=16)) == "supported"
        assert reason(device.verdict(conv(16, 9, group=16)), "attr_range").allowed == "in [1, 8]"

    def test_two_tensors_are_divided_in_fp16_only(self) -> None:
        device = npu("rockchip-rk3588")
        both = operator("Div", [tensor(1, 16, 8, 8), tensor(1, 16, 8, 8)], tensor(1, 16, 8, 8))
        assert state(device, both) == "supported"
        assert reason(device.verdict(in_group(both)), "quant").got == "quantized"
        by_constant = operator("Div", [tensor(1, 16, 8, 8), number(2)], tensor(1, 16, 8, 8))
        assert state(device, in_group(by_constant)) == "supported"

    def test_exponents(self) -> None:
        device = npu("rockchip-rk3588")
        assert [state(device, power(item)) for item in (2, 0.5, 4)] == ["supported", "supported", "unsupported"]
        assert reason(device.verdict(power(4)), "const_value").got == "4"
        assert state(device, in_group(power(2))) == "supported"

    def test_an_erf_is_taken_as_part_of_a_gelu(self) -> None:
        device = npu("rockchip-rk3588")
        erf = unary("Erf", 1, 64, 256)
        assert state(device, replace(erf, producers=("Div",), consumers=("Add",))) == "supported"
        assert reason(device.verdict(erf), "only_in_pattern").got == "input -> Erf -> output"

    def test_softmax_ends_at_16384(self) -> None:
        device = npu("rockchip-rk3588")
        assert state(device, unary("Softmax", 1, 16384, axis=1)) == "supported"
        assert reason(device.verdict(unary("Softmax", 1, 16392, axis=1)), "dim_range").allowed == "at most 16384"

    def test_newer_opsets_are_not_imported(self) -> None:
        view = replace(unary("Relu", 1, 16, 8, 8), opset=20)
        assert reason(npu("rockchip-rk3588").verdict(view), "opset").got == "opset 20"


class TestTexasInstruments:
    def test_dimensions_of_size_1_do_not_count(self) -> None:
        device = npu("ti-tidl")
        assert state(device, unary("Relu", 1, 1, 2, 2, 2, 2, 2, 2)) == "supported"
        verdict = device.verdict(unary("Relu", 1, 2, 2, 2, 2, 2, 2, 2))
        assert (verdict.state, reason(verdict, "rank").got) == ("unsupported", "X: rank 7")

    def test_strides_of_a_convolution(self) -> None:
        device = npu("ti-tidl")
        assert state(device, conv(strides=(2, 2), kernel_shape=(3, 3))) == "supported"
        uneven = device.verdict(conv(strides=(1, 2)))
        assert reason(uneven, "predicate").message.endswith("the same in height and width, got (1, 2)")
        assert state(device, conv(kernel=11, strides=(4, 4))) == "supported"
        assert reason(device.verdict(conv(kernel=7, strides=(4, 4))), "predicate").allowed == "11x11"

    def test_depthwise_kernels(self) -> None:
        device = npu("ti-tidl")
        assert state(device, conv(16, 5, group=16, strides=(2, 2))) == "supported"
        assert reason(device.verdict(conv(16, 4, group=16)), "predicate").got == "(4, 4, 1)"

    def test_a_limit_of_two_socs_does_not_bind_the_others(self) -> None:
        view = conv(strides=(3, 3))
        assert state(npu("ti-tidl:am68a"), view) == "supported"
        assert reason(npu("ti-tidl:am62a").verdict(view), "predicate").got == "(3, 3)"

    def test_resize_is_by_powers_of_two(self) -> None:
        device = npu("ti-tidl")
        form: dict[str, Attribute] = {
            "mode": "nearest",
            "coordinate_transformation_mode": "asymmetric",
            "nearest_mode": "floor",
        }
        assert state(device, resize(4, **form)) == "supported"
        assert reason(device.verdict(resize(3, **form)), "predicate").got == "(1, 1, 3, 3)"
        wrong = device.verdict(resize(4, **(form | {"nearest_mode": "ceil"})))
        assert reason(wrong, "attr_in").allowed == "floor"

    def test_subtraction_needs_a_constant(self) -> None:
        device, image = npu("ti-tidl"), tensor(1, 16, 8, 8)
        assert state(device, operator("Sub", [image, weights(1, 16, 1, 1)], image)) == "supported"
        assert (
            "one of the inputs must be constant"
            in device.verdict(operator("Sub", [image, image], image)).reasons[0].message
        )
        assert state(device, operator("Sub", [image, weights(1, 16, 8, 1)], image)) == "unsupported"

    def test_softmax_runs_along_width_and_height(self) -> None:
        device = npu("ti-tidl")
        assert state(device, unary("Softmax", 1, 8, 16, 16, axis=3)) == "supported"
        assert reason(device.verdict(unary("Softmax", 1, 8, 16, 16, axis=1)), "axis_in").got == "(1) of rank 4"

    def test_an_average_over_a_large_plane(self) -> None:
        device = npu("ti-tidl")
        inside = operator("GlobalAveragePool", [tensor(1, 16, 32, 32)], tensor(1, 16, 1, 1))
        beyond = operator("GlobalAveragePool", [tensor(1, 16, 32, 33)], tensor(1, 16, 1, 1))
        assert state(device, inside) == "supported"
        assert reason(device.verdict(beyond), "predicate").got == "1056"


class TestEdgeTpu:
    def test_only_a_quantized_model_at_the_start(self) -> None:
        target = load_target("google-edge-tpu")
        device = target.device("npu")
        verdict = device.verdict(conv())
        assert verdict.state == "unsupported"
        assert verdict.reasons[0].fix == "quantize the model to int8 (--quantize int8, or Q/DQ in its file)"
        assert state(device, in_group(conv())) == "supported"
        assert (target.limits.max_partitions, target.limits.prefix_only) == ({"npu": 1}, True)

    def test_a_batch_is_a_fourth_dimension(self) -> None:
        device = npu("google-edge-tpu")
        assert state(device, in_group(unary("Relu", 1, 16, 8, 8))) == "supported"
        verdict = device.verdict(in_group(unary("Relu", 2, 16, 8, 8)))
        assert reason(verdict, "predicate").got == "(2, 16, 8, 8)"
        assert reason(verdict, "rank").allowed == "rank at most 3"

    def test_dilation_is_the_same_both_ways(self) -> None:
        device = npu("google-edge-tpu")
        assert state(device, in_group(conv(dilations=(2, 2)))) == "supported"
        assert reason(device.verdict(in_group(conv(dilations=(1, 2)))), "predicate").got == "(1, 2)"

    def test_softmax_has_16000_elements_at_most(self) -> None:
        device = npu("google-edge-tpu")
        assert state(device, in_group(unary("Softmax", 1, 16000))) == "supported"
        assert reason(device.verdict(in_group(unary("Softmax", 1, 16001))), "predicate").got == "16001"

    def test_a_sum_over_the_batch_stays_away(self) -> None:
        device = npu("google-edge-tpu")
        image = tensor(1, 16, 8, 8)
        over_image = operator("ReduceSum", [image, ints(2, 3)], tensor(1, 16, 1, 1))
        assert state(device, in_group(over_image)) == "supported"
        assert (
            reason(device.verdict(in_group(operator("ReduceSum", [image, ints(0)], image))), "predicate").got == "(0)"
        )


class TestNnapi:
    def test_two_dimensional_convolutions_with_constant_weights(self) -> None:
        device = npu("android-nnapi")
        assert state(device, conv()) == "supported"
        row = operator("Conv", [tensor(1, 16, 32), weights(16, 16, 3)], tensor(1, 16, 30))
        assert reason(device.verdict(row), "rank").got == "rank 3"
        loose = replace(conv(), inputs=(tensor(1, 16, 32, 32), tensor(16, 16, 3, 3)))
        assert reason(device.verdict(loose), "const_input").fix == "make 't' an initializer"

    def test_older_android_lacks_operators(self) -> None:
        view = unary("Sqrt", 1, 16, 8, 8)
        assert state(npu("android-nnapi:android-10"), view) == "supported"
        assert reason(npu("android-nnapi:android-9").verdict(view), "arch").got == "api_level 28"

    def test_nearest_resize_is_asymmetric(self) -> None:
        device = npu("android-nnapi")
        form: dict[str, Attribute] = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        assert state(device, resize(2, **form)) == "supported"
        verdict = device.verdict(resize(2, **(form | {"coordinate_transformation_mode": "half_pixel"})))
        assert reason(verdict, "attr_in").got == "half_pixel"

    def test_splits_are_even(self) -> None:
        device = npu("android-nnapi")
        part = tensor(1, 8, 4, 4)
        assert state(device, operator("Split", [tensor(1, 16, 4, 4), ints(8, 8)], part, axis=1)) == "supported"
        verdict = device.verdict(operator("Split", [tensor(1, 16, 4, 4), ints(6, 10)], part, axis=1))
        assert reason(verdict, "predicate").got == "(6, 10)"

    def test_a_clip_is_one_of_two(self) -> None:
        device, image = npu("android-nnapi"), tensor(1, 16, 8, 8)
        assert state(device, operator("Clip", [image, number(0), number(6)], image)) == "supported"
        assert (
            reason(device.verdict(operator("Clip", [image, number(0), number(1)], image)), "predicate").got == "(0, 1)"
        )


class TestKendryte:
    def test_what_the_kpu_is_built_for_and_what_nobody_says(self) -> None:
        device = npu("kendryte-k230-nncase")
        verdict = device.verdict(conv())
        assert (verdict.state, verdict.engine) == ("supported", "kpu")
        verdict = device.verdict(unary("Sin", 1, 16, 8, 8))
        assert (verdict.state, verdict.engine) == ("soft", "core")
        assert reason(verdict, "lowering").confidence == "low"

    def test_versions_of_an_operator(self) -> None:
        device = npu("kendryte-k230-nncase")
        assert state(device, replace(conv(), opset=21)) == "supported"
        assert reason(device.verdict(replace(conv(), opset=22)), "opset").allowed == "at most 21"

    def test_an_operator_outside_of_the_list(self) -> None:
        verdict = npu("kendryte-k230-nncase").verdict(unary("Det", 1, 4, 4))
        assert reason(verdict, "op_list").allowed == "117 listed operators"
