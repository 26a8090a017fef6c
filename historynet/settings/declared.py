"""Every parameter that all systems have, declared once; a system adds its own in a subclass, in its own folder.

A declaration says what a parameter accepts, which of the two commands reads it, what it means and in which unit, and
whether a continued run may change it. config.py's FOO_BAR is `--foo-bar` on the command line and `foo_bar` here.
"""

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from historynet import backend as engines
from historynet.errors import InputError
from historynet.settings import accepting
from historynet.settings.accepting import boolean, integer, number, size, text, word

TRAIN = "train"
COLORIZE = "colorize"
COLLECT = "collect"
BOTH = f"{TRAIN} {COLORIZE}"
"""The commands that read a setting."""

RUN, EPOCH = "run", "epoch"
"""What a continued run cannot change: what made its networks and random numbers; within an epoch, its batches."""

REQUIRED = object()
"""Instead of a value: each config.py must have the constant."""

PRECISIONS = ("float32", "bfloat16", "float16")
"""What PRECISION can be."""

DEFAULT = "default"
"""What PRETRAINED can be besides a file or a name."""

STRATEGIES = ("none", "mirrored", "multiworker")
"""Devices that train together: one, several of one machine, or those of several machines."""


def setting(
    accept: accepting.Accept,
    commands: str,
    group: str,
    meaning: str,
    more: str = "",
    *,
    path: bool | Callable[[str, Path], bool] = False,
    optional: bool = False,
    part: str | None = None,
    fixed: str | None = None,
    since: Any = REQUIRED,
) -> Any:
    """Declares a setting: a field of a dataclass of settings.

    Args:
        accept: what it accepts (`historynet.settings.accepting`).
        commands: the commands that read it, TRAIN, COLORIZE, BOTH of them, or COLLECT, which makes training data; or
            others that a subclass of `Parameters` names.
        group: heading under which `--help` lists it.
        meaning: what it is, with its unit, in a few words; the comment behind the constant in config.py.
        more: the rest of what `--help` says.
        path: whether it is the path of a file or folder; of what can be a path or a word, (value, folder that relative
            paths start at) -> whether it is a path.
        optional: whether it can be None.
        part: the part of a network or data set that it belongs to; the config.py of a variant without that part has
            none of its constants.
        fixed: RUN or EPOCH, if a continued run cannot change it, or not in the middle of an epoch.
        since: the value where config.py lacks the constant, of a setting that earlier versions did not have;
            REQUIRED: the constant must be there.
    """
    metadata = {"accept": accept, "commands": commands, "group": group, "meaning": meaning, "more": more}
    metadata |= {"path": path, "optional": optional, "part": part, "fixed": fixed, "since": since}
    return dataclasses.field(metadata=metadata) if part is None else dataclasses.field(default=None, metadata=metadata)


def pretrained_setting(more: str = "") -> Any:
    """Declares PRETRAINED.

    Args:
        more: what else a system takes for it.
    """
    return setting(
        text,
        COLORIZE,
        "colorizing",
        "network to colorize with",
        "a file, or a name in MODEL_DIR with or without extension; 'default': the best epoch of the run in MODEL_DIR "
        f"by its own evaluation, if it has seen all its pictures once{more}",
        path=lambda value, folder: value != "shipped" and (folder / value).is_file(),
    )


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What a program reads of config.py and its command line; a subclass declares it."""

    @classmethod
    def implied(cls, given: Mapping[str, Any], known: Collection[str]) -> Mapping[str, Any]:
        """What follows from settings that the command line gives, for those that nothing but config.py gives.

        Args:
            given: values by name, accepted; paths are absolute.
            known: names of what the command line or a saved run gives, which wins.

        Raises:
            InputError: if a file that is given cannot be read.
        """
        return {}

    def check(self, command: str) -> None:
        """Refuses settings that exclude each other.

        Args:
            command: the one that reads them: TRAIN, COLORIZE, COLLECT, ...

        Raises:
            InputError: naming the first of them.
        """
        for wrong, message in self.contradictions(command):
            if wrong:
                raise InputError(message)

    def contradictions(self, command: str) -> Iterator[tuple[bool, str]]:
        """(whether it is so, what is said then) of each contradiction that is looked for; a system adds its own."""
        yield from ()


@dataclass(frozen=True, kw_only=True)
class Settings(Parameters):
    """The parameters of a run, checked. Paths are absolute; what belongs to a part the variant lacks is None."""

    test_name: str = setting(text, BOTH, "run", "name of the run", "{TEST_NAME} in a path stands for it")
    gpu_id: str = setting(accepting.gpu_id, BOTH, "run", "number of the GPU to use, or 'cpu'")
    backend: str = setting(
        word(engines.CHOICES),
        BOTH,
        "run",
        "engine that computes, 'tensorflow' or 'jax'",
        "'default': KERAS_BACKEND of the environment, else TensorFlow, else JAX where that is not installed",
        since=engines.DEFAULT,
    )
    seed: int = setting(
        integer(0, 2**32 - 1),
        BOTH,
        "run",
        "seed of all random numbers",
        "of the initial weights, the order and the crops of the pictures, the choice of test pictures, and what the "
        "losses draw; in colorizing of --alternatives",
        fixed=RUN,
    )

    train_data: Path = setting(text, TRAIN, "data", "folder of the training pictures", path=True)
    test_data: Path = setting(text, TRAIN, "data", "folder of the pictures for evaluation after each epoch", path=True)
    sample_weights: Path | None = setting(
        text,
        TRAIN,
        "data",
        "table of how often pictures are drawn",
        "a CSV file with the columns name and weight; a name may hold * and ?, the first line that fits counts, and a "
        "picture that none fits has 1. An epoch then draws as many pictures as there are, or as STEPS_PER_EPOCH asks "
        "for, some of them several times; none: each once",
        path=True,
        optional=True,
        fixed=EPOCH,
        since=None,
    )
    skip_broken: bool = setting(boolean, TRAIN, "data", "leave out training pictures that cannot be read")

    image_size: int | str = setting(
        size(16),
        TRAIN,
        "network",
        "pixels, side of the networks' pictures",
        "or HEIGHTxWIDTH",
        fixed=RUN,
    )

    batch_size: int = setting(integer(1), BOTH, "training", "pictures in one batch", fixed=EPOCH)
    accumulate: int = setting(
        integer(1),
        TRAIN,
        "training",
        "parts that a batch is computed in",
        "one after the other, which takes less memory",
    )
    strategy: str = setting(
        word(STRATEGIES),
        TRAIN,
        "training",
        "devices that share a batch",
        "'mirrored': all GPUs of this machine, 'multiworker': those of the machines in TF_CONFIG, 'none': one device",
    )
    jit: bool = setting(boolean, TRAIN, "training", "compile the update with XLA", "on one device only")
    num_epochs: int = setting(integer(1), TRAIN, "training", "passes over the training pictures")
    steps_per_epoch: int | None = setting(
        integer(1),
        TRAIN,
        "training",
        "batches in one epoch",
        "none: all pictures, the last batch smaller",
        optional=True,
    )
    shuffle: bool = setting(
        boolean,
        TRAIN,
        "training",
        "a new order of the pictures each epoch",
        "no: the folder's order, as released",
        fixed=EPOCH,
    )
    drop_last: bool = setting(
        boolean, TRAIN, "training", "leave out an epoch's incomplete last batch", "as the released program does"
    )
    crop_from: int | str | None = setting(
        size(16),
        TRAIN,
        "training",
        "pixels, side before random cropping",
        "training pictures are resized to it (or HEIGHTxWIDTH), then a random part of IMAGE_SIZE is cut out of them "
        "and mirrored half of the time; none: the whole picture, as released",
        optional=True,
        fixed=EPOCH,
    )
    crop_share: float = setting(
        number(at_most=1.0),
        TRAIN,
        "training",
        "share of the samples that are cropped",
        "with CROP_FROM; the others are whole pictures, which are mirrored half of the time, too",
        fixed=EPOCH,
        since=1.0,
    )
    age_luminance: float = setting(
        number(at_most=1.0),
        TRAIN,
        "training",
        "share of the samples whose L is aged",
        "as in old photographs: another gamma, less or more contrast, an offset, blur and grain; ab stays",
        fixed=EPOCH,
        since=0.0,
    )
    precision: str = setting(
        word(PRECISIONS),
        BOTH,
        "training",
        "'float32', 'bfloat16' or 'float16'",
        "what the networks compute in; outputs, losses and files stay in float32",
        fixed=RUN,
    )
    num_test_images: int | str = setting(
        integer(1, word="all"), TRAIN, "training", "test pictures for evaluation, or 'all'", "after each epoch"
    )

    save_every: int | None = setting(
        integer(1),
        TRAIN,
        "checkpoints",
        "steps from checkpoint to checkpoint",
        "besides SAVE_MINUTES and the end of each epoch",
        optional=True,
    )
    save_minutes: float | None = setting(
        number(above=True),
        TRAIN,
        "checkpoints",
        "minutes from checkpoint to checkpoint",
        "besides SAVE_EVERY and the end of each epoch",
        optional=True,
    )
    keep_checkpoints: int = setting(integer(1), TRAIN, "checkpoints", "checkpoints that stay, the newest ones")
    save_networks_every: int = setting(
        integer(1),
        TRAIN,
        "checkpoints",
        "epochs from saved networks to saved networks",
        "those of the last epoch are always saved",
        since=1,
    )

    model_dir: Path = setting(text, BOTH, "results", "folder of the trained networks and checkpoints", path=True)
    out_dir: Path = setting(text, TRAIN, "results", "folder of the test pictures colorized while training", path=True)
    log_dir: Path = setting(text, TRAIN, "results", "folder of the logs and loss curves", path=True)

    pretrained: str = pretrained_setting()
    test_dir: Path = setting(text, COLORIZE, "colorizing", "folder of the pictures to colorize", path=True)
    result_dir: Path = setting(text, COLORIZE, "colorizing", "folder of the colorized pictures", path=True)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the networks' pictures."""
        return accepting.sides(self.image_size)

    @property
    def crop_size(self) -> tuple[int, int] | None:
        """(height, width) to which training pictures are resized before they are cropped; None: no cropping."""
        return None if self.crop_from is None else accepting.sides(self.crop_from)

    @property
    def varies(self) -> bool:
        """Whether a reader of the system's own varies the samples of each epoch: mirrors, blurs or crops them."""
        return False

    @property
    def onednn(self) -> bool:
        """Whether a CPU may sum in any order; a system that repeats an older program's arithmetic may say no."""
        return True

    @property
    def colorizing_batch_size(self) -> int:
        """Pictures that go through the network together when colorizing."""
        return self.batch_size

    @property
    def decoding(self) -> Mapping[str, Any]:
        """What the system's `decode` is to know besides a network's outputs, as a temperature."""
        return {}

    def contradictions(self, command: str) -> Iterator[tuple[bool, str]]:
        if command != TRAIN:
            return
        several = self.strategy != "none"
        cropped, network = self.crop_size or self.size, self.size
        yield (
            cropped[0] < network[0] or cropped[1] < network[1],
            f"--crop-from {self.crop_from}: smaller than --image-size {self.image_size}",
        )
        yield (
            self.crop_share < 1 and self.crop_from is None,
            f"--crop-share {self.crop_share:g}: with --crop-from only",
        )
        yield (
            self.sample_weights is not None and not self.shuffle,
            "--sample-weights: not with --no-shuffle; the pictures are drawn by chance",
        )
        yield (
            self.accumulate > self.batch_size,
            f"--accumulate {self.accumulate}: more parts than the {self.batch_size} pictures of a batch (--batch-size)",
        )
        yield self.jit and several, "--jit: with --strategy none only; XLA does not compile what devices exchange"
        yield (
            self.skip_broken and self.strategy == "multiworker",
            "--skip-broken: not with --strategy multiworker, whose workers do not read each other's pictures; "
            "leave it out, and mend or remove the pictures that are named",
        )
        yield (
            self.precision == "float16" and several,
            "--precision float16: with --strategy none only; scaled losses were not tried on several devices",
        )
