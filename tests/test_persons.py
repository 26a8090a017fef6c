"""The finders of persons: their protocol by hand, real pictures, reference boxes, and files that are none."""

import json
import shutil

import cv2
import numpy as np
import pytest
from conftest import ROOT
from mhmd_films import person, things

from historynet.collecting import persons
from historynet.collecting.settings import SHIPPED
from historynet.errors import InputError
from historynet.pictures import images

ORT = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install -e '.[mhmd]'")


def detect(rgb, score=0.4):
    found = persons.open_detector(SHIPPED)(rgb)
    sure = found.scores >= score
    return found.boxes[sure], found.scores[sure]


def test_the_shipped_one_finds_a_woman_and_no_cup():
    boxes, scores = detect(person())
    assert len(boxes) == 1 and scores[0] > 0.8
    left, top, right, bottom = boxes[0]
    # By eye: her hair begins at 10 pixels, her arms fill the width up to the helmet.
    assert top < 25 and bottom > 490 and left < 60 and 300 < right <= 512
    assert len(persons.open_detector(SHIPPED)(things()).scores) == 0


def test_the_boxes_of_a_part_are_the_parts():
    """Of another shape and size: what is scaled and filled up is scaled back."""
    whole = detect(person())[0][0]
    wide = np.pad(person(), [(0, 0), (600, 200), (0, 0)], constant_values=200)
    np.testing.assert_allclose(detect(wide)[0][0] - (600, 0, 600, 0), whole, atol=25)
    large = cv2.resize(person(), None, fx=2, fy=2)
    np.testing.assert_allclose(detect(large)[0][0] / 2, whole, atol=4)


def test_the_same_by_another_runtime():
    """OpenCV's, on the same file, decoded here cell by cell."""
    rgb = person()[:, :400]
    ratio = 416 / 512
    page = np.full((416, 416, 3), 114, np.float32)
    page[:416, : int(400 * ratio)] = cv2.resize(rgb, (int(400 * ratio), 416))[..., ::-1]
    net = cv2.dnn.readNetFromONNX(str(persons.model_files(SHIPPED)[0]))
    net.setInput(page.transpose(2, 0, 1)[None])
    rows = net.forward()[0]
    best, place = (0.0, None), 0
    for stride in (8, 16, 32):
        for row in range(416 // stride):
            for column in range(416 // stride):
                x, y, width, height, objectness, first = rows[place, :6]
                place += 1
                if objectness * first > best[0]:
                    centre = (x + column) * stride, (y + row) * stride
                    best = objectness * first, (*centre, np.exp(width) * stride, np.exp(height) * stride)
    assert place == len(rows) == 3549
    x, y, width, height = best[1]
    expected = np.clip(
        [x - width / 2, y - height / 2, x + width / 2, y + height / 2] / np.float64(ratio), 0, (400, 512) * 2
    )
    boxes, scores = detect(rgb)
    np.testing.assert_allclose(boxes[0], expected, atol=0.2)
    assert scores[0] == pytest.approx(best[0], abs=1e-3)


def test_doubles_are_left_out_and_boxes_end_at_the_picture():
    boxes = np.array([[0, 0, 100, 100], [5, 5, 105, 105], [-20, 60, 90, 300], [200, 0, 240, 90], [0, 0, 9, 9]], float)
    found = persons._select(boxes, np.array([0.5, 0.8, 0.6, 0.31, 0.29]), 200, 230)
    np.testing.assert_array_equal(found.boxes, [[5, 5, 105, 105], [0, 60, 90, 200], [200, 0, 230, 90]])
    np.testing.assert_array_equal(found.scores, [0.8, 0.6, 0.31])
    assert persons._select(boxes, np.zeros(5), 200, 230).boxes.shape == (0, 4)


def test_main_persons_are_tall_and_sure():
    heights, scores = [100, 45, 39, 90, 19, 60], np.array([0.9, 0.5, 0.8, 0.35, 0.9, 0.4])
    boxes = np.array([[0, 10, 5, 10 + height] for height in heights], float)
    # Of 200 pixels a fifth is 40; four tenths of the tallest are 40, too.
    assert persons.main_persons(boxes, scores, 200, 0.4, 0.2, 0.4).tolist() == [0, 5, 1]
    assert persons.main_persons(boxes, scores, 200, 0.3, 0.2, 0.4).tolist() == [0, 3, 5, 1]
    assert persons.main_persons(boxes, scores, 200, 0.4, 0.2, 0.5).tolist() == [0, 5]
    assert persons.main_persons(boxes, scores, 50, 0.4, 0.2, 0.1).tolist() == [0, 5, 1, 2, 4]
    assert persons.main_persons(boxes[:0], scores[:0], 200, 0.4, 0.2, 0.4).tolist() == []


def test_what_is_no_detector_is_named(tmp_path, monkeypatch):
    def refuse(name, data, said):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=said):
            persons.open_detector(str(tmp_path / name))

    refuse("model.pt", b"x", "model.pt: not a detector that can be read")
    refuse("model.onnx", b"no model", "model.onnx: not an ONNX model")
    refuse("net.cfg", b"[net]\nwidth=32\nheight=32\n", r"net\.weights: cannot be read")
    (tmp_path / "net.weights").write_bytes(bytes(40))
    refuse("net.cfg", b"nonsense", "net.cfg: with net.weights not a Darknet network that finds persons")
    refuse(
        "net.cfg", b"[net]\nwidth=32\nheight=32\nchannels=3\n[convolutional]\nfilters=2\nsize=1\nstride=1\n", "Darknet"
    )
    with pytest.raises(InputError, match="cannot be read"):
        persons.open_detector(str(tmp_path / "none.onnx"))
    monkeypatch.delattr(cv2.dnn, "readNetFromDarknet")
    refuse("net.cfg", b"[net]", "does not read Darknet's networks any more; convert it to ONNX")


def test_another_network_is_named_by_its_output(tmp_path):
    onnx = tmp_path / "other.onnx"
    # An ONNX file by hand: y = Identity(x), of shape (1, 3).
    value = bytes.fromhex("0a017812130a11080112 0d0a0208010a0208030a0308ff01".replace(" ", ""))
    onnx.write_bytes(value)
    with pytest.raises(InputError, match=r"other\.onnx: "):
        persons.open_detector(str(onnx))


def test_the_licence_comes_with_it():
    text = (ROOT / "historynet/models/yolox_LICENSE.txt").read_text()
    assert "Apache License" in text and "Megvii" in text and "END OF TERMS AND CONDITIONS" in text


def test_the_digest_is_of_all_files(tmp_path):
    for name, data in (("a.cfg", b"1"), ("a.weights", b"2")):
        (tmp_path / name).write_bytes(data)
    before = persons.digest(str(tmp_path / "a.cfg"))
    (tmp_path / "a.weights").write_bytes(b"3")
    assert len({before, persons.digest(str(tmp_path / "a.cfg")), persons.digest(SHIPPED)}) == 3


def test_boxes_are_the_reference(reference):
    golden = json.loads((reference / "golden/mhmd/persons.json").read_text())
    for picture in golden["pictures"]:
        rgb = images.read_rgb(reference / picture["file"])
        boxes, scores = detect(rgb)
        np.testing.assert_allclose(boxes, np.reshape(picture["boxes"], (-1, 4)), atol=1)
        np.testing.assert_allclose(scores, picture["scores"], atol=0.01)
        main = persons.main_persons(boxes, scores, rgb.shape[0], 0.4, 0.2, 0.4)
        assert sorted(main.tolist()) == picture["main"]


@pytest.mark.slow
def test_somebody_is_found_where_somebody_is(reference):
    folder = reference / "data/ccp_mhmd/dataset_second"
    found = [len(detect(images.read_rgb(folder / name))[0]) for name in images.list_pictures(folder)]
    assert len(found) == 84 and min(found) >= 1


def test_nobody_is_found_where_nobody_is(reference):
    """In photographs that were chosen by eye."""
    names = (ROOT / "tests/photographs_without_people.txt").read_text().split()
    found = [len(detect(images.read_rgb(reference / "data/fsac_color" / name))[0]) for name in names]
    assert len(found) == 50 and np.count_nonzero(found) <= 1


def test_darknet_finds_them_as_well(reference, tmp_path):
    folder = reference / "weights/person_detector"
    for suffix in (".cfg", ".weights"):
        shutil.copy(folder / f"yolo-fastest-1.1-xl{suffix}", tmp_path / f"net{suffix}")
    detector = persons.open_detector(str(tmp_path / "net.cfg"))
    sure = detector(person()).scores >= 0.4
    np.testing.assert_allclose(detector(person()).boxes[sure][0], detect(person())[0][0], atol=60)
    assert not (detector(things()).scores >= 0.4).any()
    pictures = reference / "data/ccp_mhmd/dataset_second"
    for name in images.list_pictures(pictures)[::8]:
        assert detector(images.read_rgb(pictures / name)).scores.max(initial=0) >= 0.4
