"""Colorizes pictures with a trained Pix2Pix: TEST_DIR, or the files and folders named on the command line.

Run `python colorization.py`; `--help` lists the parameters of config.py.
"""

import sys

try:
    from historynet.commands import colorize
    from historynet.systems.pix2pix.settings import Pix2PixSettings
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    colorize.main(__file__, Pix2PixSettings, "Pix2Pix")
