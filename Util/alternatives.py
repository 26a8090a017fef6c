"""Draws a sheet: pictures in gray, in their usual colours, in other ones, and how sure the network is of each place.

For models that predict a distribution over colours, as those of SOURCE_FilmCNN do.
"""

import sys

try:
    from historynet.commands import running, sheets
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    running.run(lambda argv: sheets.draw_alternatives(argv, __doc__.splitlines()[0]))
