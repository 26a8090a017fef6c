"""A network of Keras -> a file that onnxruntime or OpenVINO computes, checked against Keras by numbers.

Keras' own export writes the file. It does so from TensorFlow's graph: on JAX it would take a second converter for ONNX,
and TensorFlow all the same for OpenVINO. So exporting needs TensorFlow, and what is exported does not.
"""

import contextlib
import hashlib
import json
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from historynet import backend, extras, files
from historynet.errors import InputError, reason, translated
from historynet.runtimes import RUNTIMES, exported, opening, openvino_files, quantizing
from historynet.runtimes.network import Network
from historynet.systems.description import Description

if TYPE_CHECKING:
    import keras

_NEEDED = {".onnx": ("tf2onnx", "onnx", "onnxruntime"), ".xml": ("openvino",)}
"""Packages by the file's extension; those of an int8 file are _QUANTISING, too."""

_QUANTISING = ("tf2onnx", "onnx", "onnxruntime")

_FIXED = 4
"""Pictures on which both are compared."""


def check_target(target: Path, is_quantised: bool) -> None:
    """Sees that a file of this name can be exported, before anything is read.

    Raises:
        InputError: if the name ends otherwise, a package is not installed, or a .bin of others lies where ours would.
    """
    kind = target.suffix
    if kind not in RUNTIMES:
        raise InputError(f"{target}: the new file's name must end with {' or '.join(RUNTIMES)}")
    for package in (*_NEEDED[kind], *(_QUANTISING if is_quantised else ())):
        if not extras.is_installed(package):
            how = extras.how_to_install(package, "export")
            raise InputError(f"{target}: exporting it needs {package}, which is not installed: {how}")
    if kind == ".xml":
        openvino_files.check_replaces(target)


def fixed_luminance(size: tuple[int, int]) -> np.ndarray:
    """The pictures on which an exported network is compared: L (4, height, width, 1), the same each time.

    Smooth ones from dark to light, with noise; one is noise alone.
    """
    draw = np.random.default_rng(0)
    smooth = [cv2.resize(draw.random((5, 5), np.float32), size[::-1]) for _ in range(_FIXED)]
    luminance = np.clip(np.stack(smooth) + 0.05 * draw.standard_normal((_FIXED, *size)), 0, 1)
    luminance[-1] = draw.random(size)
    return luminance[..., None].astype(np.float32)


def export(network: "keras.Model", found: Description, target: Path) -> float:
    """Writes a network as an .onnx file, or as NAME.xml and NAME.bin, and compares it with Keras.

    Args:
        network: from L to a dict of outputs, in float32, on TensorFlow.
        found: which network it is.
        target: the new file.

    Returns:
        The largest difference of the raw outputs on `fixed_luminance`, as a part of the largest of them, or of 1.

    Raises:
        InputError: if the network cannot be exported or the file not be written; or if what it gives differs by more
            than `exported.LARGEST_DIFFERENCE`, nothing being left then.
    """
    with _temporary(target) as made:
        difference = _make(network, found, made, target)
        move(made, target)
    return difference


def _make(network: "keras.Model", found: Description, made: Path, target: Path) -> float:
    """What `export` does, in a file that has not its name yet; messages speak of the target."""
    size = tuple(network.input.shape[1:3])
    luminance = fixed_luminance(size)
    ours = {name: np.asarray(value) for name, value in network.predict_on_batch(luminance).items()}
    _export_as_keras_does(network, made, target)
    told = exported.describe(found, size, exported.FLOAT32)
    (_describe_onnx if made.suffix == ".onnx" else _describe_openvino)(made, told)
    return _compare(made, ours, luminance, target)


@dataclass(frozen=True)
class Quantised:
    """A network in int8 that has no name yet.

    Attributes:
        path: of it.
        kept: the layers that stay in float32.
    """

    path: Path
    kept: list[str]


@contextlib.contextmanager
def export_quantised(
    network: "keras.Model", found: Description, target: Path, luminance: Sequence[np.ndarray]
) -> Iterator[Quantised]:
    """Makes a network in int8, beside the target, for the caller to measure and to `move`.

    Args:
        network: as of `export`.
        found: as of `export`.
        target: the new file.
        luminance: as of `quantizing.quantise`.

    Raises:
        InputError: as `export`, for the network in float32 of which it is made.
    """
    told = exported.describe(found, network.input.shape[1:3], exported.INT8)
    with _temporary(target) as made, quietly():
        onnx_file = made.with_suffix(".onnx")
        _make(network, found, onnx_file, target)
        with translated(Exception, lambda error: InputError(f"{target}: cannot be quantised ({reason(error)})")):
            kept = quantizing.quantise(onnx_file, luminance)
            _describe_onnx(onnx_file, told)
            if made.suffix == ".xml":
                import openvino

                _write_openvino(openvino.convert_model(onnx_file), made, told)
        open_made(made, target)
        yield Quantised(made, [layer.split("/")[-2].removesuffix("_1") if "/" in layer else layer for layer in kept])


@contextlib.contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    """A name in a folder of its own beside the target, so that moving is renaming."""
    with files.writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix=".unfinished-", dir=target.parent)
    with folder as name:
        yield Path(name) / f"network{target.suffix}"


def _export_as_keras_does(network: "keras.Model", path: Path, target: Path) -> None:
    for layer in network.layers:
        # Loops over parts of an array, which only save memory, are left out.
        if hasattr(layer, "in_one_piece"):
            layer.in_one_piece = True
    # Keras exports what it has called.
    network(np.zeros((1, *network.input.shape[1:]), np.float32))
    with translated(Exception, lambda error: InputError(f"{target}: cannot be exported ({reason(error)})")), quietly():
        network.export(str(path), format="onnx" if path.suffix == ".onnx" else "openvino", verbose=False)


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Within it, converters neither print what nobody here can act on, nor report their use to their makers."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with backend.quiet(), backend.out_of_sight("openvino_telemetry"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _describe_onnx(path: Path, told: Mapping[str, Any]) -> None:
    """Writes into an ONNX file what it is."""
    import onnx

    model = onnx.load(path)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {exported.KEY: json.dumps(told)})
    # What converters note of themselves, paths among it.
    model.doc_string = model.graph.doc_string = ""
    onnx.save(model, path)


def _describe_openvino(path: Path, told: Mapping[str, Any]) -> None:
    import openvino

    _write_openvino(openvino.Core().read_model(path), path.with_name(f"told{path.suffix}"), told)
    for suffix in (".xml", ".bin"):
        path.with_name(f"told{suffix}").replace(path.with_suffix(suffix))


def _write_openvino(model: Any, path: Path, told: Mapping[str, Any]) -> None:
    """Writes a network of OpenVINO's, with what it is and which weights it was written with."""
    import openvino

    # Without what the converter was told, paths among it.
    model = openvino.Model(model.get_results(), model.get_parameters(), "network")
    openvino.save_model(model, path, compress_to_fp16=False)
    checksum = hashlib.sha256(openvino_files.weights_file(path).read_bytes()).hexdigest()
    model.set_rt_info(json.dumps({**told, openvino_files.WEIGHTS: checksum}), [exported.KEY])
    openvino.save_model(model, path, compress_to_fp16=False)


def _compare(path: Path, ours: Mapping[str, np.ndarray], luminance: np.ndarray, target: Path) -> float:
    """The largest difference of a file's raw outputs from those of Keras, as a part of the largest of them, or of 1.

    Raises:
        InputError: if it is above `exported.LARGEST_DIFFERENCE`, or the file would be refused.
    """
    theirs = open_made(path, target).predict(luminance)
    difference = max(
        float(np.abs(theirs[name] - value).max()) / max(1.0, float(np.abs(value).max())) for name, value in ours.items()
    )
    if not difference <= exported.LARGEST_DIFFERENCE:
        raise InputError(
            f"{target}: not written: its outputs differ from Keras' by {difference:.2g} of their range, more than "
            f"{exported.LARGEST_DIFFERENCE:g}"
        )
    return difference


def open_made(path: Path, target: Path) -> Network:
    """Opens what was made, as whoever is given the file will.

    Raises:
        InputError: if it would be refused.
    """
    try:
        return opening.open_network(path, None, exported.FLOAT32)[0]
    except InputError as error:
        why = str(error).removeprefix(f"{path}: ")
        raise InputError(
            f"{target}: cannot be exported: what Keras' export makes of it would be refused: {why}"
        ) from error


def move(made: Path, target: Path) -> None:
    """Gives what was made its name; of OpenVINO's two files the network comes last, and knows its weights."""
    with files.writing(target):
        if made.suffix == ".xml":
            openvino_files.weights_file(made).replace(openvino_files.weights_file(target))
        made.replace(target)
