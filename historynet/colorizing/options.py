"""How pictures are colorized; imports next to nothing, so that `--help` is quick."""

import numbers
from dataclasses import dataclass
from typing import Any

from historynet.pictures.options import (
    BILINEAR,
    LIMITS,
    MAX_MEGAPIXELS,
    MAX_SECONDS,
    QUALITIES,
    QUALITY,
    SECONDS,
    STRENGTHS,
    UPSAMPLINGS,
    check_number,
    check_switch,
    check_word,
)

ALTERNATIVES = (0, 20)
"""Fewest and most for a picture."""

SEEDS = (0, 2**32 - 1)
"""Lowest and highest seed of what is drawn."""


def is_url(text: str) -> bool:
    """Whether a text names an object or a folder in a store (`objects`), not a file."""
    return "://" in text


@dataclass(frozen=True)
class Options:
    """How picture files are colorized.

    Attributes:
        strength: factor on the predicted chrominance: 0 is gray, 1 as predicted.
        upsampling: one of `pictures.options.UPSAMPLINGS`.
        borders: leave the border of a scan as it is, and colour the print within (`print_area.find_print`); False:
            colour all.
        keep_colored: leave pictures as they are that have colour already (`toning.tint`).
        compare: also write NAME_comparison.jpg, the picture beside its result.
        quality: of JPEG and WebP files, 1 to 100.
        provenance: a line for the results' EXIF data; None: none.
        max_megapixels: files that claim more are refused.
        max_seconds: pictures that take longer to be read are refused; 0: none.
        existing: what becomes of a picture whose result exists: "overwrite" makes it again, "skip" passes the picture
            over, "refuse" reports it with this reason.
        alternatives: how many files NAME_alternative1_reconstructed.jpg and so on are written beside each result, with
            other colours (`Colorizing.alternatives`).
        confidence: also write NAME_confidence.png, how sure the network is of each place's colour.
        seed: of the alternatives.

    Raises:
        InputError: if one of them cannot be.
    """

    strength: float = 1.0
    upsampling: str = BILINEAR
    borders: bool = True
    keep_colored: bool = False
    compare: bool = False
    quality: int = QUALITY
    provenance: str | None = None
    max_megapixels: float = MAX_MEGAPIXELS
    max_seconds: float = MAX_SECONDS
    existing: str = "overwrite"
    alternatives: int = 0
    confidence: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        check_number("strength", self.strength, STRENGTHS)
        check_word("upsampling", self.upsampling, UPSAMPLINGS)
        check_switch("borders", self.borders)
        check_number("quality", self.quality, QUALITIES, numbers.Integral)
        check_number("max_megapixels", self.max_megapixels, LIMITS)
        check_number("max_seconds", self.max_seconds, SECONDS)
        check_word("existing", self.existing, ("overwrite", "skip", "refuse"))
        check_number("alternatives", self.alternatives, ALTERNATIVES, numbers.Integral)
        check_number("seed", self.seed, SEEDS, numbers.Integral)

    def made_with(self, extension: str) -> dict[str, Any]:
        """What a result depends on, by name.

        Args:
            extension: the result's, with its dot.
        """
        quality = {"quality": self.quality} if extension in (".jpg", ".webp") else {}
        borders = "kept" if self.borders else "coloured"
        return {"strength": self.strength, "upsampling": self.upsampling, "borders": borders} | quality
