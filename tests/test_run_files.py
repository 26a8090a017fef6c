"""The names of a run's model files."""

import errno
import os

import pytest

from historynet.colorizing.choosing import find_model
from historynet.errors import InputError
from historynet.weights import run_files


def test_a_model_file_is_called_as_the_readme_says(tmp_path):
    assert run_files.model_path(tmp_path, "colorization", 7) == tmp_path / "my_model_colorizationEpoch7.keras"


def test_models_are_listed_by_epoch_as_a_number_then_by_name(tmp_path):
    names = [
        "my_model_colorizationEpoch2.keras",
        "my_model_discriminatorEpoch2.keras",
        "my_model_colorizationEpoch10.keras",
    ]
    others = ["settings.json", ".unfinished-0.keras", "my_model_colorizationEpoch3.h5", "my_model_colorization.keras"]
    for name in (*reversed(names), *others, "my_model_Epoch1.keras", "my_model_colorizationEpochs.keras"):
        (tmp_path / name).touch()
    assert [path.name for path in run_files.list_models(tmp_path)] == names
    assert [path.name for path in run_files.list_models(tmp_path, "colorization")] == [names[0], names[2]]
    assert run_files.list_models(tmp_path, "classifier") == []
    assert run_files.list_models(tmp_path / "nowhere") == []


def test_a_folder_that_cannot_be_read_is_not_one_without_models(tmp_path, monkeypatch):
    """Else a run would start anew there, over the models. Tests of the user root cannot take the right away."""
    (tmp_path / "my_model_colorizationEpoch2.keras").touch()

    def refuse(folder):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))

    monkeypatch.setattr(os, "scandir", refuse)
    monkeypatch.setattr(os, "listdir", refuse)
    for use in (run_files.list_models, lambda folder: find_model("default", folder, "HistoryNet")):
        with pytest.raises(InputError, match=rf"^{tmp_path}: cannot be read \(Permission denied\)"):
            use(tmp_path)


@pytest.mark.parametrize(
    ("name", "epoch"),
    [
        ("my_model_colorizationEpoch0.keras", 0),
        ("my_model_patchEpochsEpoch499.keras", 499),
        ("my_model_colorizationEpoch7.h5", None),
        ("my_model_colorizationEpoch-1.keras", None),
        ("historynet_compact.keras", None),
    ],
)
def test_the_epoch_is_read_from_the_name(tmp_path, name, epoch):
    assert run_files.epoch_of(tmp_path / name) == epoch


def test_a_name_that_was_made_is_read_back(tmp_path):
    path = run_files.model_path(tmp_path, "classifier", 12)
    path.touch()
    assert run_files.list_models(tmp_path, "classifier") == [path]
    assert run_files.epoch_of(path) == 12
