"""The generator of HistoryNet that comes with the project; nothing is imported, so that `--help` is quick."""

from pathlib import Path

SHIPPED = Path(__file__).resolve().parents[2] / "models/historynet_compact.keras"
"""Its file."""

WORD = "shipped"
"""What names it on the command line."""
