"""A tree with a folder for each class, TREE/CLASS/NAME.JPEG, as ImageNet has it, and parts that are drawn from it."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from historynet import files
from historynet.data.samples import Crop, OpenReader, Samples, open_named, open_samples, training_folder
from historynet.errors import InputError, PictureError
from historynet.parallel import batched, map_ahead
from historynet.pictures import images
from historynet.systems.picture_list import PictureListSettings

_COLUMNS = ["name", "class_number"]


def find_classes(tree: Path) -> dict[str, list[str]]:
    """The pictures of each class, CLASS/NAME, sorted; files that are no pictures are passed by.

    Raises:
        InputError: if there is no such folder, it cannot be read, or it holds no folder with pictures.
    """
    if not tree.is_dir():
        raise InputError(f"{tree}: no such folder; a folder with a folder of pictures for each class is needed")
    folders = sorted(path for path in files.list_folder(tree) if path.is_dir() and not path.name.startswith("."))
    found = {
        folder.name: [f"{folder.name}/{name}" for name in images.list_pictures(folder, or_none=True)]
        for folder in folders
    }
    classes = {name: pictures for name, pictures in found.items() if pictures}
    if not classes:
        raise InputError(f"{tree}: no classes; pictures are needed in folders, one for each class (CLASS/NAME.JPEG)")
    return classes


def draw(tree: Path, classes: int, pictures: int, seed: int) -> list[tuple[str, int]]:
    """Some pictures of some classes, drawn by chance among the classes that have so many.

    Args:
        tree: the folder.
        classes: how many of them.
        pictures: of each class.
        seed: of the choice. What is drawn of a class does not depend on which others are.

    Returns:
        (CLASS/NAME, place of the class among all of the tree's) of each, sorted.

    Raises:
        InputError: as `find_classes`; or if there are not so many.
    """
    found = find_classes(tree)
    names = list(found)
    enough = [i for i, name in enumerate(names) if len(found[name]) >= pictures]
    if len(enough) < classes:
        raise InputError(
            f"{tree}: {len(enough)} of {len(names)} classes have {pictures} pictures or more, and {classes} are asked "
            "for; lower --classes or --pictures"
        )
    drawn = []
    for number in np.sort(np.random.default_rng(seed).choice(enough, classes, replace=False)):
        own = found[names[number]]
        places = np.random.default_rng((seed, number)).choice(len(own), pictures, replace=False)
        drawn += [(own[place], int(number)) for place in np.sort(places)]
    return drawn


def write_list(path: Path, drawn: Sequence[tuple[str, int]]) -> None:
    """Writes what `draw` gives as a table (CSV).

    Raises:
        InputError: if it cannot be written.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_COLUMNS, *drawn])
    files.write_text(path, text.getvalue())


def read_list(path: Path) -> dict[str, int]:
    """A table that `write_list` has written: CLASS/NAME -> number of the class, sorted by name.

    Raises:
        InputError: naming the line, if it is no such table.
    """
    with files.reading(path):
        content = path.read_bytes()
    try:
        lines = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: no list of pictures ({error})") from error
    if not lines or lines[0] != _COLUMNS:
        raise InputError(f"{path}: its first line has to be {','.join(_COLUMNS)}; draw_pictures.py writes such lists")
    listed = {}
    for line, row in enumerate(lines[1:], start=2):
        if len(row) != 2 or not row[1].isascii() or not row[1].isdigit():
            raise InputError(f"{path}: line {line}: the name of a picture and the number of its class are wanted")
        name, number = row
        parts = PurePosixPath(name).parts
        if len(parts) != 2 or ".." in parts or PurePosixPath(name).suffix.lower() not in images.EXTENSIONS:
            raise InputError(f"{path}: line {line}: {name} is not the name of a picture, CLASS/NAME")
        if name in listed:
            raise InputError(f"{path}: line {line}: {name} is there twice")
        listed[name] = int(number)
    if not listed:
        raise InputError(f"{path}: lists no pictures")
    return dict(sorted(listed.items()))


def class_of(name: str) -> str:
    """CLASS of CLASS/NAME."""
    return name.split("/")[0]


def class_numbers(settings: PictureListSettings) -> dict[str, int]:
    """The number of each class that is trained on: what the list says, else its place among those of the tree.

    Raises:
        InputError: if tree or list cannot be read, or a class has two numbers, or one that the network does not have.
    """
    if settings.picture_list is None:
        numbers = {name: number for number, name in enumerate(find_classes(training_folder(settings)))}
    else:
        numbers = {}
        for name, number in read_list(settings.picture_list).items():
            before = numbers.setdefault(class_of(name), number)
            if before != number:
                raise InputError(f"{settings.picture_list}: {class_of(name)} has the numbers {before} and {number}")
    name = max(numbers, key=numbers.__getitem__)
    if numbers[name] >= settings.num_classes:
        raise InputError(
            f"{settings.picture_list or settings.train_data}: the class {name} is number {numbers[name]}, from 0, and "
            f"the network has {settings.num_classes} (--num-classes)"
        )
    return numbers


class ClassNumbers:
    """Reads "label", the number of the class that a picture belongs to, (1,)."""

    fields = ("label",)
    noun = "class"
    present = None
    remarks = ""

    def __init__(self, settings: PictureListSettings, folder: Path, names: Sequence[str], required: bool):
        numbers = class_numbers(settings)
        self._numbers = np.array([numbers[class_of(name)] for name in names], np.float32)

    def shape(self, field: str, size: tuple[int, int]) -> tuple[int, ...]:
        return (1,)

    def read(self, index: int, crop: Crop) -> dict[str, np.ndarray]:
        return {"label": self._numbers[index : index + 1]}

    def picture(self, index: int) -> None:
        return None


class TestPictures:
    """The test pictures of the classes that are trained on, in batches: L (batch, height, width, 1), label (batch, 1).

    TEST_DATA is a tree of classes, too; of larger pictures the middle is seen. Pictures that cannot be read are left
    out.

    Args:
        settings: of the run: TEST_DATA, how many of its pictures (the same ones each time), the networks' size.
        numbers: of the classes, by name.

    Attributes:
        left_out: why pictures were left out: messages, each once.

    Raises:
        InputError: if the tree cannot be read, or has none of the classes.
    """

    def __init__(self, settings: PictureListSettings, numbers: Mapping[str, int]):
        tests = find_classes(settings.test_data)
        known = [name for name in tests if name in numbers]
        if not known:
            raise InputError(f"{settings.test_data}: has none of the classes that are trained on, as {min(numbers)}")
        if len(known) < len(tests):
            print(f"{settings.test_data}: {len(tests) - len(known)} of {len(tests)} classes are not trained on")
        names = [name for one in known for name in tests[one]]
        sample = settings.num_test_images
        if sample != "all" and sample < len(names):
            drawn = np.random.default_rng(settings.seed).choice(len(names), sample, replace=False)
            names = [names[i] for i in np.sort(drawn)]
        self._settings, self._numbers, self._names = settings, numbers, names
        whole = settings.crop_size or settings.size
        top, left = ((large - small) // 2 for large, small in zip(whole, settings.size, strict=True))
        self._view = Crop(whole, settings.size, top, left)
        self.left_out: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        ahead = 2 * self._settings.batch_size
        read = (sample for sample in map_ahead(self._read, self._names, ahead) if sample is not None)
        found = False
        for batch in batched(read, self._settings.batch_size):
            found = True
            luminance, numbers = zip(*batch, strict=True)
            yield np.stack(luminance), np.array(numbers, np.float32)[:, None]
        if not found:
            raise InputError(f"{self._settings.test_data}: none of the test pictures can be read")

    def _read(self, name: str) -> tuple[np.ndarray, int] | None:
        try:
            lab = self._view(images.read_rgb(self._settings.test_data / name))
        except PictureError as error:
            self.left_out[str(error)] = None
            return None
        return lab[..., :1], self._numbers[class_of(name)]


def open_listed(settings: PictureListSettings, fields: Mapping[str, OpenReader]) -> Samples:
    """The samples of a training: the pictures of the list, or without one those of the folder itself.

    Raises:
        InputError: naming the file or the line and what to do.
    """
    if settings.picture_list is None:
        return open_samples(settings, fields)
    training_folder(settings)
    return open_named(settings, list(read_list(settings.picture_list)), fields)


def open_tree(settings: PictureListSettings, fields: Mapping[str, OpenReader]) -> Samples:
    """The same of a tree of classes, of which without a list all pictures are taken.

    Raises:
        InputError: naming the file or the line and what to do.
    """
    if settings.picture_list is not None:
        return open_listed(settings, fields)
    pictures = find_classes(training_folder(settings)).values()
    return open_named(settings, [name for names in pictures for name in names], fields)
