"""Colorizes pictures with a trained HistoryNet_Parsing: TEST_DIR, or what the command line names.

Run `python colorization.py`; `--help` lists the parameters of config.py.
"""

import sys

try:
    from historynet.commands import colorize
    from historynet.systems.historynet.settings import HistoryNetSettings
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    colorize.main(__file__, HistoryNetSettings, "HistoryNet_Parsing")
