"""TensorBoard's files of a run, of TensorBoard's own messages and records: no training engine is needed for them."""

import contextlib
import itertools
import os
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

from historynet.errors import InputError, translated

_NUMBERS = itertools.count()
"""So that two starts of one process within a second have files of their own."""


def read_times(folder: Path) -> dict[int, float]:
    """When the steps of the one training that a folder's files are of were logged, seconds since 1970, by step.

    TensorBoard's own reader would start TensorFlow.
    """
    (path,) = folder.glob("events.out.tfevents.*")
    data, place, times = path.read_bytes(), 0, {}
    while place < len(data):
        # A record: its length, 8 bytes, and two checksums of 4 bytes, before and behind the message.
        (length,) = struct.unpack_from("<Q", data, place)
        event = event_pb2.Event.FromString(data[place + 12 : place + 12 + length])
        place += 16 + length
        if event.HasField("summary"):
            times[event.step] = event.wall_time
    return times


class TensorBoardLog:
    """Adds to a folder's logs. As a context manager it is closed at the end.

    What earlier starts, if any, logged from `step` on counts as lost: it will be logged again.

    Args:
        folder: of the logs, which must be there.
        step: where this start begins.

    Raises:
        InputError: at any time, if the files cannot be written.
    """

    def __init__(self, folder: Path, step: int):
        self._folder = folder
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(_NUMBERS)}"
        with self._translated():
            self._records = RecordWriter((folder / name).open("wb"))
        self._add(0, file_version="brain.Event:2")
        self._add(step, session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START))

    def add_scalars(self, numbers: Mapping[str, float], step: int) -> None:
        """Adds numbers by name."""
        values = [summary_pb2.Summary.Value(tag=name, simple_value=value) for name, value in numbers.items()]
        self._add(step, summary=summary_pb2.Summary(value=values))

    def add_picture(self, name: str, rgb: np.ndarray, step: int) -> None:
        """Adds a uint8 RGB picture (height, width, 3)."""
        png = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1].tobytes()
        height, width = rgb.shape[:2]
        image = summary_pb2.Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=png)
        self._add(step, summary=summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag=name, image=image)]))

    def flush(self) -> None:
        """Hands all to the operating system."""
        with self._translated():
            self._records.flush()

    def _add(self, step: int, **content: event_pb2.SessionLog | summary_pb2.Summary | str) -> None:
        with self._translated():
            self._records.write(event_pb2.Event(wall_time=time.time(), step=step, **content).SerializeToString())

    def __enter__(self) -> "TensorBoardLog":
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        try:
            with self._translated():
                self._records.close()
        except InputError:
            # What made the training stop matters more.
            if kind is None:
                raise

    def _translated(self) -> contextlib.AbstractContextManager[None]:
        return translated(
            OSError,
            lambda error: InputError(
                f"{self._folder}: TensorBoard's files cannot be written ({error.strerror or error})"
            ),
        )
