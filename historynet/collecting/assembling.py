"""What the steps have found of the kept pictures -> the pictures of the data set, and which are for tests."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from historynet.collecting import film_list, final, labels, manifest, splitting
from historynet.collecting.film_list import Film
from historynet.collecting.final import FinalLabel
from historynet.collecting.labels import Label
from historynet.collecting.manifest import Picture
from historynet.collecting.settings import MHMDSettings
from historynet.errors import InputError


@dataclass(frozen=True)
class Entry:
    """A picture of the data set.

    Attributes:
        picture: as the manifest has it.
        film: that it is of.
        path: of its file.
        label: its label, never none.
        mask: file of its parsing; None if it has none.
        parsed_by: who made that; empty if it has none.
        test: whether it is in the test part.
    """

    picture: Picture
    film: Film
    path: Path
    label: FinalLabel
    mask: Path | None
    parsed_by: str
    test: bool


@dataclass(frozen=True)
class Assembled:
    """A data set before it is written.

    Attributes:
        entries: its pictures, sorted by name.
        table: its labels, in the order of the places in sign.txt.
        notes: what there is to say of it.
    """

    entries: Sequence[Entry]
    table: Sequence[Label]
    notes: Sequence[str]


def assemble(settings: MHMDSettings, parsed_by: Mapping[str, str], private: bool) -> Assembled:
    """The pictures of the data set: those that are kept and have a label of the table.

    Args:
        settings: of the step.
        parsed_by: who made the parsing of each picture that has one, by name.
        private: whether films without licence and source are allowed.

    Raises:
        InputError: if a film lacks licence or source, unless `private`; if a picture has no label yet, or none of the
            parsing that is wanted; if none is left; if something cannot be read.
    """
    work = settings.work
    table = labels.table(settings.labels, settings.num_classes)
    ordered = labels.ordered(table, settings.label_order, settings.num_classes) if settings.label_order else table
    pictures = manifest.read(work)
    films = {film.file_key: film for film in film_list.read(work / film_list.NAME)}
    for picture in pictures:
        if picture.file_key not in films:
            raise film_list.unlisted(work / film_list.NAME, picture.file_key)
    if not private:
        used = {picture.file_key for picture in pictures}
        film_list.check_licences(work / film_list.NAME, [film for film in films.values() if film.file_key in used])
    given = final.final_labels(work, [picture.picture for picture in pictures], table)
    _check_labels(work, pictures, given)
    inside = [picture for picture in pictures if given[picture.picture].label is not None]
    if not inside:
        raise InputError(f"{work / manifest.NAME}: no picture has a label of the table, so there is no data set")
    masks = {one.picture: manifest.mask_of(work, one) for one in inside}
    masks = {name: path for name, path in masks.items() if path.exists()}
    _check_parsing(settings, inside, masks)
    tests, notes = split(settings, inside, {name: one.label for name, one in given.items()}, table)
    if len(inside) < len(pictures):
        notes.insert(0, f"{len(pictures) - len(inside)} pictures are outside the table of labels, and left out")
    if unparsed := len(inside) - len(masks):
        notes.append(f"{unparsed} pictures have no parsing; HistoryNet trains with --allow-missing-parsing")
    return Assembled(
        [
            Entry(
                one,
                films[one.file_key],
                manifest.path_of(work, one),
                given[one.picture],
                masks.get(one.picture),
                parsed_by.get(one.picture, "") if one.picture in masks else "",
                one.picture in tests,
            )
            for one in inside
        ],
        ordered,
        notes,
    )


def _check_labels(work: Path, pictures: Sequence[Picture], given: Mapping[str, FinalLabel]) -> None:
    missing = [one.picture for one in pictures if one.picture not in given]
    if missing:
        raise InputError(
            f"{work / final.FOLDER}: {len(missing)} of {len(pictures)} pictures have no label, {missing[0]} for one; "
            "`label.py rest` labels them, with the labeller that MHMD_Labeller.py trains"
        )


def _check_parsing(settings: MHMDSettings, inside: Sequence[Picture], masks: Mapping[str, Path]) -> None:
    """Of PARSE_COUNT pictures some may have left the set by their labels since; without it each has a parsing."""
    missing = [one.picture for one in inside if one.picture not in masks]
    if missing and (settings.parse_count is None or not masks):
        raise InputError(
            f"{settings.work}: {len(missing)} of {len(inside)} pictures have no parsing, {missing[0]} for one; "
            "`parse.py make` makes it; --parse-count for a data set in which some have it"
        )


def split(
    settings: MHMDSettings, pictures: Sequence[Picture], named: Mapping[str, str | None], table: Sequence[Label]
) -> tuple[set[str], list[str]]:
    """The pictures of the test part, and what there is to say of it.

    Args:
        settings: of the step.
        pictures: of the data set.
        named: the name of each picture's label.
        table: all labels.
    """
    notes = []
    names = [one.picture for one in pictures]
    titles = {one.key for one in pictures}
    if settings.split == "random":
        tests = splitting.by_picture(names, settings.test_share, settings.seed)
        notes.append(
            "split by pictures: frames of one film are in both parts, so the test part says little of new films"
        )
    else:
        place = {label.name: i for i, label in enumerate(table)}
        counts = {key: [0] * len(table) for key in titles}
        for one in pictures:
            counts[one.key][place[named[one.picture]]] += 1
        chosen = set(splitting.by_title(counts, settings.test_share, settings.seed))
        tests = {one.picture for one in pictures if one.key in chosen}
    if not tests:
        why = f"each title has more than twice {settings.test_share:.1%} of the pictures, or half of those of a label"
        if len(titles) == 1:
            why = "there is one title only"
        elif settings.split == "random":
            why = "there are too few pictures"
        return tests, [*notes, f"no test part: {why}; --test-share and --split change that"]
    in_tests = Counter(named[name] for name in tests)
    in_all = Counter(named[name] for name in names)
    for part, lacking in (
        ("test", [label.name for label in table if in_all[label.name] and not in_tests[label.name]]),
        ("training", [label.name for label in table if in_all[label.name] == in_tests[label.name] > 0]),
    ):
        if lacking:
            notes.append(f"labels that are not in the {part} part: {', '.join(lacking)}")
    if absent := [label.name for label in table if not in_all[label.name]]:
        notes.append(f"{len(absent)} of {len(table)} labels have no picture")
    return tests, notes
