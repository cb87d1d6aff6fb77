"""The colours of devices: told apart by every kind of colour vision, and readable."""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

import dovetail.report.page
from dovetail.plan.colors import KIND_COLORS

ASSETS = Path(dovetail.report.page.__file__).parent / "assets"

# Machado, Oliveira and Fernandes 2009, for dichromats: what is seen of linear red, green and blue.
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
LEAST_DISTANCE = 15.0
"""In CIE Lab; about 2 can just be told apart side by side. Hatches and letters stand beside the colours."""


def linear(color: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    channels = np.array([int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ np.clip(rgb, 0, 1)
    scaled = np.cbrt(xyz / np.array([0.9505, 1.0, 1.089]))
    return np.array([116 * scaled[1] - 16, 500 * (scaled[0] - scaled[1]), 200 * (scaled[1] - scaled[2])])


def contrast(first: str, second: str) -> float:
    light = [float(linear(color) @ np.array([0.2126, 0.7152, 0.0722])) for color in (first, second)]
    return (max(light) + 0.05) / (min(light) + 0.05)


def theme(name: str) -> dict[str, str]:
    """The colours of a theme; the dark one changes some of the light one's."""
    found = {str(kind): color for kind, color in KIND_COLORS.items()}
    for file in ("page.css", "dark.css")[: 1 + (name == "dark")]:
        style = (ASSETS / file).read_text(encoding="utf-8")
        (block,) = re.findall(r"^:root\S* \{(.*?)^\}", style, re.DOTALL | re.MULTILINE)
        found.update(re.findall(r"--(\w+): (#[0-9a-f]{6});", block))
    return found


@pytest.mark.parametrize("vision", VISION)
def test_devices_differ_for_every_kind_of_colour_vision(vision: str) -> None:
    for first, second in combinations(KIND_COLORS.values(), 2):
        seen = [lab(VISION[vision] @ linear(color)) for color in (first, second)]
        assert np.linalg.norm(seen[0] - seen[1]) > LEAST_DISTANCE, (first, second)


def test_two_shades_of_one_colour_would_not_pass() -> None:
    seen = [lab(linear(color)) for color in ("#009e73", "#10a57a")]
    assert np.linalg.norm(seen[0] - seen[1]) < LEAST_DISTANCE


@pytest.mark.parametrize("name", ["light", "dark"])
def test_text_on_every_ground_has_contrast(name: str) -> None:
    colors = theme(name)
    for text in ("ink", "muted", "accent", "crossing", "good", "bad"):
        for ground in ("card", "ground"):
            assert contrast(colors[text], colors[ground]) >= 4.5, (text, ground)
    for kind in KIND_COLORS:
        assert contrast(colors["on"], colors[kind]) >= 4.5, kind
