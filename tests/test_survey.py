"""The viewers' survey: what is asked in which order, and what the answers give."""

import base64
import csv
import json
import re
from collections import Counter, defaultdict
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from conftest import write_picture

from historynet.comparing import answers, survey
from historynet.comparing.survey import Shown, Survey
from historynet.errors import InputError
from historynet.pictures import images

SCRIPT = "Util/survey.py"
PAIRED = ("zhang", "rebalanced", "not-fine-tuned", "fine-tuned")
TYPES = (*PAIRED, "truth")


@pytest.fixture
def folders(tmp_path):
    """Twelve pictures a type; those of the truth are others."""
    for i, kind in enumerate(TYPES):
        for j in range(12):
            name = f"film{j:02}.png" if kind == "truth" else f"old{j:02}_reconstructed.jpg"
            write_picture(tmp_path / kind / name, 100 * i + j)
    return tmp_path


def arguments(folders, *more):
    types = [f"{kind}={folders / kind}" for kind in TYPES]
    return "page", *types, "--truth", "truth", "--out", folders / "page.html", *more


def ask(pictures=10, types=TYPES, truth="truth", identity="0123456789ab"):
    """A survey without its pictures."""
    shown = [Shown(kind, f"{'f' if kind == truth else 'o'}{i:02}") for i in range(pictures) for kind in types]
    return Survey(identity, tuple(types), truth, tuple(shown))


def write_answers(folder, asked, participant, answer, name=None):
    """A file as the page saves it; `answer` is a function of what is shown."""
    path = folder / (name or f"answers_{participant}.csv")
    folder.mkdir(exist_ok=True)
    rows = [list(answers.COLUMNS)]
    for i, shown in enumerate(asked.order(participant)):
        given = answer(shown)
        rows.append([participant, str(i + 1), *shown, given, "1.250" if given else ""])
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    return path


# The order.


@pytest.mark.parametrize(
    ("pictures", "types", "truth"),
    [
        (10, TYPES, "truth"),
        (5, TYPES, "truth"),
        (5, PAIRED, None),
        (7, ("a", "b", "c"), "b"),
        (6, tuple("abcdefgh"), "a"),
    ],
)
def test_versions_of_a_picture_are_apart_for_everybody(pictures, types, truth):
    asked = ask(pictures, types, truth)
    orders = [asked.order(f"p{i}") for i in range(300)]
    for order in orders:
        assert sorted(order) == sorted(asked.pictures)
        last = {}
        for place, shown in enumerate(order):
            if shown.type != truth:
                # At least four others stand between.
                assert place - last.get(shown.name, -99) >= 5
                last[shown.name] = place
    assert len({tuple(order) for order in orders}) == len(orders)


@pytest.mark.parametrize(("pictures", "limit"), [(10, 0.75), (5, 1.25)])
def test_each_type_has_the_same_chance_at_each_place(pictures, limit):
    asked = ask(pictures)
    places, first = defaultdict(list), Counter()
    for i in range(600):
        order = asked.order(f"p{i}")
        first[order[0].type] += 1
        for place, shown in enumerate(order):
            places[shown.type].append(place)
    for kind in TYPES:
        # Of 10 pictures 6,000 places: 0.75 is four standard errors. Of 5 the versions leave little choice.
        assert np.mean(places[kind]) == pytest.approx((5 * pictures - 1) / 2, abs=limit)
        assert first[kind] == pytest.approx(120, abs=45)


def test_a_survey_and_a_participant_make_the_order():
    assert ask().order("p1") == ask().order("p1")
    assert ask().order("p1") != ask(identity="0123456789ac").order("p1")


def test_numbers_that_are_drawn():
    """FNV-1a of published texts, then mulberry32 written down independently, with NumPy's 32-bit arithmetic."""
    draw = survey._drawing("foobar")
    state = np.uint32(0xBF9CF968)  # the published FNV-1a of "foobar"
    drawn = []
    with np.errstate(over="ignore"):
        for _ in range(1000):
            state = np.uint32(state + np.uint32(0x6D2B79F5))
            t = (state ^ (state >> np.uint32(15))) * (state | np.uint32(1))
            t ^= t + (t ^ (t >> np.uint32(7))) * (t | np.uint32(61))
            drawn.append(int(t ^ (t >> np.uint32(14))))
    assert [draw(50) for _ in range(1000)] == [int(number / 2**32 * 50) for number in drawn]


# The page.


class Page(HTMLParser):
    """What a page refers to, what it says, and the names that a screen reader reads."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.references, self.said, self._inside = Counter(), [], "", None
        self.unnamed = []
        self.labels = set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags[tag] += 1
        self._inside = tag
        self.references += [value for name, value in attributes.items() if name in ("src", "href", "action", "srcset")]
        if tag == "label":
            self.labels.add(attributes["for"])
        if tag in ("input", "progress") and attributes["id"] not in self.labels and "aria-label" not in attributes:
            self.unnamed.append(attributes["id"])

    def handle_data(self, data):
        if self._inside not in ("script", "style"):
            self.said += data


def test_the_page_asks_nobody_and_tells_no_names(folders, run):
    code, out, err = run(SCRIPT, *arguments(folders))
    assert code == 0, err
    assert "5 types of 10 pictures" in out
    text = (folders / "page.html").read_text()
    page = Page(text)
    assert page.references == ["data:,"]
    assert page.tags["link"] == 1
    assert not page.tags["img"]
    assert not page.unnamed
    frame = re.sub('(id="survey">).*?(</script>)', r"\1\2", text)
    assert len(frame) < 30_000 < len(text)
    assert not re.search(r"https?:|//[a-z]|\burl\(|@import|fetch\(|XMLHttp|WebSocket|sendBeacon|\bimport\b", frame)
    assert "default-src 'none'" in text
    assert "Do you believe this image is from color films?" in page.said
    for name in ("zhang", "rebalanced", "tuned", "truth", "old0", "film0", "reconstructed", str(folders)):
        # The script knows a truth, but not which.
        assert name not in (text.replace("key.truth", "") if name == "truth" else text), name
    asked = survey.read_page(folders / "page.html")
    assert (asked.types, asked.truth) == (TYPES, "truth")
    counts = Counter(shown.type for shown in asked.pictures)
    assert counts == dict.fromkeys(TYPES, 10)
    names = {kind: {shown.name for shown in asked.pictures if shown.type == kind} for kind in TYPES}
    assert len({frozenset(names[kind]) for kind in PAIRED}) == 1
    assert all(name.startswith("film") for name in names["truth"])
    # Types do not stand together.
    assert list(asked.pictures) != sorted(asked.pictures)


def embedded(path):
    content = json.loads(re.search('id="survey">(.*?)</script>', path.read_text())[1])
    return [base64.b64decode(data) for data in content["pictures"]]


def test_pictures_are_those_of_the_files_and_bounded(folders, run):
    big = np.zeros((300, 500, 3), np.uint8)
    big[:, :250] = (250, 20, 30)
    big[:, 250:] = (20, 30, 250)
    images.write_rgb(folders / "truth/film00.png", big)
    assert run(SCRIPT, *arguments(folders, "--pictures", 12, "--side", 200))[0] == 0
    asked = survey.read_page(folders / "page.html")
    for shown, data in zip(asked.pictures, embedded(folders / "page.html"), strict=True):
        found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB).astype(float)
        ends = ".png" if shown.type == "truth" else "_reconstructed.jpg"
        true = images.read_rgb(folders / shown.type / (shown.name + ends))
        if true.shape == big.shape:
            assert found.shape == (120, 200, 3)
            true = true[:120, 150:350]
        assert np.abs(found - true).mean() < 3, shown
        # Nothing of the file but its pixels.
        assert b"Exif" not in data


def test_the_seed_draws_and_the_page_is_the_same_again(folders, run):
    pages = []
    for seed in (0, 0, 1):
        assert run(SCRIPT, *arguments(folders, "--seed", seed, "--pictures", 5))[0] == 0
        pages.append((folders / "page.html").read_bytes())
    assert pages[0] == pages[1]
    asked = [survey.read_page(folders / "page.html"), None]
    (folders / "page.html").write_bytes(pages[0])
    asked[1] = survey.read_page(folders / "page.html")
    assert asked[0].identity != asked[1].identity
    assert set(asked[0].pictures) != set(asked[1].pictures)


def test_names_of_all_kinds_come_back(folders, run):
    """In the page's source they could end its script, in a table its cell."""
    names = ['<b>"', "a,b", "ü 电影", "'&amp;", "=1+1", "<!-- <script>"]
    kinds = ("a<b", 'c,"d"')
    for i, name in enumerate(names):
        for kind in kinds:
            write_picture(folders / "odd" / kind / f"{name}.png", i)
    types = [f"{kind}={folders / 'odd' / kind}" for kind in kinds]
    code, _, err = run(SCRIPT, "page", *types, "--pictures", 6, "--out", folders / "odd.html")
    assert code == 0, err
    asked = survey.read_page(folders / "odd.html")
    assert {shown.name for shown in asked.pictures} == set(names)
    write_answers(folders / "csv", asked, "p1", lambda shown: "yes")
    given, left_out = answers.read_answers(asked, [folders / "csv"])
    assert given.tolist() == [[1.0] * 12]
    assert not left_out


def test_versions_of_another_size_are_named(folders, run):
    write_picture(folders / "zhang/old03_reconstructed.jpg", 3, (20, 15))
    code, _, err = run(SCRIPT, *arguments(folders, "--pictures", 12))
    assert code == 0
    assert "old03: 20x15 (zhang), 40x30 (rebalanced), 40x30 (not-fine-tuned), 40x30 (fine-tuned)" in err


def test_what_is_wrong_is_said_in_one_line(folders, run):
    empty = folders / "empty"
    empty.mkdir()
    a, b, truth = (f"{kind}={folders / kind}" for kind in ("zhang", "fine-tuned", "truth"))

    def refused(*words):
        code, out, err = run(SCRIPT, "page", *words, "--out", folders / "x.html")
        assert (code, out) == (2, ""), err
        assert not (folders / "x.html").exists()
        # How far it was may stand before.
        assert len(re.findall("^error: ", err, re.MULTILINE)) == 1
        return err.splitlines()[-1]

    assert f"{empty}: no pictures in this folder" in refused(a, f"e={empty}")
    assert "none: the folder cannot be read" in refused(a, f"e={folders / 'none'}")
    assert "truth: 12 pictures of" in refused(a, truth)
    assert "--truth" in refused(a, truth)
    assert "zhang: 12 pictures, 13 are needed (--pictures)" in refused(a, b, "--pictures", 13)
    assert "--pictures: invalid number from 5 to 1000 value: '4'" in refused(a, b, "--pictures", 4)
    assert "zhang: a type is LABEL=FOLDER" in refused("zhang")
    assert f"zhang is the label of {folders / 'zhang'}, too; each folder has its own" in refused(a, b, a)
    assert "other: no type is called so, but zhang, fine-tuned" in refused(a, b, "--truth", "other")
    (folders / "zhang/old01.png").write_bytes((folders / "zhang/old01_reconstructed.jpg").read_bytes())
    assert "old01.png and old01_reconstructed.jpg are both old01" in refused(a, b)
    (folders / "zhang/old01.png").unlink()
    (folders / "zhang/old07_reconstructed.jpg").unlink()
    assert f"{folders / 'zhang'}: 1 pictures of {folders / 'fine-tuned'} are missing here (old07)" in refused(a, b)
    (folders / "zhang/old07_reconstructed.jpg").write_bytes(b"no picture")
    assert "old07_reconstructed.jpg: not a picture that can be read" in refused(a, b, "--pictures", 12)


# The answers.


def closed_form(users=30):
    """Shares of yes of 10 pictures, in users, whose medians are known; by type."""
    return {
        "zhang": [0, 3, 6, 9, 12, 15, 18, 21, 24, 27],  # median 13.5 of 30
        "rebalanced": [15] * 10,
        # The paper's medians: multiples of 1/60.
        "not-fine-tuned": [2, 5, 9, 13, 14, 15, 17, 20, 24, 28],  # 29 / 60
        "fine-tuned": [10, 15, 20, 21, 23, 23, 24, 25, 28, 30],  # 46 / 60
        "truth": [20, 22, 24, 25, 26, 27, 28, 29, 30, 30],  # 53 / 60
    }


def write_closed_form(folder, asked, yes, users=30):
    for user in range(users):

        def answer(shown, user=user):
            return "yes" if (user + 7 * int(shown.name[1:])) % users < yes[shown.type][int(shown.name[1:])] else "no"

        write_answers(folder, asked, f"p{user:02}", answer)


def test_medians_of_the_paper(tmp_path):
    asked = ask()
    write_closed_form(tmp_path / "csv", asked, closed_form())
    given, left_out = answers.read_answers(asked, [tmp_path / "csv"])
    assert given.shape == (30, 50)
    assert not left_out
    results = answers.evaluate(asked, given, draws=1000, seed=0)
    medians = {kind: round(100 * median.share, 1) for kind, median in results.medians.items()}
    assert medians == {
        "zhang": 45.0,
        "rebalanced": 50.0,
        "not-fine-tuned": 48.3,
        "fine-tuned": 76.7,
        "truth": 88.3,
    }
    for kind in ("not-fine-tuned", "fine-tuned", "truth"):
        assert results.medians[kind].published == pytest.approx(results.medians[kind].share, abs=5e-4)
    paths = results.write(tmp_path / "out")
    with paths[0].open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        yes = closed_form()[row["type"]][int(row["picture"][1:])]
        assert (int(row["yes"]), int(row["no"]), int(row["missing"])) == (yes, 30 - yes, 0)
        assert float(row["share"]) == pytest.approx(yes / 30, abs=1e-6)
    assert len(rows) == 50
    with paths[1].open(newline="") as file:
        rows = {row["type"]: row for row in csv.DictReader(file)}
    assert list(rows) == list(TYPES)
    assert float(rows["fine-tuned"]["median"]) == pytest.approx(46 / 60, abs=1e-6)
    assert (rows["fine-tuned"]["published"], rows["zhang"]["published"]) == ("0.767", "")
    assert rows["truth"]["users"] == "30"
    assert images.read_rgb(paths[2]).shape[0] > 400
    assert "fine-tuned: median 76.7%" in "\n".join(results.report())


def test_no_answer_is_missing_and_not_no(tmp_path):
    asked = ask(5, ("a", "truth"))
    write_answers(tmp_path, asked, "p1", lambda shown: "yes" if shown.type == "a" else "")
    write_answers(tmp_path, asked, "p2", lambda shown: "")
    write_answers(tmp_path, asked, "p3", lambda shown: "no" if shown.name in ("o00", "o01", "o02") else "")
    given, _ = answers.read_answers(asked, [tmp_path])
    results = answers.evaluate(asked, given, draws=200, seed=0)
    shares = results.shares()
    assert [shares[Shown("a", f"o{i:02}")] for i in range(5)] == [0.5, 0.5, 0.5, 1, 1]
    assert results.medians["a"].share == 0.5
    assert np.isnan(results.medians["truth"].share)
    results.write(tmp_path / "out")
    assert "truth,f00,0,0,3," in (tmp_path / "out/shares.csv").read_text().splitlines()
    assert "users: 3; answers: 8, missing: 22" in results.report()[0]


@pytest.mark.parametrize("value", [0, 1])
def test_the_interval_of_what_does_not_vary_is_a_point(value):
    asked = ask()
    results = answers.evaluate(asked, np.full((30, 50), float(value)), draws=500, seed=3)
    for median in results.medians.values():
        assert (median.share, *median.interval) == (value, value, value)


def test_intervals_are_over_users_and_pictures():
    asked = ask(10, ("a", "truth"))
    kinds = np.array([shown.type == "a" for shown in asked.pictures])
    rng = np.random.default_rng(5)
    # Users alone vary: half of them believe everything, the others nothing.
    users = np.repeat(np.arange(30)[:, None] < 15, 20, axis=1).astype(float)
    # Pictures alone vary: all users agree on each; seven of ten are believed.
    pictures = np.tile(np.array([int(shown.name[1:]) < 7 for shown in asked.pictures], float), (30, 1))
    one = answers.evaluate(asked, users, draws=4000, seed=0).medians["a"]
    # All pictures of a draw have the share of the users drawn: a binomial of 30 halves.
    binomial = np.quantile(rng.binomial(30, 0.5, 200_000) / 30, [0.025, 0.975])
    assert one.interval == pytest.approx(tuple(binomial), abs=0.034)
    other = answers.evaluate(asked, pictures, draws=4000, seed=0).medians["a"]
    medians = [np.median(rng.choice(pictures[0, kinds], 10)) for _ in range(20_000)]
    assert other.interval == pytest.approx(tuple(np.quantile(medians, [0.025, 0.975])), abs=1e-9)
    assert answers.evaluate(asked, users, draws=500, seed=1) is not None
    again = answers.evaluate(asked, users, draws=4000, seed=0).medians["a"]
    assert again == one


def test_files_that_are_not_of_this_survey_are_named(tmp_path, run, folders):
    assert run(SCRIPT, *arguments(folders))[0] == 0
    asked = survey.read_page(folders / "page.html")
    csvs = tmp_path / "csv"
    for i in range(3):
        write_answers(csvs, asked, f"p{i}", lambda shown: "yes")
    good = (csvs / "answers_p0.csv").read_text()

    def spoilt(name, text):
        (csvs / f"answers_{name}.csv").write_text(text)

    lines = good.splitlines()
    spoilt("columns", good.replace("seconds", "time", 1))
    spoilt("value", good.replace("yes", "perhaps", 1))
    spoilt("seconds", good.replace("1.250", "-1", 1))
    spoilt("short", "\n".join(lines[:-1]) + "\n")
    spoilt("moved", "\n".join([lines[0], lines[2], lines[1], *lines[3:]]) + "\n")
    spoilt("mixed", good.replace("p0,", "p8,", 1))
    spoilt("empty", "")
    (csvs / "answers_latin.csv").write_bytes(b"participant,\xff\n")
    (csvs / "notes.csv").write_text("not read\n")
    write_answers(csvs, Survey("other", asked.types, asked.truth, asked.pictures), "px", lambda shown: "yes")
    # The same once more, one that was saved before the end, and one that contradicts.
    (csvs / "answers_p0 (1).csv").write_text(good)
    write_answers(csvs, asked, "p1", lambda shown: "yes" if shown.type == "truth" else "", "answers_p1 (1).csv")
    write_answers(csvs, asked, "p2", lambda shown: "no", "answers_p2 (1).csv")
    code, out, err = run(SCRIPT, "results", folders / "page.html", csvs, "--out", tmp_path / "out", "--draws", 200)
    assert code == 3, err
    assert "users: 2; answers: 100, missing: 0" in out
    assert len(re.findall("^left out: ", err, re.MULTILINE)) == err.count("\n") == 12
    for words in (
        "answers_columns.csv: the columns are participant,position,type,picture,answer,time, not",
        "answers_value.csv: line 2: the answer is 'perhaps', not yes, no or empty",
        "answers_seconds.csv: line 2: '-1' seconds for the answer 'yes'",
        "answers_short.csv: 49 lines of answers, 50 pictures were shown",
        "answers_moved.csv: line 2: p0 was not shown this picture at this place",
        "answers_mixed.csv: line 2: p8 was not shown this picture",
        "answers_empty.csv: no table in UTF-8 with commas",
        "answers_latin.csv: no table in UTF-8 with commas",
        "answers_px.csv: line 2: px was not shown this picture at this place by this page; the file belongs to another",
        "answers of p1, which",
        "different answers of the same participant, p2",
    ):
        assert words in err, words
    # Nothing that can be used.
    code, out, err = run(SCRIPT, "results", folders / "page.html", csvs / "answers_empty.csv", "--out", tmp_path / "no")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "no answers to this survey (" in err
    assert not (tmp_path / "no").exists()
    code, _, err = run(SCRIPT, "results", csvs / "answers_p0.csv", csvs)
    assert code == 2
    assert "answers_p0.csv: no page of this survey" in err


def test_a_type_called_truth_that_is_none_is_not_compared(tmp_path):
    asked = ask(5, ("truth", "real"), "real")
    results = answers.evaluate(asked, np.ones((2, 10)), draws=200, seed=0)
    assert np.isnan(results.medians["truth"].published)
    assert results.medians["real"].published == 0.883


def test_damaged_pages_are_refused(tmp_path):
    for i, text in enumerate(["", "<html>", '<script type="application/json" id="survey">{"id": 1}</script>']):
        path = tmp_path / f"{i}.html"
        path.write_text(text)
        with pytest.raises(InputError, match="no page of this survey"):
            survey.read_page(path)
