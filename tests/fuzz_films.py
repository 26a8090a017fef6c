"""Mutated films, a thousand of them: `python tests/fuzz_films.py`.

Films in a dozen containers are changed at random, bytes anywhere and in the headers, or end early. Each is refused by
an error of ours, in one line, or done as far as it goes: then the result has as many frames as is said, with times that
rise. A case follows from its number alone.
"""

import dataclasses
import sys
import tempfile
from pathlib import Path

import fuzzing
import numpy as np
import test_film_matrix
from test_films import Painter, packets

from historynet.errors import InputError
from historynet.films import FilmOptions, colorize_film, same_container

MEMORY = 400e6
"""Bytes that a case may take, with frames of up to half a megapixel."""

OPTIONS = FilmOptions(max_megapixels=0.5)

NAMES = (
    *("a.mp4", "i.mp4", "e.mov", "a.mkv", "i.webm", "b.avi", "e.avi", "a.wmv", "b.flv", "a.vob", "c.mpg", "a.ts"),
    *("e.m2ts", "b.ogv", "a.3gp", "a.mxf"),
)
"""Of the films of the matrix that are changed."""

ORIGINALS: list[tuple[str, bytes]] = []


def prepare():
    """Makes the films."""
    test_film_matrix.SECONDS = 0.6
    with tempfile.TemporaryDirectory() as folder:
        for name in NAMES:
            case = next(case for case in test_film_matrix.CASES if case.name == name)
            path = Path(folder) / name
            test_film_matrix.make(dataclasses.replace(case, rate=case.rate or "25"), path)
            ORIGINALS.append((name, path.read_bytes()))


def attempt(number, folder):
    """Makes the case in a folder, and colorizes it."""
    if not ORIGINALS:
        prepare()
    rng = np.random.default_rng((3, number))
    name, data = ORIGINALS[number % len(ORIGINALS)]
    film = folder / name
    film.write_bytes(fuzzing.mutated(data, rng, header=600))
    result = folder / f"result{same_container(film)}"
    try:
        report = colorize_film(Painter(), film, result, OPTIONS)
    except InputError as error:
        assert str(error).startswith(str(folder)), error
        assert "\n" not in str(error), error
        assert not result.exists()
        return "refused"
    shown = sorted(time for _, time in packets(result, "video"))
    assert len(shown) == report.frames > 0
    assert (np.diff(shown) > 0).all()
    assert not any("\n" in text for text in (*report.notes, *report.damage))
    return "damaged" if report.damage else "sound"


if __name__ == "__main__":
    sys.exit(fuzzing.main(attempt, __doc__, prepare, memory=MEMORY))
