"""Which model colorizes where none is named: the best of a real training, else the one that is shipped."""

import json
import re

import pytest
from conftest import GENERATOR_ALONE, ROOT, train_arguments, write_picture

from historynet import backend, settings
from historynet.colorizing import choosing
from historynet.colorizing.choosing import choose_model, find_model
from historynet.errors import InputError
from historynet.systems import loading
from historynet.systems.historynet import shipped
from historynet.systems.historynet.generator import build_generator
from historynet.systems.historynet.settings import HistoryNetSettings
from historynet.systems.historynet.variants import Architecture

TRAIN = "SOURCE_HistoryNet/HistoryNet.py"
COLORIZE = "SOURCE_HistoryNet/colorization.py"
NARROW = Architecture(image_size=24, width=1 / 16, features_width=1 / 32, dense_width=1 / 64)


def make_run(folder, best_epochs, saved=None, steps=None, start=None, log_dir=None, scores=None):
    """A run's folder as a training leaves it: empty files of networks, settings, the table of its epochs."""
    log_dir = log_dir or folder / "logs"
    for path in (folder, log_dir):
        path.mkdir(parents=True, exist_ok=True)
    for epoch in range(len(best_epochs)) if saved is None else saved:
        (folder / f"my_model_colorizationEpoch{epoch}.keras").touch()
        (folder / f"my_model_discriminatorEpoch{epoch}.keras").touch()
    written = {"test_name": "mine", "log_dir": str(log_dir), "steps_per_epoch": steps, "batch_size": 4}
    (folder / "settings.json").write_text(json.dumps(written))
    (folder / "run.json").write_text(json.dumps([{"date": "x"} | ({"epoch": start} if start else {})]))
    scores = scores or [20 + epoch for epoch in range(len(best_epochs))]
    rows = [f"{epoch},{scores[epoch]},{best}" for epoch, best in enumerate(best_epochs)]
    (log_dir / "epochs.csv").write_text("\n".join(["epoch,psnr,best_epoch", *rows]) + "\n")
    return folder


def chosen(folder, program="HistoryNet"):
    return find_model("default", folder, program).name


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A narrow network in the place of the one that is shipped."""
    path = tmp_path / "shipped/small.keras"
    path.parent.mkdir()
    loading.save(build_generator(NARROW), "HistoryNet", NARROW, path)
    monkeypatch.setattr(choosing, "SHIPPED", path)
    monkeypatch.setattr(shipped, "SHIPPED", path)
    return path


def test_the_best_epoch_by_the_runs_own_table_is_taken(tmp_path):
    folder = make_run(tmp_path / "M", [0, 1, 1, 3, 3, 3])
    assert chosen(folder) == "my_model_colorizationEpoch3.keras"
    choice = choose_model("default", folder, "HistoryNet")
    assert str(choice) == f"{choice.path} (epoch 3, the best of 6 by {tmp_path}/M/logs/epochs.csv)"
    # Of the paper's eight epochs, too, the last is not the best by itself.
    assert chosen(make_run(tmp_path / "M8", [0, 1, 2, 3, 4, 4, 4, 4])) == "my_model_colorizationEpoch4.keras"


@pytest.mark.parametrize("program", ["Baseline", "HistoryNet_Parsing", None])
def test_so_it_is_of_every_program(tmp_path, program):
    assert chosen(make_run(tmp_path / "M", [0, 1, 1]), program) == "my_model_colorizationEpoch1.keras"


def test_where_the_best_epoch_is_not_saved_the_best_of_those_that_are_is_taken(tmp_path):
    folder = make_run(tmp_path / "M", [0, 0, 2, 2, 4, 4], saved=[1, 3, 5], scores=[20, 19, 22, 21.5, 25, 21])
    choice = choose_model("default", folder, "HistoryNet")
    table = f"{tmp_path}/M/logs/epochs.csv"
    remark = f"epoch 3, the best of the 3 that are saved, by {table}; epoch 4, the best of 6, is not saved"
    assert str(choice) == f"{folder}/my_model_colorizationEpoch3.keras ({remark})"
    # What is no number is not the best, and a run without any is taken as it ended.
    folder = make_run(tmp_path / "N", [0, 0, 0], saved=[1, 2], scores=[20, 19, "nan"])
    assert chosen(folder) == "my_model_colorizationEpoch1.keras"
    folder = make_run(tmp_path / "O", [0, 0], saved=[1], scores=[20, "nan"])
    assert "(epoch 1, the newest)" in str(choose_model("default", folder, "HistoryNet"))


@pytest.mark.parametrize(
    "table", [None, "", "epoch,psnr,best_epoch\n", "a,b\n1,2\n", "epoch,best_epoch\n0,x\n", "\xff\0"]
)
def test_without_a_table_of_its_epochs_the_newest_is_taken(tmp_path, table):
    folder = make_run(tmp_path / "M", [0] * 11)
    path = folder / "logs/epochs.csv"
    path.unlink() if table is None else path.write_text(table, encoding="latin-1")
    assert chosen(folder) == "my_model_colorizationEpoch10.keras"
    assert "(epoch 10, the newest)" in str(choose_model("default", folder, "HistoryNet"))


def test_a_line_that_was_cut_off_does_not_count(tmp_path):
    folder = make_run(tmp_path / "M", [0, 1, 2])
    with (folder / "logs/epochs.csv").open("a") as file:
        file.write("3,25,")
    assert chosen(folder) == "my_model_colorizationEpoch2.keras"


def test_the_table_is_found_where_a_relative_setting_says(tmp_path, monkeypatch):
    project = tmp_path / "project"
    folder = make_run(project / "MODEL/mine", [0, 0, 0], log_dir=project / "RESULT/mine/logs")
    written = json.loads((folder / "settings.json").read_text()) | {"log_dir": "RESULT/{TEST_NAME}/logs"}
    (folder / "settings.json").write_text(json.dumps(written))
    monkeypatch.chdir("/")
    assert chosen(folder) == "my_model_colorizationEpoch0.keras"
    # Moved as a whole.
    project.rename(tmp_path / "moved")
    assert chosen(tmp_path / "moved/MODEL/mine") == "my_model_colorizationEpoch0.keras"


@pytest.mark.parametrize("broken", [b"", b"[]", b"{", b'{"log_dir": 3, "test_name": null}'])
def test_settings_that_cannot_be_used_do_not_keep_anybody_from_colorizing(tmp_path, broken):
    folder = make_run(tmp_path / "M", [0, 0, 0])
    (folder / "settings.json").write_bytes(broken)
    assert chosen(folder) == "my_model_colorizationEpoch2.keras"


EPOCH = {"steps": 5, "pictures": 400, "batch_size": 4}


def test_a_run_shorter_than_one_epoch_is_never_the_default(tmp_path, small):
    folder = make_run(tmp_path / "M", [0], steps=5, start=EPOCH)
    choice = choose_model("default", folder, "HistoryNet")
    assert choice.path == small
    assert str(choice).startswith(f"the shipped model, {small} (")
    assert re.search(r"M holds a run shorter than one pass .*--pretrained my_model_colorizationEpoch0", str(choice))
    with pytest.raises(InputError, match=r"M: holds no model that is taken by default; .* can be my_model_.*Epoch0"):
        find_model("default", folder, "Baseline")
    # By its name it is to be had.
    assert find_model("my_model_colorizationEpoch0", folder).parent == folder


def test_many_short_epochs_may_be_a_whole_one(tmp_path, small):
    for epochs, whole in ((19, False), (20, True)):
        folder = make_run(tmp_path / f"M{epochs}", [2] * epochs, steps=5, start=EPOCH)
        assert (find_model("default", folder, "HistoryNet") == small) is not whole
        assert whole is (chosen(folder) == "my_model_colorizationEpoch2.keras")


def test_of_a_run_of_an_earlier_version_a_limited_epoch_counts_as_short(tmp_path, small):
    assert find_model("default", make_run(tmp_path / "M", [0, 1], steps=20), "HistoryNet") == small


def test_a_run_without_a_finished_epoch_leaves_the_shipped_model(tmp_path, small):
    folder = make_run(tmp_path / "M", [], start=EPOCH)
    assert find_model("default", folder, "HistoryNet") == small


@pytest.mark.parametrize("name", ["my_model_colorizationEpoch7.h5", "my_model_colorizationEpoch7.weights.h5"])
def test_released_files_keep_working(tmp_path, small, name):
    (tmp_path / "M").mkdir()
    (tmp_path / "M" / name).touch()
    assert chosen(tmp_path / "M") == name
    # One's own short training beside them changes nothing.
    make_run(tmp_path / "M", [0, 1], steps=5, start=EPOCH)
    assert chosen(tmp_path / "M") == name
    # A converted file has no run beside it.
    (tmp_path / "N").mkdir()
    (tmp_path / "N/my_model_colorizationEpoch7.keras").touch()
    assert chosen(tmp_path / "N") == "my_model_colorizationEpoch7.keras"


def test_a_released_file_of_another_name_is_asked_for(tmp_path, small):
    """Somebody has put it there to be used, and it would not be."""
    (tmp_path / "my_model_colorizationEpoch5.h5").touch()
    with pytest.raises(InputError, match=r"--pretrained can be my_model_colorizationEpoch5.h5, or shipped"):
        find_model("default", tmp_path, "HistoryNet")


def test_what_was_exported_into_the_folder_is_taken_by_its_name_alone(tmp_path, small):
    exported = [f"my_model_colorizationEpoch7.{ending}" for ending in ("onnx", "xml", "bin", "csv")]
    for name in exported:
        (tmp_path / name).touch()
    assert find_model("default", tmp_path, "HistoryNet") == small
    assert find_model(exported[0], tmp_path, "HistoryNet") == tmp_path / exported[0]
    with pytest.raises(InputError, match=r"holds no model that is taken by default; train one, or name a file"):
        find_model("default", tmp_path, "Baseline")
    make_run(tmp_path / "M", [0, 1])
    (tmp_path / "M" / exported[0]).touch()
    assert chosen(tmp_path / "M") == "my_model_colorizationEpoch1.keras"


def test_shipped_always_works(tmp_path, small, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shipped.keras").touch()
    folder = make_run(tmp_path / "M", [0, 1])
    for program in ("HistoryNet", None):
        assert find_model("shipped", folder, program) == small
    with pytest.raises(InputError, match="shipped: .*of HistoryNet, not of Baseline"):
        find_model("shipped", folder, "Baseline")
    monkeypatch.setattr(choosing, "SHIPPED", tmp_path / "gone.keras")
    with pytest.raises(InputError, match=r"gone.keras: the shipped model is not there"):
        find_model("shipped", folder, "HistoryNet")


def test_colorizing_after_a_training(mhmd, run, tmp_path, small):
    """As a new user does it: a short try in the default's folder, then a training of two epochs."""
    (tmp_path / "photos").mkdir()
    write_picture(tmp_path / "photos/a.png")
    places = ("--model-dir", tmp_path / "MODEL", "--result-dir", tmp_path / "out", "--overwrite", tmp_path / "photos")
    code, _, err = run(TRAIN, *train_arguments(mhmd, "--steps-per-epoch", 1, *GENERATOR_ALONE))
    assert code == 0, err
    code, out, err = run(COLORIZE, *places)
    assert code == 0, err
    assert f"colorizing with the shipped model, {small} (" in out
    code, _, err = run(TRAIN, *train_arguments(mhmd, "--fresh", "--num-epochs", 2, *GENERATOR_ALONE))
    assert code == 0, err
    best = int((tmp_path / "LOG/epochs.csv").read_text().split()[-1].split(",")[-1].removesuffix(".0"))
    code, out, err = run(COLORIZE, *places)
    assert code == 0, err
    assert f"my_model_colorizationEpoch{best}.keras (epoch {best}, the best of 2 by {tmp_path}/LOG/epochs.csv)" in out
    code, out, err = run(COLORIZE, "--pretrained", "shipped", *places)
    assert code == 0, err
    assert f"the shipped model, {small}" in out


def resolve(config, *arguments):
    parser = settings.make_parser("", settings.TRAIN, config, HistoryNetSettings)
    return settings.resolve(parser.parse_args([str(x) for x in arguments]), config, HistoryNetSettings)


@pytest.fixture
def config():
    return ROOT / "SOURCE_HistoryNet/config.py"


def test_widths_and_size_follow_from_the_file_that_a_training_goes_on_from(small, config, tmp_path):
    for given in ("shipped", small):
        resolved, written = resolve(config, "--init-generator", given)
        assert resolved.init_generator == small
        found = (resolved.image_size, resolved.width, resolved.features_width, resolved.dense_width)
        assert found == (24, 1 / 16, 1 / 32, 1 / 64)
    # What is said on the command line wins.
    resolved, written = resolve(config, "--init-generator", "shipped", "--image-size", 48, "--dense-width", "none")
    assert (resolved.image_size, resolved.width, resolved.dense_width) == (48, 1 / 16, None)
    assert written["init_generator"] == "shipped"
    # A saved run is repeated as it was.
    (tmp_path / "settings.json").write_text(json.dumps(written))
    again, _ = resolve(config, "--config", tmp_path / "settings.json")
    assert again == resolved


def test_files_that_do_not_say_their_widths_leave_them_as_they_are(config, tmp_path):
    for arguments in ((), ("--init-generator", "none")):
        resolved, _ = resolve(config, *arguments)
        assert (resolved.image_size, resolved.width, resolved.init_generator) == (224, 1.0, None)
    with pytest.raises(InputError, match=r"nowhere.keras: cannot be read \(No such file"):
        resolve(config, "--init-generator", tmp_path / "nowhere.keras")


def test_fine_tuning_is_one_command(mhmd, run, tmp_path, small):
    (mhmd / "dataset_train/sign.txt").unlink()
    arguments = [
        *("--train-data", mhmd / "dataset_train", "--test-data", mhmd / "dataset_second"),
        *("--model-dir", tmp_path / "MODEL", "--out-dir", tmp_path / "OUT", "--log-dir", tmp_path / "LOG"),
        *("--init-generator", "shipped", "--allow-missing-labels", "--allow-missing-parsing"),
        *("--num-epochs", 1, "--batch-size", 2, "--learning-rate", 1e-30, *GENERATOR_ALONE),
    ]
    code, out, err = run(TRAIN, *arguments)
    assert code == 0, err
    assert f"G starts from {small}: image size 24, width 0.0625, features width 0.03125, dense width 0.015625" in out
    before, _ = loading.load(small, "HistoryNet", "generator")
    after, architecture = loading.load(tmp_path / "MODEL/my_model_colorizationEpoch0.keras", "HistoryNet", "generator")
    assert architecture == NARROW
    for a, b in zip(before.trainable_variables, after.trainable_variables, strict=True):
        assert abs(a.numpy() - b.numpy()).max() < 1e-12
    # The same command again.
    code, out, err = run(TRAIN, *arguments)
    assert code == 0, err
    assert "is finished" in out


def test_another_variant_says_that_the_shipped_model_is_none_of_its_own(mhmd, run, small, tmp_path):
    arguments = train_arguments(mhmd, "--init-generator", "shipped")
    for option in ("--width", "--image-size"):
        place = arguments.index(option)
        del arguments[place : place + 2]
    code, _, err = run("SOURCE_Classifier/HistoryNet_Classifier.py", *arguments)
    assert code == 2
    assert "this is a HistoryNet model; SOURCE_Classifier needs a HistoryNet_Classifier model" in err


def test_the_documented_command_has_a_name_of_its_own():
    text = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    own = text.split("## Your own photographs")[1].split("\n## ")[0]
    commands = re.findall(r"^python SOURCE_HistoryNet/HistoryNet.py(?:.*\\\n)*.*$", own, re.MULTILINE)
    assert len(commands) >= 2
    assert all("--test-name mine" in command for command in commands)
    assert any("--init-generator shipped" in command for command in commands)
    assert "colorization.py --test-name mine" in own


@pytest.mark.parametrize(
    ("start", "hint"), [(b"\x08\x09", "it may be an ONNX file"), (b"<?xml version", "OpenVINO's end")]
)
def test_a_file_of_another_kind_is_refused_before_an_engine_starts(tmp_path, run, monkeypatch, start, hint):
    monkeypatch.setattr(backend, "start", None)
    model = tmp_path / "renamed.keras"
    model.write_bytes(start)
    code, out, err = run("SOURCE_HistoryNet/colorization.py", "--pretrained", model, "--result-dir", tmp_path, tmp_path)
    assert (code, out) == (2, "")
    assert (
        err.startswith(f"error: {model}: not a model file (neither .keras nor HDF5); {hint}") and err.count("\n") == 1
    )
