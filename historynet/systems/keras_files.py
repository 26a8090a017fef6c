"""The files of pretrained weights that Keras offers: found, or downloaded once."""

import contextlib
import os
import urllib.error
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keras

from historynet.errors import InputError, reason

_PLACE = "https://storage.googleapis.com/tensorflow/keras-applications"

_may_download = True


@dataclass(frozen=True)
class KerasFile:
    """A file of ImageNet weights.

    Attributes:
        network: whose weights they are, for people.
        folder: of the file at its place.
        name: of the file.
        digest: its MD5.
        megabytes: of the file.
        option: what names another file on the command line.
    """

    network: str
    folder: str
    name: str
    digest: str
    megabytes: int
    option: str

    def find(self) -> Path | None:
        """The file, which Keras downloads if it is not here yet.

        Returns:
            Its path; None if it would have to be downloaded within `without_download`.

        Raises:
            InputError: if it cannot be downloaded.
        """
        address = f"{_PLACE}/{self.folder}/{self.name}"
        folder = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models"
        if not _may_download:
            if (folder / self.name).is_file():
                return folder / self.name
            print(f"{self.network}'s weights would be downloaded: {self.megabytes} MB from {address} into {folder}")
            return None
        try:
            return Path(keras.utils.get_file(self.name, address, cache_subdir="models", file_hash=self.digest))
        except Exception as error:
            # Of a failed download Keras raises Exception itself.
            if type(error) is not Exception and not isinstance(error, (OSError, ValueError, urllib.error.URLError)):
                raise
            why = reason(error).split(": ")[-1].removeprefix("None -- ")
            raise InputError(
                f"{self.network}'s ImageNet weights could not be downloaded ({why}): put {self.name} from {address} "
                f"into {folder}, or name it with {self.option} FILE, or give {self.option} none to start from random "
                "weights"
            ) from error


@contextlib.contextmanager
def without_download() -> Iterator[None]:
    """Within it nothing is downloaded: what would be is said, and the network stays random."""
    global _may_download
    _may_download = False
    try:
        yield
    finally:
        _may_download = True
