"""The evaluation of a training: whatever is among the test pictures, it does not stop the training."""

import dataclasses

import cv2
import numpy as np
import pytest
from conftest import ROOT, write_picture

from historynet import settings
from historynet.comparing import metrics
from historynet.data import mhmd
from historynet.errors import InputError
from historynet.pictures import color, images
from historynet.systems.historynet.settings import HistoryNetSettings
from historynet.systems.system import ab_of
from historynet.training.evaluation import ColorizedPictures

FIELDS = {"L": mhmd.Pictures, "ab": mhmd.Pictures, "parsing": mhmd.Parsing}


class Constant:
    """Predicts one colour, and the upper half of a picture as a parsing."""

    decode = staticmethod(ab_of)

    def predict(self, luminance):
        pictures, height, width, _ = luminance.shape
        parsing = np.zeros((pictures, height, width, 1), np.float32)
        parsing[:, : height // 2] = 1
        return {"ab": np.full((pictures, height, width, 2), [0.6, 0.7], np.float32), "parsing": parsing}


def make_evaluator(folder, image_size=32, **more):
    config = ROOT / "SOURCE_HistoryNet/config.py"
    parser = settings.make_parser("", settings.TRAIN, config, HistoryNetSettings)
    resolved = settings.resolve(parser.parse_args(["--test-data", str(folder)]), config, HistoryNetSettings)[0]
    return ColorizedPictures(dataclasses.replace(resolved, image_size=image_size, **more), FIELDS)


def test_scores_are_means_over_the_colorized_pictures(tmp_path):
    for i in range(3):
        write_picture(tmp_path / f"test/{i}.png", i, (33 + i, 47))
    evaluator = make_evaluator(tmp_path / "test")
    evaluation = evaluator(Constant(), tmp_path / "out")
    ab = np.full((32, 32, 2), [0.6, 0.7], np.float32)
    rgb = [images.read_rgb(tmp_path / f"test/{i}.png") for i in range(3)]
    expected = np.mean([metrics.psnr(picture, color.with_chrominance(picture, ab)) for picture in rgb])
    assert evaluation.scores["psnr"] == pytest.approx(expected)
    assert evaluation.scores["psnr_gray"] == pytest.approx(np.mean([metrics.psnr(p, color.to_gray(p)) for p in rgb]))
    assert len(list((tmp_path / "out").iterdir())) == 3
    assert not evaluator.left_out


def test_a_field_that_is_predicted_as_a_picture_is_shown_beside_its_file(tmp_path):
    write_picture(tmp_path / "test/a.png", 1, (64, 64))
    without = make_evaluator(tmp_path / "test")(Constant(), tmp_path / "out").picture
    drawn = np.zeros((64, 64, 3), np.uint8)
    drawn[:, 32:] = (255, 0, 0)
    (tmp_path / "test_seg").mkdir()
    cv2.imwrite(str(tmp_path / "test_seg/a_seg.png"), drawn[..., ::-1])
    shown = make_evaluator(tmp_path / "test")(Constant(), tmp_path / "out").picture
    # A column more, whose right half is red; the predicted one before it is white above and black below.
    assert shown.shape[1] == without.shape[1] + 224 + 4
    *_, predicted, true = np.array_split(shown[-228:-8], 5, axis=1)
    assert true[:, 150:200].mean((0, 1)).tolist() == pytest.approx([255, 0, 0], abs=2)
    assert predicted[10:90, 50:150].min() == 255
    assert predicted[130:, 50:150].max() == 0


def test_rectangular_networks_are_evaluated(tmp_path):
    write_picture(tmp_path / "test/a.png", 1, (64, 40))
    seen = []

    class Rectangular(Constant):
        def predict(self, luminance):
            seen.append(luminance.shape)
            return super().predict(luminance)

    make_evaluator(tmp_path / "test", image_size="24x40")(Rectangular(), tmp_path / "out")
    assert seen == [(1, 24, 40, 1)]


def test_a_picture_too_large_for_jpeg_is_left_out_and_does_not_stop_the_training(tmp_path):
    write_picture(tmp_path / "test/sound.png", 1, (64, 40))
    # JPEG's sides end at 65,500 pixels.
    wide = np.random.default_rng(0).integers(0, 256, (12, 65600, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "test/wide.png"), wide)
    evaluator = make_evaluator(tmp_path / "test")
    for _ in range(2):
        evaluation = evaluator(Constant(), tmp_path / "out")
        rgb = images.read_rgb(tmp_path / "test/sound.png")
        ab = np.full((32, 32, 2), [0.6, 0.7], np.float32)
        assert evaluation.scores["psnr"] == pytest.approx(metrics.psnr(rgb, color.with_chrominance(rgb, ab)))
    (message,) = evaluator.left_out
    assert "wide_reconstructed.jpg: 65600x12 pixels are too many for a .jpg file" in message


def test_no_picture_that_can_be_evaluated_is_an_error_that_says_why(tmp_path):
    (tmp_path / "test").mkdir()
    (tmp_path / "test/a.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"none of the test pictures can be evaluated; .*a.jpg: not a picture"):
        make_evaluator(tmp_path / "test")(Constant(), tmp_path / "out")
