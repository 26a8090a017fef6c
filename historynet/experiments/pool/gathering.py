"""The pictures that there are, set by set: of folders, of archives, of fetched repositories."""

import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from historynet import files, locks
from historynet.errors import InputError
from historynet.experiments.pool import fetching, sources
from historynet.experiments.pool.sources import Part, Source
from historynet.pictures import images


@dataclass(frozen=True)
class Picture:
    """One that may become part of the data set.

    Attributes:
        source: its set.
        name: in the set, without extension.
        path: of its file, or of its archive and its name in that, for messages.
        read: returns its file's content.
        stored: whether it comes from an archive, as it is to be stored and after the filters of its set.
        part: the repository that it was fetched from now.
    """

    source: Source
    name: str
    path: Path
    read: Callable[[], bytes]
    stored: bool = False
    part: Part | None = None


def of_folder(source: Source, folder: Path) -> list[Picture]:
    """The pictures of a folder, by name.

    Raises:
        InputError: if it cannot be read, or holds no picture.
    """
    return [_of_file(source, Path(name).stem, folder / name) for name in images.list_pictures(folder)]


def _of_file(source: Source, name: str, path: Path, part: Part | None = None) -> Picture:
    return Picture(source, name, path, lambda: images.read_bytes(path), part=part)


def of_copies(copies: Sequence[Path], unclear: bool) -> list[Picture]:
    """The pictures of the pool in local copies: archives of SET/NAME, or folders with a folder for each set.

    Args:
        copies: the archives and folders; of two with one picture the first counts.
        unclear: whether sets without a stated licence are taken.

    Raises:
        InputError: if one cannot be read, is damaged, or holds none of the sets.
    """
    known = {source.name: source for source in sources.POOL}
    found = {}
    for copy in copies:
        pictures = list(_of_pool_folder(copy, known) if copy.is_dir() else _of_archive(copy, known))
        if not pictures:
            raise InputError(f"{copy}: holds none of the sets {', '.join(known)}")
        for picture in pictures:
            found.setdefault((picture.source.name, picture.name), picture)
    return _in_order(found.values(), unclear)


def of_repositories(cache: Path, unclear: bool, say: Callable[[str], None]) -> list[Picture]:
    """The pictures of the pool in the public repositories, which are fetched unless they are there.

    Args:
        cache: folder of the fetched repositories.
        unclear: whether sets without a stated licence are taken.
        say: told what is being done.

    Raises:
        InputError: if one cannot be fetched.
    """
    found = {}
    with locks.lock(cache, "another process fetches into it"):
        for source in sources.POOL:
            if not (source.stated or unclear):
                continue
            if not source.parts:
                say(f"{source.name}: in no repository, left out")
            for part in source.parts:
                say(f"{source.name}: {part.repository} at {part.commit}")
                folder = fetching.fetch(part, cache)
                for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in images.EXTENSIONS):
                    name = part.name(path.relative_to(folder))
                    # Of two with one name, in two folders of a repository, the first by path.
                    found.setdefault((source.name, name), _of_file(source, name, path, part))
    return _in_order(found.values(), unclear)


def _in_order(pictures: Iterable[Picture], unclear: bool) -> list[Picture]:
    """Those that their sets take, by set as in the table, and by name."""
    place = {source.name: number for number, source in enumerate(sources.POOL)}
    taken = [
        picture for picture in pictures if (picture.source.stated or unclear) and picture.source.takes(picture.name)
    ]
    return sorted(taken, key=lambda picture: (place[picture.source.name], picture.name))


def _of_pool_folder(folder: Path, known: dict[str, Source]) -> Iterator[Picture]:
    for path in sorted(files.list_folder(folder)):
        source = known.get(sources.known_as(path.name))
        if source and path.is_dir():
            yield from of_folder(source, path)


def _of_archive(path: Path, known: dict[str, Source]) -> Iterator[Picture]:
    """The members SET/NAME, read into memory: an archive has some megabytes."""

    def damaged(error: Exception) -> InputError:
        return InputError(f"{path}: not a whole zip archive ({error})")

    with files.open_archive(path, damaged) as file, zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            parts = PurePosixPath(member.filename).parts
            source = known.get(sources.known_as(parts[0])) if len(parts) == 2 else None
            if source:
                yield _stored(source, parts[1], path, archive.read(member))


def _stored(source: Source, name: str, archive: Path, data: bytes) -> Picture:
    return Picture(source, name, archive / f"{source.name}/{name}", lambda: data, stored=True)
