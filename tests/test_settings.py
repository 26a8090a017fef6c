import dataclasses
import json

import pytest
from conftest import ROOT

from historynet import settings
from historynet.errors import InputError
from historynet.systems.historynet.settings import HistoryNetSettings

CONFIG = ROOT / "SOURCE_HistoryNet/config.py"
LABELS = {"num_classes", "sign_name", "allow_missing_labels"}
PARSING = {"train_parsing", "allow_missing_parsing", "lambda_par"}
INFO = {"lambda_info", "init_classifier"}


def resolve(*arguments, command=settings.TRAIN, config=CONFIG):
    parser = settings.make_parser("", command, config, HistoryNetSettings)
    return settings.resolve(parser.parse_args(list(arguments)), config, HistoryNetSettings)[0]


def test_defaults_are_the_papers():
    chosen = resolve()
    assert (chosen.batch_size, chosen.num_epochs, chosen.learning_rate) == (16, 8, 2e-5)
    assert (chosen.lambda_rec, chosen.lambda_cls, chosen.lambda_par) == (1, 0.003, 0.003)
    assert (chosen.lambda_g, chosen.lambda_info, chosen.lambda_gp) == (0.1, 0.003, 10)
    assert (chosen.image_size, chosen.num_classes, chosen.width, chosen.sign_name) == (224, 42, 1, "sign.txt")
    assert chosen.num_test_images == 64


def test_paths_of_config_are_the_projects_and_of_the_command_line_the_callers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chosen = resolve("--train-data", "mine")
    assert chosen.train_data == tmp_path / "mine"
    assert chosen.test_data == ROOT / "DATASET/dataset_second"
    assert chosen.model_dir == ROOT / "MODEL/HistoryNet"


def test_the_name_of_the_run_moves_its_folders():
    chosen = resolve("--test-name", "other")
    assert chosen.model_dir == ROOT / "MODEL/other"
    assert chosen.log_dir == ROOT / "RESULT/other/logs"


@pytest.mark.parametrize(
    ("folder", "lacking"),
    [
        ("SOURCE_HistoryNet", set()),
        ("SOURCE_Parsing", INFO),
        ("SOURCE_Classifier", PARSING),
        ("Baseline", LABELS | PARSING | INFO),
    ],
)
def test_a_variant_has_no_setting_for_what_it_lacks(folder, lacking, tmp_path):
    config = ROOT / folder / "config.py"
    parser = settings.make_parser("", settings.TRAIN, config, HistoryNetSettings)
    chosen, written = settings.resolve(parser.parse_args([]), config, HistoryNetSettings)
    assert {field.name for field in dataclasses.fields(chosen)} - set(written) == lacking
    shown = {name.lower() for name, _ in settings.describe(chosen, settings.TRAIN)}
    for name in LABELS | PARSING | INFO:
        assert (f"--{name.replace('_', '-')} " in parser.format_help()) == (name not in lacking)
        assert (name in shown) == (name not in lacking)
    for name in lacking:
        with pytest.raises(InputError, match=name.replace("_", "-")):
            resolve(f"--{name.replace('_', '-')}", "1", config=config)
        saved = tmp_path / "settings.json"
        saved.write_text(json.dumps({name: "1"}))
        with pytest.raises(InputError, match=f"settings.json: there is no setting {name}"):
            resolve("--config", str(saved), config=config)


@pytest.mark.parametrize(
    ("folder", "paper", "released"),
    [
        ("SOURCE_HistoryNet", (1, 0.003, 0.003, 0.1, 0.003, 10), (2, 0.002, 0.002, 0.1, 0.002, 10)),
        ("SOURCE_Parsing", (1, 0.003, 0.003, 0.1, None, 10), (2, 0.002, 0.002, 0.1, None, 10)),
        ("SOURCE_Classifier", (1, 0.003, None, 0.1, 0.003, 10), (2, 0.002, None, 0.1, 0.002, 10)),
        ("Baseline", (1, 0.003, None, 0.1, None, 10), (1, 0.003, None, 0.1, None, 10)),
    ],
)
def test_loss_weights_of_the_paper_and_of_the_released_program(folder, paper, released):
    def weights(*arguments):
        chosen = resolve(*arguments, config=ROOT / folder / "config.py")
        return tuple(getattr(chosen, f"lambda_{name}") for name in ("rec", "cls", "par", "g", "info", "gp"))

    assert weights() == weights("--losses", "paper") == paper
    assert weights("--losses", "released") == released
    # What is given explicitly wins, whatever comes first.
    assert weights("--lambda-rec", "7", "--losses", "released") == (7, *released[1:])


def test_explicit_loss_weights_of_config_and_saved_runs_win_too(tmp_path):
    config = tmp_path / "variant/config.py"
    config.parent.mkdir()
    config.write_text(CONFIG.read_text() + "LAMBDA_REC = 5\n")
    assert resolve("--losses", "released", config=config).lambda_rec == 5
    assert resolve("--losses", "released", config=config).lambda_gp == 10
    parser = settings.make_parser("", settings.TRAIN, CONFIG, HistoryNetSettings)
    first, written = settings.resolve(
        parser.parse_args(["--losses", "released", "--lambda-g", "3"]), CONFIG, HistoryNetSettings
    )
    saved = tmp_path / "settings.json"
    saved.write_text(json.dumps(written))
    assert resolve("--config", str(saved)) == first
    again = resolve("--config", str(saved), "--losses", "paper")
    assert (again.lambda_g, again.lambda_rec) == (3, 1)


def test_a_config_of_an_earlier_version_needs_no_new_constant(tmp_path):
    lines = CONFIG.read_text().splitlines(keepends=True)
    (tmp_path / "config.py").write_text("".join(line for line in lines if not line.startswith("SAVE_NETWORKS_EVERY")))
    assert resolve(config=tmp_path / "config.py").save_networks_every == 1
    assert resolve("--save-networks-every", "5", config=tmp_path / "config.py").save_networks_every == 5
    (tmp_path / "config.py").write_text("".join(line for line in lines if not line.startswith("BATCH_SIZE")))
    with pytest.raises(InputError, match="BATCH_SIZE missing"):
        resolve(config=tmp_path / "config.py")


def test_a_config_of_before_the_recipe_trains_as_it_did(tmp_path):
    new = ["AGE_", "CROP_SHARE", "SAMPLE_", "CLIP_", "WEIGHT_", "BETA_", "FINAL_", "FEATURES_RATE", "CRITIC_"]
    lines = [line for line in CONFIG.read_text().splitlines(keepends=True) if not line.startswith(tuple(new))]
    (tmp_path / "config.py").write_text("".join(lines))
    before, now = resolve(config=tmp_path / "config.py"), resolve()
    assert settings.as_json(before).keys() == settings.as_json(now).keys()
    for name in ("beta_1", "beta_2", "clip_norm", "crop_share", "features_rate", "weight_decay", "critic_warmup"):
        assert getattr(before, name) == getattr(now, name)


@pytest.mark.parametrize("path", sorted((ROOT / "SOURCE_HistoryNet").glob("*.json")), ids=lambda path: path.name)
def test_the_settings_files_of_the_project_are_settings(path):
    resolve("--config", str(path)).check(settings.TRAIN)


def test_the_gpus_recipe():
    """700,000 pictures in batches of 64."""
    recipe = resolve("--config", str(ROOT / "SOURCE_HistoryNet/compact.json"))
    steps = recipe.num_epochs * recipe.steps_per_epoch
    assert (steps, recipe.batch_size) == (11_000, 64)
    assert recipe.warmup_steps + recipe.decay_steps == steps
    weights = (recipe.lambda_rec, recipe.lambda_cls, recipe.lambda_par, recipe.chroma_weight, recipe.log_error)
    assert weights == (1, 0.1, 3.3, 5, True)


def test_every_constant_is_an_option_of_a_command_and_explained():
    help_texts = [
        settings.make_parser("", command, CONFIG, HistoryNetSettings).format_help() for command in ("train", "colorize")
    ]
    for field in dataclasses.fields(HistoryNetSettings):
        option = "--" + field.name.replace("_", "-")
        assert any(option in text for text in help_texts), option
        assert field.metadata["meaning"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--batch-size", "0"],
        ["--batch-size", "2.5"],
        ["--num-epochs", "-1"],
        ["--image-size", "100"],
        ["--width", "0"],
        ["--width", "nan"],
        ["--learning-rate", "0"],
        ["--learning-rate", "inf"],
        ["--lambda-g", "-1"],
        ["--num-test-images", "some"],
        ["--gpu-id", "one"],
        ["--gpu-id", "0,1"],
        ["--gpu-id", "²"],
        ["--seed", "5000000000"],
        ["--test-name", " "],
        ["--no-such-option"],
        ["--batch-size"],
    ],
)
def test_a_value_out_of_range_is_named(arguments):
    with pytest.raises(InputError, match=arguments[0]):
        resolve(*arguments)


def test_words_and_optional_values():
    assert resolve("--num-test-images", "all").num_test_images == "all"
    assert resolve("--steps-per-epoch", "7").steps_per_epoch == 7
    assert resolve().steps_per_epoch is None
    assert resolve("--allow-missing-labels").allow_missing_labels is True
    assert resolve("--gpu-id", "1").gpu_id == "1"
    assert resolve("--gpu-id", "CPU").gpu_id == "cpu"
    assert resolve("--steps-per-epoch", "none").steps_per_epoch is None
    assert resolve("--train-parsing", "none").train_parsing is None


def test_vgg16_weights_is_a_word_or_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert resolve().vgg16_weights == "imagenet"
    assert resolve("--vgg16-weights", "none").vgg16_weights == "none"
    assert resolve("--vgg16-weights", "vgg.h5").vgg16_weights == str(tmp_path / "vgg.h5")


def test_a_saved_run_can_be_run_again(tmp_path):
    parser = settings.make_parser("", settings.TRAIN, CONFIG, HistoryNetSettings)
    first, written = settings.resolve(
        parser.parse_args(["--batch-size", "3", "--train-data", str(tmp_path)]), CONFIG, HistoryNetSettings
    )
    saved = tmp_path / "settings.json"
    saved.write_text(json.dumps(written))
    assert resolve("--config", str(saved)) == first
    assert resolve("--config", str(saved), "--batch-size", "4").batch_size == 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("BATCH_SIZE = 16", "BATCH_SIZE = '16 '"), None),
        (("BATCH_SIZE = 16", "BATCH_SIZE = None"), "BATCH_SIZE.*None"),
        (("BATCH_SIZE = 16", "BATCH_SICE = 16"), "BATCH_SICE.*BATCH_SIZE"),
        (("BATCH_SIZE = 16", ""), "BATCH_SIZE missing"),
        # A part is there as a whole or not at all.
        (("NUM_CLASSES = 42", ""), "NUM_CLASSES missing"),
        (('"released": 2.0', '"release": 2.0'), "LAMBDA_REC.*one for each of paper, released"),
        (('LOSSES = "paper"', 'LOSSES = "papers"'), "LOSSES.*'paper' or 'released'"),
        (("BATCH_SIZE = 16", "BATCH_SIZE ="), "SyntaxError"),
        (("ALLOW_MISSING_LABELS = False", "ALLOW_MISSING_LABELS = 'no'"), "True or False"),
    ],
)
def test_a_config_that_will_not_do_is_named(tmp_path, change, words):
    config = tmp_path / "variant/config.py"
    config.parent.mkdir()
    config.write_text(CONFIG.read_text().replace(*change))
    if words is None:
        assert resolve(config=config).batch_size == 16
    else:
        with pytest.raises(InputError, match=rf"config.py.*{words}"):
            resolve(config=config)


def test_too_little_memory_is_no_fault_of_a_config(tmp_path):
    config = tmp_path / "config.py"
    config.write_text("raise MemoryError")
    with pytest.raises(InputError, match=rf"^{config}: cannot be read \(there is not enough memory\)$"):
        resolve(config=config)


@pytest.mark.parametrize("content", ["[]", "{", '{"speed": 1}', '{"batch_size": 0}'])
def test_a_damaged_saved_run_is_named(tmp_path, content):
    (tmp_path / "settings.json").write_text(content)
    with pytest.raises(InputError, match="settings.json"):
        resolve("--config", str(tmp_path / "settings.json"))


def test_the_papers_training_is_the_default():
    for folder in ("SOURCE_HistoryNet", "SOURCE_Parsing", "SOURCE_Classifier", "Baseline"):
        chosen = resolve(config=ROOT / folder / "config.py")
        for name in (
            "features_width",
            "dense_width",
            "crop_from",
            "decay_steps",
            "warmup_steps",
            "ema_momentum",
            "huber_delta",
            "sample_weights",
            "clip_norm",
            "critic_rate",
        ):
            assert getattr(chosen, name) is None
        assert (chosen.vgg16_preprocessing, chosen.log_error) == (False, False)
        assert (chosen.precision, chosen.chroma_weight) == ("float32", 0)
        assert (chosen.beta_1, chosen.beta_2, chosen.weight_decay, chosen.features_rate) == (0.5, 0.999, 0, 1)
        assert (chosen.crop_share, chosen.age_luminance, chosen.final_rate, chosen.critic_warmup) == (1, 0, 0, 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--ema-momentum", "1"], "--ema-momentum.*above 0 and below 1"),
        (["--precision", "half"], "--precision.*'float32' or 'bfloat16' or 'float16'"),
        (["--warmup-steps", "10"], "--warmup-steps 10: with --decay-steps only"),
        (["--frozen-features", "--vgg16-weights", "none"], "--frozen-features: .* nothing to keep"),
        (["--crop-from", "200"], "--crop-from 200: smaller than --image-size 224"),
        (["--huber-delta", "0"], "--huber-delta.*above 0"),
        (["--crop-share", "0.4"], "--crop-share 0.4: with --crop-from only"),
        (["--age-luminance", "1.5"], "--age-luminance.*1"),
        (["--sample-weights", "w.csv", "--no-shuffle"], "--sample-weights: not with --no-shuffle"),
        (["--final-rate", "0.1"], "--final-rate 0.1: with --decay-steps only"),
        (["--clip-norm", "0"], "--clip-norm.*above 0"),
        (["--beta-1", "1"], "--beta-1.*below 1"),
        (["--features-rate", "0.5", "--frozen-features"], "--features-rate: not with --frozen-features"),
        (["--critic-rate", "1e-4", "--lambda-g", "0", "--lambda-info", "0"], "--critic-rate: with a --lambda-g"),
        (["--critic-warmup", "9", "--lambda-g", "0", "--lambda-info", "0"], "--critic-warmup: with a --lambda-g"),
        (["--critic-warmup", "9", "--released-statistics"], "--released-statistics: not with --critic-warmup"),
        (["--critic-rate", "1e-4", "--shared-adam-steps"], "--shared-adam-steps: not with --critic-rate"),
        (["--weight-decay", "0.02", "--shared-adam-steps"], "--shared-adam-steps: not with .*--weight-decay"),
    ],
)
def test_training_options_out_of_range_are_named(arguments, words):
    with pytest.raises(InputError, match=words):
        resolve(*arguments)
