"""Every format: a file -> its pictures with all they hold; a picture with all it holds -> a file.

OpenCV decodes what it decodes rightly, so that ordinary files give the pixels they give in training; Pillow says what a
file is, and knows EXIF data and transparency. TIFF, JPEG 2000 and PNM have readers of their own.
"""

import contextlib
import io
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import ExifTags, Image

from historynet import files
from historynet.errors import PictureError, reason, translated
from historynet.pictures import captions, color, images, metadata, ordinary, profiles, quiet, tiff, tiff_reading
from historynet.pictures.captions import Captions
from historynet.pictures.decoded import Source, turned
from historynet.pictures.heif import Heif
from historynet.pictures.jpeg2000 import Jpeg2000
from historynet.pictures.jpegxl import JpegXl
from historynet.pictures.netpbm import Netpbm
from historynet.pictures.options import MAX_MEGAPIXELS, QUALITY
from historynet.pictures.psd import Psd
from historynet.pictures.raw import Raw
from historynet.pictures.tiff_pages import Directories, Directory

EXTENSIONS = images.EXTENSIONS | {
    *(".jpe", ".jfif", ".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc"),
    *(".pbm", ".pgm", ".ppm", ".pnm", ".pam", ".dib", ".apng"),
    *(".gif", ".avif", ".tga", ".pcx", ".sgi", ".ras", ".ico", ".qoi"),
    *(".psd", ".psb", ".heic", ".heif", ".hif", ".jxl"),
    # Raw files: refused by name, or developed where LibRaw is installed.
    *(
        ".dng",
        ".nef",
        ".nrw",
        ".cr2",
        ".cr3",
        ".arw",
        ".srf",
        ".sr2",
        ".raf",
        ".orf",
        ".rw2",
        ".pef",
        ".srw",
        ".x3f",
        ".mrw",
    ),
}
"""Of a folder's files these are taken; what a file is, its content says."""

_HEAD = 64
"""Bytes that tell the kinds apart."""

_SAME = {".jpg": ".jpg", ".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg"} | {".tif": ".tif", ".tiff": ".tif"}
_SAME |= {".webp": ".webp"}


def same_format(path: Path) -> str:
    """The extension of a result in a picture's own format; ".png" where results cannot have it."""
    return _SAME.get(path.suffix.lower(), ".png")


@dataclass(frozen=True)
class Header:
    """What a file says of itself.

    Attributes:
        width: in pixels; of the largest page, turned the way its EXIF data says.
        height: likewise.
        pages: pictures in the file; of an animation the first alone counts.
    """

    width: int
    height: int
    pages: int

    @property
    def megapixels(self) -> float:
        return self.width * self.height / 1e6


@dataclass
class Picture:
    """A picture with all that its file holds.

    Attributes:
        rgb: uint8 or uint16 (height, width, 3), turned the way its EXIF data says.
        alpha: uint8 (height, width), 255 is opaque; None if everything is.
        exif: without orientation and thumbnail; None if there is none.
        icc: the profile of the RGB values; None if there is none.
        captions: XMP, IPTC data and a comment.
        notes: what could not be kept, and what else there is to say.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None = None
    exif: Image.Exif | None = None
    icc: bytes | None = None
    captions: Captions = field(default_factory=Captions)
    notes: list[str] = field(default_factory=list)


def read_header(path: Path, max_megapixels: float = MAX_MEGAPIXELS) -> Header:
    """What a file says of itself, without decoding it.

    Raises:
        PictureError: if the file cannot be read, is no picture, or claims more than `max_megapixels`.
    """
    with files.open_regular(path) as file, _decoding(path), quiet.libraries():
        return _header(_open(file, path), path, max_megapixels)


def read(path: Path, page: int = 0, deep: bool = False, max_megapixels: float = MAX_MEGAPIXELS) -> Picture:
    """One picture of a file.

    Args:
        path: the file to read.
        page: which of several, from 0.
        deep: whether values of more than 8 bits are to be kept, as 16.
        max_megapixels: what claims more is refused.

    Raises:
        PictureError: if the file cannot be read, is no picture, is damaged, or claims more than `max_megapixels`.
    """
    data = images.read_bytes(path, limit=int(8e6 * max_megapixels))
    picture = Picture(np.empty(0))
    with _decoding(path), quiet.libraries():
        source = _open(io.BytesIO(data), path)
        header = _header(source, path, max_megapixels)
        size = header.width, header.height
        if isinstance(source, Directories):
            directory = source.pages[min(page, header.pages - 1)]
            size = directory.size
            picture.exif = metadata.of_page(data, source, directory, picture.notes)
            found = captions.found(partial(captions.of_page, data, directory), picture.notes)
            decoded = tiff_reading.decode(data, directory, path)
        elif isinstance(source, Image.Image):
            found = captions.found(partial(captions.of_image, source, data), picture.notes)
            if ordinary.may_have_exif(source, data):
                picture.exif = metadata.of_image(source, picture.notes)
            if ordinary.is_animation(source):
                picture.notes.append("an animation: only its first frame is colorized")
            decoded = ordinary.decode(source, data, path, deep)
        else:
            if isinstance(source, Raw) and source.directories:
                directories = source.directories
                picture.exif = metadata.of_page(data, directories, directories.chain[0], picture.notes)
            elif source.exif:
                picture.exif = metadata.of_bytes(source.exif, picture.notes)
            picture.notes += source.notes
            found = captions.found(partial(captions.of_source, source, data), picture.notes)
            decoded = source.decode(data)
        rgb, picture.icc, note = profiles.to_srgb(decoded.colours, decoded.icc)
        picture.notes += [note] if note else []
        if picture.icc == profiles.SRGB:
            metadata.name_srgb(picture.exif)
        is_turned = (metadata.take_orientation(picture.exif), decoded.orientation) != (1, 1)
        picture.captions = captions.kept(found, is_turned, picture.notes)
        colours = turned(rgb if deep else color.to_8_bit(rgb), decoded.orientation)
        # Colours are written into it; libheif's memory cannot be.
        picture.rgb = np.require(colours, requirements="W")
    if picture.rgb.shape[:2] not in (size, size[::-1]):
        raise PictureError(f"{path}: not a picture that can be read, or a damaged one")
    metadata.name_size(picture.exif, picture.rgb.shape[1], picture.rgb.shape[0])
    if decoded.bits > 8 and not deep:
        picture.notes.append(f"{decoded.bits} bits are cut to 8; --format png and tif keep 16")
    if decoded.alpha is not None and decoded.alpha.min() < 255:
        alpha = turned(decoded.alpha, decoded.orientation)
        # One of another size says nothing of these pixels.
        picture.alpha = alpha if alpha.shape == picture.rgb.shape[:2] else None
    return picture


def _open(file: BinaryIO, path: Path) -> Directories | Source | Image.Image:
    """A file by its content, not yet decoded."""
    head = file.read(_HEAD)
    if Directories.recognises(head):
        directories = Directories(file, path)
        is_raw = directories.is_raw or Raw.recognises(head)
        return Raw(file, path, directories) if is_raw else directories
    for kind in (Raw, Jpeg2000, Netpbm, Psd, Heif, JpegXl):
        if kind.recognises(head):
            return kind(file, path)
    file.seek(0)
    return ordinary.identify(file, path)


def _header(source: Directories | Source | Image.Image, path: Path, max_megapixels: float) -> Header:
    pages = source.pages if isinstance(source, Directories) else [source]
    largest = max(pages, key=lambda page: page.width * page.height)
    width, height = largest.width, largest.height
    weight = source.weight if isinstance(source, Source) else 1
    if width * height * weight > max_megapixels * 1e6:
        counted = f", each counted as {weight:g} for the memory that this format takes," if weight > 1 else ""
        raise PictureError(
            f"{path}: {width}x{height} pixels{counted} are more than {max_megapixels:g} megapixels (--max-megapixels)"
        )
    if _orientation(largest) in (5, 6, 7, 8):
        width, height = height, width
    return Header(width, height, len(pages))


def _orientation(page: Directory | Source | Image.Image) -> int:
    """EXIF's number, of how a picture that is not decoded yet will be turned after its size was told."""
    if isinstance(page, Image.Image):
        return metadata.orientation(page.info.get("exif"))
    # The readers of other formats tell the size of what they give.
    return page.orientation if isinstance(page, Directory) else 1


def _decoding(path: Path) -> contextlib.AbstractContextManager[None]:
    """Within it, whatever a decoder raises on a file becomes a PictureError.

    There is no list of what that may be: each of Pillow's and tifffile's many readers trusts the file's numbers and
    raises what Python raises where they are wrong, from a KeyError to a ZeroDivisionError.
    """
    return translated(Exception, lambda error: _refusal(path, error))


def _refusal(path: Path, error: Exception) -> PictureError:
    if isinstance(error, MemoryError):
        return PictureError(f"{path}: there is not enough memory for it")
    # The system's errors have a number, Pillow's own OSErrors have none.
    if isinstance(error, OSError) and error.errno is not None:
        return PictureError(f"{path}: cannot be read ({reason(error)})")
    return PictureError(f"{path}: cannot be decoded ({reason(error)})")


def add_provenance(picture: Picture, text: str) -> None:
    """Adds a line to the EXIF tag Software, after what stands there."""
    picture.exif = picture.exif or Image.Exif()
    earlier = str(picture.exif.get(ExifTags.Base.Software, "")).strip("\0 ")
    picture.exif[ExifTags.Base.Software] = f"{earlier}; {text}" if earlier else text


def write(
    path: Path,
    picture: Picture,
    quality: int = QUALITY,
    naming: contextlib.AbstractContextManager[object] | None = None,
) -> None:
    """Writes a picture in the format of the name's extension: .jpg, .png, .tif or .webp.

    What the format cannot hold is left out, and noted in the picture. The name appears only when the file is complete.

    Args:
        path: the file to write.
        picture: what it is to hold.
        quality: of JPEG and WebP files, 1 to 100.
        naming: as of `files.write_atomically`.

    Raises:
        PictureError: if the format cannot hold a picture of this size, or the file system no such name.
        InputError: if nothing can be written there.
    """
    rgb, alpha = picture.rgb, picture.alpha
    if path.suffix == ".jpg" and alpha is not None:
        picture.notes.append("the transparency is left out, which JPEG files do not hold")
        alpha = None
    if path.suffix in (".jpg", ".webp"):
        rgb = color.to_8_bit(rgb)
    if alpha is not None:
        rgb = np.dstack([rgb, alpha if rgb.dtype == np.uint8 else alpha.astype(np.uint16) * 257])
    if path.suffix == ".tif":
        parts = [tiff.encode(rgb, picture.exif, picture.icc, picture.captions)]
    else:
        parts = _encode(path, rgb, picture, quality)
    picture.notes += captions.left_out(picture.captions, path.suffix)

    def write_parts(temporary: Path) -> None:
        with temporary.open("wb") as file:
            file.writelines(parts)

    files.write_atomically(path, write_parts, naming)


def _encode(path: Path, pixels: np.ndarray, picture: Picture, quality: int) -> list[memoryview | bytes]:
    """The parts of a file, one behind the other."""
    flag = {".jpg": cv2.IMWRITE_JPEG_QUALITY, ".webp": cv2.IMWRITE_WEBP_QUALITY}.get(path.suffix)
    parameters = [] if flag is None else [flag, quality]
    exif, icc = [], []
    if picture.exif:
        exif.append((cv2.IMAGE_METADATA_EXIF, picture.exif.tobytes().removeprefix(b"Exif\0\0")))
    if picture.icc:
        icc.append((cv2.IMAGE_METADATA_ICCP, picture.icc))
    if picture.captions.xmp and path.suffix == ".webp":
        exif.append((cv2.IMAGE_METADATA_XMP, picture.captions.packet))
    # 64 kB are all that a JPEG file holds of each, and damaged ones are refused. Without a profile sRGB is taken.
    for blocks, left_out in ((exif + icc, None), (exif, "profile"), (icc, "EXIF data"), ([], "EXIF data and profile")):
        data = images.encode(path, pixels, parameters, blocks)
        if data is not None:
            picture.notes += [f"its {left_out} does not fit into the result and is left out"] if left_out else []
            break
    return captions.put_into(data, path.suffix, picture.captions)
