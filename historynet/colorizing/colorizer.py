"""A trained network and a picture -> a picture; a folder -> a folder."""

import contextlib
import hashlib
import itertools
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from historynet import settings
from historynet.colorizing.options import Options
from historynet.comparing.pairing import SUFFIX
from historynet.errors import InputError, PictureError
from historynet.parallel import batched, map_ahead
from historynet.pictures import color, figures, formats, images
from historynet.systems import loading as weights

COMPARISON_SUFFIX = "_comparison"
PREVIEW_SUFFIX = "_preview"
"""Of the first seconds of films."""

_LONGEST_NAME = 255
_COMPARISON_HEIGHT = 1024
_PICTURES_AT_ONCE = 8
"""So many go through the network: 16 take 0.2 GB more memory."""

_MEGAPIXELS_AT_ONCE = 24
"""About as many are read ahead, in the network's batch, and being written; a larger picture goes alone."""


class Colorizer:
    """Colorizes pictures with a trained generator.

    Args:
        model: a model file, the name of one in MODEL/HistoryNet with or without its extension, or the generator itself;
            by default the one of the paper's last epoch there, or else the one that is shipped.
        variant: the variant that the file must be of; any if None.
        precision: one of `settings.PRECISIONS`; the numbers that the network computes with, if it is read from a file.

    Raises:
        InputError: if the file is no generator, or one of another variant.

    Example:
        colorize = Colorizer("MODEL/HistoryNet/my_model_colorizationEpoch7.keras")
        rgb = colorize(gray)
    """

    def __init__(
        self,
        model: str | Path | keras.Model = settings.DEFAULT,
        variant: str | None = None,
        precision: str = "float32",
    ):
        if not isinstance(model, keras.Model):
            path = weights.find_model(str(model), Path("MODEL/HistoryNet"), "HistoryNet")
            # A variance can be larger than float16 holds.
            with _dtype_policy("mixed_float16" if precision == "float16" else precision):
                # Only what the colours need: no label head, no parsing output.
                model = weights.load(path, "generator", variant, wanted=("ab",))[0]
        self.size: tuple[int, int] = tuple(model.input.shape[1:3])
        self._colors = keras.Model(model.input, model.output["ab"])

    def digest(self) -> str:
        """SHA-256 of the network's weights and of what it computes with; takes about a second for a full one."""
        digest = hashlib.sha256()
        for layer in self._colors.layers:
            digest.update(f"{layer.name} {layer.compute_dtype}".encode())
            for weight in layer.weights:
                digest.update(np.ascontiguousarray(weight))
        return digest.hexdigest()

    def __call__(self, picture: np.ndarray, strength: float = 1.0, upsampling: str = color.BILINEAR) -> np.ndarray:
        """uint8 RGB (height, width, 3) or gray (height, width), of any size -> uint8 RGB (height, width, 3).

        Args:
            picture: the picture.
            strength: factor on the predicted chrominance: 0 is gray, 1 as predicted.
            upsampling: one of `color.UPSAMPLINGS`.
        """
        picture = _as_rgb(picture)
        ab = self.predict_ab(color.network_lab(picture, self.size)[None, ..., :1])[0]
        return color.with_chrominance(picture, ab, strength, upsampling)

    def predict_ab(self, luminance: np.ndarray) -> np.ndarray:
        """L (pictures, height, width, 1) -> ab (pictures, height, width, 2), float32 in 0..1."""
        parts = range(0, len(luminance), _PICTURES_AT_ONCE)
        return np.concatenate([self._colors.predict_on_batch(luminance[i : i + _PICTURES_AT_ONCE]) for i in parts])


@contextlib.contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


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
    """What became of the pictures of a run.

    Attributes:
        done: how many were colorized; each page of a document counts.
        skipped: why pictures were not: messages that name the file.
        colored: how many were left alone because they have colour.
        existing: how many were passed over because their results are there.
        notes: what else there is to say -> the files it is said of.
    """

    done: int = 0
    skipped: list[str] = field(default_factory=list)
    colored: int = 0
    existing: int = 0
    notes: dict[str, list[Path]] = field(default_factory=dict)


def provenance(model: Path, version: str) -> str:
    """The line that says what a picture was colorized with; reads the whole model file."""
    with model.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"colourised by HistoryNet {version} with {model.name} (SHA-256 {digest[:16]})"


def list_inputs(
    inputs: Iterable[Path],
    result_dir: Path | None = None,
    recursive: bool = False,
    extensions: Collection[str] = formats.EXTENSIONS,
) -> list[Path]:
    """The pictures (of a folder: the files with these extensions) that files and folders stand for, each once.

    Earlier results are left out of a folder that is also the results' own; a folder of results below the inputs is not
    walked. Links to folders are not followed.

    Raises:
        InputError: if something is not there, or a folder holds no picture.
    """
    results = result_dir and os.path.realpath(result_dir)
    paths = {}
    for given in inputs:
        if given.is_dir():
            found = list((_walk if recursive else _pictures)(given, results, extensions))
            if not found:
                raise InputError(f"{given}: no pictures in this folder or below it")
            # Not Path.resolve, which fails on a loop of links.
            paths |= {os.path.realpath(path): path for path in found}
        elif os.path.lexists(given):
            paths.setdefault(os.path.realpath(given), given)
        else:
            raise InputError(f"{given}: no such file or folder")
    return list(paths.values())


def _pictures(folder: Path, results: str | None, extensions: Collection[str], or_none: bool = False) -> Iterator[Path]:
    for name in images.list_pictures(folder, or_none, extensions):
        made = Path(name).stem.endswith((SUFFIX, COMPARISON_SUFFIX, PREVIEW_SUFFIX))
        if not (made and os.path.realpath(folder) == results):
            yield folder / name


def _walk(root: Path, results: str | None, extensions: Collection[str]) -> Iterator[Path]:
    # A folder that cannot be read is yielded itself: reading it as a picture says why.
    failed = []
    for folder, folders, _ in os.walk(root, onerror=lambda error: failed.append(Path(error.filename))):
        below = os.path.realpath(root) != results
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and not (below and os.path.realpath(Path(folder) / name) == results)
        )
        with contextlib.suppress(InputError):
            found = _pictures(Path(folder), results, extensions, or_none=True)
            yield from (path for path in found if path.name not in folders)
    yield from failed


def name_results(
    paths: Sequence[Path],
    result_dir: Path,
    roots: Sequence[Path] = (),
    format: str = "jpg",
    same: Callable[[Path], str] = formats.same_format,
    end: str = SUFFIX,
) -> list[Path]:
    """RESULT_DIR/NAME_reconstructed.jpg for each picture; where two would share a name, it is told apart.

    First by the picture's extension, which stays in the name, then by its folder's name, then by a number. Names that
    differ in case alone are told apart, too: not every file system does.

    Args:
        paths: the pictures.
        result_dir: where results go.
        roots: folders whose tree is mirrored below `result_dir`.
        format: extension of the results without its dot, or "same".
        same: which extension "same" stands for, by the input's name.
        end: of the results' names.
    """
    folders = [_mirrored(path, roots) for path in paths]
    count = Counter((folder, path.stem.casefold()) for folder, path in zip(folders, paths, strict=True))
    taken = {key for key, number in count.items() if number == 1}
    results = []
    for folder, path in zip(folders, paths, strict=True):
        name = path.stem
        if count[folder, name.casefold()] > 1:
            name = next(name for name in _names(path) if (folder, name.casefold()) not in taken)
            taken.add((folder, name.casefold()))
        suffix = same(path) if format == "same" else f".{format}"
        results.append(result_dir / folder / fitting_name(name, end + suffix))
    return results


def _mirrored(path: Path, roots: Sequence[Path]) -> Path:
    return next((path.parent.relative_to(root) for root in roots if path.is_relative_to(root)), Path())


def _names(path: Path) -> Iterator[str]:
    yield path.name
    yield f"{path.parent.name}_{path.name}"
    for number in itertools.count(2):
        yield f"{path.parent.name}_{path.name}_{number}"


def fitting_name(name: str, end: str) -> str:
    """A file's name with another end; cut where a file system would refuse it, and then told apart by a digest."""
    room = _LONGEST_NAME - len(end)
    encoded = os.fsencode(name)
    if len(encoded) > room:
        digest = hashlib.sha256(encoded).hexdigest()[:8]
        name = f"{encoded[: room - len(digest) - 1].decode(errors='ignore')}~{digest}"
    return name + end


def check_results(paths: Sequence[Path], results: Sequence[Path], existing: str) -> None:
    """Sees that no input is written over, and no earlier result unless that is wanted.

    Raises:
        InputError: naming the first.
    """
    inputs = set(map(os.path.realpath, paths))
    for result in results:
        if os.path.realpath(result) in inputs:
            raise InputError(f"{result}: is one of the pictures, and would be a result; name another --result-dir")
    there = [result for result in results if os.path.lexists(result)] if existing == "refuse" else []
    if there:
        raise InputError(
            f"{there[0]}: is there already ({len(there)} of {len(results)} results are); --skip-existing leaves such "
            "pictures out, --overwrite makes them again"
        )


@dataclass
class _Job:
    """One picture of a file on its way."""

    path: Path
    result: Path
    page: int
    last: bool
    megapixels: float
    picture: formats.Picture | None = None
    luminance: np.ndarray | None = None
    colored: bool = False
    error: PictureError | None = None


def colorize_files(
    colorizer: Colorizer,
    paths: Sequence[Path],
    results: Sequence[Path],
    batch_size: int,
    progress: Callable[[int], object] = lambda count: None,
    options: Options | None = None,
) -> Report:
    """Colorizes files, in order, with bounded memory: reading and writing run beside the network.

    A file that cannot be read, or whose result no file of its format can hold, is reported with its reason and left
    out.

    Args:
        colorizer: with which.
        paths: pictures.
        results: the file to write for each; the pages of a document become NAME_p001_reconstructed.jpg and so on.
        batch_size: pictures that go through the network together.
        progress: called with the number of files just finished or skipped.
        options: how.

    Raises:
        InputError: if a result cannot be written.
    """
    options = options or Options()
    report = Report()
    planned = {str(result).casefold() for result in results}

    def cost(job: _Job) -> float:
        return max(1, batch_size * job.megapixels / _MEGAPIXELS_AT_ONCE)

    def open_file(files: tuple[Path, Path]) -> list[_Job]:
        path, result = files
        if options.existing == "skip" and result.exists():
            return []
        try:
            header = formats.read_header(path, options.max_megapixels)
        except PictureError as error:
            return [_Job(path, result, 0, True, 0, error=error)]
        targets = [result] if header.pages == 1 else [_page(path, result, i, planned) for i in range(header.pages)]
        return [_Job(path, target, i, i == header.pages - 1, header.megapixels) for i, target in enumerate(targets)]

    def jobs() -> Iterator[_Job]:
        for opened in map_ahead(open_file, zip(paths, results, strict=True), ahead=batch_size):
            if not opened:
                report.existing += 1
                progress(1)
            yield from opened

    def read(job: _Job) -> _Job:
        with _keeping_error(job):
            if job.error or (options.existing != "overwrite" and job.result.exists()):
                return job
            deep = job.result.suffix in (".png", ".tif")
            job.picture = formats.read(job.path, job.page, deep, options.max_megapixels)
            lab = color.network_lab(job.picture.rgb, colorizer.size)
            job.colored = options.keep_colored and color.tint(lab) > color.COLORED
            job.luminance = lab[..., :1]
        return job

    def readable() -> Iterator[_Job]:
        for job in map_ahead(read, jobs(), ahead=batch_size, cost=cost):
            if job.luminance is None or job.colored:
                job.picture = None
                finish(job)
            else:
                yield job

    def predicted() -> Iterator[tuple[_Job, np.ndarray]]:
        for batch in batched(readable(), batch_size, cost):
            yield from zip(batch, colorizer.predict_ab(np.stack([job.luminance for job in batch])), strict=True)

    def write(job_and_ab: tuple[_Job, np.ndarray]) -> _Job:
        job, ab = job_and_ab
        with _keeping_error(job):
            _write(job.picture, ab, job.result, options)
        # The notes stay; the pixels have done their work.
        job.picture.rgb = job.picture.alpha = None
        return job

    def finish(job: _Job) -> None:
        if job.error:
            report.skipped.append(str(job.error))
        elif job.colored:
            report.colored += 1
        elif job.luminance is None and options.existing == "skip":
            report.existing += 1
        elif job.luminance is None:
            report.skipped.append(f"{job.path}: {job.result} is there already (--overwrite, --skip-existing)")
        else:
            report.done += 1
        for note in job.picture.notes if job.picture and not job.error else ():
            report.notes.setdefault(note, []).append(job.path)
        if job.last:
            progress(1)

    for job in map_ahead(write, predicted(), ahead=batch_size, cost=lambda job_and_ab: cost(job_and_ab[0])):
        finish(job)
    return report


@contextlib.contextmanager
def _keeping_error(job: _Job) -> Iterator[None]:
    try:
        yield
    except PictureError as error:
        job.error = error
    except MemoryError:
        job.error = PictureError(f"{job.path}: there is not enough memory for it")


def _page(path: Path, result: Path, page: int, planned: set[str]) -> Path:
    """The result's name with a page's number, but no other picture's result."""
    end = f"_p{page + 1:03}{SUFFIX}{result.suffix}"
    stem = result.stem.removesuffix(SUFFIX)
    names = (fitting_name(name, end) for name in itertools.chain([stem], _names(path)))
    return next(result.with_name(name) for name in names if str(result.with_name(name)).casefold() not in planned)


def _write(picture: formats.Picture, ab: np.ndarray, result: Path, options: Options) -> None:
    rgb = picture.rgb
    before = figures.scale(color.to_8_bit(rgb), min(len(rgb), _COMPARISON_HEIGHT)) if options.compare else None
    if color.chroma(ab) < color.NEARLY_GRAY:
        picture.notes.append("the predicted colours are nearly gray: an untrained network, or the wrong one?")
    picture.rgb = color.with_chrominance(rgb, ab, options.strength, options.upsampling, out=rgb)
    if options.provenance:
        formats.add_provenance(picture, options.provenance)
    formats.write(result, picture, options.quality)
    if options.compare:
        after = figures.scale(color.to_8_bit(picture.rgb), len(before))
        name = fitting_name(result.stem.removesuffix(SUFFIX), f"{COMPARISON_SUFFIX}.jpg")
        pair = figures.grid([[before, after]], ["original", "colorized"], len(before))
        images.write_rgb(result.with_name(name), pair)
