"""Measures colorizing: `python -m benchmarks.colorizing [--pictures FOLDER] [--pretrained FILE]`.

The rate of a folder of 200 photographs of about 550x820 (made of scikit-image's pictures, unless --pictures names
others) is compared with the rate of the bare network, the same graph and batches on arrays in memory, in turns in one
process for each precision. Then the command as users run it: time, time to the first result, peak memory; the same for
a few pictures of 12 megapixels; where a picture's time goes beside the network.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks import measuring
from benchmarks.measuring import core_milliseconds, run_process, seconds
from historynet import backend, errors
from historynet.commands import running
from historynet.pictures import color, formats, images
from historynet.settings import PRECISIONS

SCRIPT = "SOURCE_HistoryNet/colorization.py"
_IMPORT = "from historynet import backend; backend.choose(); import keras, historynet.colorizing.colorizer"
PICTURES, SIZE = 200, (820, 550)
LARGE_PICTURES, LARGE_SIZE = 6, (4000, 3000)
BATCH_SIZE = 16
"""The command's."""


def make_pictures(folder: Path, count: int, size: tuple[int, int]) -> None:
    """JPEG files of about a size (height, width), each of another part of a photograph and with noise of its own."""
    import skimage.data

    sources = [getattr(skimage.data, name)() for name in ("astronaut", "coffee", "chelsea", "rocket")]
    rng = np.random.default_rng(0)
    folder.mkdir()
    for i in range(count):
        source = sources[i % len(sources)]
        height, width = (np.array(size) * rng.uniform(0.95, 1.05)).astype(int)
        top, left = rng.integers(0, 40, 2)
        picture = cv2.resize(source[top:, left:], (width, height), interpolation=cv2.INTER_CUBIC)
        noise = rng.integers(-6, 7, picture.shape, np.int16)
        images.write_rgb(folder / f"{i:03}.jpg", np.clip(picture + noise, 0, 255).astype(np.uint8))


def make_network(path: Path, width: float) -> None:
    """A HistoryNet with random weights."""
    backend.start("cpu", seed=0)
    from historynet.systems import loading
    from historynet.systems.historynet.generator import build_generator
    from historynet.systems.historynet.variants import Architecture

    architecture = Architecture(width=width)
    loading.save(build_generator(architecture), "HistoryNet", architecture, path)


def make_worker(kind: str, **case: Any) -> Callable[[], dict[str, float]]:
    """What measures a case once, in a process of its own."""
    return {"network": _network, "rates": _rates, "stages": _stages}[kind](**case)


def _network(path: str, width: float) -> Callable[[], dict[str, float]]:
    make_network(Path(path), width)
    return dict


def _rates(folder: str, network: str, precision: str) -> Callable[[], dict[str, float]]:
    backend.start("cpu")
    from historynet.colorizing.colorizer import Colorizer
    from historynet.colorizing.folder import colorize_files
    from historynet.colorizing.inputs import list_inputs
    from historynet.colorizing.results import name_results

    colorizer = Colorizer(network, precision=precision)
    paths = list_inputs([Path(folder)])
    luminance = np.random.default_rng(0).random((BATCH_SIZE, *colorizer.size, 1), np.float32)

    def bare() -> None:
        for start in range(0, len(paths), BATCH_SIZE):
            colorizer.predict_ab(luminance[: len(paths) - start])

    def measure() -> dict[str, float]:
        before = seconds(bare)
        with tempfile.TemporaryDirectory() as results:
            files = seconds(lambda: colorize_files(colorizer, paths, name_results(paths, Path(results)), BATCH_SIZE))
        network_alone = (before + seconds(bare)) / 2
        return {
            "network_pictures_per_second": len(paths) / network_alone,
            "files_pictures_per_second": len(paths) / files,
            "fraction_of_network": network_alone / files,
        }

    return measure


def _stages(folder: str) -> Callable[[], dict[str, float]]:
    """Milliseconds of a core for a picture, stage by stage."""
    paths = sorted(Path(folder).iterdir())[:16]
    pictures = [formats.read(path) for path in paths]
    ab = cv2.resize(np.random.default_rng(0).random((8, 8, 2), np.float32), (224, 224))
    colored = [formats.Picture(color.with_chrominance(picture.rgb, ab), exif=picture.exif) for picture in pictures]

    def each(function: Callable[[int], object]) -> float:
        return core_milliseconds(lambda: [function(i) for i in range(len(paths))], 1) / len(paths)

    def measure() -> dict[str, float]:
        with tempfile.TemporaryDirectory() as results:
            return {
                "header": each(lambda i: formats.read_header(paths[i])),
                "read": each(lambda i: formats.read(paths[i])),
                "network's L": each(lambda i: color.network_lab(pictures[i].rgb, ab.shape[:2])),
                "chrominance": each(lambda i: color.with_chrominance(pictures[i].rgb, ab, out=colored[i].rgb)),
                "write": each(lambda i: formats.write(Path(results) / f"{i}.jpg", colored[i])),
            }

    return measure


def _command(folder: Path, network: Path, precision: str) -> dict[str, float]:
    """The command as users run it."""
    with tempfile.TemporaryDirectory() as results:
        options = ["--pretrained", str(network), "--precision", precision, "--result-dir", results]
        figures = run_process([SCRIPT, *options, str(folder)], watched=Path(results))
    return figures | {"pictures": len(list(folder.iterdir()))}


def _measure(arguments: argparse.Namespace, folders: dict[str, Path], network: Path) -> dict[str, Any]:
    module = "benchmarks.colorizing"
    figures = {
        "start": {
            "help_seconds": run_process([SCRIPT, "--help"])["seconds"],
            "import_seconds": run_process(["-c", _IMPORT])["seconds"],
        }
    }
    for name, folder in folders.items():
        cases = {
            precision: {"kind": "rates", "folder": str(folder), "network": str(network), "precision": precision}
            for precision in arguments.precisions
        }
        turns = measuring.in_turns(module, cases, arguments.repeats)
        stages = measuring.in_turns(module, {"stages": {"kind": "stages", "folder": str(folder)}}, arguments.repeats)
        milliseconds = measuring.medians(stages["stages"])
        del milliseconds["peak_memory"]
        figures[name] = {"core_milliseconds_beside_the_network": milliseconds | {"in_all": sum(milliseconds.values())}}
        for precision in cases:
            figures[name][precision] = measuring.medians(turns[precision]) | {
                "command": _command(folder, network, precision),
                "turns": turns[precision],
            }
    return figures


def main(argv: Sequence[str]) -> int:
    """Prints the figures and saves them as JSON; the exit code."""
    if measuring.serve(make_worker):
        return errors.DONE
    parser = measuring.parser(__doc__, "colorizing")
    parser.add_argument("--pictures", type=Path, help="folder of photographs, which are made if there is none")
    parser.add_argument("--pretrained", type=Path, help="model file (default: full size, random weights)")
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=["float32", "bfloat16"])
    parser.add_argument("--width", type=float, default=1.0)
    arguments = parser.parse_args(argv)
    pictures, large = PICTURES, LARGE_PICTURES
    if arguments.quick:
        arguments.width, arguments.repeats, pictures, large = 0.0625, 1, 20, 1
    with tempfile.TemporaryDirectory() as temporary:
        folders = {"photographs": arguments.pictures or Path(temporary) / "photographs"}
        folders["12 megapixels"] = Path(temporary) / "large"
        if not arguments.pictures:
            make_pictures(folders["photographs"], pictures, SIZE)
        make_pictures(folders["12 megapixels"], large, LARGE_SIZE)
        network = arguments.pretrained or Path(temporary) / "network.keras"
        if not arguments.pretrained:
            case = {"kind": "network", "path": str(network), "width": arguments.width}
            with measuring.Worker("benchmarks.colorizing", case) as worker:
                worker.turn()
        measuring.save(arguments.json, arguments, _measure(arguments, folders, network.resolve()))
    return errors.DONE


if __name__ == "__main__":
    running.run(main)
