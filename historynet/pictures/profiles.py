"""Colour profiles (ICC), by littleCMS: whatever a picture's colours are, they become sRGB, as the networks expect."""

import functools
import io
from collections.abc import Sequence

import imagecodecs
import numpy as np
from PIL import Image, ImageCms

from historynet.pictures.decoded import looked_up, strips, to_rgb

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
"""The profile of what is converted; half a kilobyte."""

_NO_OPTIMIZATION = 0x0100
"""littleCMS's flag: else it looks 16-bit colours up in a coarse table, off by up to ten 8-bit levels."""

_LONGEST = 16_384
"""Bytes of an sRGB profile that is kept: a JPEG file holds 64 kB of metadata in all."""

_DAMAGED = "its colour profile is damaged and is left out"

_SRGB_GAMMA = 0.45455
_SRGB_CHROMATICITIES = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)


def to_srgb(colours: np.ndarray, icc: bytes | None) -> tuple[np.ndarray, bytes | None, str | None]:
    """A picture's colours as sRGB.

    Args:
        colours: gray, RGB or CMYK as in `decoded.Decoded`; may be changed.
        icc: their profile; None if there is none, and they count as sRGB.

    Returns:
        RGB (height, width, 3) of the same type; its profile, None if the file has none; a note on a profile that could
        not be used, else None.
    """
    if icc is None:
        return to_rgb(colours), None, None
    space, channels = space_of(icc), colours.shape[2]
    # A decoder may have made gray RGB already.
    if space == "GRAY" and channels == 3 and _is_gray(colours):
        colours, channels = colours[..., :1], 1
    if (space, channels) not in (("GRAY", 1), ("RGB", 1), ("RGB", 3), ("CMYK", 4)):
        if space is None:
            return to_rgb(colours), None, _DAMAGED
        note = f"a profile of {space} values does not fit its colours and is left out"
        return to_rgb(colours), None, note
    try:
        if space == "RGB" and is_srgb(icc):
            return to_rgb(colours), icc if len(icc) <= _LONGEST else SRGB, None
        return _converted(colours, icc, space), SRGB, None
    except (imagecodecs.CmsError, ValueError):
        return to_rgb(colours), None, _DAMAGED


def space_of(icc: bytes) -> str | None:
    """The colour space of a profile: "RGB", "GRAY", "CMYK"; None if it is damaged."""
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(icc)).profile.xcolor_space.strip()
    except (OSError, ImageCms.PyCMSError):
        return None


@functools.lru_cache(maxsize=16)
def is_srgb(icc: bytes) -> bool:
    """Whether an RGB profile changes no 8-bit colour by more than a level; what is damaged is not sRGB."""
    steps = np.arange(0, 256, 15, np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(len(steps), -1, 3)
    try:
        return bool(np.abs(_transformed(colours, icc, "rgb").astype(int) - colours).max() <= 1)
    except (imagecodecs.CmsError, ValueError):
        return False


def changes(icc: bytes | None) -> bool:
    """Whether colours with this profile are to be converted, in as many bits as there are."""
    return icc is not None and not is_srgb(icc)


def of_image(image: Image.Image) -> bytes | None:
    """The profile of a file that Pillow has opened; None if it has none, or colours are sRGB.

    A PNG file may say with two numbers what a profile says: its gamma, and the chromaticities of its primaries.
    """
    info = image.info
    if info.get("icc_profile") or "srgb" in info:
        return info.get("icc_profile") or None
    gamma = info.get("gamma", 0)
    if image.format != "PNG" or not 0.1 < gamma < 10:
        return None
    usual = abs(gamma / _SRGB_GAMMA - 1) < 0.02
    is_gray = image.mode in ("1", "L", "LA", "I;16", "I")
    chromaticities = info.get("chromaticity", _SRGB_CHROMATICITIES)
    if usual and (is_gray or np.allclose(chromaticities, _SRGB_CHROMATICITIES, atol=0.002)):
        return None
    try:
        return of_gamma(1 / gamma, is_gray, chromaticities)
    except (imagecodecs.CmsError, ValueError):
        return None


def of_gamma(gamma: float, is_gray: bool, chromaticities: Sequence[float] = _SRGB_CHROMATICITIES) -> bytes:
    """The profile of a power of light.

    Args:
        gamma: linear light is a value to the power of this.
        is_gray: whether the values are gray, else RGB.
        chromaticities: x and y of white, red, green and blue.
    """
    if is_gray:
        return imagecodecs.cms_profile("gray", gamma=gamma)
    white, primaries = chromaticities[:2], chromaticities[2:]
    return imagecodecs.cms_profile("rgb", whitepoint=white, primaries=primaries, gamma=gamma)


def _is_gray(rgb: np.ndarray) -> bool:
    return all(np.array_equal(rgb[..., 0], rgb[..., channel]) for channel in (1, 2))


def _converted(colours: np.ndarray, icc: bytes, space: str) -> np.ndarray:
    if space == "GRAY":
        # Each level once, and those of 8 bits, too, in 16.
        step = 65535 // np.iinfo(colours.dtype).max
        table = _transformed(np.arange(0, 65536, step, np.uint16)[None], icc, "gray")[0, :, 1]
        return to_rgb(looked_up(((table + np.uint32(step // 2)) // step).astype(colours.dtype), colours))
    rgb = to_rgb(colours) if space == "RGB" else np.empty((*colours.shape[:2], 3), colours.dtype)
    source = rgb if space == "RGB" else colours
    for rows in strips(*rgb.shape[:2]):
        rgb[rows] = _transformed(source[rows], icc, space.lower())
    return rgb


def _transformed(colours: np.ndarray, icc: bytes, space: str) -> np.ndarray:
    flags = _NO_OPTIMIZATION if colours.dtype == np.uint16 else None
    return imagecodecs.cms_transform(colours, icc, SRGB, colorspace=space, outcolorspace="rgb", flags=flags)
