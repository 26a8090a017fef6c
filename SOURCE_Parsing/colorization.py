"""Colorizes pictures with a trained HistoryNet_Parsing: TEST_DIR, or what the command line names.

Run `python colorization.py`; `--help` lists the parameters of config.py.
"""

from historynet import commands

if __name__ == "__main__":
    commands.colorize(__file__, "HistoryNet_Parsing")
