"""The layout of MHMD (section 4 of the paper): pictures, sign.txt with their labels, and drawn parsing pictures.

dataset_train holds NAME.jpg and sign.txt, dataset_train_seg the parsing NAME_seg.jpg of each.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from historynet.data.samples import Crop
from historynet.errors import InputError
from historynet.pictures import images
from historynet.settings import Settings

PARSING_SUFFIX = "_seg"


class Pictures:
    """Reads "L" and "ab", luminance and chrominance of the picture itself, (height, width, 1 and 2) in 0..1."""

    fields = ("L", "ab")
    noun = "picture"
    present = None
    remarks = ""

    def __init__(self, settings: Settings, folder: Path, names: Sequence[str], required: bool):
        self._folder, self._names = folder, names

    def shape(self, field: str, size: tuple[int, int]) -> tuple[int, ...]:
        return (*size, 1 if field == "L" else 2)

    def read(self, index: int, crop: Crop) -> dict[str, np.ndarray]:
        lab = crop(images.read_rgb(self.picture(index)))
        return {"L": crop.age(lab[..., :1]), "ab": lab[..., 1:]}

    def picture(self, index: int) -> Path:
        return self._folder / self._names[index]


class Labels:
    """Reads "label", the integers of sign.txt as they are, (classes,)."""

    fields = ("label",)
    noun = "label"

    def __init__(self, settings: Settings, folder: Path, names: Sequence[str], required: bool):
        path = folder / settings.sign_name
        optional = settings.allow_missing_labels or not required
        self._labels, self.present, unused = _read_labels(path, names, settings.num_classes, optional)
        if not optional and not self.present.all():
            raise InputError(
                f"{path}: no line for {names[int(np.argmin(self.present))]} "
                f"({np.count_nonzero(~self.present)} of {len(names)} pictures have none); add it, or train without "
                "with --allow-missing-labels"
            )
        self.remarks = f"{unused} lines for pictures that are not in the folder"

    def shape(self, field: str, size: tuple[int, int]) -> tuple[int, ...]:
        return self._labels.shape[1:]

    def read(self, index: int, crop: Crop) -> dict[str, np.ndarray]:
        return {"label": self._labels[index].astype(np.float32)}

    def picture(self, index: int) -> None:
        return None


class Parsing:
    """Reads "parsing", the luminance of the same part of the drawn parsing picture, (height, width, 1) in 0..1."""

    fields = ("parsing",)
    noun = "parsing picture"
    remarks = ""

    def __init__(self, settings: Settings, folder: Path, names: Sequence[str], required: bool):
        self._folder = folder.with_name(folder.name + PARSING_SUFFIX)
        if required and settings.train_parsing:
            self._folder = settings.train_parsing
            if not self._folder.is_dir():
                raise InputError(f"{self._folder}: no such folder; --train-parsing names the parsing pictures' folder")
        self._found = find_parsing(self._folder, names)
        self.present = np.array([name is not None for name in self._found], bool)
        missing = [name for name, found in zip(names, self._found, strict=True) if found is None]
        if missing and required and not settings.allow_missing_parsing:
            stem = os.path.splitext(missing[0])[0]
            raise InputError(
                f"{self._folder / (stem + PARSING_SUFFIX)}.*: no parsing picture for {missing[0]} ({len(missing)} of "
                f"{len(names)} pictures have none); add it, or train without with --allow-missing-parsing"
            )

    def shape(self, field: str, size: tuple[int, int]) -> tuple[int, ...]:
        return (*size, 1)

    def read(self, index: int, crop: Crop) -> dict[str, np.ndarray]:
        path = self.picture(index)
        return {} if path is None else {"parsing": crop(images.read_rgb(path))[..., :1]}

    def picture(self, index: int) -> Path | None:
        found = self._found[index]
        return found and self._folder / found


def _read_labels(
    path: Path, names: Sequence[str], num_classes: int, allow_missing: bool
) -> tuple[np.ndarray, np.ndarray, int]:
    """The labels of the named pictures, which of them have one, and the number of lines for other pictures."""
    labels = np.zeros((len(names), num_classes), np.int16)
    has_label = np.zeros(len(names), bool)
    unused = 0
    rows = {name: row for row, name in enumerate(names)}
    parsed = {}  # a million lines have few different ends
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                name, _, end = line.partition(" ")
                row = rows.get(name)
                if row is not None and end in parsed and not has_label[row]:
                    labels[row] = parsed[end]
                    has_label[row] = True
                    continue
                # From the right, since a file name may hold spaces. A space at the end of the line is MHMD's habit.
                name, *values = line.rsplit(maxsplit=num_classes) or [""]
                name = name.strip()
                row = rows.get(name)
                right = len(values) == num_classes and all(_is_label(value) for value in values)
                if name and (not right or (row is None and _without_labels(line) in rows)):
                    raise InputError(
                        f"{path}, line {number}: {num_classes} integers from 0 to {_LARGEST_LABEL} are needed after "
                        f"the picture's name; {_what_is_wrong(line)}"
                    )
                if row is not None:
                    if has_label[row] and (labels[row] != np.array(values, np.int16)).any():
                        raise InputError(f"{path}, line {number}: {name} has other labels on an earlier line")
                    labels[row] = values
                    has_label[row] = True
                    if len(line) == len(name) + 1 + len(end):
                        parsed[end] = labels[row]
                elif name:
                    unused += 1
    except FileNotFoundError as error:
        if not allow_missing:
            raise InputError(
                f"{path}: no label file; put it there, name another with --sign-name, or train without with "
                "--allow-missing-labels"
            ) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8") from error
    return labels, has_label, unused


_LARGEST_LABEL = 9999


def _is_label(text: str) -> bool:
    return text.isdecimal() and len(text) <= len(str(_LARGEST_LABEL))


def _without_labels(line: str) -> str:
    """A label line without the integers at its end: the picture's name."""
    words = line.split()
    while words and _is_label(words[-1]):
        words.pop()
    return " ".join(words)


def _what_is_wrong(line: str) -> str:
    values = line.split()[1:]
    wrong = next((value for value in reversed(values) if not _is_label(value)), None)
    return f"there are {len(values)}" if wrong is None else f"{wrong[:40]!r} is not one"


def find_parsing(folder: Path, names: Sequence[str]) -> list[str | None]:
    """The parsing picture NAME_seg.* of each picture NAME.*, or None; all None if there is no such folder.

    Of several, NAME_seg.jpg and NAME_seg.png, it is the first by name.
    """
    stems = {}
    if folder.is_dir():
        for name in images.list_pictures(folder, or_none=True):
            stems.setdefault(os.path.splitext(name)[0], name)
    return [stems.get(os.path.splitext(name)[0] + PARSING_SUFFIX) for name in names]
