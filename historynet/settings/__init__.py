"""A run's parameters: what they accept, what they mean, and where their values come from."""

from historynet.settings.declared import COLLECT, COLORIZE, DEFAULT, PRECISIONS, TRAIN, Parameters, Settings
from historynet.settings.resolving import Parser, as_json, changes, describe, make_parser, option, resolve

__all__ = [
    "COLLECT",
    "COLORIZE",
    "DEFAULT",
    "PRECISIONS",
    "TRAIN",
    "Parameters",
    "Parser",
    "Settings",
    "as_json",
    "changes",
    "describe",
    "make_parser",
    "option",
    "resolve",
]
