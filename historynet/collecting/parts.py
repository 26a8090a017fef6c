"""The 20 parts of a person (CIHP's, in its order), how they are drawn, and what a drawn picture means."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import cv2
import numpy as np

from historynet.systems.parser.architecture import CLASSES as COMPACT

_TABLE = (
    ("background", (0, 0, 0), 0),
    ("hat", (128, 0, 0), 115),
    ("hair", (255, 0, 0), 70),
    ("glove", (0, 85, 0), 241),
    ("sunglasses", (170, 0, 51), 104),
    ("upper-clothes", (255, 85, 0), 151),
    ("dress", (0, 0, 85), 163),
    ("coat", (0, 119, 221), 139),
    ("socks", (85, 85, 0), 59),
    ("pants", (0, 85, 85), 92),
    ("torso-skin", (85, 51, 0), 201),
    ("scarf", (52, 86, 128), 127),
    ("skirt", (0, 128, 0), 81),
    ("face", (0, 0, 255), 255),
    ("left-arm", (51, 170, 221), 214),
    ("right-arm", (0, 255, 255), 228),
    ("left-leg", (85, 255, 170), 176),
    ("right-leg", (170, 255, 85), 188),
    ("left-shoe", (255, 255, 0), 39),
    ("right-shoe", (255, 170, 0), 49),
)
"""name, CIHP's colour, and the gray of evenly spaced L."""

NAMES = tuple(name for name, _, _ in _TABLE)

PERSON = len(NAMES)
"""Index of a whole person, of parsers that tell no parts; it can be drawn as persons alone."""

PERSON_NAME = "person"

PALETTES: Mapping[str, np.ndarray] = MappingProxyType(
    {
        "levels": np.array([(gray,) * 3 for _, _, gray in _TABLE], np.uint8),
        "cihp": np.array([colour for _, colour, _ in _TABLE], np.uint8),
        "deeplab": np.array([(0,) * 3, *[(195,) * 3] * PERSON], np.uint8),
    }
)
"""Colours by index, uint8 RGB (parts, 3), by the name of the palette. The network reads their L: "levels" has equal
distances there, "cihp" are the paper's colours, "deeplab" draws persons alone and has an index for a whole one."""

OF_COMPACT = MappingProxyType(
    {
        **{name: name for name in COMPACT if name in NAMES},
        # It knows no left and right.
        "limbs": "left-arm",
        "shoes": "left-shoe",
        "accessory": "glove",
    }
)
"""The part that each class of the compact parser is drawn as."""

TO_COMPACT = MappingProxyType(
    {
        **{name: name for name in NAMES if name in COMPACT},
        **dict.fromkeys(("torso-skin", "left-arm", "right-arm", "left-leg", "right-leg"), "limbs"),
        **dict.fromkeys(("left-shoe", "right-shoe"), "shoes"),
        **dict.fromkeys(("glove", "sunglasses", "scarf"), "accessory"),
    }
)
"""The class of the compact parser that each part belongs to."""


def draw(indices: np.ndarray, palette: str) -> np.ndarray:
    """Indices of parts (height, width) -> uint8 RGB (height, width, 3)."""
    return PALETTES[palette][indices]


_DROPPED = 2
"""Lowest bits of each channel that do not matter for what JPEG has mixed."""

_PURE = 24
"""Levels of the farthest channel from a colour to what JPEG makes of it within an area."""

_FEWEST = 20
"""Pixels in the middle of 3x3 alike that a colour needs to be taken as drawn."""


def find_exactly(rgb: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Which colour each pixel has exactly: the first index (height, width), -1 where it has none of them.

    Args:
        rgb: uint8 (height, width, 3).
        colours: uint8 (colours, 3).
    """
    numbers, first = np.unique(_packed(colours), return_index=True)
    packed = _packed(rgb)
    places = np.minimum(np.searchsorted(numbers, packed), len(numbers) - 1)
    return np.where(numbers[places] == packed, first[places], -1)


def _packed(rgb: np.ndarray) -> np.ndarray:
    red, green, blue = np.moveaxis(rgb.astype(np.int32), -1, 0)
    return red << 16 | green << 8 | blue


@lru_cache(maxsize=4)
def _tables(colours: bytes) -> tuple[np.ndarray, np.ndarray]:
    """The nearest colour and its distance, by the upper bits of red, green and blue, uint8 (side, side, side)."""
    side = 256 >> _DROPPED
    middles = np.arange(side, dtype=np.int16) * (1 << _DROPPED) + (1 << _DROPPED) // 2
    nearest, least = np.zeros((side,) * 3, np.uint8), np.full((side,) * 3, 1000, np.int16)
    for index, colour in enumerate(np.frombuffer(colours, np.uint8).reshape(-1, 3).astype(np.int16)):
        red, green, blue = (np.abs(middles - channel) for channel in colour)
        distance = np.maximum(np.maximum(red[:, None, None], green[:, None]), blue)
        nearest[distance < least] = index
        least = np.minimum(least, distance)
    return nearest, least.astype(np.uint8)


def read_drawn(rgb: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Which colour each pixel of a drawn picture means: indices (height, width), uint8.

    An exact drawing is read exactly. What JPEG mixes where two colours meet is given to the nearer of those that have
    areas, even where a third one looks alike.

    Args:
        rgb: uint8 (height, width, 3).
        colours: that it is drawn in, uint8 (colours, 3); of equal ones the first is meant.
    """
    exact = find_exactly(rgb, colours)
    if (exact >= 0).all():
        return exact.astype(np.uint8)
    nearest, distance = (
        table[tuple(rgb[..., i] >> _DROPPED for i in range(3))] for table in _tables(colours.tobytes())
    )
    kernel = np.ones((3, 3), np.uint8)
    within = (cv2.erode(nearest, kernel) == cv2.dilate(nearest, kernel)) & (distance <= _PURE)
    counts = np.bincount(nearest[within], minlength=len(colours))
    drawn = counts >= min(_FEWEST, counts.max())
    pure = drawn[nearest] & (distance <= _PURE)
    if not pure.any():
        return nearest
    # Each other pixel takes the colour of the nearest pure one.
    _, places = cv2.distanceTransformWithLabels(
        (~pure).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_place = np.zeros(places.max() + 1, np.uint8)
    of_place[places[pure]] = nearest[pure]
    return of_place[places]
