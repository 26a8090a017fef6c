"""What becomes of candidates: each limit by hand, duplicates by comparing all with all."""

import dataclasses

import numpy as np
import pytest
from conftest import ROOT

from historynet import settings
from historynet.collecting import choosing
from historynet.collecting.candidates import NO_SHOT, Candidate
from historynet.collecting.choosing import Chosen, Funnel, Hashes, judge
from historynet.collecting.film_list import Film
from historynet.collecting.settings import CHOOSE, MHMDSettings


@pytest.fixture(scope="module")
def limits():
    config = ROOT / "SOURCE_MHMD/config.py"
    arguments = settings.make_parser("", CHOOSE, config, MHMDSettings).parse_args([])
    return settings.resolve(arguments, config, MHMDSettings)[0]


GOOD = Candidate(
    *("film", 0, 0, 0, 40.0, 2.8, 30.0, 0.01, "0" * 16),
    boxes=[[0, 0, 9, 100.0], [0, 0, 9, 41.0]],
    scores=[0.9, 0.4],
    person_sharpness=[0.02, None],
    person_blur=[0.55, None],
    stored=True,
    height=200,
)
"""At each limit, on the right side of it."""


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "kept"),
        ({"range": 39.9}, "flat"),
        ({"tone": 1.99, "cast": 0}, "gray"),
        ({"tone": 2.79, "cast": 5.6}, "gray"),
        ({"tone": 2.79, "cast": 5.5}, "kept"),
        ({"tone": 2.0, "cast": 4.0}, "kept"),
        ({"sharpness": 0.0099}, "blurred"),
        ({"scores": [0.39, 0.3]}, "nobody"),
        ({"height": 501}, "nobody"),
        ({"boxes": [], "scores": [], "person_sharpness": [], "person_blur": [], "stored": False}, "nobody"),
        ({"boxes": [[0, 0, 9, 100]] * 4, "scores": [0.9] * 4}, "kept"),
        ({"boxes": [[0, 0, 9, 100]] * 5, "scores": [0.9] * 5}, "crowd"),
        ({"person_sharpness": [0.0199, None]}, "person blurred"),
        ({"person_blur": [0.551, None]}, "person blurred"),
        # The first that is so counts.
        ({"range": 0, "tone": 0, "sharpness": 0}, "flat"),
        ({"tone": 0, "sharpness": 0, "boxes": [], "scores": []}, "gray"),
        ({"sharpness": 0, "boxes": [], "scores": []}, "blurred"),
    ],
)
def test_each_limit_by_itself(limits, changes, outcome):
    assert judge(dataclasses.replace(GOOD, **changes), limits)[0] == outcome


def test_the_tallest_that_is_sure_enough_has_to_be_sharp(limits):
    one = dataclasses.replace(
        GOOD,
        boxes=[[0, 0, 9, 80], [0, 0, 9, 100]],
        scores=[0.9, 0.35],
        person_sharpness=[0.03, 0.001],
        person_blur=[0.3, 0.9],
    )
    assert judge(one, limits) == ("kept", [0])
    assert judge(one, dataclasses.replace(limits, person_score=0.3)) == ("person blurred", [1, 0])


def title(key, hashes, part=""):
    film = Film(key, part, ROOT)
    return [
        Chosen(film, dataclasses.replace(GOOD, file_key=film.file_key, ms=number, hash=f"{value:016x}"), "kept")
        for number, value in enumerate(hashes)
    ]


def drawn(count, seed, bits):
    """Hashes of which many lie near each other."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).integers(0, 1 << 64, 12, np.uint64)
    values = centres[rng.integers(0, 12, count)]
    for _ in range(bits):
        values ^= np.uint64(1) << rng.integers(0, 64, count, np.uint64)
    return values.tolist()


def test_duplicates_within_a_title_are_those_of_what_is_kept_before():
    hashes = drawn(300, 1, 6)
    some = title("a", hashes)
    choosing._drop_duplicates(some, 8)
    kept = []
    for one, value in zip(some, hashes, strict=True):
        near = [(value ^ hashes[number]).bit_count() for number in kept]
        if near and min(near) <= 8:
            first = kept[near.index(min(near))]
            assert (one.outcome, one.like, one.distance) == ("duplicate", some[first].candidate.picture, min(near))
        else:
            assert (one.outcome, one.like, one.distance) == ("kept", "", None)
            kept.append(one.candidate.ms)
    assert 20 < len(kept) < 250


def test_duplicates_in_other_titles_are_found_by_their_bands():
    known, all_before, found = Hashes(4), [], 0
    for seed, key in enumerate("abc"):
        values = drawn(200, seed + 5, 3)
        for value in values:
            near = [(value ^ other).bit_count() for _, other in all_before]
            expected = None
            if near and min(near) <= 4:
                expected = (all_before[near.index(min(near))][0], min(near))
                found += 1
            assert known.find(value) == expected
        names = [f"{key}{number}" for number in range(len(values))]
        known.add(names, values)
        all_before += zip(names, values, strict=True)
    assert 50 < found < 400


@pytest.mark.parametrize("seed", range(5))
def test_four_bits_leave_one_band_as_it_is(seed):
    rng = np.random.default_rng(seed)
    value = int(rng.integers(0, 1 << 64, dtype=np.uint64))
    known = Hashes(4)
    known.add(["a"], [value])
    for _ in range(200):
        places = rng.choice(64, 5, replace=False)
        other = value
        for place in places[:4].tolist():
            other ^= 1 << place
        assert known.find(other) == ("a", 4)
        assert known.find(other ^ (1 << int(places[4]))) is None


def test_the_later_title_loses_and_what_is_dropped_drops_nothing():
    first, second = title("a", [0, 0b11111]), title("b", [0b1, 0b111111111 << 20])
    known = Hashes(4)
    choosing._drop_known(first, known)
    choosing._drop_known(second, known)
    assert [one.outcome for one in first + second] == ["kept", "kept", "duplicate", "kept"]
    assert (second[0].like, second[0].distance) == ("a-00000000.jpg", 1)
    third = title("c", [0b10001 << 40, 0b1])
    third[0].outcome = "gray"
    choosing._drop_known(third, known)
    assert [one.outcome for one in third] == ["gray", "duplicate"] and third[1].like == "a-00000000.jpg"


def test_the_cap_takes_the_middles_of_equal_parts():
    some = title("a", range(10))
    some[0].outcome = "gray"
    choosing._cap(some, 4)
    kept = [one.candidate.ms for one in some if one.outcome == "kept"]
    # Of nine, floor((i + 0.5) 9 / 4): 1, 3, 5, 7, one further since the first is no longer among them.
    assert kept == [2, 4, 6, 8] and [one.outcome for one in some].count("over the cap") == 5
    for count, most in ((100, 7), (7, 7), (3, 7)):
        some = title("a", range(count))
        choosing._cap(some, most)
        places = [int((i + 0.5) * count / most) for i in range(most)] if count > most else list(range(count))
        assert [one.candidate.ms for one in some if one.outcome == "kept"] == places


def test_what_is_odd_about_a_film_is_said():
    def remarks(**outcomes):
        return list(Funnel("a", 1000, choosing.Counter(outcomes)).remarks())

    assert remarks(gray=90, kept=10) == []
    assert remarks(gray=91, kept=9) == ["91 of 100 candidates are gray; a black-and-white film?"]
    assert remarks(nobody=99, kept=1) == []
    assert remarks(nobody=199, kept=1) == ["1 of 200 candidates are kept"]
    assert remarks() == [NO_SHOT]
