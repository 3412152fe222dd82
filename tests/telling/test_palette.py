"""Colours are told apart by eyes that see few of them, and stand out from the paper, light and dark."""

from __future__ import annotations

import itertools
import re
from importlib.resources import files

import numpy as np
import pytest

from deqbench.telling.looks import PALETTE

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
EYES = {
    "all three": np.eye(3),
    "no green": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "no red": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colour):
    channels = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    ratios = TO_XYZ @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(ratios > 0.008856, np.cbrt(ratios), 7.787 * ratios + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one, other):
    """WCAG 2, relative luminance."""
    dark, light = sorted(float(TO_XYZ[1] @ linear(colour)) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def themes():
    text = (files("deqbench.telling.report") / "templates" / "style" / "theme.css").read_text(
        encoding="utf-8"
    )
    blocks = re.findall(r"\{[^{}]*--paper[^{}]*\}", text)
    return [dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in blocks]


LIGHT, DARK, CHOSEN_DARK = themes()


def test_a_chosen_dark_theme_is_the_systems():
    assert CHOSEN_DARK == DARK


def test_files_and_light_page_share_their_colours():
    assert tuple(LIGHT[f"c{number}"] for number in range(8)) == PALETTE


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("eye", EYES)
def test_no_two_colours_look_alike(theme, eye):
    seen = [lab(EYES[eye] @ linear(theme[f"c{number}"])) for number in range(8)]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 10


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_every_colour_of_a_figure_stands_out_from_the_paper(theme):
    assert all(contrast(theme[f"c{number}"], theme["paper"]) >= 3 for number in range(8))


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ink", ["ink", "quiet", "bad", "accent"])
@pytest.mark.parametrize("ground", ["paper", "wash", "warn"])
def test_every_text_has_a_contrast_of_four_and_a_half(theme, ink, ground):
    assert contrast(theme[ink], theme[ground]) >= 4.5
