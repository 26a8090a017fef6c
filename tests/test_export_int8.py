"""What int8 costs is measured on whole pictures, few of which are in memory."""

import signal
import weakref

import cv2
import numpy as np
import pytest
from conftest import write_picture

from historynet.commands import export, models
from historynet.comparing import metrics
from historynet.errors import InputError, translated
from historynet.pictures import images
from historynet.runtimes import exporting


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
    with pytest.raises(InputError, match=f"{tmp_path}: 19 of its 19 pictures are in colour; --int8 needs 20"):
        export._choose_pictures(tmp_path)
    write_picture(tmp_path / "19.png")
    assert len(export._choose_pictures(tmp_path)) == 20


def test_gray_pictures_do_not_count_and_damaged_ones_are_skipped(pictures, tmp_path, capsys):
    for number in range(12, 40):
        gray = np.repeat(np.random.default_rng(number).integers(0, 256, (40, 30, 1), np.uint8), 3, axis=-1)
        cv2.imwrite(str(tmp_path / f"{number}.png"), gray)
    damaged = tmp_path / "05.png"
    damaged.write_bytes(damaged.read_bytes()[:200])
    with pytest.raises(InputError, match=f"^{tmp_path}: 11 of its 40 pictures are in colour; --int8 needs 20$"):
        export._choose_pictures(tmp_path)
    err = capsys.readouterr().err
    assert err.startswith(f"skipped: {damaged}: ") and err.count("\n") == 1
    for number in range(40, 49):
        write_picture(tmp_path / f"{number}.png", seed=number)
    chosen = export._choose_pictures(tmp_path)
    assert [path.name for path in chosen] == [f"{n:02}.png" for n in (*range(5), *range(6, 12), *range(40, 49))]


def test_weights_of_others_are_not_replaced(tmp_path):
    pytest.importorskip("openvino", reason="openvino is not installed")
    (tmp_path / "a.bin").write_bytes(b"somebody's")
    for text in (None, "<net/>"):
        if text:
            (tmp_path / "a.xml").write_text(text)
        with pytest.raises(InputError, match=r"a\.bin: is there already, .* would be replaced; name another file"):
            export.export("shipped", tmp_path / "a.xml", "default")
    assert (tmp_path / "a.bin").read_bytes() == b"somebody's"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_and_leaves_nothing(tmp_path, monkeypatch, capsys, number, code):
    """Also where Keras makes an error of its own of one that is raised while it calls a layer."""
    pytest.importorskip("tf2onnx", reason="tf2onnx is not installed")

    def stopped(network, made, target):
        made.write_bytes(b"begun")
        with translated(Exception, lambda error: InputError(f"calling a layer: {error}")):
            signal.raise_signal(number)

    monkeypatch.setattr(exporting, "_export_as_keras_does", stopped)
    monkeypatch.setattr("sys.argv", ["weights", "export", "shipped", str(tmp_path / "a.onnx")])
    with pytest.raises(SystemExit) as end:
        models.main()
    assert end.value.code == code
    said = capsys.readouterr()
    assert said.err == f"stopped by {number.name}; nothing was written\n"
    assert said.out.startswith("reading ") and "exporting as Keras does" in said.out
    assert list(tmp_path.iterdir()) == []
