"""Names that people have given their files: text to be shown, and names of what they download; never a path of ours."""

import os
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from historynet import films
from historynet.colorizing.results import fitting_name
from historynet.pictures import formats

STEM = "input"
"""What an uploaded file is called here, before its extension."""

_LONGEST = 200
"""Characters of a name that is shown."""

_FORBIDDEN = frozenset('<>:"|?*')
"""What Windows takes in no name."""


def shown(name: str) -> str:
    """A name as it is shown: the last part of a path, without what is no letter or sign.

    Line feeds, signs that turn the direction of writing, and what is half a character become "_".
    """
    name = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join("_" if unicodedata.category(c)[0] == "C" else c for c in name).strip(" .")
    if len(name) > _LONGEST:
        stem, extension = os.path.splitext(name)
        extension = extension if len(extension) < 12 else ""
        name = stem[: _LONGEST - len(extension)] + extension
    return name or "picture"


def downloaded(name: str) -> str:
    """A shown name as a file's, for every system."""
    return "".join("_" if c in _FORBIDDEN else c for c in name)


def stored(name: str) -> str:
    """What an uploaded file is called here: its extension is kept where the library knows it."""
    extension = PurePosixPath(name).suffix.lower()
    return STEM + (extension if extension in formats.EXTENSIONS | films.EXTENSIONS else "")


def of_download(name: str, file: Path) -> str:
    """What a result is called when it is downloaded.

    Args:
        name: of the upload, as shown.
        file: the result, whose name begins with STEM.
    """
    return fitting_name(PurePosixPath(downloaded(name)).stem, file.name.removeprefix(STEM))


def unique(names: Iterable[str]) -> Iterator[str]:
    """The names, told apart by a number where two would be the same to some file system."""
    taken: set[str] = set()
    for name in names:
        stem, extension = os.path.splitext(name)
        number, one = 2, name
        while one.casefold() in taken:
            one, number = f"{stem}~{number}{extension}", number + 1
        taken.add(one.casefold())
        yield one
