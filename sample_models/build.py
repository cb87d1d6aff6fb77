"""Rebuilds the sample models: `python sample_models/build.py [--out DIR] [NAME...]`, all without names."""

import argparse
import importlib
import time
from pathlib import Path

# file -> (module, function that returns the file's bytes), in order: the quantized digits read digits_fp32
RECIPES = {
    "digits_fp32.onnx": ("digits", "float_model"),
    "digits_qdq.onnx": ("digits", "quantized_model"),
    "digits_int8.onnx": ("digits", "symmetric_model"),
    "inputs/digit.npy": ("digits", "demo_picture"),
    "inputs/digit.json": ("digits", "demo_label"),
    "mobilenet_v2.onnx": ("mobilenet", "float_model"),
    "mobilenet_v2_qdq.onnx": ("mobilenet", "quantized_model"),
    "mobilenet_v2_int8.onnx": ("mobilenet", "symmetric_model"),
    "ssd_detector.onnx": ("ssd", "model"),
    "transformer.onnx": ("transformer", "model"),
    "control_flow.onnx": ("control_flow", "model"),
    "npu_whole.onnx": ("npu_whole", "model"),
}


def main() -> None:
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(RECIPES)}; the suffix may be left out")
    parser.add_argument("--out", type=Path, default=here, help="folder to write to (default: beside this script)")
    options = parser.parse_args()
    chosen = [
        file for file in RECIPES if not options.names or file in options.names or Path(file).stem in options.names
    ]
    unknown = set(options.names) - {name for file in chosen for name in (file, Path(file).stem)}
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(RECIPES)}")
    for file in chosen:
        started = time.perf_counter()
        module, function = RECIPES[file]
        content: bytes = getattr(importlib.import_module(module), function)()
        target = options.out / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        print(f"{file}: {len(content):,} bytes in {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
