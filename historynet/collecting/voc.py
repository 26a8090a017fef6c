"""Pascal VOC 2012, VOCdevkit/VOC2012 -> pictures of 128x128 for training and for tests.

The test pictures are those that `ImageSets/Segmentation/val.txt` names; all others of `JPEGImages` are for training.
"""

import codecs
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from historynet.collecting.pictures import Counts, write_missing
from historynet.errors import InputError
from historynet.pictures import color, images

TRAINING, TEST = "voc_train", "voc_test"
"""The folders of the pictures."""

SIDE = 128

_PICTURES, _TEST_LIST = "JPEGImages", "ImageSets/Segmentation/val.txt"
_LONGEST_LIST = 1 << 20
_NEEDED = "the whole of VOCdevkit/VOC2012 is needed, as its archive has it"


def find_pictures(voc: Path) -> dict[str, list[str]]:
    """The names of the pictures, without extension, by the folders that they are for; sorted.

    Args:
        voc: VOCdevkit/VOC2012.

    Raises:
        InputError: if the folder, its pictures or its list are not there, or the list is none.
    """
    if not (voc / _PICTURES).is_dir():
        raise InputError(f"{voc / _PICTURES}: no such folder; {_NEEDED}")
    tests = set(_read_list(voc / _TEST_LIST))
    found = {Path(name).stem for name in images.list_pictures(voc / _PICTURES, extensions={".jpg"})}
    return {TRAINING: sorted(found - tests), TEST: sorted(tests)}


def _read_list(path: Path) -> list[str]:
    """The names in a list of VOC, one in a line."""
    if not path.exists():
        raise InputError(f"{path}: no such file; {_NEEDED}")
    # Editors of Windows put a mark first.
    data = images.read_bytes(path, _LONGEST_LIST).removeprefix(codecs.BOM_UTF8)
    names = [line.strip() for line in data.decode("latin-1").splitlines()]
    for line, name in enumerate(names, start=1):
        # It becomes a part of paths.
        if name and not re.fullmatch(r"\w{1,100}", name, re.ASCII):
            raise InputError(f"{path}: line {line}: {name[:100]!r} is not the name of a picture, as 2007_000033")
    names = [name for name in names if name]
    if not names:
        raise InputError(f"{path}: names no pictures; {_NEEDED}")
    return names


def prepare(
    voc: Path, out: Path, names: dict[str, list[str]], progress: Callable[[int], object] = lambda count: None
) -> dict[str, Counts]:
    """Writes the pictures as PNG files, resized once as networks see them; those that are there stay.

    Args:
        voc: VOCdevkit/VOC2012.
        out: the folder in which TRAINING and TEST are made.
        names: of `find_pictures`.
        progress: called with the number of pictures just done.

    Raises:
        InputError: if a folder holds pictures of something else, or cannot be written to.
    """
    for part, own in names.items():
        expected = {f"{name}.png" for name in own}
        there = images.list_pictures(out / part, or_none=True) if (out / part).is_dir() else []
        others = [name for name in there if name not in expected]
        if others:
            raise InputError(
                f"{out / part}: {len(others)} pictures are not of this data set's {part}, as {others[0]}; remove them, "
                "or name another folder with --out"
            )
    # A copy by way of another system may call them .JPG.
    called = {Path(name).stem: name for name in images.list_pictures(voc / _PICTURES, extensions={".jpg"})}
    return {
        part: write_missing(
            out / part,
            ((f"{name}.png", voc / _PICTURES / called.get(name, f"{name}.jpg")) for name in own),
            _resized,
            progress,
        )
        for part, own in names.items()
    }


def _resized(path: Path) -> np.ndarray:
    return color.resize(images.read_rgb(path), SIDE, SIDE)
