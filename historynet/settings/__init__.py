"""A variant's parameters: the constants of its config.py, a saved run over them, the command line over both.

Each setting is declared once, below: its name, what it accepts, what it means and in which unit, and which of the two
commands reads it. config.py's FOO_BAR is `--foo-bar` on the command line and `foo_bar` here.
"""

import argparse
import dataclasses
import difflib
import json
import os
import runpy
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from historynet.errors import InputError

TRAIN = "train"
COLORIZE = "colorize"

VGG16_WORDS = ("imagenet", "none")
"""What VGG16_WEIGHTS can be besides a file."""

PRECISIONS = ("float32", "bfloat16", "float16")
"""What PRECISION can be."""

DEFAULT = "default"
"""What PRETRAINED can be besides a file or a name."""

LOSS_PRESETS = ("paper", "released")
"""What LOSSES can be; config.py gives a loss weight as one number, or as one for each of these."""

STRATEGIES = ("none", "mirrored", "multiworker")
"""Devices that train together: one, several of one machine, or those of several machines."""


# What a setting accepts: each function turns a constant of config.py, a JSON value or the text of the command line into
# the value, and raises ValueError with what is wanted.


_NONE = (None, "", "none")
"""What an optional setting takes for no value."""


def _integer(at_least: int, at_most: int = 10**9, multiple_of: int = 1, word: str | None = None) -> Callable:
    def accept(value: Any) -> int | str:
        if word and value == word:
            return value
        try:
            number = int(value) if isinstance(value, str) else value
        except ValueError:
            number = None
        right = isinstance(number, int) and not isinstance(number, bool) and at_least <= number <= at_most
        if not right or number % multiple_of:
            raise ValueError(
                f"an integer from {at_least} to {at_most}"
                + (f" and a multiple of {multiple_of}" if multiple_of > 1 else "")
                + (f", or {word!r}" if word else "")
            )
        return number

    return accept


def _number(at_least: float = 0.0, above: bool = False, below: float = 1e9) -> Callable:
    def accept(value: Any) -> float:
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = float("nan")
        if isinstance(value, bool) or not (at_least < number < below or (number == at_least and not above)):
            limit = f" and below {below:g}" if below < 1e9 else ""
            raise ValueError(f"a number {'above' if above else 'of at least'} {at_least:g}{limit}")
        return number

    return accept


def _loss_weight(value: Any) -> float | dict[str, float]:
    number = _number()
    if not isinstance(value, Mapping):
        return number(value)
    if sorted(value) != sorted(LOSS_PRESETS):
        raise ValueError(f"a number, or one for each of {', '.join(LOSS_PRESETS)}")
    return {preset: number(weight) for preset, weight in value.items()}


def _word(words: Sequence[str]) -> Callable:
    def accept(value: Any) -> str:
        if value not in words:
            raise ValueError(" or ".join(map(repr, words)))
        return value

    return accept


def _strategy(value: Any) -> str:
    if value not in STRATEGIES:
        raise ValueError(" or ".join(map(repr, STRATEGIES)))
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("True or False")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text that is not empty")
    return value


def _gpu_id(value: Any) -> str:
    text = str(value).lower()
    if text != "cpu" and not (text.isdecimal() and text.isascii()):
        raise ValueError("the number of a GPU, 0, 1, ..., or 'cpu'")
    return text


def _setting(
    accept: Callable,
    commands: str,
    group: str,
    text: str,
    path: bool = False,
    optional: bool = False,
    part: str | None = None,
    fixed: str | None = None,
) -> Any:
    metadata = {"accept": accept, "commands": commands, "group": group, "help": text, "path": path, "none": optional}
    metadata |= {"part": part, "fixed": fixed}
    return dataclasses.field(metadata=metadata) if part is None else dataclasses.field(default=None, metadata=metadata)


_BOTH = f"{TRAIN} {COLORIZE}"

# Parts that some variants do not have: their config.py has none of the part's constants, and then none of its options.
_LABELS, _PARSING, _INFO = "labels", "parsing", "info"

# What a continued run cannot change: what made its networks and its random numbers; within an epoch, its batches.
_RUN, _EPOCH = "run", "epoch"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every parameter of a run, checked. Paths are absolute; what belongs to a part the variant lacks is None."""

    test_name: str = _setting(_text, _BOTH, "run", "name of the run; {TEST_NAME} in a path stands for it")
    gpu_id: str = _setting(_gpu_id, _BOTH, "run", "number of the GPU to use, or 'cpu'")
    released_arithmetic: bool = _setting(
        _boolean,
        _BOTH,
        "run",
        "sum on a CPU in the order of the released program's TensorFlow, without oneDNN, and colorize pictures one by "
        "one: as close to its numbers as can be, and slower",
    )
    seed: int = _setting(
        _integer(0, 2**32 - 1),
        TRAIN,
        "run",
        "seed of the initial weights, the order and the crops of the pictures, the choice of test pictures, and the "
        "gradient penalty's random numbers",
        fixed=_RUN,
    )

    train_data: Path = _setting(_text, TRAIN, "data", "folder of the training pictures", path=True)
    train_parsing: Path | None = _setting(
        _text,
        TRAIN,
        "data",
        "folder of the parsing pictures NAME_seg.*; none: <TRAIN_DATA>_seg",
        path=True,
        optional=True,
        part=_PARSING,
    )
    test_data: Path = _setting(_text, TRAIN, "data", "folder of the pictures colorized after each epoch", path=True)
    sign_name: str | None = _setting(
        _text, TRAIN, "data", "name of the label file in the training folder", part=_LABELS
    )
    num_classes: int | None = _setting(
        _integer(1), TRAIN, "data", "number of labels a picture has in the label file", part=_LABELS, fixed=_RUN
    )
    allow_missing_labels: bool | None = _setting(
        _boolean,
        TRAIN,
        "data",
        "train with pictures that have no line in the label file; they are left out of L_cls",
        part=_LABELS,
    )
    allow_missing_parsing: bool | None = _setting(
        _boolean,
        TRAIN,
        "data",
        "train with pictures that have no parsing picture; they are left out of L_par",
        part=_PARSING,
    )
    skip_broken: bool = _setting(_boolean, TRAIN, "data", "leave out training pictures that cannot be read")

    image_size: int = _setting(
        _integer(16, multiple_of=8), TRAIN, "network", "side of the networks' pictures, pixels", fixed=_RUN
    )
    width: float = _setting(
        _number(above=True),
        TRAIN,
        "network",
        "factor on every channel count; 1.0 is the paper's network, which alone VGG16's whole weights fit",
        fixed=_RUN,
    )
    features_width: float | None = _setting(
        _number(above=True),
        TRAIN,
        "network",
        "the same for VGG16's blocks 1 to 3 in G0, where its weights fit 1.0 only; none: WIDTH",
        optional=True,
        fixed=_RUN,
    )
    dense_width: float | None = _setting(
        _number(above=True),
        TRAIN,
        "network",
        "the same for the dense layers of G2 and D2, which hold the most parameters; none: WIDTH",
        optional=True,
        fixed=_RUN,
    )
    vgg16_weights: str = _setting(
        _text,
        TRAIN,
        "network",
        "initial weights of G0: 'imagenet' (downloaded by Keras), 'none' (random), a .h5 file, or a .npz of some "
        "layers' arrays (block1_conv1_kernel, block1_conv1_bias, ...)",
        fixed=_RUN,
    )
    vgg16_preprocessing: bool = _setting(
        _boolean,
        TRAIN,
        "network",
        "change VGG16's first layer so that it sees L as it was trained to see pictures, in 0..255 less ImageNet's "
        "mean; no: in 0..1, as released",
        fixed=_RUN,
    )

    frozen_features: bool = _setting(
        _boolean,
        TRAIN,
        "network",
        "keep VGG16's blocks 1 to 3 in G0 as INIT_GENERATOR has them, or what VGG16_WEIGHTS fills of them, which is "
        "much faster; no: they are trained along, as in the paper",
        fixed=_RUN,
    )

    init_generator: Path | None = _setting(
        _text,
        TRAIN,
        "network",
        "generator to go on training from, also of another IMAGE_SIZE: a .keras, .weights.h5 or released .h5 file; G0 "
        "needs no VGG16 then",
        path=True,
        optional=True,
        fixed=_RUN,
    )
    init_discriminator: Path | None = _setting(
        _text, TRAIN, "network", "the same for the discriminator D1", path=True, optional=True, fixed=_RUN
    )
    init_classifier: Path | None = _setting(
        _text,
        TRAIN,
        "network",
        "the same for the classifier network D2",
        path=True,
        optional=True,
        part=_INFO,
        fixed=_RUN,
    )

    batch_size: int = _setting(_integer(1), _BOTH, "training", "pictures in one batch", fixed=_EPOCH)
    accumulate: int = _setting(
        _integer(1),
        TRAIN,
        "training",
        "parts that a batch is computed in, one after the other, which takes less memory",
    )
    strategy: str = _setting(
        _strategy,
        TRAIN,
        "training",
        "'mirrored': all GPUs of this machine share a batch, 'multiworker': those of the machines in TF_CONFIG; 'none'",
    )
    jit: bool = _setting(_boolean, TRAIN, "training", "compile the update with XLA; on one device")
    num_epochs: int = _setting(_integer(1), TRAIN, "training", "passes over the training pictures")
    steps_per_epoch: int | None = _setting(
        _integer(1),
        TRAIN,
        "training",
        "batches in one epoch; none: all pictures, the last batch smaller",
        optional=True,
    )
    shuffle: bool = _setting(
        _boolean,
        TRAIN,
        "training",
        "a new order of the pictures in each epoch; no: the folder's, as released",
        fixed=_EPOCH,
    )
    drop_last: bool = _setting(
        _boolean, TRAIN, "training", "leave out an epoch's last batch where it is smaller, as released"
    )
    crop_from: int | None = _setting(
        _integer(16),
        TRAIN,
        "training",
        "side, pixels, to which training pictures are resized before a random square of IMAGE_SIZE is cut out of them "
        "and mirrored half of the time; none: the whole picture, as released",
        optional=True,
        fixed=_EPOCH,
    )
    precision: str = _setting(
        _word(PRECISIONS),
        _BOTH,
        "training",
        "'float32', or 'bfloat16' or 'float16' for what the networks compute; outputs, losses, files stay in float32",
        fixed=_RUN,
    )
    learning_rate: float = _setting(_number(above=True), TRAIN, "training", "step size of Adam (section 5.1)")
    decay_steps: int | None = _setting(
        _integer(1),
        TRAIN,
        "training",
        "batches over which LEARNING_RATE falls to zero, along half a cosine; none: it stays",
        optional=True,
    )
    warmup_steps: int | None = _setting(
        _integer(1),
        TRAIN,
        "training",
        "batches before DECAY_STEPS over which LEARNING_RATE rises from zero; none: it begins as it is",
        optional=True,
    )
    ema_momentum: float | None = _setting(
        _number(above=True, below=1.0),
        TRAIN,
        "training",
        "share that an exponential moving average of the generator's weights keeps at each step; the average "
        "is what is saved and looked at, training goes on without it; none: no average",
        optional=True,
        fixed=_RUN,
    )
    shared_adam_steps: bool = _setting(
        _boolean, TRAIN, "training", "count Adam's steps over the updates of all networks together, as released"
    )
    released_statistics: bool = _setting(
        _boolean, TRAIN, "training", "move the stored statistics of batch normalisation as released"
    )
    losses: str = _setting(
        _word(LOSS_PRESETS),
        TRAIN,
        "training",
        "loss weights: 'paper' (Eq. (1)) or 'released' (the released program's); a LAMBDA_... that is set to one "
        "number, in config.py or here, wins",
    )
    lambda_rec: float = _setting(_loss_weight, TRAIN, "training", "weight of the colour loss L_r, Eq. (2)")
    huber_delta: float | None = _setting(
        _number(above=True),
        TRAIN,
        "training",
        "L_r is half the square of an error up to this much of ab in 0..1 and grows linearly from there (Huber); none: "
        "the whole square always, Eq. (2)",
        optional=True,
    )
    chroma_weight: float = _setting(
        _number(),
        TRAIN,
        "training",
        "how much more colourful pixels count in L_r: a pixel's weight is 1 + CHROMA_WEIGHT * its chroma, which is 0 "
        "for gray and about 1 for the most colourful",
    )
    log_error: bool = _setting(
        _boolean,
        TRAIN,
        "training",
        "L_r is the logarithm of each picture's error, as PSNR takes it: a picture of little colour counts as much as "
        "a colourful one; it is thousands of times larger then, and LAMBDA_REC has to make up for it",
    )
    lambda_cls: float = _setting(_loss_weight, TRAIN, "training", "weight of the classification loss L_cls, Eq. (4)")
    lambda_par: float | None = _setting(
        _loss_weight, TRAIN, "training", "weight of the parsing loss L_par, Eq. (3)", part=_PARSING
    )
    lambda_g: float = _setting(_loss_weight, TRAIN, "training", "weight of the adversarial loss L_g, Eq. (6)")
    lambda_info: float | None = _setting(
        _loss_weight, TRAIN, "training", "weight of the classifier network's loss L_info, Eq. (5)", part=_INFO
    )
    lambda_gp: float = _setting(_loss_weight, TRAIN, "training", "weight of the gradient penalty in Eq. (6)")
    num_test_images: int | str = _setting(
        _integer(1, word="all"), TRAIN, "training", "test pictures colorized after each epoch, or 'all'"
    )

    save_every: int | None = _setting(
        _integer(1),
        TRAIN,
        "checkpoints",
        "steps from one checkpoint to the next, besides SAVE_MINUTES and the end of each epoch",
        optional=True,
    )
    save_minutes: float | None = _setting(
        _number(above=True),
        TRAIN,
        "checkpoints",
        "minutes from one checkpoint to the next, besides SAVE_EVERY and the end of each epoch",
        optional=True,
    )
    keep_checkpoints: int = _setting(_integer(1), TRAIN, "checkpoints", "how many checkpoints stay, the newest ones")

    model_dir: Path = _setting(_text, _BOTH, "results", "folder of the trained networks and checkpoints", path=True)
    out_dir: Path = _setting(_text, TRAIN, "results", "folder of the test pictures colorized while training", path=True)
    log_dir: Path = _setting(_text, TRAIN, "results", "folder of the TensorBoard logs and loss curves", path=True)

    pretrained: str = _setting(
        _text,
        COLORIZE,
        "colorizing",
        "generator to colorize with: a file, or a name in MODEL_DIR with or without extension; 'default': "
        "my_model_colorizationEpoch7 there or, for HistoryNet where no model is there, the shipped compact one",
    )
    test_dir: Path = _setting(_text, COLORIZE, "colorizing", "folder of the pictures to colorize", path=True)
    result_dir: Path = _setting(_text, COLORIZE, "colorizing", "folder of the colorized pictures", path=True)


_FIELDS = {field.name: field for field in dataclasses.fields(Settings)}


def _accept(name: str, value: Any, where: str) -> Any:
    metadata = _FIELDS[name].metadata
    if metadata["none"] and value in _NONE:
        return None
    try:
        return metadata["accept"](value)
    except ValueError as wanted:
        raise InputError(f"{where}: {value!r} will not do; it takes {wanted}") from None


def _accept_all(
    values: Mapping[str, Any], known: Collection[str], source: Path, as_written: Callable[[str], str]
) -> dict[str, Any]:
    accepted = {}
    for name, value in values.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {as_written(near[0])}?" if near else ""
            raise InputError(f"{source}: there is no setting {as_written(name)}{hint}")
        accepted[name] = _accept(name, value, f"{source}, {as_written(name)}")
    return accepted


def _read_constants(path: Path) -> dict[str, Any]:
    """The constants of a config.py, by their names here."""
    try:
        constants = runpy.run_path(str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except Exception as error:
        raise InputError(f"{path}: {type(error).__name__}: {error}") from None
    values = {name.lower(): value for name, value in constants.items() if name.isupper()}
    accepted = _accept_all(values, _FIELDS, path, str.upper)
    parts = {None} | {_FIELDS[name].metadata["part"] for name in accepted}
    missing = [
        name.upper() for name, field in _FIELDS.items() if name not in accepted and field.metadata["part"] in parts
    ]
    if missing:
        raise InputError(f"{path}: {', '.join(missing)} missing")
    return accepted


def _read_saved(path: Path, known: Collection[str]) -> dict[str, Any]:
    """The settings that an earlier run saved, all of which must be known."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise InputError(f"{path}: not a settings.json of an earlier run")
    return _accept_all(values, known, path, str)


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are our one-line errors."""

    def error(self, message: str) -> None:
        raise InputError(f"{self.prog}: {message} (--help lists the options)")


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def make_parser(description: str, command: str, config: Path) -> argparse.ArgumentParser:
    """A parser with one option for each setting of config.py that the command reads, explained with its default."""
    parser = Parser(
        description=description,
        epilog=f"Defaults are the constants of {config}. Paths there are relative to the project's folder "
        "(historynet-colorize: to the current one), on the command line to the current one.",
        allow_abbrev=False,
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings.json of an earlier run, to run it again")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    defaults = _read_constants(config)
    groups = {}
    for name, field in _FIELDS.items():
        if name not in defaults or command not in field.metadata["commands"].split():
            continue
        group = field.metadata["group"]
        if group not in groups:
            groups[group] = parser.add_argument_group(group)
        default = defaults[name]
        if isinstance(default, Mapping):
            default = ", ".join(f"{preset} {weight:g}" for preset, weight in default.items())
        text = f"{field.metadata['help']} (default: {default})".replace("%", "%%")
        if field.metadata["accept"] is _boolean:
            groups[group].add_argument(
                _option(name), action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=text
            )
        else:
            groups[group].add_argument(_option(name), default=argparse.SUPPRESS, metavar="VALUE", help=text)
    return parser


def resolve(arguments: argparse.Namespace, config: Path, root: Path | None = None) -> tuple[Settings, dict[str, Any]]:
    """The settings of a run, and the same as they were written, to be saved with the run.

    The written form keeps {TEST_NAME} and relative paths, so that a saved run can be moved or renamed. Relative paths
    of config.py start at `root`, by default the project's folder.

    Raises:
        InputError: naming the file or the option, and what it accepts.
    """
    written = _read_constants(config)
    if arguments.config is not None:
        written |= _read_saved(arguments.config, written)
    for name, value in vars(arguments).items():
        if name in _FIELDS:
            value = _accept(name, value, _option(name))
            if _is_path(name, value, Path.cwd()):
                value = os.path.abspath(value)
            written[name] = value
    root = root or config.resolve().parent.parent
    values = dict(written)
    for name, value in written.items():
        if isinstance(value, Mapping):
            values[name] = value[written["losses"]]
        if _is_path(name, value, root):
            path = root / value.replace("{TEST_NAME}", written["test_name"])
            values[name] = path if _FIELDS[name].metadata["path"] else str(path)
    if values["warmup_steps"] is not None and values["decay_steps"] is None:
        raise InputError(f"--warmup-steps {values['warmup_steps']}: with --decay-steps only")
    pretrained = values["init_generator"] is not None or values["vgg16_weights"] != "none"
    if values["frozen_features"] and not pretrained:
        raise InputError("--frozen-features: with --vgg16-weights none there is nothing to keep")
    if values["crop_from"] is not None and values["crop_from"] < values["image_size"]:
        raise InputError(f"--crop-from {values['crop_from']}: smaller than --image-size {values['image_size']}")
    return Settings(**values), written


def _is_path(name: str, value: Any, folder: Path) -> bool:
    """Whether the value is a path to be read from the folder; two settings are either a path or a word."""
    if name == "vgg16_weights":
        return value not in VGG16_WORDS
    if name == "pretrained":
        return (folder / value).is_file()
    return _FIELDS[name].metadata["path"] and value is not None


def describe(settings: Settings, command: str) -> Sequence[tuple[str, Any]]:
    """(NAME, value) of each setting that the variant has and the command reads, in the order of their declaration."""
    values = {name: getattr(settings, name) for name in _FIELDS}
    parts = {None} | {_FIELDS[name].metadata["part"] for name, value in values.items() if value is not None}
    return [
        (name.upper(), values[name])
        for name, field in _FIELDS.items()
        if command in field.metadata["commands"].split() and field.metadata["part"] in parts
    ]


def as_json(settings: Settings) -> dict[str, Any]:
    """What training reads, by NAME, as a checkpoint keeps it to be compared with a later start's."""
    return {name: str(value) if isinstance(value, Path) else value for name, value in describe(settings, TRAIN)}


def changes(before: Mapping[str, Any], settings: Settings, within_epoch: bool) -> dict[str, tuple[Any, Any]]:
    """What differs from the settings that a run had: (before, now) by NAME. Settings that it did not know are left out.

    Args:
        before: `as_json` of the run's settings.
        settings: of the start that is to continue it.
        within_epoch: whether it stands in the middle of an epoch.

    Raises:
        InputError: if one of them cannot change in a run, or not in the middle of an epoch.
    """
    changed = {
        name: (before[name], now) for name, now in as_json(settings).items() if name in before and before[name] != now
    }
    for name, (then, now) in changed.items():
        fixed = _FIELDS[name.lower()].metadata["fixed"]
        # A run may move to other folders with the files it began from.
        moved = isinstance(then, str) and isinstance(now, str) and Path(then).name == Path(now).name
        if (fixed == _RUN and not moved) or (fixed == _EPOCH and within_epoch):
            raise InputError(
                f"{_option(name.lower())} {now}: the run has {then}, which can change "
                + ("between two epochs only" if fixed == _EPOCH else "in a new run only")
                + "; leave it so, name another run with --test-name or --model-dir, or start over with --fresh"
            )
    return changed
