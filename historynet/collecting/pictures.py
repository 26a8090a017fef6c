"""Pictures of a published data set -> PNG files in a folder, as far as they are not there yet."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from historynet import files
from historynet.errors import PictureError
from historynet.parallel import CORES, map_ahead
from historynet.pictures import images

Item = TypeVar("Item")


@dataclass
class Counts:
    """What became of the pictures.

    Attributes:
        written: how many were.
        existing: how many were there already.
        skipped: why others could not be.
    """

    written: int = 0
    existing: int = 0
    skipped: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"pictures: {self.written + self.existing} ({self.existing} of them were there already)"


def write_missing(
    folder: Path,
    items: Iterable[tuple[str, Item]],
    make: Callable[[Item], np.ndarray],
    progress: Callable[[int], object] = lambda count: None,
) -> Counts:
    """Writes those pictures that a folder lacks; each is whole or not there, so that a stopped run can be continued.

    Args:
        folder: of the pictures; nobody else may be writing there.
        items: a name, NAME.png, and what the picture is made of, taken one by one.
        make: gives the picture, uint8 RGB (h, w, 3); called in threads.
        progress: called with the number of pictures just done.

    Raises:
        InputError: if a picture cannot be written; or what the items raise.
    """
    files.make_folder(folder)
    files.remove_unfinished(folder)
    there = {path.name for path in files.list_folder(folder)}
    counts = Counts()

    def missing() -> Iterator[tuple[str, Item]]:
        for name, item in items:
            if name in there:
                counts.existing += 1
                progress(1)
            else:
                yield name, item

    def write(named: tuple[str, Item]) -> str | None:
        name, item = named
        try:
            rgb = make(item)
        except PictureError as error:
            return str(error)
        images.write_rgb(folder / name, rgb)
        return None

    for skipped in map_ahead(write, missing(), 4 * CORES):
        if skipped is None:
            counts.written += 1
        else:
            counts.skipped.append(skipped)
        progress(1)
    return counts
