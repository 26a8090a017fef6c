"""Where each picture of a finished data set is from, and who labelled and parsed it: provenance.csv."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from historynet import files
from historynet.collecting import rows
from historynet.errors import InputError

NAME = "provenance.csv"

TRAIN, TEST = "train", "test"
"""What `split` can be."""

_PRIVATE = "# private: films of it have no licence; this data set may not be passed on\n"


@dataclass(frozen=True)
class Origin:
    """A picture's row; empty where nothing is known.

    Attributes:
        picture: its file's name.
        split: TRAIN or TEST.
        title: the key of its film's title.
        part: of the title.
        seconds: from the film's begin.
        name: of the film.
        year: in which it was made.
        licence: of the film.
        source: of the film.
        sha256: of the picture's file, hexadecimal.
        label: name of its label.
        label_by: who said so.
        confidence: of the labeller, 0..1; empty if a person said it.
        parsing_by: who made its parsing; empty if it has none.
    """

    picture: str
    split: str
    title: str
    part: str
    seconds: str
    name: str
    year: str
    licence: str
    source: str
    sha256: str
    label: str
    label_by: str
    confidence: str
    parsing_by: str


COLUMNS = tuple(field.name for field in dataclasses.fields(Origin))


def write(path: Path, origins: Sequence[Origin], private: bool) -> None:
    """Writes the table, sorted by picture.

    Args:
        path: of the table.
        origins: all pictures.
        private: whether a first line says that the data set may not be passed on.

    Raises:
        InputError: if it cannot be written.
    """
    lines = [dataclasses.astuple(origin) for origin in sorted(origins, key=lambda origin: origin.picture)]
    files.write_text(path, (_PRIVATE if private else "") + rows.text([COLUMNS, *lines]))


def read(path: Path) -> tuple[list[Origin], bool]:
    """The pictures of a table, and whether it is private.

    Raises:
        InputError: if it cannot be read, or is no such table.
    """
    if not path.exists():
        raise InputError(f"{path}: is not there; build.py writes it")
    with files.reading(path):
        content = path.read_bytes()
    private = content.startswith(_PRIVATE.encode())
    found = rows.parse(content.removeprefix(_PRIVATE.encode()), path, COLUMNS)
    return [Origin(*(cells[column] for column in COLUMNS)) for _, cells in found], private
