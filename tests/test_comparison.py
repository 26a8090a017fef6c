"""Two folders compared, by the command line that users have."""

import csv
import json

import cv2
import numpy as np
import pytest
from conftest import write_picture

from historynet.comparing import metrics
from historynet.pictures import images

SCRIPT = "Util/compute_ssim_psnr.py"


@pytest.fixture
def folders(tmp_path):
    """Three pairs, of which the last are equal; an original and two results alone."""
    for i, name in enumerate("abcd"):
        write_picture(tmp_path / f"originals/{name}.png", i)
    for i, name in enumerate(("a_reconstructed", "b", "x", "y")):
        write_picture(tmp_path / f"results/{name}.png", 10 + i)
    write_picture(tmp_path / "results/c.png", 2)
    return ["-d0", tmp_path / "originals", "-d1", tmp_path / "results"]


def values(folders, name, made):
    pair = images.read_rgb(folders[1] / name), images.read_rgb(folders[3] / made)
    return metrics.ssim(*pair), metrics.psnr(*pair)


def test_report_csv_and_json(folders, run, tmp_path):
    code, out, _ = run(SCRIPT, *folders, "--csv", tmp_path / "out.csv", "--json", tmp_path / "out.json")
    assert code == 0
    a, b = values(folders, "a.png", "a_reconstructed.png"), values(folders, "b.png", "b.png")
    psnr, ssim = [a[1], b[1]], [a[0], b[0], 1]
    assert out.splitlines() == [
        "PSNR and SSIM by convention exact: RGB, SSIM by an 11x11 Gaussian of sigma 1.5 within the picture, float64",
        f"a.png: SSIM {a[0]:.6f}  PSNR {a[1]:.6f}",
        f"b.png: SSIM {b[0]:.6f}  PSNR {b[1]:.6f}",
        "c.png: SSIM 1.000000  PSNR inf",
        f"average: SSIM {np.mean(ssim):.8f}  PSNR {np.mean(psnr):.8f}",
        f"standard deviation: SSIM {np.std(ssim, ddof=1):.8f}  PSNR {np.std(psnr, ddof=1):.8f}",
        "pairs left out of the average PSNR: 1 (infinite: the pictures are equal)",
        "pairs found: 3, compared: 3",
        "originals without a result: 1 (d.png)",
        "results without an original: 2 (x.png, y.png)",
        "pairs of different size: 0",
    ]
    with (tmp_path / "out.csv").open() as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert float(rows["b.png"]["SSIM"]) == b[0]
    assert rows["c.png"]["PSNR"] == "inf"
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["average"]["PSNR"] == pytest.approx(np.mean(psnr))
    assert report["averaged"] == {"SSIM": 3, "PSNR": 2}
    assert report["scores"]["c.png"] == {"SSIM": 1, "PSNR": None}
    assert report["results_without_original"] == ["x.png", "y.png"]


def test_an_unreadable_picture_is_named_and_the_others_are_compared(folders, run):
    (folders[3] / "b.png").write_bytes(b"broken")
    code, out, err = run(SCRIPT, *folders)
    assert code == 3
    assert "pairs found: 3, compared: 2" in out
    assert "skipped: " in err
    assert "b.png: not a picture" in err


def test_pictures_of_different_size_are_an_error_unless_resized(folders, run):
    write_picture(folders[3] / "b.png", 11, (39, 30))
    code, out, err = run(SCRIPT, *folders)
    assert code == 2
    assert "pairs found: 3, compared: 2" in out
    assert "different size: b.png: 40x30, its result b.png: 39x30" in err
    assert "error: " in err.splitlines()[-1]
    assert "--resize" in err.splitlines()[-1]
    code, out, _ = run(SCRIPT, *folders, "--resize")
    assert code == 0
    assert "compared: 3" in out
    assert "pairs of different size: 1, results resized" in out
    resized = cv2.resize(cv2.imread(str(folders[3] / "b.png")), (40, 30), interpolation=cv2.INTER_LINEAR)
    expected = cv2.PSNR(cv2.imread(str(folders[1] / "b.png")), resized)
    assert f"PSNR {expected:.6f}" in out


def test_gray_against_colour(folders, run, tmp_path):
    gray = cv2.imread(str(folders[1] / "b.png"), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(folders[3] / "b.png"), gray)
    code, out, _ = run(SCRIPT, *folders)
    assert code == 0
    assert "without any colour: 0 originals, 1 results" in out
    assert f"PSNR {cv2.PSNR(cv2.imread(str(folders[1] / 'b.png')), cv2.merge([gray] * 3)):.6f}" in out


def test_16_bits_are_compared_as_8(folders, run):
    eight = cv2.imread(str(folders[3] / "b.png"))
    before = run(SCRIPT, *folders)
    cv2.imwrite(str(folders[3] / "b.png"), eight.astype(np.uint16) * 257)
    assert run(SCRIPT, *folders) == before


@pytest.mark.parametrize("convention", metrics.CONVENTIONS)
def test_the_convention_is_named(folders, run, convention):
    code, out, _ = run(SCRIPT, *folders, "--convention", convention)
    assert code == 0
    assert out.startswith(f"PSNR and SSIM by convention {convention}: ")
    pair = images.read_rgb(folders[1] / "b.png"), images.read_rgb(folders[3] / "b.png")
    assert f"PSNR {metrics.CONVENTIONS[convention].psnr(*pair):.6f}" in out


def test_what_cannot_be_compared_is_said_in_one_line(folders, run, tmp_path):
    (tmp_path / "empty").mkdir()
    write_picture(tmp_path / "others/z.png")
    for folder, words in {"empty": "no pictures", "nowhere": "cannot be read", "others": "no result of"}.items():
        code, _, err = run(SCRIPT, *folders[:2], "-d1", tmp_path / folder)
        assert code == 2
        assert len(err.splitlines()) == 1
        assert err.startswith("error: ")
        assert words in err
