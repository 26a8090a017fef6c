"""Trains Baseline+Parsing of the ablation (section 5.3 of the paper): HistoryNet without the classifier network D2.

Run `python HistoryNet_Parsing.py`; `--help` lists the parameters of config.py, `--dry-run` shows what would happen.
"""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

try:
    from historynet.commands import train
    from historynet.systems.historynet.settings import HistoryNetSettings
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

if TYPE_CHECKING:
    from historynet.systems.system import System


def build(settings: HistoryNetSettings, fields: Mapping[str, Any]) -> "System":
    """The networks and losses of section 3 without D2, to be trained on samples that hold the fields."""
    # Imported here: --help and a mistyped option need no engine.
    from historynet.systems.historynet.start import InitialNetworks
    from historynet.systems.historynet.system import HistoryNet, Options

    initial = InitialNetworks("HistoryNet_Parsing", settings)
    return HistoryNet(
        # Figure 2: G0 in yellow (VGG16, trained along), G1 in blue, classification G2 in red, parsing G3 in orange.
        G=initial.generator(),
        # The discriminator: D1 in green says how real each patch of colour is.
        D1=initial.discriminator(),
        # Eq. (1) without L_info
        generator_loss={
            "L_r": settings.lambda_rec,
            "L_cls": settings.lambda_cls,
            "L_par": settings.lambda_par,
            "L_g": settings.lambda_g,
        },
        penalty_weight=settings.lambda_gp,
        options=Options.of(settings),
        architecture=initial.architecture,
        fields=fields,
    )


if __name__ == "__main__":
    train.main(__file__, HistoryNetSettings, build)
