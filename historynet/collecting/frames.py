"""A film -> some frames of each of its shots, as pictures to train on."""

import itertools
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence

import numpy as np

from historynet.collecting import records
from historynet.collecting.adjusting import Adjustment, exposure, gray_world
from historynet.collecting.jobs import Job, Progress, write_picture
from historynet.collecting.options import FrameOptions
from historynet.collecting.sampling import BorderFinder, Crop, Samples, Shot, find_shots, fit, open_film, places
from historynet.collecting.shots import COLOURLESS, DARK, KEPT, Analysis, Frame, ShotsRecord
from historynet.films.reading import Film
from historynet.pictures import color, toning
from historynet.pictures.options import NONE, SHOT


def take_frames(job: Job, progress: Progress) -> ShotsRecord:
    """Takes the frames of a film, in two readings; memory is bounded, whatever the film's length.

    What an earlier run has done with the same options is not done again: a film that is finished is passed over, of one
    that is not its first reading is kept. What is in the other part is moved.

    Args:
        job: what is to be done.
        progress: called with the number of frames just read, in both readings.

    Raises:
        PictureError: if the film cannot be read.
        MemoryError: if there is not enough memory to.
        InputError: if no picture can be written any more, as on a full disk.
    """
    record = job.known()
    if record and record.frames is not None:
        record.move(job.folder, job.is_test, job.options)
        return record
    return _take(job, record, progress)


def _take(job: Job, record: ShotsRecord | None, progress: Progress) -> ShotsRecord:
    """The record of a film whose frames are taken; goes on behind its first reading where there is its record."""
    film = open_film(job.named.path)
    name = job.named.film
    records.remove(job.folder, ShotsRecord, name)
    if record is None:
        analysis = _analyse(film, job, progress)
        path, part = os.path.realpath(job.named.path), ShotsRecord.PARTS[job.is_test]
        record = ShotsRecord(name, path, job.named.content, job.options.made_with, part, analysis)
    else:
        film.notes += [note for note in record.notes if note not in film.notes]
        film.damage += record.damage
        record.assign(job.is_test, job.options)
    record.notes, record.damage = film.notes, film.damage
    record.write(job.folder)
    record.frames = list(_write_frames(film, job, record, progress))
    record.write(job.folder)
    return record


def _analyse(film: Film, job: Job, progress: Progress) -> Analysis:
    """The first reading: shots, black bars, white balance and exposure."""
    borders = BorderFinder()
    with Samples(job.folder) as samples:

        def sample(number: int, rgb: np.ndarray) -> None:
            borders.add(rgb)
            samples.add(number, rgb)

        shots, rate = find_shots(film, sample, progress)
        crop = borders.borders() if job.options.crop_borders else Crop()
        return Analysis(rate, crop, shots, _adjustments(samples, crop, shots, job.options))


def _adjustments(samples: Samples, crop: Crop, shots: Sequence[Shot], options: FrameOptions) -> list[Adjustment]:
    """What is done to the frames of each shot."""
    firsts = [shot.first for shot in shots]

    def read() -> Iterator[tuple[int, np.ndarray]]:
        """The samples, each with its shot's place in the list."""
        return ((bisect_right(firsts, number) - 1, rgb) for number, rgb in samples.read(crop))

    def by_shot() -> Iterator[tuple[int, Iterator[np.ndarray]]]:
        for shot, group in itertools.groupby(read(), key=lambda pair: pair[0]):
            yield shot, (rgb for _, rgb in group)

    # A shot between two samples is as the film is.
    gains = [Adjustment().gains] * len(shots)
    if options.white_balance != NONE:
        gains = [gray_world(rgb for _, rgb in read())] * len(shots)
    if options.white_balance == SHOT:
        for shot, pictures in by_shot():
            gains[shot] = gray_world(pictures)
    ranges = [(Adjustment().lo, Adjustment().scale)] * len(shots)
    if options.exposure != NONE:
        ranges = [exposure((rgb, gains[shot]) for shot, rgb in read())] * len(shots)
    if options.exposure == SHOT:
        for shot, pictures in by_shot():
            ranges[shot] = exposure((rgb, gains[shot]) for rgb in pictures)
    return [Adjustment(*pair) for pair in ((gain, *range_) for gain, range_ in zip(gains, ranges, strict=True))]


def _write_frames(film: Film, job: Job, record: ShotsRecord, progress: Progress) -> Iterator[Frame]:
    """The second reading: the pictures of the frames that stand for their shots."""
    analysis = record.analysis
    wanted = {
        shot.first + place: (number, i)
        for number, shot in enumerate(analysis.shots, start=1)
        for i, place in enumerate(places(shot.count, analysis.rate), start=1)
    }
    last = max(wanted, default=-1)
    for number, (ticks, *decoded) in enumerate(film.decoded() if wanted else ()):
        if number in wanted:
            shot, i = wanted[number]
            rgb = fit(analysis.crop(film.planes.rgb(*decoded)), job.options.frame_side, film.planes.aspect)
            rgb = analysis.adjustments[shot - 1](rgb)
            lab = color.rgb_to_lab(rgb).astype(np.float32) / np.float32(255)
            mean = float(lab[..., 0].mean(dtype=float))
            tint, tone = toning.look(rgb)
            outcome = DARK if mean < job.options.darkest else KEPT
            if outcome == KEPT and job.options.drop_colourless and tone != toning.COLORED:
                outcome = COLOURLESS
            frame = Frame(shot, i, float(ticks * film.time_base), mean, tint, outcome)
            if outcome == KEPT:
                write_picture(job.folder / record.part / record.picture(frame), rgb)
            yield frame
        progress(1)
        if number == last:
            return
