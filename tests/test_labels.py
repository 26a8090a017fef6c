"""Labels: the table, the draw, what persons answered, sign.txt."""

import csv
import json
import math
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from historynet.collecting import answers, drawing, labels
from historynet.collecting.answers import OUTSIDE, UNSURE, Answer, Notebook
from historynet.data import mhmd
from historynet.errors import InputError

TABLE = labels.table()
NAMES = [label.name for label in TABLE]


def test_the_table_is_the_papers(reference):
    with (reference / "golden/mhmd/labels42.csv").open() as file:
        golden = list(csv.DictReader(file))
    ours = [
        {
            **{column: str(getattr(label, column)) for column in labels.COLUMNS},
            "pictures_in_mhmd": str(label.pictures),
        }
        for label in TABLE
    ]
    assert ours == golden


@pytest.mark.parametrize(
    ("column", "sums"),
    [
        ("era", {"before": 66_900, "during": 547_318, "after": 738_948}),
        (
            "nationality",
            {
                "china": 753_473,
                "usa": 338_184,
                "japan": 110_562,
                "germany": 59_015,
                "britain-france": 46_641,
                "russia": 45_291,
            },
        ),
    ],
)
def test_its_counts_are_those_of_table_1(column, sums):
    found = {word: sum(label.pictures for label in TABLE if getattr(label, column) == word) for word in sums}
    assert found == sums and sum(found.values()) == 1_353_166


def test_its_garments_are_those_of_table_1():
    kinds = ("military", "formal", "informal")
    assert [sum(one.pictures for one in TABLE if one.garment.startswith(kind)) for kind in kinds] == [
        *(707_771, 104_763, 540_632)
    ]
    assert TABLE[12].name == "during-china-military-kmt"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "0 labels; there can be 1 to 42"),
        (["0,before,france,formal"], "line 2: there is no nationality 'france'; it can be china, usa"),
        (["0,before,china,formal", "2,during,china,formal"], "line 3: the index has to be 1"),
        (["0,before,china,formal", "1,before,china,formal"], "line 3: .* and .* of line 2 cannot be told apart"),
        (["0,before,china,military", "1,before,china,military-cpc"], "line 3: .* cannot be told apart by the keys"),
        (["0,before,china"], "line 2: 3 cells, and the first line has 4"),
        (['0,before,china,"formal'], "line 2: no row of a table .*is a quotation mark missing"),
    ],
)
def test_another_table_is_refused_by_its_line(tmp_path, lines, words):
    path = tmp_path / "own.csv"
    path.write_text("\n".join(["index,era,nationality,garment", *lines, ""]))
    with pytest.raises(InputError, match=rf"own\.csv.*{words}"):
        labels.table(path)


def test_another_table_and_another_order(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("index,era,nationality,garment,note\n0,during,japan,informal,x\n1,after,usa,formal,\n")
    own = labels.table(path)
    assert [label.name for label in own] == ["during-japan-informal", "after-usa-formal"]
    labels.write_table(tmp_path / "labels.csv", own[::-1])
    turned = tmp_path / "labels.csv"
    turned.write_text("index,era,nationality,garment\n0,after,usa,formal\n1,during,japan,informal\n")
    assert [label.name for label in labels.ordered(own, turned)] == ["after-usa-formal", "during-japan-informal"]
    with pytest.raises(InputError, match="has to have the same labels in another order"):
        labels.ordered(TABLE, turned)


def test_a_titles_row_leaves_some_labels():
    assert labels.allowed(TABLE, (), (), ()) == TABLE
    found = labels.allowed(TABLE, ("during",), ("china", "japan"), ("military", "military-kmt"))
    assert [label.name for label in found] == ["during-china-military-kmt", "during-japan-military"]


def test_the_draw_is_the_golden_one(reference):
    golden = json.loads((reference / "golden/mhmd/draw.json").read_text())
    # In any order.
    names = {
        key: [f"{key}-{i:05}" for i in np.random.default_rng(0).permutation(n)] for key, n in golden["sizes"].items()
    }
    drawn = drawing.draw(dict(reversed(names.items())), str(golden["share"]), golden["seed"])
    assert drawn == [f"{key}-{i:05}" for key in sorted(golden["drawn"]) for i in golden["drawn"][key]]


def test_a_draw_is_exact_and_represents_each_title():
    names = {key: [f"{key}{i:04}" for i in range(size)] for key, size in {"a": 700, "b": 200, "c": 99, "d": 1}.items()}
    # As a float 0.07 * 100 is above 7, and one more would be drawn.
    assert math.ceil(0.07 * 100) == 8 and len(drawing.draw({"a": names["a"][:100]}, "0.07", 0)) == 7
    drawn = drawing.draw(names, Fraction(1, 10), 3)
    counts = {key: sum(name.startswith(key) for name in drawn) for key in names}
    assert counts == {"a": 70, "b": 20, "c": 10, "d": 0}
    # Never far apart within a title: distances of 10 pictures, rounded.
    places = [int(name[1:]) for name in drawn if name.startswith("a")]
    assert set(np.diff(places)) == {10}
    assert drawing.draw(names, "1", 0) == [name for key in names for name in names[key]]
    assert drawing.draw({}, "0.5", 0) == drawing.draw({"a": []}, "0.5", 0) == []


def test_sign_txt_is_read_back_equal(tmp_path):
    named = {f"film-{i:08}.jpg": NAMES[i * 5 % 42] for i in (3, 1, 20, 7)}
    labels.write_sign(tmp_path / "sign.txt", named, TABLE)
    text = (tmp_path / "sign.txt").read_bytes().decode()
    lines = text.split("\n")
    assert lines.pop() == "" and [line.split(" ")[0] for line in lines] == sorted(named)
    for line in lines:
        name, *values, end = line.split(" ")
        assert end == "" and len(values) == 42 and values.index("1") == NAMES.index(named[name])
        assert sorted(values) == ["0"] * 41 + ["1"]
    # As the house reads it, and as the released program does, which drops the last field.
    settings = SimpleNamespace(sign_name="sign.txt", allow_missing_labels=False, num_classes=42)
    read = mhmd.Labels(settings, tmp_path, sorted(named), True)
    assert [NAMES[read.read(i, None)["label"].argmax()] for i in range(4)] == [named[name] for name in sorted(named)]
    assert [NAMES[line.split(" ")[1:-1].index("1")] for line in lines] == [named[name] for name in sorted(named)]
    with pytest.raises(InputError, match=r"a\.jpg: there is no label 'outside'"):
        labels.write_sign(tmp_path / "sign.txt", {"a.jpg": OUTSIDE}, TABLE)
    assert (tmp_path / "sign.txt").read_text() == text


# Answers


def test_answers_come_back_and_the_last_of_a_person_counts(tmp_path):
    path = tmp_path / "labels/hand.csv"
    for by, given in (("Ann", [("a", NAMES[0]), ("b", UNSURE), ("a", NAMES[1])]), ("Bo, jr", [("b", OUTSIDE)])):
        book = Notebook(path, by)
        for picture, label in given:
            book.add(picture, label)
        book.close()
    book = Notebook(path, "Ann")
    book.add("c", UNSURE)
    found = answers.read(path, {"a", "b", "c"}, NAMES)
    assert [(answer.picture, answer.by) for answer in found] == [
        *(("a", "Ann"), ("b", "Ann"), ("a", "Ann"), ("b", "Bo, jr"), ("c", "Ann"))
    ]
    settled = answers.settled(found)
    assert {name: answer.label for name, answer in settled.items()} == {"a": NAMES[1], "b": OUTSIDE}
    assert answers.counts({name: answer.label for name, answer in settled.items()}, NAMES[:2]) == [
        *((NAMES[0], 0), (NAMES[1], 1), (OUTSIDE, 1))
    ]


def test_of_two_persons_the_first_counts():
    given = [("a", "x", "Ann"), ("a", "y", "Bo"), ("b", UNSURE, "Ann"), ("b", "y", "Bo"), ("a", "z", "Ann")]
    settled = answers.settled([Answer(*one, "") for one in given])
    assert {name: (answer.label, answer.by) for name, answer in settled.items()} == {
        "a": ("z", "Ann"),
        "b": ("y", "Bo"),
    }


@pytest.mark.parametrize(
    "torn", ["b", "b,before-ch", "b,before-china-formal,An", "b,before-china-formal,Ann,2026-11-2"]
)
def test_a_torn_last_line_is_cut(tmp_path, torn):
    path = tmp_path / "hand.csv"
    Notebook(path, "Ann").add("a", NAMES[0])
    whole = path.read_bytes()
    path.write_bytes(whole + torn.encode())
    assert len(answers.read(path, {"a", "b"}, NAMES)) == 1
    book = Notebook(path, "Ann")
    assert book.cut == torn and path.read_bytes() == whole
    book.add("b", NAMES[1])
    assert [answer.label for answer in answers.read(path, {"a", "b"}, NAMES)] == NAMES[:2]


def test_a_torn_first_line_is_written_anew(tmp_path):
    path = tmp_path / "hand.csv"
    for torn in ("", "pict", "x,y"):
        path.write_text(torn)
        assert answers.read(path, {"a"}, NAMES) == []
        assert Notebook(path, "Ann").cut == (torn or None)
        assert path.read_text() == "picture,label,by,when\n"


def test_a_last_line_without_a_line_feed_is_whole_if_its_time_is(tmp_path):
    path = tmp_path / "hand.csv"
    for when in ("", "2026-11-27T01:02:03Z"):
        path.write_text(f"picture,label,by,when\na,{NAMES[0]},Ann,{when}")
        assert len(answers.read(path, {"a"}, NAMES)) == 1
        book = Notebook(path, "Ann")
        book.add("a", NAMES[1])
        assert book.cut is None
        assert [answer.label for answer in answers.read(path, {"a"}, NAMES)] == NAMES[:2]


def test_wrong_lines_are_named(tmp_path):
    path = tmp_path / "hand.csv"
    lines = [f"a,{NAMES[0]},Ann,", "b,china,Ann,", f"gone,{NAMES[1]},Ann,", "a,outside,,"]
    path.write_text("\n".join(["picture,label,by,when", *lines, ""]))
    with pytest.raises(InputError) as error:
        answers.read(path, {"a", "b"}, NAMES)
    assert str(error.value) == (
        f"{path}: line 3: no label 'china'; line 4: no picture 'gone'; line 5: nobody's name; mend these lines or "
        "remove them"
    )
    path.write_text("picture,label\n")
    with pytest.raises(InputError, match="has to name the columns picture,label,by,when; by is missing"):
        answers.read(path, {"a"}, NAMES)


def test_on_a_full_disk_nothing_of_an_answer_is_left(tmp_path, monkeypatch):
    path = tmp_path / "hand.csv"
    book = Notebook(path, "Ann")
    book.add("a", NAMES[0])
    before = path.read_bytes()
    book._file = FullDisk(book._file)
    with pytest.raises(InputError, match=r"hand\.csv: cannot be written \(No space left on device\)"):
        book.add("b", NAMES[1])
    assert path.read_bytes() == before


class FullDisk:
    """A file that takes ten bytes of a line, as one on a disk that becomes full."""

    def __init__(self, file):
        self._file = file
        self.fileno, self.truncate = file.fileno, file.truncate

    def write(self, data):
        return self._file.write(data[:10])


def test_cohens_kappa_is_his():
    # Cohen's own kind of example: 20 and 15 of 50 agreed upon, margins 25:25 and 30:20 (0.7 - 0.5) / (1 - 0.5).
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert answers.cohens_kappa(pairs) == pytest.approx(0.4)
    assert answers.cohens_kappa([("a", "a"), ("b", "b")]) == 1
    assert math.isnan(answers.cohens_kappa([("a", "a")]))


def test_who_agrees_with_whom():
    given = [("a", "x", "Ann"), ("a", "x", "Bo"), ("b", "x", "Ann"), ("b", "y", "Bo"), ("c", UNSURE, "Ann")]
    given += [("c", "x", "Bo"), ("d", "x", "Cy")]
    (found,) = answers.agreements([Answer(*one, "") for one in given])
    assert (found.persons, found.pictures, found.same) == (("Ann", "Bo"), 2, 1)
    # Ann says x twice, Bo once: half is expected, and half is seen.
    assert found.kappa == pytest.approx(0)
