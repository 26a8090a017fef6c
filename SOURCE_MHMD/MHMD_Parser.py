"""Trains the compact parser on pictures of persons with their parsing, in the layout of dataset_train.

Run `python MHMD_Parser.py`; `--help` lists the parameters of parser_config.py, `--dry-run` shows what would happen.
`parse.py make --parser MODEL/MHMD_Parser` parses with the best epoch.
"""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

try:
    from historynet.collecting import parsed
    from historynet.commands import train
    from historynet.systems.parser.settings import ParserSettings
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

if TYPE_CHECKING:
    from historynet.systems.system import System


def build(settings: ParserSettings, fields: Mapping[str, Any]) -> "System":
    """A small U-Net, trained by the weighted cross-entropy of each pixel's class."""
    # Imported here: --help and a mistyped option need no engine.
    from historynet.collecting.part_scores import Judge
    from historynet.systems.parser.start import initial_network
    from historynet.systems.parser.system import Parser, class_weights

    network, architecture = initial_network(settings)
    weights, steps = class_weights(parsed.shares(settings), settings.weight_power), parsed.total_steps(settings)
    return Parser(network, architecture, settings, fields, weights, steps, Judge(settings))


if __name__ == "__main__":
    train.main(__file__, ParserSettings, build, parsed.open_parsed, prefix="parser_")
