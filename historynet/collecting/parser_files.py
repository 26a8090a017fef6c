"""What parsers are: a JSON file beside a model says how to ask it, and which part each of its classes is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from historynet import files
from historynet.collecting import parts
from historynet.collecting.settings import SHIPPED as DEFAULT
from historynet.colorizing.choosing import best_epoch
from historynet.errors import InputError
from historynet.weights import run_files

_SHIPPED = Path(__file__).resolve().parent.parent / "models/mhmd_parser.json"
"""The parser that comes with the project."""

_MODELS = (".onnx", ".keras")
_LARGEST = 8192
_NETWORK, _SYSTEM = "parsing", "Parser"
"""Of the compact parser: the name in its files' names, and of its system."""


@dataclass(frozen=True)
class Description:
    """How a model is asked.

    Attributes:
        path: of the file that says so.
        model: the model's file, .onnx or .keras.
        size: (height, width) of its pictures; None: as the next two say.
        multiple: its pictures' sides are multiples of so many pixels.
        longest: the longer side of its pictures, pixels.
        channels_first: whether a batch is (batch, channels, height, width).
        bgr: whether blue comes first.
        scale: factor on the levels 0..255.
        mean: taken off then, of each channel in the model's order.
        std: what the rest is divided by.
        by_person: whether it is asked for each main person, or for a picture as a whole.
        margin: by how much of its sides a person's box is grown on each side.
        output: name or number of the output.
        logits: whether the output is a number for each class, or the class itself.
        indices: of the part that each class is, (classes,).
        licence: of the model.
    """

    path: Path
    model: Path
    size: tuple[int, int] | None
    multiple: int
    longest: int
    channels_first: bool
    bgr: bool
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    by_person: bool
    margin: float
    output: str | int
    logits: bool
    indices: tuple[int, ...]
    licence: str


_REQUIRED = ("model", "layout", "order", "unit", "activation", "classes", "licence")
_OPTIONAL: Mapping[str, Any] = {
    **dict.fromkeys(("input", "multiple", "longest")),
    "scale": 1.0,
    "mean": (0.0,) * 3,
    "std": (1.0,) * 3,
    "margin": 0.1,
    "output": 0,
}


def read(path: Path) -> Description:
    """A parser's description.

    Raises:
        InputError: if it cannot be read, lacks something or has something unknown, or its model is not there.
    """
    content = files.read_json(path, dict, "no description of a parser: a JSON object is wanted")
    for name in _REQUIRED:
        if name not in content:
            raise InputError(f"{path}: {name!r} is missing")
    for name in content:
        if name not in _REQUIRED and name not in _OPTIONAL:
            raise InputError(f"{path}: there is no {name!r}; it can have {', '.join((*_REQUIRED, *_OPTIONAL))}")
    given = {**_OPTIONAL, **content}
    check = _Check(path, given)
    size = given["input"] if given["input"] is None else check.sides("input")
    if (size is None) == (given["multiple"] is None or given["longest"] is None):
        raise InputError(f"{path}: either 'input' or 'multiple' and 'longest' say the size of its pictures")
    model = path.parent / check.text("model")
    if model.suffix not in _MODELS:
        raise InputError(f"{path}: model {model.name!r} will not do; it can be an .onnx file, or a .keras file of ours")
    if not model.is_file():
        raise InputError(f"{path}: its model {model} is not there")
    if not (isinstance(given["output"], str) or check.is_whole("output", 0, 1000)):
        raise InputError(f"{path}: 'output' must be the name or the number of an output")
    return Description(
        path,
        model,
        size,
        1 if size else check.whole("multiple", 1, 1024),
        0 if size else check.whole("longest", 16, _LARGEST),
        check.word("layout", ("NHWC", "NCHW")) == "NCHW",
        check.word("order", ("RGB", "BGR")) == "BGR",
        check.number("scale", above=0),
        check.three("mean"),
        check.three("std", above=0),
        check.word("unit", ("picture", "person")) == "person",
        check.number("margin", at_least=0),
        given["output"],
        check.word("activation", ("argmax", "logits")) == "logits",
        indices_of(given["classes"], path),
        check.text("licence"),
    )


def indices_of(classes: Any, path: Path) -> tuple[int, ...]:
    """The parts that a model's classes are, (classes,).

    Args:
        classes: names of parts, or "person", one for each class of the model.
        path: for the message.

    Raises:
        InputError: naming a part that there is not.
    """
    names = [*parts.NAMES, parts.PERSON_NAME]
    if not isinstance(classes, list) or not 2 <= len(classes) <= 1000:
        raise InputError(f"{path}: 'classes' must be a list with the part's name for each class of the model")
    for place, name in enumerate(classes):
        if name not in names:
            raise InputError(
                f"{path}: class {place} is {name!r}, but no part is called so; there are {', '.join(names)}"
            )
    return tuple(names.index(name) for name in classes)


def choose(parser: str) -> tuple[Path, str]:
    """The file that PARSER names: a description, a network of ours, or of a training's folder the best epoch.

    Returns:
        The file, and why it is this one, for people.

    Raises:
        InputError: if there is none.
    """
    if parser == DEFAULT:
        return _SHIPPED, "the one that comes with the project"
    path = Path(parser)
    if path.is_dir():
        run = run_files.list_models(path, _NETWORK)
        if not run:
            raise InputError(f"{path}: no trained parser; MHMD_Parser.py trains one, or name one with --parser")
        choice = best_epoch(path, run, "mean_iou")
        return choice.path, str(choice)
    if not path.is_file():
        raise InputError(
            f"{path}: no such parser; give a JSON file beside a model, a training's folder, or {DEFAULT!r}"
        )
    return path, str(path)


def compact(model: Path) -> Description:
    """The description of a compact parser's file. An engine must have been started.

    Raises:
        InputError: if it cannot be read, or holds no such network.
    """
    from historynet.systems import loading

    contents = loading.identify(model)
    if contents.registration.name != _SYSTEM:
        raise InputError(f"{model}: a network of {contents.registration.name}; one of {_SYSTEM} is needed")
    architecture = contents.architecture
    for name in architecture.classes:
        if name not in parts.OF_COMPACT:
            raise InputError(f"{model}: tells {name!r} apart, which is no part; give a JSON file that says what it is")
    return Description(
        path=model,
        model=model,
        size=(architecture.height, architecture.width),
        multiple=1,
        longest=0,
        channels_first=False,
        bgr=False,
        scale=1.0,
        mean=(0.0,) * 3,
        std=(1.0,) * 3,
        by_person=True,
        margin=0.1,
        output=0,
        logits=True,
        indices=tuple(parts.NAMES.index(parts.OF_COMPACT[name]) for name in architecture.classes),
        licence="",
    )


@dataclass(frozen=True)
class _Check:
    """What a description gives, of the kind that is wanted."""

    path: Path
    given: Mapping[str, Any]

    def text(self, name: str) -> str:
        if not isinstance(self.given[name], str) or not self.given[name]:
            raise InputError(f"{self.path}: {name!r} must be a text")
        return self.given[name]

    def word(self, name: str, words: Sequence[str]) -> str:
        if self.given[name] not in words:
            raise InputError(f"{self.path}: {name!r} must be {' or '.join(words)}, not {self.given[name]!r}")
        return self.given[name]

    def is_whole(self, name: str, low: int, high: int) -> bool:
        return type(self.given[name]) is int and low <= self.given[name] <= high

    def whole(self, name: str, low: int, high: int) -> int:
        if not self.is_whole(name, low, high):
            raise InputError(f"{self.path}: {name!r} must be an integer from {low} to {high}")
        return self.given[name]

    def sides(self, name: str) -> tuple[int, int]:
        sides = self.given[name]
        if not (
            isinstance(sides, list) and len(sides) == 2 and all(type(x) is int and 16 <= x <= _LARGEST for x in sides)
        ):
            raise InputError(f"{self.path}: {name!r} must be [height, width] in pixels, 16 to {_LARGEST}")
        return sides[0], sides[1]

    def number(self, name: str, above: float | None = None, at_least: float = -np.inf) -> float:
        value = self.given[name]
        if type(value) not in (int, float) or not np.isfinite(value) or (above is not None and value <= above):
            raise InputError(
                f"{self.path}: {name!r} must be a number" + (f" above {above}" if above is not None else "")
            )
        if value < at_least:
            raise InputError(f"{self.path}: {name!r} must be at least {at_least:g}")
        return float(value)

    def three(self, name: str, above: float | None = None) -> tuple[float, ...]:
        values = self.given[name]
        if not (isinstance(values, list | tuple) and len(values) == 3):
            raise InputError(f"{self.path}: {name!r} must be three numbers, one for each colour")
        return tuple(_Check(self.path, {name: value}).number(name, above) for value in values)
