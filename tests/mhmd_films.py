"""Small films with and without a person, made of pictures that scikit-image brings."""

import av
import cv2
import numpy as np
from skimage import data

from historynet.collecting import film_list

RATE = 25
SIZE = 320, 240
"""(width, height) of the picture; bars come on top."""


def person():
    """A woman from head to waist, 512x512."""
    return data.astronaut()


def things():
    """A cup of coffee, 600x400."""
    return data.coffee()


def gray(rgb):
    return np.dstack([cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)] * 3)


def pan(rgb, count):
    """A part of a picture that moves to the right from frame to frame, by 60 pixels at most."""
    width, height = SIZE
    scale = max((width + 60) / rgb.shape[1], height / rgb.shape[0])
    large = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    for number in range(count):
        yield large[:height, number % 60 : number % 60 + width]


SHOTS = [
    ("flat", np.zeros((512, 512, 3), np.uint8), 25),
    ("kept", person(), 50),
    ("nobody", things(), 40),
    ("gray", gray(person()), 25),
    ("blurred", cv2.GaussianBlur(person(), (0, 0), 8), 25),
    ("kept", np.ascontiguousarray(person()[:, ::-1]), 40),
]
"""(what becomes of it, picture, frames) of each shot of `make_film`."""


def make_film(path, shots=None, bars=0, options=None, colours=None, rate=RATE):
    """Writes a film of (outcome, picture, frames), with black bars of so many pixels at the left and the right.

    Args:
        path: of the film.
        shots: those of `SHOTS` if there are none.
        bars: pixels.
        options: of x264.
        colours: attributes of the encoder, by name.
        rate: frames a second.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate, {"crf": "12", "preset": "veryfast", **(options or {})})
        stream.width, stream.height, stream.pix_fmt = SIZE[0] + 2 * bars, SIZE[1], "yuv420p"
        for name, value in {"color_range": 1, "colorspace": 6, **(colours or {})}.items():
            setattr(stream.codec_context, name, value)
        for _, picture, count in shots or SHOTS:
            for part in pan(picture, count):
                rgb = np.pad(part, [(0, 0), (bars, bars), (0, 0)])
                frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format="yuv420p", dst_colorspace=6)
                container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_list(path, *films):
    """Writes a list of films, each a mapping of columns; the others are empty, but for licence and source."""
    columns = list(film_list.COLUMNS)
    rows = [{"licence": "CC0", "source": "made", **film} for film in films]
    columns += sorted({column for row in rows for column in row} - set(columns))
    lines = [",".join(str(row.get(column, "")) for column in columns) for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([",".join(columns), *lines]) + "\n", encoding="utf-8")
    return path
