"""Which result belongs to which original: by name, never by order."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from historynet.colorizing.results import SUFFIX
from historynet.errors import InputError
from historynet.pictures import images


@dataclass(frozen=True)
class Pairing:
    """The pairs of a folder of originals and a folder of results.

    Attributes:
        pairs: (original, result), sorted by the original's name.
        without_result: names of originals.
        without_original: names of results.
    """

    pairs: list[tuple[Path, Path]]
    without_result: list[str]
    without_original: list[str]


def pair_folders(originals: Path, results: Path) -> Pairing:
    """Pairs NAME.any with NAME_reconstructed.any or NAME.any; subfolders are not walked.

    Where originals differ in their extensions only, each pairs with what has its whole name: NAME.png with
    NAME.png_reconstructed.any or NAME.png.

    Raises:
        InputError: if a folder cannot be read or is empty, an original has two results, or there is no pair.
    """
    names, made = images.list_pictures(originals), images.list_pictures(results)
    by_name = defaultdict(set)
    for result in made:
        by_name[result].add(result)
        by_name[Path(result).stem.removesuffix(SUFFIX)].add(result)
    originals_of_stem = Counter(Path(name).stem for name in names)
    found = {}
    for name in names:
        stem = Path(name).stem
        fitting = by_name[name] | (by_name[stem] if originals_of_stem[stem] == 1 else set())
        if len(fitting) > 1:
            raise InputError(f"{results}: {' and '.join(sorted(fitting))} are both results of {name}; keep one of them")
        if fitting:
            found[name] = fitting.pop()
    if not found:
        raise InputError(
            f"{results}: no result of a picture of {originals} is here; NAME.jpg's is called NAME_reconstructed.* or "
            f"NAME.*, but here are {made[0]} and the like, there {names[0]} and the like"
        )
    return Pairing(
        pairs=[(originals / name, results / result) for name, result in found.items()],
        without_result=[name for name in names if name not in found],
        without_original=sorted(set(made) - set(found.values())),
    )
