"""Colorizes pictures with a trained Baseline: TEST_DIR, or the files and folders named on the command line.

Run `python colorization.py`; `--help` lists the parameters of config.py.
"""

from historynet.commands import colorize
from historynet.systems.historynet.settings import HistoryNetSettings

if __name__ == "__main__":
    colorize.main(__file__, HistoryNetSettings, "Baseline")
