"""How frames are taken out of films; imports next to nothing, so that `--help` is quick."""

from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from historynet.pictures.options import EXTENTS, FILM, check_number, check_switch, check_word

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


RATES, MINUTES = (0.001, 1000), (0, 100_000)
"""Fewest and most frames a second, whose pictures' names have milliseconds; shortest and longest part for training."""


@dataclass(frozen=True)
class MovieOptions:
    """How so many frames a second are taken out of a film.

    Attributes:
        rate: frames a second.
        train_minutes: until when the frames are for training; later ones are for tests.
        height: of the pictures, in pixels.
        width: of the pictures, in pixels.
        crop_bars: whether black bars are cut off first.

    Raises:
        InputError: if one of them cannot be.
    """

    rate: Fraction = Fraction(2)
    train_minutes: Fraction = Fraction(150)
    height: int = 256
    width: int = 512
    crop_bars: bool = False

    def __post_init__(self) -> None:
        check_number("rate", self.rate, RATES)
        check_number("train_minutes", self.train_minutes, MINUTES)
        check_number("height", self.height, SIDES)
        check_number("width", self.width, SIDES)
        check_switch("crop_bars", self.crop_bars)

    @property
    def made_with(self) -> dict[str, Any]:
        """What the pictures depend on, by name."""
        return {"rate": str(self.rate), "height": self.height, "width": self.width, "crop_bars": self.crop_bars}
