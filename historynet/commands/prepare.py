"""The command lines that make training pictures of published data sets."""

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from historynet import errors, locks, settings, streams
from historynet.collecting import imagenet64, voc
from historynet.collecting.pictures import Counts
from historynet.commands.running import one_line, run
from historynet.errors import InputError
from historynet.training.stopping import Stop

_STOPPED = "the pictures that are finished are kept; the same command goes on from there"


def prepare_voc(out: Path) -> None:
    """The command line for Pascal VOC 2012; ends the process with one of the exit codes of `errors`.

    Args:
        out: the folder in which those of the pictures are made, unless another is named.
    """
    run(lambda argv: _prepare_voc(out, argv))


def _prepare_voc(out: Path, argv: Sequence[str]) -> int:
    parser = _parser(
        f"Makes pictures of {voc.SIDE}x{voc.SIDE} of Pascal VOC 2012: {voc.TEST} of those that the list "
        f"Segmentation/val.txt names, {voc.TRAINING} of all others."
    )
    parser.add_argument("voc", type=Path, metavar="VOC2012", help="the folder VOCdevkit/VOC2012")
    help_ = f"where the folders {voc.TRAINING} and {voc.TEST} go (%(default)s)"
    parser.add_argument("--out", type=Path, default=out, metavar="FOLDER", help=help_)
    arguments = parser.parse_args(argv)
    names, out = voc.find_pictures(arguments.voc), arguments.out
    with _alone(out), streams.Progress(sum(map(len, names.values())), "picture") as bar:
        counts = voc.prepare(arguments.voc, out, names, bar.update)
    return _report((out / part, of_part) for part, of_part in counts.items())


def prepare_imagenet64(out: Path) -> None:
    """The command line for ImageNet64; ends the process with one of the exit codes of `errors`.

    Args:
        out: the folder of the pictures, unless another is named.
    """
    run(lambda argv: _prepare_imagenet64(out, argv))


def _prepare_imagenet64(out: Path, argv: Sequence[str]) -> int:
    parser = _parser("Makes pictures of the batches of ImageNet64.")
    parser.add_argument(
        "batches", type=Path, nargs="+", metavar="BATCH.npz", help="train_data_batch_1.npz, or val_data.npz, ..."
    )
    parser.add_argument("--out", type=Path, default=out, metavar="FOLDER", help="where they go (%(default)s)")
    arguments = parser.parse_args(argv)
    batches = [imagenet64.open_batch(path) for path in arguments.batches]
    stems = [batch.path.stem for batch in batches]
    for path, stem in zip(arguments.batches, stems, strict=True):
        if stems.count(stem) > 1:
            raise InputError(f"{path}: pictures are named after their batch, and another one has the same name")
    counts = []
    with _alone(arguments.out), streams.Progress(sum(batch.count for batch in batches), "picture") as bar:
        for batch in batches:
            done = imagenet64.prepare(batch, arguments.out, bar.update)
            counts.append((arguments.out / f"{batch.path.stem}_*.png", done))
    return _report(counts)


def _parser(description: str) -> settings.Parser:
    parser = settings.Parser(description=description, allow_abbrev=False)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Within it no other process makes pictures in a folder, and a signal ends this one at once."""
    with (
        locks.lock(folder, "another process is making pictures there; wait until it has ended"),
        Stop() as stop,
        stop.at_once(_STOPPED),
    ):
        yield


def _report(counted: Iterable[tuple[Path, Counts]]) -> int:
    """Prints what became of the pictures; the exit code."""
    skipped = []
    for path, counts in counted:
        print(one_line(f"{path}: {counts}"), flush=True)
        skipped += counts.skipped
    for why in skipped:
        print(one_line(f"skipped: {why}"), file=sys.stderr)
    return errors.SKIPPED if skipped else errors.DONE
