"""What files say of a picture beside its pixels: EXIF data, resolution."""

import io
from collections.abc import Callable
from typing import TypeVar

from PIL import ExifTags, Image

from historynet.pictures.tiff_pages import Directories, Directory

_TIFF_TEXTS = frozenset({269, 270, 271, 272, 282, 283, 285, 296, 305, 306, 315, 316, 33432, 34665, 34853})
_TIFF_TEXTS |= {0x4746, 0x4749, *range(0x9C9B, 0x9CA0)}
"""Tags of a TIFF file's first directory that speak of the picture, the last as Windows writes them (rating, title,
comment, author, keywords, subject); the others of how the file stores it."""

Found = TypeVar("Found")

_SRGB = 1
_NO_TEXTS = frozenset({513, 514, 700, 33723, 34377, 34675})
"""A thumbnail; XMP, IPTC data, Photoshop's resources and a profile, which have places of their own."""


def unless_damaged(read: Callable[[], Found], what: str, notes: list[str]) -> Found | None:
    """What a function reads in a file beside its pixels; None, with a note, if it is damaged.

    Args:
        read: reads it all.
        what: what it reads, for the note.
        notes: of the picture, which is sound.
    """
    try:
        return read()
    except MemoryError:
        raise
    # Pillow decodes each value when it is asked for, trusting types and counts of the file: damaged ones raise whatever
    # Python raises.
    except Exception:
        notes.append(f"its {what} is damaged and is left out")
        return None


def of_image(image: Image.Image, notes: list[str]) -> Image.Exif | None:
    """EXIF data of what Pillow has opened that can be written again; None, with a note, if it is damaged."""
    return _sound(lambda: _copied(image.getexif(), False, image.info.get("dpi")), notes)


def of_page(data: bytes, directories: Directories, directory: Directory, notes: list[str]) -> Image.Exif | None:
    """The same of a page of a TIFF file."""

    def read() -> Image.Exif:
        source = Image.Exif()
        source.endian, source.bigtiff = directories.order, directories.big
        source.load_from_fp(io.BytesIO(data), directory.offset)
        return _copied(source, True, None)

    return _sound(read, notes)


def of_bytes(block: bytes, notes: list[str]) -> Image.Exif | None:
    """The same of a block of EXIF data."""

    def read() -> Image.Exif:
        source = Image.Exif()
        source.load(block)
        return _copied(source, False, None)

    return _sound(read, notes)


def _sound(read: Callable[[], Image.Exif], notes: list[str]) -> Image.Exif | None:
    def read_all() -> Image.Exif:
        exif = read()
        exif.tobytes()  # its values are encoded only here
        return exif

    exif = unless_damaged(read_all, "EXIF data", notes)
    return exif or None


def _copied(source: Image.Exif, is_tiff: bool, dpi: tuple[float, float] | None) -> Image.Exif:
    """The tags that speak of the picture; a scan's resolution counts as one, and the orientation is still there."""
    exif = Image.Exif()
    for tag, value in source.items():
        if tag in _TIFF_TEXTS or (not is_tiff and tag not in _NO_TEXTS):
            exif[tag] = source.get_ifd(tag) if tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo) else value
    if dpi and ExifTags.Base.XResolution not in exif:
        exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution] = (float(value) for value in dpi)
        exif[ExifTags.Base.ResolutionUnit] = 2
    return exif


def orientation(block: bytes | None) -> int:
    """The orientation that a block of EXIF data names, EXIF's number; 1 if there is none, or the block is damaged."""

    def read() -> int:
        exif = Image.Exif()
        exif.load(block)
        return exif.get(ExifTags.Base.Orientation, 1)

    return (unless_damaged(read, "EXIF data", []) or 1) if block else 1


def take_orientation(exif: Image.Exif | None) -> int:
    """Removes the orientation, EXIF's number, from EXIF data; 1 if there is none."""
    return 1 if exif is None else exif.pop(ExifTags.Base.Orientation, 1)


def name_size(exif: Image.Exif | None, width: int, height: int) -> None:
    """Lets EXIF data that names a size name the result's."""
    if exif is None:
        return
    tags = exif.get(ExifTags.IFD.Exif)
    names = (ExifTags.Base.ImageWidth, ExifTags.Base.ImageLength)
    names_inside = (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)
    for directory, pair in ((exif, names), (tags if isinstance(tags, dict) else {}, names_inside)):
        for name, value in zip(pair, (width, height), strict=True):
            if name in directory:
                directory[name] = value


def name_srgb(exif: Image.Exif | None) -> None:
    """Lets EXIF data that names a colour space name the one that the picture was converted to."""
    if exif is not None:
        tags = exif.get(ExifTags.IFD.Exif)
        if isinstance(tags, dict) and ExifTags.Base.ColorSpace in tags:
            tags[ExifTags.Base.ColorSpace] = _SRGB
