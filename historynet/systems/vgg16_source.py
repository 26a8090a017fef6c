"""Where VGG16's weights can come from, for the settings of those systems that start from it. No engine is needed."""

from pathlib import Path

WORDS = ("imagenet", "none")
"""What VGG16_WEIGHTS can be besides a file."""


def is_path(value: str, folder: Path) -> bool:
    """Whether a value of VGG16_WEIGHTS names a file."""
    return value not in WORDS
