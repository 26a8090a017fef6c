"""Reports on a data set that build.py has built: the paper's Table 1 and Figure 3, hues, histograms.

Run `python report.py`; `--help` lists the parameters of config.py that it reads.
"""

import sys

try:
    from historynet.commands import report
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    report.main(__file__)
