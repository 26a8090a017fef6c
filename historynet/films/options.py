"""How a film is colorized; imports next to nothing, so that `--help` is quick."""

import math
from dataclasses import dataclass
from typing import Any

from historynet.pictures.options import (
    BILINEAR,
    LIMITS,
    MAX_MEGAPIXELS,
    STRENGTHS,
    UPSAMPLINGS,
    check_number,
    check_word,
)

CODECS = ("libx264", "libvpx-vp9")
"""The encoders of libav that have a constant rate factor: H.264 and VP9."""

PIXEL_FORMATS = ("yuv420p", "yuv422p", "yuv444p", "yuv420p10", "yuv422p10", "yuv444p10")
"""Of the results: how many pixels have a chrominance of their own, and with 10 at the end 10 bits."""

STEADINESSES, CRFS = (0, 1), (0, 63)
"""Lowest and highest steadiness and constant rate factor."""


@dataclass(frozen=True)
class FilmOptions:
    """How a film is colorized.

    Attributes:
        strength: factor on the predicted chrominance: 0 is gray, 1 as predicted.
        upsampling: one of `pictures.options.UPSAMPLINGS`.
        steadiness: of the colours over time, 0..1 (`steadying.Steadier`).
        codec: one of `CODECS`.
        pixel_format: one of `PIXEL_FORMATS`; VP9 takes no 10 bits.
        deinterlace: whether whole frames are made of an interlaced film, and its own frames of a telecined one.
        crf: the encoder's constant rate factor: lower is better and larger.
        start: seconds; what comes before is left out.
        end: seconds; what comes after is left out; None: nothing.
        provenance: a line for the container's comment; None: none.
        max_megapixels: films with larger frames are refused.

    Raises:
        InputError: if one of them cannot be.
    """

    strength: float = 1.0
    upsampling: str = BILINEAR
    steadiness: float = 0.9
    codec: str = CODECS[0]
    pixel_format: str = PIXEL_FORMATS[0]
    deinterlace: bool = False
    crf: float = 18
    start: float = 0.0
    end: float | None = None
    provenance: str | None = None
    max_megapixels: float = MAX_MEGAPIXELS

    def __post_init__(self) -> None:
        check_number("strength", self.strength, STRENGTHS)
        check_word("upsampling", self.upsampling, UPSAMPLINGS)
        check_number("steadiness", self.steadiness, STEADINESSES)
        check_word("codec", self.codec, CODECS)
        check_number("crf", self.crf, CRFS)
        check_number("start", self.start, (0, math.inf))
        if self.end is not None:
            check_number("end", self.end, (0, math.inf))
        check_number("max_megapixels", self.max_megapixels, LIMITS)

    @property
    def made_with(self) -> dict[str, Any]:
        """What a result depends on, by name."""
        return {name: value for name, value in vars(self).items() if name not in ("provenance", "max_megapixels")}
