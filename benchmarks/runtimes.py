"""Measures colorizing on TensorFlow, JAX, onnxruntime and OpenVINO: `python -m benchmarks.runtimes MODEL PICTURES`.

One table of one run: what has to be installed (the sizes of the packages' files), start-up (a process that imports the
library, opens the model and colorizes one picture), pictures a second of the network alone and of a folder, peak
memory, and how well the colours of the pictures are met. In turns, on the CPU. The exported files are named with
--exported; without it those in float32 are made.
"""

import argparse
import importlib.metadata
import os
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks import measuring
from benchmarks.measuring import ROOT, run_process, seconds
from historynet import errors
from historynet.commands import running
from historynet.errors import InputError
from historynet.runtimes import RUNTIMES

PRECISIONS = ("float32", "bfloat16", "int8")
BATCH_SIZE = 16
"""The command's."""

EXTRAS = {"TensorFlow": "tensorflow", "JAX": "jax", "onnxruntime": "onnx", "OpenVINO": "openvino"}

NONE = {
    ("TensorFlow", "int8"): "Keras quantises no convolutions",
    ("JAX", "int8"): "Keras quantises no convolutions",
    ("onnxruntime", "bfloat16"): "onnxruntime has no convolution in bfloat16 for processors",
    ("OpenVINO", "bfloat16"): "this processor has none",
}
"""Why there is no figure."""

_START = "import sys; from historynet import Colorizer; Colorizer(sys.argv[1], precision=sys.argv[2])(sys.argv[3])"

COLUMNS = {
    "installed_MB": "installed, MB",
    "start_seconds": "start-up, s",
    "network_pictures_per_second": "network, pictures/s",
    "folder_pictures_per_second": "folder, pictures/s",
    "peak_MB": "peak memory, MB",
    "psnr": "PSNR, dB",
    "colorfulness": "colourfulness",
}


def installed_bytes(extra: str) -> int:
    """The size of all packages' files that the project needs with one of its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    waiting = [Requirement(text) for text in (*project["dependencies"], *project["optional-dependencies"][extra])]
    sizes, seen = {}, set()
    while waiting:
        wanted = waiting.pop()
        for one in ("", *wanted.extras):
            if (wanted.marker and not wanted.marker.evaluate({"extra": ""})) or (wanted.name, one) in seen:
                continue
            seen.add((wanted.name, one))
            try:
                found = importlib.metadata.distribution(wanted.name)
            except importlib.metadata.PackageNotFoundError as error:
                raise InputError(f"{wanted.name} is not installed: pip install '.[{extra}]' brings it") from error
            paths = [Path(found.locate_file(file)) for file in found.files or ()]
            sizes[canonicalize_name(wanted.name)] = sum(path.stat().st_size for path in paths if path.is_file())
            for text in found.requires or ():
                more = Requirement(text)
                if not more.marker or more.marker.evaluate({"extra": one}):
                    more.marker = None
                    waiting.append(more)
    return sum(sizes.values())


def make_worker(kind: str, **case: Any) -> Callable[[], dict[str, float]]:
    """What makes the exported files, or measures one of them, in a process of its own."""
    return {"export": _export, "rates": _rates}[kind](**case)


def _export(model: str, targets: Sequence[str]) -> Callable[[], dict[str, float]]:
    from historynet.commands.export import export

    for target in targets:
        export(model, Path(target), "default")
    return dict


def _rates(model: str, precision: str, pictures: str, measured: int) -> Callable[[], dict[str, float]]:
    from historynet import Colorizer
    from historynet.colorizing.folder import colorize_files
    from historynet.colorizing.inputs import list_inputs
    from historynet.colorizing.results import name_results
    from historynet.commands.export import measure as measure_quality

    colorizer = Colorizer(model, precision=precision)
    paths = list_inputs([Path(pictures)])[:measured]
    quality = measure_quality(colorizer, paths)
    luminance = np.random.default_rng(0).random((BATCH_SIZE, *colorizer.size, 1), np.float32)

    def bare() -> None:
        for start in range(0, len(paths), BATCH_SIZE):
            colorizer.predict_ab(luminance[: len(paths) - start])

    def measure() -> dict[str, float]:
        network = seconds(bare)
        with tempfile.TemporaryDirectory() as results:
            folder = seconds(lambda: colorize_files(colorizer, paths, name_results(paths, Path(results)), BATCH_SIZE))
        return {
            "network_pictures_per_second": len(paths) / network,
            "folder_pictures_per_second": len(paths) / folder,
            **quality._asdict(),
        }

    return measure


def list_cases(model: Path, exported: Sequence[Path]) -> dict[tuple[str, str], tuple[Path, str, str]]:
    """(run-time, precision) -> model file, precision to ask for, and Keras' engine.

    Raises:
        InputError: if an exported file is none.
    """
    from historynet.runtimes import opening

    cases = {}
    for name, engine in (("TensorFlow", "tensorflow"), ("JAX", "jax")):
        cases |= {(name, precision): (model, precision, engine) for precision in PRECISIONS[:2]}
    for path in exported:
        precision = opening.open_exported(path).precision
        name = RUNTIMES[path.suffix][1]
        cases[name, precision] = (path, "float32", "")
        if name == "OpenVINO" and precision == "float32":
            try:
                opening.open_exported(path, "bfloat16")
            except InputError:
                continue
            cases[name, "bfloat16"] = (path, "bfloat16", "")
    return cases


def measure_all(cases: Mapping[tuple[str, str], tuple[Path, str, str]], pictures: Path, measured: int, repeats: int):
    """The figures of each case."""
    first = next(path for path in sorted(pictures.iterdir()) if path.is_file())
    turns = {case: [] for case in cases}
    with ExitStack() as stack:
        workers = {}
        for case, (path, precision, engine) in cases.items():
            os.environ["KERAS_BACKEND"] = engine or "tensorflow"
            given = {"model": str(path), "precision": precision, "pictures": str(pictures), "measured": measured}
            workers[case] = stack.enter_context(measuring.Worker("benchmarks.runtimes", {"kind": "rates", **given}))
            # So that no two of them start at a time.
            workers[case].turn()
        for _ in range(repeats):
            for case, worker in workers.items():
                turns[case].append(worker.turn())
    figures = {}
    for case, (path, precision, engine) in cases.items():
        os.environ["KERAS_BACKEND"] = engine or "tensorflow"
        starts = [run_process(["-c", _START, str(path), precision, str(first)])["seconds"] for _ in range(repeats)]
        values = measuring.medians(turns[case])
        figures[case] = values | {
            "start_seconds": float(np.median(starts)),
            "installed_MB": installed_bytes(EXTRAS[case[0]]) / 1e6,
            "peak_MB": values["peak_memory"] / 1e6,
        }
    return figures


def render(figures: Mapping[tuple[str, str], Mapping[str, float]]) -> str:
    """The table, in Markdown; PSNR and colourfulness against those of TensorFlow in float32."""
    lines = ["| run-time | precision | " + " | ".join(COLUMNS.values()) + " |", "|---|---|" + "---:|" * len(COLUMNS)]
    base = figures["TensorFlow", "float32"]
    for name in EXTRAS:
        for precision in PRECISIONS:
            values = figures.get((name, precision))
            if values is None:
                why = NONE.get((name, precision), "not exported")
                lines.append(f"| {name} | {precision} | - ({why}) |" + " |" * (len(COLUMNS) - 1))
                continue
            fall, change = values["psnr"] - base["psnr"], values["colorfulness"] / base["colorfulness"] - 1
            cells = [f"{values['installed_MB']:,.0f}", f"{values['start_seconds']:.1f}"]
            cells += [f"{values[f'{what}_pictures_per_second']:.1f}" for what in ("network", "folder")]
            cells += [f"{values['peak_MB']:,.0f}", f"{values['psnr']:.2f} ({fall:+.3f})"]
            cells += [f"{values['colorfulness']:.1f} ({change:+.1%})"]
            lines.append(f"| {name} | {precision} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _make_quick(folder: Path) -> tuple[Path, Path]:
    """A tiny network and a few pictures."""
    from benchmarks.colorizing import make_network, make_pictures

    make_pictures(folder / "pictures", 4, (60, 50))
    make_network(folder / "network.keras", 1 / 32)
    return folder / "network.keras", folder / "pictures"


def main(argv: Sequence[str]) -> int:
    """Prints the table and saves the figures as JSON; the exit code."""
    if measuring.serve(make_worker):
        return errors.DONE
    parser = measuring.parser(__doc__, "runtimes")
    parser.add_argument("model", nargs="?", metavar="MODEL", help="of Keras: a file, or shipped")
    parser.add_argument("pictures", nargs="?", type=Path, metavar="PICTURES", help="a folder of photographs in colour")
    parser.add_argument("--exported", nargs="+", type=Path, default=[], metavar="FILE", help="the model, exported")
    parser.add_argument("--measured", type=int, default=64, metavar="N", help="pictures of them (default: 64)")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if arguments.quick:
            arguments.repeats = 1
            arguments.model, arguments.pictures = _make_quick(folder)
        measuring.save(arguments.json, arguments, _measure(arguments, folder))
    return errors.DONE


def _measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    from historynet.colorizing.choosing import find_model
    from historynet.pictures import images

    if arguments.model is None or arguments.pictures is None:
        raise InputError(
            "MODEL and PICTURES are needed: a model file (or shipped), and a folder of photographs in colour"
        )
    images.list_pictures(arguments.pictures)
    model = find_model(str(arguments.model), Path(), None, "MODEL")
    exported = arguments.exported
    if not exported:
        exported = [folder / f"network{suffix}" for suffix in RUNTIMES]
        case = {"kind": "export", "model": str(model), "targets": list(map(str, exported))}
        with measuring.Worker("benchmarks.runtimes", case) as worker:
            worker.turn()
    figures = measure_all(list_cases(model, exported), arguments.pictures, arguments.measured, arguments.repeats)
    print(render(figures))
    return {f"{name} {precision}": values for (name, precision), values in figures.items()}


if __name__ == "__main__":
    running.run(main)
