"""Makes the training and test pictures of expt1.json to expt8.json of Pascal VOC 2012.

Run `python prepare_voc.py VOCdevkit/VOC2012`; `--help` lists the options. The same command continues a stopped run.
"""

import sys
from pathlib import Path

try:
    from historynet.commands import prepare
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    prepare.prepare_voc(Path(__file__).resolve().parent.parent / "DATASET")
