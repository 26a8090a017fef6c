"""The training and the test part of a data set: against the reference, and by hand."""

import json

import pytest

from historynet.collecting import splitting


def test_the_reference_split(reference):
    path = reference / "golden/mhmd/split.json"
    if not path.exists():
        pytest.skip(f"no {path}")
    golden = json.loads(path.read_text())
    counts = {key: [int(n) for n in row.split()] for key, row in zip(golden["keys"], golden["table"], strict=True)}
    chosen = splitting.by_title(counts, golden["share"], golden["seed"])
    assert chosen == golden["chosen"]
    assert sum(sum(counts[key]) for key in chosen) == golden["test_pictures"]
    # In whatever order the titles come.
    assert splitting.by_title(dict(reversed(counts.items())), golden["share"], golden["seed"]) == chosen


def test_the_titles_that_bring_the_labels_nearest_are_taken():
    """Wanted are a quarter of each label: 20 and 10. Title b is just that, and no other one brings it nearer."""
    counts = {"a": [40, 0], "b": [20, 10], "c": [20, 0], "d": [0, 30]}
    assert splitting.by_title(counts, 0.25, seed=0) == ["b"]


def test_a_title_with_most_of_a_label_stays_in_training():
    counts = {"a": [10, 0], "b": [30, 3], "c": [30, 1], "d": [30, 1]}
    chosen = splitting.by_title(counts, 0.5, seed=0)
    # b has more than half of the second label.
    assert chosen and "b" not in chosen
    assert splitting.by_title({"a": [5, 0], "b": [0, 5]}, 0.5, seed=0) == []
    assert splitting.by_title({"a": [5]}, 0.5, seed=0) == splitting.by_title({}, 0.5, seed=0) == []


def test_equal_titles_are_told_apart_by_the_seed():
    counts = {f"t{i}": [10] for i in range(10)}
    chosen = {seed: splitting.by_title(counts, 0.2, seed) for seed in range(20)}
    assert all(len(keys) == 2 for keys in chosen.values())
    assert len({tuple(keys) for keys in chosen.values()}) > 10


def test_by_picture():
    names = [f"{i}.jpg" for i in range(1000)]
    test = splitting.by_picture(names, 0.1, seed=3)
    assert len(test) == 100 and test < set(names)
    assert splitting.by_picture(names[::-1], 0.1, seed=3) == test != splitting.by_picture(names, 0.1, seed=4)
