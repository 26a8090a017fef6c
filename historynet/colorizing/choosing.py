"""Which model file colorizes: the one that is named, a run's own, or the one that comes with the project."""

from dataclasses import dataclass
from pathlib import Path

from historynet import files
from historynet.errors import InputError
from historynet.settings import DEFAULT
from historynet.systems.historynet.shipped import SHIPPED, WORD
from historynet.weights import run_files

_OF = "HistoryNet"
"""The program that the shipped model is of."""

_LAST_EPOCH = 7
"""Of the paper's training; the authors' file is called by it."""

_NETWORK = "colorization"

_ENDINGS = (".keras", ".h5")
"""Of files that a training or the authors made. What was exported from one of them is taken by its name alone."""

SCORE = "psnr"
"""By which every system that colorizes calls an epoch its best."""


@dataclass(frozen=True)
class Choice:
    """A model file, and why it is that one.

    Attributes:
        path: the file.
        remark: a few words on it; empty if it was named.
    """

    path: Path
    remark: str = ""

    def __str__(self) -> str:
        shipped = "the shipped model, " if self.path == SHIPPED else ""
        return f"{shipped}{self.path}" + (f" ({self.remark})" if self.remark else "")


def find_model(pretrained: str, model_dir: Path, program: str | None = None, argument: str = "--pretrained") -> Path:
    """The file of `choose_model`."""
    return choose_model(pretrained, model_dir, program, argument).path


def choose_model(
    pretrained: str, model_dir: Path, program: str | None = None, argument: str = "--pretrained"
) -> Choice:
    """The file that PRETRAINED means: a path, a name in MODEL_DIR with or without its extension, or one of two words.

    "shipped" is the model that comes with the project. "default" is, in this order, the authors' file in MODEL_DIR; the
    best saved epoch of the run there, by its own evaluation, or its newest; the shipped model, if it is of the program
    and nobody has put anything else there. A run that has not seen its pictures once is passed over.

    Args:
        pretrained: a path, a name, "default" or "shipped".
        model_dir: the run's folder of models.
        program: whose models are wanted: "HistoryNet", "Baseline", ...
        argument: what names a model, for the messages.

    Raises:
        InputError: listing the models that are in the folder; or if that cannot be read.
    """
    if pretrained == WORD:
        return _shipped(program, argument)
    last = run_files.model_path(model_dir, _NETWORK, _LAST_EPOCH)
    name = last.stem if pretrained == DEFAULT else pretrained
    # A run's last epoch is not its best by itself.
    extensions = ("", ".keras", ".h5", ".weights.h5") if pretrained != DEFAULT or not last.is_file() else ()
    for candidate in (Path(name), *(model_dir / (name + extension) for extension in extensions)):
        if candidate.is_file():
            return Choice(candidate)
    if Path(name).is_dir():
        raise InputError(f"{name}: is a folder; name a model file in it")
    # Released ones have other names than a run's.
    models = sorted(
        path.name for path in files.list_folder(model_dir) if _NETWORK in path.name and path.suffix.lower() in _ENDINGS
    )
    run = run_files.list_models(model_dir, _NETWORK)
    if pretrained == DEFAULT:
        is_short = bool(run) and run_files.is_shorter_than_a_pass(model_dir, run_files.epoch_of(run[-1]))
        if run and not is_short:
            return best_epoch(model_dir, run, SCORE)
        if program == _OF and SHIPPED.is_file() and len(models) == len(run):
            short = f"{model_dir} holds a run shorter than one pass over its pictures"
            return Choice(SHIPPED, f"{short}, which {argument} {run[-1].stem} takes" if run else "")
    named = ", ".join(models) + (f", or {WORD}" if program in (_OF, None) and SHIPPED.is_file() else "")
    missing = f"{model_dir}: holds no model that is taken by default"
    if pretrained != DEFAULT:
        missing = f"{pretrained}: no such model, neither here nor in {model_dir}"
    raise InputError(
        f"{missing}; " + (f"{argument} can be {named}" if models else f"train one, or name a file with {argument}")
    )


def _shipped(program: str | None, argument: str) -> Choice:
    if program not in (_OF, None):
        raise InputError(f"{argument} {WORD}: that model is of {_OF}, not of {program}")
    if not SHIPPED.is_file():
        raise InputError(f"{SHIPPED}: the shipped model is not there; name a file with {argument}")
    return Choice(SHIPPED)


def best_epoch(model_dir: Path, run: list[Path], score: str) -> Choice:
    """The best of a run's models, or its newest if nobody knows which is.

    Args:
        model_dir: the run's folder of models.
        run: the models of one network, by epoch (`run_files.list_models`); at least one.
        score: by which the run's system calls an epoch its best; the higher the better.
    """
    table = run_files.find_table(model_dir)
    best_epochs = run_files.read_best_epochs(table) if table else []
    if best_epochs:
        best, saved = best_epochs[-1], {run_files.epoch_of(path): path for path in run}
        if best in saved:
            return Choice(saved[best], f"epoch {best}, the best of {len(best_epochs)} by {table}")
        # Networks need not be saved after every epoch.
        scores = run_files.read_scores(table, score)
        scored = sorted(saved.keys() & scores.keys())
        if scored:
            epoch = max(scored, key=scores.__getitem__)
            remark = f"epoch {epoch}, the best of the {len(scored)} that are saved, by {table}"
            return Choice(saved[epoch], f"{remark}; epoch {best}, the best of {len(best_epochs)}, is not saved")
    return Choice(run[-1], f"epoch {run_files.epoch_of(run[-1])}, the newest")
