"""What is done in threads: an upload is looked at, and its results are made, by the library as the commands do."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from historynet import films
from historynet.colorizing.colorizer import Colorizer
from historynet.colorizing.folder import colorize_files
from historynet.colorizing.options import Options
from historynet.colorizing.reporting import Report
from historynet.colorizing.results import SUFFIX, name_alternatives, name_page, name_results
from historynet.errors import PictureError
from historynet.films.options import FilmOptions
from historynet.films.reading import Film
from historynet.parallel import within
from historynet.pictures import formats
from historynet.pictures.options import LIMITS
from historynet.web import memory
from historynet.web.limits import Limits
from historynet.web.models import Loaded, Models
from historynet.web.refusals import ASK, CancelledError, Refused
from historynet.web.remembering import Outputs, Remembering
from historynet.web.sessions import FILM, PICTURE, Input, Page, Result

_BATCH = 16
"""Pages of a document that go through the network together, as by default with the command."""

_FRAMES = 60
"""A second of a film, at most."""


@dataclass
class Made:
    """What became of a file.

    Attributes:
        pages: what was made.
        notes: what there is to say of it.
        keys: as of `sessions.Result`.
    """

    pages: list[Page]
    notes: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


class Workshop:
    """Looks at files and makes results.

    Args:
        models: at hand.
        limits: of what is done.
        room: the memory.

    Attributes:
        models: the same.
        room: the same.
    """

    def __init__(self, models: Models, limits: Limits, room: memory.Memory):
        self.models, self.room, self._limits = models, room, limits

    def look(self, one: Input) -> None:
        """Finds out what an upload is, by its header, and sets that.

        Raises:
            Refused: if it is no picture or film that can be read, or a larger one than the limits allow.
        """
        is_film = one.path.suffix in films.EXTENSIONS
        try:
            (self._look_at_film if is_film else self._look_at_picture)(one)
        except PictureError as error:
            # What it is its content says.
            try:
                (self._look_at_picture if is_film else self._look_at_film)(one)
            except PictureError:
                raise Refused(415, str(error)) from error
        need = self.need(one)
        if not self.room.fits(need):
            size = f"{one.width}x{one.height}"
            raise Refused(
                413, f"{one.name}: {size} pixels need more memory than there is here; make it smaller, or {ASK}"
            )

    def _look_at_picture(self, one: Input) -> None:
        try:
            header = self._within(formats.read_header, one.path, self._limits.megapixels)
        except PictureError as error:
            try:
                self._within(formats.read_header, one.path, LIMITS[1])
            except PictureError:
                raise error from None
            raise Refused(413, str(error)) from error
        if header.pages > self._limits.pages:
            raise Refused(
                413, f"{one.name}: has {header.pages} pages; {self._limits.pages} are the most; split it, or {ASK}"
            )
        one.kind, one.width, one.height, one.pages = PICTURE, header.width, header.height, header.pages

    def _look_at_film(self, one: Input) -> None:
        most = self._limits.film_seconds
        with self.room.film:
            film = self._within(Film, one.path, FilmOptions(max_megapixels=self._limits.film_megapixels))
        if film.duration is None:
            raise Refused(415, f"{one.name}: a film that does not say how long it is")
        frames = math.ceil(film.duration * film.rate) if film.rate else None
        if film.duration > most or (frames or 0) > most * _FRAMES:
            raise Refused(
                413, f"{one.name}: a film of {film.duration:.0f} seconds; {most:.0f} are the most; split it, or {ASK}"
            )
        height, width = film.planes.shape
        one.kind, one.width, one.height, one.seconds, one.frames = FILM, width, height, film.duration, frames

    def _within(self, read: Callable, path: Path, *arguments: object) -> object:
        try:
            return within(self._limits.read_seconds, read, path, *arguments)
        except TimeoutError as error:
            raise PictureError(f"{path}: takes too long to be read") from error

    def need(self, one: Input, webp: bool = False) -> float:
        """Bytes of memory that its results take while they are made; more if they are WebP files."""
        if one.kind == FILM:
            return memory.of_film(one.megapixels)
        return memory.of_picture(one.megapixels, one.pages, one.size, webp)

    def make(self, result: Result, progress: Callable[[int], None]) -> Made:
        """Makes a result; `progress` is called with the number of pages or frames that are done more.

        Raises:
            CancelledError: if nobody wants it any more.
            InputError: if it cannot be made.
        """

        def check() -> None:
            if result.cancelled:
                raise CancelledError

        check()
        with self.room.taking(self.need(result.input, result.wanted.format == "webp")):
            check()
            loaded = self.models.load(result.wanted.model)
            colorizer = loaded.colorizer
            if result.wanted.temperature is not None:
                colorizer = colorizer.with_decoding(temperature=result.wanted.temperature)
            result.folder.mkdir(mode=0o700, exist_ok=True)
            make = self._make_film if result.input.kind == FILM else self._make_picture
            return make(result, loaded, colorizer, check, progress)

    def _make_picture(
        self,
        result: Result,
        loaded: Loaded,
        colorizer: Colorizer,
        check: Callable[[], None],
        progress: Callable[[int], None],
    ) -> Made:
        one, wanted = result.input, result.wanted
        outputs = Outputs(one.folder, loaded.key)
        remembering = Remembering(colorizer, loaded.turn, check, progress, outputs)
        (path,) = name_results([one.path], result.folder, format=wanted.format)
        options = Options(
            strength=wanted.strength,
            borders=wanted.borders,
            keep_colored=wanted.keep_colored,
            provenance=loaded.provenance,
            max_megapixels=self._limits.megapixels,
            max_seconds=self._limits.read_seconds,
            alternatives=wanted.alternatives,
            seed=wanted.seed,
        )
        report = Report()
        colorize_files(remembering, [one.path], [path], _BATCH, options=options, report=report)
        if report.skipped and not report.done:
            raise PictureError(report.skipped[0])
        planned = {str(path).casefold()}
        paths = [path] if one.pages == 1 else [name_page(one.path, path, page, planned) for page in range(one.pages)]
        pages = [
            Page(
                made if made.exists() else None,
                [other for other in name_alternatives(made, wanted.alternatives, planned) if other.exists()],
            )
            for made in paths
        ]
        return Made(pages, [*report.notes, *report.skipped], remembering.keys)

    def _make_film(
        self,
        result: Result,
        loaded: Loaded,
        colorizer: Colorizer,
        check: Callable[[], None],
        progress: Callable[[int], None],
    ) -> Made:
        one, most = result.input, self._limits.film_seconds * _FRAMES
        done = 0

        def count(frames: int) -> None:
            nonlocal done
            check()
            done += frames
            progress(frames)
            if done > most:
                raise PictureError(f"{one.path}: has more frames than it says, more than {most:g}")

        path = result.folder / (one.path.stem + SUFFIX + films.same_container(one.path))
        options = FilmOptions(
            strength=result.wanted.strength, provenance=loaded.provenance, max_megapixels=self._limits.film_megapixels
        )
        remembering = Remembering(colorizer, loaded.turn, check)
        report = films.colorize_film(remembering, one.path, path, options, count)
        return Made([Page(path)], [*report.damage, *report.notes])
