"""The parameter of the systems that can be trained on a part of a tree of classes, as ImageNet is one."""

from dataclasses import dataclass
from pathlib import Path

from historynet.settings.accepting import text
from historynet.settings.declared import TRAIN, Settings, setting


@dataclass(frozen=True, kw_only=True)
class PictureListSettings(Settings):
    """`Settings` with a list of the training pictures."""

    picture_list: Path | None = setting(
        text,
        TRAIN,
        "data",
        "list of the training pictures in TRAIN_DATA",
        "a table that SOURCE_FilmCNN/draw_pictures.py writes, of pictures CLASS/NAME; none: all of the folder's",
        path=True,
        optional=True,
        since=None,
    )
