"""Labels the kept pictures: some by hand, the rest by a network that is trained on these (section 4 of the paper).

Run `python label.py draw`, then `by-hand --by NAME`, `MHMD_Labeller.py`, `rest`, `second-look --by NAME`, and
`audit --by NAME`; `--help` lists the parameters of config.py.
"""

import sys

try:
    from historynet.commands import label
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    label.main(__file__)
