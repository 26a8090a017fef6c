"""How frames are taken out of films; imports next to nothing, so that `--help` is quick."""

from dataclasses import asdict, dataclass
from typing import Any

from historynet.pictures.options import EXTENTS, FILM, check_number, check_word

SIDES = (16, 4096)
"""Smallest and largest short side of a frame, in pixels."""


@dataclass(frozen=True)
class FrameOptions:
    """How frames are taken out of a film.

    Attributes:
        white_balance: one of `pictures.options.EXTENTS`: what has one of its own.
        exposure: one of `pictures.options.EXTENTS`: what has one of its own.
        crop_borders: whether black bars are cut off.
        darkest: mean L, 0..1, below which a frame is dark and left out.
        drop_colourless: whether frames without colour are left out.
        frame_side: short side of the pictures, in pixels.

    Raises:
        InputError: if one of them cannot be.
    """

    white_balance: str = FILM
    exposure: str = FILM
    crop_borders: bool = True
    darkest: float = 0.2
    drop_colourless: bool = True
    frame_side: int = 256

    def __post_init__(self) -> None:
        check_word("white_balance", self.white_balance, EXTENTS)
        check_word("exposure", self.exposure, EXTENTS)
        check_number("darkest", self.darkest, (0, 1))
        check_number("frame_side", self.frame_side, SIDES)

    @property
    def made_with(self) -> dict[str, Any]:
        """What the pictures depend on, by name."""
        return asdict(self)
