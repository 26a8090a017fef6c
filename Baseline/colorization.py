"""Colorizes pictures with a trained Baseline: TEST_DIR, or the files and folders named on the command line.

Run `python colorization.py`; `--help` lists the parameters of config.py.
"""

from historynet import commands

if __name__ == "__main__":
    commands.colorize(__file__, "Baseline")
