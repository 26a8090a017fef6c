"""Parses the kept pictures: which part of a person each pixel is (section 4 of the paper).

Run `python parse.py make`, then `export N FOLDER` and `import FOLDER --by NAME` around an editor; `measure FOLDER`
says how good a parser is. `--help` lists the parameters of config.py.
"""

import sys

try:
    from historynet.commands import parse
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    parse.main(__file__)
