"""Which model file colorizes: the one that is named, a run's own, or the one that comes with the project."""

from pathlib import Path

from historynet import files
from historynet.errors import InputError
from historynet.settings import DEFAULT
from historynet.weights import run_files

SHIPPED = Path(__file__).resolve().parent.parent / "models/historynet_compact.keras"
"""The generator of HistoryNet that comes with the project."""

_OF = "HistoryNet"
"""The program that the shipped model is of."""

_LAST_EPOCH = 7
"""Of the paper's training."""


def find_model(pretrained: str, model_dir: Path, program: str | None = None) -> Path:
    """The file that PRETRAINED means: a path, or a name in MODEL_DIR with or without its extension.

    "default" is the model of the paper's last epoch in MODEL_DIR or, where that holds no such network at all, the one
    that is shipped, if it is of the program.

    Args:
        pretrained: a path, a name or "default".
        model_dir: the run's folder of models.
        program: whose models are wanted: "HistoryNet", "Baseline", ...

    Raises:
        InputError: listing the models that are in the folder; or if that cannot be read.
    """
    default = pretrained == DEFAULT
    name = run_files.model_path(model_dir, "colorization", _LAST_EPOCH).stem if default else pretrained
    extensions = ("", ".keras", ".h5", ".weights.h5")
    for candidate in (Path(name), *(model_dir / (name + extension) for extension in extensions)):
        if candidate.is_file():
            return candidate
    if Path(name).is_dir():
        raise InputError(f"{name}: is a folder; name a model file in it")
    # Released ones have other names than a run's.
    models = sorted(path.name for path in files.list_folder(model_dir) if "colorization" in path.name)
    if default and not models and program == _OF and SHIPPED.is_file():
        return SHIPPED
    raise InputError(
        f"{model_dir / name}: no such model; "
        + (f"--pretrained can be {', '.join(models)}" if models else "train one, or name a file with --pretrained")
    )
