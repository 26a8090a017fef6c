"""Draws Figures 4 to 7 of the films CNN's paper, of your own pictures.

`python film_cnn_figures.py figure4 MODEL PICTURES` shows what the temperature does; `figure5`, `figure6` and `figure7`
with `ORIGINALS --method NAME=RESULTS --method ...` show the results of several networks side by side.
"""

import sys
from pathlib import Path

try:
    from historynet.commands import running, sheets
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

FIGURES = Path(__file__).resolve().parent.parent / "RESULT/figures"

if __name__ == "__main__":
    running.run(lambda argv: sheets.draw_figures(argv, __doc__.splitlines()[0], FIGURES))
