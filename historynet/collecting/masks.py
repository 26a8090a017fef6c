"""The parsing of the kept pictures: an indexed PNG for each, and the table of who made it."""

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from historynet import files
from historynet.collecting import manifest, parts, rows
from historynet.collecting.manifest import Picture
from historynet.errors import InputError, PictureError, translated
from historynet.pictures import images

FOLDER = "parsing"
"""In WORK: what is not beside the pictures."""

TABLE = f"{FOLDER}/masks.csv"
"""In WORK."""

BY_HAND = "hand:"

_COLUMNS = ("picture", "made_by", "when", "changed", "confidence")


@dataclass(frozen=True)
class Made:
    """Who made a mask.

    Attributes:
        by: the parser's name, or hand:NAME.
        when: when it was corrected; empty for a parser's, which are the same whenever they are made.
        changed: pixels that the hand changed.
        confidence: mean largest probability within the persons; None if nobody knows.
    """

    by: str
    when: str = ""
    changed: int = 0
    confidence: float | None = None

    @property
    def is_by_hand(self) -> bool:
        return self.by.startswith(BY_HAND)


def cells(picture: str, made: Made) -> tuple[object, ...]:
    """A line of the table."""
    confidence = "" if made.confidence is None else f"{made.confidence:.4f}"
    return picture, made.by, made.when, made.changed, confidence


def read_table(work: Path) -> dict[str, Made]:
    """Who made which picture's mask; nothing if there is no table yet.

    Raises:
        InputError: if the table cannot be read, naming the line.
    """
    path = work / TABLE
    return read_made(path) if path.exists() else {}


def read_made(path: Path) -> dict[str, Made]:
    """The same of a file.

    Raises:
        InputError: if it cannot be read, naming the line.
    """
    found = {}
    for line, row in rows.read(path, _COLUMNS):
        try:
            confidence = float(row["confidence"]) if row["confidence"] else None
            found[row["picture"]] = Made(row["made_by"], row["when"], int(row["changed"]), confidence)
        except ValueError as error:
            raise InputError(f"{path}, line {line}: changed and confidence must be numbers") from error
    return found


def write_made(path: Path, made: Mapping[str, Made]) -> None:
    """Writes such a file, by picture, whole or not at all.

    Raises:
        InputError: if it cannot be written.
    """
    rows.write(path, [_COLUMNS, *(cells(name, made[name]) for name in sorted(made))])


def made_by(work: Path) -> dict[str, str]:
    """Who made which picture's mask: the parser's name, or hand:NAME.

    Raises:
        InputError: as `read_table`.
    """
    return {name: made.by for name, made in read_table(work).items()}


def of(work: Path, picture: Picture) -> Path | None:
    """The file of a picture's mask, or None."""
    path = manifest.mask_of(work, picture)
    return path if path.is_file() else None


def encode(indices: np.ndarray, palette: str) -> bytes:
    """Indices of parts (height, width) as an indexed PNG, which looks like their drawing."""
    image = Image.fromarray(np.ascontiguousarray(indices, np.uint8))
    image.putpalette(parts.PALETTES[palette].tobytes())
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def write(path: Path, indices: np.ndarray, palette: str) -> None:
    """Writes a mask, whole or not at all.

    Args:
        path: the file.
        indices: of the parts, (height, width).
        palette: of `parts.PALETTES`.

    Raises:
        InputError: if it cannot be written.
    """
    data = encode(indices, palette)
    files.write_atomically(path, lambda temporary: temporary.write_bytes(data))


def read(path: Path) -> np.ndarray:
    """The indices of a mask, uint8 (height, width).

    Raises:
        PictureError: if it cannot be read, or is no indexed PNG of parts.
    """
    indices, _ = _read(path)
    return indices


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The indices of a mask, and its palette (colours, 3)."""
    data = images.read_bytes(path)
    # Damage is found as in other pictures.
    images.decode(data, path)
    with translated(
        (OSError, ValueError, SyntaxError), lambda error: PictureError(f"{path}: cannot be read ({error})")
    ):
        image = Image.open(io.BytesIO(data))
        indices = np.array(image) if image.mode == "P" else None
    if indices is None or indices.max(initial=0) > parts.PERSON:
        raise PictureError(f"{path}: no indexed PNG of the 20 parts; parse.py makes one")
    return indices, np.array(image.getpalette(), np.uint8).reshape(-1, 3)


def redraw(path: Path, palette: str) -> bool:
    """Gives a mask another palette if it has another, its parts unchanged; whether it had.

    Raises:
        InputError: if it cannot be read, or not be written.
    """
    indices, colours = _read(path)
    wanted = parts.PALETTES[palette][: len(colours)]
    if np.array_equal(colours[: len(wanted)], wanted):
        return False
    write(path, indices, palette)
    return True


def check_palette(indices: Iterable[int], palette: str, path: Path) -> None:
    """Sees that a palette can draw what is there.

    Raises:
        InputError: if whole persons are to be drawn as parts.
    """
    if parts.PERSON in set(indices) and palette != "deeplab":
        raise InputError(f"{path}: tells persons but no parts; draw them with --palette deeplab")
