"""What an epoch sees of its samples: how often, which part, how aged."""

import time
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from historynet.data import batches as batching
from historynet.data import varying
from historynet.data.samples import Ageing, Crop
from historynet.errors import InputError


def settings(**changes):
    usual = {
        "seed": 7,
        "shuffle": True,
        "batch_size": 10,
        "steps_per_epoch": None,
        "size": (32, 32),
        "crop_size": None,
        "varies": False,
        "crop_share": 1.0,
        "age_luminance": 0.0,
        "sample_weights": None,
    }
    return SimpleNamespace(**(usual | changes))


def table(tmp_path, text):
    path = tmp_path / "weights.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_first_line_that_fits_gives_the_weight(tmp_path):
    path = table(tmp_path, "name,weight\nfsa_0*,3\nfsa_*,2\n\n*.png,0\n")
    names = ["a.jpg", "b.png", "fsa_01.jpg", "fsa_11.jpg", "fsa_12.png"]
    np.testing.assert_array_equal(varying.read_weights(path, names), [1, 0, 3, 2, 2])


def test_a_name_with_brackets_is_first_of_all_a_name(tmp_path):
    path = table(tmp_path, "name,weight\nphoto[1].jpg,3\nphoto[12].jpg,2\n")
    names = ["photo1.jpg", "photo2.jpg", "photo[1].jpg"]
    np.testing.assert_array_equal(varying.read_weights(path, names), [2, 2, 3])


def test_a_line_for_each_picture_is_read_in_a_moment(tmp_path):
    names = [f"{i:06}.jpg" for i in range(50_000)]
    path = table(tmp_path, "name,weight\n" + "".join(f"{name},{i % 7}\n" for i, name in enumerate(names)))
    began = time.process_time()
    np.testing.assert_array_equal(varying.read_weights(path, names), np.arange(50_000) % 7)
    # Each line against each picture would take an hour.
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line has to be name,weight"),
        ("weight,name\n", "first line has to be name,weight"),
        ("name,weight\na.jpg\n", "line 2: a name and a number"),
        ("name,weight\na.jpg,much\n", "line 2: a name and a number"),
        ("name,weight\na.jpg,nan\n", "line 2: the weight has to be a number of at least 0"),
        ("name,weight\na.jpg,-1\n", "line 2: the weight has to be a number of at least 0"),
        ("name,weight\na.jpg,1\nc*,1\n", "line 3: c[*] fits no training picture"),
        ("name,weight\n*,0\n", "all training pictures have the weight 0"),
    ],
)
def test_a_table_that_will_not_do_is_refused_with_its_line(tmp_path, text, message):
    path = table(tmp_path, text)
    with pytest.raises(InputError, match=message) as refused:
        varying.read_weights(path, ["a.jpg", "b.jpg"])
    assert str(refused.value).startswith(str(path))


def test_samples_are_drawn_as_often_as_their_weights_say():
    weights = np.array([1.0, 3.0, 0.0, 6.0])
    orders = [varying.sample_order(settings(steps_per_epoch=500), weights, 4, epoch) for epoch in range(4)]
    assert {len(order) for order in orders} == {5000}
    frequencies = np.bincount(np.concatenate(orders), minlength=4) / 20_000
    # Four standard deviations of a frequency of a half are 0.014.
    np.testing.assert_allclose(frequencies, weights / 10, atol=0.014)
    assert frequencies[2] == 0
    again = varying.sample_order(settings(steps_per_epoch=500), weights, 4, 1)
    np.testing.assert_array_equal(again, orders[1])
    assert (orders[0] != orders[1]).any()


def test_without_weights_each_sample_comes_once():
    assert sorted(varying.sample_order(settings(), None, 100, 3)) == list(range(100))
    assert list(varying.sample_order(settings(shuffle=False), None, 5, 3)) == [0, 1, 2, 3, 4]
    assert len(varying.sample_order(settings(), np.ones(7), 7, 0)) == 7


def test_whole_pictures_as_they_are_need_no_view():
    assert varying.views(settings(), range(5), 0) is None


def test_a_share_of_the_samples_is_cut_and_half_of_all_are_mirrored():
    view = varying.views(settings(crop_size=(40, 40), crop_share=0.4), range(2000), 1)
    crops = [view(place) for place in range(2000)]
    cut = np.array([crop.resized == (40, 40) for crop in crops])
    mirrored = np.array([crop.mirrored for crop in crops])
    assert abs(cut.mean() - 0.4) < 0.045
    assert abs(mirrored[cut].mean() - 0.5) < 0.07
    assert abs(mirrored[~cut].mean() - 0.5) < 0.06
    assert {(crop.resized, crop.top, crop.left) for crop, is_cut in zip(crops, cut, strict=True) if not is_cut} == {
        ((32, 32), 0, 0)
    }
    # Those that are cut are cut as without the option.
    usual = varying.views(settings(crop_size=(40, 40)), range(2000), 1)
    assert all(usual(i) == crops[i] for i in np.flatnonzero(cut))


def test_a_view_depends_on_seed_epoch_and_sample_alone_and_differs_for_a_sample_drawn_twice():
    once = settings(crop_size=(40, 40), age_luminance=0.5)
    view, other = varying.views(once, [3, 1, 2], 0), varying.views(once, [1, 2, 3], 0)
    assert [view(place) for place in range(3)] == [other(2), other(0), other(1)]
    drawn = varying.views(settings(crop_size=(40, 40), sample_weights="w.csv"), [1] * 50, 0)
    assert len({drawn(place) for place in range(50)}) > 30


def test_a_share_of_the_samples_is_aged_within_the_limits():
    view = varying.views(settings(age_luminance=0.3), range(3000), 0)
    ageings = [crop.ageing for crop in map(view, range(3000)) if crop.ageing]
    assert abs(len(ageings) / 3000 - 0.3) < 0.035
    logarithms = np.log([ageing.gamma for ageing in ageings])
    # Of a uniform distribution the mean is the middle, the variance a twelfth of the square of its width.
    assert abs(logarithms.mean()) < 0.03 and abs(logarithms).max() <= 0.35
    assert logarithms.var() == pytest.approx(0.7**2 / 12, rel=0.12)
    contrasts = np.array([ageing.contrast for ageing in ageings])
    assert contrasts.min() >= 0.75 and contrasts.max() <= 1.15 and abs(contrasts.mean() - 0.95) < 0.02
    assert max(abs(ageing.offset) for ageing in ageings) <= 0.06
    assert abs(np.mean([ageing.blur > 0 for ageing in ageings]) - 0.4) < 0.07
    assert max(ageing.noise for ageing in ageings) <= 0.03
    assert len({ageing.seed for ageing in ageings}) == len(ageings)


def test_ageing_does_what_it_says():
    luminance = np.random.default_rng(0).random((40, 30, 1), np.float32)
    same = Ageing(gamma=1.0, contrast=1.0, offset=0.0, blur=0.0, noise=0.0, seed=0)
    np.testing.assert_allclose(same(luminance), luminance, atol=1e-6)
    changed = Ageing(gamma=1.3, contrast=0.8, offset=0.05, blur=0.0, noise=0.0, seed=0)(luminance)
    np.testing.assert_allclose(changed, np.clip((luminance**1.3 - 0.5) * 0.8 + 0.55, 0, 1), atol=1e-6)
    blurred = Ageing(gamma=1.0, contrast=1.0, offset=0.0, blur=1.0, noise=0.0, seed=0)(luminance)
    np.testing.assert_allclose(blurred[..., 0], cv2.blur(luminance[..., 0], (3, 3)), atol=1e-6)
    gray = np.full((200, 200, 1), 0.5, np.float32)
    noisy = Ageing(gamma=1.0, contrast=1.0, offset=0.0, blur=0.0, noise=0.02, seed=3)(gray)
    assert noisy.std() == pytest.approx(0.02, rel=0.03) and abs(noisy.mean() - 0.5) < 0.001
    assert noisy.dtype == np.float32 and noisy.shape == gray.shape


def test_ageing_changes_what_the_network_is_given_and_not_its_colours(mhmd):
    from test_dataset import open_folder

    samples = open_folder(mhmd / "dataset_train")
    plain = Crop((32, 32), (32, 32))
    aged = Crop((32, 32), (32, 32), ageing=Ageing(1.2, 0.9, 0.03, 0.0, 0.0, 0))
    before, after = samples.read(0, plain), samples.read(0, aged)
    assert (before["L"] != after["L"]).mean() > 0.9
    for name in before.keys() - {"L"}:
        np.testing.assert_array_equal(before[name], after[name])


@pytest.mark.parametrize("broken", [(), (1, 4)])
def test_a_varied_epoch_goes_on_at_any_batch_with_the_same_pixels(mhmd, tmp_path, broken):
    from test_dataset import open_folder

    samples = open_folder(mhmd / "dataset_train")
    varied = settings(crop_size=(40, 40), crop_share=0.5, age_luminance=0.5, sample_weights="w.csv", steps_per_epoch=3)
    weights = varying.read_weights(table(tmp_path, "name,weight\n0001*,4\n0003*,0\n"), samples.names)
    order = varying.sample_order(varied, weights, len(samples), 2)
    assert len(order) == 30 and len(set(order)) == 4
    for index in broken:
        (mhmd / "dataset_train" / samples.names[index]).write_bytes(b"broken")

    def batches(used):
        # As a start of the program makes them.
        again = varying.sample_order(varied, weights, len(samples), 2)
        views = varying.views(varied, again, 2)
        return list(batching.batches(samples, again, 4, (32, 32), lambda error: None, used, views))

    whole = batches(0)
    assert len(whole) >= 3
    for i, before in enumerate(whole[:-1], start=1):
        rest = batches(before.end)
        assert [(b.names, b.end) for b in rest] == [(b.names, b.end) for b in whole[i:]]
        for field in ("L", "ab", "parsing", "label"):
            np.testing.assert_array_equal(rest[0].fields[field], whole[i].fields[field])
    other = varying.views(varied, order, 3)
    assert [other(i) for i in range(30)] != [varying.views(varied, order, 2)(i) for i in range(30)]
