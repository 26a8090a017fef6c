"""Photographs -> the data set of the shipped model: filtered, a part set aside, with sources, licences and counts."""

import hashlib
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from historynet import files, locks, streams
from historynet.data.mhmd import PARSING_SUFFIX, find_parsing
from historynet.errors import PictureError
from historynet.experiments.pool import filters, listing
from historynet.experiments.pool.gathering import Picture
from historynet.experiments.pool.sources import CCP, GIVEN
from historynet.parallel import map_ahead
from historynet.pictures import images

UNREADABLE = "cannot be read"
LIKE_HELD_OUT, TWICE, THINNED = "like a held-out picture", "twice", "one of several is taken"
VALIDATION, LIKE_VALIDATION, TRAINED = "validation", "like a validation picture", "training"
"""What becomes of a picture, beside the reasons of `filters`."""

VALIDATION_SHARE, SEED = 0.05, 15
"""Of each set's pictures, which are set aside for every choice; the seed of the draw."""

BORDER = 0.05
"""Of the held-out pictures, which are compared with and without it: slides have black frames."""

_QUALITY = 80  # of WebP files
_AHEAD = 64  # pictures


@dataclass
class Fit:
    """A picture that passed the filters: what is written of it, and how it is compared."""

    picture: Picture
    fingerprint: np.ndarray
    data: bytes | None = field(repr=False)

    @property
    def file(self) -> str:
        """Its name in the data set."""
        suffix = ".webp" if self.data is not None else self.picture.path.suffix
        return f"{self.picture.source.name}_{self.picture.name}{suffix}"


def select(pictures: Sequence[Picture], held_out: Mapping[str, Sequence[Path]]) -> tuple[dict[str, list[Fit]], Counter]:
    """Which pictures are trained on, which are set aside.

    Args:
        pictures: all there are, in order.
        held_out: paths of those that nothing may be like.

    Returns:
        The pictures for TRAINED and for VALIDATION, and how many of (set, what became of them) there are.

    Raises:
        InputError: if a held-out picture cannot be read.
    """
    counts, fit, seen = Counter(), {}, filters.Seen()
    forbidden = filters.Seen()
    for path in (path for paths in held_out.values() for path in paths):
        rgb = images.read_rgb(path)
        forbidden.add(filters.fingerprint(rgb))
        forbidden.add(filters.fingerprint(filters.trimmed(rgb, BORDER)))

    # Picture by picture, in order: of two like ones in the pool the first stays.
    with streams.Progress(len(pictures), "picture", "looking at") as bar:
        for picture, found in zip(pictures, map_ahead(_look, pictures, _AHEAD), strict=True):
            if isinstance(found, PictureError):
                print(f"skipped: {found}", file=sys.stderr)
                found = UNREADABLE
            if isinstance(found, Fit) and forbidden.has(found.fingerprint):
                found = LIKE_HELD_OUT
            elif isinstance(found, Fit) and picture.source not in GIVEN:
                if seen.has(found.fingerprint):
                    found = TWICE
                else:
                    seen.add(found.fingerprint)
            if isinstance(found, Fit):
                fit.setdefault(picture.source.name, []).append(found)
            else:
                counts[picture.source.name, found] += 1
            bar.update(1)

    # Some of each set are set aside; what is like them is not trained on.
    chosen = {TRAINED: [], VALIDATION: []}
    for name, ones in fit.items():
        taken = _thin(ones)
        counts[name, THINNED] += len(ones) - len(taken)
        aside = _set_aside(taken)
        chosen[VALIDATION] += [one for one in taken if one.file in aside]
        chosen[TRAINED] += [one for one in taken if one.file not in aside]
    unseen = filters.Seen(one.fingerprint for one in chosen[VALIDATION])
    like = [one for one in chosen[TRAINED] if unseen.has(one.fingerprint)]
    counts.update((one.picture.source.name, LIKE_VALIDATION) for one in like)
    names = {one.file for one in like}
    chosen[TRAINED] = [one for one in chosen[TRAINED] if one.file not in names]
    for what, ones in chosen.items():
        counts.update((one.picture.source.name, what) for one in ones)
    return chosen, +counts


def _look(picture: Picture) -> Fit | str | PictureError:
    """The picture as it is to be stored, or why it is left out, or why it cannot be read."""
    given = picture.source in GIVEN
    try:
        data = picture.read()
        rgb = images.decode(data, picture.path)
    except PictureError as error:
        return error
    rgb = filters.trimmed(rgb, 0 if picture.stored else picture.source.border)
    reason = filters.unfit(rgb, filters.COLOURED_STORED if given or picture.stored else filters.COLOURED)
    if reason:
        return reason
    fingerprint = filters.fingerprint(rgb)
    if given:
        return Fit(picture, fingerprint, None)
    if not (picture.stored and rgb.shape[:2] == (filters.SIDE, filters.SIDE) and data[8:12] == b"WEBP"):
        parameters = (cv2.IMWRITE_WEBP_QUALITY, _QUALITY)
        data = images.encode(Path("x.webp"), filters.reduced(rgb), parameters).tobytes()
    return Fit(picture, fingerprint, data)


def _thin(ones: list[Fit]) -> list[Fit]:
    thinned = ones[0].picture.source.thinned
    if thinned is None or ones[0].picture.stored:
        return ones
    first, step = thinned
    return ones[:first:step]


def _set_aside(ones: Sequence[Fit]) -> set[str]:
    """The names of those that a draw takes in which each name has its own lot, whatever else there is."""
    lots = sorted(ones, key=lambda one: hashlib.sha256(f"{SEED}/{one.file}".encode()).digest())
    return {one.file for one in lots[: round(VALIDATION_SHARE * len(lots))]}


def write(
    out: Path,
    chosen: Mapping[str, Sequence[Fit]],
    counts: Counter,
    held_out: Mapping[str, Sequence[Path]],
    training: Path,
    copy: bool,
) -> None:
    """Writes the data set; its folder gets its name when all of it is there.

    Args:
        out: the new folder.
        chosen: as `select` returns it.
        counts: the same.
        held_out: folders of held-out pictures and what they hold.
        training: CCP's dataset_train, with its labels; its parsing is beside it.
        copy: whether pictures that were given as folders are copied; else they are linked.

    Raises:
        InputError: if something cannot be read or written.
    """
    place = shutil.copyfile if copy else os.symlink
    unfinished = out.with_name(f".unfinished-{out.name}")
    with locks.lock(out.parent, "another process makes a data set here"), files.writing(out):
        shutil.rmtree(unfinished, ignore_errors=True)
        train = unfinished / "dataset_train"
        for folder, ones in ((train, chosen[TRAINED]), (unfinished / VALIDATION, chosen[VALIDATION])):
            folder.mkdir(parents=True)
            for one in ones:
                if one.data is None:
                    place(one.picture.path.resolve(), folder / one.file)
                else:
                    (folder / one.file).write_bytes(one.data)
        for name, paths in held_out.items():
            (unfinished / name).mkdir()
            for path in paths:
                place(path.resolve(), unfinished / name / path.name)

        # Labels and parsing of those that have them, under their new names.
        labelled = [one for one in chosen[TRAINED] if one.picture.source is CCP]
        _write_labels(training / "sign.txt", train / "sign.txt", labelled)
        drawn = training.with_name(training.name + PARSING_SUFFIX)
        parsing = train.with_name(train.name + PARSING_SUFFIX)
        parsing.mkdir()
        for one, name in zip(labelled, find_parsing(drawn, [one.picture.path.name for one in labelled]), strict=True):
            if name:
                target = parsing / f"{Path(one.file).stem}{PARSING_SUFFIX}{Path(name).suffix}"
                place((drawn / name).resolve(), target)

        listing.write(unfinished, chosen, counts)
        unfinished.rename(out)


def _write_labels(labels: Path, out: Path, ones: Iterable[Fit]) -> None:
    """The lines of the label file that are of these pictures, under their new names."""
    files_by_name = {one.picture.path.name: one.file for one in ones}
    with files.reading(labels):
        lines = labels.read_text(encoding="utf-8-sig").splitlines()
    renamed = []
    for line in lines:
        # A name may hold spaces; labels are what follows a name that is known.
        name = next((name for name in _beginnings(line) if name in files_by_name), None)
        if name:
            renamed.append(files_by_name[name] + line[len(name) :] + "\n")
    out.write_text("".join(renamed), encoding="utf-8")


def _beginnings(line: str) -> Iterable[str]:
    return (line[:end] for end, letter in enumerate(line) if letter.isspace())
