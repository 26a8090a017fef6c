"""The models at hand: which there are, and the networks of those that are used."""

import contextlib
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from historynet import __version__, files
from historynet.colorizing import choosing
from historynet.colorizing.colorizer import Colorizer
from historynet.colorizing.folder import digest
from historynet.colorizing.options import ALTERNATIVES
from historynet.colorizing.records import Records
from historynet.errors import InputError
from historynet.systems import loading
from historynet.systems.historynet.shipped import SHIPPED, WORD
from historynet.web.refusals import Refused
from historynet.web.wanted import TEMPERATURES
from historynet.weights import run_files

_LOADED = 2
"""Networks that are kept in memory at a time."""

_NETWORK = "colorization"


@dataclass(frozen=True)
class Model:
    """A model file at hand.

    Attributes:
        id: for the page; says nothing of where the file lies.
        title: for people.
        path: of the file.
        system: that it is of.
        alternatives: how many it has, at most; 0: none.
        temperature: {"min", "max", "default"} of its temperature; None if it has none.
    """

    id: str
    title: str
    path: Path
    system: str
    alternatives: int = 0
    temperature: dict[str, float] | None = None


@dataclass(frozen=True)
class Loaded:
    """A model whose network is in memory.

    Attributes:
        colorizer: the network.
        provenance: the line that says in a result what made it.
        key: tells the network from others.
        turn: held by whoever computes with it.
    """

    colorizer: Colorizer
    provenance: str
    key: str
    turn: threading.Lock = field(default_factory=threading.Lock)


def find(named: Sequence[str], folder: Path) -> tuple[list[Model], list[str]]:
    """The models at hand, that which is taken by default first.

    Args:
        named: files, or names as of `choosing.choose_model`; none: the default model, the shipped one and the best of
            each run.
        folder: of the runs' folders, MODEL.

    Returns:
        The models, and why others are left out: messages.

    Raises:
        InputError: if a named one cannot be used, or there is none.
    """
    own = folder / "HistoryNet"
    if named:
        return [_look(choosing.choose_model(name, own, "HistoryNet", "--model").path) for name in named], []
    models, left_out = [], []
    for path in dict.fromkeys(_at_hand(folder)):
        try:
            models.append(_look(path))
        except InputError as error:
            left_out.append(str(error))
    if not models:
        raise InputError(f"{folder}: there is no model; name a file with --model")
    return models, left_out


def _at_hand(folder: Path) -> list[Path]:
    found = []
    with contextlib.suppress(InputError):
        found.append(choosing.choose_model("default", folder / "HistoryNet", "HistoryNet", "--model").path)
    found += [SHIPPED] * SHIPPED.is_file()
    for run in files.list_folder(folder):
        if run.is_dir():
            saved = run_files.list_models(run, _NETWORK)
            found += [choosing.best_epoch(run, saved, choosing.SCORE).path] if saved else []
            others = {path for path in files.list_folder(run) if _NETWORK in path.name and path.is_file()} - {*saved}
            found += sorted(others)
    return found


def _look(path: Path) -> Model:
    """What there is to say of a model file.

    Raises:
        InputError: if it is none that colorizes.
    """
    contents = loading.identify(path)
    registration = contents.registration
    colorizing = registration.colorizing
    if colorizing is None or contents.network != colorizing.network:
        raise InputError(f"{path}: a {contents.network} of {registration.name}, which does not colorize pictures")
    program = registration.program(contents.architecture)
    title = f"{program} (shipped)" if path == SHIPPED else f"{program}, {path.parent.name}/{path.name}"
    temperature = None
    if "temperature" in (colorizing.options or {}):
        own = colorizing.defaults.get("temperature", sum(TEMPERATURES) / 2)
        temperature = {"min": TEMPERATURES[0], "max": TEMPERATURES[1], "default": own}
    alternatives = ALTERNATIVES[1] if colorizing.alternatives else 0
    number = WORD if path == SHIPPED else hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:12]
    return Model(number, title, path, registration.name, alternatives, temperature)


class Models:
    """The networks of the models at hand; the last ones that were used are kept in memory.

    Args:
        models: that which is taken by default first.
    """

    def __init__(self, models: Sequence[Model]):
        self._models = {model.id: model for model in models}
        self.default = models[0].id
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()
        self._loading = threading.Lock()

    def says(self) -> list[dict[str, Any]]:
        """What the page is told of each."""
        names = ("id", "title", "system", "alternatives", "temperature")
        return [{name: getattr(model, name) for name in names} for model in self._models.values()]

    def find(self, number: str) -> Model:
        """A model by its id; empty: the default.

        Raises:
            Refused: if there is none.
        """
        model = self._models.get(number or self.default)
        if model is None:
            raise Refused(422, "There is no such model.")
        return model

    def load(self, number: str) -> Loaded:
        """The network of a model, by its id.

        Raises:
            InputError: if its file is not there any more, or will not do.
        """
        with self._loading:
            if number not in self._loaded:
                while len(self._loaded) >= _LOADED:
                    self._loaded.popitem(last=False)
                path = self.find(number).path
                sha256 = digest(path)
                records = Records({"model": path.name, "sha256": sha256})
                self._loaded[number] = Loaded(Colorizer(path), records.provenance(__version__), sha256)
            self._loaded.move_to_end(number)
            return self._loaded[number]
