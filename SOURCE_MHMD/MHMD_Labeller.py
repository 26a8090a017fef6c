"""Trains the labeller: ResNet on pictures that were labelled by hand, mirrored and blurred (section 4 of the paper).

Run `python MHMD_Labeller.py`; `--help` lists the parameters of labeller_config.py, `--dry-run` shows what would happen.
`label.py rest` labels the other pictures with the best epoch.
"""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

try:
    from historynet.collecting import labelled
    from historynet.commands import train
    from historynet.systems.labeller.settings import LabellerSettings
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

if TYPE_CHECKING:
    from historynet.systems.system import System


def build(settings: LabellerSettings, fields: Mapping[str, Any]) -> "System":
    """ResNet50 with a head for the labels, trained by their weighted cross-entropy."""
    # Imported here: --help and a mistyped option need no engine.
    from historynet.collecting.judging import Judge
    from historynet.systems.labeller.start import initial_network
    from historynet.systems.labeller.system import Labeller, class_weights

    data = labelled.read(settings)
    network, architecture = initial_network(settings, [label.name for label in data.labels])
    weights, steps = class_weights(data.counts), labelled.total_steps(settings, data)
    read = labelled.fields_of(settings, fields)
    return Labeller(network, architecture, settings, read, weights, steps, Judge(settings, data))


if __name__ == "__main__":
    train.main(__file__, LabellerSettings, build, labelled.open_labelled, prefix="labeller_")
