"""Files made to take time, memory or the terminal: refused in seconds, at a stated cost, without a word of others."""

import io
import struct
import subprocess
import sys
import threading
import time
import zlib

import fuzz_pictures
import fuzzing
import imagecodecs
import numpy as np
import pytest
import tifffile
from conftest import ROOT
from PIL import Image
from test_newer_formats import planes, psd
from test_odd_formats import gray

from historynet import parallel
from historynet.colorizing.colorizer import Colorizer
from historynet.colorizing.folder import colorize_files
from historynet.colorizing.options import Options
from historynet.colorizing.results import name_results
from historynet.errors import PictureError
from historynet.pictures import formats, images, quiet
from historynet.systems.historynet.generator import build_generator
from historynet.systems.historynet.variants import Architecture

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


def chunk(kind, content, length=None):
    head = struct.pack(">I", len(content) if length is None else length)
    return head + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(pixels=None, before=b"", **options):
    file = io.BytesIO()
    Image.fromarray(np.zeros((30, 40, 3), np.uint8) if pixels is None else pixels).save(file, "PNG", **options)
    return file.getvalue()[:33] + before + file.getvalue()[33:]


def png_that_claims(kind):
    """Four billion bytes in a chunk of a small file: OpenCV would take them before it reads."""
    data = png()
    return data[:33] + chunk(kind, data[33:], 0xFFFFFFFF)


def gif(texts):
    file = io.BytesIO()
    Image.new("P", (64, 64)).save(file, "GIF")
    data = file.getvalue()
    place = data.index(b",")
    return data[:place] + b"!\xfe" + (b"\xff" + b"x" * 255) * texts + b"\0" + data[place:]


BOMBS = {
    "chunks": (lambda: png(before=chunk(b"tEXt", b"a\0b") * MEGA), "more than 10000 chunks"),
    "a chunk": (lambda: png_that_claims(b"IDAT"), "the PNG file ends early"),
    "a text": (lambda: png_that_claims(b"tEXt"), "cannot be decoded"),
    "comments": (lambda: gif(200_000), "more than a megabyte of texts"),
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
def test_bombs_are_refused_at_once(tmp_path, name, monkeypatch):
    make, message = BOMBS[name]
    path = tmp_path / "bomb"
    path.write_bytes(make())
    # As the command has it.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
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


def test_texts_as_programs_write_them_are_passed(tmp_path):
    for i, data in enumerate((gif(3000), png(before=chunk(b"tEXt", b"a\0b") * 5000))):
        (tmp_path / f"{i}").write_bytes(data)
        assert formats.read(tmp_path / f"{i}").rgb.shape[2] == 3


@pytest.mark.parametrize("channels", [3, 4])
def test_formats_that_pillow_decodes_in_python_take_no_longer_than_others(tmp_path, channels):
    """QOI, and DIB that is run-length coded: as Pillow decodes a small one, and a large one within seconds."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (30, 40, channels), np.uint8)
    (tmp_path / "a.qoi").write_bytes(imagecodecs.qoi_encode(small))
    picture = formats.read(tmp_path / "a.qoi")
    seen = np.dstack([picture.rgb, *([] if picture.alpha is None else [picture.alpha])])
    np.testing.assert_array_equal(seen, np.asarray(Image.open(tmp_path / "a.qoi")))

    def dib(side):
        rows = b"".join(bytes([side - 5, row % 256, 5, 7, 0, 0]) for row in range(side))
        head = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(rows), 0, 0, 256, 0)
        return head + rng.integers(0, 256, 1024, np.uint8).tobytes() + rows

    (tmp_path / "a.dib").write_bytes(dib(100))
    right = np.asarray(Image.open(tmp_path / "a.dib", formats=["DIB"]).convert("RGB"))
    np.testing.assert_array_equal(formats.read(tmp_path / "a.dib").rgb, right)
    runs = (b"\1\5\1\6" * 1000 + b"\0\0") * 2000
    head = struct.pack("<IiiHHIIiiII", 40, 2000, 2000, 1, 8, 1, len(runs), 0, 0, 256, 0)
    (tmp_path / "a.dib").write_bytes(head + bytes(1024) + runs)
    (tmp_path / "b.qoi").write_bytes(imagecodecs.qoi_encode(rng.integers(0, 256, (1500, 2000, channels), np.uint8)))
    start = time.process_time()
    assert formats.read(tmp_path / "a.dib").rgb.shape == (2000, 2000, 3)
    assert formats.read(tmp_path / "b.qoi").rgb.shape == (1500, 2000, 3)
    # Pillow takes seven.
    assert time.process_time() - start < 2


def test_what_takes_too_long_is_given_up(monkeypatch):
    ends = []

    def forever():
        try:
            while True:
                time.sleep(0.01)
        finally:
            ends.append(threading.current_thread())

    start = time.monotonic()
    with pytest.raises(TimeoutError):
        parallel.within(0.2, forever)
    # Clocks may differ by a little in when 0.2 s are over.
    assert 0.1 < time.monotonic() - start < 5
    while not ends:
        assert time.monotonic() - start < 10
        time.sleep(0.01)
    ends[0].join(10)
    assert not ends[0].is_alive()
    # What is done in time comes as without a limit, errors too.
    for seconds in (0, 60):
        assert parallel.within(seconds, divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            parallel.within(seconds, divmod, 7, 0)


def test_two_that_cannot_be_stopped_go_on_beside_and_a_third_is_waited_for():
    """In a C library nothing stops a thread; each such picture holds its memory."""
    threads = threading.active_count()
    # An exception from outside does not end what waits for a lock, either.
    held, finished, later = threading.Event(), threading.Event(), threading.Event()
    for _ in range(2):
        with pytest.raises(TimeoutError):
            parallel.within(0.05, held.wait)
    threading.Timer(0.5, finished.set).start()
    assert parallel.within(0.05, finished.wait)
    threading.Timer(0.5, held.set).start()
    with pytest.raises(TimeoutError):
        parallel.within(0.05, later.wait)
    assert held.is_set()
    assert threading.active_count() <= threads + 3
    later.set()
    start = time.monotonic()
    while threading.active_count() > threads:
        assert time.monotonic() - start < 30
        time.sleep(0.05)


def test_a_folder_goes_on_past_a_picture_that_takes_too_long(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    paths = [tmp_path / f"in/{i}.png" for i in range(6)]
    for path in paths:
        path.write_bytes(png())
    read, read_header = formats.read, formats.read_header

    def slowly(path, *arguments):
        while path == paths[2]:
            time.sleep(0.01)
        return read(path, *arguments)

    def slow_header(path, *arguments):
        time.sleep(2 if path == paths[4] else 0)
        return read_header(path, *arguments)

    monkeypatch.setattr(formats, "read", slowly)
    monkeypatch.setattr(formats, "read_header", slow_header)
    colorizer = Colorizer(build_generator(Architecture(image_size=32, width=1 / 32)))
    colorizer(np.zeros((4, 4), np.uint8))
    options = Options(max_seconds=1)
    report = colorize_files(colorizer, paths, name_results(paths, tmp_path / "out"), 2, options=options)
    assert report.done == 4
    assert report.skipped == [f"{paths[i]}: takes more than 1 seconds to be read (--max-seconds)" for i in (2, 4)]


LATE = """
import sys
from pathlib import Path
from historynet.parallel import within
from historynet.pictures import formats
try:
    within(0.05, formats.read, Path(sys.argv[1]))
except TimeoutError:
    sys.exit(3)
"""


@pytest.mark.slow
def test_a_program_ends_as_it_should_while_a_decoder_is_still_at_work(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)
    (tmp_path / "a.jp2").write_bytes(imagecodecs.jpeg2k_encode(values, level=0, reversible=True, codecformat="jp2"))
    command = [sys.executable, "-c", LATE, str(tmp_path / "a.jp2")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "")


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
def test_mutated_files_of_all_kinds_hold_no_surprises():
    """The long form: python tests/fuzz_pictures.py."""
    report = fuzzing.run(fuzz_pictures.attempt, range(2000), 10, fuzz_pictures.MEMORY, fuzz_pictures.prepare)
    assert not report.faults, report
    assert report.ends["read"] > 200
    assert report.ends["refused"] > 1000
