"""What is assumed of a device or a link where its target file says nothing. None of it was measured.

The values are those of the project's notes on cost models: efficiencies are the shares of the peak that a 2x DLA
(ResNet-50, 32 %) and a Hailo-8 (ResNet-50 37 %, MobileNetV2 6 %) reach by their vendors' frame rates; the DRAM's
share is what Intel's NPU compiler reckons with; the dispatch of an NPU is about 95 us on Apple's Neural Engine, the
only published one.
"""

from typing import Final, Literal

from dovetail.cost.work import OpClass
from dovetail.plan.schema import DeviceKind

Precision = Literal["int8", "fp16", "fp32"]
PRECISIONS: Final[tuple[Precision, ...]] = ("int8", "fp16", "fp32")
BYTES: Final[dict[Precision, int]] = {"int8": 1, "fp16": 2, "fp32": 4}

Given = tuple[float, str]
"""A value, and why it is that."""

_ACCELERATOR: Final[dict[OpClass, Given]] = {
    "dense": (
        0.35,
        "2x DLA 32 %, Hailo-8 37 % of the peak in ResNet-50, which fills 94 and 99 % of their blocks",
    ),
    "depthwise": (0.08, "Hailo-8 6 %, 2x DLA 13 % of the peak in MobileNets"),
}
EFFICIENCY: Final[dict[DeviceKind, dict[OpClass, Given]]] = {
    "npu": _ACCELERATOR,
    "gpu": _ACCELERATOR,
    "cpu": {
        "dense": (0.5, "ONNX Runtime reaches 53 % of one EPYC core, taken for 140 GFLOPS, in npu_whole.onnx"),
        "depthwise": (0.15, "with it mobilenet_v2.onnx comes out 1.25 times as long as ONNX Runtime took on that core"),
    },
}
"""Share of the peak that the multiply-accumulates of a class reach; of dense ones, where channels fill their blocks."""

MAC_BLOCK: Final[dict[DeviceKind, tuple[int, int, str]]] = {
    "npu": (16, 16, "Intel's NPU compiler pads channels to multiples of 16, Rockchip's and Ascend's keep images so"),
    "gpu": (4, 4, "kernels of a mobile GPU take channels by four, as a texture keeps them"),
    "cpu": (1, 1, "no matrix unit"),
}
"""Input and output channels that a matrix array multiplies at once."""
MAC_BLOCK_IMAGE: Final[Given] = (4, "pictures have so many channels at most, and are rearranged before the array")
MAC_BLOCK_PLACES: Final[Given] = (1, "no padding of height and width")
OUTPUTS_A_PASS: Final[Given] = (65536, "the input of a product is read once")
DEPTHWISE_BLOCK: Final[Given] = (1, "no padding of the channels of a depthwise convolution")
CUDA_MAC_BLOCK: Final = (16, 8, "a tensor core takes products of 16 x 8 x 16 in fp16, twice the depth in int8")

PEAK_GOPS: Final[dict[DeviceKind, Given]] = {
    "npu": (10_000, "the NPU of a phone or board of 10 TOPS int8"),
    "gpu": (2_000, "a mobile GPU of 1 TFLOPS fp16"),
    "cpu": (614, "four cores of the class of a Cortex-A76 at 2.4 GHz"),
}
"""int8, where the file gives no peak at all."""
MICROCONTROLLER_GOPS: Final[Given] = (8, "a Cortex-M with vector instructions at 500 MHz")

PRECISION_STEPS: Final[dict[DeviceKind, tuple[float, float]]] = {"npu": (4, 4), "gpu": (2, 2), "cpu": (4, 1)}
"""From one precision to the next finer one, the peak falls by so much: int8 to fp16, fp16 to fp32."""

VECTOR_SHARE: Final[dict[DeviceKind, Given]] = {
    "npu": (0.02, "of the int8 peak: a vector unit beside the matrix unit"),
    "gpu": (0.5, "of the fp32 peak: additions fill half of the fused multiply-adds"),
    "cpu": (0.25, "of the fp32 peak: half of the multiply-adds, and half is loads"),
}
VECTOR_SERIAL: Final[Given] = (1, "the vector unit begins when the matrix unit is done")

DRAM_GBPS: Final[dict[DeviceKind, Given]] = {
    "npu": (51.2, "LPDDR5-6400 of 64 bit"),
    "gpu": (51.2, "LPDDR5-6400 of 64 bit"),
    "cpu": (34.1, "LPDDR4X-4266 of 64 bit"),
}
DRAM_DERATE: Final[Given] = (0.6, "share of the peak that Intel's NPU compiler reckons with")
DRAM_PJ_PER_BIT: Final[Given] = (6, "LPDDR5, device and interface; 4 to 20 are in use")
ON_CHIP_BYTES: Final[dict[DeviceKind, Given]] = {
    "npu": (2 * 2**20, "between 1.1 MB (RK3588), 2 MB (DLA, K230) and 8 MB (Hexagon)"),
    "gpu": (4 * 2**20, "a second-level cache as on Orin"),
    "cpu": (4 * 2**20, "caches of the last level"),
}
ON_CHIP_SHARE: Final[dict[DeviceKind, tuple[float, str]]] = {
    "npu": (1 / 64, "int8 peak / 64: 0.256 TOPS with 4 GB/s and 2.05 TOPS with 32 GB/s in Vela's Ethos configurations"),
    "gpu": (2, "DRAM x 2"),
    "cpu": (1, "a byte for each fp32 operation"),
}
"""Bandwidth of on-chip memory: of the int8 peak, of the DRAM, of the fp32 peak."""
ON_CHIP_ACTIVATIONS: Final[Given] = (1, "what fits on the chip stays there from operator to operator")
ON_CHIP_CONSTANTS: Final[Given] = (1, "what fits on the chip stays there from run to run")

LAUNCH_US: Final[dict[DeviceKind, Given]] = {
    "npu": (100, "Apple's ANE takes 95; 50 to 200 are seen"),
    "gpu": (50, "OpenCL or Vulkan enqueue on a mobile GPU"),
    "cpu": (3, "the run of another ONNX Runtime session"),
}
CUDA_LAUNCH_US: Final[Given] = (5, "a CUDA launch takes 2 to 5 us, a stream synchronisation as much")
OVERHEAD_US: Final[dict[DeviceKind, Given]] = {
    "npu": (2, "a command of an NPU's queue"),
    "gpu": (10, "a kernel of a mobile GPU's queue"),
    "cpu": (1, "an operator's call in ONNX Runtime"),
}
FORK_JOIN_US_PER_GOPS: Final[Given] = (1e-3, "and 1 us for each fp32 TFLOPS: more cores take longer to fork and join")
"""On top of a CPU's overhead."""
CUDA_OVERHEAD_US: Final[Given] = (3, "a CUDA launch takes 2 to 5 us")

WATTS_PER_GOPS: Final[dict[DeviceKind, Given]] = {
    "npu": (1 / 5000, "5 TOPS int8 a watt; Edge TPU 2, Hailo-8 10"),
    "gpu": (1 / 1000, "1 TFLOPS fp16 a watt; A100 0.8, H200 1.4"),
    "cpu": (0.75 / 38.4, "0.75 W for 38.4 GFLOPS fp32, a Cortex-A76 core"),
}
"""Power at full load: of the int8 peak, of the fp16 peak, of the fp32 peak."""
IDLE_SHARE: Final[Given] = (0.1, "of the power at full load")
WAITING_SHARE: Final[dict[DeviceKind, Given]] = {
    "npu": (0.3, "clocks on, arithmetic idle between two operators"),
    "gpu": (0.3, "clocks on, arithmetic idle between two kernels"),
    "cpu": (1, "the call is work of the CPU itself"),
}
HOST_CORES: Final[Given] = (8, "one core of eight drives a launch")

LINK_LATENCY_US: Final[Given] = (50, "unified memory, no copy: cache clean and driver sync")
CONVERT_SHARE: Final[Given] = (0.5, "of the DRAM's peak: a change of layout or type reads and writes")
CARD_PJ_PER_BIT: Final[Given] = (11.4, "the PHY of PCIe 5, CICC 2020")

SOFT_PENALTY: Final[Given] = (1.5, "a soft rule is broken: padding or a slower kernel")
ENGINES: Final[dict[str, tuple[bool, float, str]]] = {
    "dpu": (False, 1, "the matrix unit"),
    "dma": (False, 1, "data movement only"),
    "shave": (True, 1, "vector cores of Intel's NPU, no matrix unit"),
    "ai_cpu": (True, 10, "scalar cores of an Ascend"),
    "cpu_layer": (True, 10, "scalar cores of the NPU"),
}
"""Engine -> whether it has the vector unit's rate only, by how much it is slower still, and what it is."""
