"""Chooses among the candidates of films, and says why the others are left out.

Run `python choose.py` behind collect.py, also again with other limits; `--help` lists the parameters of config.py.
`--sheet` draws pictures of each outcome.
"""

import sys

try:
    from historynet.commands import choose
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    choose.main(__file__)
