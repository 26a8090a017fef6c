"""A film whose frames are to be taken, in whatever way, and what became of that."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from historynet import files
from historynet.collecting.records import Named, Record
from historynet.errors import PictureError
from historynet.pictures import images

# Colours are what is learned: each pixel has its own.
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)

Progress = Callable[[int], object]


@dataclass(frozen=True)
class Job:
    """A film whose frames are to be taken.

    Attributes:
        named: the film.
        is_test: whether the film is for tests as a whole.
        folder: of the frames.
        options: how they are taken; `made_with` is what the pictures depend on, by name.
        record: of an earlier run; None without one.
    """

    named: Named
    is_test: bool
    folder: Path
    options: Any
    record: Record | None

    def known(self) -> Record | None:
        """The record, if it is of the same film and options."""
        record = self.record
        fits = record and (record.content, record.made_with) == (self.named.content, self.options.made_with)
        return record if fits else None


@dataclass(frozen=True)
class Result:
    """What became of a job.

    Attributes:
        named: the film.
        record: None if the film cannot be read.
        skipped: why there is no frame of it; None if there is one.
    """

    named: Named
    record: Record | None
    skipped: str | None = None


def attempt(take: Callable[[Job, Progress], Record], job: Job, progress: Progress = lambda count: None) -> Result:
    """Takes the frames of a film; one that cannot be read is a result, too.

    Args:
        take: does it, and tells its second argument how many frames it has just read.
        job: what is to be done.
        progress: that argument.

    Raises:
        InputError: if no picture can be written any more, as on a full disk.
    """
    try:
        record = take(job, progress)
    except PictureError as error:
        return Result(job.named, None, str(error))
    except MemoryError:
        return Result(job.named, None, f"{job.named.path}: there is not enough memory for it")
    why = record.why_none()
    return Result(job.named, record, why and f"{job.named.path}: {why}")


def write_picture(path: Path, rgb: np.ndarray) -> None:
    """Writes a frame, uint8 RGB (h, w, 3), as JPEG of quality 95 with a colour for each pixel.

    Raises:
        InputError: if that cannot be.
    """
    data = images.encode(path, rgb, _JPEG)
    files.write_atomically(path, lambda temporary: temporary.write_bytes(data))
