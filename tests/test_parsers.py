"""Parsers: their descriptions, and what they make of pictures, by models whose answers are known."""

import json

import cv2
import numpy as np
import pytest
from painted import CLASSES, INDICES, PAINT, describe, painted

from historynet.collecting import parser_files, parsers, parts
from historynet.errors import InputError

pytest.importorskip("onnxruntime")


def parse(path, rgb, boxes=()):
    return parsers.Parser(parser_files.read(path))([rgb], [boxes])[0]


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("order", ["RGB", "BGR"])
@pytest.mark.parametrize("activation", ["logits", "argmax"])
def test_each_pixel_gets_the_part_of_its_class(tmp_path, layout, order, activation):
    numbers = {"scale": 1 / 255, "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3]}
    path = describe(tmp_path, layout=layout, order=order, activation=activation, **numbers)
    found, rgb = painted()
    parsing = parse(path, rgb)
    # Two pixels at an edge may go to the other side when the picture is made smaller and the answer larger again.
    inner = cv2.erode(found, np.ones((5, 5))) == cv2.dilate(found, np.ones((5, 5)))
    assert np.array_equal(parsing.indices[inner], INDICES[found][inner])
    assert (parsing.confidence is None) == (activation == "argmax")


def test_confidence_is_the_mean_largest_probability_within_persons(tmp_path):
    path = describe(tmp_path, scale=0.01, input=[96, 72])
    found, rgb = painted()
    parsing = parse(path, rgb)
    seen, colours = rgb * 0.01, PAINT * 0.01
    logits = 2 * seen @ colours.T - (colours**2).sum(axis=1)
    likely = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    assert np.array_equal(parsing.indices, INDICES[likely.argmax(axis=2)])
    assert parsing.confidence == pytest.approx(likely.max(axis=2)[found > 0].mean(), abs=1e-5)


def test_persons_are_pasted_the_smaller_first_and_background_over_nobody(tmp_path):
    """A large box lies over a small one: its parts win, its background does not, and outside of both is nobody."""
    path = describe(tmp_path, unit="person", margin=0)
    rgb = np.full((120, 120, 3), PAINT[1], np.uint8)
    rgb[20:100, 40:60] = PAINT[2]
    rgb[20:100, 60:80] = PAINT[0]
    parsing = parse(path, rgb, [(40, 20, 80, 100), (50, 60, 90, 90)])
    face, coat = INDICES[1], INDICES[2]
    assert (parsing.indices[22:98, 42:58] == coat).all()
    assert (parsing.indices[62:88, 82:88] == face).all()
    assert not parsing.indices[:, 92:].any()
    assert not parsing.indices[:18].any()
    assert not parsing.indices[22:98, 62:78].any()
    # The margin is of the box's sides.
    wider = parse(describe(tmp_path, unit="person", margin=0.1), rgb, [(40, 20, 80, 100)])
    assert (wider.indices[14:18, 38:82] == face).all()
    assert not wider.indices[:11].any()
    assert not parse(path, rgb, []).indices.any()
    assert parse(path, rgb, []).confidence is None


def test_sides_that_are_multiples(tmp_path):
    path = describe(tmp_path, input=None, multiple=32, longest=100, model={"size": (96, 64)})
    found, rgb = painted(shape=(180, 130))
    inner = cv2.erode(found, np.ones((9, 9))) == cv2.dilate(found, np.ones((9, 9)))
    assert np.array_equal(parse(path, rgb).indices[inner], INDICES[found][inner])


def test_outputs_by_name_and_number(tmp_path):
    _, rgb = painted()
    # The model has "found" first, then "logits".
    by_name = parse(describe(tmp_path, activation="argmax", output="found"), rgb)
    by_number = parse(describe(tmp_path, activation="argmax", output=0), rgb)
    assert np.array_equal(by_name.indices, by_number.indices)
    for output in ("other", 2):
        with pytest.raises(InputError, match="it has found, logits"):
            parse(describe(tmp_path, activation="argmax", output=output), rgb)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ["background", "face", "coat", "wing"]}, "class 3 is 'wing', but no part is called so"),
        ({"classes": list(CLASSES[:3])}, "names 3 classes, but its model gives 64 x 48 x 4"),
        ({"classes": list(CLASSES[:3]), "activation": "argmax"}, None),
        ({"model": "other.onnx"}, "its model .*other.onnx is not there"),
        ({"model": "tiny.h5"}, "can be an .onnx file"),
        ({"licence": None}, "'licence' is missing"),
        ({"colour": "red"}, "there is no 'colour'"),
        ({"input": None}, "either 'input' or 'multiple'"),
        ({"multiple": 8, "longest": 64}, "either 'input' or 'multiple'"),
        ({"input": [64, 0]}, "must be .height, width."),
        ({"std": [1, 0, 1]}, "'std' must be a number above 0"),
        ({"mean": [1, 0]}, "'mean' must be three numbers"),
        ({"unit": "face"}, "must be picture or person"),
        ({"margin": -0.5}, "must be at least 0"),
        ({"output": None, "activation": "softmax"}, "must be argmax or logits"),
    ],
)
def test_what_will_not_do_is_named(tmp_path, changes, message):
    path = describe(tmp_path)
    said = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in said.items() if value is not None}))
    if message is None:
        # Classes that a model gives show as they come.
        describe(tmp_path, **changes)
        path.write_text(json.dumps(said))
        found, rgb = painted()
        assert (found == 3).any()
        with pytest.raises(InputError, match="gives other classes than the 3"):
            parse(path, rgb)
        return
    with pytest.raises(InputError, match=message) as error:
        parse(path, np.zeros((64, 48, 3), np.uint8))
    assert "tiny.json" in str(error.value)


def test_a_file_that_is_no_model_is_named(tmp_path):
    path = describe(tmp_path)
    (tmp_path / "tiny.onnx").write_bytes(b"no model")
    with pytest.raises(InputError, match=r"tiny\.onnx: not an ONNX model"):
        parse(path, np.zeros((64, 48, 3), np.uint8))


@pytest.mark.parametrize("name", ["schp", "deeplab_v3"])
def test_the_examples_are_descriptions(tmp_path, name):
    from conftest import ROOT

    (tmp_path / f"{name}.json").write_text((ROOT / f"SOURCE_MHMD/parsers/{name}.json").read_text())
    (tmp_path / f"{name}.onnx").write_bytes(b"")
    said = parser_files.read(tmp_path / f"{name}.json")
    if name == "schp":
        assert said.indices == tuple(range(20))
        assert said.by_person
    else:
        assert [i for i, part in enumerate(said.indices) if part] == [15]
        assert said.indices[15] == parts.PERSON
        assert not said.by_person
