import numpy as np
import pytest
from conftest import label_line, open_folder, reader_of, write_picture

from historynet.data import batches as batching
from historynet.data import mhmd as layout
from historynet.data.samples import Crop, Samples, epoch_order, random_crop
from historynet.errors import InputError, PictureError
from historynet.pictures import color, images

ALLOW = ("--allow-missing-labels", "--allow-missing-parsing")


def batches(samples, order=None, size=2, **more):
    order = range(len(samples)) if order is None else order
    return list(batching.batches(samples, order, size, (32, 32), **more))


def labels_of(samples):
    whole = Crop((32, 32), (32, 32))
    return np.array([reader_of(samples, "label").read(i, whole)["label"] for i in range(len(samples))])


def test_fields_of_a_batch(mhmd):
    samples = open_folder(mhmd / "dataset_train")
    batch = batches(samples)[0]
    assert batch.names == ["0000.jpg", "0001.jpg"]
    rgb = images.read_rgb(mhmd / "dataset_train" / "0001.jpg")
    lab = color.network_lab(rgb, (32, 32))
    np.testing.assert_array_equal(batch.fields["L"][1], lab[..., :1])
    np.testing.assert_array_equal(batch.fields["ab"][1], lab[..., 1:])
    drawn = images.read_rgb(mhmd / "dataset_train_seg" / "0001_seg.jpg")
    np.testing.assert_array_equal(batch.fields["parsing"][1], color.network_lab(drawn, (32, 32))[..., :1])
    np.testing.assert_array_equal(batch.fields["label"], np.eye(42)[:2])
    assert all(value.dtype == np.float32 for value in batch.fields.values())


def test_golden_batch(reference):
    """The released program's own arrays, from the same files."""
    steps = np.load(reference / "golden/HistoryNet/steps.npz")
    samples = open_folder(reference / "data/ccp_mhmd/dataset_train")
    for k in range(3):
        order = [samples.names.index(name) for name in steps[f"names_{k}"]]
        (batch,) = batching.batches(samples, order, 2, (224, 224))
        for field, name in (("L", "L"), ("ab", "AB"), ("label", "sign"), ("parsing", "seg")):
            np.testing.assert_array_equal(batch.fields[field], steps[f"{name}_{k}"].astype(np.float32), err_msg=field)


def test_both_kinds_of_label_line_and_names_with_spaces(tmp_path):
    for name in ("a b.jpg", "c.jpg", "d.jpg"):
        write_picture(tmp_path / name)
    lines = [
        label_line("a b.jpg", 41, end="\n"),
        "\n",
        label_line("c.jpg", 41, end=" \n"),
        "d.jpg " + "2 7 " * 21 + "\r\n",
        label_line("gone.jpg"),
    ]
    (tmp_path / "sign.txt").write_text("".join(lines))
    samples = open_folder(tmp_path, ("L", "ab", "label"))
    labels = labels_of(samples)
    assert labels[:, 41].tolist() == [1, 1, 7]
    assert labels.sum() == 1 + 1 + 21 * 9
    assert reader_of(samples, "label").remarks == "1 lines for pictures that are not in the folder"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (label_line("a.jpg", classes=41), "line 1.*there are 41"),
        (label_line("a.jpg", classes=43), "line 1.*there are 43"),
        (label_line("a.jpg").replace("1", "x"), "line 1.*'x'"),
        (label_line("a.jpg").replace("1", "-1"), "line 1.*'-1'"),
        (label_line("a.jpg").replace("1", "0.5"), "line 1.*'0.5'"),
        (label_line("a.jpg").replace("1", "9" * 11), "line 1.*'99999999999'"),
        (label_line("a.jpg", 1) + label_line("a.jpg", 2), "line 2.*earlier line"),
        (label_line("b.jpg"), "no line for a.jpg"),
        ("", "no line for a.jpg"),
    ],
)
def test_bad_label_lines_are_named(tmp_path, line, words):
    write_picture(tmp_path / "a.jpg")
    (tmp_path / "sign.txt").write_text(line)
    with pytest.raises(InputError, match=rf"sign.txt.*{words}"):
        open_folder(tmp_path, ("L", "ab", "label", "parsing"), "--allow-missing-parsing")


def test_too_many_values_after_a_name_with_spaces(tmp_path):
    write_picture(tmp_path / "a b.jpg")
    (tmp_path / "sign.txt").write_text(label_line("a b.jpg", classes=43))
    with pytest.raises(InputError, match="line 1"):
        open_folder(tmp_path, ("L", "ab", "label"), "--allow-missing-labels")


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    write_picture(tmp_path / "a.jpg")
    (tmp_path / "sign.txt").write_text(label_line("a.jpg"), encoding="utf-8-sig")
    assert reader_of(open_folder(tmp_path, ("L", "ab", "label")), "label").present.all()


def test_only_pictures_are_parsing_pictures(mhmd):
    for name in ("0000_seg.txt", "0000_seg.xml", "0000_seg.png"):
        (mhmd / "dataset_train_seg" / name).write_text("x")
    assert layout.find_parsing(mhmd / "dataset_train_seg", ["0000.jpg", "0009.jpg"]) == ["0000_seg.jpg", None]


def test_missing_label_file_parsing_and_folder_are_named(mhmd):
    (mhmd / "dataset_train_seg/0003_seg.jpg").unlink()
    with pytest.raises(InputError, match=r"0003_seg.*1 of 5.*--allow-missing-parsing"):
        open_folder(mhmd / "dataset_train")
    (mhmd / "dataset_train/sign.txt").unlink()
    with pytest.raises(InputError, match=r"sign.txt.*--allow-missing-labels"):
        open_folder(mhmd / "dataset_train")
    with pytest.raises(InputError, match="nowhere"):
        open_folder(mhmd / "nowhere")


def test_what_is_missing_is_masked(mhmd):
    (mhmd / "dataset_train_seg/0001_seg.jpg").unlink()
    lines = (mhmd / "dataset_train/sign.txt").read_text().splitlines(keepends=True)
    (mhmd / "dataset_train/sign.txt").write_text("".join(lines[2:]))
    samples = open_folder(mhmd / "dataset_train", ("L", "ab", "label", "parsing"), *ALLOW)
    fields = batches(samples, size=4)[0].fields
    # Weights have mean 1, so that mean(weight * loss) is the mean over those that have a label.
    np.testing.assert_array_equal(fields["label_weight"], [0, 0, 2, 2])
    np.testing.assert_allclose(fields["parsing_weight"], np.array([1, 0, 1, 1]) * 4 / 3, rtol=1e-6)
    assert not fields["label"][:2].any()
    assert not fields["parsing"][1].any()


def test_own_photographs_without_anything(mhmd):
    (mhmd / "dataset_train/sign.txt").unlink()
    for path in (mhmd / "dataset_train_seg").iterdir():
        path.unlink()
    (mhmd / "dataset_train_seg").rmdir()
    samples = open_folder(mhmd / "dataset_train", ("L", "ab", "label", "parsing"), *ALLOW)
    fields = batches(samples)[0].fields
    assert not fields["label_weight"].any()
    assert not fields["parsing_weight"].any()


def test_last_batch_is_smaller_not_dropped(mhmd):
    samples = open_folder(mhmd / "dataset_train")
    assert [len(batch.names) for batch in batches(samples)] == [2, 2, 1]


def test_labels_of_many_lines_with_few_different_ends(tmp_path):
    """Against splitting each line from the right; names with spaces, other spacing and unknown pictures among them."""
    rng = np.random.default_rng(0)
    ends = [" ".join(map(str, row)) for row in rng.integers(0, 3, (4, 42))]
    names = [f"{i} b.jpg" if i % 7 == 0 else f"{i}.jpg" for i in range(60)]
    lines = [name + (" ", "  ", "\t")[i % 3] + ends[i % 4] + (" \n", "\n")[i % 2] for i, name in enumerate(names)]
    for name in names[:50]:
        write_picture(tmp_path / name, size=(8, 8))
    (tmp_path / "sign.txt").write_text("".join(lines))
    opened = open_folder(tmp_path, ["label"])
    assert reader_of(opened, "label").remarks.startswith("10 lines")
    expected = {name: line.rsplit(maxsplit=42)[1:] for name, line in zip(names, lines, strict=True)}
    for name, label in zip(opened.names, labels_of(opened), strict=True):
        np.testing.assert_array_equal(label, np.array(expected[name], int))


def test_order_is_a_shuffle_by_seed_and_epoch():
    first = epoch_order(100, seed=1, epoch=0)
    assert sorted(first) == list(range(100))
    np.testing.assert_array_equal(first, epoch_order(100, seed=1, epoch=0))
    assert (first != epoch_order(100, seed=1, epoch=1)).any()
    assert (first != epoch_order(100, seed=2, epoch=0)).any()
    assert (first != np.arange(100)).any()


@pytest.mark.parametrize("broken", ["dataset_train/0002.jpg", "dataset_train_seg/0002_seg.jpg"])
def test_broken_picture_stops_or_is_left_out(mhmd, broken):
    (mhmd / broken).write_bytes(b"broken")
    samples = open_folder(mhmd / "dataset_train")
    with pytest.raises(PictureError, match=r"0002.*--skip-broken"):
        batches(samples)
    reported = []
    # The batches before the end stay full.
    names = [batch.names for batch in batches(samples, report_broken=reported.append)]
    assert names == [["0000.jpg", "0001.jpg"], ["0003.jpg", "0004.jpg"]]
    assert len(reported) == 1


def test_processes_that_share_a_batch_read_their_own_samples(mhmd, monkeypatch):
    """Joined, they are the whole batches; label_weight and parsing_weight are those of the whole."""
    folder = mhmd / "dataset_train"
    (folder / "sign.txt").write_text("".join(label_line(f"{i:04}.jpg", i) for i in (0, 1, 4)))
    (mhmd / "dataset_train_seg/0002_seg.jpg").unlink()
    samples = open_folder(folder, ("L", "ab", "label", "parsing"), *ALLOW)
    order = [3, 1, 4, 0, 2]
    whole = batches(samples, order, size=3)
    read = []
    monkeypatch.setattr(images, "read_rgb", lambda path, read_rgb=images.read_rgb: read.append(path) or read_rgb(path))
    odd, even = (batches(samples, order, size=3, share=lambda n, i=i: range(i, n, 2)) for i in (0, 1))
    assert len([path for path in read if path.parent == folder]) == 5
    for batch, a, b in zip(whole, odd, even, strict=True):
        assert (batch.names, batch.end) == (a.names, a.end) == (b.names, b.end)
        for field, values in batch.fields.items():
            np.testing.assert_array_equal(values[::2], a.fields[field])
            np.testing.assert_array_equal(values[1::2], b.fields[field])


def test_parsing_folder_of_another_name(mhmd):
    (mhmd / "dataset_train_seg").rename(mhmd / "drawn")
    samples = open_folder(mhmd / "dataset_train", ("L", "ab", "label", "parsing"), "--train-parsing", mhmd / "drawn")
    assert reader_of(samples, "parsing").present.all()


def test_a_crop_is_cut_from_the_resized_picture_and_its_parsing_alike(mhmd):
    samples = open_folder(mhmd / "dataset_train")
    crops = [Crop((40, 40), (32, 32), 3, 8, False), Crop((40, 40), (32, 32), 0, 5, True)]
    (batch,) = batches(samples, [4, 1], crop=lambda place: crops[place])
    for row, (name, top, left) in enumerate([("0004", 3, 8), ("0001", 0, 5)]):
        for field, path in (("ab", f"dataset_train/{name}.jpg"), ("parsing", f"dataset_train_seg/{name}_seg.jpg")):
            lab = color.network_lab(images.read_rgb(mhmd / path), (40, 40))[top : top + 32, left : left + 32]
            lab = lab[:, ::-1] if row else lab
            expected = lab[..., 1:] if field == "ab" else lab[..., :1]
            np.testing.assert_array_equal(batch.fields[field][row], expected)


def test_random_crops_go_everywhere_and_depend_on_seed_epoch_and_sample_alone():
    crops = [random_crop((40, 40), (32, 32), 7, 1, index) for index in range(500)]
    for name in ("top", "left"):
        assert {getattr(crop, name) for crop in crops} == set(range(9))
    assert 200 < sum(crop.mirrored for crop in crops) < 300
    assert crops == [random_crop((40, 40), (32, 32), 7, 1, index) for index in range(500)]
    for other in ((8, 1), (7, 2)):
        same = sum(crop == random_crop((40, 40), (32, 32), *other, index) for index, crop in enumerate(crops))
        assert same < 20
    # Rows and columns have room of their own.
    tall = [random_crop((50, 40), (32, 38), 7, 1, index) for index in range(500)]
    assert {crop.top for crop in tall} == set(range(19))
    assert {crop.left for crop in tall} == set(range(3))
    assert {random_crop((32, 32), (32, 32), 0, 0, i) for i in range(20)} == {
        Crop((32, 32), (32, 32)),
        Crop((32, 32), (32, 32), mirrored=True),
    }


def test_batches_of_rectangles(mhmd):
    samples = open_folder(mhmd / "dataset_train")
    rgb = images.read_rgb(mhmd / "dataset_train/0001.jpg")
    drawn = images.read_rgb(mhmd / "dataset_train_seg/0001_seg.jpg")
    (whole,) = batching.batches(samples, [1], 1, (24, 40))
    np.testing.assert_array_equal(whole.fields["ab"][0], color.network_lab(rgb, (24, 40))[..., 1:])
    crop = Crop((30, 44), (24, 40), top=6, left=1)
    (part,) = batching.batches(samples, [1], 1, (24, 40), crop=lambda place: crop)
    np.testing.assert_array_equal(part.fields["L"][0], color.network_lab(rgb, (30, 44))[6:, 1:41, :1])
    np.testing.assert_array_equal(part.fields["parsing"][0], color.network_lab(drawn, (30, 44))[6:, 1:41, :1])


def test_a_system_brings_its_own_fields_and_readers():
    """Two fields of one reader, one of which some samples lack, and no picture anywhere."""

    class Squares:
        fields = ("number", "square")
        noun = "square"
        present = np.array([True, False, True])
        remarks = ""

        def shape(self, field, size):
            return (1,)

        def read(self, index, crop):
            return {"number": np.float32([index])} | ({} if index == 1 else {"square": np.float32([index**2])})

        def picture(self, index):
            return None

    (batch,) = batching.batches(Samples(["a", "b", "c"], [Squares()]), [2, 1, 0], 3, (1, 1))
    assert batch.names == ["c", "b", "a"]
    assert batch.fields["number"].tolist() == [[2], [1], [0]]
    assert batch.fields["square"].tolist() == [[4], [0], [0]]
    assert batch.fields["square_weight"].tolist() == [1.5, 0, 1.5]
