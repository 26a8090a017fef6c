"""Builds the data set: `python build.py FILMS --out DATASET` goes all the way from films to pictures, labels, parsing.

It stops where a person is needed and says for what; the same command goes on. Without FILMS it is the last step alone:
what the others have found becomes DATASET/dataset_train, its parsing, and the same for tests. `--help` lists the
parameters of config.py.
"""

import sys

try:
    from historynet.commands import build
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    build.main(__file__)
