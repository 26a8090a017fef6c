"""The numbers by which pictures are chosen: by hand, by other libraries, and against reference values."""

import json

import cv2
import numpy as np
import pytest
from mhmd_films import gray, person
from scipy import fft, ndimage

from historynet.collecting import scores
from historynet.collecting.sampling import fit
from historynet.pictures import images


def test_range_is_numpys_percentiles():
    levels = np.random.default_rng(0).integers(30, 90, (224, 300), np.uint8)
    assert scores.spread(levels) == np.subtract(*np.percentile(levels, [99, 1]))
    assert scores.spread(np.full((224, 224), 7, np.uint8)) == 0


def test_tone_is_what_luminance_does_not_explain():
    """By the definition, pixel by pixel."""
    rgb = fit(person(), 224)
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(float)
    rest = np.zeros((len(lab), 2))
    for number in range(16):
        mine = lab[:, 0] // 16 == number
        if mine.any():
            rest[mine] = lab[mine, 1:] - lab[mine, 1:].mean(axis=0)
    tone, cast = scores.tone_and_cast(rgb)
    assert tone == pytest.approx(np.sqrt((rest**2).sum(axis=1).mean()), rel=1e-9)
    assert cast == pytest.approx(np.hypot(*(lab[:, 1:] - 128).T).mean(), rel=1e-9)
    assert scores.tone_and_cast(gray(rgb)) == (0, 0)


def test_a_tinted_picture_has_a_cast_and_no_tone():
    luma = gray(fit(person(), 224)).astype(float)
    sepia = np.clip(luma * [1.0, 0.85, 0.6] + [20, 10, 0], 0, 255).astype(np.uint8)
    tone, cast = scores.tone_and_cast(sepia)
    assert tone < 2 and cast > 2 * tone and scores.tone_and_cast(fit(person(), 224))[0] > 10


def test_sharpness_is_the_laplacians_variance_by_that_of_the_levels():
    levels = cv2.cvtColor(fit(person(), 224), cv2.COLOR_RGB2GRAY)
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    edges = ndimage.convolve(levels.astype(float), kernel, mode="mirror")
    expected = edges.var() / levels.astype(float).var()
    assert scores.sharpness(levels) == pytest.approx(expected, rel=1e-5)
    # Contrast does not count; blur does.
    assert scores.sharpness(levels // 4) == pytest.approx(expected, rel=0.05)
    assert scores.sharpness(cv2.GaussianBlur(levels, (0, 0), 3)) < expected / 20
    assert scores.sharpness(np.full((224, 224), 9, np.uint8)) == 0


def test_the_blur_effect_sees_what_moves_along_one_axis():
    levels = cv2.cvtColor(fit(person(), 224), cv2.COLOR_RGB2GRAY)
    box = np.array([40.0, 20.0, 200.0, 224.0])
    still, moving = (scores.person_sharpness(one, box) for one in (levels, cv2.blur(levels, (9, 1))))
    assert still[1] < 0.4 < 0.55 < moving[1]
    assert still[0] == scores.sharpness(levels[20:224, 40:200])


@pytest.mark.parametrize("box", [(100, 100, 104, 103), (-5, -5, 3, 3), (220, 221, 230, 240), (0, 0, 224, 224)])
def test_a_small_box_has_sixteen_pixels_within_the_picture(box, monkeypatch):
    parts = []
    monkeypatch.setattr(scores, "sharpness", lambda part: parts.append(part) or 0.0)
    scores.person_sharpness(np.random.default_rng(0).integers(0, 256, (224, 224), np.uint8), np.array(box, float))
    assert parts[0].shape == (224, 224) if box[3] - box[1] == 224 else parts[0].shape == (16, 16)


def test_the_hash_is_the_low_corner_of_the_cosine_transform():
    rgb = fit(person(), 224)
    levels = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(levels, (32, 32), interpolation=cv2.INTER_AREA)
    corner = fft.dctn(small.astype(float), norm="ortho")[:8, :8].ravel()
    bits = "".join("1" if value > np.median(corner) else "0" for value in corner)
    assert (scores.perceptual_hash(levels) ^ int(bits, 2)).bit_count() <= 1
    # A smaller JPEG file of it is nearly the same, another picture is not.
    again = cv2.imdecode(cv2.imencode(".jpg", fit(levels, 140), [cv2.IMWRITE_JPEG_QUALITY, 60])[1], 0)
    assert (scores.perceptual_hash(fit(again, 224)) ^ int(bits, 2)).bit_count() <= 4
    assert (scores.perceptual_hash(levels[:, ::-1].copy()) ^ int(bits, 2)).bit_count() > 16


VARIANTS = {
    "as is": lambda rgb: rgb,
    "gaussian 1.5": lambda rgb: cv2.GaussianBlur(rgb, (0, 0), 1.5),
    "gaussian 3": lambda rgb: cv2.GaussianBlur(rgb, (0, 0), 3),
    "motion 9": lambda rgb: cv2.blur(rgb, (9, 1)),
    "gray": gray,
    "sepia": lambda rgb: sepia(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(float)),
    "dark": lambda rgb: (rgb * 0.25 + 8).astype(np.uint8),
}


def sepia(levels):
    tint = np.sin(np.pi * levels / 255)
    return np.clip(np.dstack([levels + 20 * tint, levels + 6 * tint, levels - 18 * tint]), 0, 255).astype(np.uint8)


def test_scores_are_the_reference(reference):
    rows = json.loads((reference / "golden/mhmd/scores.json").read_text())["rows"]
    from skimage.measure import blur_effect

    assert {row["variant"] for row in rows} == set(VARIANTS)
    differing = 0
    for row in rows:
        rgb = VARIANTS[row["variant"]](fit(images.read_rgb(reference / row["file"]), 224))
        found = scores.measure(rgb)
        assert found.sharpness == pytest.approx(row["sharpness"], rel=0.02, abs=2e-4), row
        assert blur_effect(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)) == pytest.approx(row["blur_effect"], abs=0.01), row
        assert (found.tone, found.cast) == pytest.approx((row["tone"], row["cast"]), abs=0.05), row
        assert found.range == pytest.approx(row["range"], abs=1), row
        bits = (found.hash ^ int(row["hash"], 16)).bit_count()
        assert bits <= 2, row
        differing += bits > 0
    assert differing <= len(rows) / 10
