"""The command line of the colorizers where pictures and results are in object storage."""

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from historynet import films
from historynet.colorizing import objects
from historynet.colorizing.inputs import is_of_a_system, read_list
from historynet.colorizing.objects import Object
from historynet.colorizing.records import WITHOUT_RECORD, differences
from historynet.colorizing.reporting import EXISTING, Outcome, Report
from historynet.colorizing.results import SUFFIXES, name_results
from historynet.commands.colorize_cluster import FILM
from historynet.errors import InputError
from historynet.pictures import formats


@dataclass
class ObjectPlan:
    """What is made of which objects.

    Attributes:
        pictures: in order.
        names: of their results, below the folder of results.
        films: which are left out.
    """

    pictures: list[Object] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    films: list[Object] = field(default_factory=list)


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
            raise InputError(f"{url}: no such object, and no folder with any")
        if [one.url for one in there] != [url]:
            roots.append(PurePosixPath(url))
            there = [one for one in there if _is_taken(one.url, url, results)]
        found |= {one.url: one for one in there}
    listed = read_list(arguments.list) if arguments.list else []
    for url in listed:
        if not objects.is_url(url):
            raise InputError(f"{arguments.list}: names {url}, which is no URL, and {results} is one")
        found.setdefault(objects.normal(url), Object(objects.normal(url)))
    if listed:
        roots.append(PurePosixPath(os.path.commonpath([PurePosixPath(url).parent for url in found])))
    for one in found.values():
        is_film = PurePosixPath(one.url).suffix.lower() in films.EXTENSIONS
        (plan.films if is_film else plan.pictures).append(one)
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
    existing: str,
    made_with: Callable[[str], dict[str, object]],
    report: Report,
) -> ObjectPlan:
    """What is still to be made, by what there is in the folder of results; the rest is counted.

    Args:
        plan: all.
        results: URL of the folder of results.
        existing: as of `Options`.
        made_with: what a result of an extension is made with, all of it.
        report: to which is added.

    Raises:
        InputError: if a result is another picture's, or, unasked, would be made again.
    """
    for film in plan.films:
        report.skip(film.url, f"{film.url}: {FILM}")
    there = {one.url for one in objects.find(results)}
    entries = objects.read_records(results) if there else {}
    made_of: dict[str, list[str]] = {}
    for url, entry in entries.items():
        made_of.setdefault(entry.source, []).append(url)
    left = ObjectPlan()
    for picture, name in zip(plan.pictures, plan.names, strict=True):
        url = f"{results}/{name}"
        entry = entries.get(url)
        if url in there and entry and entry.source != picture.url:
            raise InputError(
                f"{url}: is the result of {entry.source}, not of {picture.url}; name another folder with --result-dir"
            )
        # The pages of a document are called otherwise.
        made = made_of.get(picture.url) or [url]
        if existing == "refuse" and any(one in there for one in made):
            raise InputError(
                f"{next(one for one in made if one in there)}: is there already; --skip-existing leaves such pictures "
                "out, --overwrite makes them again"
            )
        if existing != "skip" or not all(one in there for one in made):
            left.pictures.append(picture)
            left.names.append(name)
            continue
        entry = entries.get(made[0])
        if entry and picture.size is not None and (picture.size, picture.version) != (entry.size, entry.version):
            report.skip(picture.url, f"{picture.url}: has changed since {made[0]} was made; --overwrite makes it again")
            continue
        changed = entry and differences(entry.settings, made_with(PurePosixPath(made[0]).suffix))
        notes = [] if entry else [WITHOUT_RECORD]
        if changed:
            notes.append(f"its result, which is there already, was made with {changed} (--overwrite makes it again)")
        report.existing += 1
        report.note(picture.url, notes)
        report.outcomes.append(Outcome(picture.url, made[0], EXISTING, "; ".join(notes)))
    return left
