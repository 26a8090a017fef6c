"""The papers' methods: published values, and the folders of a release that hold each method's results."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from historynet.comparing.comparison import LPIPS, PSNR, SSIM
from historynet.errors import InputError

METRICS = (LPIPS, PSNR, SSIM)
"""The columns of the papers' tables, in their order."""

PAPER, COMPANION = "MM '21", "MM '22"
"""The two sources of published values: the paper, and its reproducibility companion. They differ."""


@dataclass(frozen=True)
class Method:
    """A row of a published table.

    Attributes:
        name: as in the companion.
        folders: what its folder of results may be called, as `_plain` leaves it.
        published: the values of METRICS by source, as printed there.
    """

    name: str
    folders: frozenset[str]
    published: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Experiment:
    """A published table; one without methods has measured values only.

    Attributes:
        title: what was compared.
        sources: by the source's short name, where its values are printed.
        methods: the rows, in the published order.
    """

    title: str
    sources: Mapping[str, str]
    methods: Sequence[Method]

    def published(self, name: str, metric: str, source: str) -> str:
        """The value of a method as printed in a source; "" if there is none."""
        for method in self.methods:
            if method.name == name:
                return method.published[source][METRICS.index(metric)]
        return ""


def _method(name: str, folders: str, paper: str, companion: str) -> Method:
    return Method(name, frozenset(folders.split()), {PAPER: paper.split(), COMPANION: companion.split()})


EXPERIMENTS = {
    "quantitative": Experiment(
        "Quantitative comparison",
        {PAPER: "the paper's Table 2", COMPANION: "the companion's Table 1"},
        (
            _method("Iizuka et al.", "iizuka", "0.134 25.779 0.956", "0.134 25.779 0.956"),
            _method("Larsson et al.", "larsson", "0.147 24.527 0.946", "0.147 24.506 0.946"),
            _method("Deoldify", "deoldify", "0.127 26.321 0.957", "0.127 26.321 0.957"),
            _method("ChromaGAN", "chromagan", "0.118 29.487 0.951", "0.076 29.748 0.955"),
            _method("Su et al.", "su instcolorization", "0.132 25.951 0.941", "0.150 24.660 0.936"),
            _method("HistoryNet", "historynet ours", "0.101 30.638 0.962", "0.074 29.958 0.963"),
        ),
    ),
    "ablation": Experiment(
        "Ablation",
        {PAPER: "the paper's Table 3", COMPANION: "the companion's Table 2"},
        (
            _method("Baseline", "baseline chromagan", "0.123 27.093 0.946", "0.0652 31.2108 0.9587"),
            _method(
                "Baseline+Classifier",
                "baselineclassifier historynetclassifier sourceclassifier classifier",
                "0.119 29.828 0.951",
                "0.0665 31.1887 0.9607",
            ),
            _method(
                "Baseline+Parsing",
                "baselineparsing historynetparsing sourceparsing parsing",
                "0.121 28.992 0.948",
                "0.0662 31.4211 0.9615",
            ),
            _method("HistoryNet", "historynet sourcehistorynet ours", "0.107 30.585 0.959", "0.0632 31.6704 0.9618"),
        ),
    ),
}
"""By the name that the command lines take."""

ORIGINALS = "originals"
"""The key of the originals' folder among those of the methods."""

ORIGINALS_NAMES = ("originals", "original", "ground truth", "gt", "true", "source", "dataset_second")
"""What the originals' folder may be called, without regard to case, numbers and signs."""


def find_folders(folder: Path, experiment: Experiment, named: Mapping[str, Path]) -> tuple[dict[str, Path], list[Path]]:
    """The folders of the originals and of each method, in a folder laid out like the release's.

    Args:
        folder: holds them.
        experiment: whose methods are looked for.
        named: folders that are known already, by method or ORIGINALS.

    Returns:
        Folders by method or ORIGINALS, the named ones included, and the other folders.

    Raises:
        InputError: if the folder cannot be read, or two folders fit one name.
    """
    try:
        folders = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder}: the folder cannot be read ({error.strerror})") from error
    found, others = {}, []
    for path in folders:
        is_originals = _plain(path.name) in map(_plain, ORIGINALS_NAMES)
        name = ORIGINALS if is_originals else _find(path.name, experiment)
        if name in found:
            raise InputError(
                f"{folder}: {found[name].name} and {path.name} both look like {name}; name the one with "
                + ("--originals DIR" if name == ORIGINALS else f"--method '{name}=DIR'")
            )
        if name and name not in named:
            found[name] = path
        else:
            others.append(path)
    return found | named, others


def method_name(name: str, experiment: Experiment) -> str:
    """The published method's own name for a name that is like it; any other name as it is."""
    return _find(name, experiment) or name


def in_order(folders: Mapping[str, Path], experiment: Experiment) -> dict[str, Path]:
    """Folders by method, in the published order; other methods after them."""
    order = [method.name for method in experiment.methods]
    return dict(sorted(folders.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order)))


def _find(name: str, experiment: Experiment) -> str | None:
    return next((method.name for method in experiment.methods if _plain(name) in method.folders), None)


def _plain(name: str) -> str:
    """A folder's name without what is added to a method's: "Iizuka et al. [18] results" is "iizuka"."""
    words = re.findall(r"[a-z]+", name.lower())
    extra = {"et", "al", "result", "results", "image", "images", "img", "imgs", "colorized", "reconstructed"}
    return "".join(word for word in words if word not in extra)
