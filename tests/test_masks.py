"""Masks as files: what Pillow and OpenCV see, what editors do to them, and what is refused."""

import cv2
import numpy as np
import pytest
from PIL import Image

from historynet.collecting import correcting, masks, parts
from historynet.errors import PictureError


@pytest.fixture
def indices():
    rng = np.random.default_rng(3)
    return cv2.resize(rng.integers(0, 20, (9, 7), np.uint8), (70, 90), interpolation=cv2.INTER_NEAREST)


@pytest.mark.parametrize("palette", parts.PALETTES)
def test_pillow_reads_the_parts_and_opencv_the_drawing(tmp_path, indices, palette):
    path = tmp_path / "mask.png"
    masks.write(path, indices, palette)
    image = Image.open(path)
    assert image.mode == "P"
    assert np.array_equal(np.array(image), indices)
    drawn = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    assert np.array_equal(drawn, parts.PALETTES[palette][indices])
    assert np.array_equal(masks.read(path), indices)


def test_another_palette_draws_the_same_parts(tmp_path, indices):
    path = tmp_path / "mask.png"
    masks.write(path, indices, "levels")
    assert not masks.redraw(path, "levels")
    assert masks.redraw(path, "cihp")
    assert np.array_equal(masks.read(path), indices)
    assert np.array_equal(cv2.imread(str(path))[..., ::-1], parts.PALETTES["cihp"][indices])


@pytest.mark.parametrize("palette", ["levels", "cihp"])
@pytest.mark.parametrize("unused", [0, 230])
def test_a_reordered_palette_changes_no_pixel(tmp_path, indices, palette, unused):
    """As GIMP writes it: the colours in another order, without those that are not there, or among others."""
    present = np.unique(indices)
    order = np.random.default_rng(1).permutation(present)
    places = np.zeros(20, np.uint8)
    places[order] = np.arange(len(order)) + unused
    colours = np.random.default_rng(2).integers(0, 256, (256, 3), np.uint8)
    colours[unused : unused + len(order)] = parts.PALETTES[palette][order]
    image = Image.fromarray(places[indices])
    image.putpalette(colours.tobytes())
    image.save(tmp_path / "mask.png")
    assert not np.array_equal(np.array(Image.open(tmp_path / "mask.png")), indices)
    read, note = correcting.read_corrected(tmp_path / "mask.png", parts.PALETTES[palette])
    assert np.array_equal(read, indices)
    assert note == ""


@pytest.mark.parametrize("palette", ["levels", "cihp"])
def test_a_jpeg_of_a_mask_is_refused_with_the_place(tmp_path, indices, palette):
    path = tmp_path / "mask.jpg"
    assert cv2.imwrite(str(path), parts.PALETTES[palette][indices][..., ::-1])
    rgb = cv2.imread(str(path))[..., ::-1].astype(int)
    apart = np.abs(rgb[..., None, :] - parts.PALETTES[palette].astype(int)).max(axis=-1).min(axis=-1)
    # Every gray is near one of the levels, but there are far too many of them.
    row, column = np.argwhere(apart > (8 if palette == "cihp" else 0))[0]
    with pytest.raises(PictureError, match=f"column {column}, row {row} "):
        correcting.read_corrected(path, parts.PALETTES[palette])


def test_colours_that_are_nearly_right_are_taken_with_a_note(tmp_path, indices):
    drawn = parts.PALETTES["cihp"][indices].astype(int)
    drawn[40, 30] += np.where(drawn[40, 30] > 127, -8, 8)
    # One pixel of 6,300 is less than a thousandth.
    drawn[10, 10] = 128, 128, 255
    assert cv2.imwrite(str(tmp_path / "mask.png"), drawn.astype(np.uint8)[..., ::-1])
    read, note = correcting.read_corrected(tmp_path / "mask.png", parts.PALETTES["cihp"])
    wrong = read != indices
    wrong[10, 10] = False
    assert not wrong.any()
    assert "2 pixels" in note


def test_what_an_editor_erased_is_refused(tmp_path, indices):
    drawn = np.dstack([parts.PALETTES["cihp"][indices], np.full(indices.shape, 255, np.uint8)])
    drawn[7, 5, 3] = 0
    Image.fromarray(drawn).save(tmp_path / "mask.png")
    with pytest.raises(PictureError, match="transparent at column 5, row 7"):
        correcting.read_corrected(tmp_path / "mask.png", parts.PALETTES["cihp"])


def test_other_files_are_no_masks(tmp_path, indices):
    Image.fromarray(indices).save(tmp_path / "gray.png")
    (tmp_path / "text.png").write_text("no picture")
    masks.write(tmp_path / "cut.png", indices, "levels")
    data = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    for name in ("gray", "text", "cut", "missing"):
        with pytest.raises(PictureError, match=name):
            masks.read(tmp_path / f"{name}.png")
