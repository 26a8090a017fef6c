"""Pictures in object storage, through fsspec: which there are, and a few at a time on this machine's disk.

An object is named by its URL, as `s3://bucket/folder/a.jpg`. What results were made from stands beside them in
`.historynet/`, a file for each piece of work: a store adds to no file.
"""

import contextlib
import itertools
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from historynet import extras
from historynet.colorizing import records
from historynet.colorizing.reporting import Report
from historynet.colorizing.results import fitting_name
from historynet.errors import InputError, PictureError, reason, translated
from historynet.parallel import batched

FOLDER = ".historynet"
"""Of the records, in the folder of results."""

_VERSIONS = ("ETag", "etag", "generation", "last_modified", "LastModified", "mtime")
"""Under which names stores say that an object is another one by now."""

_LONGEST_SUFFIX = 20
"""Characters; what is longer is none."""

_AT_ONCE = 256
"""Files of records that are read together."""


@dataclass(frozen=True)
class Object:
    """An object as it is now.

    Attributes:
        url: its name.
        size: in bytes; None: nobody has looked.
        version: what the store says of when it was written; empty if it says nothing.
    """

    url: str
    size: int | None = None
    version: str = ""


def _store(url: str) -> tuple[Any, str]:
    """A store, and the object's or folder's name in it.

    Raises:
        InputError: if there is no library for it.
    """
    try:
        import fsspec
    except ImportError as error:
        raise InputError(f"{url}: fsspec is not installed: {extras.how_to_install('fsspec')}") from error
    with _refused(url):
        return fsspec.core.url_to_fs(url)


def _refused(url: str, kind: type[InputError] = InputError) -> contextlib.AbstractContextManager[None]:
    """Within it, what a store refuses is an error of ours: stores have no class of errors in common."""
    return translated(Exception, lambda error: kind(f"{url}: {reason(error)}"))


def normal(url: str) -> str:
    """The URL as the store itself writes it, by which two names of an object are one.

    Raises:
        InputError: if there is no library for the store.
    """
    store, name = _store(url)
    return store.unstrip_protocol(name).rstrip("/")


def find(url: str, recursive: bool = True) -> list[Object]:
    """The objects of a folder in order, or the object of that name; none if there is nothing.

    Args:
        url: of the folder or object.
        recursive: whether its folders' are taken, too.

    Raises:
        InputError: if the store refuses.
    """
    store, name = _store(url)
    with _refused(url):
        # Others write there, too.
        store.invalidate_cache()
        # Of an object itself, that one.
        found = store.find(name, maxdepth=None if recursive else 1, detail=True)
    objects = (_object(store, key, info) for key, info in found.items() if info["type"] == "file")
    return sorted(objects, key=lambda one: one.url)


def _object(store: Any, key: str, info: Mapping[str, Any]) -> Object:
    version = next((str(info[name]) for name in _VERSIONS if name in info), "")
    return Object(store.unstrip_protocol(key), info["size"], version)


def look(url: str) -> str:
    """What there is to see of an object, for a comparison of machines."""
    try:
        store, name = _store(url)
        with _refused(url):
            return f"{store.info(name)['size']} bytes"
    except InputError as error:
        return str(error)


@dataclass(frozen=True)
class Entry:
    """What a result was made from.

    Attributes:
        source: URL of the picture.
        size: of the picture, in bytes.
        version: as of `Object`.
        settings: what it was made with.
        recorded: seconds since 1970.
    """

    source: str
    size: int
    version: str
    settings: Mapping[str, Any]
    recorded: float = 0.0


def read_records(results: str) -> dict[str, Entry]:
    """What the results of a folder were made from, by their URLs; lines that are none of ours are passed over.

    Raises:
        InputError: if the store refuses.
    """
    entries: dict[str, Entry] = {}
    # A run has few kinds of settings: each is kept once.
    kinds: dict[str, Mapping[str, Any]] = {}
    store, name = _store(f"{results.rstrip('/')}/{FOLDER}")
    with _refused(results):
        parts = store.find(name)
    for several in batched(parts, _AT_ONCE):
        with _refused(results):
            texts = store.cat(several).values()
        for line in itertools.chain.from_iterable(text.decode(errors="replace").splitlines() for text in texts):
            with contextlib.suppress(ValueError, KeyError, TypeError):
                one = json.loads(line)
                settings = kinds.setdefault(json.dumps(one["settings"], sort_keys=True), one["settings"])
                entry = Entry(one["source"], one["bytes"], one["version"], settings, float(one.get("recorded", 0)))
                # Another run has other pieces: the last of a name counts, in whichever file it is.
                before = entries.get(one["result"])
                if before is None or before.recorded <= entry.recorded:
                    entries[one["result"]] = entry
    return entries


@contextlib.contextmanager
def on_disk(
    files: Sequence[tuple[Object, str]], results: str, replaced: bool
) -> Iterator[tuple[Path, list[tuple[Path, Path]], Callable[[Report], Report]]]:
    """Some objects as files in a temporary folder, which goes at the end.

    Args:
        files: a picture, and the name that its result is to have below `results`.
        results: URL of the folder of results.
        replaced: whether earlier results can be there, which these are to replace.

    Yields:
        The folder of results; (picture, result) as files; and what is to be called with the report of them when they
        are made: it takes all that was made to the store, and returns the report as one of the objects.

    Raises:
        InputError: if the store refuses to take a result. What it does not give is the file's own trouble: it is not
            there.
    """
    with tempfile.TemporaryDirectory(prefix="historynet-") as temporary:
        folder, base = Path(temporary), results.rstrip("/")
        sources: dict[Path, Object] = {}
        pairs, missing = [], {}
        for place, (source, result) in enumerate(files):
            path = _place(folder / "in" / str(place), source.url)
            path.parent.mkdir(parents=True)
            sources[path] = source
            try:
                store, name = _store(source.url)
                with _refused(source.url, PictureError):
                    if source.size is None:
                        sources[path] = _object(store, name, store.info(name))
                    store.get_file(name, str(path))
            except PictureError as error:
                path.unlink(missing_ok=True)
                missing[path] = str(error)
            pairs.append((path, folder / "out" / result))

        def finish(report: Report) -> Report:
            _upload(folder / "out", base, sources, replaced)
            return _renamed(report, folder / "out", base, sources, missing)

        yield folder / "out", pairs, finish


def _place(folder: Path, url: str) -> Path:
    """The file of an object in a folder of its own: names in a store can be such as no file system takes."""
    name = PurePosixPath(url)
    end = name.suffix if name.suffix.isascii() and len(name.suffix) <= _LONGEST_SUFFIX else ""
    # By its folder's name pages are told apart.
    return folder / fitting_name(name.parent.name, "") / fitting_name(name.name.removesuffix(end), end)


def leads_out(name: str) -> bool:
    """Whether a name would, as a path, be outside of the folder that it is in."""
    return ".." in PurePosixPath(name).parts


def _upload(out: Path, base: str, sources: Mapping[Path, Object], replaced: bool) -> None:
    """Takes what was made to the store: what it was made from first, so that no result is there without it."""
    store, root = _store(base)
    lines = [line for path in sorted(out.rglob(records.NAME)) for line in _lines(path, out, base, sources)]
    made = [path for path in sorted(out.rglob("*")) if path.is_file() and path.name != records.NAME]
    names = [path.relative_to(out).as_posix() for path in made]
    for name in names if replaced else ():
        # An earlier one would pass for what the record is of, if this ended here.
        with _refused(f"{base}/{name}"), contextlib.suppress(FileNotFoundError):
            store.rm_file(f"{root}/{name}")
    if lines:
        # The same piece has the same name, if it is made twice.
        piece = sha256("\n".join(sorted(source.url for source in sources.values())).encode()).hexdigest()[:32]
        with _refused(f"{base}/{FOLDER}"):
            store.makedirs(f"{root}/{FOLDER}", exist_ok=True)
            store.pipe_file(f"{root}/{FOLDER}/{piece}.jsonl", "".join(lines).encode())
    for path, name in zip(made, names, strict=True):
        with _refused(f"{base}/{name}"):
            store.makedirs(str(PurePosixPath(f"{root}/{name}").parent), exist_ok=True)
            store.put_file(str(path), f"{root}/{name}")


def _lines(path: Path, out: Path, base: str, sources: Mapping[Path, Object]) -> Iterator[str]:
    """The records of a folder as those of a store."""
    by_real_path = {str(source.resolve()): one for source, one in sources.items()}
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        source = by_real_path[entry["source"]]
        result = f"{base}/{(path.parent / entry['result']).relative_to(out).as_posix()}"
        del entry["modified"]
        of_store = {"result": result, "source": source.url, "version": source.version, "recorded": time.time()}
        yield json.dumps({**entry, **of_store}) + "\n"


def _renamed(
    report: Report, out: Path, base: str, sources: Mapping[Path, Object], missing: Mapping[Path, str]
) -> Report:
    """A report of files as one of their objects."""
    urls = {str(path): source.url for path, source in sources.items()}

    def text(message: str) -> str:
        for path, url in urls.items():
            message = message.replace(path, url)
        return message.replace(f"{out}/", f"{base}/")

    report.skipped = [
        next((why for path, why in missing.items() if message.startswith(f"{path}: ")), None) or text(message)
        for message in report.skipped
    ]
    report.notes = {text(note): [urls.get(str(path), path) for path in paths] for note, paths in report.notes.items()}
    report.nearly_gray = [urls.get(str(path), path) for path in report.nearly_gray]
    report.outcomes = [
        replace(
            one,
            picture=urls.get(str(one.picture), one.picture),
            result=one.result and text(str(one.result)),
            why=missing[one.picture].partition(": ")[2] if one.picture in missing else text(one.why),
        )
        for one in report.outcomes
    ]
    return report
