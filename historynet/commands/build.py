"""The command line that builds the data set: its last step, or with FILMS the whole way from films to a report."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from historynet import errors, files, locks, settings, streams
from historynet.collecting import (
    answers,
    building,
    film_list,
    final,
    given_labels,
    labels,
    parser_files,
    persons,
    selecting,
)
from historynet.collecting.selecting import Kept
from historynet.collecting.settings import BUILD, MHMDSettings
from historynet.commands import collect, report
from historynet.commands.running import add_backend, one_line, run
from historynet.errors import InputError
from historynet.experiments.processes import run_script
from historynet.settings.accepting import gpu_id
from historynet.training.stopping import Stop

SETTINGS = "settings.json"
"""In WORK: those of the whole way, which its steps read."""

_KEPT = "the data set that was there is as it was; the same command begins this step again"


def main(script: str) -> None:
    """The command line; ends the process with one of the exit codes of `errors`.

    Args:
        script: `__file__` of the program; config.py and the steps' programs stand beside it.
    """
    config = Path(script).resolve().with_name("config.py")
    run(lambda argv: _run(config, argv))


def _run(config: Path, argv: Sequence[str]) -> int:
    parser = settings.make_parser("Builds a data set of films.", BUILD, config, MHMDSettings)
    collect.add_options(parser, optional=True)
    parser.add_argument("--replace", action="store_true", help="replace another data set that is there")
    parser.add_argument(
        "--estimate", action="store_true", help="say how long it will take and how much disk, from the films' headers"
    )
    parser.add_argument("--gpu-id", type=gpu_id, default="0", metavar="ID", help="GPU to use, or 'cpu' (%(default)s)")
    add_backend(parser)
    arguments = parser.parse_args(argv)
    labelled = _given_labels(arguments)
    resolved, written = settings.resolve(arguments, config, MHMDSettings)
    if arguments.estimate:
        return _estimate(arguments, resolved)
    if arguments.films is None:
        if labelled:
            raise InputError(f"--labels {labelled}: labels of pictures are for the whole way, which begins with FILMS")
        return build(resolved, arguments.private, arguments.replace)
    return _Way(config.parent, arguments, resolved, written, labelled).go()


def _given_labels(arguments: argparse.Namespace) -> Path | None:
    """The file of --labels, if it holds labels of pictures; it is then no setting any more."""
    given = getattr(arguments, "labels", None)
    if given in (None, "", "none") or not given_labels.is_of_pictures(Path(given)):
        return None
    del arguments.labels
    return Path(given)


def _estimate(arguments: argparse.Namespace, resolved: MHMDSettings) -> int:
    from historynet.collecting import estimating

    if arguments.films is None:
        raise InputError("--estimate: name the films, a list or a folder")
    listed = film_list.open_list(arguments.films, private=True)
    print(one_line_each(estimating.estimate(listed, resolved, arguments.workers)), end="")
    return errors.DONE


def one_line_each(text: str) -> str:
    """Lines with what films' names may hold written out."""
    return "".join(f"{one_line(line)}\n" for line in text.splitlines())


def build(resolved: MHMDSettings, private: bool, replace: bool) -> int:
    """The last step: what the others have found becomes the data set; the exit code.

    Args:
        resolved: the settings of the run.
        private: whether films without licence and source are allowed.
        replace: whether another data set that is there is replaced.

    Raises:
        InputError: if something is missing, another data set is there, or something cannot be written.
    """
    from historynet.collecting import assembling, masks

    with locks.lock(resolved.out, "another process is building there; wait until it has ended"):
        assembled = assembling.assemble(resolved, masks.made_by(resolved.work), private)
        for note in assembled.notes:
            print(one_line(f"note: {note}"), file=sys.stderr)
        builder = building.Builder(resolved.out, assembled, resolved.num_classes, resolved.seg_format, private)
        total = 2 * len(assembled.entries)
        with Stop() as stop, stop.at_once(_KEPT), streams.Progress(total, "picture", "building") as bar:
            made = builder(replace, bar.update)
    if builder.copied:
        print(f"note: {builder.copied} files are copies; on the disk of the work they would be links", file=sys.stderr)
    parts = ", ".join(f"{name} {count}" for name, count in building.counts(assembled.entries).items() if count)
    print(one_line(f"{resolved.out}: pictures: {parts}{'' if made else ' (as they were)'}"), flush=True)
    return errors.DONE


class _Way:
    """All steps in their order, each as the program that does it alone.

    Args:
        folder: of the steps' programs.
        arguments: of the command line.
        resolved: the settings.
        written: the same, as settings.json holds them.
        labelled: file of labels that need nobody any more; None: a person labels.
    """

    def __init__(
        self,
        folder: Path,
        arguments: argparse.Namespace,
        resolved: MHMDSettings,
        written: dict[str, Any],
        labelled: Path | None,
    ):
        self._folder, self._arguments, self._settings, self._labelled = folder, arguments, resolved, labelled
        self._config, self._written = resolved.work / SETTINGS, written
        self._engine = ["--gpu-id", arguments.gpu_id, "--backend", arguments.backend]
        self._cluster = ["--cluster", arguments.cluster] if arguments.cluster is not None else []

    def go(self) -> int:
        """Does what is not done yet; the exit code, `errors.BAD_INPUT` also where a person is needed.

        Raises:
            InputError: before anything is made, if films, labels, detector or parser cannot be used.
        """
        self._check()
        with locks.lock(self._settings.work, "another process is building there; wait until it has ended"):
            files.write_json(self._config, self._written)
            skipped = False
            for code in self._steps():
                if code not in (errors.DONE, errors.SKIPPED):
                    return code
                skipped |= code == errors.SKIPPED
        self._say_what_next()
        return errors.SKIPPED if skipped else errors.DONE

    def _check(self) -> None:
        """Sees at once what else would be found after hours, by the step that needs it."""
        wanted = self._settings
        if not self._arguments.replace:
            building.check_out(wanted.out)
        table = labels.table(wanted.labels, wanted.num_classes)
        film_list.open_list(self._arguments.films, self._arguments.private, labels.words(table))
        if self._labelled:
            given_labels.check_labels(self._labelled, [label.name for label in table])
        if wanted.label_order:
            labels.ordered(table, wanted.label_order, wanted.num_classes)
        persons.open_detector(wanted.detector)
        parser, _ = parser_files.choose(wanted.parser)
        if parser.suffix != ".keras":
            parser_files.read(parser)

    def _steps(self) -> Iterator[int]:
        """The exit code of each step, which is done when it is asked for."""
        arguments = self._arguments
        options = ["--workers", arguments.workers]
        options += ["--private"] * arguments.private + ["--keep-versions"] * arguments.keep_versions
        options += self._cluster
        yield self._step("collect.py", arguments.films, *options)
        yield self._step("choose.py")
        yield from self._labels()
        yield self._step("parse.py", "make", *self._engine, *self._cluster)
        print("\n# the data set", flush=True)
        yield build(self._settings, arguments.private, arguments.replace)
        print("\n# the report", flush=True)
        yield report.write(self._settings)

    def _labels(self) -> Iterator[int]:
        kept = Kept(self._settings)
        if self._labelled:
            with locks.lock(kept.folder, "another process is labelling there; wait until it has ended"):
                count, new, other = given_labels.take(kept, self._labelled)
            print("\n" + one_line(f"# {self._labelled}: {count} labels, {new} of them new"), flush=True)
            if other:
                first = f"who saw them first in {kept.folder / final.HAND} gave it"
                print(
                    one_line(f"note: {self._labelled}: of {other} pictures another label counts: {first}"),
                    file=sys.stderr,
                )
        elif not kept.settled(final.HAND).keys() >= kept.pictures.keys():
            yield self._step("label.py", "draw")
            yield self._is_labelled(kept)
        if kept.settled(final.HAND).keys() >= kept.pictures.keys():
            # Nothing is left for a labeller.
            return
        yield self._train_labeller()
        yield self._step("label.py", "rest", *self._engine, *self._cluster)

    def _is_labelled(self, kept: Kept) -> int:
        given = answers.by_person(answers.read(kept.folder / final.HAND, kept.pictures, kept.names))
        waiting = [name for name in selecting.read_drawn(kept) if name not in given]
        if not waiting:
            return errors.DONE
        command = self._shown("label.py", "by-hand", "--by", "NAME", "--config", self._config)
        print(
            one_line(f"stopped: a person is needed: {len(waiting)} drawn pictures are to be labelled: {command}"),
            "then the same command goes on; --labels FILE (picture, label) has them labelled elsewhere",
            sep="\n",
            file=sys.stderr,
        )
        return errors.BAD_INPUT

    def _train_labeller(self) -> int:
        """Trains LABELLER, or goes on with it; one that is a file, or was trained elsewhere, is taken as it is."""
        labeller, work = self._settings.labeller, self._settings.work
        if labeller.is_file():
            return errors.DONE
        saved = labeller / SETTINGS
        if not saved.exists():
            options = ["--train-data", work, "--model-dir", labeller, "--seed", self._settings.seed]
            options += ["--num-classes", self._settings.num_classes]
            options += ["--labels", self._settings.labels] if self._settings.labels else []
            return self._step("MHMD_Labeller.py", *options, *self._engine, config=False)
        root = self._folder.parent
        trained_on = root / str(files.read_json(saved, dict, "not the settings of a labeller").get("train_data"))
        if trained_on.resolve() != work.resolve():
            print(one_line(f"note: {labeller}: was trained with the labels of {trained_on}"), file=sys.stderr)
            return errors.DONE
        return self._step("MHMD_Labeller.py", "--config", saved, *self._engine, config=False)

    def _step(self, program: str, *arguments: object, config: bool = True) -> int:
        if config:
            arguments = (*arguments, "--config", self._config)
        print(one_line(f"\n$ {self._shown(program, *arguments)}").replace("\\n$", "\n$"), flush=True)
        return run_script(self._folder / program, *arguments)

    def _shown(self, program: str, *arguments: object) -> str:
        return " ".join(["python", str(self._folder / program), *map(str, arguments)])

    def _say_what_next(self) -> None:
        out, classes = self._settings.out, self._settings.num_classes
        more = f" --num-classes {classes}" if classes != 42 else ""
        program = self._folder.parent / "SOURCE_HistoryNet/HistoryNet.py"
        unsure = sum(
            guess.confidence < self._settings.sure_confidence or guess.margin < self._settings.sure_margin
            for guess in final.read_guesses(self._settings.work, Kept(self._settings).names).values()
        )
        if unsure:
            look = self._shown("label.py", "second-look", "--by", "NAME", "--config", self._config)
            print(one_line(f"{unsure} labels are unsure; they can be looked at again: {look}"))
        test = out / building.FOLDERS[True]
        if not test.exists():
            print("there is no test part; training is judged by pictures of another folder: --test-data")
        named = test if test.exists() else "FOLDER"
        train = out / building.FOLDERS[False]
        print(one_line(f"to train: python {program} --train-data {train} --test-data {named}{more}"))
