"""Every format: a file -> its pictures with all they hold; a picture with all it holds -> a file.

OpenCV decodes what it decodes rightly, so that ordinary files give the pixels they give in training; Pillow says what a
file is, reads the rest, and knows EXIF data, profiles and transparency.
"""

import contextlib
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps, TiffImagePlugin

from historynet import files
from historynet.errors import PictureError, reason, translated
from historynet.pictures import color, images, tiff
from historynet.pictures.options import MAX_MEGAPIXELS, QUALITY

_OPENCV = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "DIB", "JPEG2000", "PPM")
# Formats whose Pillow readers start other programs (EPS) or want fonts (WMF) are left out.
_PILLOW = ("GIF", "AVIF", "TGA", "PCX", "PSD", "SGI", "SUN", "ICO", "QOI")

EXTENSIONS = images.EXTENSIONS | {
    *(".jpe", ".jfif", ".jp2", ".j2k", ".pbm", ".pgm", ".ppm", ".pnm", ".dib", ".apng"),
    *(".gif", ".avif", ".tga", ".pcx", ".psd", ".sgi", ".ras", ".ico", ".qoi"),
}
"""Of a folder's files these are taken; what a file is, its content says."""

_SAME = {".jpg": ".jpg", ".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg"} | {".tif": ".tif", ".tiff": ".tif"}
_SAME |= {".webp": ".webp"}

_TIFF_TEXTS = frozenset({269, 270, 271, 272, 282, 283, 285, 296, 305, 306, 315, 316, 33432, 34665, 34853})
"""Tags of a TIFF file's first directory that speak of the picture; the others of how the file stores it."""

_THUMBNAIL = frozenset({513, 514})
_MAX_PAGES = 10_000


def same_format(path: Path) -> str:
    """The extension of a result in a picture's own format; ".png" where results cannot have it."""
    return _SAME.get(path.suffix.lower(), ".png")


@dataclass(frozen=True)
class Header:
    """What a file says of itself.

    Attributes:
        width: in pixels; of the largest page.
        height: in pixels; of the largest page.
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
        notes: what could not be kept, and what else there is to say.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None = None
    exif: Image.Exif | None = None
    icc: bytes | None = None
    notes: list[str] = field(default_factory=list)


def read_header(path: Path, max_megapixels: float = MAX_MEGAPIXELS) -> Header:
    """What a file says of itself, without decoding it.

    Raises:
        PictureError: if the file cannot be read, is no picture, or claims more than `max_megapixels`.
    """
    with files.open_regular(path) as file:
        return _header(_identify(file, path), path, max_megapixels)


def read(path: Path, page: int = 0, deep: bool = False, max_megapixels: float = MAX_MEGAPIXELS) -> Picture:
    """One picture of a file.

    Args:
        path: the file to read.
        page: which of several, from 0.
        deep: whether 16-bit values are to be kept.
        max_megapixels: what claims more is refused.

    Raises:
        PictureError: if the file cannot be read, is no picture, is damaged, or claims more than `max_megapixels`.
    """
    data = images.read_bytes(path, limit=int(8e6 * max_megapixels))
    image = _identify(io.BytesIO(data), path)
    header = _header(image, path, max_megapixels)
    with _decoding(path):
        image.seek(min(page, header.pages - 1))
        bits = _bits(image)
        has_alpha = image.format not in ("BMP", "DIB") and image.has_transparency_data
    if bits > 16 or image.mode == "F":
        raise PictureError(f"{path}: holds {bits}-bit values; save it with 16 or 8 bits")
    picture = Picture(np.empty(0))
    _read_metadata(picture, image, data, path)
    space = picture.icc and _space(picture.icc)

    # The pixels, by Pillow where OpenCV would not read them rightly: its 8-bit TIFF reader multiplies colours by their
    # transparency.
    by_pillow = image.format in _PILLOW or (image.mode == "CMYK" and space == "CMYK")
    by_pillow |= image.format == "TIFF" and has_alpha and bits <= 8
    if by_pillow or has_alpha:
        with _decoding(path):
            turned = ImageOps.exif_transpose(image)
            if has_alpha:
                picture.alpha = np.array(turned.convert("RGBA").getchannel("A"))
            if by_pillow:
                picture.rgb = np.array(_cmyk_to_rgb(turned, picture.icc) if space == "CMYK" else turned.convert("RGB"))
    if not by_pillow:
        picture.rgb = _decode(data, path, page if header.pages > 1 else None, deep and bits == 16)
    if picture.rgb.shape[:2] not in (image.size, image.size[::-1]) or picture.rgb.dtype not in (np.uint8, np.uint16):
        raise PictureError(f"{path}: not a picture that can be read, or a damaged one")

    # What says nothing of these pixels is left out.
    if picture.alpha is not None and (picture.alpha.min() == 255 or picture.alpha.shape != picture.rgb.shape[:2]):
        picture.alpha = None
    if bits == 16 and picture.rgb.dtype == np.uint8 and not deep:
        picture.notes.append("16 bits are cut to 8; --format png and tif keep 16")
    if space not in (None, "RGB"):
        picture.icc = None
        if space != "CMYK":
            picture.notes.append(f"a {space.strip().lower()} profile does not fit a coloured picture and is left out")
    return picture


def _read_metadata(picture: Picture, image: Image.Image, data: bytes, path: Path) -> None:
    """Sets a picture's EXIF data, profile and notes from an image and the file's content."""
    # Pillow would decode a PNG file to look for EXIF data behind the pixels.
    if image.format != "PNG" or b"eXIf" in data or b"Raw profile type exif" in data:
        picture.exif = _exif(image, path, picture.notes)
    with _decoding(path):
        picture.icc = image.info.get("icc_profile") or None
        if image.format in ("GIF", "PNG", "WEBP", "AVIF") and getattr(image, "is_animated", False):
            picture.notes.append("an animation: only its first frame is colorized")


def _decode(data: bytes, path: Path, page: int | None, deep: bool) -> np.ndarray:
    """RGB as OpenCV decodes it: uint16 if `deep`, else uint8."""
    if not deep:
        return images.decode(data, path, page=page)
    # OpenCV 4.14 returns memory that nothing was written to for IMREAD_COLOR_RGB of a 16-bit TIFF file.
    bgr = images.decode(data, path, cv2.IMREAD_COLOR_BGR | cv2.IMREAD_ANYDEPTH, page)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def _decoding(path: Path) -> contextlib.AbstractContextManager[None]:
    """Within it, whatever Pillow raises on a file becomes a PictureError. For calls of Pillow only.

    There is no list of what that may be: each of its twenty readers trusts the file's numbers and raises what Python
    raises where they are wrong, from a KeyError to a ZeroDivisionError.
    """
    return translated(Exception, lambda error: _refusal(path, error))


def _refusal(path: Path, error: Exception) -> PictureError:
    if isinstance(error, MemoryError):
        return PictureError(f"{path}: there is not enough memory for it")
    # The system's errors have a number, Pillow's own OSErrors have none.
    if isinstance(error, OSError) and error.errno is not None:
        return PictureError(f"{path}: cannot be read ({reason(error)})")
    return PictureError(f"{path}: cannot be decoded ({reason(error)})")


def _identify(file: BinaryIO, path: Path) -> Image.Image:
    with _decoding(path):
        try:
            return Image.open(file, formats=_OPENCV + _PILLOW)
        except Image.UnidentifiedImageError as error:
            what = "not a picture that can be read, or a damaged one" if file.seek(0, 2) else "the file is empty"
            raise PictureError(f"{path}: {what}") from error


def _header(image: Image.Image, path: Path, max_megapixels: float) -> Header:
    with _decoding(path):
        sizes = [image.size]
        if image.format == "TIFF":
            for page in range(1, min(image.n_frames, _MAX_PAGES)):
                image.seek(page)
                sizes.append(image.size)
            image.seek(0)
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    if width * height > max_megapixels * 1e6:
        raise PictureError(
            f"{path}: {width}x{height} pixels are more than {max_megapixels:g} megapixels (--max-megapixels)"
        )
    return Header(width, height, len(sizes))


def _bits(image: Image.Image) -> int:
    """Bits of a sample; Pillow turns 16-bit colours into 8-bit ones and tells so only in the name of its raw mode."""
    if image.format == "TIFF":
        return max(image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,)))
    raw_mode = image.tile[0][3] if image.format == "PNG" and image.tile else ""
    return 16 if "16" in f"{image.mode} {raw_mode}" else 8


def _exif(image: Image.Image, path: Path, notes: list[str]) -> Image.Exif | None:
    """EXIF data that can be written again; None, with a note, if it is damaged.

    Raises:
        PictureError: if there is not enough memory.
    """
    try:
        exif = _copy_exif(image)
        exif.tobytes()
    except MemoryError as error:
        raise _refusal(path, error) from error
    # Pillow decodes each value when it is asked for, and encodes it in tobytes, trusting types and counts of the file:
    # damaged ones raise what Python raises. The picture is sound.
    except Exception:
        notes.append("its EXIF data is damaged and is left out")
        return None
    return exif if len(exif) else None


def _copy_exif(image: Image.Image) -> Image.Exif:
    """The tags that speak of the picture; a scan's resolution counts as one."""
    source, exif = image.getexif(), Image.Exif()
    for tag, value in source.items():
        if tag in _TIFF_TEXTS or (image.format != "TIFF" and tag not in _THUMBNAIL):
            exif[tag] = source.get_ifd(tag) if tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo) else value
    exif.pop(ExifTags.Base.Orientation, None)
    dpi = image.info.get("dpi")
    if dpi and ExifTags.Base.XResolution not in exif:
        exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution] = (float(value) for value in dpi)
        exif[ExifTags.Base.ResolutionUnit] = 2
    return exif


def _space(icc: bytes) -> str | None:
    """The colour space of a profile: "RGB", "GRAY", "CMYK"; None if it is damaged."""
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(icc)).profile.xcolor_space.strip()
    except (OSError, ImageCms.PyCMSError):
        return None


def _cmyk_to_rgb(image: Image.Image, icc: bytes) -> Image.Image:
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")


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
        data = tiff.encode(rgb, picture.exif, picture.icc)
    else:
        data = _encode(path, rgb, picture, quality)
    files.write_atomically(path, lambda temporary: temporary.write_bytes(data), naming)


def _encode(path: Path, pixels: np.ndarray, picture: Picture, quality: int) -> np.ndarray:
    flag = {".jpg": cv2.IMWRITE_JPEG_QUALITY, ".webp": cv2.IMWRITE_WEBP_QUALITY}.get(path.suffix)
    parameters = [] if flag is None else [flag, quality]
    metadata = []
    if picture.exif:
        metadata.append((cv2.IMAGE_METADATA_EXIF, picture.exif.tobytes().removeprefix(b"Exif\0\0")))
    if picture.icc:
        metadata.append((cv2.IMAGE_METADATA_ICCP, picture.icc))
    data = images.encode(path, pixels, parameters, metadata)
    if data is None:
        # 64 kB are all that a JPEG file holds of each, and damaged profiles are refused.
        picture.notes.append("its EXIF data or profile does not fit into the result and is left out")
        data = images.encode(path, pixels, parameters)
    return data
