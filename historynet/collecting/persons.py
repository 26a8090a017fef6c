"""Finders of persons behind one call: uint8 RGB -> boxes and their scores."""

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from historynet import files
from historynet.collecting import onnx_models
from historynet.collecting.settings import SCORE_FLOOR, SHIPPED
from historynet.errors import InputError, reason, translated

_SHIPPED = Path(__file__).resolve().parent.parent / "models/yolox_nano.onnx"

_NMS_IOU = 0.45
_GREY = 114
_STRIDES = 8, 16, 32
_YOLOX_SIDES = {3549: 416, 8400: 640}
"""Side of YOLOX' input by the rows of its output."""

_YOLOX_COLUMNS = 85
_BOX, _OBJECTNESS, _PERSON = slice(0, 4), 4, 5
"""Columns of a row; a person is the first of COCO's classes."""


@dataclass(frozen=True)
class Persons:
    """What is found in a picture, the surest first.

    Attributes:
        boxes: float64 (n, 4): left, top, right, bottom in pixels of the picture, within it.
        scores: float64 (n,), 0..1.
    """

    boxes: np.ndarray
    scores: np.ndarray


class Detector(Protocol):
    """Finds persons in a picture, uint8 RGB (height, width, 3)."""

    def __call__(self, rgb: np.ndarray) -> Persons: ...


def model_files(detector: str) -> list[Path]:
    """The files of what DETECTOR names, a network's weights last.

    Raises:
        InputError: if it names a file that is of no known kind, or a Darknet network's weights are not there.
    """
    path = _SHIPPED if detector == SHIPPED else Path(detector)
    if path.suffix.lower() == ".onnx":
        return [path]
    if path.suffix.lower() == ".cfg":
        return [path, path.with_suffix(".weights")]
    raise InputError(
        f"{path}: not a detector that can be read; give the .onnx file of a YOLOX, or the .cfg of a Darknet network "
        "with its .weights beside it"
    )


def digest(detector: str) -> str:
    """SHA-256 of a detector's files, one behind the other.

    Raises:
        InputError: if one cannot be read.
    """
    sha256 = hashlib.sha256()
    for path in model_files(detector):
        with files.open_regular(path, InputError) as file, files.reading(path):
            while data := file.read(1 << 20):
                sha256.update(data)
    return sha256.hexdigest()


@functools.lru_cache(maxsize=1)
def open_detector(detector: str) -> Detector:
    """What DETECTOR names, ready to be used; once a process.

    Raises:
        InputError: if its files cannot be read, or do not hold such a network.
    """
    paths = model_files(detector)
    for path in paths:
        files.open_regular(path, InputError).close()
    return YOLOX(paths[0]) if len(paths) == 1 else Darknet(*paths)


class YOLOX:
    """YOLOX (Ge et al. 2021) from an ONNX file, by onnxruntime in one thread.

    Args:
        path: of the file.

    Raises:
        InputError: if onnxruntime is not installed, or the file does not hold a YOLOX of 416 or 640 pixels.
    """

    def __init__(self, path: Path):
        self._session = onnx_models.open_session(path)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        shape = outputs[0].shape
        side = _YOLOX_SIDES.get(shape[1]) if len(shape) == 3 and shape[2] == _YOLOX_COLUMNS else None
        if len(inputs) != 1 or side is None or inputs[0].shape[2:] != [side, side]:
            raise InputError(
                f"{path}: its output is {shape}, but YOLOX' for persons is [1, {' or '.join(map(str, _YOLOX_SIDES))}, "
                f"{_YOLOX_COLUMNS}]"
            )
        self._side, self._input = side, inputs[0].name
        self._places, self._stride = _cells(side)

    def __call__(self, rgb: np.ndarray) -> Persons:
        height, width = rgb.shape[:2]
        ratio = min(self._side / height, self._side / width)
        fitted = cv2.resize(rgb, (int(width * ratio), int(height * ratio)), interpolation=cv2.INTER_LINEAR)
        page = np.full((self._side, self._side, 3), _GREY, np.uint8)
        page[: fitted.shape[0], : fitted.shape[1]] = fitted
        # BGR, the channels first.
        values = np.ascontiguousarray(page[..., ::-1].transpose(2, 0, 1), np.float32)[None]
        rows = self._session.run(None, {self._input: values})[0][0].astype(float)
        centres = (rows[:, :2] + self._places) * self._stride
        sizes = np.exp(rows[:, 2:4]) * self._stride
        boxes = np.hstack([centres - sizes / 2, centres + sizes / 2]) / ratio
        return _select(boxes, rows[:, _OBJECTNESS] * rows[:, _PERSON], height, width)


def _cells(side: int) -> tuple[np.ndarray, np.ndarray]:
    """(column, row) of each cell of YOLOX' three grids, (n, 2), and the pixels of its side, (n, 1)."""
    places, strides = [], []
    for stride in _STRIDES:
        rows, columns = np.divmod(np.arange((side // stride) ** 2), side // stride)
        places.append(np.stack([columns, rows], axis=1))
        strides.append(np.full((len(rows), 1), stride))
    return np.concatenate(places), np.concatenate(strides)


class Darknet:
    """A YOLO of Darknet (YOLOv3, yolo-fastest, ...), by OpenCV.

    Args:
        cfg: file of its layers.
        weights: file of its weights.

    Raises:
        InputError: if this OpenCV reads none of Darknet's networks, or the files do not hold one that finds persons.
    """

    def __init__(self, cfg: Path, weights: Path):
        if not hasattr(cv2.dnn, "readNetFromDarknet"):
            raise InputError(
                f"{cfg}: OpenCV {cv2.__version__} does not read Darknet's networks any more; convert it to ONNX, or "
                "install OpenCV 4"
            )
        refuse = functools.partial(self._refusal, cfg, weights)
        with translated((cv2.error, ValueError), refuse):
            self._net = cv2.dnn.readNetFromDarknet(str(cfg), str(weights))
            self._outputs = self._net.getUnconnectedOutLayersNames()
            self._size = _input_size(cfg)
            # Wrong sizes show when it is run only.
            self(np.zeros((*reversed(self._size), 3), np.uint8))

    @staticmethod
    def _refusal(cfg: Path, weights: Path, error: Exception) -> InputError:
        return InputError(f"{cfg}: with {weights.name} not a Darknet network that finds persons ({reason(error)})")

    def __call__(self, rgb: np.ndarray) -> Persons:
        height, width = rgb.shape[:2]
        self._net.setInput(cv2.dnn.blobFromImage(rgb, 1 / 255, self._size))
        rows = np.concatenate(self._net.forward(self._outputs)).astype(float)
        if rows.ndim != 2 or rows.shape[1] <= _PERSON:
            raise ValueError(f"rows of {rows.shape}")
        centres, sizes = rows[:, :2] * (width, height), rows[:, 2:4] * (width, height)
        # OpenCV's rows hold classes times objectness.
        return _select(np.hstack([centres - sizes / 2, centres + sizes / 2]), rows[:, _PERSON], height, width)


def _input_size(cfg: Path) -> tuple[int, int]:
    """(width, height) of a Darknet network's input.

    Raises:
        ValueError: if the file does not say.
    """
    found = {}
    for line in cfg.read_text("utf-8", "replace").splitlines():
        name, equals, value = line.partition("=")
        if equals and name.strip() in ("width", "height"):
            found.setdefault(name.strip(), int(value))
    if len(found) < 2:
        raise ValueError("no width and height")
    return found["width"], found["height"]


def _select(boxes: np.ndarray, scores: np.ndarray, height: int, width: int) -> Persons:
    """The boxes of at least SCORE_FLOOR that are no other's double, clipped to the picture, the surest first."""
    sure = scores >= SCORE_FLOOR
    boxes, scores = boxes[sure], scores[sure]
    corners = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
    kept = np.array(cv2.dnn.NMSBoxes(corners, scores, SCORE_FLOOR, _NMS_IOU), int).reshape(-1)
    return Persons(np.clip(boxes[kept], 0, (width, height) * 2), scores[kept])


def main_persons(
    boxes: np.ndarray, scores: np.ndarray, height: float, score: float, least: float, share: float
) -> np.ndarray:
    """Which boxes are of a picture's main persons, not of passers-by.

    Args:
        boxes: (n, 4) left, top, right, bottom.
        scores: (n,).
        height: of the picture, in the boxes' unit.
        score: that a person has at least.
        least: share of the picture's height that a main person has at least.
        share: of the tallest such person's height, the same.

    Returns:
        Numbers of the boxes, the tallest first.
    """
    heights = boxes[:, 3] - boxes[:, 1]
    large = (scores >= score) & (heights >= least * height)
    large &= heights >= share * heights[large].max(initial=0)
    order = np.argsort(-heights, kind="stable")
    return order[large[order]]
