"""Files made to take time, memory or the terminal: refused in seconds, at a stated cost, without a word of others."""

import io
import struct
import subprocess
import sys
import threading
import time
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from conftest import ROOT
from PIL import Image
from test_bad_inputs import FUZZ
from test_newer_formats import dng, heif, planes, psd
from test_odd_formats import colours, gray

from historynet.errors import PictureError
from historynet.pictures import formats, images, quiet

MEGA = 1_000_000


def jpeg(size=64, **options):
    file = io.BytesIO()
    Image.fromarray(np.zeros((size, size, 3), np.uint8)).save(file, "JPEG", **options)
    return file.getvalue()


def repeated_scans(count):
    data = jpeg(2000, progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * count + data[-2:]


def tiff(tags, body, after=0):
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", after) + body


def one_part(body, width=64, height=64, tile=None):
    """A page of deflated data in a strip, or in a tile of this side."""
    place = 10 + 12 * (9 if tile else 8) + 4
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1)]
    if tile:
        tags += [(322, 4, 1, tile), (323, 4, 1, tile), (324, 4, 1, place), (325, 4, 1, len(body))]
    else:
        tags += [(273, 4, 1, place), (278, 4, 1, height), (279, 4, 1, len(body))]
    return tiff(tags, body)


def many_pages(count):
    page = tiff([(256, 4, 1, 8), (257, 4, 1, 8), (273, 4, 1, 8), (279, 4, 1, 64)], b"")[8:]
    chain = b"".join(page[:-4] + struct.pack("<I", 8 + (i + 1) * len(page)) for i in range(count))
    return b"II*\0" + struct.pack("<I", 8) + chain[:-4] + bytes(4)


def many_strips(count):
    place = 10 + 12 * 8 + 4
    tags = [(256, 4, 1, 1), (257, 4, 1, count), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    tags += [(273, 4, count, place), (278, 4, 1, 1), (279, 4, count, place)]
    return tiff(tags, struct.pack("<I", place) * count)


BOMBS = {
    "padding before the header": (lambda: jpeg()[:2] + b"\xff" * (50 * MEGA) + jpeg()[2:], "padding"),
    "padding that says nothing": (lambda: jpeg()[:2] + b"\xff\0" * (25 * MEGA) + jpeg()[2:], "padding"),
    "segments": (lambda: jpeg()[:2] + b"\xff\xfe\0\2" * (12 * MEGA) + jpeg()[2:], "segments"),
    "scans": (lambda: repeated_scans(1000), "scans"),
    "pages": (lambda: many_pages(100_000), "more than 10000 pages; split it"),
    "strips": (lambda: many_strips(5 * MEGA), "strips or tiles"),
    "a tile": (lambda: one_part(zlib.compress(bytes(1000)), tile=60_000), "a tile of 60000x60000"),
    "deflate": (lambda: one_part(zlib.compress(bytes(1000 * MEGA), 1)), "cannot be decoded"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_at_once(tmp_path, name):
    make, message = BOMBS[name]
    path = tmp_path / "bomb"
    path.write_bytes(make())
    start = time.monotonic()
    with pytest.raises(PictureError, match=rf"bomb: .*{message}"):
        formats.read_header(path)
        formats.read(path)
    # A tenth of that on a machine with nothing else to do.
    assert time.monotonic() - start < 10


def test_padding_behind_the_header_costs_no_time(tmp_path):
    data = jpeg()
    (tmp_path / "a.jpg").write_bytes(data[:-2] + b"\xff" * (50 * MEGA) + data[-2:])
    start = time.monotonic()
    assert images.read_rgb(tmp_path / "a.jpg").shape == (64, 64, 3)
    assert time.monotonic() - start < 10


def test_scans_as_encoders_write_them_are_read(tmp_path):
    (tmp_path / "a.jpg").write_bytes(repeated_scans(50))
    assert formats.read(tmp_path / "a.jpg").rgb.shape == (2000, 2000, 3)


def test_a_photoshop_file_inflates_to_its_own_size_alone(tmp_path):
    data = psd(planes(gray()), "gray", 8, 2)
    head = data[: data.rindex(b"\0\2") + 2]
    (tmp_path / "a.psd").write_bytes(head + zlib.compress(bytes(500 * MEGA), 1))
    start = time.monotonic()
    assert formats.read(tmp_path / "a.psd").rgb.shape == (45, 61, 3)
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(("channels", "weight"), [(1, 1), (3, 1.5), (4, 2)])
def test_jpeg_2000_counts_by_its_channels(tmp_path, channels, weight):
    samples = np.zeros((100, 100, channels), np.uint8)
    (tmp_path / "a.jp2").write_bytes(imagecodecs.jpeg2k_encode(np.squeeze(samples), level=0, codecformat="jp2"))
    assert formats.read_header(tmp_path / "a.jp2", 0.0101 * weight).pages == 1
    with pytest.raises(PictureError, match="100x100 pixels.* are more than"):
        formats.read_header(tmp_path / "a.jp2", 0.0099 * weight)


PEAK = """
import resource, sys
from pathlib import Path
import cv2, imagecodecs, pillow_heif, tifffile
from historynet.pictures import formats
path, deep = Path(sys.argv[1]), sys.argv[2] == "deep"
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rgb = formats.read(path, deep=deep).rgb
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print((peak * 1024 - path.stat().st_size) / (rgb.shape[0] * rgb.shape[1]))
"""
SIDE = 3000


def large(name):
    """A picture of nine megapixels in the format that a name stands for."""
    ramp = np.tile((np.arange(SIDE) // 8 % 256).astype(np.uint8), (SIDE, 1))
    rgb = np.dstack([ramp, ramp.T, ramp])
    rgba = np.dstack([rgb, ramp])
    file = io.BytesIO()
    if name == "ico":
        Image.fromarray(rgba).save(file, "PNG", compress_level=1)
        head = struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(file.getvalue()), 22)
        return head + file.getvalue()
    if name.endswith("jp2"):
        return imagecodecs.jpeg2k_encode(ramp, level=0, reversible=True, codecformat="jp2")
    if name.startswith("tif"):
        values = {"tif16": rgb.astype(np.uint16) * 257, "tif1": ramp > 100, "tifa": rgba}[name]
        photometric = "minisblack" if values.ndim == 2 else "rgb"
        tifffile.imwrite(file, values, photometric=photometric, compression="zlib", rowsperstrip=64)
        return file.getvalue()
    picture = {"palette": Image.fromarray(ramp).convert("P"), "rgba": Image.fromarray(rgba)}.get(name)
    picture = picture or (Image.fromarray(ramp).convert("P") if name == "gif" else Image.fromarray(rgb))
    more = {"transparency": 3} if name == "palette" else {}
    picture.save(file, {"palette": "PNG", "rgba": "PNG", "rgb": "PNG"}.get(name, name.upper()), **more)
    return file.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["rgb", "rgba", "palette", "gif", "ico", "jp2", "avif", "tga", "tif16", "tif1", "tifa"]
)
@pytest.mark.parametrize("deep", ["deep", "shallow"])
def test_memory_is_bounded_by_the_pixels(tmp_path, name, deep):
    """12 bytes a pixel beside the file itself (docs/colorizing.md)."""
    path = tmp_path / f"a.{name}"
    path.write_bytes(large(name))
    command = [sys.executable, "-c", PEAK, str(path), deep]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 12


NOISE = """
import sys
from pathlib import Path
from historynet.errors import PictureError
from historynet.pictures import formats
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        formats.read(path)
    except PictureError:
        pass
print("done", file=sys.stderr)
"""


def test_libraries_lines_never_reach_the_terminal(tmp_path):
    rng = np.random.default_rng(0)
    for kind in ("PNG", "JPEG", "TIFF", "WEBP"):
        file = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (30, 40, 3), np.uint8)).save(
            file, kind, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"
        )
        for i in range(40):
            data = bytearray(file.getvalue())
            for _ in range(3):
                data[rng.integers(len(data) // 4, len(data))] = rng.integers(256)
            (tmp_path / f"{kind}{i:02}").write_bytes(data)
    command = [sys.executable, "-c", NOISE, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "done\n")


def test_what_we_say_meanwhile_is_seen_and_c_libraries_speak_again_afterwards():
    code = """
import ctypes, sys, threading
from historynet.pictures import quiet
library = ctypes.CDLL(None)
say = lambda text: (library.fputs(text, ctypes.c_void_p.in_dll(library, "stderr")), library.fflush(None))
with quiet.libraries():
    with quiet.libraries():
        say(b"unheard ")
    say(b"unheard ")
    print("ours", file=sys.stderr, flush=True)
say(b"heard")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "ours\nheard")


def test_quiet_counts_threads():
    begun, end = threading.Event(), threading.Event()

    def stay():
        with quiet.libraries():
            begun.set()
            end.wait()

    thread = threading.Thread(target=stay)
    thread.start()
    begun.wait()
    with quiet.libraries():
        assert quiet._inside == 2
    assert quiet._inside == 1
    end.set()
    thread.join()
    assert quiet._inside == 0


@pytest.mark.slow
def test_mutated_files_of_the_other_kinds_neither_crash_nor_hang_the_reader(tmp_path):
    """In a process of its own, which a decoder that crashes would take along."""

    def tiff_of(values, **options):
        file = io.BytesIO()
        tifffile.imwrite(file, values, metadata=None, **options)
        return file.getvalue()

    deep = colours(65535)
    seeds = [
        tiff_of(deep, photometric="rgb", compression="zstd", tile=(16, 16)),
        tiff_of(np.moveaxis(deep, -1, 0), photometric="rgb", planarconfig="separate", compression="lzw"),
        tiff_of(gray(4095), bitspersample=12, photometric="miniswhite"),
        tiff_of(colours(), photometric="rgb", compression="jpeg"),
        tiff_of(colours(), photometric="rgb", compression="jpeg2000"),
        tiff_of(colours(), photometric="rgb", bigtiff=True),
        imagecodecs.jpeg2k_encode(gray(1023), bitspersample=10, codecformat="jp2"),
        imagecodecs.jpeg2k_encode(colours(), codecformat="j2k"),
        imagecodecs.jpegxl_encode(colours(), usecontainer=True),
        b"P5 61 45 1023\n" + gray(1023).astype(">u2").tobytes(),
        psd(planes(deep), "rgb", 16, 1, layers=-1),
        psd(planes(colours()), "rgb", 8, 2),
        heif(colours(), "RGB"),
    ]
    dng(tmp_path / "seed_raw.dng")
    for i, data in enumerate(seeds):
        (tmp_path / f"seed{i:02}").write_bytes(data)
    command = [sys.executable, "-c", FUZZ, str(tmp_path), "1400"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    read, refused = map(int, done.stdout.split())
    assert read + refused == 1400
    assert read > 50
    assert refused > 100
