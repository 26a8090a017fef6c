"""The labels: 42 combinations of era, nationality and garment (Figure 3 and Table 1 of the paper)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from historynet import files
from historynet.collecting import rows
from historynet.errors import InputError

ERAS = ("before", "during", "after")
"""Before, during and after the Second World War."""

NATIONALITIES = ("china", "usa", "germany", "russia", "britain-france", "japan")
GARMENTS = ("military", "military-cpc", "military-kmt", "formal", "informal")

COLUMNS = ("index", "era", "nationality", "garment")
"""Of a table of labels."""

NUM_CLASSES = 42
"""Places that a line of sign.txt has."""

_TABLE = Path(__file__).with_name("labels42.csv")
_PICTURES = "pictures_in_mhmd"


@dataclass(frozen=True)
class Label:
    """One of the labels that a picture can have.

    Attributes:
        index: its place in a line of sign.txt, from 0.
        era: one of ERAS.
        nationality: one of NATIONALITIES.
        garment: one of GARMENTS.
        pictures: how many the paper's data set has of it; None: the paper has no such label.
    """

    index: int
    era: str
    nationality: str
    garment: str
    pictures: int | None = None

    @property
    def name(self) -> str:
        """Its parts, as in during-china-military-kmt."""
        return f"{self.era}-{self.nationality}-{self.garment}"


def table(file: Path | None = None, places: int = NUM_CLASSES) -> list[Label]:
    """The labels in their order.

    Args:
        file: a table with the columns index, era, nationality and garment; None: the paper's 42.
        places: of a line of sign.txt, which is how many labels there can be.

    Raises:
        InputError: naming the line, if it cannot be read, has another word than those above, a label twice, too many
            of them, or two that one key of the labelling page stands for.
    """
    path = file or _TABLE
    found: list[Label] = []
    for line, cells in rows.read(path, COLUMNS):
        where = f"{path}, line {line}"
        for column, words in (("era", ERAS), ("nationality", NATIONALITIES), ("garment", GARMENTS)):
            if cells[column] not in words:
                raise InputError(f"{where}: there is no {column} {cells[column]!r}; it can be {', '.join(words)}")
        if cells["index"] != str(len(found)):
            raise InputError(f"{where}: the index has to be {len(found)}; they count from 0, a line each")
        label = Label(len(found), *(cells[column] for column in COLUMNS[1:]), _pictures(cells.get(_PICTURES, "")))
        if other := next((other for other in found if _is_like(label, other)), None):
            raise InputError(
                f"{where}: {label.name} and {other.name} of line {other.index + 2} cannot be told apart by the keys"
            )
        found.append(label)
    if not 1 <= len(found) <= places:
        raise InputError(f"{path}: {len(found)} labels; there can be 1 to {places}")
    return found


def words(labels: Sequence[Label]) -> dict[str, set[str]]:
    """The eras, nationalities and garments of a table, by column, as a list of films may name them."""
    return {column: {getattr(label, column) for label in labels} for column in COLUMNS[1:]}


def _is_like(label: Label, other: Label) -> bool:
    """Whether they are the same but for whose uniform it is, for which there is one key."""
    one_key = {"military", "military-cpc"}
    alike = label.garment == other.garment or {label.garment, other.garment} <= one_key
    return alike and (label.era, label.nationality) == (other.era, other.nationality)


def _pictures(cell: str) -> int | None:
    return int(cell) if cell.isascii() and cell.isdigit() else None


def write_table(path: Path, labels: Sequence[Label]) -> None:
    """Writes what each place of a line of sign.txt means.

    Raises:
        InputError: if it cannot be written.
    """
    rows.write(path, [COLUMNS, *((label.index, label.era, label.nationality, label.garment) for label in labels)])


def allowed(
    labels: Sequence[Label], eras: Collection[str], nationalities: Collection[str], garments: Collection[str]
) -> list[Label]:
    """The labels that a title's row leaves.

    Args:
        labels: all of them.
        eras: that occur in it; none: any.
        nationalities: the same.
        garments: the same.
    """
    return [
        label
        for label in labels
        if (not eras or label.era in eras)
        and (not nationalities or label.nationality in nationalities)
        and (not garments or label.garment in garments)
    ]


def ordered(labels: Sequence[Label], order: Path, places: int = NUM_CLASSES) -> list[Label]:
    """The labels in another order, for a sign.txt whose places a program expects so.

    Args:
        labels: all of them.
        order: a table as of `table`, with the same labels.
        places: the same.

    Raises:
        InputError: if it is none, or has others.
    """
    wanted = table(order, places)
    if {label.name for label in wanted} != {label.name for label in labels}:
        odd = sorted({label.name for label in wanted} ^ {label.name for label in labels})
        raise InputError(f"{order}: has to have the same labels in another order; {odd[0]} is in one of the two only")
    return wanted


def sign_lines(named: Mapping[str, str], labels: Sequence[Label], places: int = NUM_CLASSES) -> str:
    """The text of sign.txt: for each picture, by name, a line with one 1 among zeros, a space behind each integer.

    The released program drops the last field of a line, which is the empty one behind the last space.

    Args:
        named: the name of each picture's label, by the picture's.
        labels: in the order of the places.
        places: of a line; a table of fewer labels leaves the last ones empty.

    Raises:
        InputError: if a picture has a label that is not among them.
    """
    ends = {
        label.name: "".join("1 " if i == place else "0 " for i in range(places)) for place, label in enumerate(labels)
    }
    for picture, name in named.items():
        if name not in ends:
            raise InputError(f"{picture}: there is no label {name!r}")
    return "".join(f"{picture} {ends[named[picture]]}\n" for picture in sorted(named))


def write_sign(path: Path, named: Mapping[str, str], labels: Sequence[Label], places: int = NUM_CLASSES) -> None:
    """Writes sign.txt, whole or not at all; arguments as of `sign_lines`.

    Raises:
        InputError: if it cannot be written, or a picture has a label that there is not.
    """
    files.write_text(path, sign_lines(named, labels, places))
