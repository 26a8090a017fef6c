import pytest

from historynet.comparing.pairing import pair_folders
from historynet.errors import InputError


@pytest.fixture
def folders(tmp_path):
    def make(originals, results):
        for folder, names in (("originals", originals), ("results", results)):
            (tmp_path / folder).mkdir()
            for name in names.split():
                (tmp_path / folder / name).touch()
        return tmp_path / "originals", tmp_path / "results"

    return make


def names(pairing):
    return [(original.name, result.name) for original, result in pairing.pairs]


def test_pairs_are_made_by_name_not_by_order(folders):
    pairing = pair_folders(*folders("a.jpg b.png c.tif d.jpg", "b_reconstructed.jpg c.tif e.jpg a.png notes.txt"))
    assert names(pairing) == [("a.jpg", "a.png"), ("b.png", "b_reconstructed.jpg"), ("c.tif", "c.tif")]
    assert pairing.without_result == ["d.jpg"]
    assert pairing.without_original == ["e.jpg"]


def test_originals_that_differ_in_their_extension_only(folders):
    """As colorizing names their results."""
    pairing = pair_folders(*folders("a.jpg a.png b.jpg b.png", "a.jpg_reconstructed.jpg a.png_reconstructed.jpg b.png"))
    assert names(pairing) == [
        ("a.jpg", "a.jpg_reconstructed.jpg"),
        ("a.png", "a.png_reconstructed.jpg"),
        ("b.png", "b.png"),
    ]
    assert pairing.without_result == ["b.jpg"]


def test_an_original_that_is_itself_called_reconstructed(folders):
    assert names(pair_folders(*folders("a_reconstructed.jpg", "a_reconstructed.jpg"))) == [("a_reconstructed.jpg",) * 2]


@pytest.mark.parametrize(
    ("originals", "results", "words"),
    [
        ("a.jpg", "a.jpg a_reconstructed.jpg", "a.jpg and a_reconstructed.jpg are both results of a.jpg"),
        ("a.jpg", "b.jpg", "no result of a picture of .*originals is here"),
        ("a.jpg", "", "results: no pictures"),
        ("", "a.jpg", "originals: no pictures"),
    ],
)
def test_what_cannot_be_paired(folders, originals, results, words):
    with pytest.raises(InputError, match=words):
        pair_folders(*folders(originals, results))
