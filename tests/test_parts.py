"""The parts of a person: their table, drawings that are read back, and the tags of Clothing Co-Parsing."""

import csv

import cv2
import numpy as np
import pytest

from historynet.collecting import crops, parts, tags
from historynet.pictures import images
from historynet.systems.parser.architecture import CLASSES


def luminance(rgb):
    return cv2.cvtColor(np.uint8(rgb)[None], cv2.COLOR_RGB2LAB)[0, :, 0]


def regions(colours, seed=0, shape=(120, 90)):
    """Indices of colours in blobs of some size, and the picture that is drawn of them."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, len(colours), (6, 5)).astype(np.uint8)
    indices = cv2.resize(small, shape[::-1], interpolation=cv2.INTER_NEAREST)
    return indices, colours[indices]


def test_the_table_is_the_reference(reference):
    with (reference / "golden/mhmd/parts20.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["part"] for row in rows] == list(parts.NAMES)
    assert [tuple(map(int, row["cihp_rgb"].split())) for row in rows] == [tuple(c) for c in parts.PALETTES["cihp"]]
    assert [int(row["gray"]) for row in rows] == parts.PALETTES["levels"][:, 0].tolist()
    assert [int(row["L"]) for row in rows] == luminance(parts.PALETTES["levels"]).tolist()
    assert [int(row["cihp_L"]) for row in rows] == luminance(parts.PALETTES["cihp"]).tolist()


def test_levels_are_evenly_spaced_in_l():
    order = """left-shoe right-shoe socks hair skirt pants sunglasses hat scarf coat upper-clothes dress left-leg
        right-leg torso-skin left-arm right-arm glove face"""
    found = luminance(parts.PALETTES["levels"])[[parts.NAMES.index(name) for name in order.split()]]
    # Not every L is that of a gray.
    assert np.abs(found.astype(int) - [40 + 215 * i / 18 for i in range(19)]).max() < 1
    assert luminance(parts.PALETTES["levels"])[0] == 0


def test_an_exact_drawing_is_read_exactly_down_to_a_pixel():
    indices, drawn = regions(parts.PALETTES["levels"])
    indices[50, 40], drawn[50, 40] = 19, parts.PALETTES["levels"][19]
    assert np.array_equal(parts.read_drawn(drawn, parts.PALETTES["levels"]), indices)


@pytest.mark.parametrize("colours", [tags.pascal_colours(59), parts.PALETTES["cihp"]])
def test_what_jpeg_mixes_is_one_of_both(colours, tmp_path):
    indices, drawn = regions(colours)
    images.write_rgb(tmp_path / "drawn.jpg", drawn)
    read = parts.read_drawn(images.read_rgb(tmp_path / "drawn.jpg"), colours)
    assert set(np.unique(read)) <= set(np.unique(indices))
    assert (read == indices).mean() > 0.97
    # Away from edges there is no doubt.
    inner = cv2.erode(indices, np.ones((9, 9))) == cv2.dilate(indices, np.ones((9, 9)))
    assert (read == indices)[inner].all()


def test_pascal_colours_are_those_of_its_first_classes():
    # Aeroplane, bicycle, bird, boat, bottle, and the person, as its documentation shows them.
    assert tags.pascal_colours(16)[[1, 2, 3, 4, 5, 15]].tolist() == [
        [128, 0, 0],
        [0, 128, 0],
        [128, 128, 0],
        [0, 0, 128],
        [128, 0, 128],
        [192, 128, 128],
    ]


def test_tags_are_those_of_the_labels(reference):
    """Each label of the set is the largest garment of its picture; 42 of the tags are garments, in the same order."""
    folder = reference / "data/ccp_mhmd"
    garments = (folder / "labels_42.txt").read_text().split()
    assert [tag for tag in tags.TAGS if tag in garments] == garments
    lines = (folder / "dataset_second/sign.txt").read_text().splitlines()[::4]
    colours = tags.pascal_colours(len(tags.TAGS))
    for line in lines:
        name, *values = line.split()
        drawn = images.read_rgb(folder / f"dataset_second_seg/{name[:-4]}_seg.jpg")
        counts = np.bincount(parts.read_drawn(drawn, colours).ravel(), minlength=len(tags.TAGS))
        assert max(garments, key=lambda tag: counts[tags.TAGS.index(tag)]) == garments[values.index("1")]


def test_skin_at_hair_is_the_face_and_other_skin_is_not():
    found = np.zeros((100, 40), np.uint8)
    hair, skin, top = (tags.TAGS.index(tag) for tag in ("hair", "skin", "t-shirt"))
    found[5:10, 15:25], found[10:20, 15:25], found[20:60, 10:30] = hair, skin, top
    # An arm in the top of the picture, and a leg.
    found[22:30, 32:36], found[60:95, 12:18] = skin, skin
    classes = tags.classes(found)
    face, limbs = CLASSES.index("face"), CLASSES.index("limbs")
    assert (classes[10:20, 15:25] == face).all()
    assert (classes[22:30, 32:36] == limbs).all()
    assert (classes[60:95, 12:18] == limbs).all()
    assert (classes == face).sum() == 100
    assert not tags.classes(np.zeros((10, 10), np.uint8)).any()


@pytest.mark.parametrize(
    "box", [(10, 20, 30, 80), (0, 0, 100, 20), (-5, -5, 400, 400), (90, 90, 99, 99), (99, 10, 99, 10)]
)
def test_a_crop_has_the_proportions_and_goes_back_to_its_box(box):
    rng = np.random.default_rng(0)
    picture = rng.random((100, 100, 3)).astype(np.float32)
    place = crops.place(box, 0.1, (100, 100), (192, 128))
    cut = place.cut(picture)
    assert cut.shape[:2] == place.size
    assert abs(place.size[0] / 192 - place.size[1] / 128) <= 1 / 128
    assert np.array_equal(place.put_back(cut), picture[place.top : place.bottom, place.left : place.right])
    assert 0 <= place.left < place.right <= 100
    assert 0 <= place.top < place.bottom <= 100


def test_a_box_is_grown_and_what_is_added_is_its_reflection():
    picture = np.arange(60 * 60, dtype=np.float32).reshape(60, 60)
    place = crops.place((20, 10, 30, 50), 0.1, (60, 60), (100, 100))
    assert (place.left, place.top, place.right, place.bottom) == (19, 6, 31, 54)
    cut, left = place.cut(picture), place.before[1]
    assert np.array_equal(cut[:, left - 1], picture[6:54, 20])
    assert np.array_equal(cut[:, left + 12], picture[6:54, 29])
