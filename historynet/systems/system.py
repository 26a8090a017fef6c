"""What a system tells the rest of the house about itself: to be trained, and to be found again in its files.

A trainable system declares its networks, an optimiser for each, the fields of a batch that it reads, and its phases in
order. It owns no train step: tapes, the check for NaN, the mean over the batch and applying the gradients are the
business of `historynet.training`. A `Registration` says how its networks are made again from what their files say, and
how its outputs become colours, if it colorizes.
"""

import importlib
import math
import pkgutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from historynet import systems
from historynet.errors import InputError
from historynet.settings.accepting import Accept

if TYPE_CHECKING:
    # Who reads an exported network has no engine, without which Keras cannot be imported.
    import keras

Tensors = Mapping[str, Any]
"""Named tensors with the batch as first axis."""


class Tools(Protocol):
    """What the training step lends to a phase, because Keras has no backend-independent form of it.

    Attributes:
        step: number of the update, from 0, an integer scalar tensor.
    """

    step: Any

    def input_gradient(self, function: Callable[[Any], Any], point: Any) -> Any:
        """The gradient of the summed function(point) with respect to point; it can be differentiated again."""

    def uniform(self, shape: Sequence[int]) -> Any:
        """Random numbers in [0, 1), the first axis for the phase's samples.

        They depend on the run's seed, the step and the sample's place in the batch alone.
        """


@dataclass(frozen=True)
class Phase:
    """One update within a batch.

    Attributes:
        objectives: for each network that the phase updates, the weight of each loss it minimises.
        losses: (batch, what the system computed once a batch, tools) -> named losses, (batch,) each. Pure but for the
            moving statistics of batch normalisation.
        first_step: number of the update from which on the networks are updated; before, the losses are computed only.
    """

    objectives: Mapping[str, Mapping[str, float]]
    losses: Callable[[Tensors, Tensors, Tools], Tensors]
    first_step: int = 0


@dataclass(frozen=True)
class Score:
    """The score of an evaluation by which the best epoch is chosen.

    Attributes:
        name: of the score in `Evaluation.scores`.
        higher_is_better: whether the best is the highest.
    """

    name: str
    higher_is_better: bool = True

    def is_better(self, value: float, best: float) -> bool:
        """Whether a value beats the best one before it. NaN beats nothing, and anything beats NaN."""
        if math.isnan(value) or math.isnan(best):
            return not math.isnan(value)
        return value > best if self.higher_is_better else value < best


@dataclass(frozen=True)
class Evaluation:
    """What evaluating a system's networks gave.

    Attributes:
        scores: numbers by name.
        picture: uint8 RGB (height, width, 3) to be looked at; None: there is nothing to see.
    """

    scores: Mapping[str, float]
    picture: np.ndarray | None = None


class Evaluator(Protocol):
    """Evaluates a system's networks after an epoch. Its length is the number of its samples.

    Attributes:
        left_out: why samples were left out: messages, each once.
    """

    left_out: Collection[str]

    def __len__(self) -> int: ...

    def __call__(self, system: "System", out_dir: Path) -> Evaluation:
        """Evaluates the networks as they are.

        Args:
            system: the system.
            out_dir: a folder for results, which need not be there yet.
        """


class System(Protocol):
    """Networks, losses and optimisers joined into something trainable.

    Attributes:
        name: under which the system is registered.
        architecture: a dataclass that says how the networks were built; saved with them.
        fields: what each batch must hold, by name, and who reads it (`historynet.data.samples.OpenReader`); "L"
            luminance (batch, height, width, 1) and "ab" chrominance (batch, height, width, 2) are the pictures' own.
        networks: by the names that their files have, my_model_<name>Epoch<N>.keras; "colorization" is the network that
            colorizes.
        optimizers: one for each network.
        phases: the updates within a batch, in order.
        score: by which the best epoch is chosen.
        evaluator: evaluates the networks after each epoch; None: test pictures are colorized and compared
            (`historynet.training.evaluation`), which only a system that colorizes can leave it to.

    A system that colorizes also has `predict` and `decode`.
    """

    name: str
    architecture: Any
    fields: Mapping[str, Any]
    networks: "Mapping[str, keras.Model]"
    optimizers: "Mapping[str, keras.optimizers.Optimizer]"
    phases: Sequence[Phase]
    score: Score
    evaluator: Evaluator | None

    def once(self, batch: Tensors) -> Tensors:
        """What the phases of a batch share, computed within the first, whose gradients reach through it.

        To the others it is constant.
        """


class ColorizingSystem(System, Protocol):
    """A system whose networks colorize pictures."""

    def predict(self, luminance: Any) -> Tensors:
        """L (batch, height, width, 1) in 0..1 -> the raw outputs, in inference mode."""

    def decode(self, outputs: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> np.ndarray:
        """Raw outputs -> ab (batch, height, width, 2), float32 in 0..1, at the size of the network's pictures.

        It can be called again with other settings without another pass.
        """


def ab_of(outputs: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> np.ndarray:
    """`decode` of a system whose network gives ab itself."""
    return outputs["ab"]


APART = 5.0
"""Lab units: alternatives are to be at least so far from each other, by the mean distance of their ab."""


@dataclass(frozen=True)
class Alternative:
    """Other colours that a picture might have.

    Attributes:
        ab: float32 (height, width, 2) in 0..1, at the size of the network's pictures.
        log_probability: what the network gives these colours, the mean over the places of a picture.
        distance: the smallest mean distance in ab, Lab units, from the usual colours and the alternatives before; less
            than APART where the network knows no others.
    """

    ab: np.ndarray
    log_probability: float
    distance: float


@dataclass(frozen=True)
class Colorizing:
    """How a system's trained network colorizes.

    Attributes:
        network: which of the system's networks, by its Keras name.
        build: architecture -> that network, or its part that the colours need: from L (batch, height, width, 1) in 0..1
            to a dict of outputs.
        decode: as `ColorizingSystem.decode`.
        layers: architecture -> the names of all layers with weights that the whole network has, which its file must
            hold; None: those of `build`.
        outputs: channels of the outputs that `decode` reads, by their names.
        constants: what `decode` and the like hang on besides outputs and options, as the colours that a number stands
            for; anything that JSON holds. An exported network's file has it, and one that has another is refused.
        options: what `decode` can be told, by name, and what each accepts (`settings.accepting`), which also reads it
            from a command line; None: it does not say, and is told whatever there is.
        defaults: what `decode` takes for those that it is not told.
        alternatives: (raw outputs of one picture, its L, what `decode` is told, how many, a seed) -> that many
            alternatives, each a colouring as a whole; the same seed gives the same, and the first of many are those of
            few. None: the system has none.
        confidence: raw outputs of one picture -> how sure the network is of each place's colour, float32 (rows,
            columns) from 0, not at all, to 1, of any size. None: the system cannot say.
    """

    network: str
    build: "Callable[[Any], keras.Model]"
    decode: Callable[[Mapping[str, np.ndarray], Mapping[str, Any]], np.ndarray] = ab_of
    layers: Callable[[Any], Collection[str]] | None = None
    outputs: Mapping[str, int] = field(default_factory=lambda: {"ab": 2})
    constants: Callable[[], Any] = dict
    options: Mapping[str, Accept] | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    alternatives: (
        Callable[[Mapping[str, np.ndarray], np.ndarray, Mapping[str, Any], int, int], Sequence[Alternative]] | None
    ) = None
    confidence: Callable[[Mapping[str, np.ndarray]], np.ndarray] | None = None

    def accept(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What `decode` is told, from what somebody gives for it.

        Raises:
            InputError: naming what is not one of `options`, or will not do.
        """
        if self.options is None:
            return dict(given)
        accepted = {}
        for name, value in given.items():
            if name not in self.options:
                known = " or ".join(map(repr, self.options)) or "nothing"
                raise InputError(f"decoding: there is no {name!r}; for this model it takes {known}")
            try:
                accepted[name] = self.options[name](value)
            except ValueError as error:
                raise InputError(f"decoding: {name} {value!r} will not do; it takes {error}") from error
        return accepted

    def check_beside(self, name: str, alternatives: bool, confidence: bool) -> None:
        """Sees that what is wanted beside the colours can be made.

        Args:
            name: of the system, for the message.
            alternatives: whether they are wanted.
            confidence: the same.

        Raises:
            InputError: if not.
        """
        for what, wanted, function in (
            ("alternatives", alternatives, self.alternatives),
            ("confidence", confidence, self.confidence),
        ):
            if wanted and function is None:
                raise InputError(f"{name} has no {what} (--{what})")


@dataclass(frozen=True)
class Registration:
    """What is needed to make a system's networks again from their files.

    Attributes:
        name: of the system; each of its files holds it.
        architecture: a dataclass that JSON can hold; raises ValueError for values that will not do.
        networks: by the networks' Keras names, architecture -> the network.
        colorizing: None for a system that does not colorize.
        recognise: arrays of a file that does not say what it is, by layer -> (Keras name of the network, architecture,
            arrays by our layer names); None if they are not the system's. Raises InputError where they nearly are.
        programs: the folders of the scripts that train and colorize, by the program's name.
        program_of: architecture -> the name of the program that the network belongs to; by default the system's.
        facts: (Keras name of the network, architecture) -> what `inspect` says of them, by title.
    """

    name: str
    architecture: type
    networks: "Mapping[str, Callable[[Any], keras.Model]]"
    colorizing: Colorizing | None = None
    recognise: Callable[[Mapping[str, Any], Path], tuple[str, Any, Mapping[str, Any]] | None] | None = None
    programs: Mapping[str, str] = field(default_factory=dict)
    program_of: Callable[[Any], str] | None = None
    facts: Callable[[str, Any], Mapping[str, str]] | None = None

    def program(self, architecture: Any) -> str:
        """The name of the program that a network of this architecture belongs to."""
        return self.program_of(architecture) if self.program_of else self.name


_REGISTERED: dict[str, Registration] = {}


def register(registration: Registration) -> Registration:
    """Makes a system known to whoever reads files; registering it again replaces it."""
    _REGISTERED[registration.name] = registration
    return registration


def registered() -> Mapping[str, Registration]:
    """All systems by name: those of the folders beside this file, and those that others have registered."""
    for module in pkgutil.iter_modules(systems.__path__):
        if module.ispkg:
            # Registers it, the first time.
            importlib.import_module(f"{systems.__name__}.{module.name}.registration")
    return _REGISTERED


def find(name: str, path: Path) -> Registration:
    """A system by its name in a file.

    Raises:
        InputError: if this version does not know it.
    """
    known = registered()
    if name not in known:
        raise InputError(f"{path}: a network of the system {name!r}, which this version does not know")
    return known[name]
