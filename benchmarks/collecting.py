"""Measures the rates that the hours of a data set are counted with: `python -m benchmarks.collecting`.

Beside each rate that of the specification, and what part of it this machine reaches: 0.80 and more holds. Films are
made for it (H.264 of 2 Mbit/s, a cut every three seconds) of the photographs that scikit-image carries. The best of
several tries counts, since other programs only ever make a try slower; nothing else should run. Frames and candidates,
which a process of collect.py works on in one thread, are measured by the processor's time, networks by the clock.
"""

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import av
import cv2
import numpy as np
import skimage.data

from benchmarks.measuring import ROOT, seconds
from historynet import backend, errors
from historynet.collecting import candidates, labels, persons, scores
from historynet.collecting.jobs import write_picture
from historynet.collecting.sampling import CUT_SIZE, Crop, fit, open_film
from historynet.commands import running
from historynet.films.reading import Film
from historynet.films.steadying import find_cuts
from historynet.settings import Parser

SIZES = {"480p": (854, 480), "720p": (1280, 720), "1080p": (1920, 1080)}
RATE, SHOT = 25, 75
FRAMES = 2 * SHOT
TRIES = 8

LOOKED_AT = {"480p": 469, "720p": 339}
STAGES = {"decoded": 269, "+ small luma": 197, "+ shots": 182, "+ sharpness": 168}
"""Frames a second, in one process; the stages are those of 1080p."""

CANDIDATE = {"RGB, fit": 3.6, "tone": 1.3, "hash": 0.2, "range": 0.3, "persons": 17, "box": 1.2, "JPEG": 3.4}
"""Milliseconds. Reducing to the stored size counts in the last part."""

PART = "  of which "
"""What a line begins with that tells a part of the whole above; parts do not count by themselves."""

LABELLED, LABELLED_112, TRAINED, PARSED = 12.6, 76.8, 5.6, 158
BATCH = 32


def main(argv: Sequence[str]) -> int:
    """Prints a line for each rate, and how many are below 0.80 of the specification's."""
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.parse_args(argv)
    # One thread, as in the processes of collect.py.
    cv2.setNumThreads(1)
    print(f"{'':44}{'measured':>10}{'specified':>11}{'share':>7}")
    shares = []
    with tempfile.TemporaryDirectory() as folder:
        for name, unit, measured, specified in rates(Path(folder)):
            share = measured / specified if unit.endswith("/s") else specified / measured
            if not name.startswith(PART):
                shares.append(share)
            print(f"{name:34}{unit:>10}{measured:10.1f}{specified:11.1f}{share:7.2f}", flush=True)
    print(f"{sum(share < 0.8 for share in shares)} of {len(shares)} rates are below 0.80 of those specified")
    return errors.DONE


Rate = tuple[str, str, float, float]
"""What it is of, its unit, measured, specified."""


def rates(folder: Path) -> Iterator[Rate]:
    """Measures one after the other."""
    for size, shape in SIZES.items():
        make_film(folder / f"{size}.mp4", shape)
    for size in ("480p", "720p"):
        yield f"frames, {size}", "frames/s", frames_a_second(looked_at, folder, size), LOOKED_AT[size]
    stages = dict(zip(STAGES, (decoded, watched, cut, looked_at), strict=True))
    for name, function in stages.items():
        yield f"frames, 1080p: {name}", "frames/s", frames_a_second(function, folder, "1080p"), STAGES[name]
    yield from of_a_candidate(folder)
    # OpenCV as the other programs have it.
    cv2.setNumThreads(-1)
    backend.start("cpu")
    paths = make_pictures(folder)
    for name, side, specified in (("ResNet50", 224, LABELLED), ("ResNet50, 112 px", 112, LABELLED_112)):
        yield f"labelled, {name}", "pictures/s", labelled(folder, paths, side), specified
    yield "parsed, compact parser", "persons/s", parsed(paths), PARSED
    yield "trained, ResNet50", "pictures/s", trained(folder), TRAINED


def best(function: Callable[[], object]) -> float:
    """Seconds of the processor in the fastest try."""

    def once() -> float:
        begin = time.process_time()
        function()
        return time.process_time() - begin

    return min(once() for _ in range(TRIES))


def frames_a_second(function: Callable[[Path, str], object], folder: Path, size: str) -> float:
    """As of a long film: what opening it takes is left out."""
    opened, took = best(lambda: _open(folder, size)), best(lambda: function(folder, size))
    return FRAMES / (took - opened)


def photographs() -> list[np.ndarray]:
    """An astronaut and a cup of coffee, uint8 RGB."""
    return [skimage.data.astronaut(), skimage.data.coffee()]


def make_film(path: Path, size: tuple[int, int]) -> None:
    """A film of pans over the photographs."""
    options = {"preset": "fast", "b": "2000000", "maxrate": "2000000", "bufsize": "4000000"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", RATE, options)
        (stream.width, stream.height), stream.pix_fmt, stream.bit_rate = size, "yuv420p", 2_000_000
        for rgb in photographs():
            factor = max((size[0] + SHOT) / rgb.shape[1], size[1] / rgb.shape[0])
            large = cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
            for i in range(SHOT):
                page = np.ascontiguousarray(large[: size[1], i : i + size[0]])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(page, "rgb24")))
        container.mux(stream.encode())


def _open(folder: Path, size: str) -> Film:
    film = open_film(folder / f"{size}.mp4")
    film.threads = 1
    return film


def decoded(folder: Path, size: str) -> None:
    """Reads all frames of a film."""
    for _ in _open(folder, size).decoded():
        pass


def watched(folder: Path, size: str) -> None:
    """The same, with the small luma of each."""
    for _ in candidates.watch(_open(folder, size), Crop()):
        pass


def cut(folder: Path, size: str) -> None:
    """The same, with the cuts between shots."""

    def for_cuts(seen: candidates.Seen) -> np.ndarray:
        return cv2.resize(seen.luma, CUT_SIZE[::-1], interpolation=cv2.INTER_AREA)

    for _ in find_cuts(candidates.watch(_open(folder, size), Crop()), for_cuts):
        pass


def looked_at(folder: Path, size: str) -> list[candidates.Found]:
    """All that is done with frames: those that become candidates."""
    return list(candidates.find(candidates.watch(_open(folder, size), Crop()), rate=2, trim=2))


def of_a_candidate(folder: Path) -> Iterator[Rate]:
    """What a candidate of 1080p costs, in parts and in all; the mean of several, the best of the tries."""
    found, film = looked_at(folder, "1080p"), _open(folder, "1080p")
    detector = persons.open_detector("default")
    maker = candidates.Maker(film, "film", folder, Crop(), 256, None, detector)

    def rgb(i: int) -> np.ndarray:
        return film.planes.rgb(found[i].seen.frame, found[i].seen.aspect)

    pictures = [np.ascontiguousarray(candidates.reduce(rgb(i), 448)) for i in range(len(found))]
    small = [fit(picture, scores.SIDE) for picture in pictures]
    gray = [cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in small]
    box = np.array([60.0, 30.0, 220.0, 224.0])
    parts: dict[str, Callable[[int], object]] = {
        "RGB, fit": lambda i: fit(candidates.reduce(rgb(i), 448), scores.SIDE),
        "tone": lambda i: scores.tone_and_cast(small[i]),
        "hash": lambda i: scores.perceptual_hash(gray[i]),
        "range": lambda i: scores.spread(gray[i]),
        "persons": lambda i: detector(pictures[i]),
        "box": lambda i: scores.person_sharpness(gray[i], box),
        "JPEG": lambda i: write_picture(folder / "picture.jpg", fit(pictures[i], 256)),
    }
    took = best(lambda: [maker(one) for one in found])
    yield "a candidate", "ms", 1000 * took / len(found), sum(CANDIDATE.values())
    for name, part in parts.items():
        took = best(lambda part=part: [part(i) for i in range(len(found))])
        yield f"{PART}{name}", "ms", 1000 * took / len(found), CANDIDATE[name]


def make_pictures(folder: Path) -> list[Path]:
    """Two batches of pictures as collect.py stores them."""
    paths = [folder / f"{i:03}.jpg" for i in range(2 * BATCH)]
    for i, path in enumerate(paths):
        write_picture(path, fit(np.ascontiguousarray(photographs()[i % 2][:, i:]), 256))
    return paths


def labelled(folder: Path, paths: Sequence[Path], side: int) -> float:
    """Pictures that `label.py rest` labels a second; random weights cost what trained ones do."""
    # Imported here: the engine has to be started quietly before.
    from historynet.collecting import predicting
    from historynet.systems import loading
    from historynet.systems.labeller.architecture import Architecture
    from historynet.systems.labeller.network import build_network
    from historynet.systems.labeller.registration import NAME

    names = tuple(label.name for label in labels.table())
    architecture = Architecture(image_size=side, labels=names)
    path = folder / f"labeller{side}.keras"
    loading.save(build_network(architecture), NAME, architecture, path)

    def label(count: int) -> None:
        several = tuple(paths[:count])
        of_all = ("",) * count, several, (None,) * count
        predicting.label_shard(predicting.Shard(path, 1.0, names, *of_all, folder / "shard.csv"))

    # Reads and compiles.
    label(BATCH)
    return len(paths) / min(seconds(lambda: label(len(paths))) for _ in range(TRIES))


def parsed(paths: Sequence[Path]) -> float:
    """Persons that the shipped parser parses a second, one in each picture."""
    from historynet.collecting import parser_files, parsers
    from historynet.pictures import images

    parser = parsers.open_parser(parser_files.read(parser_files.choose("default")[0]))
    pictures = [images.read_rgb(path) for path in paths]
    boxes = [[(40.0, 10.0, 200.0, 250.0)]] * len(pictures)
    return len(pictures) / min(seconds(lambda: parser(pictures, boxes)) for _ in range(TRIES))


def trained(folder: Path) -> float:
    """Pictures that MHMD_Labeller.py trains on a second, once its update is compiled."""
    from historynet.collecting import film_list, final, manifest
    from historynet.collecting.answers import Notebook

    work, names = folder / "work", [label.name for label in labels.table()]
    box = 8.0, 4.0, 50.0, 60.0
    kept = [manifest.Picture(f"a-{i:08}.jpg", "a", "a", "", i / 2, (box,), 0.1, 9.0) for i in range(70)]
    for i, one in enumerate(kept):
        write_picture(manifest.path_of(work, one), fit(photographs()[i % 2], 256))
    manifest.write(work, kept)
    film_list.write(work / film_list.NAME, [film_list.Film("a", "", folder / "1080p.mp4")])
    book = Notebook(work / final.FOLDER / final.HAND, "nobody")
    for i, one in enumerate(kept):
        book.add(one.picture, names[i % 3])
    book.close()
    places = [word for kind in ("model", "out", "log") for word in (f"--{kind}-dir", folder / kind)]
    options = ["--labeller-weights", "none", "--holdout", 0.05, "--steps-per-epoch", 2, "--num-epochs", 2]
    script = [ROOT / "SOURCE_MHMD/MHMD_Labeller.py", "--train-data", work, *places, "--gpu-id", "cpu", *options]
    told = subprocess.run([sys.executable, *map(str, script)], stdout=subprocess.PIPE, text=True, check=True).stdout
    # The second epoch's.
    return float(re.findall(r"([0-9.]+) images/s", told)[-1])


if __name__ == "__main__":
    running.run(main)
