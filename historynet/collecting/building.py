"""The data set on the disk, in the layout that the trainers read: pictures, sign.txt, parsing, and their tables."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from historynet import files
from historynet.collecting import labels, provenance
from historynet.collecting.assembling import Assembled, Entry
from historynet.collecting.jobs import write_picture
from historynet.collecting.provenance import TEST, TRAIN, Origin
from historynet.data.mhmd import PARSING_SUFFIX
from historynet.errors import InputError
from historynet.parallel import map_ahead
from historynet.pictures import images

FOLDERS = {False: "dataset_train", True: "dataset_second"}
"""Of the training part, and of the test part."""

SIGN, LABELS, RECORD = "sign.txt", "labels.csv", "build.json"
"""The labels in each folder; what their places mean; what the data set was made from."""

_NO_LINKS = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES})
"""What file systems answer that cannot link a file."""

_UNFINISHED = ".unfinished-"
_AHEAD = 64


class Builder:
    """Writes a data set, whole or not at all: sign.txt of the training part comes last.

    Args:
        out: folder of the data set.
        assembled: its pictures.
        num_classes: places of a line of sign.txt.
        seg_format: "png", the masks themselves, or "jpg", which the released program reads.
        private: whether it may not be passed on.

    Attributes:
        copied: how many files are copies, since they could not be linked.

    Raises:
        InputError: if a picture cannot be read.
    """

    def __init__(self, out: Path, assembled: Assembled, num_classes: int, seg_format: str, private: bool):
        self.copied = 0
        self._out, self._assembled, self._num_classes = out, assembled, num_classes
        self._seg_format, self._private = seg_format, private
        self._origins: list[Origin] = []
        self._fingerprint: dict[str, object] = {}

    def __call__(self, replace: bool, progress: Callable[[int], object] = lambda count: None) -> bool:
        """Writes the data set; False if the very same is there already.

        Args:
            replace: whether another data set that is there is replaced.
            progress: called with the number of pictures just finished, twice for each.

        Raises:
            InputError: if another data set is there and is not to be replaced, or something cannot be read or written,
                as on a full disk. What was there is then as it was.
        """
        self._look(progress)
        sign, record = self._out / FOLDERS[False] / SIGN, self._out / RECORD
        before = _read(record)
        if before == self._fingerprint and sign.exists():
            return False
        if before != self._fingerprint and not replace:
            _refuse_other(self._out)
        try:
            self._fill(progress)
        except InputError:
            # On a full disk somebody else may need the room.
            self._remove(_UNFINISHED)
            raise
        with files.writing(sign, "removed"):
            sign.unlink(missing_ok=True)
        # From here on the folders are this data set's, though not whole before sign.txt is there.
        files.write_json(record, self._fingerprint)
        self._remove("")
        for name in _names():
            if (unfinished := self._out / f"{_UNFINISHED}{name}").exists():
                with files.writing(self._out / name):
                    unfinished.rename(self._out / name)
        self._write_tables()
        return True

    def _entries(self, test: bool) -> list[Entry]:
        return [one for one in self._assembled.entries if one.test == test]

    def _look(self, progress: Callable[[int], object]) -> None:
        """Reads all pictures and masks: rows of the provenance, and what the data set follows from."""
        entries, masks = self._assembled.entries, hashlib.sha256()
        paths = [path for one in entries for path in (one.path, one.mask)]
        digests = map_ahead(_digest, paths, _AHEAD)
        self._origins = []
        for one in entries:
            self._origins.append(_origin(one, next(digests)))
            masks.update(next(digests).encode())
            progress(1)
        asked = json.dumps([provenance.COLUMNS, [list(vars(origin).values()) for origin in self._origins]])
        self._fingerprint = {
            "pictures": hashlib.sha256(asked.encode("utf-8", "backslashreplace")).hexdigest(),
            "parsing": masks.hexdigest(),
            "labels": [label.name for label in self._assembled.table],
            "num_classes": self._num_classes,
            "seg_format": self._seg_format,
            "private": self._private,
        }

    def _fill(self, progress: Callable[[int], object]) -> None:
        self._remove(_UNFINISHED)
        for test, name in FOLDERS.items():
            pictures, parsing = (self._out / f"{_UNFINISHED}{name}{end}" for end in ("", PARSING_SUFFIX))
            entries = self._entries(test)
            for folder in (pictures, parsing) if entries else ():
                files.make_folder(folder)
            for one in entries:
                stem = Path(one.picture.picture).stem
                self._put(one.path, pictures / one.picture.picture)
                if one.mask:
                    self._put_mask(one.mask, parsing / f"{stem}{PARSING_SUFFIX}.{self._seg_format}")
                progress(1)

    def _put(self, source: Path, target: Path) -> None:
        with files.writing(target):
            try:
                os.link(source, target)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                shutil.copyfile(source, target)
                self.copied += 1

    def _put_mask(self, mask: Path, target: Path) -> None:
        if self._seg_format == "png":
            self._put(mask, target)
        else:
            write_picture(target, images.read_rgb(mask))

    def _remove(self, prefix: str) -> None:
        for name in _names():
            folder = self._out / f"{prefix}{name}"
            with files.writing(folder, "removed"):
                if folder.is_symlink():
                    folder.unlink()
                elif folder.exists():
                    shutil.rmtree(folder)

    def _write_tables(self) -> None:
        provenance.write(self._out / provenance.NAME, self._origins, self._private)
        labels.write_table(self._out / LABELS, self._assembled.table)
        # The training part's last.
        for test in (True, False):
            if entries := self._entries(test):
                named = {one.picture.picture: str(one.label.label) for one in entries}
                labels.write_sign(self._out / FOLDERS[test] / SIGN, named, self._assembled.table, self._num_classes)


def _names() -> Iterator[str]:
    for name in FOLDERS.values():
        yield name
        yield f"{name}{PARSING_SUFFIX}"


def check_out(out: Path) -> None:
    """Sees, before anything is done, that there is no folder of somebody's own where the data set will be.

    Raises:
        InputError: if there is one.
    """
    if not (out / RECORD).exists():
        _refuse_other(out)


def _refuse_other(out: Path) -> None:
    for name in _names():
        if (out / name).exists():
            raise InputError(
                f"{out / name}: another data set is there; name another folder with --out, or --replace it"
            )


def _read(record: Path) -> dict[str, object] | None:
    return files.read_json(record, dict, "not what build.py has written; remove it") if record.exists() else None


def _digest(path: Path | None) -> str:
    if path is None:
        return ""
    with files.open_regular(path, InputError) as file, files.reading(path):
        return hashlib.file_digest(file, "sha256").hexdigest()


def _origin(one: Entry, sha256: str) -> Origin:
    film, label = one.film, one.label
    return Origin(
        picture=one.picture.picture,
        split=TEST if one.test else TRAIN,
        title=one.picture.key,
        part=one.picture.part,
        seconds=f"{one.picture.seconds:.3f}",
        name=film.name,
        year=str(film.year or ""),
        licence=film.licence,
        source=film.source,
        sha256=sha256,
        label=str(label.label),
        label_by=label.by,
        confidence="" if label.confidence is None else f"{label.confidence:.4f}",
        parsing_by=one.parsed_by,
    )


def counts(entries: Sequence[Entry]) -> dict[str, int]:
    """How many pictures each part has, by its folder's name."""
    return {name: sum(one.test == test for one in entries) for test, name in FOLDERS.items()}
