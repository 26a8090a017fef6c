"""The settings of a run: the constants of config.py, a saved run's over them, the command line over both."""

import argparse
import dataclasses
import difflib
import functools
import os
import runpy
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from historynet import files
from historynet.errors import InputError
from historynet.settings import accepting
from historynet.settings.declared import EPOCH, REQUIRED, RUN, TRAIN, Parameters, Settings

Declared = TypeVar("Declared", bound=Parameters)

_NONE = (None, "", "none")
"""What an optional setting takes for no value."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are our one-line errors, and that knows --version."""

    def __init__(self, *arguments: Any, **more: Any):
        super().__init__(*arguments, **more)
        # Not imported: the door imports what is behind it, and that this.
        version = sys.modules[__name__.partition(".")[0]].__version__
        self.add_argument("--version", action="version", version=f"HistoryNet {version}", help="show it and stop")

    def error(self, message: str) -> None:
        raise InputError(f"{self.prog}: {message} (--help lists the options)")


@functools.cache
def _fields(declared: type[Parameters]) -> dict[str, dataclasses.Field]:
    """The declarations by name, in the order of their groups."""
    fields = dataclasses.fields(declared)
    groups = list(dict.fromkeys(field.metadata["group"] for field in fields))
    return {field.name: field for field in sorted(fields, key=lambda field: groups.index(field.metadata["group"]))}


def option(name: str) -> str:
    """The command line's name of a setting."""
    return "--" + name.replace("_", "-")


def help_text(field: dataclasses.Field) -> str:
    """What `--help` says of a setting, but for its default."""
    return "; ".join(filter(None, (field.metadata["meaning"], field.metadata["more"])))


def make_parser(description: str, command: str, config: Path, declared: type[Parameters]) -> Parser:
    """A parser with one option for each setting of config.py that the command reads, explained with its default.

    Args:
        description: what the command does.
        command: the one whose options they are: TRAIN, COLORIZE, COLLECT, ...
        config: the config.py.
        declared: the system's settings.

    Raises:
        InputError: if config.py cannot be used.
    """
    parser = Parser(
        description=description,
        epilog=f"Defaults are the constants of {config}. Paths there are relative to the project's folder "
        "(historynet-colorize: to the current one), on the command line to the current one.",
        allow_abbrev=False,
    )
    parser.set_defaults(command=command)
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings.json of an earlier run, to run it again")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    defaults = _read_constants(config, declared)
    groups = {}
    for name, field in _fields(declared).items():
        if name not in defaults or command not in field.metadata["commands"].split():
            continue
        group = field.metadata["group"]
        if group not in groups:
            groups[group] = parser.add_argument_group(group)
        default = defaults[name]
        if isinstance(default, Mapping):
            default = ", ".join(f"{preset} {weight:g}" for preset, weight in default.items())
        text = f"{help_text(field)} (default: {default})".replace("%", "%%")
        form = {"metavar": "VALUE"}
        if field.metadata["accept"] is accepting.boolean:
            form = {"action": argparse.BooleanOptionalAction}
        groups[group].add_argument(option(name), default=argparse.SUPPRESS, help=text, **form)
    return parser


def resolve(
    arguments: argparse.Namespace, config: Path, declared: type[Declared], root: Path | None = None
) -> tuple[Declared, dict[str, Any]]:
    """The settings of a run, checked, and the same as they were written, to be saved with the run.

    The written form keeps {TEST_NAME} and relative paths, so that a saved run can be moved or renamed. Relative paths
    of config.py start at `root`, by default the project's folder.

    Args:
        arguments: of `make_parser`'s parser.
        config: the config.py.
        declared: the system's settings.
        root: where relative paths of config.py start.

    Raises:
        InputError: naming the file or the option, and what it accepts; or settings that exclude each other.
    """
    fields = _fields(declared)
    written = _read_constants(config, declared)
    saved = {} if arguments.config is None else _read_saved(arguments.config, declared, written)
    given = {}
    for name, value in vars(arguments).items():
        if name in fields:
            value = _accept(fields[name], value, option(name))
            given[name] = os.path.abspath(value) if _is_path(fields[name], value, Path.cwd()) else value
    # A saved run is repeated as it was.
    implied = declared.implied(given, saved.keys() | given.keys())
    written |= {name: _accept(fields[name], value, option(name)) for name, value in implied.items()} | saved | given
    root = root or config.resolve().parent.parent
    values = dict(written)
    for name, value in written.items():
        if isinstance(value, Mapping):
            values[name] = value[written["losses"]]
        if _is_path(fields[name], value, root):
            path = root / value.replace("{TEST_NAME}", written.get("test_name", "{TEST_NAME}"))
            values[name] = path if fields[name].metadata["path"] is True else str(path)
    settings = declared(**values)
    settings.check(arguments.command)
    return settings, written


def _accept(field: dataclasses.Field, value: Any, source: str) -> Any:
    if field.metadata["optional"] and value in _NONE:
        return None
    try:
        return field.metadata["accept"](value)
    except ValueError as error:
        raise InputError(f"{source}: {value!r} will not do; it takes {error}") from error


def _accept_all(
    values: Mapping[str, Any],
    declared: type[Parameters],
    known: Collection[str],
    source: Path,
    as_written: Callable[[str], str],
) -> dict[str, Any]:
    accepted = {}
    for name, value in values.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {as_written(near[0])}?" if near else ""
            raise InputError(f"{source}: there is no setting {as_written(name)}{hint}")
        accepted[name] = _accept(_fields(declared)[name], value, f"{source}, {as_written(name)}")
    return accepted


def _read_constants(path: Path, declared: type[Parameters]) -> dict[str, Any]:
    """The constants of a config.py, by their names here."""
    with files.reading(path):
        try:
            constants = runpy.run_path(str(path))
        except (OSError, MemoryError):
            raise
        except Exception as error:  # it is the user's own program, which can raise anything
            raise InputError(f"{path}: {type(error).__name__}: {error}") from error
    fields = _fields(declared)
    values = {name.lower(): value for name, value in constants.items() if name.isupper()}
    accepted = _accept_all(values, declared, fields, path, str.upper)
    parts = {None} | {fields[name].metadata["part"] for name in accepted}
    for name, field in fields.items():
        if field.metadata["since"] is not REQUIRED and field.metadata["part"] in parts:
            accepted.setdefault(name, field.metadata["since"])
    missing = [
        name.upper() for name, field in fields.items() if name not in accepted and field.metadata["part"] in parts
    ]
    if missing:
        raise InputError(f"{path}: {', '.join(missing)} missing")
    return accepted


def _read_saved(path: Path, declared: type[Parameters], known: Collection[str]) -> dict[str, Any]:
    """The settings that an earlier run saved, all of which must be known."""
    values = files.read_json(path, dict, "not a settings.json of an earlier run")
    return _accept_all(values, declared, known, path, str)


def _is_path(field: dataclasses.Field, value: Any, folder: Path) -> bool:
    """Whether the value is a path to be read from the folder; a few settings are either a path or a word."""
    path = field.metadata["path"]
    return value is not None and (path(value, folder) if callable(path) else path)


def describe(settings: Parameters, command: str) -> Sequence[tuple[str, Any]]:
    """(NAME, value) of each setting that the variant has and the command reads, by group."""
    fields = _fields(type(settings))
    values = {name: getattr(settings, name) for name in fields}
    parts = {None} | {fields[name].metadata["part"] for name, value in values.items() if value is not None}
    return [
        (name.upper(), values[name])
        for name, field in fields.items()
        if command in field.metadata["commands"].split() and field.metadata["part"] in parts
    ]


def as_json(settings: Settings) -> dict[str, Any]:
    """What training reads, by NAME, as a checkpoint holds it to be compared with a later start's."""
    return {name: str(value) if isinstance(value, Path) else value for name, value in describe(settings, TRAIN)}


def changes(before: Mapping[str, Any], settings: Settings, within_epoch: bool) -> dict[str, tuple[Any, Any]]:
    """What differs from the settings that a run had: (before, now) by NAME. Settings that it did not know are left out.

    Args:
        before: `as_json` of the run's settings.
        settings: of the start that is to continue it.
        within_epoch: whether it stands in the middle of an epoch.

    Raises:
        InputError: if one of them cannot change in a run, or not in the middle of an epoch.
    """
    changed = {
        name: (before[name], now) for name, now in as_json(settings).items() if name in before and before[name] != now
    }
    fields = _fields(type(settings))
    # A file that a network begins from first: sizes may follow from it.
    for name, (then, now) in sorted(changed.items(), key=lambda item: not fields[item[0].lower()].metadata["path"]):
        fixed = fields[name.lower()].metadata["fixed"]
        # A run may move to other folders with the files it began from.
        moved = isinstance(then, str) and isinstance(now, str) and Path(then).name == Path(now).name
        if (fixed == RUN and not moved) or (fixed == EPOCH and within_epoch):
            raise InputError(
                f"{option(name.lower())} {now}: the run has {then}, which can change "
                + ("between two epochs only" if fixed == EPOCH else "in a new run only")
                + "; leave it so, name another run with --test-name or --model-dir, or start over with --fresh"
            )
    return changed
