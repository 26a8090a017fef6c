"""A trained network and a picture -> a picture; a folder -> a folder."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from historynet import color, images, weights
from historynet.errors import InputError, PictureError
from historynet.pairing import SUFFIX
from historynet.parallel import batched, map_ahead


class Colorizer:
    """Colorizes pictures with a trained generator.

    Args:
        model: a model file, or the generator itself; the file that is shipped if None.
        variant: the variant that the file must be of; any if None.

    Raises:
        InputError: if the file is no generator, or one of another variant.

    Example:
        colorize = Colorizer("MODEL/HistoryNet/my_model_colorizationEpoch7.keras")
        rgb = colorize(gray)
    """

    def __init__(self, model: str | Path | keras.Model | None = None, variant: str | None = None):
        model = weights.SHIPPED if model is None else model
        generator = model if isinstance(model, keras.Model) else weights.load(Path(model), "generator", variant)[0]
        self.image_size = generator.input.shape[1]
        # Only what the colours need: no label head, no parsing output.
        self._colors = keras.Model(generator.input, generator.output["ab"])

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """uint8 RGB (height, width, 3) or gray (height, width), of any size -> uint8 RGB (height, width, 3)."""
        picture = _as_rgb(picture)
        return color.with_chrominance(picture, self.predict_ab(_network_luminance(picture, self.image_size)[None])[0])

    def predict_ab(self, luminance: np.ndarray) -> np.ndarray:
        """L (pictures, image_size, image_size, 1) -> ab (pictures, image_size, image_size, 2), float32 in 0..1."""
        return self._colors.predict_on_batch(luminance)


def _network_luminance(rgb: np.ndarray, size: int) -> np.ndarray:
    return color.network_lab(rgb, size)[..., :1]


def _as_rgb(picture: np.ndarray) -> np.ndarray:
    gray_or_rgb = picture.ndim == 2 or picture.shape[2:] == (3,)
    if picture.dtype != np.uint8 or not gray_or_rgb or not picture.size:
        raise InputError(
            "a picture must be a uint8 array (height, width, 3) or (height, width), "
            f"not {picture.dtype} {picture.shape}"
        )
    return picture if picture.ndim == 3 else np.dstack([picture] * 3)


@dataclass
class Report:
    """What became of the pictures of a run."""

    done: int = 0
    skipped: list[str] = field(default_factory=list)


def list_inputs(inputs: Iterable[Path], result_dir: Path | None = None) -> list[Path]:
    """The pictures that files and folders stand for, each once; folders are not walked.

    Of a folder that is also the results' own, earlier results are left out.

    Raises:
        InputError: if something is not there, or a folder holds no picture.
    """
    paths = {}
    for given in inputs:
        if given.is_dir():
            names = images.list_pictures(given)
            if result_dir and given.resolve() == result_dir.resolve():
                names = [name for name in names if not Path(name).stem.endswith(SUFFIX)]
            paths |= {(given / name).resolve(): given / name for name in names}
        elif given.exists():
            paths.setdefault(given.resolve(), given)
        else:
            raise InputError(f"{given}: no such file or folder")
    return list(paths.values())


def name_results(paths: Sequence[Path], result_dir: Path) -> list[Path]:
    """RESULT_DIR/NAME_reconstructed.jpg for each picture; where two would share a name, it is told apart.

    First by the picture's extension, which stays in the name, then by its folder's name, then by a number.
    """
    count = Counter(path.stem for path in paths)
    results = []
    taken = {path.stem for path in paths if count[path.stem] == 1}
    for path in paths:
        name = path.stem
        if count[name] > 1:
            numbered = (f"{path.parent.name}_{path.name}_{i}" for i in itertools.count(2))
            candidates = itertools.chain((path.name, f"{path.parent.name}_{path.name}"), numbered)
            name = next(candidate for candidate in candidates if candidate not in taken)
            taken.add(name)
        results.append(result_dir / f"{name}{SUFFIX}.jpg")
    return results


def colorize_files(
    colorizer: Colorizer,
    paths: Sequence[Path],
    results: Sequence[Path],
    batch_size: int,
    progress: Callable[[int], object] = lambda count: None,
) -> Report:
    """Colorizes files, one after the other in memory but several at a time in work.

    A file that cannot be read, or whose result no JPEG file can hold, is reported with its reason and left out.

    Args:
        colorizer: with which.
        paths: pictures.
        results: the file to write for each.
        batch_size: pictures that go through the network together.
        progress: called with the number of pictures just finished or skipped.

    Raises:
        InputError: if a result cannot be written.
    """
    report = Report()

    def read(job: tuple[Path, Path]) -> tuple | PictureError:
        path, result = job
        try:
            picture = images.read_rgb(path)
        except PictureError as error:
            return error
        return picture, _network_luminance(picture, colorizer.image_size), result

    def readable() -> Iterator[tuple]:
        for job in map_ahead(read, zip(paths, results, strict=True), ahead=batch_size):
            if isinstance(job, PictureError):
                report.skipped.append(str(job))
                progress(1)
            else:
                yield job

    def predicted() -> Iterator[tuple]:
        for batch in batched(readable(), batch_size):
            chrominance = colorizer.predict_ab(np.stack([luminance for _, luminance, _ in batch]))
            for (picture, _, result), ab in zip(batch, chrominance, strict=True):
                yield picture, ab, result

    def write(job: tuple) -> PictureError | None:
        picture, ab, result = job
        try:
            return images.write_rgb(result, color.with_chrominance(picture, ab))
        except PictureError as error:
            return error

    for refused in map_ahead(write, predicted(), ahead=batch_size):
        if refused:
            report.skipped.append(str(refused))
        else:
            report.done += 1
        progress(1)
    return report
