"""The pictures that are kept, and where everything is in the folder WORK."""

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from historynet import files
from historynet.collecting import rows
from historynet.errors import InputError

NAME = "manifest.csv"

MASKS = "masks"
"""The folder of the masks in that of a film's pictures."""

Box = tuple[float, float, float, float]
"""left, top, right, bottom in pixels of the stored picture."""


@dataclass(frozen=True)
class Picture:
    """A picture that is kept.

    Attributes:
        picture: its file's name, FILE_KEY-MILLISECONDS.jpg.
        file_key: of its film.
        key: of the film's title.
        part: of the title; empty if it has one.
        seconds: from the film's begin.
        boxes: of the main persons, the tallest first.
        sharpness: variance of the Laplacian by that of luminance, at a short side of 224 pixels.
        tone: spread of ab that luminance does not explain.
    """

    picture: str
    file_key: str
    key: str
    part: str
    seconds: float
    boxes: tuple[Box, ...]
    sharpness: float
    tone: float


def frames_of(work: Path, file_key: str) -> Path:
    """The folder of a film's pictures."""
    return work / "frames" / file_key


def path_of(work: Path, picture: Picture) -> Path:
    """A picture's file."""
    return frames_of(work, picture.file_key) / picture.picture


def mask_of(work: Path, picture: Picture) -> Path:
    """The file of its parsing, which need not be there."""
    return frames_of(work, picture.file_key) / MASKS / f"{Path(picture.picture).stem}.png"


def write(work: Path, pictures: Iterable[Picture]) -> None:
    """Writes the manifest, sorted by name.

    Raises:
        InputError: if it cannot be written.
    """
    lines = [[field.name for field in fields(Picture)]]
    for one in sorted(pictures, key=lambda picture: picture.picture):
        boxes = json.dumps(one.boxes)
        place = [one.picture, one.file_key, one.key, one.part, f"{one.seconds:.3f}", boxes]
        lines.append([*place, one.sharpness, one.tone])
    rows.write(work / NAME, lines)


def read(work: Path) -> list[Picture]:
    """The pictures of the manifest, sorted by name.

    Raises:
        InputError: if it is not there, cannot be read, or is none.
    """
    path = work / NAME
    if not path.exists():
        raise InputError(f"{path}: is not there; choose.py writes it")
    with files.reading(path), path.open(encoding="utf-8", newline="") as file:
        try:
            return [_picture(row) for row in csv.DictReader(file)]
        except (KeyError, ValueError, TypeError) as error:
            raise InputError(f"{path}: not a list of pictures; choose.py writes it anew") from error


def _picture(row: dict[str, str]) -> Picture:
    boxes = tuple((left, top, right, bottom) for left, top, right, bottom in json.loads(row["boxes"]))
    numbers = (float(row[name]) for name in ("sharpness", "tone"))
    texts = (row[name] for name in ("picture", "file_key", "key", "part"))
    return Picture(*texts, float(row["seconds"]), boxes, *numbers)
