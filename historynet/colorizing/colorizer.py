"""A trained network and a picture -> a picture."""

import contextlib
import copy
import hashlib
import json
import numbers
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from PIL import Image

from historynet import settings
from historynet.colorizing.choosing import find_model
from historynet.colorizing.options import ALTERNATIVES, SEEDS
from historynet.errors import InputError
from historynet.parallel import batched, map_ahead
from historynet.pictures import color, formats, print_area
from historynet.pictures.options import STRENGTHS, UPSAMPLINGS, check_number, check_switch, check_word
from historynet.runtimes import opening
from historynet.systems import system
from historynet.systems.system import Alternative, Colorizing

if TYPE_CHECKING:
    import keras

PICTURES_AT_ONCE = 8
"""So many go through the network: 16 take 0.2 GB more memory."""

_PROJECT = Path(__file__).resolve().parents[2]
"""Where MODEL lies, if the library is used from the project's folder."""

PictureLike = np.ndarray | Image.Image | str | os.PathLike
"""What is taken for a picture: an array, a picture of Pillow's, or the path of a file."""


class Colored(NamedTuple):
    """A picture in other colours than the usual ones.

    Attributes:
        rgb: uint8 (height, width, 3).
        log_probability: as of `Alternative`.
        distance: as of `Alternative`.
    """

    rgb: np.ndarray
    log_probability: float
    distance: float


class Colorizer:
    """Colorizes pictures with a trained network of any system that does so.

    It computes on the engine that Keras runs on in the process. If Keras is not imported yet, the first Colorizer takes
    KERAS_BACKEND of the environment, else TensorFlow, or JAX where that is not installed. An exported network (.onnx,
    .xml) needs neither, nor Keras: it computes with onnxruntime or OpenVINO.

    Args:
        model: a model file, the name of one in the project's MODEL/HistoryNet with or without its extension, "shipped"
            for the one that comes with the project, or a network from L to a dict with "ab"; by default the best of the
            run there, or else the one that is shipped (`choosing.choose_model`), whatever the current folder.
        variant: the program that the file must be of, as "HistoryNet" or "Baseline"; any if None.
        precision: one of `settings.PRECISIONS`; the numbers that the network computes with, if it is read from a file.
            onnxruntime has "float32" alone, OpenVINO "bfloat16" as well where the processor has it.
        decoding: what the system's `decode` is to know, as a temperature; by name (`Colorizing.options`).

    Attributes:
        size: (height, width) of the pictures that the network sees.
        precision: what the network computes in, "int8" if it was exported so.

    Raises:
        InputError: if the file is no network of ours, one of another program, or of a system that does not colorize; if
            an argument cannot be; or in a process that was forked from one that has made a colorizer.

    Example:
        colorize = Colorizer("MODEL/HistoryNet/my_model_colorizationEpoch7.keras")
        rgb = colorize(gray)
    """

    def __init__(
        self,
        model: "str | Path | keras.Model" = settings.DEFAULT,
        variant: str | None = None,
        precision: str = "float32",
        decoding: Mapping[str, Any] | None = None,
    ):
        _see_process()
        if not isinstance(decoding, Mapping | None):
            raise InputError(f"decoding: {decoding!r} will not do; it takes a mapping from names to values")
        if not _is_of_keras(model):
            _check_arguments(model, variant, precision)
            path = find_model(os.fspath(model), _PROJECT / "MODEL/HistoryNet", "HistoryNet", "the argument model")
            self._network, found = opening.open_network(path, variant, precision)
            self._colorizing, self._system = found.registration.colorizing, found.registration.name
        else:
            network = _ab_alone(model)
            self._network = opening.of_keras(network)
            self._colorizing = Colorizing(network.name, lambda _: network, options={})
            self._system = "this network"
        self.size: tuple[int, int] = self._network.size
        self.precision: str = self._network.precision
        self._decoding = self._colorizing.accept(decoding or {})

    def with_decoding(self, **decoding: Any) -> "Colorizer":
        """The same network, which need not be loaded again, with other decoding; raises what `decode` does."""
        other = copy.copy(self)
        other._decoding = {**self._decoding, **self._colorizing.accept(decoding)}
        return other

    def digest(self) -> str:
        """SHA-256 of the network's weights and of what it computes with; takes about a second for a full one."""
        digest = hashlib.sha256()
        self._network.identify(digest)
        if self._decoding:
            digest.update(json.dumps(self._decoding, sort_keys=True).encode())
        return digest.hexdigest()

    def __call__(
        self, picture: PictureLike, strength: float = 1.0, upsampling: str = color.BILINEAR, borders: bool = True
    ) -> np.ndarray:
        """A picture of any size -> uint8 RGB (height, width, 3).

        Args:
            picture: uint8 RGB (height, width, 3) or gray (height, width) or (height, width, 1); a picture of Pillow's,
                as `convert("RGB")` makes it; or the path of a file, of which the first picture is read with 8 bits,
                upright, and without its transparency.
            strength: factor on the predicted chrominance, 0..2: 0 is gray, 1 as predicted.
            upsampling: one of `pictures.options.UPSAMPLINGS`.
            borders: leave the border of a scan as it is, and colour the print within; False: colour all.

        Raises:
            InputError: if an argument cannot be; PictureError, which is one, if a file cannot be read.
        """
        return next(self.many([picture], strength, upsampling, borders))

    def many(
        self,
        pictures: Iterable[PictureLike],
        strength: float = 1.0,
        upsampling: str = color.BILINEAR,
        borders: bool = True,
    ) -> Iterator[np.ndarray]:
        """The results of many pictures, in order; eight go through the network together, and memory is bounded.

        Computed together a picture can come out a level away from what it is alone.

        Args:
            pictures: as one is given to a call; taken one by one.
            strength: as of a call.
            upsampling: as of a call.
            borders: as of a call.

        Raises:
            InputError: as of a call; what is wrong with a picture where its result, or one a little before, is taken.
        """
        check_number("strength", strength, STRENGTHS)
        check_word("upsampling", upsampling, UPSAMPLINGS)
        check_switch("borders", borders)
        if isinstance(pictures, str | bytes | os.PathLike) or not isinstance(pictures, Iterable):
            raise InputError(f"pictures: {pictures!r} will not do; it takes a list of pictures or another iterable")
        return self._many(pictures, strength, upsampling, borders)

    def _many(
        self, pictures: Iterable[PictureLike], strength: float, upsampling: str, borders: bool
    ) -> Iterator[np.ndarray]:
        def prepare(picture: PictureLike) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
            rgb = _as_rgb(picture)
            inside = print_area.find_print(rgb) if borders else None
            return rgb, color.network_lab(rgb, self.size)[..., :1], inside

        with contextlib.closing(map_ahead(prepare, pictures, PICTURES_AT_ONCE)) as prepared:
            for batch in batched(prepared, PICTURES_AT_ONCE):
                colours = self.predict_ab(np.stack([luminance for _, luminance, _ in batch]))
                for (rgb, _, inside), ab in zip(batch, colours, strict=True):
                    yield color.with_chrominance(rgb, ab, strength, upsampling, inside=inside)

    def predict(self, luminance: np.ndarray) -> dict[str, np.ndarray]:
        """L (pictures, height, width, 1) in 0..1 -> the network's raw outputs by name, the picture as first axis."""
        _see_process()
        parts = range(0, len(luminance), PICTURES_AT_ONCE)
        outputs = [self._network.predict(luminance[i : i + PICTURES_AT_ONCE]) for i in parts]
        return {name: np.concatenate([output[name] for output in outputs]) for name in outputs[0]}

    def decode(self, outputs: Mapping[str, np.ndarray], **decoding: Any) -> np.ndarray:
        """Raw outputs -> ab (pictures, height, width, 2), float32 in 0..1, without another pass.

        Args:
            outputs: of `predict`.
            decoding: in place of what the colorizer was made with.

        Raises:
            InputError: naming what the model's system does not know, or what will not do.
        """
        return self._colorizing.decode(outputs, {**self._decoding, **self._colorizing.accept(decoding)})

    def check_beside(self, alternatives: bool = False, confidence: bool = False) -> None:
        """Sees that the network's system has what is wanted beside the colours.

        Raises:
            InputError: naming what it has not.
        """
        self._colorizing.check_beside(self._system, alternatives, confidence)

    def alternatives(
        self,
        picture: PictureLike,
        count: int,
        seed: int = 0,
        strength: float = 1.0,
        upsampling: str = color.BILINEAR,
        borders: bool = True,
    ) -> list[Colored]:
        """A picture in other colours that the network holds for possible, each a colouring as a whole.

        Args:
            picture: as of a call.
            count: how many, 0 to 20; the first of many are those of few.
            seed: what is drawn depends on it, and on the picture.
            strength: as of a call.
            upsampling: as of a call.
            borders: as of a call.

        Raises:
            InputError: as of a call; or if the system has none.
        """
        check_number("count", count, ALTERNATIVES, numbers.Integral)
        check_number("seed", seed, SEEDS, numbers.Integral)
        check_number("strength", strength, STRENGTHS)
        check_word("upsampling", upsampling, UPSAMPLINGS)
        check_switch("borders", borders)
        self.check_beside(alternatives=True)
        rgb = _as_rgb(picture)
        inside = print_area.find_print(rgb) if borders else None
        luminance = color.network_lab(rgb, self.size)[..., :1]
        found = self.alternatives_of(self._outputs_of(luminance), luminance, count, seed)
        return [
            Colored(
                color.with_chrominance(rgb, one.ab, strength, upsampling, inside=inside),
                one.log_probability,
                one.distance,
            )
            for one in found
        ]

    def confidence(self, picture: PictureLike) -> np.ndarray:
        """How sure the network is of each place's colour: float32 (height, width), 0, not at all, to 1.

        Args:
            picture: as of a call.

        Raises:
            InputError: as of a call; or if the system cannot say.
        """
        self.check_beside(confidence=True)
        rgb = _as_rgb(picture)
        sure = self.confidence_of(self._outputs_of(color.network_lab(rgb, self.size)[..., :1]))
        return cv2.resize(sure, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)

    def alternatives_of(
        self, outputs: Mapping[str, np.ndarray], luminance: np.ndarray, count: int, seed: int = 0
    ) -> Sequence[Alternative]:
        """The same of the raw outputs for one picture (`predict`, without its first axis) and its L, without a pass."""
        return self._colorizing.alternatives(outputs, luminance, self._decoding, count, seed)

    def confidence_of(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """The same of the raw outputs for one picture, at the size that they have."""
        return self._colorizing.confidence(outputs)

    def _outputs_of(self, luminance: np.ndarray) -> dict[str, np.ndarray]:
        return {name: output[0] for name, output in self.predict(luminance[None]).items()}

    def predict_ab(self, luminance: np.ndarray) -> np.ndarray:
        """L (pictures, height, width, 1) in 0..1 -> ab (pictures, height, width, 2), float32 in 0..1."""
        # Part by part: raw outputs can be a hundred times as large as what becomes of them.
        parts = range(0, len(luminance), PICTURES_AT_ONCE)
        return np.concatenate([self.decode(self.predict(luminance[i : i + PICTURES_AT_ONCE])) for i in parts])


_process: int | None = None
"""The process that has made a colorizer; a forked one inherits the number."""


def _see_process() -> None:
    """Refuses to compute in a forked process: the engine's threads are not there, and it would wait for them for ever.

    Raises:
        InputError: if it is one.
    """
    global _process
    _process = _process or os.getpid()
    if _process != os.getpid():
        raise InputError(
            "Colorizer: this process was forked from one that had made a colorizer already, which cannot work; start "
            "processes with multiprocessing.get_context('spawn'), or make the first colorizer after the fork"
        )


def _check_arguments(model: Any, variant: Any, precision: Any) -> None:
    if not isinstance(model, str | os.PathLike):
        raise InputError(f"model: {model!r} will not do; it takes a file, a name, 'default', 'shipped' or a network")
    known = system.registered().values()
    check_word("variant", variant, [None, *(name for one in known for name in one.programs or [one.name])])
    check_word("precision", precision, settings.PRECISIONS)


def _is_of_keras(model: Any) -> bool:
    """Whether it is a network of Keras, which is imported then."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(model, keras.Model)


def _ab_alone(network: "keras.Model") -> "keras.Model":
    """The part of a network that the colours need."""
    shape, output = getattr(network, "input_shape", None), getattr(network, "output", None)
    if not (isinstance(shape, tuple) and len(shape) == 4 and shape[3] == 1 and isinstance(output, Mapping)):
        output = {}
    if "ab" not in output:
        raise InputError(
            f"model: the network {network.name!r} will not do; it takes one from L (pictures, height, width, 1) to a "
            "dict with 'ab'"
        )
    return sys.modules["keras"].Model(network.input, {"ab": output["ab"]})


def _as_rgb(picture: Any) -> np.ndarray:
    """What `Colorizer` takes for a picture, as uint8 RGB (height, width, 3)."""
    if isinstance(picture, str | os.PathLike):
        return formats.read(Path(picture)).rgb
    if isinstance(picture, Image.Image):
        if picture.mode[0] in "IF":
            raise InputError(f"a picture of Pillow's mode {picture.mode} has more than 8 bits; name its file instead")
        picture = np.asarray(picture.convert("RGB"))
    found = f"{picture.dtype} {picture.shape}" if isinstance(picture, np.ndarray) else type(picture).__name__
    if isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.size:
        if picture.ndim == 2 or picture.shape[2:] == (1,):
            return np.dstack([picture] * 3)
        if picture.shape[2:] == (3,):
            return np.ascontiguousarray(picture)
    raise InputError(
        "a picture must be a uint8 array (height, width, 3), (height, width) or (height, width, 1), a picture of "
        f"Pillow's or the path of a file, not {found}"
    )
