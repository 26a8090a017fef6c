"""Trains Pix2Pix with self-attention (Ranjan and Agrawal 2023): a U-Net and a discriminator of patches.

Run `python Pix2Pix.py --config expt1.json`; `--help` lists the parameters of config.py, `--dry-run` shows what would
happen.
"""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

try:
    from historynet.commands import train
    from historynet.systems.pix2pix.settings import Pix2PixSettings
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

if TYPE_CHECKING:
    from historynet.systems.system import System


def build(settings: Pix2PixSettings, fields: Mapping[str, Any]) -> "System":
    """G and D of section 3.3, trained in turn by L_GAN and L_L1, Eq. 3.4."""
    # Imported here: --help and a mistyped option need no engine.
    from historynet.systems.pix2pix.start import initial_networks
    from historynet.systems.pix2pix.system import Pix2Pix

    generator, discriminator, architecture = initial_networks(settings)
    return Pix2Pix(generator, discriminator, settings=settings, architecture=architecture, fields=fields)


if __name__ == "__main__":
    train.main(__file__, Pix2PixSettings, build)
