"""The whole way from films to a data set on a small scale: films that this makes, and then build.py as a user runs it.

Films that are named on the command line are taken beside these.

The films show one photograph that scikit-image carries in its own package, an astronaut of NASA's, from several sides,
between shots without anybody. The labels, warm or cool colours, are a stand-in for eras and garments, and the labeller
is a small one of some epochs: this shows that the machinery works, not how good a labeller can be.
"""

import csv
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

try:
    import av
    import numpy as np
    import skimage.data

    from historynet import backend, errors, settings
    from historynet.collecting import answers, film_list, final, manifest, rows, selecting
    from historynet.collecting.film_list import Film
    from historynet.commands import running
    from historynet.errors import InputError
    from historynet.experiments.processes import run_script
    from historynet.pictures import color, images
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "DATASET/mhmd_demo"
MODEL = ROOT / "MODEL/mhmd_demo"
RESULT = ROOT / "RESULT/mhmd_demo"

TITLES = ("launch", "orbit", "return")
SHOTS = 8
SECONDS = 1
RATE = 25
SIZE = 480, 360
BAR = 44
"""Pixels of the black bars above and below."""

OTHERS = ("coffee.png", "chelsea.png", "rocket.jpg")
"""Photographs without persons, one in each film."""

WARM, COOL = "during-usa-military", "after-usa-informal"
TINTS = {WARM: (1.15, 1.0, 0.75), COOL: (0.75, 0.95, 1.15)}

BUILDING = ("--label-share", 0.8, "--test-share", 0.3, "--gpu-id", "cpu")
"""Of few pictures, larger shares."""

LABELLER = {
    "--image-size": 112,
    "--labeller-weights": "none",
    "--width": 0.25,
    "--num-epochs": 6,
    "--batch-size": 8,
    "--learning-rate": 1e-3,
    "--holdout": 0.2,
}


def main(argv: Sequence[str]) -> int:
    """The command line; its exit code, or that of a command that failed."""
    parser = settings.Parser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("films", nargs="*", type=Path, metavar="FILM", help="further films, beside those that are made")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    running.add_backend(parser)
    arguments = parser.parse_args(argv)
    _check(arguments.films)
    # The programs, which are processes of their own, take it from the environment.
    backend.choose(arguments.backend)
    start = time.monotonic()
    for folder in (DATA, MODEL, RESULT):
        shutil.rmtree(folder, ignore_errors=True)
    listed = make_films(DATA / "films", arguments.films)
    build = ("SOURCE_MHMD/build.py", listed, "--out", DATA, "--labeller", MODEL, *BUILDING)
    # Nobody has said what the licences of further films are.
    build += ("--private",) if arguments.films else ()
    code = run(*build)
    if code != errors.BAD_INPUT or not (DATA / "mhmd/labels" / selecting.DRAWN).exists():
        return code or errors.DEFECT
    label(DATA / "mhmd")
    code = (
        run(
            "SOURCE_MHMD/MHMD_Labeller.py",
            *("--train-data", DATA / "mhmd", "--model-dir", MODEL, "--gpu-id", "cpu"),
            *("--out-dir", RESULT / "labeller", "--log-dir", RESULT / "logs"),
            *(word for option in LABELLER.items() for word in option),
        )
        or run(*build)
        or run(
            *("SOURCE_HistoryNet/HistoryNet.py", "--dry-run", "--gpu-id", "cpu", "--vgg16-weights", "none"),
            *("--train-data", DATA / "dataset_train", "--test-data", DATA / "dataset_second"),
        )
    )
    print(f"\nthe data set is in {DATA}; all of it took {time.monotonic() - start:.0f} seconds")
    return code


def _check(films: Sequence[Path]) -> None:
    """Sees that further films are there, and not where this makes room for its own."""
    for film in films:
        if not film.is_file():
            raise InputError(f"{film}: no such film")
        if any(film.resolve().is_relative_to(folder.resolve()) for folder in (DATA, MODEL, RESULT)):
            raise InputError(f"{film}: lies in a folder that is removed before the films are made; move it elsewhere")


def make_films(folder: Path, more: Sequence[Path]) -> Path:
    """The films, and the list of them and of further ones."""
    listed = []
    for number, title in enumerate(TITLES):
        path = folder / f"{title}.mp4"
        write_film(path, number)
        source = "scikit-image's astronaut.png, of NASA's Great Images"
        listed.append(Film(title, "", path, title.title(), 1999, licence="public domain", source=source))
    listed += film_list.name_films(more)
    film_list.write(folder / film_list.NAME, listed)
    print(f"{len(TITLES)} films of {SHOTS + 1} shots in {folder}")
    return folder / film_list.NAME


def write_film(path: Path, seed: int) -> None:
    """A film of shots of the astronaut and one of something else, with black bars above and below."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "12"})
        (stream.width, stream.height), stream.pix_fmt = SIZE, "yuv420p"
        for rgb in frames(seed):
            page = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
            page[BAR:-BAR] = rgb
            container.mux(stream.encode(av.VideoFrame.from_ndarray(page, "rgb24")))
        container.mux(stream.encode())


def frames(seed: int) -> Iterator[np.ndarray]:
    """The pictures of a film, without bars."""
    rng, source = np.random.default_rng(seed), Path(skimage.data.__file__).parent
    whole, other = (images.read_rgb(source / name) for name in ("astronaut.png", OTHERS[seed]))
    for shot in range(SHOTS):
        label = (WARM, COOL)[shot % 2]
        tinted = np.clip(whole * np.array(TINTS[label]), 0, 255).astype(np.uint8)
        height, width = rng.integers(250, 500), rng.integers(330, 505)
        top, left = rng.integers(0, (512 - height) // 2), rng.integers(0, (512 - width) // 2)
        flip = 1 if rng.random() < 0.5 else -1
        for i in range(SECONDS * RATE):
            # A slow pan.
            part = tinted[top : top + height, left + i // 12 : left + i // 12 + width][:, ::flip]
            yield color.resize(np.ascontiguousarray(part), SIZE[1] - 2 * BAR, SIZE[0])
    for _ in range(SECONDS * RATE):
        yield color.resize(np.ascontiguousarray(other), SIZE[1] - 2 * BAR, SIZE[0])


def label(work: Path) -> None:
    """In the place of a person: the labels of the drawn pictures, by their colours."""
    with (work / final.FOLDER / selecting.DRAWN).open(newline="") as file:
        drawn = {row["picture"] for row in csv.DictReader(file)}
    lines = []
    for one in manifest.read(work):
        if one.picture in drawn:
            red, _, blue = images.read_rgb(manifest.path_of(work, one)).mean((0, 1))
            lines.append((one.picture, WARM if red > blue else COOL, "demo", ""))
    rows.write(work / final.FOLDER / final.HAND, [answers.COLUMNS, *lines])
    print(f"\nin the place of a person: {len(lines)} labels")


def run(script: str, *arguments: object) -> int:
    """Runs a script, as a user would; its exit code."""
    print("\n$ python " + " ".join(map(str, [script, *arguments])).replace(f"{ROOT}/", ""), flush=True)
    return run_script(ROOT / script, *arguments)


if __name__ == "__main__":
    running.run(main)
