"""Colorizes pictures with a trained HistoryNet_Parsing: TEST_DIR, or what the command line names.

Run `python colorization.py`; `--help` lists the parameters of config.py.
"""

from historynet.commands import colorize
from historynet.systems.historynet.settings import HistoryNetSettings

if __name__ == "__main__":
    colorize.main(__file__, HistoryNetSettings, "HistoryNet_Parsing")
