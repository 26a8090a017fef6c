"""Colour profiles (ICC), by littleCMS."""

import io

import numpy as np
from PIL import ImageCms


def space(icc: bytes) -> str | None:
    """The colour space of a profile: "RGB", "GRAY", "CMYK"; None if it is damaged."""
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(icc)).profile.xcolor_space.strip()
    except (OSError, ImageCms.PyCMSError):
        return None


def cmyk_to_rgb(colours: np.ndarray, icc: bytes) -> np.ndarray:
    """CMYK (height, width, 4) as sRGB of the same type.

    Args:
        colours: uint8 or uint16.
        icc: the profile of its inks.
    """
    import imagecodecs

    srgb = imagecodecs.cms_profile("srgb")
    return imagecodecs.cms_transform(colours, icc, srgb, colorspace="cmyk", outcolorspace="rgb")
