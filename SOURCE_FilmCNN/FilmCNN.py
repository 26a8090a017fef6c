"""Trains the films CNN (Chen, Luo, Ding and Yu 2018): a distribution over 313 colours for each place of a picture.

Run `python FilmCNN.py`; `--help` lists the parameters of config.py, `--dry-run` shows what would happen. Stage 1 trains
on ImageNet's pictures, with `--vgg16-weights` from stage 0 (`SOURCE_GrayVGG16`), stage 2 on frames of films, with
`--init-network` from stage 1.
"""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

try:
    from historynet.commands import train
    from historynet.data import classes
    from historynet.systems.film_cnn.settings import FilmCNNSettings
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

if TYPE_CHECKING:
    import numpy as np

    from historynet.systems.system import System


def build(settings: FilmCNNSettings, fields: Mapping[str, Any]) -> "System":
    """Multi-scale kernels, VGG16's features and the trunk of Zhang et al., trained by Eq. (1)."""
    # Imported here: --help and a mistyped option need no engine.
    from historynet.data import batches, colours
    from historynet.systems.film_cnn import rebalancing, scaled_start
    from historynet.systems.film_cnn.start import initial_network, pretrained_layers
    from historynet.systems.film_cnn.system import FilmCNN

    network, architecture = initial_network(settings)
    if settings.scaled_start is not None:
        first = batches.first_batches(settings, classes.open_listed(settings, fields), settings.scaled_start)
        scaled_start.scale(network, [batch.fields["L"] for batch in first], pretrained_layers(settings))

    def bin_weights() -> "np.ndarray":
        """More weight for rare colours (Zhang et al. 2016)."""
        samples = classes.open_listed(settings, fields)
        read, pictures = colours.reader(settings, samples), colours.fingerprint_of(settings, samples)
        counts = rebalancing.count(read, len(samples), pictures, settings.model_dir / rebalancing.COUNTS)
        return rebalancing.weights(counts)

    return FilmCNN(network, architecture, settings, fields, bin_weights if settings.rebalancing else None)


if __name__ == "__main__":
    train.main(__file__, FilmCNNSettings, build, classes.open_listed)
