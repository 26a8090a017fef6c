"""Colorizes pictures with a trained HistoryNet_Classifier: TEST_DIR, or what the command line names.

Run `python colorization.py`; `--help` lists the parameters of config.py.
"""

from historynet.commands import colorize

if __name__ == "__main__":
    colorize.main(__file__, "HistoryNet_Classifier")
