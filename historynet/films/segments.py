"""The folder of a result that is being made: finished segments of video, what they were made of, where to go on.

A segment is a part of the result that can be decoded without the others. A stopped run keeps those it has finished.
"""

import contextlib
import errno
import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np
from av.codec.context import Flags

import historynet
from historynet import files
from historynet.errors import InputError, reason
from historynet.films import fields
from historynet.films.options import FilmOptions
from historynet.films.reading import Film
from historynet.films.source import identify

Item = TypeVar("Item")

SHORTEST, LONGEST = 120, 240
"""Frames of a segment: it ends at the first cut after the shortest, or at the longest."""


def number_segments(frames: Iterable[tuple[Item, bool]], first: int) -> Iterator[tuple[Item, bool, int]]:
    """Yields each frame and whether it is the first of a shot, as given, with the number of its segment.

    Args:
        frames: frames in order, each with whether it is the first of a shot.
        first: number of the segment that begins with the first of them.
    """
    number, length = first, 0
    for frame, cut in frames:
        if length == LONGEST or (cut and length >= SHORTEST):
            number, length = number + 1, 0
        length += 1
        yield frame, cut, number


@dataclass(frozen=True)
class Place:
    """Where a continued run goes on.

    Attributes:
        segment: number of the first segment that is still to be made.
        frames: number of frames that are made.
        look_back: time in ticks of the frame `steadying.LOOK_BACK` before the next one; None at the beginning.
        luminance: of the last frame, uint8 (height, width) as the network sees it; None at the beginning.
        ab: of the last frame, as steadied, float32 (height, width, 2) in 0..1; None at the beginning.
        damage: what of the film could not be read so far, as in `reading.Film`.
        digests: of the files of the finished segments, in order.
    """

    segment: int = 0
    frames: int = 0
    look_back: int | None = None
    luminance: np.ndarray | None = None
    ab: np.ndarray | None = None
    damage: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()


class _DamagedError(InputError):
    """What was written of a segment cannot be read any more, by no fault of the system."""


class WorkFolder:
    """Finished segments, 000000.nut and so on, and the place behind the last.

    Args:
        folder: an existing folder, which no other process may use (`locks.lock`).
        record: all that the segments depend on; segments with another record are removed.

    Attributes:
        folder: the folder.
        place: where to go on.
        note: what there is to say of it; None if there is nothing.

    Raises:
        InputError: if the folder cannot be read or written to.
    """

    def __init__(self, folder: Path, record: dict[str, Any]):
        self.folder = folder
        self.note: str | None = None
        path = folder / "record.json"
        text = json.dumps(record, indent=2) + "\n"
        with files.reading(path):
            is_same = path.exists() and path.read_bytes() == text.encode()
        if not is_same:
            self._remove("*")
            files.write_text(path, text)
        files.remove_unfinished(folder)
        try:
            self.place = self._find_place()
        except _DamagedError as error:
            self.note = f"{error}; it is begun anew"
            self._remove("*.nut", "*.npz")
            self.place = Place()

    def _segment(self, number: int) -> Path:
        # NUT keeps every time base.
        return self.folder / f"{number:06}.nut"

    def segments(self) -> list[Path]:
        """The files of the finished segments, in order."""
        return list(itertools.takewhile(Path.exists, map(self._segment, itertools.count())))

    def add(self, write: Callable[[Place, Path], Place]) -> None:
        """Adds a segment.

        Args:
            write: writes the segment that begins at a place into a file, and returns the place behind it.

        Raises:
            InputError: if the folder cannot be written to.
        """
        path = self._segment(self.place.segment)

        def write_both(temporary: Path) -> None:
            place = write(self.place, temporary)
            self.place = replace(place, digests=(*self.place.digests, _digest(temporary)))
            state = {name: value for name, value in vars(self.place).items() if name != "segment"}
            # The place appears before its segment, so that the last segment always has it.
            files.write_atomically(path.with_suffix(".npz"), lambda file: np.savez(file, **state))

        files.write_atomically(path, write_both)
        self._remove("*.npz", but=path.with_suffix(".npz"))

    def _remove(self, *patterns: str, but: Path | None = None) -> None:
        """Removes the files with names like these, but for one."""
        for path in files.list_folder(self.folder):
            if path != but and any(map(path.match, patterns)):
                with files.writing(path, "removed"):
                    path.unlink()

    def _find_place(self) -> Place:
        """The place behind the last segment.

        Raises:
            _DamagedError: if what was written of it is not there any more.
            InputError: if it cannot be read.
        """
        number = len(self.segments()) - 1
        if number < 0:
            return Place()
        path = self._segment(number).with_suffix(".npz")

        def damaged(error: Exception) -> _DamagedError:
            return _DamagedError(f"where an earlier run had stopped is not to be found out ({reason(error)})")

        if not path.exists():
            raise damaged(FileNotFoundError(errno.ENOENT, f"no {path.name}"))
        with files.open_archive(path, damaged) as file, np.load(file, allow_pickle=False) as state:
            place = Place(
                segment=number + 1,
                frames=int(state["frames"]),
                look_back=int(state["look_back"]),
                luminance=state["luminance"],
                ab=state["ab"],
                damage=tuple(map(str, state["damage"])),
                digests=tuple(map(str, state["digests"])),
            )
        self.check(place.digests)
        return place

    def check(self, digests: Sequence[str] | None = None) -> None:
        """Sees that the finished segments are what was written: a disk or a hand may have changed one since.

        Args:
            digests: of their files, in order; None: those of the place.

        Raises:
            InputError: if one is not, or cannot be read; as `_DamagedError` the first.
        """
        digests = self.place.digests if digests is None else digests
        paths = self.segments()
        for path, digest in itertools.zip_longest(paths, digests):
            if path is None or digest is None or _digest(path) != digest:
                raise _DamagedError(f"{path or self.folder}: a finished segment is damaged or gone")


def _digest(path: Path) -> str:
    """Of a file's content.

    Raises:
        InputError: if it cannot be read.
    """
    with files.reading(path), path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:32]


def make_record(film: Path, network: str, options: dict[str, Any]) -> dict[str, Any]:
    """All that the segments of a result depend on, as JSON holds it.

    Args:
        film: the film's file.
        network: the network's digest.
        options: by name, how the film is colorized.

    Raises:
        PictureError: if the film cannot be read.
    """
    return {
        "version": historynet.__version__,
        "libav": av.__version__,
        "film": identify(film),
        "network": network,
        "options": options,
    }


def add_video(container: av.container.OutputContainer, film: Film, options: FilmOptions) -> av.VideoStream:
    """Adds a stream to a container that encodes a film's frames with its size, times, aspect, fields and colour tags.

    Args:
        container: opened to be written.
        film: the film.
        options: encoder, its constant rate factor, the pixel format.
    """
    # With its macroblock tree x264 does not give the same twice.
    own = {"mbtree": "0"} if options.codec == "libx264" else {}
    stream = container.add_stream(options.codec, film.rate, {"crf": f"{options.crf:g}"} | own)
    planes = film.planes
    stream.height, stream.width = planes.shape
    context = stream.codec_context
    context.pix_fmt = planes.pixel_format
    context.time_base = stream.time_base = film.time_base
    if planes.aspect:
        context.sample_aspect_ratio = planes.aspect
    context.color_range, context.colorspace, context.color_primaries, context.color_trc = planes.tags
    context.flags |= Flags.global_header
    if has_fields(film, options):
        context.flags |= Flags.interlaced_dct
        context.field_order = film.first_field
    return stream


def has_fields(film: Film, options: FilmOptions) -> bool:
    """Whether the result is encoded as interlaced: if the film is, and the encoder can."""
    # A field of 4:2:0 has half as many rows, and its chrominance half as many again.
    return bool(film.first_field) and options.codec == "libx264" and film.planes.shape[0] % 4 == 0


@contextlib.contextmanager
def writing(path: Path, film: Film, options: FilmOptions) -> Iterator[Callable[[av.VideoFrame], None]]:
    """Opens a segment's file; gives the function that encodes one frame after the other into it.

    Args:
        path: the file to write.
        film: whose frames they are.
        options: as `add_video` takes them.
    """
    mark = None
    with av.open(f"file:{path}", "w", format="nut") as container:
        stream = add_video(container, film, options)

        def write(frame: av.VideoFrame) -> None:
            nonlocal mark
            frame.pts += _headroom(film)
            if film.first_field == fields.TOP_FIRST and has_fields(film, options):
                mark = mark or fields.Marker(frame)
                frame = mark(frame)
            container.mux(stream.encode(frame))

        yield write
        container.mux(stream.encode())


def read_packets(path: Path, film: Film) -> Iterator[tuple[int, av.Packet]]:
    """The packets of a segment in the order of decoding, each with the time it is shown at, in the film's ticks."""
    with av.open(f"file:{path}") as container:
        for packet in container.demux(video=0):
            if packet.size:
                yield round(packet.pts * packet.time_base / film.time_base) - _headroom(film), packet


def _headroom(film: Film) -> int:
    """Added to the times in segments: an encoder's first are before the first frame's, and NUT holds none below 0."""
    return film.ticks(3600)
