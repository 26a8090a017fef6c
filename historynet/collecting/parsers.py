"""Parsers behind one call: a picture and its main persons -> the part of each pixel."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from historynet.collecting import crops, onnx_models
from historynet.collecting.manifest import Box
from historynet.collecting.parser_files import Description
from historynet.errors import InputError, reason, translated

_BATCH = 16
"""Crops that a network of ours sees at a time."""


@dataclass(frozen=True)
class Parsing:
    """What a parser says of a picture.

    Attributes:
        indices: of the parts, uint8 (height, width).
        confidence: mean largest probability of the pixels that belong to persons; None if there are none, or the
            parser gives classes only.
    """

    indices: np.ndarray
    confidence: float | None


class Model(Protocol):
    """A model that answers crops as its description says."""

    def __call__(self, crops: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        """Crops as the model wants them, float32, of one layout -> its outputs, as it gives them, one for each."""


class OnnxModel:
    """A model of an ONNX file, asked for one crop at a time.

    Raises:
        InputError: if it cannot be opened, or has no such output.
    """

    def __init__(self, description: Description):
        self._path, self._session = description.model, onnx_models.open_session(description.model)
        names, wanted = [output.name for output in self._session.get_outputs()], description.output
        if isinstance(wanted, int) and wanted < len(names):
            wanted = names[wanted]
        if wanted not in names:
            raise InputError(f"{description.path}: its model has no output {wanted!r}; it has {', '.join(names)}")
        self._output, self._input = wanted, self._session.get_inputs()[0].name

    def __call__(self, crops: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        # Its errors have no class in common but Exception.
        with translated(Exception, lambda error: InputError(f"{self._path}: fails ({reason(error)})")):
            return [self._session.run([self._output], {self._input: crop[None]})[0][0] for crop in crops]


class KerasModel:
    """A model of a .keras file of ours.

    Raises:
        InputError: if it cannot be read, or is none.
    """

    def __init__(self, description: Description):
        from historynet.systems import loading
        from historynet.systems.parser.network import NAME
        from historynet.systems.parser.registration import NAME as SYSTEM

        self._network, _ = loading.load(description.model, SYSTEM, NAME)
        wanted, size = description.size, self._network.input_shape[1:3]
        if wanted != size:
            raise InputError(f"{description.path}: 'input' is {wanted}, but its model's pictures are {size}")

    def __call__(self, crops: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        # Filled up: of one size there is one compiled program, and one order of sums.
        filled = [*crops, *crops[-1:] * (_BATCH - len(crops))]
        return np.asarray(self._network.predict_on_batch(np.stack(filled)), np.float32)[: len(crops)]


class Parser:
    """A parser, ready to be asked.

    Args:
        description: of it.

    Attributes:
        description: of it.

    Raises:
        InputError: if its model cannot be used, or tells another number of classes apart.
    """

    def __init__(self, description: Description):
        self.description, self._indices = description, np.array(description.indices, np.uint8)
        self._model = (OnnxModel if description.model.suffix == ".onnx" else KerasModel)(description)
        # Whatever does not fit shows before the first picture.
        self([np.zeros((64, 48, 3), np.uint8)], [[(0.0, 0.0, 48.0, 64.0)]])

    def __call__(self, pictures: Sequence[np.ndarray], boxes: Sequence[Sequence[Box]]) -> list[Parsing]:
        """Parses pictures.

        Args:
            pictures: uint8 RGB (height, width, 3).
            boxes: of the main persons of each.

        Raises:
            InputError: if the model fails.
        """
        places = [self._places(rgb.shape[:2], of) for rgb, of in zip(pictures, boxes, strict=True)]
        seen = [self._see(rgb, place) for rgb, of in zip(pictures, places, strict=True) for place in of]
        answers = (answer for at in range(0, len(seen), _BATCH) for answer in self._model(seen[at : at + _BATCH]))
        return [
            self._join(rgb.shape[:2], [(place, next(answers)) for place in of])
            for rgb, of in zip(pictures, places, strict=True)
        ]

    def _places(self, picture: tuple[int, int], boxes: Sequence[Box]) -> list[crops.Place]:
        """Of the crops of a picture, the smallest first."""
        height, width = picture
        if not self.description.by_person:
            return [crops.place((0, 0, width, height), 0, picture, self.description.size or picture)]
        found = [crops.place(box, self.description.margin, picture, self.description.size or picture) for box in boxes]
        return sorted(found, key=lambda place: place.bottom - place.top)

    def _see(self, rgb: np.ndarray, place: crops.Place) -> np.ndarray:
        size = self.description.size
        if size is None:
            factor = self.description.longest / max(place.size)
            step = self.description.multiple
            size = tuple(max(step, round(side * factor / step) * step) for side in place.size)
        seen = crops.fit(place.cut(rgb), size).astype(np.float32)
        seen = seen[..., ::-1] if self.description.bgr else seen
        seen = (seen * np.float32(self.description.scale) - np.float32(self.description.mean)) / np.float32(
            self.description.std
        )
        return np.ascontiguousarray(seen.transpose(2, 0, 1) if self.description.channels_first else seen)

    def _join(self, picture: tuple[int, int], answers: Sequence[tuple[crops.Place, np.ndarray]]) -> Parsing:
        """Pastes what was found of the persons, larger ones over smaller ones, background over nobody."""
        indices, sure = np.zeros(picture, np.uint8), np.zeros(picture, np.float32)
        for place, answer in answers:
            part, certainty = self._parts(place, answer)
            rows, columns = slice(place.top, place.bottom), slice(place.left, place.right)
            there = part > 0
            indices[rows, columns][there] = part[there]
            sure[rows, columns][there] = certainty[there]
        persons = indices > 0
        known = self.description.logits and persons.any()
        return Parsing(indices, float(sure[persons].mean(dtype=np.float64)) if known else None)

    def _parts(self, place: crops.Place, answer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Indices and certainties of a crop's own pixels."""
        classes = len(self.description.indices)
        if not self.description.logits:
            found = np.squeeze(answer)
            if found.ndim != 2 or found.min() < 0 or found.max() >= classes:
                raise InputError(
                    f"{self.description.path}: its model gives other classes than the {classes} of 'classes'"
                )
            # One channel for each class, so that what lies between two of them is one of the two.
            answer = np.eye(classes, dtype=np.float32)[found.astype(int)]
        elif self.description.channels_first:
            answer = answer.transpose(1, 2, 0) if answer.ndim == 3 else answer
        if answer.ndim != 3 or answer.shape[2] != classes:
            shape = " x ".join(map(str, answer.shape))
            raise InputError(f"{self.description.path}: names {classes} classes, but its model gives {shape}")
        values = place.put_back(np.ascontiguousarray(answer, np.float32))
        # A plane for each class: over a short last axis numpy takes several times as long.
        planes = np.ascontiguousarray(values.transpose(2, 0, 1))
        planes -= planes.max(axis=0)
        return self._indices[values.argmax(axis=2)], 1 / np.exp(planes, out=planes).sum(axis=0)


@functools.lru_cache(maxsize=1)
def open_parser(description: Description) -> Parser:
    """A parser, ready to be asked; once a process.

    Raises:
        InputError: as `Parser`.
    """
    return Parser(description)
