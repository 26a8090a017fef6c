"""What a labeller whose head alone is trained makes of the pictures: once, before the first epoch, kept on the disk."""

import hashlib
import json
import threading
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from historynet import files, streams
from historynet.collecting.looking import look
from historynet.data.samples import fingerprint
from historynet.parallel import batched, map_ahead
from historynet.systems.labeller.settings import LabellerSettings

NAME = "features.npz"
"""In MODEL_DIR."""


class FeatureTable:
    """The features of some pictures, made when the first is asked for. May be asked by several threads.

    Args:
        settings: of the run.
        paths: the pictures' files by name, in an order that stays.
    """

    def __init__(self, settings: LabellerSettings, paths: Mapping[str, Path]):
        self._settings, self._paths = settings, paths
        self._places = {name: i for i, name in enumerate(paths)}
        self._lock = threading.Lock()
        self._features: np.ndarray | None = None

    def of(self, name: str) -> np.ndarray:
        """The features of a picture, float32 (channels,).

        Raises:
            PictureError: if one of the pictures cannot be read.
            InputError: if the weights cannot be used, or the features not be kept.
        """
        with self._lock:
            if self._features is None:
                self._features = self._find()
            return self._features[self._places[name]]

    def _find(self) -> np.ndarray:
        from historynet.systems.labeller import start

        weights = start.weights_file(self._settings)
        with files.reading(weights), weights.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        made_of = {"pictures": fingerprint(list(self._paths)), "weights": digest}
        made_of |= {"image_size": self._settings.image_size, "width": self._settings.width}
        path, text = self._settings.model_dir / NAME, json.dumps(made_of)
        try:
            with np.load(path) as kept:
                if str(kept["made_of"]) == text:
                    return kept["features"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            pass  # Not there, or not whole: it is made of what there is.
        features = self._make()
        files.write_atomically(path, lambda temporary: np.savez(temporary, features=features, made_of=text))
        return features

    def _make(self) -> np.ndarray:
        from historynet.systems.labeller import start
        from historynet.systems.labeller.network import features_of

        settings = self._settings
        # The labels are those of the head, which has no part in it.
        network = features_of(start.initial_network(settings, ["any"])[0])
        rows = []
        seen = map_ahead(lambda path: look(path, settings.size), self._paths.values(), 2 * settings.batch_size)
        with streams.Progress(len(self._paths), "picture", "features") as bar:
            for batch in batched(seen, settings.batch_size):
                rows.append(np.asarray(network.predict_on_batch(np.stack(batch)), np.float32))
                bar.update(len(batch))
        return np.concatenate(rows)
