"""Colorizes pictures with a trained films CNN: TEST_DIR, or the files and folders named on the command line.

Run `python colorization.py`; `--help` lists the parameters of config.py.
"""

import sys

try:
    from historynet.commands import colorize
    from historynet.systems.film_cnn.settings import FilmCNNSettings
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    colorize.main(__file__, FilmCNNSettings, "FilmCNN")
