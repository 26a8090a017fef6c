"""Whatever lies in a folder: what is unusual is colorized, what is bad is named and skipped, the rest is done."""

import errno
import io
import os
import re
import shutil
import struct
import threading
import zlib

import numpy as np
import pytest
from conftest import run_process, write_picture
from PIL import Image

from historynet import files
from historynet.colorizing.colorizer import Colorizer
from historynet.colorizing.folder import Report, colorize_files
from historynet.colorizing.inputs import list_inputs
from historynet.colorizing.options import Options
from historynet.colorizing.results import check_results, name_results
from historynet.errors import InputError, PictureError
from historynet.pictures import formats, images
from historynet.systems.historynet.generator import build_generator
from historynet.systems.historynet.variants import Architecture

COLORIZE = "SOURCE_HistoryNet/colorization.py"


@pytest.fixture(scope="module")
def colorizer():
    return Colorizer(build_generator(Architecture(image_size=32, width=1 / 32)))


def encoded(format, size=(40, 30), mode="RGB", **options):
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), np.uint8)).convert(mode)
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def png_that_claims(width, height):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


BAD = {
    "empty.jpg": (b"", "the file is empty"),
    "text.png": (b"Dear Sir or Madam,\n" * 50, "not a picture"),
    "page.jpg": (b"<!DOCTYPE html><html><body>404</body></html>", "not a picture"),
    "huge.png": (png_that_claims(30_000, 30_000), "30000x30000 pixels are more than 200 megapixels"),
    "half.jpg": (encoded("JPEG")[:500], "damaged|ends early|decoded"),
    "floats.tif": (encoded("TIFF", mode="F"), "32-bit values"),
}
UNUSUAL = {
    "one.png": (encoded("PNG", (1, 1)), (1, 1)),
    "tall.png": (encoded("PNG", (1, 20_000)), (20_000, 1)),
    "wide.jpg": (encoded("JPEG", (20_000, 1)), (1, 20_000)),
    "wrong extension.png": (encoded("JPEG"), (30, 40)),
    "new\nline.jpg": (encoded("JPEG"), (30, 40)),
    "grün 照片.webp": (encoded("WEBP"), (30, 40)),
    "x" * 251 + ".jpg": (encoded("JPEG"), (30, 40)),
    "-dash.jpg": (encoded("JPEG"), (30, 40)),
    "moves.gif": (encoded("GIF", save_all=True, append_images=[Image.new("RGB", (40, 30))]), (30, 40)),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of everything that is bad or unusual, and one ordinary picture."""
    # As the command has it; Pillow's own limit is lower and says the same with other words.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    folder = tmp_path / "in"
    write_picture(folder / "good.jpg")
    for name, (content, _) in (BAD | UNUSUAL).items():
        (folder / name).write_bytes(content)
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")
    (folder / "dead link.jpg").symlink_to("nowhere")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "forbidden.jpg").write_bytes(encoded("JPEG"))
    (folder / "forbidden.jpg").chmod(0)
    return folder


NO_FILES = {
    "folder.jpg": "not a regular file",
    "pipe.jpg": "not a regular file",
    "dead link.jpg": "No such file",
    "loop.jpg": "Too many levels of symbolic links",
}
# Nothing is forbidden to root.
FORBIDDEN = {} if os.geteuid() == 0 else {"forbidden.jpg": "Permission denied"}


@pytest.mark.parametrize("recursive", [False, True])
def test_a_folder_of_everything(folder, colorizer, tmp_path, recursive):
    out = tmp_path / "out"
    paths = list_inputs([folder], out, recursive)
    results = name_results(paths, out, [folder])
    report = colorize_files(colorizer, paths, results, batch_size=4)
    reasons = {name: words for name, (_, words) in BAD.items()} | NO_FILES | FORBIDDEN
    if recursive:
        del reasons["folder.jpg"]
    assert len(report.skipped) == len(reasons)
    for name, words in reasons.items():
        assert any(re.search(f"{name}: .*({words})", message) for message in report.skipped), name
    made = dict(zip((path.name for path in paths), results, strict=True))
    for name, (_, shape) in UNUSUAL.items():
        assert images.read_rgb(made[name]).shape == (*shape, 3), name
    assert report.done == len(UNUSUAL) + 2 - len(FORBIDDEN)
    assert len(list(out.iterdir())) == report.done
    first_frame = next(files for note, files in report.notes.items() if "first frame" in note)
    assert [path.name for path in first_frame] == ["moves.gif"]


def test_the_command_names_the_bad_in_one_line_each_and_ends_with_3(folder, model, tmp_path):
    options = ("--pretrained", model, "--result-dir", tmp_path / "out", "--gpu-id", "cpu")
    result = run_process(COLORIZE, *options, "--", folder, "-x.jpg", cwd=folder)
    assert result.returncode == 2
    assert "-x.jpg: no such file" in result.stderr
    result = run_process(COLORIZE, *options, "--", folder, "-dash.jpg", cwd=folder)
    assert result.returncode == 3, result.stderr
    progress, *lines = result.stderr.splitlines()
    assert re.fullmatch(r"(\d+) of \1 pictures in 0:00:\d\d", progress)
    assert all(line.startswith(("skipped: ", "note: ")) for line in lines), result.stderr
    assert sum(line.startswith("skipped: ") for line in lines) == len(BAD) + len(NO_FILES) + len(FORBIDDEN)
    assert f"{len(UNUSUAL) + 2 - len(FORBIDDEN)} colorized" in result.stdout


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "JPEG2000", "AVIF", "PPM"])
def test_truncated_at_each_tenth(tmp_path, format):
    data = encoded(format)
    path = tmp_path / "cut.xyz"
    path.write_bytes(data)
    assert formats.read(path).rgb.shape == (30, 40, 3)
    for tenth in range(10):
        path.write_bytes(data[: len(data) * tenth // 10])
        with pytest.raises(PictureError, match=r"cut\.xyz"):
            formats.read(path)


def test_the_folder_changes_meanwhile(colorizer, tmp_path):
    for i in range(12):
        write_picture(tmp_path / f"in/{i:02}.png", i)
    paths = list_inputs([tmp_path / "in"])

    def change(count):
        (tmp_path / "in/10.png").unlink(missing_ok=True)
        (tmp_path / "in/11.png").write_bytes(b"")
        write_picture(tmp_path / "in/later.png")

    report = colorize_files(colorizer, paths, name_results(paths, tmp_path / "out"), 1, change)
    assert report.done == 10
    assert len(report.skipped) == 2


def test_two_runs_into_one_folder(colorizer, tmp_path):
    for i in range(6):
        write_picture(tmp_path / f"in/{i}.png", i)
    paths = list_inputs([tmp_path / "in"])
    results = name_results(paths, tmp_path / "out")
    reports = []

    def run():
        reports.append(colorize_files(colorizer, paths, results, 2))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [report.done for report in reports] == [6, 6]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {result.name for result in results}
    assert all(images.read_rgb(result).shape == (30, 40, 3) for result in results)


def test_a_full_disk_ends_the_run_and_leaves_no_half_file(colorizer, tmp_path, monkeypatch):
    for i in range(4):
        write_picture(tmp_path / f"in/{i}.png", i)
    paths = list_inputs([tmp_path / "in"])
    real_open = type(tmp_path).open

    def full(path, mode="r", *arguments, **keywords):
        file = real_open(path, mode, *arguments, **keywords)
        if "w" in mode and len(list((tmp_path / "out").glob("*_reconstructed.jpg"))) >= 2:
            with file:
                file.write(b"a beginning")
            raise OSError(28, "No space left on device", str(path))
        return file

    monkeypatch.setattr(type(tmp_path), "open", full)
    with pytest.raises(InputError, match=r"_reconstructed.jpg: cannot be written \(No space left"):
        colorize_files(colorizer, paths, name_results(paths, tmp_path / "out"), 1)
    left = sorted((tmp_path / "out").iterdir())
    assert len(left) == 2
    assert all(images.read_rgb(path).shape == (30, 40, 3) for path in left)


def test_a_broken_disk_of_the_inputs_is_each_pictures_own(colorizer, tmp_path, monkeypatch):
    for name in ("a.png", "b.png"):
        write_picture(tmp_path / "in" / name)
    paths = list_inputs([tmp_path / "in"])
    open_regular = files.open_regular

    def broken(path):
        if path.name == "a.png":
            with files.reading(path, PictureError):
                raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return open_regular(path)

    monkeypatch.setattr(files, "open_regular", broken)
    report = colorize_files(colorizer, paths, name_results(paths, tmp_path / "out"), 1)
    assert report.done == 1
    assert report.skipped == [f"{tmp_path / 'in/a.png'}: cannot be read (Input/output error)"]


def test_a_report_is_right_also_when_an_exception_ends_the_run(colorizer, tmp_path):
    """What was being written beside the network is waited for and counted."""
    for i in range(8):
        write_picture(tmp_path / f"in/{i}.png", i)
    (tmp_path / "in/0.png").write_bytes(b"broken")
    paths = list_inputs([tmp_path / "in"])
    finished, report = [], Report()

    def stop(count):
        finished.append(count)
        if len(finished) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        colorize_files(colorizer, paths, name_results(paths, tmp_path / "out"), 4, stop, report=report)
    assert report.done == len(list((tmp_path / "out").iterdir())) >= 2
    assert len(report.skipped) == 1
    assert "0.png" in report.skipped[0]


def test_a_result_folder_that_cannot_be_written_is_named_before_anything_is_done(model, tmp_path, run):
    write_picture(tmp_path / "in/a.png")
    (tmp_path / "file").write_text("")
    result = run_process(COLORIZE, "--pretrained", model, "--result-dir", tmp_path / "file/out", tmp_path / "in")
    assert result.returncode == 2
    assert re.fullmatch(r"error: .*file/out: cannot be written to \(Not a directory\)\n", result.stderr)
    for folder in ("file/out", "file"):
        arguments = ("--pretrained", model, "--result-dir", tmp_path / folder, "--dry-run")
        code, _, err = run(COLORIZE, *arguments, tmp_path / "in")
        path = f"{tmp_path}/{folder}"
        assert (code, err) == (2, f"error: {path}: cannot be written to ({tmp_path}/file is no folder)\n")


def test_earlier_results_and_inputs_are_not_replaced_silently(colorizer, tmp_path):
    write_picture(tmp_path / "a.png", 1)
    write_picture(tmp_path / "b.png", 2)
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    results = name_results(paths, tmp_path)
    colorize_files(colorizer, paths[:1], results[:1], 1)
    before = results[0].stat().st_mtime_ns
    with pytest.raises(InputError, match=r"a_reconstructed.jpg: is there already \(1 of 2.*--skip-existing.*--over"):
        check_results(paths, results, "refuse")
    for existing in ("skip", "overwrite"):
        check_results(paths, results, existing)
    report = colorize_files(colorizer, paths, results, 1, options=Options(existing="skip"))
    assert (report.done, report.existing, report.skipped) == (1, 1, [])
    assert results[0].stat().st_mtime_ns == before
    with pytest.raises(InputError, match="a_reconstructed.jpg: is one of the pictures"):
        check_results([*paths, results[0]], [*results, tmp_path / "x.jpg"], "overwrite")


def test_memory_that_is_not_enough_is_the_pictures_fault(colorizer, tmp_path, monkeypatch):
    write_picture(tmp_path / "a.png")

    def no_memory(*arguments, **keywords):
        raise MemoryError

    monkeypatch.setattr(formats, "write", no_memory)
    report = colorize_files(colorizer, [tmp_path / "a.png"], [tmp_path / "a.jpg"], 1)
    assert report.skipped == [f"{tmp_path / 'a.png'}: there is not enough memory for it"]


def test_a_tree_is_mirrored_and_results_below_it_are_not_walked(colorizer, tmp_path):
    for name in ("a.png", "x/a.png", "x/y/a.jpg", "x/y/a.png", ".hidden/a.png"):
        write_picture(tmp_path / "in" / name)
    out = tmp_path / "in/out"
    shutil.copytree(tmp_path / "in/x", out / "x")
    paths = list_inputs([tmp_path / "in"], out, recursive=True)
    names = [str(result.relative_to(out)) for result in name_results(paths, out, [tmp_path / "in"])]
    expected = ["a", "x/a", "x/y/a.jpg", "x/y/a.png"]
    assert sorted(names) == [f"{name}_reconstructed.jpg" for name in expected]
