"""Table 1, Figure 3 and the hues of a data set: against the paper, the reference, and by hand."""

import colorsys
import json

import numpy as np
import pytest

from historynet.collecting import hue, labels, tallies
from historynet.pictures import images


def test_the_papers_table():
    """Its pictures in the place of ours: the sums are those that the paper prints, but for the misprint."""
    table = labels.table()
    rows = tallies.table_1(table, {label.name: label.pictures for label in table})
    printed = {"before the war": 66_900, "during the war": 547_318, "after the war": 738_948}
    printed |= {"China": 753_473, "USA": 338_184, "Germany": 59_015, "Russia": 45_291, "Japan": 110_562}
    printed |= {"Britain, France": 46_641, "military uniform": 707_771, "formal": 104_763, "informal": 540_632}
    printed |= {"": 1_353_166}
    assert {row.name: row.pictures for row in rows} == {row.name: row.paper for row in rows} == printed
    cells = tallies.lines(rows)
    assert cells[1] == ["Era", "before the war", "66,900", "4.9%", "66,900", "4.9%"]
    assert cells[-1][2:4] == ["1,353,166", "100.0%"]


def test_a_table_of_ones_own(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text("index,era,nationality,garment\n0,during,japan,informal\n1,after,japan,military\n")
    table = labels.table(file)
    rows = tallies.table_1(table, {"during-japan-informal": 3})
    assert [(row.name, row.pictures, row.paper) for row in rows] == [
        ("during the war", 3, None),
        ("after the war", 0, None),
        ("Japan", 3, None),
        ("military uniform", 0, None),
        ("informal", 3, None),
        ("", 3, None),
    ]
    assert tallies.lines(rows)[0] == ["", "", "pictures", "share"]
    assert tallies.bars(table, {}) == {
        "during the war": {"Japan": {"informal": 0}},
        "after the war": {"Japan": {"military": 0}},
    }


def test_hues_of_the_reference_sets(reference):
    path = reference / "golden/mhmd/hue.json"
    if not path.exists():
        pytest.skip(f"no {path}")
    golden = json.loads(path.read_text())
    folders = ("ccp_mhmd/dataset_second", "fsac_color", "prokudin_gorskii")
    for folder, expected in zip(folders, golden["sets"], strict=True):
        folder = reference / "data" / folder
        if not folder.is_dir():
            pytest.skip(f"no {folder}")
        hues = hue.hues_of([folder / name for name in images.list_pictures(folder)[: expected["pictures"]]])
        tolerance = golden["tolerance"]
        assert not hues.unreadable
        assert hues.means[:5] == pytest.approx(expected["first_five_mean_h"], abs=tolerance["mean_h"])
        assert hues.means.mean() == pytest.approx(expected["mean_of_mean_h"], abs=tolerance["mean_h"])
        assert hues.histogram == pytest.approx(np.array(expected["histogram"]), abs=tolerance["histogram"])
        # A mean beside the border of two bins may be in either.
        assert np.abs(hues.counts() - expected["counts_of_mean_h_in_18_bins"]).sum() <= 2


def test_hues_are_weighted_by_saturation(tmp_path):
    """Half red of full saturation, half pale blue of a quarter: against Python's own colours."""
    rgb = np.zeros((8, 8, 3), np.uint8)
    rgb[:, :4], rgb[:, 4:] = (200, 0, 0), (150, 150, 200)
    images.write_rgb(tmp_path / "a.png", rgb)
    images.write_rgb(tmp_path / "gray.png", np.full((8, 8, 3), 90, np.uint8))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG nothing")
    hues = hue.hues_of([tmp_path / name for name in ("a.png", "gray.png", "broken.png")])
    red, blue = (colorsys.rgb_to_hsv(*(value / 255 for value in rgb[0, x])) for x in (0, 4))
    weights = np.zeros(hue.BINS)
    weights[int(red[0] * 18)], weights[int(blue[0] * 18)] = red[1], blue[1]
    assert hues.histogram == pytest.approx(weights / weights.sum(), abs=0.01)
    assert hues.means == pytest.approx([(red[0] + blue[0]) / 2 * 180, 0], abs=0.5)
    assert len(hues.unreadable) == 1 and "broken.png" in hues.unreadable[0]
