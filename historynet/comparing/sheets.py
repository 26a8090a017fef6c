"""Pictures beside what a network that predicts distributions over colours can make of them, a row each."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from historynet.comparing.rendering import GRAY
from historynet.pictures import color, figures, formats

if TYPE_CHECKING:
    from historynet.colorizing.colorizer import Colorizer

Rows = list[list[np.ndarray]]
"""uint8 RGB pictures, as `figures` draws them."""


def at_temperatures(
    colorizer: "Colorizer", pictures: Sequence[Path], temperatures: Sequence[float]
) -> tuple[Rows, list[str]]:
    """Pictures in gray and in their colours at several temperatures of Eq. (2), from one pass of the network.

    Args:
        colorizer: of the films CNN.
        pictures: files of any format.
        temperatures: a column each; 1 is the mean, 0 the mode.

    Returns:
        (rows, titles of the columns).

    Raises:
        PictureError: if a file cannot be read.
    """
    rows = []
    for path in pictures:
        rgb = color.to_8_bit(formats.read(path).rgb)
        outputs = colorizer.predict(color.network_lab(rgb, colorizer.size)[None, ..., :1])
        colours = [colorizer.decode(outputs, temperature=temperature)[0] for temperature in temperatures]
        rows.append([color.to_gray(rgb), *(color.with_chrominance(rgb, ab) for ab in colours)])
    named = {0: " (mode)", 1: " (mean)"}
    return rows, [GRAY, *(f"T = {temperature:g}{named.get(temperature, '')}" for temperature in temperatures)]


def with_alternatives(
    colorizer: "Colorizer", pictures: Sequence[Path], count: int, seed: int, height: int
) -> tuple[np.ndarray, list[str]]:
    """A sheet of pictures in gray, in their usual colours, in other ones, and how sure the network is of each place.

    Args:
        colorizer: of a network that has alternatives and confidence (`Colorizer.check_beside`).
        pictures: files of any format.
        count: alternatives of each.
        seed: of the alternatives.
        height: of a row, pixels.

    Returns:
        (uint8 RGB, a line on each alternative).

    Raises:
        PictureError: if a file cannot be read.
    """
    rows, lines = [], []
    for path in pictures:
        rgb = figures.scale(color.to_8_bit(formats.read(path).rgb), 2 * height)
        luminance = color.network_lab(rgb, colorizer.size)[..., :1]
        outputs = colorizer.predict(luminance[None])
        of_one = {name: output[0] for name, output in outputs.items()}
        found = colorizer.alternatives_of(of_one, luminance, count, seed)
        lines += [
            f"{path.name}, alternative {i}: log probability {one.log_probability:.3f}, distance {one.distance:.2f}"
            for i, one in enumerate(found, start=1)
        ]
        sure = np.rint(255 * colorizer.confidence_of(of_one)).astype(np.uint8)
        sure = color.resize(np.dstack([sure] * 3), *rgb.shape[:2])
        gray = color.to_gray(rgb)
        colours = [colorizer.decode(outputs)[0], *(one.ab for one in found)]
        rows.append([gray, *(color.with_chrominance(gray, ab) for ab in colours), sure])
    titles = ["gray", "result", *(f"alternative {i + 1}" for i in range(count)), "confidence"]
    return figures.grid(rows, titles, height), lines
