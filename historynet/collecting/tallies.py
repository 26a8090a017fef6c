"""How many pictures of which era, nationality and garment a data set has: the paper's Table 1 and Figure 3."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from historynet.collecting.labels import ERAS, NATIONALITIES, Label

WORDS = {"china": "China", "usa": "USA", "germany": "Germany", "russia": "Russia", "japan": "Japan"}
WORDS |= {"britain-france": "Britain, France", "before": "before the war", "during": "during the war"}
WORDS |= {"after": "after the war", "military": "military uniform"}
"""What the parts of labels are called in tables; others by themselves."""

MISPRINT = (
    "The paper's Table 1 prints 934,415 for the USA, and so more pictures than it has; with 338,184, the sum of the "
    "labels in its Figure 3, the nationalities add up as the eras and the garments do."
)


def garment(label: Label) -> str:
    """Military whosever uniform it is, formal or informal: as in Table 1."""
    return label.garment.split("-")[0]


_KINDS: Mapping[str, tuple[Sequence[str], Callable[[Label], str]]] = {
    "Era": (ERAS, lambda label: label.era),
    "Nationality": (NATIONALITIES, lambda label: label.nationality),
    "Garment": (("military", "formal", "informal"), garment),
}


@dataclass(frozen=True)
class Tally:
    """A row of Table 1.

    Attributes:
        kind: "Era", "Nationality", "Garment" or "Total".
        name: of the row; empty for the total.
        pictures: of the data set.
        paper: of the paper's; None where a table of labels of one's own has no such numbers.
    """

    kind: str
    name: str
    pictures: int
    paper: int | None


def table_1(labels: Sequence[Label], pictures: Mapping[str, int]) -> list[Tally]:
    """The rows of Table 1: the eras, nationalities and garments that there are labels of, and the total.

    Args:
        labels: all of them.
        pictures: how many there are, by the label's name.
    """
    rows = []
    for kind, (names, part) in _KINDS.items():
        for name in names:
            if of_it := [label for label in labels if part(label) == name]:
                rows.append(Tally(kind, WORDS.get(name, name), *_sums(of_it, pictures)))
    return [*rows, Tally("Total", "", *_sums(labels, pictures))]


def _sums(labels: Iterable[Label], pictures: Mapping[str, int]) -> tuple[int, int | None]:
    labels = list(labels)
    of_paper = [label.pictures for label in labels]
    return sum(pictures.get(label.name, 0) for label in labels), None if None in of_paper else sum(of_paper)


def lines(tallies: Sequence[Tally]) -> list[list[str]]:
    """The rows as cells, a line of headers first; numbers with their share of the total."""
    total = tallies[-1]
    with_paper = total.paper is not None
    cells = [["", "", "pictures", "share", *["paper", "paper's share"] * with_paper]]
    before = None
    for row in tallies:
        ours = [f"{row.pictures:,}", _share(row.pictures, total.pictures)]
        theirs = [f"{row.paper:,}", _share(row.paper, total.paper)] if with_paper else []
        cells.append([row.kind if row.kind != before else "", row.name, *ours, *theirs])
        before = row.kind
    return cells


def _share(count: int, total: int) -> str:
    return f"{count / total:.1%}" if total else "-"


def bars(labels: Sequence[Label], pictures: Mapping[str, int]) -> dict[str, dict[str, dict[str, int]]]:
    """Figure 3: pictures by era, nationality and garment."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for label in labels:
        of_nation = found.setdefault(WORDS[label.era], {}).setdefault(WORDS[label.nationality], {})
        of_nation[label.garment] = pictures.get(label.name, 0)
    return found
