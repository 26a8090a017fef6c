"""A folder WORK as it is when pictures are chosen and nothing is labelled yet, made by code."""

import cv2
import numpy as np

from historynet.collecting import film_list, labels, manifest
from historynet.collecting.answers import Notebook
from historynet.collecting.film_list import Film

TINY = {"image_size": 32, "width": 1 / 32}
"""A network of the labeller that costs next to nothing."""

ROWS = {
    "long-march": {"eras": ("during",), "nationalities": ("china",)},
    "midway": {"eras": ("during",), "nationalities": ("usa", "japan")},
    "paris": {},
}
"""Titles, and what their films' rows say of them."""

COLORS = {
    "during-china-informal": (40, 60, 200),
    "during-usa-military": (60, 180, 70),
    "after-usa-formal": (200, 90, 40),
}
"""Labels that can be told apart by one glance: RGB."""


def make_work(folder, pictures=8, size=(96, 64), rows=ROWS):
    """The kept pictures of three titles; the label that each has the colour of, by name."""
    rng = np.random.default_rng(0)
    kept, truth, films = [], {}, []
    for number, (key, row) in enumerate(rows.items()):
        films.append(Film(key, "", folder / f"{key}.mp4", key.replace("-", " ").title(), **row))
        for i in range(pictures):
            one = manifest.Picture(f"{key}-{i * 500:08}.jpg", key, key, "", i / 2, ((8.0, 4.0, 50.0, 60.0),), 0.1, 9.0)
            # The row of the first title leaves only the first label, that of the second not the third.
            label = list(COLORS)[(0, i % 2, i % 3)[number]]
            truth[one.picture] = label
            kept.append(one)
            rgb = np.clip(np.array(COLORS[label]) + rng.normal(0, 12, (size[1], size[0], 3)), 0, 255).astype(np.uint8)
            path = manifest.path_of(folder, one)
            path.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(path), rgb[..., ::-1])
    manifest.write(folder, kept)
    film_list.write(folder / film_list.NAME, films)
    return truth


def answer(folder, named, person="Ann", file="hand.csv"):
    """Answers of a person."""
    book = Notebook(folder / "labels" / file, person)
    for picture, label in named.items():
        book.add(picture, label)
    book.close()


def make_labeller(path, seed=0):
    """A labeller's network of random weights, written to a file."""
    import keras

    from historynet.systems import loading
    from historynet.systems.labeller.architecture import Architecture
    from historynet.systems.labeller.network import build_network
    from historynet.systems.labeller.registration import NAME

    keras.utils.set_random_seed(seed)
    architecture = Architecture(**TINY, labels=tuple(label.name for label in labels.table()))
    network = build_network(architecture)
    loading.save(network, NAME, architecture, path)
    return network
