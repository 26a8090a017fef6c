"""A parser -> masks of the kept pictures, in shards, so that a stopped run goes on. What a hand made stays."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from historynet import files
from historynet.collecting import drawing, manifest, masks, parsers
from historynet.collecting.manifest import Picture
from historynet.collecting.masks import Made
from historynet.collecting.parser_files import Description
from historynet.collecting.shards import SHARD, Shards, digest_of, digest_of_file
from historynet.errors import PictureError
from historynet.parallel import batched, map_ahead
from historynet.pictures import images
from historynet.spread import spread

_TOGETHER = 16
"""Pictures that are in memory at a time."""


def chosen(pictures: Sequence[Picture], count: int | None, seed: int) -> list[Picture]:
    """The pictures that are parsed: all, or so many of them, of each title in its share and at even distances.

    Args:
        pictures: all that are kept.
        count: how many of them; None: all.
        seed: of the draw.
    """
    if count is None or count >= len(pictures):
        return list(pictures)
    by_title: dict[str, list[str]] = {}
    for picture in pictures:
        by_title.setdefault(picture.key, []).append(picture.picture)
    drawn = set(drawing.draw(by_title, Fraction(count, len(pictures)), seed))
    return [picture for picture in pictures if picture.picture in drawn]


@dataclass(frozen=True)
class Shard:
    """Some pictures to be parsed, and all that is needed for it; any process can.

    Attributes:
        parser: how it is asked.
        palette: of the masks.
        work: the folder WORK.
        pictures: that are parsed.
        by_hand: names of those whose mask stays as it is.
        result: the table to write.
    """

    parser: Description
    palette: str
    work: Path
    pictures: tuple[Picture, ...]
    by_hand: frozenset[str]
    result: Path


def parse_shard(shard: Shard, progress: Callable[[int], object] = lambda count: None) -> list[str]:
    """Parses the pictures of a shard, then writes its table, whole or not at all; why pictures were left out.

    Raises:
        InputError: if the parser cannot be used, or something not be written.
    """
    parser, made, left_out = parsers.open_parser(shard.parser), {}, []

    def see(picture: Picture) -> np.ndarray | PictureError | None:
        if picture.picture in shard.by_hand:
            return None
        try:
            return images.read_rgb(manifest.path_of(shard.work, picture))
        except PictureError as error:
            return error

    seen = zip(shard.pictures, map_ahead(see, shard.pictures, 2 * _TOGETHER), strict=True)
    for batch in batched(seen, _TOGETHER):
        left_out += [str(rgb) for _, rgb in batch if isinstance(rgb, PictureError)]
        readable = [(picture, rgb) for picture, rgb in batch if isinstance(rgb, np.ndarray)]
        found = parser([rgb for _, rgb in readable], [picture.boxes for picture, _ in readable])
        for (picture, _), parsing in zip(readable, found, strict=True):
            masks.write(manifest.mask_of(shard.work, picture), parsing.indices, shard.palette)
            made[picture.picture] = Made(shard.parser.model.stem, confidence=parsing.confidence)
        progress(len(batch))
    masks.write_made(shard.result, made)
    return left_out


class Masks:
    """The masks of some pictures, of which some shards may be there already.

    Args:
        work: the folder WORK.
        parser: what makes them.
        palette: that they are drawn in.
        pictures: that get one.

    Attributes:
        left_out: why pictures were left out, of this run.

    Raises:
        InputError: if the parser's files or the table of masks cannot be read, or the palette draws no such parts.
    """

    def __init__(self, work: Path, parser: Description, palette: str, pictures: Sequence[Picture]):
        masks.check_palette(parser.indices, palette, parser.path)
        self._work, self._parser, self._palette, self._pictures = work, parser, palette, pictures
        self._before = masks.read_table(work)
        self._kept = manifest.read(work)
        there = {one.picture for one in self._kept if masks.of(work, one)}
        # One that somebody removed is the parser's again.
        self._by_hand = {name: made for name, made in self._before.items() if made.is_by_hand and name in there}
        self.left_out: list[str] = []

    def make(
        self,
        workers: int = 1,
        progress: Callable[[int], object] = lambda count: None,
        over: Callable[[Sequence[Shard]], Iterable[tuple[int, list[str]]]] | None = None,
    ) -> bool:
        """Makes what is not there yet; False if all of it was.

        Args:
            workers: processes at the same time.
            progress: called with the number of pictures that are just done.
            over: does shards elsewhere, and says of each place why pictures were left out; None: they are done here.

        Raises:
            InputError: if the parser cannot be used, or something not be written.
        """
        files.remove_unfinished(self._work / masks.FOLDER)
        shards = Shards(self._work / masks.FOLDER / "shards", self._record())
        wanted, kept = self._pictures, {}
        if shards.are_done and all(masks.of(self._work, one) for one in self._kept if one.picture in self._before):
            shards.remove()
            # What could not be read before may have been mended.
            wanted, kept = [one for one in wanted if one.picture not in self._before], self._before
            if not wanted:
                return False
        shards.begin()
        for key in {picture.file_key for picture in self._pictures}:
            files.remove_unfinished(manifest.frames_of(self._work, key) / manifest.MASKS)
        self._redraw()
        missing = []
        for shard in self._shards(shards, wanted):
            if shard.result.exists():
                progress(len(shard.pictures))
            else:
                missing.append(shard)
        if over:
            for place, left_out in over(missing):
                self.left_out += left_out
                progress(len(missing[place].pictures))
        elif min(workers, len(missing)) <= 1:
            for shard in missing:
                self.left_out += parse_shard(shard, progress)
        else:
            for left_out in spread(parse_shard, missing, workers):
                self.left_out += left_out
        self._join(shards, kept)
        shards.end()
        return True

    def _record(self) -> dict[str, object]:
        from historynet import __version__

        # What is measured of a picture is another where the picture is.
        pictures = (f"{one.picture} {one.boxes} {one.sharpness} {one.tone}" for one in self._pictures)
        return {
            "version": __version__,
            "parser": digest_of_file(self._parser.path),
            "model": digest_of_file(self._parser.model),
            "palette": self._palette,
            "pictures": digest_of(pictures),
        }

    def _shards(self, shards: Shards, pictures: Sequence[Picture]) -> list[Shard]:
        by_hand = frozenset(self._by_hand)
        return [
            Shard(self._parser, self._palette, self._work, tuple(several), by_hand, shards.path(number))
            for number, several in enumerate(batched(pictures, SHARD))
        ]

    def _redraw(self) -> None:
        """Gives masks that a hand made the palette of the others."""
        for picture in self._kept:
            path = manifest.mask_of(self._work, picture)
            if picture.picture in self._by_hand and path.exists():
                try:
                    masks.redraw(path, self._palette)
                except PictureError as error:
                    self.left_out.append(str(error))

    def _join(self, shards: Shards, kept: Mapping[str, Made]) -> None:
        """Writes the table, after removing what an earlier parser made and this one did not."""
        made = dict(kept)
        for path in shards.paths():
            made |= masks.read_made(path)
        for picture in self._kept:
            name = picture.picture
            if name in self._before and name not in made and name not in self._by_hand:
                path = manifest.mask_of(self._work, picture)
                with files.writing(path, "removed"):
                    path.unlink(missing_ok=True)
        masks.write_made(self._work / masks.TABLE, made | self._by_hand)


def least_sure(made: Mapping[str, Made], labels: Mapping[str, str] | None, count: int) -> list[str]:
    """Pictures whose masks are to be corrected by hand: those that the parser is least sure of.

    Args:
        made: who made them; what a hand made is left out, and what has nobody's parts in it comes first.
        labels: of the pictures; with them each label gives as many as any other, as far as it has them.
        count: how many.
    """
    names = [name for name in made if not made[name].is_by_hand]
    names.sort(key=lambda name: (-1.0 if made[name].confidence is None else made[name].confidence, name))
    if labels is None:
        return names[:count]
    taken: dict[str, int] = {}
    places = {}
    for name in (name for name in names if name in labels):
        places[name] = taken[labels[name]] = taken.get(labels[name], 0) + 1
    # The first of each label, then the second ones.
    return sorted(places, key=places.__getitem__)[:count]
