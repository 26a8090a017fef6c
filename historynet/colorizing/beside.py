"""What stands beside a result: the picture in other colours, and how sure the network is of each place's."""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from historynet import files
from historynet.colorizing.colorizer import Colorizer
from historynet.colorizing.options import Options
from historynet.colorizing.reporting import ALTERNATIVE, CONFIDENCE, EXISTING, Outcome
from historynet.colorizing.results import name_alternatives, name_confidence
from historynet.pictures import color, formats, images
from historynet.systems.system import APART

SURE = f"the network is sure: of its alternatives some are less than {APART:g} apart (--report says how far)"
"""What is said of a picture for which there are no others."""

IS_SURE = "the network is sure: "
"""What is said of such an alternative begins so."""


@dataclass(frozen=True)
class Beside:
    """The files beside a result.

    Attributes:
        alternatives: in order.
        confidence: None if it is not wanted.
    """

    alternatives: tuple[Path, ...] = ()
    confidence: Path | None = None

    @classmethod
    def of(cls, result: Path, alternatives: int, confidence: bool, planned: Collection[str]) -> "Beside":
        """The files beside a result: how many alternatives, whether a map; `planned` is as of `name_alternatives`."""
        return cls(
            tuple(name_alternatives(result, alternatives, planned)),
            name_confidence(result, planned) if confidence else None,
        )

    @property
    def paths(self) -> tuple[Path, ...]:
        """All of them."""
        return self.alternatives + ((self.confidence,) if self.confidence else ())

    def made_with(self, path: Path, options: Options) -> dict[str, object]:
        """What one of them depends on, by name, as of `Options.made_with`."""
        return {} if path == self.confidence else {**options.made_with(path.suffix), "seed": options.seed}


def write(
    picture: formats.Picture,
    source: Path,
    outputs: Mapping[str, np.ndarray],
    luminance: np.ndarray,
    inside: np.ndarray | None,
    beside: Beside,
    kept: set[Path],
    colorizer: Colorizer,
    options: Options,
    naming: Callable[[Path], AbstractContextManager[None] | None],
) -> list[Outcome]:
    """Writes what stands beside a picture's result.

    Args:
        picture: not yet coloured, which it stays.
        source: its file.
        outputs: the network's, of this picture alone.
        luminance: L as the network saw it.
        inside: the area of the print, as of `print_area.find_print`; None: all of the picture.
        beside: the files to write.
        kept: those of them that are there and stay.
        colorizer: the trained network's.
        options: how they are made.
        naming: of each file, as of `files.write_atomically`.

    Returns:
        What became of each.
    """
    done = {path: Outcome(source, path, EXISTING) for path in beside.paths if path in kept}
    if beside.confidence and beside.confidence not in kept:
        path, sure = beside.confidence, colorizer.confidence_of(outputs)
        data = images.encode(path, enlarged(sure, picture.rgb.shape[:2]))
        files.write_atomically(path, lambda temporary: temporary.write_bytes(data), naming(path))
        done[path] = Outcome(source, path, CONFIDENCE, value=float(sure.mean()))
    if set(beside.alternatives) - kept:
        # Of the picture's size, once for all of them.
        canvas = np.empty_like(picture.rgb)
        drawn = colorizer.alternatives_of(outputs, luminance, len(beside.alternatives), options.seed)
        for path, alternative in zip(beside.alternatives, drawn, strict=True):
            if path in kept:
                continue
            ab = alternative.ab
            rgb = color.with_chrominance(picture.rgb, ab, options.strength, options.upsampling, canvas, inside)
            # Its notes are the result's own.
            formats.write(path, replace(picture, rgb=rgb, notes=[]), options.quality, naming(path))
            why = f"{alternative.distance:.2f} from the nearest of the result and those before"
            if alternative.distance < APART:
                why = f"{IS_SURE}less than {APART:g} apart; {why}"
            done[path] = Outcome(source, path, ALTERNATIVE, why, value=alternative.log_probability)
    return [done[path] for path in beside.paths]


def enlarged(confidence: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map in 0..1 as gray levels, uint8 (height, width), bilinearly enlarged."""
    levels = np.rint(confidence * np.float32(255)).astype(np.uint8)
    return cv2.resize(levels, size[::-1], interpolation=cv2.INTER_LINEAR)
