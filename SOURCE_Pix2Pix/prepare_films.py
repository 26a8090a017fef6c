"""Makes the training pictures of movies.json of films: two frames a second, 256x512, those until minute 150.

Run `python prepare_films.py FILMS`; `--help` lists the options. The same command continues a stopped run.
"""

import sys
from pathlib import Path

try:
    from historynet.commands import movies
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    movies.main(Path(__file__).resolve().parent.parent / "DATASET/movies")
