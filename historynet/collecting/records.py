"""What became of each film: a file for each, by which a stopped run goes on, and a table of all their frames.

A folder of frames holds `train` and `test`, the pictures; `films`, a record for each film; and `frames.csv`.
"""

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from historynet import files
from historynet.collecting.adjusting import Adjustment
from historynet.collecting.sampling import Crop, Shot
from historynet.colorizing.records import identify
from historynet.errors import InputError

TRAINING, TEST = "train", "test"
"""The folders of the pictures. A film is in one of them as a whole."""

KEPT, DARK, COLOURLESS = "kept", "dark", "no colour"
"""What becomes of a frame."""

FILMS = "films"
_NO_RECORD = "no record of a film's frames; remove it, and the film is read again"


@dataclass(frozen=True)
class Analysis:
    """What a film's first reading gives.

    Attributes:
        rate: frames a second.
        crop: its black bars.
        shots: in order.
        adjustments: one for each shot.
    """

    rate: float
    crop: Crop
    shots: Sequence[Shot]
    adjustments: Sequence[Adjustment]


@dataclass(frozen=True)
class Frame:
    """A frame that stands for its shot with some others.

    Attributes:
        shot: its number, from 1.
        frame: its number among those of the shot, from 1.
        time: in seconds from the film's beginning.
        luminance: mean of L after the adjustment, 0..1.
        tint: how far it is from one tone (`toning.tint`).
        outcome: KEPT, DARK or COLOURLESS.
    """

    shot: int
    frame: int
    time: float
    luminance: float
    tint: float
    outcome: str


@dataclass
class Record:
    """What became of a film.

    Attributes:
        film: its name in the names of its pictures.
        path: of its file, without links.
        content: digest of its file.
        made_with: the options, by name.
        part: TRAINING or TEST.
        analysis: of the first reading.
        frames: of the second; None if that is not at its end yet.
        notes: what there is to say of it.
        damage: what of the film could not be read.
    """

    film: str
    path: str
    content: str
    made_with: Mapping[str, Any]
    part: str
    analysis: Analysis
    frames: Sequence[Frame] | None = None
    notes: Sequence[str] = field(default_factory=list)
    damage: Sequence[str] = field(default_factory=list)

    def picture(self, frame: Frame) -> str:
        """The name of a frame's picture."""
        return f"{self.film}_s{frame.shot:05}_f{frame.frame}.jpg"

    def outcomes(self) -> Counter[str]:
        """How many frames there are of each outcome."""
        return Counter(frame.outcome for frame in self.frames or ())

    def write(self, folder: Path) -> None:
        """Writes the record into a folder of frames.

        Raises:
            InputError: if that cannot be.
        """
        files.write_json(_path(folder, self.film), asdict(self))

    def move(self, folder: Path, part: str) -> None:
        """Moves the pictures to a part, where most may be already: a move that was stopped goes on, or back.

        Raises:
            InputError: if that cannot be.
        """
        names = [self.picture(frame) for frame in self.frames or () if frame.outcome == KEPT]
        with files.writing(folder / part, "written to"):
            (folder / part).mkdir(parents=True, exist_ok=True)
            for other in {TRAINING, TEST} - {part}:
                for name in names:
                    if (folder / other / name).exists():
                        (folder / other / name).rename(folder / part / name)
        if self.part != part:
            self.part = part
            self.write(folder)


def _path(folder: Path, film: str) -> Path:
    return folder / FILMS / f"{film}.json"


def remove(folder: Path, film: str) -> None:
    """Removes a film's record, then its pictures: what is left after a stop is nobody's and will be removed.

    Raises:
        InputError: if that cannot be.
    """
    with files.writing(_path(folder, film), "removed"):
        _path(folder, film).unlink(missing_ok=True)
    is_its = re.compile(re.escape(film) + r"_s\d{5,}_f\d\.jpg")
    for part in (TRAINING, TEST):
        for path in files.list_folder(folder / part):
            if is_its.fullmatch(path.name):
                with files.writing(path, "removed"):
                    path.unlink(missing_ok=True)


def read_all(folder: Path) -> dict[str, Record]:
    """The records of a folder of frames, by film, in order.

    Raises:
        InputError: if one cannot be read, or is none.
    """
    paths = sorted(path for path in files.list_folder(folder / FILMS) if path.suffix == ".json")
    return {path.stem: _read(path) for path in paths if not path.name.startswith(".")}


def _read(path: Path) -> Record:
    content = files.read_json(path, dict, _NO_RECORD)
    try:
        of_film = content.pop("analysis")
        analysis = Analysis(
            of_film["rate"],
            Crop(**of_film["crop"]),
            [Shot(**shot) for shot in of_film["shots"]],
            [Adjustment(**{**one, "gains": tuple(one["gains"])}) for one in of_film["adjustments"]],
        )
        frames = content.pop("frames")
        frames = frames if frames is None else [Frame(**frame) for frame in frames]
        return Record(**content, analysis=analysis, frames=frames)
    except (LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: {_NO_RECORD}") from error


@dataclass(frozen=True)
class Named:
    """A film and its name in the names of its pictures."""

    path: Path
    film: str
    content: str


def name_films(paths: Iterable[Path], records: Mapping[str, Record]) -> tuple[list[Named], list[tuple[Path, Path]]]:
    """A name for each film: its file's without extension, with some of its digest where others have that, too.

    A film that has a name by the records keeps it, wherever it lies now.

    Args:
        paths: of the films.
        records: of the folder of frames.

    Returns:
        The films, and pairs of (a file, the one before it that holds the very same film).

    Raises:
        PictureError: if a film cannot be read.
    """
    found, same = {}, []
    for path in paths:
        content = identify(path).content
        if content in found:
            same.append((path, found[content]))
        else:
            found[content] = path
    stems = Counter(_stem(path).casefold() for path in found.values())
    owners = {record.content: record for record in records.values()}
    # One that lies elsewhere now keeps its name, whatever is in its place.
    places = {record.path: record for record in records.values() if record.content not in found}
    taken = {film.casefold() for film in records}
    named = []
    for content, path in found.items():
        # One that was put in the place of another film's file has that one's name.
        record = owners.get(content) or places.get(os.path.realpath(path))
        film = _stem(path)
        if record:
            film = record.film
        elif stems[film.casefold()] > 1 or film.casefold() in taken:
            film = f"{film}-{content[:8]}"
        named.append(Named(path, film, content))
    return named, same


def _stem(path: Path) -> str:
    # A name may hold bytes that are no text; a table may not. What begins with a dot is hidden, a record too.
    return path.stem.encode("utf-8", "backslashreplace").decode().lstrip(".") or "film"


def write_table(folder: Path, records: Iterable[Record]) -> None:
    """Writes frames.csv: a line for each frame of each film, kept or not.

    Raises:
        InputError: if it cannot be written.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    numbers = ("gain_red", "gain_green", "gain_blue", "lo", "scale", "mean_L", "tint")
    rows.writerow(["film", "part", "shot", "frame", "time", *numbers, "outcome", "picture"])
    for record in records:
        for frame in record.frames or ():
            done = record.analysis.adjustments[frame.shot - 1]
            values = (*done.gains, done.lo, done.scale, frame.luminance, frame.tint)
            place = [record.film, record.part, frame.shot, frame.frame, f"{frame.time:.3f}"]
            picture = f"{record.part}/{record.picture(frame)}" if frame.outcome == KEPT else ""
            rows.writerow([*place, *(f"{value:.6f}" for value in values), frame.outcome, picture])
    files.write_text(folder / "frames.csv", text.getvalue())
