"""What `python -m historynet.weights export` does."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from historynet import backend
from historynet.commands.running import one_line
from historynet.errors import InputError, PictureError
from historynet.runtimes import exporting, is_exported

if TYPE_CHECKING:
    from historynet.colorizing.colorizer import Colorizer

LARGEST_FALL = 0.1
"""dB of PSNR that int8 may cost."""

LARGEST_CHANGE = 0.02
"""Of the colourfulness, by int8."""

_FEWEST, _CALIBRATING, _MEASURED = 20, 64, 128
"""Pictures that --int8 needs; so many of them at most give the ranges, and so many of the others are measured."""


class Quality(NamedTuple):
    """How well a network colorizes pictures, whose colours are known: means.

    Attributes:
        psnr: dB.
        colorfulness: of the results.
    """

    psnr: float
    colorfulness: float


def export(model: str, target: Path, engine: str, pictures: Path | None = None) -> None:
    """Writes a network for another run-time, and prints by how much its outputs differ.

    Args:
        model: a model file, or "shipped".
        target: the new file.
        engine: of `--backend`.
        pictures: a folder of pictures in colour; the new network computes in int8. None: in float32.

    Raises:
        InputError: if it cannot be exported, or differs; in int8, if that costs more than LARGEST_FALL, LARGEST_CHANGE.
    """
    if engine not in (backend.DEFAULT, "tensorflow"):
        raise InputError(f"--backend {engine}: exporting takes TensorFlow's graph; leave the option out")
    exporting.check_target(target, pictures is not None)
    if is_exported(model):
        raise InputError(f"{model}: exported already; exporting starts from a file of Keras")
    paths = _choose_pictures(pictures) if pictures else []
    backend.start("cpu", engine="tensorflow")
    from historynet.colorizing.choosing import find_model
    from historynet.systems import loading

    path = find_model(model, Path(), None, "MODEL")
    _say(f"reading {path}")
    network, found = loading.load_colorizing(path)
    if pictures is None:
        _say("exporting as Keras does, and comparing with Keras")
        lines = [_of_difference(exporting.export(network, found, target))]
    else:
        lines = _export_quantised(path, target, paths)
    print(f"{target}: {found.registration.program(found.architecture)} {found.network}, from {path}")
    print("\n".join(lines))


def _say(stage: str) -> None:
    """What takes minutes is told before it begins."""
    print(one_line(stage), flush=True)


def _of_difference(difference: float) -> str:
    return f"largest difference from Keras: {difference:.2g} of the outputs' range"


def _export_quantised(path: Path, target: Path, pictures: Sequence[Path]) -> list[str]:
    """Writes the network in int8 if it is as good; what there is to say of it.

    Raises:
        InputError: if it is not.
    """
    from historynet.colorizing.colorizer import Colorizer
    from historynet.pictures import color, images
    from historynet.systems import loading

    network, found = loading.load_colorizing(path)
    ours = Colorizer(path)
    luminance = [color.network_lab(images.read_rgb(one), ours.size)[..., :1] for one in pictures[::2][:_CALIBRATING]]
    measured = pictures[1::2][:_MEASURED]
    _say(f"measuring float32 on {len(measured)} pictures")
    before = measure(ours, measured)
    _say(f"exporting as Keras does, then in int8: the ranges on {len(luminance)} pictures, each layer alone, all")
    with exporting.export_quantised(network, found, target, luminance) as made:
        _say(f"measuring int8 on {len(measured)} pictures")
        after = measure(Colorizer(made.path), measured)
        change = after.colorfulness / before.colorfulness - 1 if before.colorfulness else np.inf
        figures = (
            f"int8 against float32 on {len(measured)} pictures: PSNR {after.psnr:.2f} dB "
            f"({after.psnr - before.psnr:+.3f}), colourfulness {after.colorfulness:.1f} ({change:+.1%})"
        )
        if not (before.psnr - after.psnr <= LARGEST_FALL and abs(change) <= LARGEST_CHANGE):
            raise InputError(
                f"{target}: not written: {figures}; at most -{LARGEST_FALL} dB and {LARGEST_CHANGE:.0%} are allowed"
            )
        exporting.move(made.path, target)
    kept = ", ".join(made.kept) or "none"
    return [figures, f"layers that stay in float32: {kept}"]


def measure(colorizer: "Colorizer", pictures: Sequence[Path]) -> Quality:
    """Colorizes the gray versions of pictures in colour, and compares; each is read twice, so that few are in memory.

    Raises:
        InputError: if one cannot be read.
    """
    import cv2

    from historynet.comparing import metrics
    from historynet.pictures import images

    results = colorizer.many(cv2.cvtColor(images.read_rgb(path), cv2.COLOR_RGB2GRAY) for path in pictures)
    scores = [
        (metrics.psnr(images.read_rgb(path), result), metrics.colorfulness(result))
        for path, result in zip(pictures, results, strict=True)
    ]
    return Quality(*map(float, np.mean(scores, axis=0)))


def _choose_pictures(folder: Path) -> list[Path]:
    """As many of a folder's pictures in colour as are needed, from all over it, in order; says which are damaged.

    Raises:
        InputError: if there are too few.
    """
    from historynet.pictures import images, toning

    paths = [folder / name for name in images.list_pictures(folder)]
    wanted = min(len(paths), _CALIBRATING + _MEASURED)
    spread = [paths[i * len(paths) // wanted] for i in range(wanted)]
    chosen: list[Path] = []
    # The others in the place of those that will not do.
    for path in dict.fromkeys((*spread, *paths)):
        if len(chosen) == wanted:
            break
        try:
            _, kind = toning.look(images.read_rgb(path))
        except PictureError as error:
            print(one_line(f"skipped: {error}"), file=sys.stderr)
            continue
        if kind == toning.COLORED:
            chosen.append(path)
    if len(chosen) < _FEWEST:
        raise InputError(f"{folder}: {len(chosen)} of its {len(paths)} pictures are in colour; --int8 needs {_FEWEST}")
    return sorted(chosen)
