"""What stands beside the data set: sources.csv, LICENCES.md, counts.csv and weights.csv."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from historynet import files
from historynet.experiments.pool import sources

if TYPE_CHECKING:
    from historynet.experiments.pool.building import Fit
    from historynet.experiments.pool.sources import Source

SOURCES, LICENCES, COUNTS, WEIGHTS = "sources.csv", "LICENCES.md", "counts.csv", "weights.csv"


def write(folder: Path, chosen: Mapping[str, Sequence["Fit"]], counts: Counter) -> None:
    """Writes the four files.

    Args:
        folder: of the data set.
        chosen: the pictures by what they are for.
        counts: of (set, what became of its pictures).

    Raises:
        InputError: if they cannot be written.
    """
    pictures = sorted(
        ((what, one) for what, ones in chosen.items() for one in ones), key=lambda entry: (entry[0], entry[1].file)
    )
    _write_table(folder / SOURCES, _source_rows(pictures))
    _write_table(folder / COUNTS, [("set", "what became of it", "pictures"), *rows(counts)])
    used = [source for source in _all() if any(name == source.name for name, _ in counts)]
    trained = {one.picture.source.name for what, one in pictures if what == "training"}
    weights = [(f"{source.name}_*", f"{source.weight:g}") for source in used if source.weight != 1]
    weights = [row for row in weights if row[0][:-2] in trained]
    _write_table(folder / WEIGHTS, [("name", "weight"), *weights])
    files.write_text(folder / LICENCES, _licences(used, counts))


def rows(counts: Counter) -> list[tuple[str, str, int]]:
    """(set, what became of its pictures, how many), in the order of the table of sets."""
    place = {source.name: number for number, source in enumerate(_all())}
    return sorted(((*key, number) for key, number in counts.items()), key=lambda row: (place[row[0]], row[1]))


def _all() -> list["Source"]:
    return [*sources.GIVEN, *sources.POOL]


def _source_rows(pictures: Sequence[tuple[str, "Fit"]]) -> list[tuple[str, ...]]:
    lines = [("file", "used for", "set", "repository", "commit", "licence", "address")]
    for what, one in pictures:
        source, part = one.picture.source, one.picture.part
        parts = [part] if part else source.parts
        licence, address = sources.attribution().get(one.picture.name, (source.licence, ""))
        lines.append(
            (
                one.file,
                what,
                source.name,
                "; ".join(part.repository for part in parts),
                "; ".join(part.commit for part in parts),
                licence,
                address,
            )
        )
    return lines


def _licences(used: Sequence["Source"], counts: Counter) -> str:
    lines = [
        "# Sources and licences of the pictures",
        "",
        "Read each source's licence again before you publish a model that was trained on it, and name all of them.",
        f"`{SOURCES}` has the source of every picture, and of those of COCO the address and the licence of each.",
        "",
        "| set | training, validation | licence | on what that rests | repository, commit | pictures |",
        "|---|---|---|---|---|---|",
    ]
    for source in used:
        numbers = ", ".join(str(counts[source.name, what]) for what in ("training", "validation"))
        licence = source.licence if source.stated else f"**not stated where they were found**: {source.licence}"
        parts = "; ".join(f"{part.repository} {part.commit}" for part in source.parts) or "-"
        lines.append(f"| {source.name} | {numbers} | {licence} | {source.basis} | {parts} | {source.remarks} |")
    return "\n".join(lines) + "\n"


def _write_table(path: Path, lines: Sequence[Sequence[Any]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    files.write_text(path, text.getvalue())
