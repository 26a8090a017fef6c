import os
import re
import subprocess
import sys
import threading

import keras
import numpy as np
import pytest
from conftest import ROOT, write_picture
from PIL import Image

import historynet
from historynet import Colorizer
from historynet.colorizing.folder import colorize_files
from historynet.colorizing.inputs import list_inputs
from historynet.colorizing.options import Options
from historynet.colorizing.results import name_results
from historynet.errors import InputError, PictureError
from historynet.films.options import FilmOptions
from historynet.pictures import color, formats, images
from historynet.pictures.options import UPSAMPLINGS
from historynet.systems import loading
from historynet.systems.historynet.generator import build_generator
from historynet.systems.historynet.variants import Architecture


@pytest.fixture(scope="module")
def generator():
    return build_generator(Architecture(image_size=32, width=1 / 32))


@pytest.mark.parametrize("shape", [(1, 1), (224, 224), (37, 501), (501, 37)])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_any_size_and_gray(generator, shape, channels):
    picture = np.random.default_rng(0).integers(0, 256, shape + channels, np.uint8)
    result = Colorizer(generator)(picture)
    assert result.shape == (*shape, 3)
    assert result.dtype == np.uint8


def test_a_picture_is_coloured_by_what_the_network_says(generator):
    """Step by step, with OpenCV alone, as the released program does."""
    import cv2

    rgb = np.random.default_rng(1).integers(0, 256, (45, 60, 3), np.uint8)
    small = cv2.cvtColor(cv2.resize(rgb, (32, 32)), cv2.COLOR_RGB2Lab)
    ab = np.asarray(generator(small[None, ..., :1] / np.float32(255))["ab"])[0]
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2Lab)
    lab[..., 1:] = cv2.resize((ab * 255).clip(0, 255).astype(np.uint8), (60, 45))
    expected = cv2.cvtColor(lab, cv2.COLOR_Lab2RGB)
    assert np.abs(Colorizer(generator)(rgb).astype(int) - expected).max() <= 3
    assert (Colorizer(generator)(rgb) == expected).mean() > 0.99


@pytest.mark.parametrize(
    "picture",
    [
        *(np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4), np.uint8), np.zeros(4, np.uint8)),
        *([[0, 1], [2, 3]], [np.zeros((4, 4, 3), np.uint8)], None, 3, b"a.png", np.uint8(3)),
    ],
)
def test_what_is_no_picture_is_refused(generator, picture):
    with pytest.raises(InputError, match="uint8 array"):
        Colorizer(generator)(picture)


def test_pictures_of_other_kinds_are_the_same_picture(generator, tmp_path):
    colorize = Colorizer(generator)
    gray = np.random.default_rng(0).integers(0, 256, (30, 40), np.uint8)
    expected = colorize(gray)
    Image.fromarray(gray).save(tmp_path / "a.png")
    for same in (
        *(gray[..., None], np.dstack([gray] * 3), np.dstack([gray] * 3).transpose(1, 0, 2).copy().transpose(1, 0, 2)),
        *(Image.fromarray(gray), Image.fromarray(gray).convert("RGBA"), tmp_path / "a.png", str(tmp_path / "a.png")),
    ):
        np.testing.assert_array_equal(colorize(same), expected)
    with pytest.raises(InputError, match="more than 8 bits"):
        colorize(Image.fromarray(gray.astype(np.uint16)))
    with pytest.raises(PictureError, match=r"none.png: cannot be read"):
        colorize(tmp_path / "none.png")


def test_many_pictures_come_in_order_and_are_taken_as_they_are_needed(generator):
    colorize = Colorizer(generator)
    pictures = [np.random.default_rng(i).integers(0, 256, (20 + i, 30), np.uint8) for i in range(40)]
    taken = []
    results = colorize.many(taken.append(i) or picture for i, picture in enumerate(pictures))
    first = next(results)
    assert len(taken) <= 20
    for picture, result in zip(pictures, [first, *results], strict=True):
        assert np.abs(colorize(picture).astype(int) - result).max() <= 3
    assert list(colorize.many([])) == []
    for wrong in ("a.png", None, 3):
        with pytest.raises(InputError, match="pictures: "):
            colorize.many(wrong)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("strength", [float("nan"), -1, 2.1, "1", None, True]),
        ("upsampling", ["cubic", None, 1, ["guided"]]),
        ("quality", [0, 101, 95.5, "95"]),
        ("max_megapixels", [0, float("nan"), "200"]),
        ("existing", ["keep", None]),
        ("steadiness", [-0.1, 1.1, None]),
        ("codec", ["h264", None]),
        ("crf", [-1, 64]),
        ("start", [-1, None, float("nan")]),
        ("end", [-1, "1:00"]),
    ],
)
def test_the_library_refuses_what_the_command_line_refuses(generator, name, values):
    colorize = Colorizer(generator)

    def call(**options):
        colorize(np.zeros((4, 4), np.uint8), **options)

    takers = [kind for kind in (Options, FilmOptions) if name in kind.__dataclass_fields__]
    takers += [call] * (name in ("strength", "upsampling"))
    for take in takers:
        for value in values:
            with pytest.raises(ValueError, match=rf"^{name}: .* will not do; it takes "):
                take(**{name: value})
    assert colorize(np.zeros((4, 4), np.uint8), strength=np.float32(0.5)).shape == (4, 4, 3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"model": None}, "model: None will not do"),
        ({"model": 3}, "model: 3 will not do"),
        ({"model": keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])}, "model: the network 'sequential"),
        ({"model": "models/none.keras"}, "^models/none.keras: no such model.*the argument model"),
        ({"variant": "Historynet"}, "variant: 'Historynet' will not do; it takes None or .*'HistoryNet'"),
        ({"precision": "double"}, "precision: 'double' will not do; it takes 'float32' or"),
        ({"precision": None}, "precision: None"),
        ({"decoding": "temperature"}, "decoding: 'temperature' will not do"),
    ],
)
def test_arguments_of_a_colorizer_are_checked_and_named(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(historynet.InputError, match=words) as error:
        Colorizer(**arguments)
    assert "--" not in str(error.value)


def test_what_a_system_does_not_know_of_decoding_is_refused_by_name(generator):
    words = "decoding: there is no 'temperature'; for this model it takes nothing"
    with pytest.raises(historynet.InputError, match=words):
        Colorizer(generator, decoding={"temperature": 1.0})
    with pytest.raises(historynet.InputError, match="decoding: 'temperature' will not do"):
        Colorizer(generator, decoding="temperature")
    for colorizer in (Colorizer(generator, decoding={}), Colorizer()):
        outputs = colorizer.predict(np.zeros((1, *colorizer.size, 1), np.float32))
        assert colorizer.decode(outputs).shape == (1, *colorizer.size, 2)
        with pytest.raises(historynet.InputError, match=words):
            colorizer.decode(outputs, temperature=1.0)


def test_the_default_model_does_not_depend_on_the_current_folder(generator, tmp_path, monkeypatch):
    """A run's folder that happens to lie where somebody works."""
    architecture = Architecture(image_size=32, width=1 / 32)
    (tmp_path / "MODEL/HistoryNet").mkdir(parents=True)
    loading.save(generator, "HistoryNet", architecture, tmp_path / "MODEL/HistoryNet/my_model_colorizationEpoch7.keras")
    before = Colorizer().digest()
    monkeypatch.chdir(tmp_path)
    assert Colorizer().digest() == before
    assert Colorizer("MODEL/HistoryNet/my_model_colorizationEpoch7.keras").size == (32, 32)


FORKING = """
import multiprocessing, sys
import numpy as np
from historynet import Colorizer, HistoryNetError

def work(_):
    try:
        return Colorizer(sys.argv[1])(np.zeros((4, 4), np.uint8)).shape
    except HistoryNetError as error:
        return str(error)

if __name__ == "__main__":
    if sys.argv[2] == "fork":
        work(0)
    with multiprocessing.get_context(sys.argv[2]).Pool(1) as pool:
        print(pool.map_async(work, [0]).get(timeout=100))
"""


@pytest.mark.parametrize(("way", "words"), [("fork", "this process was forked from one"), ("spawn", "(4, 4, 3)")])
def test_a_fork_after_use_is_refused_and_a_new_process_works(model, tmp_path, way, words):
    (tmp_path / "forking.py").write_text(FORKING)
    command = [sys.executable, tmp_path / "forking.py", model, way]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=200, env=environment)
    assert words in done.stdout
    # Nor is there anything of TensorFlow's own.
    assert not re.search(r"^[IWE]\d{4} |rebuild TensorFlow", done.stderr, re.MULTILINE), done.stderr


def test_the_package_says_that_it_has_types_and_exports_its_errors():
    assert (ROOT / "historynet/py.typed").is_file()
    for name in ("HistoryNetError", "InputError", "PictureError", "BusyError"):
        assert issubclass(getattr(historynet, name), historynet.HistoryNetError)
    assert issubclass(historynet.PictureError, ValueError)


def test_many_files_are_the_same_as_one_by_one(generator, tmp_path):
    paths = [tmp_path / f"in/{i}.png" for i in range(7)]
    for i, path in enumerate(paths):
        write_picture(path, i, (20 + 5 * i, 30))
    colorizer = Colorizer(generator)
    results = name_results(paths, tmp_path / "out")
    seen = []
    report = colorize_files(colorizer, paths, results, batch_size=3, progress=seen.append)
    assert (report.done, report.skipped, sum(seen)) == (7, [], 7)
    for path, result in zip(paths, results, strict=True):
        rgb = images.read_rgb(path)
        images.write_rgb(tmp_path / "one.jpg", colorizer(rgb))
        one, many = images.read_rgb(tmp_path / "one.jpg"), images.read_rgb(result)
        assert many.shape == rgb.shape
        assert np.abs(one.astype(int) - many).max() <= 3


def test_luminance_is_kept_at_full_size(generator, tmp_path):
    rgb = color.to_gray(np.random.default_rng(2).integers(90, 160, (64, 64, 3), np.uint8))
    before = color.rgb_to_lab(rgb)[..., 0].astype(int)
    after = color.rgb_to_lab(Colorizer(generator)(rgb))[..., 0].astype(int)
    assert np.abs(after - before).mean() < 1.5


def test_a_broken_file_is_skipped_by_name(generator, tmp_path):
    for name in ("a.jpg", "c.jpg"):
        write_picture(tmp_path / name)
    (tmp_path / "b.jpg").write_bytes(b"broken")
    paths = list_inputs([tmp_path], tmp_path / "out")
    report = colorize_files(Colorizer(generator), paths, name_results(paths, tmp_path / "out"), batch_size=2)
    assert report.done == 2
    assert len(report.skipped) == 1
    assert "b.jpg" in report.skipped[0]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a_reconstructed.jpg", "c_reconstructed.jpg"]


def test_a_result_that_cannot_be_written_is_skipped_by_name(generator, tmp_path):
    # A long name is cut, so that its result has one.
    names = ["x" * 240 + ".png", "wide.png", "good.png"]
    for name, size in zip(names, [(4, 4), (66_000, 2), (4, 4)], strict=True):
        write_picture(tmp_path / name, size=size)
    paths = list_inputs([tmp_path], tmp_path / "out")
    report = colorize_files(Colorizer(generator), paths, name_results(paths, tmp_path / "out"), batch_size=2)
    assert report.done == 2
    assert len(report.skipped) == 1
    assert "66000x2 pixels are too many" in report.skipped[0]


def test_names_of_results(tmp_path):
    paths = [tmp_path / name for name in ("a.jpg", "a.PNG", "b.c.jpeg")]
    names = [path.name for path in name_results(paths, tmp_path)]
    assert names == ["a.jpg_reconstructed.jpg", "a.PNG_reconstructed.jpg", "b.c_reconstructed.jpg"]


def test_names_of_results_never_meet(tmp_path):
    paths = [tmp_path / name for name in ("a.jpg", "a.png", "a.jpg.png", "x/a.jpg", "y/a.jpg", "y/x/a.jpg")]
    assert len(set(name_results(paths, tmp_path))) == len(paths)


def test_a_picture_that_is_named_twice_is_colorized_once(tmp_path):
    write_picture(tmp_path / "in/a.png")
    assert len(list_inputs([tmp_path / "in", tmp_path / "in/a.png"], tmp_path)) == 1


def test_inputs_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        list_inputs([tmp_path / "none.jpg"], tmp_path)
    with pytest.raises(InputError, match="no pictures"):
        list_inputs([tmp_path], tmp_path / "out")


def test_only_what_the_colours_need_is_loaded(generator, tmp_path):
    path = tmp_path / "model.keras"
    loading.save(generator, "HistoryNet", Architecture(image_size=32, width=1 / 32), path)
    loaded, _ = loading.load_colorizing(path)
    names = {layer.name for layer in loaded.layers}
    assert {"info", "parsing_conv7"} < names
    assert not names & {"label", "label_dense1", "parsing", "parsing_half", "parsing_conv8"}
    luminance = np.random.default_rng(0).random((2, 32, 32, 1), np.float32)
    expected = np.asarray(generator(luminance, training=False)["ab"])
    np.testing.assert_array_equal(Colorizer(path).predict_ab(luminance), Colorizer(generator).predict_ab(luminance))
    np.testing.assert_allclose(Colorizer(path).predict_ab(luminance), expected, atol=1e-6)
    for precision in ("bfloat16", "float16"):
        half = Colorizer(path, precision=precision).predict_ab(luminance)
        assert half.dtype == np.float32
        assert 0 < np.abs(half - expected).max() < 0.02
    assert Colorizer(path).predict_ab(luminance).dtype == np.float32


def test_the_pages_of_a_document(generator, tmp_path):
    pages = [Image.new("RGB", (9, 8 + i), (50 * i, 90, 90)) for i in range(3)]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    write_picture(tmp_path / "scan_p002.png")
    paths = list_inputs([tmp_path])
    seen = []
    results = name_results(paths, tmp_path / "out")
    report = colorize_files(Colorizer(generator), paths, results, 2, seen.append)
    assert (report.done, sum(seen)) == (4, 2)
    # The second page's name is another picture's.
    names = ["scan.tif_p002", "scan_p001", "scan_p002", "scan_p003"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"{n}_reconstructed.jpg" for n in names]
    assert images.read_rgb(tmp_path / "out/scan.tif_p002_reconstructed.jpg").shape == (9, 9, 3)


def test_huge_pictures_are_alone_in_memory(generator, tmp_path, monkeypatch):
    for i in range(6):
        write_picture(tmp_path / f"{i}.png", i, (200, 200))
    monkeypatch.setattr("historynet.colorizing.folder._MEGAPIXELS_AT_ONCE", 0.001)
    alive, most = set(), 0
    read, write = formats.read, formats.write

    def counted_read(path, *arguments):
        nonlocal most
        alive.add(path.stem)
        most = max(most, len(alive))
        return read(path, *arguments)

    def counted_write(path, *arguments):
        write(path, *arguments)
        alive.discard(path.stem.removesuffix("_reconstructed"))

    monkeypatch.setattr(formats, "read", counted_read)
    monkeypatch.setattr(formats, "write", counted_write)
    paths = list_inputs([tmp_path])
    report = colorize_files(Colorizer(generator), paths, name_results(paths, tmp_path / "out"), batch_size=4)
    assert (report.done, most) == (6, 1)


def test_strength_scales_the_distance_from_gray(generator):
    gray = np.full((20, 20, 3), 120, np.uint8)
    ab = np.full((8, 8, 2), (148.5 / 255, 118.5 / 255), np.float32)
    for strength, (a, b) in {0.0: (128, 128), 0.5: (138, 123), 1.0: (148, 118), 2.0: (169, 109)}.items():
        lab = np.dstack([color.rgb_to_lab(gray)[..., :1], np.full((20, 20, 1), a), np.full((20, 20, 1), b)])
        expected = color.lab_to_rgb(lab.astype(np.uint8))
        np.testing.assert_array_equal(color.with_chrominance(gray, ab, strength), expected)


def test_guided_upsampling_follows_the_edges_of_the_luminance():
    """A red square on gray, its edge between two pixels of the network's picture."""
    picture = np.full((320, 320, 3), 60, np.uint8)
    picture[:, 163:] = 200
    true = color.rgb_to_lab(picture)
    true[:, 163:, 1] = 170
    ab = color.resize(np.ascontiguousarray(true[..., 1:]), 32, 32) / np.float32(255)
    errors = {
        upsampling: np.abs(
            color.rgb_to_lab(color.with_chrominance(picture, ab, upsampling=upsampling))[..., 1].astype(int)
            - color.rgb_to_lab(color.lab_to_rgb(true))[..., 1]
        )[:, 150:176].mean()
        for upsampling in UPSAMPLINGS
    }
    assert errors["guided"] < 0.7 * errors["bilinear"]


def test_threads_that_load_at_the_same_time_leave_the_initial_values_of_others_alone():
    own, layers = keras.Layer.add_weight, []
    inside, go_on = threading.Event(), threading.Event()

    def make():
        layer = keras.layers.Dense(3)
        layer.build((None, 4))
        layers.append(bool(np.asarray(layer.kernel).any()))

    def first():
        with loading._without_initial_values():
            inside.set()
            go_on.wait()

    def second():
        with loading._without_initial_values():
            go_on.set()
            threads[0].join(1)
            make()

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    inside.wait()
    make()
    threads[1].start()
    # The second goes in when the first is out.
    threading.Timer(0.2, go_on.set).start()
    for thread in threads:
        thread.join()
    make()
    assert layers == [True, False, True]
    assert keras.Layer.add_weight is own


@pytest.mark.parametrize(("pictures", "batch_size", "seen"), [(3, 2, [2, 2]), (3, 1, [1, 1, 1]), (1, 2, [1])])
def test_a_picture_that_would_be_alone_goes_with_a_copy(generator, tmp_path, monkeypatch, pictures, batch_size, seen):
    """One alone is computed by other sums than several. In batches of one all are, as in the released program."""
    predict, sizes = Colorizer.predict_ab, []

    def predict_ab(colorizer, luminance):
        sizes.append(len(luminance))
        return predict(colorizer, luminance)

    monkeypatch.setattr(Colorizer, "predict_ab", predict_ab)
    for i in range(pictures):
        write_picture(tmp_path / f"{i}.png", i)
    paths = list_inputs([tmp_path])
    report = colorize_files(Colorizer(generator), paths, name_results(paths, tmp_path / "out"), batch_size)
    assert (report.done, sizes) == (pictures, seen)
