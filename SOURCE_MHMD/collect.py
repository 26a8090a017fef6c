"""Makes candidates of films: the sharpest frame of each half second of a shot, with what is measured of it.

Run `python collect.py FILMS`, a list or a folder; `--help` lists the parameters of config.py. The same command
continues a stopped run.
"""

import sys

try:
    from historynet.commands import collect
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    collect.main(__file__)
