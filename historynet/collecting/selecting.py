"""Which pictures a person is shown: those that were drawn, those the labeller is unsure of, some to check it by."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

from historynet.collecting import answers, drawing, film_list, labels, manifest, rows
from historynet.collecting.answers import UNSURE
from historynet.collecting.film_list import Film
from historynet.collecting.final import AUDIT, FOLDER, HAND, SECOND_LOOK, Guess, final_labels, read_guesses, settled
from historynet.collecting.labelling import Item
from historynet.collecting.labels import Label
from historynet.collecting.manifest import Picture
from historynet.collecting.settings import MHMDSettings
from historynet.errors import InputError

DRAWN = "drawn.csv"
"""In WORK/labels: the drawn pictures, and by which seed."""

_COLUMNS = ("picture", "seed")


@dataclass(frozen=True)
class Kept:
    """The kept pictures of a folder WORK, and what they can be labelled with.

    Args:
        settings: of the step.
    """

    settings: MHMDSettings

    @property
    def work(self) -> Path:
        """The folder WORK."""
        return self.settings.work

    @property
    def folder(self) -> Path:
        """The folder of the labels."""
        return self.work / FOLDER

    @cached_property
    def table(self) -> list[Label]:
        """All labels."""
        return labels.table(self.settings.labels, self.settings.num_classes)

    @cached_property
    def names(self) -> list[str]:
        """Their names."""
        return [label.name for label in self.table]

    @cached_property
    def pictures(self) -> dict[str, Picture]:
        """The kept pictures by name, sorted."""
        return {picture.picture: picture for picture in manifest.read(self.work)}

    @cached_property
    def films(self) -> dict[str, Film]:
        """The films by file key."""
        listed = film_list.read(self.work / film_list.NAME, labels.words(self.table))
        return {film.file_key: film for film in listed}

    @cached_property
    def _possible(self) -> dict[str, list[Label]]:
        """What the films' rows leave, by file key."""
        found = {}
        for key, film in self.films.items():
            found[key] = labels.allowed(self.table, film.eras, film.nationalities, film.garments)
            if not found[key]:
                raise InputError(
                    f"{self.work / film_list.NAME}, line {film.line}: no label has an era, a nationality and a garment "
                    f"of {key}'s; leave one of them empty"
                )
        return found

    def possible(self, picture: Picture) -> list[Label]:
        """The labels that the row of a picture's film leaves.

        Raises:
            InputError: if there is no such row, or it leaves none.
        """
        if picture.file_key not in self._possible:
            raise film_list.unlisted(self.work / film_list.NAME, picture.file_key)
        return self._possible[picture.file_key]

    def item(self, name: str, guess: str | None = None) -> Item:
        """A picture as it is shown to a person.

        Args:
            name: of the picture.
            guess: name of a label that is offered.
        """
        picture = self.pictures[name]
        possible = self.possible(picture)
        film = self.films[picture.file_key]
        title = " ".join(filter(None, (film.name or film.key, film.part)))
        path = manifest.path_of(self.work, picture)
        return Item(name, path, picture.key, title, picture.seconds, picture.boxes, possible, guess)

    def settled(self, file: str) -> Mapping[str, answers.Answer]:
        """The answers of a file that count."""
        return settled(self.work, file, self.pictures, self.names)


def draw(kept: Kept) -> tuple[list[str], int]:
    """Draws pictures to be labelled, and adds them to those of earlier draws.

    Returns:
        All drawn pictures that are kept; how many of them are new.

    Raises:
        InputError: if there are no pictures, or the table of draws cannot be used.
    """
    by_title: dict[str, list[str]] = {}
    for name, picture in kept.pictures.items():
        by_title.setdefault(picture.key, []).append(name)
    if not by_title:
        raise InputError(f"{kept.work / manifest.NAME}: no picture is kept, so none can be drawn")
    seeds = _read_drawn(kept.folder / DRAWN)
    # Its shortest decimal form is the one that stands in config.py or on the command line.
    drawn = drawing.draw(by_title, Fraction(str(kept.settings.label_share)), kept.settings.seed)
    new = [name for name in drawn if name not in seeds]
    seeds |= {name: str(kept.settings.seed) for name in new}
    rows.write(kept.folder / DRAWN, [_COLUMNS, *seeds.items()])
    return read_drawn(kept), len(new)


def read_drawn(kept: Kept) -> list[str]:
    """The drawn pictures that are kept, by title, then by name.

    Raises:
        InputError: if the table cannot be used.
    """
    drawn = (name for name in _read_drawn(kept.folder / DRAWN) if name in kept.pictures)
    return sorted(drawn, key=lambda name: (kept.pictures[name].key, name))


def _read_drawn(path: Path) -> dict[str, str]:
    return {cells["picture"]: cells["seed"] for _, cells in rows.read(path, _COLUMNS)} if path.exists() else {}


def by_hand(kept: Kept, person: str) -> list[Item]:
    """The drawn pictures that a person is shown: those that no other is sure of, and a share of the others.

    Raises:
        InputError: if nothing was drawn, or something cannot be used.
    """
    drawn = read_drawn(kept)
    if not drawn:
        raise InputError(f"{kept.folder / DRAWN}: nothing is drawn; `label.py draw` comes first")
    given = answers.by_person(answers.read(kept.folder / HAND, kept.pictures, kept.names))
    return [kept.item(name) for name in drawn if _is_shown(kept.settings, name, given.get(name, {}), person)]


def _is_shown(settings: MHMDSettings, name: str, given: Mapping[str, str], person: str) -> bool:
    is_done = any(by != person and label != UNSURE for by, label in given.items())
    return person in given or not is_done or drawing.unit(f"{settings.seed}/twice/{name}") < settings.offered_twice


def second_look(kept: Kept) -> list[Item]:
    """The pictures of whose label the labeller is least sure, that one first, with its label as the guess.

    Raises:
        InputError: if it has labelled none, or something cannot be used.
    """
    settings, seen = kept.settings, {*kept.settled(HAND), *kept.settled(AUDIT)}
    unsure = [
        (guess.confidence, name, guess)
        for name, guess in _guesses(kept).items()
        if (guess.confidence < settings.sure_confidence or guess.margin < settings.sure_margin) and name not in seen
    ]
    return [kept.item(name, guess.label) for _, name, guess in sorted(unsure, key=_first_two)[: settings.second_looks]]


def _first_two(of_three: tuple[float, str, Guess]) -> tuple[float, str]:
    return of_three[:2]


def audit(kept: Kept) -> list[Item]:
    """Some of the pictures that no person has labelled, by chance, without a guess.

    Raises:
        InputError: if the labeller has labelled none, or something cannot be used.
    """
    seen = {*kept.settled(HAND), *kept.settled(SECOND_LOOK)}
    others = (name for name in _guesses(kept) if name not in seen)
    chosen = sorted(others, key=lambda name: drawing.digest(f"{kept.settings.seed}/audit/{name}"))
    return [kept.item(name) for name in sorted(chosen[: kept.settings.audited])]


def _guesses(kept: Kept) -> dict[str, Guess]:
    found = {name: guess for name, guess in read_guesses(kept.work, kept.names).items() if name in kept.pictures}
    if not found:
        raise InputError(f"{kept.folder}: the labeller has labelled nothing yet; `label.py rest` comes first")
    return found


def audit_result(kept: Kept) -> tuple[int, int]:
    """How many of the audited pictures have the right final label, and how many are compared.

    A picture that is outside of the table should not be in the set: its label is wrong.

    Raises:
        InputError: if something cannot be used.
    """
    checked = kept.settled(AUDIT)
    final = final_labels(kept.work, kept.pictures, kept.table, audited=False) if checked else {}
    pairs = [(final[name].label, answer.label) for name, answer in checked.items() if name in final]
    return sum(one == other for one, other in pairs), len(pairs)


def possible_places(kept: Kept, pictures: Iterable[Picture]) -> list[tuple[int, ...]]:
    """The places of the labels that each picture can have, by the rows of the films.

    Raises:
        InputError: as `Kept.possible`.
    """
    # Of each film one tuple, whatever its pictures are.
    places: dict[str, tuple[int, ...]] = {}
    found: list[tuple[int, ...]] = []
    for picture in pictures:
        if picture.file_key not in places:
            places[picture.file_key] = tuple(label.index for label in kept.possible(picture))
        found.append(places[picture.file_key])
    return found


def given_by(kept: Kept, file: str, person: str) -> dict[str, str]:
    """A person's answers of a file, label by picture, in the order in which they were given last."""
    found: dict[str, str] = {}
    for answer in answers.read(kept.folder / file, kept.pictures, kept.names):
        if answer.by == person:
            found.pop(answer.picture, None)
            found[answer.picture] = answer.label
    return found


def agreed(answered: Sequence[answers.Answer]) -> list[str]:
    """Lines on how far persons agree, for people."""
    return [
        f"{one.persons[0]} and {one.persons[1]}: {one.pictures} pictures, {one.same} with the same label, "
        f"Cohen's kappa {one.kappa:.2f}"
        for one in answers.agreements(answered)
    ]
