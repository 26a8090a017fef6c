"""Makes the training pictures of imagenet64.json of ImageNet64's batches.

Run `python prepare_imagenet64.py train_data_batch_1.npz train_data_batch_2.npz`, and for the test pictures
`python prepare_imagenet64.py val_data.npz --out DATASET/imagenet64_test`. The same command continues a stopped run.
"""

import sys
from pathlib import Path

try:
    from historynet.commands import prepare
except ModuleNotFoundError as error:
    print(f"error: {error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    prepare.prepare_imagenet64(Path(__file__).resolve().parent.parent / "DATASET/imagenet64_train")
