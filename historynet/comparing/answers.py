"""The viewers' survey: the files of answers -> the share of each picture, and the median of each type."""

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from historynet import files
from historynet.comparing.survey import Shown, Survey
from historynet.errors import InputError
from historynet.pictures import figures

COLUMNS = ("participant", "position", "type", "picture", "answer", "seconds")
ANSWERS = {"yes": 1.0, "no": 0.0, "": math.nan}
"""No answer is missing, and has no part in a share."""

FINE_TUNED, NOT_FINE_TUNED, TRUTH = "fine-tuned", "not-fine-tuned", "truth"
PUBLISHED = {NOT_FINE_TUNED: 0.483, FINE_TUNED: 0.767, TRUTH: 0.883}
"""The paper's medians (Figure 8), by what a type has to be called; the truth is found by what it is."""

_DRAWN_AT_ONCE = 500


@dataclass(frozen=True)
class Median:
    """The median of a type over its pictures.

    Attributes:
        share: the median of the pictures' shares of yes, 0..1; NaN if there is no answer.
        interval: its 95% bootstrap interval over users and pictures.
        published: the paper's median; NaN if it has none.
    """

    share: float
    interval: tuple[float, float]
    published: float


@dataclass(frozen=True)
class Results:
    """What a survey gave.

    Attributes:
        survey: what was asked.
        answers: (users, pictures) in the order of `survey.pictures`: 1 for yes, 0 for no, NaN where missing.
        medians: by type.
        interval_of: how the intervals were drawn, in words.
    """

    survey: Survey
    answers: np.ndarray
    medians: dict[str, Median]
    interval_of: str

    def shares(self) -> dict[Shown, float]:
        """The share of yes of each picture, 0..1, by type in the figure's order and name; NaN without an answer."""
        shares = dict(zip(self.survey.pictures, _means(self.answers), strict=True))
        places = self.survey.types.index
        return dict(sorted(shares.items(), key=lambda item: (places(item[0].type), item[0].name)))

    def report(self) -> list[str]:
        """Lines to print: users, answers, medians."""
        missing = np.isnan(self.answers)
        lines = [f"users: {len(self.answers)}; answers: {np.sum(~missing)}, missing: {np.sum(missing)}"]
        for kind, median in self.medians.items():
            low, high = (f"{100 * bound:.1f}" for bound in median.interval)
            published = "" if math.isnan(median.published) else f"; the paper: {100 * median.published:.1f}%"
            lines.append(f"{kind}: median {100 * median.share:.1f}% ({low} to {high}){published}")
        return [*lines, f"in brackets: {self.interval_of}"]

    def write(self, folder: Path) -> list[Path]:
        """Writes shares.csv, medians.csv and figure8.png; their paths.

        Raises:
            InputError: if they cannot be written.
        """
        shares = self.shares()
        of = dict(zip(self.survey.pictures, self.answers.T, strict=True))
        rows = [("type", "picture", "yes", "no", "missing", "share")]
        for shown, share in shares.items():
            values = of[shown]
            counts = np.sum(values == 1), np.sum(values == 0), np.sum(np.isnan(values))
            rows.append((*shown, *counts, _number(share)))
        medians = [("type", "pictures", "users", "median", "low", "high", "published")]
        for kind, median in self.medians.items():
            pictures = sum(shown.type == kind for shown in shares)
            numbers = map(_number, (median.share, *median.interval, median.published))
            medians.append((kind, pictures, len(self.answers), *numbers))
        paths = [folder / name for name in ("shares.csv", "medians.csv", "figure8.png")]
        for path, table in zip(paths, (rows, medians), strict=False):
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(table)
            files.write_text(path, text.getvalue())
        self._draw(paths[-1])
        return paths

    def _draw(self, path: Path) -> None:
        shares = {kind: [] for kind in self.survey.types}
        for shown, share in self.shares().items():
            shares[shown.type].append(share)
        published = {kind: one.published for kind, one in self.medians.items() if not math.isnan(one.published)}
        others = {f"{name}\n(the paper)": value for name, value in PUBLISHED.items() if value not in published.values()}
        figures.plot_shares(
            shares,
            {kind: median.interval for kind, median in self.medians.items()},
            published | others,
            path,
            f"believed to be from colour films, % of {len(self.answers)} users",
        )


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"


def read_answers(survey: Survey, paths: Sequence[Path]) -> tuple[np.ndarray, list[str]]:
    """Reads files of answers; those that are not as the page saves them are left out as a whole.

    Args:
        survey: what the page asked.
        paths: files, and folders whose `answers_*.csv` are read.

    Returns:
        (users, pictures) in the order of `survey.pictures`, 1 for yes, 0 for no, NaN where missing; and what was left
        out, a line each.

    Raises:
        InputError: if a folder cannot be read, or there is no file of answers that can be used.
    """
    read, left_out = {}, []
    for path in _listed(paths):
        try:
            participant, answers = _read(survey, path)
        except InputError as error:
            left_out.append(str(error))
            continue
        read.setdefault(participant, []).append((path, answers))
    rows = []
    for participant, copies in read.items():
        # A file that was saved before the end, or twice, says nothing else than the fullest.
        copies.sort(key=lambda copy: -sum(map(bool, copy[1])))
        (path, fullest), *others = copies
        if any(one not in ("", other) for _, answers in others for one, other in zip(answers, fullest, strict=True)):
            names = " and ".join(str(copy[0]) for copy in copies)
            left_out.append(f"{names}: different answers of the same participant, {participant}; keep the right file")
            continue
        rows.append([ANSWERS[answer] for answer in fullest])
        left_out += [f"{other}: answers of {participant}, which {path} has, too" for other, _ in others]
    if not rows:
        reasons = f" ({left_out[0]}{'; ...' if len(left_out) > 1 else ''})" if left_out else ""
        raise InputError(f"{', '.join(map(str, paths))}: no answers to this survey{reasons}")
    return np.array(rows), left_out


def _listed(paths: Sequence[Path]) -> list[Path]:
    found = []
    for path in paths:
        if path.is_dir():
            with files.reading(path):
                found += sorted(path.glob("answers_*.csv"))
        else:
            found.append(path)
    # The same file, named twice, is one.
    return list({path.resolve(): path for path in found}.values())


def _read(survey: Survey, path: Path) -> tuple[str, list[str]]:
    """A file's participant, and his or her answers in the order of `survey.pictures`."""
    with files.reading(path):
        data = path.read_bytes()
    try:
        header, *rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
    except (ValueError, csv.Error) as error:
        raise InputError(f"{path}: no table in UTF-8 with commas") from error
    if tuple(header) != COLUMNS:
        raise InputError(f"{path}: the columns are {','.join(header)[:80]}, not {','.join(COLUMNS)}")
    if len(rows) != len(survey.pictures):
        raise InputError(f"{path}: {len(rows)} lines of answers, {len(survey.pictures)} pictures were shown")
    participant = rows[0][0]
    if not re.fullmatch("[a-z0-9][a-z0-9_-]*", participant):
        raise InputError(f"{path}: line 2: {participant[:40]!r} is no participant's code")
    answers = {}
    for i, (row, shown) in enumerate(zip(rows, survey.order(participant), strict=True)):
        where = f"{path}: line {i + 2}"
        if len(row) != len(COLUMNS):
            raise InputError(f"{where}: {len(row)} values, not {len(COLUMNS)}")
        if row[0] != participant:
            raise InputError(f"{where}: participant {row[0][:40]!r} in the file of {participant}")
        if (row[1], row[2], row[3]) != (str(i + 1), *shown):
            raise InputError(
                f"{where}: {participant} was not shown this picture at this place by this page; the file belongs to "
                "another survey, or was changed"
            )
        if row[4] not in ANSWERS:
            raise InputError(f"{where}: the answer is {row[4][:40]!r}, not yes, no or empty")
        if row[5] and not (row[4] and re.fullmatch(r"\d+(\.\d+)?", row[5])):
            raise InputError(f"{where}: {row[5][:40]!r} seconds for the answer {row[4]!r}")
        answers[shown] = row[4]
    return participant, [answers[shown] for shown in survey.pictures]


def evaluate(survey: Survey, answers: np.ndarray, draws: int, seed: int) -> Results:
    """Medians of the pictures' shares, with bootstrap intervals (percentiles 2.5 and 97.5) over users and pictures.

    A draw takes as many users and, of each type, as many pictures as there are, with replacement.

    Args:
        survey: what was asked.
        answers: (users, pictures) as `read_answers` returns them.
        draws: of the bootstrap.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    users = len(answers)
    shares = _means(answers)
    columns = {kind: np.flatnonzero([shown.type == kind for shown in survey.pictures]) for kind in survey.types}
    drawn = {kind: [] for kind in survey.types}
    for first in range(0, draws, _DRAWN_AT_ONCE):
        count = min(_DRAWN_AT_ONCE, draws - first)
        # How often each user was drawn.
        weights = rng.multinomial(users, np.full(users, 1 / users), count).astype(float)
        resampled = _ratio(weights @ (answers == 1), weights @ ~np.isnan(answers))
        for kind, places in columns.items():
            chosen = rng.choice(places, (count, len(places)))
            drawn[kind].append(_medians(np.take_along_axis(resampled, chosen, axis=1)))
    medians = {}
    for kind, places in columns.items():
        bounds = np.concatenate(drawn[kind])
        bounds = bounds[~np.isnan(bounds)]
        low, high = np.percentile(bounds, [2.5, 97.5]) if bounds.size else (math.nan, math.nan)
        medians[kind] = Median(
            float(_medians(shares[None, places])[0]), (float(low), float(high)), _published(survey, kind)
        )
    return Results(
        survey, answers, medians, f"95% bootstrap intervals over users and pictures, {draws} draws, seed {seed}"
    )


def _published(survey: Survey, kind: str) -> float:
    name = kind.lower()
    if kind == survey.truth or name == TRUTH:
        return PUBLISHED[TRUTH] if kind == survey.truth else math.nan
    return PUBLISHED.get(name, math.nan)


def _means(answers: np.ndarray) -> np.ndarray:
    """The share of yes of each column among the answers given."""
    return _ratio((answers == 1).sum(axis=0), (~np.isnan(answers)).sum(axis=0))


def _ratio(yes: np.ndarray, given: np.ndarray) -> np.ndarray:
    return np.divide(yes, given, out=np.full(np.shape(yes), math.nan), where=given > 0)


def _medians(shares: np.ndarray) -> np.ndarray:
    """The median of each row, without what is NaN; NaN where nothing is left."""
    known = ~np.isnan(shares).all(axis=1)
    medians = np.full(len(shares), math.nan)
    medians[known] = np.nanmedian(shares[known], axis=1)
    return medians
