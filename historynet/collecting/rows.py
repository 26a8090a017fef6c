"""Tables (CSV) that a person or another program may have written: read with line numbers, written whole."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from historynet import files
from historynet.errors import InputError

_SEPARATORS = {";": "semicolons", "\t": "tabs"}
"""That other programs put between cells; no name of a column holds one."""

Row = tuple[int, Mapping[str, str]]
"""The number of a line, from 1, and its cells by column."""


def read(path: Path, columns: Sequence[str]) -> list[Row]:
    """The rows of a table, without empty lines; other columns than those asked for are kept.

    Args:
        path: the file, UTF-8, its first line the names of the columns.
        columns: that it must have.

    Raises:
        InputError: if it cannot be read, or is no such table; naming the line.
    """
    with files.reading(path):
        content = path.read_bytes()
    return parse(content, path, columns)


def parse(content: bytes, path: Path, columns: Sequence[str]) -> list[Row]:
    """The same of what a file holds.

    Raises:
        InputError: if it is no such table; naming the line.
    """
    lines = []
    try:
        # Strict: a quotation mark that nobody closes would take the rest of the file for one cell.
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        for cells in reader:
            lines.append((reader.line_num, cells))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: no table in UTF-8 ({error})") from error
    except csv.Error as error:
        begins = lines[-1][0] + 1 if lines else 1
        raise InputError(f"{path}, line {begins}: no row of a table ({error}); is a quotation mark missing?") from error
    header = [cell.strip() for cell in lines[0][1]] if lines else []
    if missing := [column for column in columns if column not in header]:
        # What spreadsheets write where commas are in numbers, or as text.
        other = next((name for sign, name in _SEPARATORS.items() if sign in "".join(header)), "")
        why = f"its cells are separated by {other}; save it with commas" if other else f"{missing[0]} is missing"
        raise InputError(f"{path}: its first line has to name the columns {','.join(columns)}; {why}")
    if twice := [column for column in header if header.count(column) > 1]:
        raise InputError(f"{path}: its first line names the column {twice[0]} twice")
    rows = []
    for number, cells in lines[1:]:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise InputError(f"{path}, line {number}: {len(cells)} cells, and the first line has {len(header)}")
        rows.append((number, dict(zip(header, (cell.strip() for cell in cells), strict=True))))
    return rows


def text(lines: Iterable[Sequence[object]]) -> str:
    """Lines of cells as a table's text, the first line included."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(lines)
    return written.getvalue()


def write(path: Path, lines: Iterable[Sequence[object]]) -> None:
    """Writes a table, whole or not at all.

    Raises:
        InputError: if it cannot be written.
    """
    files.write_text(path, text(lines))
