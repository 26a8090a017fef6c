"""The command line of the colorizers where pictures and results are in object storage."""

import argparse
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from historynet import films
from historynet.colorizing import objects
from historynet.colorizing.beside import Beside
from historynet.colorizing.distant import Setup
from historynet.colorizing.inputs import is_of_a_system, read_list
from historynet.colorizing.objects import Entry, Object
from historynet.colorizing.options import is_url
from historynet.colorizing.records import WITHOUT_RECORD, differences
from historynet.colorizing.reporting import EXISTING, Outcome, Report
from historynet.colorizing.results import SUFFIX, SUFFIXES, name_results
from historynet.commands.colorize_cluster import FILM
from historynet.errors import InputError
from historynet.pictures import formats

_PAGE = re.compile(rf"_p\d+{SUFFIX}$")
"""What the names of pages' results end with."""


@dataclass
class ObjectPlan:
    """What is made of which objects.

    Attributes:
        pictures: in order.
        names: of their results, below the folder of results.
        films: which are left out.
        refused: which are left out for their names.
    """

    pictures: list[Object] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    films: list[Object] = field(default_factory=list)
    refused: list[Object] = field(default_factory=list)

    @property
    def urls(self) -> list[str]:
        """Of all of them."""
        return [one.url for one in (*self.pictures, *self.films, *self.refused)]


def check_given(arguments: argparse.Namespace) -> bool:
    """Whether pictures and results are in object storage.

    Raises:
        InputError: if only one of both is, or there is no cluster.
    """
    urls = [given for given in arguments.inputs if isinstance(given, str)]
    results = arguments.results_url
    if not urls and not results:
        return False
    if not results:
        raise InputError(f"{urls[0]}: of objects the results are objects, too: --result-dir takes a URL")
    if len(urls) < len(arguments.inputs) or not (urls or arguments.list):
        raise InputError(f"--result-dir {results}: of files the results are files; name the pictures by URLs, too")
    if not arguments.cluster:
        raise InputError(f"{results}: object storage is with --cluster alone, which can stand for this machine")
    return True


def make_plan(arguments: argparse.Namespace) -> ObjectPlan:
    """Which pictures there are, and the names of their results.

    Raises:
        InputError: if there are none, or a store refuses.
    """
    results, plan, found = objects.normal(arguments.results_url), ObjectPlan(), {}
    roots = []
    for url in map(objects.normal, arguments.inputs):
        there = objects.find(url, arguments.recursive)
        if not there:
            raise InputError(f"{url}: no such object, and no folder with any (folders of it: --recursive)")
        if [one.url for one in there] != [url]:
            roots.append(PurePosixPath(url))
            there = [one for one in there if _is_taken(one.url, url, results)]
            if not there:
                raise InputError(f"{url}: no pictures in this folder, or only in folders of it (--recursive)")
        found |= {one.url: one for one in there}
    listed = read_list(arguments.list) if arguments.list else []
    for url in listed:
        if not is_url(url):
            raise InputError(f"{arguments.list}: names {url}, which is no URL, and {results} is one")
        found.setdefault(objects.normal(url), Object(objects.normal(url)))
    if listed:
        roots.append(PurePosixPath(os.path.commonpath([PurePosixPath(url).parent for url in found])))
    for one in found.values():
        is_film = PurePosixPath(one.url).suffix.lower() in films.EXTENSIONS
        kind = plan.films if is_film else plan.pictures
        (plan.refused if objects.leads_out(one.url) else kind).append(one)
    paths = [PurePosixPath(one.url) for one in plan.pictures]
    mirrored = roots if arguments.recursive else []
    plan.names = [str(name) for name in name_results(paths, PurePosixPath(), mirrored, arguments.format)]
    return plan


def _is_taken(url: str, folder: str, results: str) -> bool:
    """Whether an object of a folder is a picture or film, and no earlier result."""
    path = PurePosixPath(url)
    below = path.relative_to(PurePosixPath(folder)).parts
    if path.suffix.lower() not in formats.EXTENSIONS | films.EXTENSIONS or any(map(is_of_a_system, below)):
        return False
    if folder == results:
        return not path.stem.endswith(SUFFIXES)
    return not url.startswith(f"{results}/")


def leave_out_done(
    plan: ObjectPlan,
    results: str,
    setup: Setup,
    report: Report,
) -> ObjectPlan:
    """What is still to be made, by what there is in the folder of results; the rest is counted.

    Args:
        plan: all.
        results: URL of the folder of results.
        setup: how they are made.
        report: to which is added.

    Raises:
        InputError: if a result is another picture's, or, unasked, would be made again.
    """
    for film in plan.films:
        report.skip(film.url, f"{film.url}: {FILM}")
    for one in plan.refused:
        report.skip(one.url, f"{one.url}: a name with '..' in it, which is no place in a folder of results; rename it")
    there = {one.url for one in objects.find(results)}
    entries = objects.read_records(results) if there else {}
    made_of: dict[str, list[str]] = {}
    for url, entry in entries.items():
        made_of.setdefault(entry.source, []).append(url)
    left, planned = ObjectPlan(), {name.casefold() for name in plan.names}
    for picture, name in zip(plan.pictures, plan.names, strict=True):
        url = f"{results}/{name}"
        entry = entries.get(url)
        if url in there and entry and entry.source != picture.url:
            raise InputError(
                f"{url}: is the result of {entry.source}, not of {picture.url}; name another folder with --result-dir"
            )
        # The pages of a document are called otherwise.
        pages = [] if url in there else [one for one in made_of.get(picture.url, ()) if _is_page(one, url)]
        made = [one for result in pages or [url] for one in _with_beside(result, results, setup, planned)]
        if not _is_left_out(picture, made, there, entries, setup, report):
            left.pictures.append(picture)
            left.names.append(name)
    return left


def _is_left_out(
    picture: Object,
    made: Sequence[str],
    there: Collection[str],
    entries: Mapping[str, Entry],
    setup: Setup,
    report: Report,
) -> bool:
    """Whether a picture is not made, of what would be made of it already being there; it is counted then."""
    existing = setup.options.existing
    first = next((one for one in made if one in there), None)
    if first is None or existing == "overwrite":
        return False
    if existing == "refuse":
        raise InputError(
            f"{first}: is there already; --skip-existing leaves such pictures out, --overwrite makes them again"
        )
    entry = entries.get(first)
    if entry and picture.size is not None and (picture.size, picture.version) != (entry.size, entry.version):
        report.skip(picture.url, f"{picture.url}: has changed since {first} was made; --overwrite makes it again")
        return True
    changed = entry and differences(entry.settings, setup.made_with(PurePosixPath(first).suffix))
    missing = next((one for one in made if one not in there), None)
    if missing:
        # Of the same settings, what is there becomes the same again: a lost process leaves half of them.
        if entry and not changed:
            return False
        how = f"made with {changed}" if changed else "made nobody knows how"
        report.skip(
            picture.url,
            f"{picture.url}: {missing} is missing beside {first}, which was {how}; --overwrite makes both",
        )
        return True
    notes = [] if entry else [WITHOUT_RECORD]
    if changed:
        notes.append(f"its result, which is there already, was made with {changed} (--overwrite makes it again)")
    report.existing += 1
    report.note(picture.url, notes)
    report.outcomes.append(Outcome(picture.url, first, EXISTING, "; ".join(notes)))
    return True


def _is_page(url: str, result: str) -> bool:
    """Whether a result of the same document is a page's, and `result` is what it would have if it had a single one."""
    page, whole = PurePosixPath(url), PurePosixPath(result)
    return (page.parent, page.suffix) == (whole.parent, whole.suffix) and bool(_PAGE.search(page.stem))


def _with_beside(url: str, results: str, setup: Setup, planned: Collection[str]) -> Iterator[str]:
    """A result, and what is wanted beside it."""
    yield url
    name = PurePosixPath(url.removeprefix(f"{results}/"))
    for path in Beside.of(name, setup.options.alternatives, setup.options.confidence, planned).paths:
        yield f"{results}/{path}"
