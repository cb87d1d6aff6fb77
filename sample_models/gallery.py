"""The gallery of the guide: reports of the sample models, as text, as a picture, and as the page that opens from disk.

python sample_models/gallery.py docs/gallery    writes the texts, and the pictures where there is a Chromium

MkDocs calls `on_files`, which puts the HTML reports into the site: they are made when it is built and lie nowhere else.
"""

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dovetail.compiler import CompileOptions, compile_model
from dovetail.compiler.counterfactual import suggest
from dovetail.compiler.wiring import wire
from dovetail.report import render_text, summarize
from dovetail.report.page import render_page
from dovetail.report.whatif import render_suggestions

HERE: Final = Path(__file__).resolve().parent
COMMAND: Final = "make gallery"
_MARK: Final = f"<!-- Made by `{COMMAND}`. -->"
_SIZE: Final = (1200, 800)
_COLORS: Final = 64
_NO_HURRY_S: Final = 600.0
"""For the changes that are tried: a page must not depend on how fast the machine is that writes it."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One model on one target, and what there is to see."""

    model: str
    target: str
    title: str
    text: str


EXHIBITS: Final = (
    Exhibit(
        "ssd_detector",
        "qualcomm-hexagon-htp",
        "Detector on a phone",
        "The usual picture: the NPU takes the convolutions, and the post-processing stays on the CPU. Part of it has "
        "to (the number of detections is data), part of it is only cheaper there.",
    ),
    Exhibit(
        "transformer",
        "huawei-ascend-310",
        "Transformer with an operator that the NPU lacks",
        "One missing operator, LayerNormalization, cuts the model to pieces: the last lines say what it costs.",
    ),
    Exhibit(
        "mobilenet_v2",
        "qualcomm-hexagon-htp",
        "Classifier that the NPU takes whole",
        "One partition, two transfers, nothing to complain about.",
    ),
    Exhibit(
        "mobilenet_v2_qdq",
        "google-edge-tpu",
        "Quantized classifier on an Edge TPU",
        "Integers from end to end, but for the conversions at the ends of the model.",
    ),
    Exhibit(
        "mobilenet_v2_int8",
        "nvidia-orin-dla",
        "Where the GPU wins",
        "The DLA takes most of it, and the GPU beside it is faster. `--objective energy` may think otherwise.",
    ),
    Exhibit(
        "npu_whole",
        "rockchip-rk3588",
        "Residual network on an RK3588",
        "A small CNN within every limit of the NPU.",
    ),
    Exhibit(
        "control_flow",
        "ti-tidl",
        "Loop and If",
        "Control flow stays on the CPU with all that is in its bodies.",
    ),
    Exhibit(
        "digits_fp32",
        "arm-ethos-u85",
        "Float model on an NPU of integers",
        "Everything falls back, and the report says what to do: quantize.",
    ),
    Exhibit(
        "digits_qdq",
        "arm-ethos-u85",
        "The same model, quantized",
        "Now the NPU has all but the conversions at the ends.",
    ),
    Exhibit(
        "digits_int8",
        "arm-ethos-u55-u65",
        "The same model on a smaller NPU",
        "Activations around zero, on the family's older member.",
    ),
)


def pages() -> dict[str, str]:
    """Return file name -> text of everything that is generated for docs/gallery."""
    return {"README.md": _index(), **{f"{exhibit.model}.md": _page(exhibit) for exhibit in EXHIBITS}}


def report_page(exhibit: Exhibit) -> str:
    """Return the HTML report, as `dovetail inspect --format html` writes it."""
    compilation = _compiled(exhibit)
    suggestions = suggest(compilation, CompileOptions(), _NO_HURRY_S)
    return render_page(compilation.plan, wire(compilation), suggestions)


def on_files(files: Any, config: Any) -> Any:
    """Add the HTML reports to the files of the site; MkDocs calls this by its name."""
    from mkdocs.structure.files import File

    for exhibit in EXHIBITS:
        files.append(File.generated(config, f"gallery/{exhibit.model}.report.html", content=report_page(exhibit)))
    return files


def _index() -> str:
    lines = [
        _MARK,
        "# Gallery",
        "",
        "Reports of the [sample models](../quickstart.md), each on a machine that it might be meant for. All figures "
        "are modelled.",
        "",
        "| report | model | target | |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| [{each.title}]({each.model}.md) | `{each.model}.onnx` | `{each.target}` "
        f"| [![The page of the report]({each.model}.png){{width=240}}]({each.model}.md) |"
        for each in EXHIBITS
    ]
    return "\n".join(lines) + "\n"


def _page(exhibit: Exhibit) -> str:
    compilation = _compiled(exhibit)
    text = render_text(summarize(compilation.plan))
    suggestions = suggest(compilation, CompileOptions(), _NO_HURRY_S)
    if suggestions:
        text += render_suggestions(suggestions)
    command = f"dovetail inspect {exhibit.model}.onnx -t {exhibit.target}"
    return (
        f"{_MARK}\n# {exhibit.title}\n\n{exhibit.text}\n\n"
        f"[![The page of this report: verdict, graph, timeline and tables]({exhibit.model}.png){{.shot}}]"
        f"({exhibit.model}.report.html)\n\n"
        f"[Open the report]({exhibit.model}.report.html), one file that works from disk; "
        f"`{command} --format html -o report.html` writes it. In the terminal:\n\n"
        f"```console\n$ {command}\n{text}```\n"
    )


def _compiled(exhibit: Exhibit) -> Any:
    return compile_model(HERE / f"{exhibit.model}.onnx", exhibit.target)


def _write_picture(exhibit: Exhibit, chromium: str, path: Path) -> None:
    """Show the report in a browser and keep what it shows, in few colours."""
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:
        page, shot = Path(folder) / "report.html", Path(folder) / "shot.png"
        page.write_text(report_page(exhibit), encoding="utf-8")
        size = ",".join(map(str, _SIZE))
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={size}"]
        arguments = [*options, "--virtual-time-budget=4000", f"--screenshot={shot}", page.as_uri()]
        subprocess.run([chromium, *arguments], check=True, capture_output=True, timeout=120)
        # the colours of devices are few pixels of many: the default method mixes them with their neighbours
        few = Image.open(shot).convert("RGB").quantize(_COLORS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(path, optimize=True)


def main() -> None:
    """Write everything into the folder that is named."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("there is no Chromium here: the pictures stay as they are")
        return
    for exhibit in EXHIBITS:
        _write_picture(exhibit, chromium, folder / f"{exhibit.model}.png")


if __name__ == "__main__":
    main()
