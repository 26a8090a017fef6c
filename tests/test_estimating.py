"""The time that a data set takes: the table of the specification for 147 films, and a film's own time."""

import json

import av
import numpy as np
import pytest
from test_building import resolve

from historynet.collecting import estimating, film_list
from historynet.collecting.estimating import Header, Own


@pytest.mark.parametrize(("pixels", "frames"), [(1920 * 1080, "44 h"), (1280 * 720, "22 h")])
def test_147_films_of_two_hours(tmp_path, pixels, frames):
    headers = [Header(f"film{i}", 7200, 7200 * 25, pixels) for i in range(147)]
    rows = estimating.rows(headers, resolve(tmp_path), 1, Own())
    times = {step.split(":")[0] + step.partition(":")[2][:7]: (one, ten) for step, one, ten in rows}
    assert times == {
        "collect frames": (frames, {"44 h": "4.4 h", "22 h": "2.2 h"}[frames]),
        "collect candid": ("16 h", "1.6 h"),
        "choose": ("< 0.5 h", "-"),
        "label by hand 13,532": ("7.5 h of a person", "-"),
        "train the labeller 30 epo": ("16 h", "a GPU"),
        "label the rest": ("30 h", "3.0 h"),
        "parse 1.5 pe": ("3.6 h", "0.4 h"),
        "disk pictur": ("60 GB", "with those refused 10 to 30% more"),
        "disk parsin": ("4.1 GB", ""),
    }


def make_film(path, seconds=4, rate=25, size=(64, 48)):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for i in range(seconds * rate):
            frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), i, np.uint8), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def test_from_headers_then_from_the_first_film(tmp_path):
    make_film(tmp_path / "one.mp4")
    (tmp_path / "two.mp4").write_text("no film")
    listed = film_list.name_films([tmp_path / "one.mp4", tmp_path / "two.mp4"])
    settings = resolve(tmp_path / "DATASET")
    text = estimating.estimate(listed, settings, 2)
    assert "films: 1 of 1 titles, 0.0 hours, 100 frames, about 8 candidates\nrates: measured on" in text
    assert f"left out: {tmp_path / 'two.mp4'}" in text
    folder = settings.work / "frames/one"
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(json.dumps({"fingerprint": {}}))
    predicted = 100 / 469 + 8 * 0.027
    (folder / "timing.json").write_text(json.dumps({"seconds": 3 * predicted, "frames": 100, "candidates": 8}))
    assert "rates: as 1 films here took, 3.00 times the measured time" in estimating.estimate(listed, settings, 2)
