"""Pix2Pix's training pictures of Pascal VOC 2012 and ImageNet64, as made trees and files; the presets for them."""

import io
import json
import pickle
import signal
import subprocess
import sys
import time
import zipfile

import cv2
import numpy as np
import pytest
from conftest import ROOT, write_picture
from test_pix2pix import resolve

from historynet.collecting import imagenet64
from historynet.pictures import color, images
from historynet.systems.pix2pix.architecture import Architecture

VOC, IMAGENET64 = "SOURCE_Pix2Pix/prepare_voc.py", "SOURCE_Pix2Pix/prepare_imagenet64.py"
LIST = "ImageSets/Segmentation/val.txt"


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# Presets


def test_the_preset_of_movies_is_experiment_5_at_256x512():
    movies, fifth = resolve("--config", ROOT / "SOURCE_Pix2Pix/movies.json"), experiment(5)
    # Those networks whose layers and outputs the reference numbers have; R12, R13.
    assert movies.architecture == Architecture(256, 512, attention=64)
    assert movies.crop_size == (256, 512)
    same = ("gan_loss", "learning_rate", "num_epochs", "lambda_l1", "dropout", "batch_size", "spectral_norm", "width")
    assert [getattr(movies, name) for name in same] == [getattr(fifth, name) for name in same]
    assert movies.train_data == ROOT / "DATASET/movies/movies_train"
    assert movies.test_data == ROOT / "DATASET/movies/movies_test"


def test_the_preset_of_imagenet64_is_the_first_version():
    """R32."""
    first = resolve("--config", ROOT / "SOURCE_Pix2Pix/imagenet64.json")
    assert first.architecture == Architecture(64, 64, depth=6)
    assert (first.crop_size, first.gan_loss) == ((64, 64), "log")
    assert first.train_data == ROOT / "DATASET/imagenet64_train"
    assert first.test_data == ROOT / "DATASET/imagenet64_test"


def experiment(number):
    return resolve("--config", ROOT / f"SOURCE_Pix2Pix/expt{number}.json")


@pytest.mark.parametrize("name", [*(f"expt{number}" for number in range(1, 9)), "sagan", "movies", "imagenet64"])
def test_parameters_are_the_tables(name):
    """Section 4 of the report's specification; of 64x64 by the sum of its layers."""
    import keras

    from historynet.systems.pix2pix.patch_discriminator import build_discriminator
    from historynet.systems.pix2pix.unet import build_generator

    expected = {
        **dict.fromkeys(("expt1", "expt2"), (41_824_898, 2_765_633)),
        **dict.fromkeys(("expt3", "expt4"), (41_833_091, 2_773_826)),
        **dict.fromkeys(("expt5", "expt6"), (41_826_947, 2_767_682)),
        **dict.fromkeys(("expt7", "expt8"), (41_824_907, 2_767_682)),
        "sagan": (41_826_947, 2_766_786),
        "movies": (41_833_091, 2_773_826),
        # Without up6 and down6 of 128x128 with their norms; what was the innermost has no norm, but is as large.
        "imagenet64": (41_824_898 - 4_194_304 - 8_388_608 - 2 * 1_024, 2_765_633),
    }
    architecture = resolve("--config", ROOT / f"SOURCE_Pix2Pix/{name}.json").architecture
    with keras.StatelessScope(initialize_variables=False):
        for build, count in zip((build_generator, build_discriminator), expected[name], strict=True):
            weights = build(architecture).trainable_weights
            assert sum(int(np.prod(weight.shape)) for weight in weights) == count


# Pascal VOC 2012


@pytest.fixture
def voc(tmp_path):
    """Nine pictures, three of which are for tests."""
    root = tmp_path / "VOCdevkit/VOC2012"
    for i in range(9):
        write_picture(root / f"JPEGImages/2007_{i:06}.jpg", i, (50 + i, 37))
    for folder in ("Annotations", "ImageSets/Main", "SegmentationClass"):
        (root / folder).mkdir(parents=True)
    (root / "SegmentationClass/2007_000001.png").write_bytes(b"no training picture")
    (root / "ImageSets/Segmentation").mkdir()
    (root / "ImageSets/Segmentation/train.txt").write_text("2007_000000\n")
    (root / "ImageSets/Segmentation/val.txt").write_text("2007_000001\n2007_000004\n2007_000008\n")
    return root


def test_voc_is_divided_by_its_own_list(voc, tmp_path, run):
    code, out, _ = run(VOC, voc, "--out", tmp_path / "out")
    assert code == 0
    assert f"{tmp_path / 'out/voc_train'}: pictures: 6 (0 of them were there already)" in out
    assert f"{tmp_path / 'out/voc_test'}: pictures: 3 (0" in out
    parts = {part: images.list_pictures(tmp_path / "out" / part) for part in ("voc_train", "voc_test")}
    assert parts["voc_test"] == [f"2007_{i:06}.png" for i in (1, 4, 8)]
    assert parts["voc_train"] == [f"2007_{i:06}.png" for i in (0, 2, 3, 5, 6, 7)]
    for part, names in parts.items():
        for name in names:
            small = images.read_rgb(tmp_path / "out" / part / name)
            original = images.read_rgb(voc / "JPEGImages" / name.replace(".png", ".jpg"))
            # The same pixels as if they were resized while training reads them (R31).
            assert small.shape == (128, 128, 3)
            np.testing.assert_array_equal(color.network_lab(small, (128, 128)), color.network_lab(original, (128, 128)))


def test_voc_as_other_systems_copy_it(voc, tmp_path, run):
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert run(VOC, voc, "--out", whole)[0] == 0
    for name in ("2007_000001", "2007_000002"):
        (voc / f"JPEGImages/{name}.jpg").rename(voc / f"JPEGImages/{name}.JPG")
    listed = voc / "ImageSets/Segmentation/val.txt"
    listed.write_bytes(b"\xef\xbb\xbf" + listed.read_bytes().replace(b"\n", b"\r\n"))
    assert run(VOC, voc, "--out", out)[0] == 0
    assert contents(out) == contents(whole)


def test_voc_that_was_stopped_goes_on_to_the_same_files(voc, tmp_path, run):
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert run(VOC, voc, "--out", whole)[0] == run(VOC, voc, "--out", out)[0] == 0
    for name in ("voc_train/2007_000003.png", "voc_test/2007_000004.png"):
        (out / name).unlink()
    (out / "voc_train/.unfinished-x.png").write_bytes(b"half")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    code, text, _ = run(VOC, voc, "--out", out)
    assert code == 0 and "voc_train: pictures: 6 (5 of them" in text and "voc_test: pictures: 3 (2 of them" in text
    assert contents(out) == contents(whole)
    assert all(path.stat().st_mtime_ns == then for path, then in before.items() if path.exists())


def test_pictures_of_voc_that_are_missing_or_damaged_are_named(voc, tmp_path, run):
    (voc / "JPEGImages/2007_000004.jpg").unlink()
    damaged = voc / "JPEGImages/2007_000005.jpg"
    damaged.write_bytes(damaged.read_bytes()[:200])
    code, out, err = run(VOC, voc, "--out", tmp_path / "out")
    assert code == 3 and "voc_train: pictures: 5" in out and "voc_test: pictures: 2" in out
    skipped = [line for line in err.splitlines() if line.startswith("skipped")]
    assert len(skipped) == 2 and str(damaged) in skipped[0]
    assert skipped[1] == f"skipped: {voc / 'JPEGImages/2007_000004.jpg'}: cannot be read (No such file or directory)"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda voc: (voc / LIST).unlink(),
            "val.txt: no such file; the whole of VOCdevkit",
        ),
        (lambda voc: (voc / LIST).write_text("\n"), "val.txt: names no pictures"),
        (lambda voc: (voc / LIST).write_text("a\n../../b\n"), "val.txt: line 2: '../../b'"),
        (lambda voc: (voc / LIST).write_text("a\n" * 600_000), "a file of more than 1 MB"),
        (lambda voc: (voc / "JPEGImages").rename(voc / "Images"), "JPEGImages: no such folder; the whole of VOCdevkit"),
    ],
)
def test_what_is_no_voc_is_refused(voc, tmp_path, run, change, words):
    change(voc)
    code, _, err = run(VOC, voc, "--out", tmp_path / "out")
    assert code == 2 and words in err and err.startswith("error: ") and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_pictures_of_another_division_are_not_mixed_in(voc, tmp_path, run):
    assert run(VOC, voc, "--out", tmp_path)[0] == 0
    before = contents(tmp_path / "voc_train")
    (voc / LIST).write_text("2007_000000\n2007_000001\n")
    code, _, err = run(VOC, voc, "--out", tmp_path)
    assert code == 2 and "voc_train: 1 pictures are not of this data set's voc_train, as 2007_000000.png" in err
    assert contents(tmp_path / "voc_train") == before


# ImageNet64


def make_rows(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 12288), np.uint8)


@pytest.fixture
def batch(tmp_path):
    """A batch in the published layout, of more pictures than are read at once."""
    path = tmp_path / "train_data_batch_1.npz"
    np.savez(path, data=make_rows(70), labels=np.arange(1, 71), mean=np.zeros(12288))
    return path


def test_imagenet64_becomes_pictures(batch, tmp_path, run):
    other = tmp_path / "train_data_batch_2.npz"
    np.savez_compressed(other, data=make_rows(3, 1), labels=np.arange(3), mean=np.zeros(12288))
    out = tmp_path / "out"
    code, text, _ = run(IMAGENET64, batch, other, "--out", out)
    assert code == 0 and f"{out / 'train_data_batch_1_*.png'}: pictures: 70 (0 of them were there already)" in text
    assert len(images.list_pictures(out)) == 73
    data = make_rows(70)
    for number in (0, 1, 63, 64, 69):
        picture = cv2.imread(str(out / f"train_data_batch_1_{number:06}.png"))[..., ::-1]
        assert picture.shape == (64, 64, 3)
        # Red is the first plane, row by row.
        assert picture[2, 5].tolist() == [data[number, plane * 4096 + 2 * 64 + 5] for plane in range(3)]
        np.testing.assert_array_equal(
            picture, np.dstack([plane.reshape(64, 64) for plane in np.split(data[number], 3)])
        )


def test_imagenet64_that_was_stopped_goes_on_to_the_same_files(batch, tmp_path, run):
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert run(IMAGENET64, batch, "--out", whole)[0] == run(IMAGENET64, batch, "--out", out)[0] == 0
    for number in (0, 40, 69):
        (out / f"train_data_batch_1_{number:06}.png").unlink()
    (out / ".unfinished-x.png").write_bytes(b"half")
    code, text, _ = run(IMAGENET64, batch, "--out", out)
    assert code == 0 and "pictures: 70 (67 of them" in text
    assert contents(out) == contents(whole)


@pytest.mark.slow
def test_killed_and_continued_it_is_the_same(tmp_path, run):
    batch, whole, out = tmp_path / "train_data_batch_1.npz", tmp_path / "whole", tmp_path / "out"
    np.savez(batch, data=make_rows(2000))
    process = subprocess.Popen([sys.executable, str(ROOT / IMAGENET64), str(batch), "--out", str(out)])
    while process.poll() is None and len(list(out.glob("*.png"))) < 50:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=60) == -9
    assert 50 <= len(list(out.glob("*.png"))) < 2000
    assert run(IMAGENET64, batch, "--out", out)[0] == run(IMAGENET64, batch, "--out", whole)[0] == 0
    assert contents(out) == contents(whole)


class Program:
    """What a pickle can do."""

    def __reduce__(self):
        return (print, ("run",))


def header(shape, dtype="|u1"):
    data = io.BytesIO()
    np.lib.format.write_array_header_1_0(data, {"descr": dtype, "fortran_order": False, "shape": shape})
    return data.getvalue()


def zipped(path, **members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)


BAD = {
    "pickle": (
        lambda path, data: path.write_bytes(pickle.dumps({"data": data, "x": Program()})),
        "a pickle of Python, which is a program and not read; the .npz form of the batch is needed",
    ),
    "pickle of protocol 0": (
        lambda path, data: path.write_bytes(pickle.dumps({"x": Program()}, protocol=0)),
        "a pickle of Python, which is a program and not read; the .npz form of the batch is needed",
    ),
    "objects": (
        lambda path, data: np.savez(path, data=np.array([Program()], object)),
        "'data' holds pickled objects, which are programs and never read; the .npz form",
    ),
    "type": (
        lambda path, data: np.savez(path, data=data.astype(np.float32)),
        "'data' is float32 (3, 12288), not uint8",
    ),
    "side": (lambda path, data: np.savez(path, data=data[:, :3072]), "'data' is uint8 (3, 3072), not uint8 (n, 12288)"),
    "one": (lambda path, data: np.savez(path, data=data[0]), "'data' is uint8 (12288,), not uint8 (n, 12288)"),
    "none": (lambda path, data: np.savez(path, data=data[:0]), "'data' is uint8 (0, 12288), not"),
    "columns": (lambda path, data: np.savez(path, data=np.asfortranarray(data)), "'data' is stored column by column"),
    "other arrays": (lambda path, data: np.savez(path, x=data), "has no array 'data'; the .npz form of the batch"),
    "no batch": (
        lambda path, data: path.write_bytes(b"\xff\xd8\xff"),
        "no batch; the .npz form of the batch is needed",
    ),
    "empty": (lambda path, data: path.write_bytes(b""), "the file is empty"),
    "a terabyte": (
        lambda path, data: zipped(path, data=header((10**8, 12288)) + b"x" * 999),
        "damaged, or no batch of ImageNet64 (an array of another size than its file)",
    ),
    "no header": (
        lambda path, data: zipped(path, data=b"\x93NUMPY\x01\x00\xff\xff"),
        "not the header of a plain array",
    ),
}


def refused(path, tmp_path, run):
    code, out, err = run(IMAGENET64, path, "--out", tmp_path / "out")
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert code == 2 and errors == err.splitlines()[-1:] and str(path) in errors[0] and "run" not in out.split()
    assert not list(tmp_path.glob("out/*"))
    return errors[0]


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_batch_is_refused(tmp_path, run, kind):
    make, words = BAD[kind]
    path = tmp_path / "train_data_batch_1.npz"
    make(path, make_rows(3))
    assert words in refused(path, tmp_path, run)


@pytest.mark.parametrize("kind", ["cut", "turned", "bomb"])
def test_damaged_batches_are_refused_before_a_picture_is_written(batch, tmp_path, run, kind):
    data = bytearray(batch.read_bytes())
    if kind == "cut":
        data = data[: len(data) // 2]
    elif kind == "turned":
        data[len(data) // 2] ^= 1
    else:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("data.npy", header((10_000, 12288)) + bytes(10_000 * 12288))
        data = packed.getvalue()
    batch.write_bytes(data)
    words = {"cut": "not a zip file", "turned": "Bad CRC-32", "bomb": "more than 4 times the file"}
    assert words[kind] in refused(batch, tmp_path, run)


def test_a_bad_batch_among_others_is_said_first(batch, tmp_path, run):
    bad = tmp_path / "train_data_batch_2"
    bad.write_bytes(pickle.dumps({"data": make_rows(1)}, protocol=2))
    code, _, err = run(IMAGENET64, batch, bad, "--out", tmp_path / "out")
    assert code == 2 and f"error: {bad}: a pickle" in err and not (tmp_path / "out").exists()


def test_two_batches_of_one_name_are_never_mixed(batch, tmp_path, run):
    other = tmp_path / "other/train_data_batch_1.npz"
    other.parent.mkdir()
    np.savez(other, data=make_rows(80, 3))
    code, _, err = run(IMAGENET64, batch, other, "--out", tmp_path / "out")
    assert code == 2 and "another one has the same name" in err
    assert run(IMAGENET64, batch, "--out", tmp_path / "out")[0] == 0
    before = contents(tmp_path / "out")
    code, _, err = run(IMAGENET64, other, "--out", tmp_path / "out")
    assert code == 2 and "holds pictures of another train_data_batch_1.npz" in err
    assert contents(tmp_path / "out") == before
    (tmp_path / "out/.imagenet64.json").write_text(json.dumps([]))
    code, _, err = run(IMAGENET64, batch, "--out", tmp_path / "out")
    assert code == 2 and "not the record of a folder of ImageNet64" in err


def test_a_batch_is_never_held_as_a_whole(tmp_path, monkeypatch):
    import tracemalloc

    path = tmp_path / "train_data_batch_1.npz"
    np.savez(path, data=make_rows(2000))
    batch = imagenet64.open_batch(path)
    tracemalloc.start()
    pictures = sum(1 for _ in imagenet64._read(batch))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert pictures == 2000 and most < 5e6 < path.stat().st_size / 4
