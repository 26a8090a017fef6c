"""Makes training pictures of colour films: white balance and exposure, then three to five frames of each shot.

Run `python frames.py FILMS --test-films NAME`; `--help` lists the parameters of config.py. The same command continues a
stopped run.
"""

import sys

try:
    from historynet.commands import frames
    from historynet.systems.film_cnn.settings import FilmCNNSettings
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    frames.main(__file__, FilmCNNSettings)
