"""Trains VGG16 to tell ImageNet's classes apart on gray pictures (Larsson et al. 2016): stage 0 of the films CNN.

Run `python GrayVGG16.py`; `--help` lists the parameters of config.py, `--dry-run` shows what would happen. Stage 1
keeps the network's blocks 1 to 3: `SOURCE_FilmCNN/FilmCNN.py --vgg16-weights my_model_classificationEpoch0.keras`.
"""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

try:
    from historynet.commands import train
    from historynet.data import classes
    from historynet.systems.gray_vgg16.settings import GrayVGG16Settings
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

if TYPE_CHECKING:
    from historynet.systems.system import System


def build(settings: GrayVGG16Settings, fields: Mapping[str, Any]) -> "System":
    """VGG16 on L three times, trained by the cross-entropy of the classes."""
    # Imported here: --help and a mistyped option need no engine.
    from historynet.systems.gray_vgg16.start import initial_network
    from historynet.systems.gray_vgg16.system import GrayVGG16, TopOne

    tests = classes.TestPictures(settings, classes.class_numbers(settings))
    network, architecture = initial_network(settings)
    return GrayVGG16(network, architecture, settings, fields, TopOne(tests))


if __name__ == "__main__":
    train.main(__file__, GrayVGG16Settings, build, classes.open_tree)
