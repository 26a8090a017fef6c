"""A network that remembers what it made of the pictures of one file, so that it sees each of them once."""

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from historynet import files
from historynet.colorizing.colorizer import Colorizer
from historynet.systems.system import Alternative


class Outputs:
    """The raw outputs of a network for the pictures of one file, in a folder.

    Args:
        folder: which is there.
        model: what tells the network from others; a part of a file's name.
    """

    def __init__(self, folder: Path, model: str):
        self._folder, self._model = folder, model

    def key(self, luminance: np.ndarray) -> str:
        """What tells a picture from others, by its L as the network sees it."""
        return hashlib.sha256(np.ascontiguousarray(luminance)).hexdigest()[:32]

    def find(self, key: str) -> dict[str, np.ndarray] | None:
        """The outputs for a picture, without their first axis; None if there are none."""
        try:
            with np.load(self._path(key), allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except FileNotFoundError:
            return None

    def keep(self, key: str, outputs: Mapping[str, np.ndarray]) -> None:
        """Keeps them.

        Raises:
            InputError: if they cannot be written.
        """

        def write(temporary: Path) -> None:
            with temporary.open("wb") as file:
                np.savez(file, **outputs)

        files.write_atomically(self._path(key), write)

    def _path(self, key: str) -> Path:
        return self._folder / f"{self._model}-{key}.npz"


class Remembering:
    """Stands in a `Colorizer`'s place where a file is colorized, with the same results.

    Args:
        colorizer: the network.
        turn: held while the network computes, which takes all cores by itself.
        check: called before the network computes; what it raises ends the work.
        seen: called with the number of pictures that are through the network.
        outputs: where the network's outputs are kept; None: they are not, as of a film's frames.

    Attributes:
        size: as of the colorizer.
        keys: of the pictures seen, in order, as of `Outputs.key`.
    """

    def __init__(
        self,
        colorizer: Colorizer,
        turn: threading.Lock,
        check: Callable[[], None],
        seen: Callable[[int], None] = lambda count: None,
        outputs: Outputs | None = None,
    ):
        self.size = colorizer.size
        self.keys: list[str] = []
        self._colorizer, self._turn, self._check, self._seen, self._outputs = colorizer, turn, check, seen, outputs
        # What of a colorizer needs no network.
        self.digest, self.check_beside = colorizer.digest, colorizer.check_beside
        self.confidence_of = colorizer.confidence_of

    def predict(self, luminance: np.ndarray) -> dict[str, np.ndarray]:
        """As `Colorizer.predict`; the network sees only what it has not seen before."""
        self._check()
        if self._outputs is None:
            with self._turn:
                return self._colorizer.predict(luminance)
        keys = [self._outputs.key(one) for one in luminance]
        found = [self._outputs.find(key) for key in keys]
        missing = [i for i, one in enumerate(found) if one is None]
        if missing:
            with self._turn:
                made = self._colorizer.predict(luminance[missing])
            for place, i in enumerate(missing):
                found[i] = {name: output[place] for name, output in made.items()}
                self._outputs.keep(keys[i], found[i])
        self.keys += keys
        self._seen(len(keys))
        return {name: np.stack([one[name] for one in found]) for name in found[0]}

    def predict_ab(self, luminance: np.ndarray) -> np.ndarray:
        """As `Colorizer.predict_ab`."""
        return self.decode(self.predict(luminance))

    def decode(self, outputs: Mapping[str, np.ndarray], **decoding: Any) -> np.ndarray:
        """As `Colorizer.decode`."""
        return self._colorizer.decode(outputs, **decoding)

    def alternatives_of(
        self, outputs: Mapping[str, np.ndarray], luminance: np.ndarray, count: int, seed: int = 0
    ) -> Sequence[Alternative]:
        """As `Colorizer.alternatives_of`."""
        self._check()
        return self._colorizer.alternatives_of(outputs, luminance, count, seed)
