"""The command line that parses pictures, lets persons correct the masks in an editor, and measures parsers."""

import contextlib
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from historynet import errors, locks, settings, streams
from historynet.clusters import Cluster, digests, library_versions, spread_with_ray
from historynet.collecting import (
    correcting,
    final,
    labels,
    manifest,
    masks,
    parser_files,
    parsers,
    parsing,
)
from historynet.collecting.labelling import check_person
from historynet.collecting.manifest import Picture
from historynet.collecting.parsers import Parser
from historynet.collecting.settings import PARSE, MHMDSettings
from historynet.commands.running import add_backend, add_cluster, between, one_line, run
from historynet.errors import InputError
from historynet.parallel import CORES
from historynet.settings.accepting import gpu_id, word
from historynet.systems.parser.architecture import CLASSES
from historynet.systems.parser.settings import DRAWINGS
from historynet.training.stopping import Stop

_ACTIONS = {
    "make": ("", "masks of all kept pictures, or of PARSE_COUNT; those that a hand made stay"),
    "export": ("N FOLDER", "the N masks that the parser is least sure of, for an editor"),
    "import": ("FOLDER", "corrected masks back (--by NAME)"),
    "measure": ("FOLDER", "how good the parser is on pictures with parsing, FOLDER and FOLDER_seg"),
}

_KEPT = "what is parsed is kept; the same command goes on from there"


def main(script: str) -> None:
    """The command line; ends the process with one of the exit codes of `errors`.

    Args:
        script: `__file__` of the program; config.py stands beside it.
    """
    config = Path(script).resolve().with_name("config.py")
    run(lambda argv: _run(config, argv))


def _run(config: Path, argv: Sequence[str]) -> int:
    parser = settings.make_parser("Parses the kept pictures.", PARSE, config, MHMDSettings)
    actions = "; ".join(f"{name} {takes}: {what}".replace(" :", ":") for name, (takes, what) in _ACTIONS.items())
    parser.add_argument("action", choices=_ACTIONS, metavar="ACTION", help=actions)
    parser.add_argument("operands", nargs="*", metavar="N, FOLDER", help="what the action takes")
    parser.add_argument("--by", metavar="NAME", help="who corrected the masks")
    parser.add_argument("--even", action="store_true", help="export as many of each label")
    parser.add_argument(
        "--drawing",
        type=word(DRAWINGS),
        default="levels",
        help="how the parsing is drawn that measure compares with, 'ccp', 'levels' or 'cihp' (%(default)s)",
    )
    add_options(parser)
    arguments = parser.parse_args(argv)
    wanted = _ACTIONS[arguments.action][0].split()
    if len(arguments.operands) != len(wanted):
        raise InputError(f"parse.py {arguments.action}: takes {' '.join(wanted) or 'no more'}")
    resolved, _ = settings.resolve(arguments, config, MHMDSettings)
    if arguments.action == "make":
        return make(resolved, arguments.workers, arguments.gpu_id, arguments.backend, arguments.cluster)
    if arguments.action == "measure":
        # What it draws does not matter.
        parser = _open(resolved.parser, "deeplab", resolved.seed, arguments.gpu_id, arguments.backend)
        return _measure(Path(arguments.operands[0]), arguments.drawing, parser)
    correcting.check_palette(resolved.palette)
    pictures = manifest.read(resolved.work)
    with _locked(resolved.work):
        if arguments.action == "export":
            return _export(resolved, pictures, *arguments.operands, arguments.even)
        if arguments.by is None:
            raise InputError("parse.py import: --by NAME says who corrected the masks")
        return _import(resolved, pictures, Path(arguments.operands[0]), check_person(arguments.by))


def add_options(parser: settings.Parser) -> None:
    """Adds what `parse.py make` takes besides the constants of config.py."""
    parser.add_argument(
        "--workers",
        type=between(int, 1, 256),
        default=CORES,
        metavar="N",
        help="processes that ask an .onnx model; others have an engine, which uses all cores itself (%(default)s)",
    )
    parser.add_argument(
        "--gpu-id", type=gpu_id, default="0", metavar="ID", help="GPU for a .keras model, or 'cpu' (%(default)s)"
    )
    add_backend(parser)
    add_cluster(parser)


def _locked(work: Path) -> contextlib.AbstractContextManager[None]:
    return locks.lock(work / masks.FOLDER, "another process is parsing there; wait until it has ended")


def make(resolved: MHMDSettings, workers: int, gpu: str, backend: str, address: str | None = None) -> int:
    """Makes the masks that are not there yet, and says how many there are; the exit code.

    Args:
        resolved: the settings of the run.
        workers: processes that ask an .onnx model.
        gpu: the GPU for a .keras model, or 'cpu'.
        backend: the engine for it.
        address: of a Ray cluster; None: the work is done here.

    Raises:
        InputError: if the parser or the manifest cannot be used, or something not be written.
    """
    from historynet import backend as engines

    pictures = parsing.chosen(manifest.read(resolved.work), resolved.parse_count, resolved.seed + 1)
    # The GPUs are the other processes'.
    parser = _open(resolved.parser, resolved.palette, resolved.seed, "cpu" if address else gpu, backend).description
    engine = parser.model.suffix != ".onnx"
    cluster = Cluster(address, workers, engine, gpu != "cpu") if address is not None else None
    over = cluster and partial(
        spread_with_ray,
        # The same engine there, whatever those machines have and take by default.
        partial(_begin_there, (cluster.gpu_id, resolved.seed, engines.choose(backend)) if engine else None),
        cluster=cluster,
        folder=resolved.work,
        versions=partial(_versions, parser.path, parser.model),
    )
    workers = 1 if engine else workers
    with _locked(resolved.work):
        job = parsing.Masks(resolved.work, parser, resolved.palette, pictures)
        with Stop() as stop, stop.at_once(_KEPT), streams.Progress(len(pictures), "picture", "masks") as bar:
            if not job.make(workers, bar.update, over):
                print("all of it is there already, of the same parser and pictures")
        made = masks.read_table(resolved.work)
    by_hand = sum(one.is_by_hand for one in made.values())
    sure = [one.confidence for one in made.values() if one.confidence is not None]
    mean = f"; mean largest probability within persons {sum(sure) / len(sure):.3f}" if sure else ""
    print(f"{len(made)} pictures have a mask, {by_hand} of them by hand{mean}")
    for reason in job.left_out:
        print(one_line(f"skipped: {reason}"), file=sys.stderr)
    missing = [picture.picture for picture in pictures if picture.picture not in made]
    if missing:
        print(one_line(f"skipped: {len(missing)} pictures have no mask, {missing[0]} for one"), file=sys.stderr)
    return errors.SKIPPED if missing or job.left_out else errors.DONE


def _versions(*of_parser: Path) -> dict[str, str | None]:
    return library_versions() | digests(*of_parser)


def _begin_there(engine: tuple[str, int, str] | None) -> Callable[[parsing.Shard], list[str]]:
    """What parses shards, in a process of another machine: with an engine, (GPU, seed, name), or without."""
    if engine:
        from historynet import backend as engines

        gpu, seed, name = engine
        with engines.quiet():
            engines.start(gpu, seed, engine=name)
    return parsing.parse_shard


def _open(parser: str, palette: str, seed: int, gpu: str, backend: str) -> Parser:
    """A parser, tried before the first picture."""
    path, remark = parser_files.choose(parser)
    # What can be seen without an engine, which takes seconds, is seen first.
    said = None if path.suffix == ".keras" else parser_files.read(path)
    if said is None or said.model.suffix == ".keras":
        from historynet import backend as engines

        print(engines.start(gpu, seed, engine=backend), flush=True)
    said = said or parser_files.compact(path)
    masks.check_palette(said.indices, palette, path)
    opened = parsers.open_parser(said)
    print(one_line(f"parser: {remark}"), flush=True)
    return opened


def _export(resolved: MHMDSettings, pictures: Sequence[Picture], count: str, folder: str, even: bool) -> int:
    if not count.isdecimal() or not int(count):
        raise InputError(f"parse.py export {count}: a number of masks of at least 1 is wanted")
    there = {picture.picture: picture for picture in pictures if masks.of(resolved.work, picture)}
    made = {name: one for name, one in masks.read_table(resolved.work).items() if name in there}
    if not made:
        raise InputError(f"{resolved.work}: no picture has a mask; parse.py make makes them")
    by_label = None
    if even:
        table = labels.table(resolved.labels, resolved.num_classes)
        found = final.final_labels(resolved.work, there, table)
        by_label = {name: label.label for name, label in found.items() if label.label is not None}
        if not by_label:
            raise InputError(f"{resolved.work}: no picture with a mask has a label; label.py gives some")
    elif all(one.confidence is None for one in made.values()):
        raise InputError(
            f"{resolved.work / masks.TABLE}: no mask has a confidence; export as many of each label: --even"
        )
    names = parsing.least_sure(made, by_label, int(count))
    if not names:
        print("there is nothing to correct")
        return errors.DONE
    correcting.export(resolved.work, [there[name] for name in names], resolved.palette, Path(folder))
    print(one_line(f"{folder}: {len(names)} masks, NAME.png beside the pictures; the colours of the parts: parts.png"))
    return errors.DONE


def _import(resolved: MHMDSettings, pictures: Sequence[Picture], folder: Path, person: str) -> int:
    done = correcting.import_folder(resolved.work, pictures, resolved.palette, person, folder)
    for note in done.notes:
        print(one_line(f"note: {note}"), file=sys.stderr)
    for reason in done.refused:
        print(one_line(f"refused: {reason}"), file=sys.stderr)
    touched = sum(pixels > 0 for pixels in done.changed.values())
    print(f"{len(done.changed)} masks are taken, {touched} of them changed, {sum(done.changed.values())} pixels")
    if not done.changed:
        return errors.BAD_INPUT
    return errors.SKIPPED if done.refused else errors.DONE


def _measure(folder: Path, drawing: str, parser: Parser) -> int:
    from historynet.collecting import part_scores

    with streams.Progress(None, "picture") as bar:
        confusion, left_out = part_scores.measure(parser, folder, drawing, bar.update)
    for line in part_scores.table(confusion, CLASSES):
        print("  ".join(f"{cell:>13}" for cell in line))
    for name, value in part_scores.scores(confusion).items():
        print(f"{name}: {value:.4f}")
    for reason in left_out:
        print(one_line(f"skipped: {reason}"), file=sys.stderr)
    return errors.SKIPPED if left_out else errors.DONE
