"""The report on a finished data set: Table 1, Figure 3, hues, the funnel, and histograms."""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from historynet import files
from historynet.collecting import hue, labels, manifest, provenance, rows, tallies
from historynet.collecting.drawing import digest
from historynet.collecting.hue import Hues
from historynet.collecting.provenance import Origin
from historynet.collecting.settings import MHMDSettings
from historynet.comparing import rendering
from historynet.errors import InputError
from historynet.pictures import bar_charts, images

FOLDER, FUNNEL = "report", "funnel.csv"

_FOLDERS = {provenance.TRAIN: "dataset_train", provenance.TEST: "dataset_second"}


def write_report(settings: MHMDSettings, compared: Path | None) -> str:
    """Writes the report beside the data set.

    Args:
        settings: of the run.
        compared: a folder of pictures whose hues are compared with the set's.

    Returns:
        What is worth reading on a terminal.

    Raises:
        InputError: if there is no finished data set, or something cannot be read or written.
    """
    origins, private = provenance.read(settings.out / provenance.NAME)
    if not origins:
        raise InputError(f"{settings.out / provenance.NAME}: there is no picture in it")
    folder = settings.out / FOLDER
    known = labels.table(settings.labels, settings.num_classes)
    counts = Counter(origin.label for origin in origins)
    if unknown := counts.keys() - {label.name for label in known}:
        raise InputError(
            f"{settings.out / provenance.NAME}: there is no label {min(unknown)!r} in the table; name the one that the "
            "data set was built with by --labels"
        )
    cells = tallies.lines(tallies.table_1(known, counts))
    _write_table_1(folder, cells)
    rows.write(folder / "labels.csv", [("label", "pictures"), *((label.name, counts[label.name]) for label in known)])
    bar_charts.plot_groups(tallies.bars(known, counts), folder / "labels.png", "pictures")
    remarks = _write_hues(settings, folder, origins, compared)
    remarks += _write_histograms(settings, folder, {origin.picture for origin in origins})
    if private:
        remarks.append("This data set may not be passed on: films of it have no licence.")
    facts = _facts(origins)
    page = [f"# {len(origins)} pictures", rendering.markdown_of(cells), tallies.MISPRINT, *facts, *remarks]
    figures = [f"![{name}]({name})" for name in ("labels.png", "hue.png", "histograms.png") if (folder / name).exists()]
    files.write_text(folder / "report.md", "\n\n".join([*page, *figures]) + "\n")
    return "\n".join([rendering.text_of(cells), "", *facts, *remarks])


def _write_table_1(folder: Path, cells: Sequence[Sequence[str]]) -> None:
    rendered = {
        "txt": rendering.text_of(cells),
        "md": rendering.markdown_of(cells),
        "csv": rows.text([[cell.replace(",", "") if cell[:1].isdigit() else cell for cell in row] for row in cells]),
        "tex": rendering.latex_of(cells),
    }
    for extension, text in rendered.items():
        note = {"tex": f"% {tallies.MISPRINT}\n", "csv": ""}.get(extension, f"\n\n{tallies.MISPRINT}\n")
        files.write_text(folder / f"table1.{extension}", note + text if extension == "tex" else text + note)


def _write_hues(settings: MHMDSettings, folder: Path, origins: Sequence[Origin], compared: Path | None) -> list[str]:
    """hue.csv and hue.png of some pictures, drawn by the seed; what has to be said of them."""
    drawn = sorted(origins, key=lambda origin: digest(f"{settings.seed}/hue/{origin.picture}"))[: settings.hue_pictures]
    sets = {"this set": hue.hues_of([settings.out / _FOLDERS[one.split] / one.picture for one in drawn])}
    if compared is not None:
        names = images.list_pictures(compared)
        names = sorted(names, key=lambda name: digest(f"{settings.seed}/hue/{name}"))[: settings.hue_pictures]
        sets[compared.name] = hue.hues_of([compared / name for name in names])
    header = ["degrees", *(f"{name}, {what}" for name in sets for what in ("mean hues", "weighted hues"))]
    lines = [
        [20 * i, *(value for one in sets.values() for value in (one.counts()[i], f"{one.histogram[i]:.6f}"))]
        for i in range(hue.BINS)
    ]
    rows.write(folder / "hue.csv", [header, *lines])
    edges = np.linspace(0, 360, hue.BINS + 1)
    titles = ("share of pictures by mean hue, degrees", "hues weighted by saturation, degrees")
    panels = {
        titles[0]: {name: one.counts() / max(1, one.counts().sum()) for name, one in sets.items()},
        titles[1]: {name: one.histogram for name, one in sets.items()},
    }
    bar_charts.plot_histograms(panels, dict.fromkeys(titles, edges), folder / "hue.png")
    return [*(_of_hues(name, one) for name, one in sets.items()), hue.MISLEADING]


def _of_hues(name: str, hues: Hues) -> str:
    line = f"Hues of {name}: {len(hues.means)} pictures, mean hue {hues.means.mean() if len(hues.means) else 0:.1f}"
    return line + (f"; {len(hues.unreadable)} cannot be read: {hues.unreadable[0]}" if hues.unreadable else "")


def _write_histograms(settings: MHMDSettings, folder: Path, built: set[str]) -> list[str]:
    """histograms.png and the funnel, of what the steps before have left; what has to be said where that is gone."""
    work = settings.work
    if not (work / manifest.NAME).exists():
        return [f"{work / manifest.NAME} is not there any more: there are no histograms."]
    pictures = [picture for picture in manifest.read(work) if picture.picture in built]
    values: Mapping[str, Sequence[float]] = {
        "main persons": [len(picture.boxes) for picture in pictures],
        "sharpness": [picture.sharpness for picture in pictures],
        "tone": [picture.tone for picture in pictures],
    }
    edges = {"main persons": np.arange(0.5, settings.max_persons + 1.5)}
    histograms = {name: np.histogram(of, edges.get(name, 30)) for name, of in values.items()}
    bar_charts.plot_histograms(
        {name: {"pictures": heights} for name, (heights, _) in histograms.items()},
        {name: of for name, (_, of) in histograms.items()},
        folder / "histograms.png",
    )
    if (work / FUNNEL).exists():
        files.write_atomically(folder / FUNNEL, lambda temporary: shutil.copyfile(work / FUNNEL, temporary))
    return []


def _facts(origins: Sequence[Origin]) -> list[str]:
    """How many pictures are in which part, by whom labelled and parsed, and of which licences."""
    kinds = {
        "Parts": (origin.split for origin in origins),
        "Labelled by": (origin.label_by for origin in origins),
        "Parsed by": (origin.parsing_by or "nobody" for origin in origins),
        "Licences": (origin.licence or "none" for origin in origins),
    }
    return [
        f"{kind}: " + ", ".join(f"{name} {count}" for name, count in sorted(Counter(values).items()))
        for kind, values in kinds.items()
    ]
