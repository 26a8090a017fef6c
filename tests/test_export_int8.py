"""What int8 costs is measured on whole pictures, few of which are in memory."""

import weakref

import cv2
import numpy as np
import pytest
from conftest import write_picture

from historynet.commands import export
from historynet.comparing import metrics
from historynet.errors import InputError
from historynet.pictures import images


class Doubler:
    """Colorizes one picture after the other: twice its gray in red."""

    def many(self, grays):
        for gray in grays:
            yield np.stack([cv2.convertScaleAbs(gray, alpha=2), gray, gray], axis=-1)


@pytest.fixture
def pictures(tmp_path):
    for number in range(12):
        write_picture(tmp_path / f"{number:02}.png", seed=number)
    return sorted(tmp_path.iterdir())


def test_scores_are_the_metrics_of_each(pictures):
    found = export.measure(Doubler(), pictures)
    rgbs = [images.read_rgb(path) for path in pictures]
    results = list(Doubler().many(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) for rgb in rgbs))
    assert found.psnr == pytest.approx(np.mean([metrics.psnr(*pair) for pair in zip(rgbs, results, strict=True)]))
    assert found.colorfulness == pytest.approx(np.mean([metrics.colorfulness(one) for one in results]))


def test_few_pictures_are_in_memory(pictures, monkeypatch):
    read, alive, most = images.read_rgb, weakref.WeakSet(), []

    class Kept(np.ndarray):
        """An array that can be asked whether it is still there."""

        __hash__ = object.__hash__

    def watched(path):
        rgb = read(path).view(Kept)
        alive.add(rgb)
        most.append(len(alive))
        return rgb

    monkeypatch.setattr(images, "read_rgb", watched)
    export.measure(Doubler(), pictures)
    assert len(most) == 2 * len(pictures)
    assert max(most) <= 3


def test_too_few_pictures_are_refused(tmp_path):
    for number in range(19):
        write_picture(tmp_path / f"{number:02}.png", seed=number)
    with pytest.raises(InputError, match=f"{tmp_path}: holds 19 pictures"):
        export._choose_pictures(tmp_path)
    write_picture(tmp_path / "19.png")
    assert len(export._choose_pictures(tmp_path)) == 20
