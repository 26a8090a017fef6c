"""Trains the films CNN (Chen, Luo, Ding and Yu 2018): a distribution over 313 colours for each place of a picture.

Run `python FilmCNN.py`; `--help` lists the parameters of config.py, `--dry-run` shows what would happen. Stage 1 trains
on ImageNet's pictures, stage 2 on frames of films, with `--init-network` from stage 1.
"""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

try:
    from historynet.commands import train
    from historynet.systems.film_cnn.settings import FilmCNNSettings
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

if TYPE_CHECKING:
    from historynet.systems.system import System


def build(settings: FilmCNNSettings, fields: Mapping[str, Any]) -> "System":
    """Multi-scale kernels, VGG16's features and the trunk of Zhang et al., trained by Eq. (1)."""
    # Imported here: --help and a mistyped option need no engine.
    from historynet.systems.film_cnn.start import initial_network
    from historynet.systems.film_cnn.system import FilmCNN

    network, architecture = initial_network(settings)
    return FilmCNN(network, architecture, settings, fields)


if __name__ == "__main__":
    train.main(__file__, FilmCNNSettings, build)
