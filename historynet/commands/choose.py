"""The command line that chooses among candidates: the second step to a data set."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from historynet import errors, files, settings
from historynet.collecting import film_folders, film_list, manifest, rows
from historynet.collecting.choosing import KEPT, OUTCOMES, Chosen, Funnel, as_picture, choose
from historynet.collecting.settings import CHOOSE, MHMDSettings
from historynet.commands.running import one_line, run
from historynet.comparing.rendering import evenly
from historynet.errors import InputError

FUNNEL, WHY, SHEETS = "funnel.csv", "outcomes.csv", "sheets"

_ON_A_SHEET, _COLUMNS = 40, 8


def main(script: str) -> None:
    """The command line; ends the process with one of the exit codes of `errors`.

    Args:
        script: `__file__` of the program; config.py stands beside it.
    """
    config = Path(script).resolve().with_name("config.py")
    run(lambda argv: _run(config, argv))


def _run(config: Path, argv: Sequence[str]) -> int:
    parser = settings.make_parser("Chooses among the candidates of films.", CHOOSE, config, MHMDSettings)
    parser.add_argument(
        "--sheet", action="store_true", help=f"draw {_ON_A_SHEET} pictures of each outcome into WORK/{SHEETS}"
    )
    arguments = parser.parse_args(argv)
    resolved, _ = settings.resolve(arguments, config, MHMDSettings)
    return choose_pictures(resolved, arguments.sheet)


def choose_pictures(resolved: MHMDSettings, sheet: bool = False) -> int:
    """Writes the manifest, the funnel, and what became of each candidate; prints the funnel; the exit code.

    Args:
        resolved: the settings of the run.
        sheet: whether pictures of each outcome are drawn.

    Raises:
        InputError: if there are no candidates, no picture is kept, or something cannot be written.
    """
    work = resolved.work
    listed = film_list.read(work / film_list.NAME) if (work / film_list.NAME).exists() else []
    ready = [film for film in listed if film_folders.read_record(manifest.frames_of(work, film.file_key))]
    if not ready:
        raise InputError(f"{work / 'frames'}: there are no candidates of any film; collect.py makes them")
    kept, funnels, why, shown = [], [], [], {outcome: [] for outcome in OUTCOMES}
    for title, of_title in choose(work, ready, resolved):
        kept += [as_picture(one) for one in title if one.outcome == KEPT]
        funnels += of_title
        why += [_why(one) for one in title]
        for one in title if sheet else ():
            if one.candidate.stored:
                shown[one.outcome].append(manifest.frames_of(work, one.film.file_key) / one.candidate.picture)
    rows.write(work / WHY, [["picture", "outcome", "like", "distance"], *sorted(why)])
    funnel = [["film", "frames", "candidates", *OUTCOMES]]
    funnel += [_row(one) for one in sorted(funnels, key=lambda one: one.film)]
    total = Funnel("all", sum(one.frames for one in funnels), sum((one.outcomes for one in funnels), Counter()))
    rows.write(work / FUNNEL, funnel)
    manifest.write(work, kept)
    _print([*funnel, _row(total)])
    if sheet:
        _draw(work / SHEETS, shown, total.outcomes)
    for film in listed:
        if film not in ready:
            print(one_line(f"left out: {film.file_key}: it has no candidates; collect.py says why"), file=sys.stderr)
    for funnel in funnels:
        for remark in funnel.remarks():
            print(one_line(f"note: {funnel.film}: {remark}"), file=sys.stderr)
    if not kept:
        raise InputError(f"{work / manifest.NAME}: no picture is kept; {work / FUNNEL} says why")
    print(one_line(f"{work / manifest.NAME}: pictures: {len(kept)}"), flush=True)
    return errors.DONE if len(ready) == len(listed) else errors.SKIPPED


def _why(one: Chosen) -> list[object]:
    return [one.candidate.picture, one.outcome, one.like, "" if one.distance is None else one.distance]


def _row(funnel: Funnel) -> list[object]:
    return [funnel.film, funnel.frames, funnel.candidates, *(funnel.outcomes[outcome] for outcome in OUTCOMES)]


def _print(table: Sequence[Sequence[object]]) -> None:
    cells = [[one_line(str(cell)) for cell in row] for row in table]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for first, *others in cells:
        numbers = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        print("  ".join([first.ljust(widths[0]), *numbers]), flush=True)


def _draw(folder: Path, shown: dict[str, list[Path]], counts: Counter[str]) -> None:
    """Contact sheets, one for each outcome of which pictures are stored."""
    from historynet.pictures import figures, images

    for outcome, paths in shown.items():
        path = folder / f"{outcome.replace(' ', '_')}.jpg"
        if not paths:
            with files.writing(path, "removed"):
                path.unlink(missing_ok=True)
            continue
        drawn = evenly(sorted(paths), _ON_A_SHEET)
        pictures = [images.read_rgb(picture) for picture in drawn]
        pictures += [None] * (-len(pictures) % _COLUMNS)
        lines = [pictures[i : i + _COLUMNS] for i in range(0, len(pictures), _COLUMNS)]
        title = f"{outcome}: {len(drawn)} of {len(paths)} stored pictures, of {counts[outcome]} candidates"
        images.write_rgb(path, figures.grid(lines, [title] + [""] * (_COLUMNS - 1), 160))
        print(one_line(f"{path}: {title}"), flush=True)
