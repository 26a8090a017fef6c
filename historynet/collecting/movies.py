"""A film -> so many of its frames a second, all of one size, as pictures to train on.

For k = 0, 1, 2, ... it is the first frame shown at or after k / rate seconds; times count from the film's first frame
and are compared exactly.
"""

import contextlib
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from historynet import files
from historynet.collecting import records
from historynet.collecting.jobs import Job, Progress, write_picture
from historynet.collecting.options import MovieOptions
from historynet.collecting.records import Record
from historynet.collecting.sampling import BorderFinder, Crop, open_film
from historynet.films.reading import Film
from historynet.pictures import color, toning

TRAINING, TEST = "movies_train", "movies_test"
"""The folders of the pictures."""

Item = TypeVar("Item")


def sample(timed: Iterable[tuple[Fraction, Item]], rate: Fraction, first: int = 0) -> Iterator[tuple[int, Item]]:
    """Of items with rising times, for k = first, first + 1, ... the first at or after k / rate, with its k.

    One that is the answer to several k is yielded once, for the smallest.

    Args:
        timed: times in seconds, and the items.
        rate: how many are wanted a second.
        first: the k to begin with.
    """
    wanted = first
    for time, item in timed:
        if time * rate >= wanted:
            yield wanted, item
            wanted = math.floor(time * rate) + 1


@dataclass(frozen=True)
class Taken:
    """A frame that was taken.

    Attributes:
        k: it is the first at or after k / rate.
        number: in the film, from 0.
        ticks: its time in the film, in the film's own units.
        colored: whether it has colours (`toning.look`).
    """

    k: int
    number: int
    ticks: int
    colored: bool

    def __str__(self) -> str:
        return f"{self.k},{self.number},{self.ticks},{int(self.colored)}"

    @classmethod
    def parse(cls, line: str) -> Self:
        k, number, ticks, colored = map(int, line.split(","))
        return cls(k, number, ticks, bool(colored))


@dataclass
class MovieRecord(Record):
    """What became of a film of which so many frames a second are taken.

    The frames stand in a file of their own beside the record's, a line each, which is written with each picture: a
    film has thousands.

    Attributes:
        is_test: whether all pictures are for tests.
        train_minutes: until when they are for training if not, a fraction as text.
        crop: what is cut off the frames.
        time_base: seconds of a tick, a fraction as text.
        begin: ticks of the film's first frame; None before there is one.
        is_finished: whether the film was read to its end.
        frames: those that were taken, in order.
    """

    is_test: bool
    train_minutes: str
    crop: Crop
    time_base: str
    begin: int | None = None
    is_finished: bool = False
    frames: list[Taken] = field(default_factory=list)

    PARTS: ClassVar[tuple[str, str]] = (TRAINING, TEST)
    PICTURE: ClassVar[str] = r"_\d{10,}\.jpg"
    COLUMNS: ClassVar[tuple[str, ...]] = ("file", "film", "time", "frame", "part")
    IN_TABLE: ClassVar[str] = "film, time, number and part of each"

    @classmethod
    def restore(cls, content: dict[str, Any], path: Path) -> Self:
        record = cls(**{**content, "crop": Crop(**content["crop"])})
        frames = _frames_path(path)
        if record.is_finished or frames.exists():
            with files.open_regular(frames) as file, files.reading(frames):
                lines = file.read().decode("ascii").split("\n")
            # Behind the last line feed is what a process that was killed, or a full disk, has cut off.
            record.frames = [Taken.parse(line) for line in lines[:-1]]
        # Whatever is wrong is to be said now.
        for _ in record.rows():
            pass
        return record

    def state(self) -> dict[str, Any]:
        return {name: value for name, value in super().state().items() if name != "frames"}

    def _wanted(self, frame: Taken) -> Fraction:
        """k / rate, in seconds."""
        return frame.k / Fraction(self.made_with["rate"])

    def picture(self, frame: Taken) -> str:
        """The name of a frame's picture, with k / rate in milliseconds."""
        return f"{self.film}_{math.floor(1000 * self._wanted(frame)):010}.jpg"

    def part(self, frame: Taken) -> str:
        """The part that a frame's picture is in."""
        is_late = self._wanted(frame) >= 60 * Fraction(self.train_minutes)
        return TEST if self.is_test or is_late else TRAINING

    def pictures(self) -> dict[str, str]:
        return {self.picture(frame): self.part(frame) for frame in self.frames}

    def assign(self, is_test: bool, options: MovieOptions) -> None:
        self.is_test, self.train_minutes = is_test, str(options.train_minutes)

    def rows(self) -> Iterator[Sequence[Any]]:
        for frame in self.frames:
            time = (frame.ticks - self.begin) * Fraction(self.time_base)
            part = self.part(frame)
            yield f"{part}/{self.picture(frame)}", self.film, f"{float(time):.6f}", frame.number, part

    def summary(self) -> str:
        parts = [self.part(frame) for frame in self.frames]
        return (
            f"{len(parts)} frames, {parts.count(TRAINING)} for training and {parts.count(TEST)} for tests, "
            f"{self._colourless()} without colour"
        )

    def _colourless(self) -> int:
        return sum(not frame.colored for frame in self.frames)

    def why_none(self) -> str | None:
        return None if self.frames else "no frame can be decoded"

    def remarks(self) -> Sequence[str]:
        found = [*self.notes]
        if self.frames and all(self.part(frame) == TRAINING for frame in self.frames):
            found.append(
                f"all of its frames are for training: it ends before minute {float(Fraction(self.train_minutes)):g} "
                "(--train-minutes; --test-films holds whole films out)"
            )
        colourless = self._colourless()
        if 2 * colourless > len(self.frames):
            found.append(f"{colourless} of its {len(self.frames)} frames have no colour; a black-and-white film?")
        return found


def _frames_path(path: Path) -> Path:
    """The file of the frames beside a record's."""
    return path.with_name(f"{path.stem}.frames")


def take_movie(job: Job, progress: Progress) -> MovieRecord:
    """Takes so many frames a second of a film; memory is bounded but for a line for each frame that is taken.

    What an earlier run has done with the same options is not done again: a film that is finished is passed over, one
    that is not is gone on with behind its last frame. Pictures that are in the wrong part are moved.

    Args:
        job: what is to be done; its options are `MovieOptions`.
        progress: called with the number of frames just read.

    Raises:
        PictureError: if the film cannot be read.
        MemoryError: if there is not enough memory to.
        InputError: if no picture can be written any more, as on a full disk.
    """
    record = job.known()
    if record:
        record.move(job.folder, job.is_test, job.options)
        if record.is_finished:
            return record
    film = open_film(job.named.path)
    record = _continued(film, job, record) if record else _begun(film, job, progress)
    _write_frames(film, job, record, progress)
    film.check_end()
    record.notes, record.damage, record.is_finished = film.notes, film.damage, True
    record.write(job.folder)
    return record


def _continued(film: Film, job: Job, record: MovieRecord) -> MovieRecord:
    """A record that is gone on with; pictures that were written behind its last line are removed."""
    records.remove_pictures(job.folder, MovieRecord, record.film, keep=record.pictures().keys())
    film.notes += [note for note in record.notes if note not in film.notes]
    film.damage += record.damage
    return record


def _begun(film: Film, job: Job, progress: Progress) -> MovieRecord:
    """The record of a film that is begun; with --crop-bars its frames are read once before."""
    name, options = job.named.film, job.options
    path = _frames_path(records.record_path(job.folder, name))
    records.remove(job.folder, MovieRecord, name)
    with files.writing(path, "removed"):
        path.unlink(missing_ok=True)
    crop = _find_bars(film, options, progress) if options.crop_bars else Crop()
    record = MovieRecord(
        name,
        os.path.realpath(job.named.path),
        job.named.content,
        options.made_with,
        job.is_test,
        str(options.train_minutes),
        crop,
        str(film.time_base),
        notes=film.notes,
        damage=film.damage,
    )
    record.write(job.folder)
    return record


def _find_bars(film: Film, options: MovieOptions, progress: Progress) -> Crop:
    """The black bars, over all frames that will be taken."""
    borders = BorderFinder()
    frames = _counted(film.decoded(), progress)
    for _, decoded in sample(_timed(film, frames), options.rate):
        borders.add(film.planes.rgb(*decoded))
    return borders.borders()


def _counted(frames: Iterable[Item], progress: Progress) -> Iterator[Item]:
    for frame in frames:
        yield frame
        progress(1)


def _timed(film: Film, frames: Iterable[tuple[int, Any, Any]]) -> Iterator[tuple[Fraction, tuple[Any, Any]]]:
    """The times of frames in seconds since the first, and what `Planes.rgb` takes."""
    begin = None
    for ticks, *decoded in frames:
        begin = ticks if begin is None else begin
        yield (ticks - begin) * film.time_base, decoded


def _write_frames(film: Film, job: Job, record: MovieRecord, progress: Progress) -> None:
    """Writes the pictures behind those of the record, each with its line."""
    size, rate = (job.options.height, job.options.width), job.options.rate
    done = record.frames[-1] if record.frames else None
    # The last one is read again: from there on frames can be counted.
    decoded = film.decoded(done.ticks, done.number) if done else film.decoded()
    numbered = enumerate(_counted(decoded, progress), start=done.number if done else 0)

    def timed() -> Iterator[tuple[Fraction, tuple[int, int, list[Any]]]]:
        for number, (ticks, *frame) in numbered:
            if record.begin is None:
                record.begin = ticks
                record.write(job.folder)
            yield (ticks - record.begin) * film.time_base, (number, ticks, frame)

    said = len(film.notes) + len(film.damage)
    with _appending(_frames_path(records.record_path(job.folder, record.film)), record.frames) as append:
        for k, (number, ticks, frame) in sample(timed(), rate, done.k + 1 if done else 0):
            rgb = color.resize(record.crop(film.planes.rgb(*frame)), *size)
            taken = Taken(k, number, ticks, toning.look(rgb)[1] == toning.COLORED)
            write_picture(job.folder / record.part(taken) / record.picture(taken), rgb)
            if len(film.notes) + len(film.damage) > said:
                # A later start, which reads on from here, does not find it again.
                said = len(film.notes) + len(film.damage)
                record.notes, record.damage = film.notes, film.damage
                record.write(job.folder)
            append(taken)
            record.frames.append(taken)


@contextlib.contextmanager
def _appending(path: Path, frames: Iterable[Taken]) -> Iterator[Callable[[Taken], None]]:
    """A file with a line for each frame, and what adds a line to it, which is written at once."""
    files.write_text(path, "".join(f"{frame}\n" for frame in frames))
    with files.writing(path):
        file = path.open("ab", buffering=0)

    def append(frame: Taken) -> None:
        line = f"{frame}\n".encode()
        with files.writing(path):
            # Less than all is what the last bytes of a full disk take; more than these it refuses.
            while line:
                line = line[file.write(line) :]

    with file:
        yield append
