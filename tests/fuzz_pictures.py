"""Mutated picture files, thousands of them: `python tests/fuzz_pictures.py --count 30000`.

A picture, in each of its forms, is changed at random: bytes anywhere and in the headers, an early end, parts twice or
left out. It must be refused by an error of ours, in one line, or be read, with all that it holds, and written again. A
case follows from its number alone.
"""

import functools
import io
import os
import sys
import tempfile
import warnings
from pathlib import Path

# The libraries of a case are loaded before it, and TensorFlow, which other tests' files import, is not among them.
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import fuzzing
import numpy as np
from PIL import ExifTags, Image

from historynet.errors import PictureError
from historynet.pictures import formats

MEGAPIXELS = 10
"""What claims more is refused."""

MEMORY = 12e6 * MEGAPIXELS + 60e6
"""Bytes that a case may take: those of a picture (docs/colorizing.md), and those of writing it."""

_XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:tiff="http://ns.adobe.com/tiff/'
    b'1.0/" tiff:Orientation="6"><dc:title><rdf:Alt><rdf:li xml:lang="x-default">a wedding</rdf:li></rdf:Alt>'
    b"</dc:title></rdf:Description></rdf:RDF></x:xmpmeta>"
)


def _saved(format: str, mode: str = "RGB", **options) -> bytes:
    rng = np.random.default_rng(0)
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (30, 40, 3), np.uint8)).convert(mode).save(file, format, **options)
    return file.getvalue()


def _by_pillow() -> list[bytes]:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.ImageDescription] = 6, "somebody"
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.DateTimeOriginal: "1931:05:01 10:00:00"}
    # Pillow's TIFF writer takes a nested directory only from EXIF data that was read.
    exif.load(exif.tobytes())
    more = {"save_all": True, "append_images": [Image.new("RGB", (20, 20))]}
    made = [_saved("JPEG", exif=exif, xmp=_XMP, comment="a comment"), _saved("JPEG", progressive=True)]
    made += [_saved("JPEG", "CMYK"), _saved("PNG", exif=exif), _saved("PNG", "P"), _saved("PNG", "LA")]
    made += [_saved("PNG", **more), _saved("TIFF", exif=exif), _saved("TIFF", compression="tiff_lzw")]
    made += [_saved("TIFF", **more), _saved("TIFF", "1", compression="group4"), _saved("TIFF", "RGBA")]
    made += [_saved("WEBP", exif=exif, xmp=_XMP), _saved("GIF", **more), _saved("BMP"), _saved("JPEG2000")]
    made += [_saved("AVIF"), _saved("TGA"), _saved("PCX"), _saved("SGI"), _saved("ICO"), _saved("PPM"), _saved("DIB")]
    return [*made, _saved("QOI")]


def _by_others() -> list[bytes]:
    import imagecodecs
    import tifffile
    from test_newer_formats import dng, heif, planes, psd
    from test_odd_formats import colours, gray

    def tiff(values: np.ndarray, **options) -> bytes:
        file = io.BytesIO()
        tifffile.imwrite(file, values, metadata=None, **options)
        return file.getvalue()

    deep = colours(65535)
    made = [tiff(deep, photometric="rgb", compression="zstd", tile=(16, 16))]
    made += [tiff(np.moveaxis(deep, -1, 0), photometric="rgb", planarconfig="separate", compression="lzw")]
    made += [tiff(gray(4095), bitspersample=12, photometric="miniswhite")]
    made += [tiff(colours(), photometric="rgb", compression=kind) for kind in ("jpeg", "jpeg2000", "webp", "png")]
    made += [tiff(colours(), photometric="rgb", bigtiff=True, extratags=[(700, 1, len(_XMP), _XMP, True)])]
    made += [imagecodecs.jpeg2k_encode(gray(1023), bitspersample=10, codecformat="jp2")]
    made += [imagecodecs.jpeg2k_encode(colours(), codecformat="j2k")]
    made += [imagecodecs.jpegxl_encode(colours(), usecontainer=True), imagecodecs.jpegxl_encode(gray())]
    made += [b"P5 61 45 1023\n" + gray(1023).astype(">u2").tobytes()]
    made += [psd(planes(deep), "rgb", 16, 1, layers=-1), psd(planes(colours()), "rgb", 8, 2), heif(colours(), "RGB")]
    with tempfile.TemporaryDirectory() as folder:
        dng(Path(folder) / "raw.dng")
        made.append((Path(folder) / "raw.dng").read_bytes())
    return made


@functools.cache
def originals() -> list[bytes]:
    """The content of one file of each kind."""
    return _by_pillow() + _by_others()


def prepare() -> None:
    """Imports and makes what the first case would be charged with."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        for i, data in enumerate(originals()):
            _read_and_write(data, i, Path(folder))


def attempt(number: int, folder: Path) -> str:
    """Whether a case was read or refused; raises what should not have happened."""
    rng = np.random.default_rng((31, number))
    data = originals()[number % len(originals())]
    changed = fuzzing.mutated(data, rng, int(rng.choice([60, 200, 2000])))
    return _read_and_write(changed, number, folder)


def _read_and_write(data: bytes, number: int, folder: Path) -> str:
    path = folder / "mutated"
    path.write_bytes(data)
    result = folder / f"result{('.jpg', '.png', '.tif', '.webp')[number // 7 % 4]}"
    try:
        for page in range(min(3, formats.read_header(path, MEGAPIXELS).pages)):
            formats.write(result, formats.read(path, page, bool(number % 2), MEGAPIXELS))
            # What was written is a picture for others, too.
            with Image.open(result) as written:
                written.load()
    except PictureError as error:
        message = str(error)
        assert message.startswith((str(path), str(result))), message
        assert "\n" not in message, message
        return "refused"
    return "read"


if __name__ == "__main__":
    sys.exit(fuzzing.main(attempt, __doc__, prepare, count=30_000, memory=MEMORY))
