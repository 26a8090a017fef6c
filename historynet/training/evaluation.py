"""How a system that colorizes does on test pictures while it trains."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from historynet.colorizing.results import name_results
from historynet.comparing import metrics
from historynet.data.samples import OpenReader, Reader
from historynet.errors import InputError, PictureError
from historynet.parallel import CORES, batched, map_ahead
from historynet.pictures import color, figures, images
from historynet.settings import Settings
from historynet.systems.system import ColorizingSystem, Evaluation

GRID_ROWS = 8


class ColorizedPictures:
    """Colorizes a fixed sample of a folder's pictures, at full size, and measures the results.

    Scores are means over the pictures: "psnr" (dB) and "ssim" of the colorized pictures, "psnr_gray" and "ssim_gray" of
    the gray ones, "colorfulness" of the colorized and "colorfulness_true" of the originals. The picture is a grid of
    some of them beside their gray and original forms; another field of a batch that the network predicts as a picture
    stands there beside the file that the field is read from.

    Args:
        settings: of the run: TEST_DATA, how many of its pictures (the same ones each time), the networks' size.
        fields: of a batch, and who reads them.

    Raises:
        InputError: if the folder does not exist or holds no pictures.
    """

    def __init__(self, settings: Settings, fields: Mapping[str, OpenReader]):
        folder, sample = settings.test_data, settings.num_test_images
        names = images.list_pictures(folder)
        if sample != "all" and sample < len(names):
            drawn = np.random.default_rng(settings.seed).choice(len(names), sample, replace=False)
            names = [names[i] for i in np.sort(drawn)]
        self.left_out: dict[str, None] = {}
        """Why pictures were left out: messages, each once."""
        self._pictures = [folder / name for name in names]
        self._settings = settings
        self._fields, self._folder = fields, folder
        self._readers: dict[str, Reader] = {}

    def __len__(self) -> int:
        return len(self._pictures)

    def __call__(self, system: ColorizingSystem, out_dir: Path) -> Evaluation:
        """Writes OUT_DIR/NAME_reconstructed.jpg for each picture and measures the pictures as written but for JPEG.

        Pictures that cannot be read, or whose result cannot be written as a JPEG file, are left out, and named in
        `left_out`. A mean is taken over the pictures that have the score: SSIM needs 11 pixels a side, and the PSNR of
        equal pictures is infinite.

        Args:
            system: whose networks colorize.
            out_dir: the folder.

        Raises:
            InputError: if none can be evaluated, or the folder cannot be written to.
        """
        results = name_results(self._pictures, out_dir)
        rows, scores = [], []
        # Full-size pictures: no more of them at a time than there are hands.
        for row, measured in map_ahead(lambda job: self._finish(*job, results), self._predicted(system), ahead=CORES):
            if measured is not None:
                scores.append(measured)
                if len(rows) < GRID_ROWS:
                    rows.append(row)
        if not scores:
            raise InputError(f"{self._folder}: none of the test pictures can be evaluated; {next(iter(self.left_out))}")
        titles = list(dict.fromkeys(title for row in rows for title in row))
        grid = figures.grid([[row.get(title) for title in titles] for row in rows], titles)
        means = {name: metrics.finite_mean([score[name] for score in scores]) for name in scores[0]}
        return Evaluation(means, grid)

    def _predicted(
        self, system: ColorizingSystem
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray, Mapping[str, np.ndarray]]]:
        """(index, picture, ab, all raw outputs) of each picture that can be read."""
        size, batch_size = self._settings.size, self._settings.batch_size
        pictures = enumerate(map_ahead(self._read, self._pictures, ahead=batch_size))
        for batch in batched(((i, rgb) for i, rgb in pictures if rgb is not None), batch_size):
            luminance = np.stack([color.network_lab(rgb, size)[..., :1] for _, rgb in batch])
            outputs = {name: np.asarray(value) for name, value in system.predict(luminance).items()}
            ab = system.decode(outputs, self._settings.decoding)
            for i, (index, rgb) in enumerate(batch):
                yield index, rgb, ab[i], {name: value[i] for name, value in outputs.items()}

    def _finish(
        self,
        index: int,
        rgb: np.ndarray,
        ab: np.ndarray,
        outputs: Mapping[str, np.ndarray],
        results: Sequence[Path],
    ) -> tuple[dict[str, np.ndarray], dict[str, float] | None]:
        """Writes one result; its row of the grid by column title, and its scores, None if it is left out."""
        colorized = color.with_chrominance(rgb, ab)
        gray = color.to_gray(rgb)
        try:
            images.write_rgb(results[index], colorized)
        except PictureError as error:
            # Too large for a JPEG file: no reason to stop a training, at each start anew.
            self.left_out[str(error)] = None
            return {}, None
        scores = {
            "psnr": metrics.psnr(rgb, colorized),
            "ssim": metrics.ssim(rgb, colorized),
            "psnr_gray": metrics.psnr(rgb, gray),
            "ssim_gray": metrics.ssim(rgb, gray),
            "colorfulness": metrics.colorfulness(colorized),
            "colorfulness_true": metrics.colorfulness(rgb),
        }
        row = {"gray": gray, "predicted": colorized, "original": rgb}
        for name, output in outputs.items():
            if name in self._fields and name not in ("L", "ab") and output.shape[2:] == (1,):
                predicted = color.resize(np.dstack([(output * 255).astype(np.uint8)] * 3), *rgb.shape[:2])
                row |= {f"predicted {name}": predicted, f"true {name}": self._drawn(name, index)}
        return {title: figures.scale(picture) for title, picture in row.items() if picture is not None}, scores

    def _drawn(self, field: str, index: int) -> np.ndarray | None:
        """The picture that a field of a test picture is drawn in, if there is one."""
        if field not in self._readers:
            names = [path.name for path in self._pictures]
            self._readers[field] = self._fields[field](self._settings, self._folder, names, False)
        return self._read(self._readers[field].picture(index))

    def _read(self, path: Path | None) -> np.ndarray | None:
        """The picture; None if there is none, or one that cannot be read, which is no reason to stop a training."""
        try:
            return path and images.read_rgb(path)
        except PictureError as error:
            self.left_out[str(error)] = None
            return None
