"""How a system does on test pictures while it trains."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from historynet.colorizing.results import name_results
from historynet.comparing import metrics
from historynet.data import dataset
from historynet.errors import InputError, PictureError
from historynet.parallel import CORES, batched, map_ahead
from historynet.pictures import color, figures, images
from historynet.systems.system import System

GRID_ROWS = 8


@dataclass(frozen=True)
class Evaluation:
    """What one look at the test pictures gave.

    Attributes:
        scores: means over the pictures: "psnr" (dB) and "ssim" of the colorized pictures, "psnr_gray" and "ssim_gray"
            of the gray ones, "colorfulness" of the colorized and "colorfulness_true" of the originals.
        grid: uint8 RGB, a few of the pictures beside their gray and original forms.
    """

    scores: dict[str, float]
    grid: np.ndarray


class Evaluator:
    """Colorizes a fixed sample of a folder's pictures, at full size, and measures the results.

    Args:
        folder: the pictures; parsing pictures are taken from `<folder>_seg` where there are some.
        sample: how many, or "all"; the same ones each time.
        seed: of the choice.
        image_size: side of the network's pictures, pixels.
        batch_size: pictures that go through the network together.

    Raises:
        InputError: if the folder does not exist or holds no pictures.
    """

    def __init__(self, folder: Path, sample: int | str, seed: int, image_size: int, batch_size: int):
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; put the test pictures there or name another with --test-data")
        names = images.list_pictures(folder)
        if sample != "all" and sample < len(names):
            chosen = np.random.default_rng(seed).choice(len(names), sample, replace=False)
            names = [names[i] for i in np.sort(chosen)]
        self.left_out: dict[str, None] = {}
        """Why pictures were left out: messages, each once."""
        parsing_folder = folder.with_name(folder.name + dataset.PARSING_SUFFIX)
        self._pictures = [folder / name for name in names]
        self._parsing = [found and parsing_folder / found for found in dataset.find_parsing(parsing_folder, names)]
        self._image_size = image_size
        self._batch_size = batch_size

    def __len__(self) -> int:
        return len(self._pictures)

    def __call__(self, system: System, out_dir: Path) -> Evaluation:
        """Writes OUT_DIR/NAME_reconstructed.jpg for each picture and measures the pictures as written but for JPEG.

        Pictures that cannot be read are left out, and named in `left_out`. A mean is taken over the pictures that have
        the score: SSIM needs 11 pixels a side, and the PSNR of equal pictures is infinite.

        Raises:
            InputError: if none can be read.
        """
        results = name_results(self._pictures, out_dir)
        rows, scores = [], []
        # Full-size pictures: no more of them at a time than there are hands.
        for row, measured in map_ahead(lambda job: self._finish(*job, results), self._predicted(system), ahead=CORES):
            scores.append(measured)
            if len(rows) < GRID_ROWS:
                rows.append(row)
        if not scores:
            raise InputError(f"{self._pictures[0].parent}: none of the test pictures can be read")
        titles = ["gray", "predicted", "original", "predicted parsing", "true parsing"]
        used = [i for i in range(len(titles)) if any(row[i] is not None for row in rows)]
        grid = figures.grid([[row[i] for i in used] for row in rows], [titles[i] for i in used])
        return Evaluation({name: metrics.finite_mean([score[name] for score in scores]) for name in scores[0]}, grid)

    def _predicted(self, system: System) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray | None]]:
        """(index, picture, ab, parsing if the system predicts it) of each picture that can be read."""
        pictures = enumerate(map_ahead(self._read, self._pictures, ahead=self._batch_size))
        for batch in batched(((i, rgb) for i, rgb in pictures if rgb is not None), self._batch_size):
            luminance = np.stack([color.network_lab(rgb, (self._image_size,) * 2)[..., :1] for _, rgb in batch])
            outputs = {name: np.asarray(value) for name, value in system.predict(luminance).items()}
            for i, (index, rgb) in enumerate(batch):
                yield index, rgb, outputs["ab"][i], outputs["parsing"][i] if "parsing" in outputs else None

    def _finish(
        self, index: int, rgb: np.ndarray, ab: np.ndarray, parsing: np.ndarray | None, results: Sequence[Path]
    ) -> tuple[list[np.ndarray | None], dict[str, float]]:
        """Writes one result; its row of the grid, and its scores."""
        colorized = color.with_chrominance(rgb, ab)
        gray = color.to_gray(rgb)
        images.write_rgb(results[index], colorized)
        scores = {
            "psnr": metrics.psnr(rgb, colorized),
            "ssim": metrics.ssim(rgb, colorized),
            "psnr_gray": metrics.psnr(rgb, gray),
            "ssim_gray": metrics.ssim(rgb, gray),
            "colorfulness": metrics.colorfulness(colorized),
            "colorfulness_true": metrics.colorfulness(rgb),
        }
        if parsing is not None:
            parsing = color.resize(np.dstack([(parsing * 255).astype(np.uint8)] * 3), *rgb.shape[:2])
        row = [gray, colorized, rgb, parsing, self._read(self._parsing[index])]
        return [picture if picture is None else figures.scale(picture) for picture in row], scores

    def _read(self, path: Path | None) -> np.ndarray | None:
        """The picture; None if there is none, or one that cannot be read, which is no reason to stop a training."""
        try:
            return path and images.read_rgb(path)
        except PictureError as error:
            self.left_out[str(error)] = None
            return None
