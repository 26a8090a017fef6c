"""The viewers' survey: the page, its order, and what files of answers give."""

import base64
import csv
import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import write_picture

from historynet.comparing import answers as reading
from historynet.comparing import survey
from historynet.comparing.survey import Shown, Survey
from historynet.errors import InputError
from historynet.pictures import images

SCRIPT = "Util/survey.py"
METHODS = ("Zhang <i>", "not-fine-tuned", "fine-tuned")
TYPES = (*METHODS, "films")


def paper(pictures=10, types=TYPES, truth="films", identity="0123456789ab"):
    shown = [Shown(kind, f"{'f' if kind == truth else 'p'}{i}") for kind in types for i in range(pictures)]
    return Survey(identity, tuple(types), truth, tuple(shown))


def save(folder, asked, participant, answer, name=None):
    """A file of answers as the page saves it; `answer(shown)` is what the participant says."""
    folder.mkdir(exist_ok=True)
    path = folder / (name or f"answers_{participant}.csv")
    with path.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["participant", "position", "type", "picture", "answer", "seconds"])
        for i, shown in enumerate(asked.order(participant), start=1):
            said = answer(shown)
            rows.writerow([participant, i, *shown, said, "1.250" if said else ""])
    return path


def evaluated(asked, folder, draws=300):
    given, left_out = reading.read_answers(asked, [folder])
    return reading.evaluate(asked, given, draws, 0), left_out


@pytest.fixture
def folders(tmp_path):
    """Pictures of each type, 7 of each, in the formats and under the names that there are."""
    for i, kind in enumerate(TYPES):
        for j in range(7):
            name = f"secret{j}.png" if kind == "films" else (f"scene{j}.png", f"scene{j}_reconstructed.jpg")[i % 2]
            write_picture(tmp_path / "in" / str(i) / name, 10 * i + j, (90, 60))
    return [f"{kind}={tmp_path / 'in' / str(i)}" for i, kind in enumerate(TYPES)]


@pytest.fixture
def page(folders, tmp_path, run):
    path = tmp_path / "survey.html"
    code, _, err = run(SCRIPT, "page", *folders, "--truth", "films", "--pictures", 5, "--side", 64, "--out", path)
    assert code == 0, err
    return path


# The page.


def test_the_page_holds_the_same_pictures_of_all_types(page):
    asked = survey.read_page(page)
    assert asked.types == TYPES
    assert asked.truth == "films"
    names = {kind: sorted(name for one, name in asked.pictures if one == kind) for kind in TYPES}
    assert {len(set(those)) for those in names.values()} == {5}
    assert names[METHODS[0]] == names[METHODS[1]] == names[METHODS[2]] != names["films"]


def test_the_page_needs_nothing_else_and_names_nothing(page):
    text = page.read_text()
    assert not re.search(r"https?:|//[a-z]|\bsrc=|\bhref=\"(?!data:)|url\(|@import|fetch\(|XMLHttp", text)
    assert "default-src 'none'" in text
    for name in (*TYPES, "scene", "secret", "reconstructed", "Zhang", str(page.parent)):
        # "films" is a word of the question.
        assert name == "films" or name not in text
    assert text.count("films") == text.count("from color films?")


def test_embedded_pictures_are_the_files_within_what_jpeg_loses(page, folders):
    content = json.loads(page.read_text().split('id="survey">')[1].split("</script>")[0])
    asked = survey.read_page(page)
    of = dict(text.split("=") for text in folders)
    for shown, data in zip(asked.pictures, content["pictures"], strict=True):
        (path,) = Path(of[shown.type]).glob(f"{shown.name}[._]*")
        original = cv2.imread(str(path))
        small = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), 1)
        assert small.shape[:2] == (43, 64)
        expected = cv2.resize(original, (64, 43), interpolation=cv2.INTER_AREA)
        assert np.abs(small.astype(int) - expected).mean() < 4


def test_the_draw_follows_the_seed(folders):
    paths = {kind: Path(folder) for kind, folder in (text.split("=") for text in folders)}
    drawn = [set(survey.choose(paths, "films", 5, seed)) for seed in (0, 0, 1, 2, 3)]
    assert drawn[0] == drawn[1]
    assert any(one != drawn[0] for one in drawn)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda folder: [one.unlink() for one in folder.iterdir()], "/in/1: no pictures"),
        (lambda folder: (folder / "scene3_reconstructed.jpg").unlink(), "/in/1: 1 pictures of .*/in/0 .*scene3"),
        (lambda folder: (folder / "more.png").write_bytes(b""), "/in/0: 1 pictures of .*/in/1 .*more"),
        (lambda folder: write_picture(folder / "scene3.png"), "scene3.png and scene3_reconstructed.jpg are both"),
        (lambda folder: (folder / "scene3_reconstructed.jpg").write_bytes(b"no"), "scene3_reconstructed.jpg: "),
    ],
)
def test_what_is_wrong_with_folders_is_named(folders, tmp_path, run, harm, words):
    harm(tmp_path / "in/1")
    out = tmp_path / "x.html"
    code, _, err = run(SCRIPT, "page", *folders, "--truth", "films", "--pictures", 7, "--out", out)
    assert code == 2
    assert re.search(words, err), err
    assert not out.exists()


def test_too_few_pictures_and_wrong_types_are_named(folders, tmp_path, run):
    def refused(*arguments):
        code, _, err = run(SCRIPT, "page", *arguments, "--out", tmp_path / "x.html")
        assert code == 2
        return err

    assert "7 pictures, 10 are needed" in refused(*folders, "--truth", "films")
    assert "nobody" in refused(*folders, "--truth", "nobody")
    assert "LABEL=FOLDER" in refused("films")
    assert "fine-tuned" in refused(*folders, folders[2])


def test_versions_of_different_size_are_told(folders, tmp_path, run):
    write_picture(tmp_path / "in/2/scene1.png", 1, (80, 60))
    code, _, err = run(SCRIPT, "page", *folders, "--truth", "films", "--pictures", 7, "--out", tmp_path / "x.html")
    assert code == 0
    assert "scene1: " in err
    assert "80x60 (fine-tuned)" in err
    assert err.count("scene") == 1


# The order.


@pytest.mark.parametrize(
    "asked", [paper(), paper(5), paper(10, ("a", "b", "c", "d", "t"), "t"), paper(5, "abcdef", None)]
)
def test_versions_are_apart_for_every_participant(asked):
    firsts = []
    for i in range(300):
        order = asked.order(f"user{i}")
        assert sorted(order) == sorted(asked.pictures)
        for j, shown in enumerate(order):
            assert (shown.type == asked.truth, shown.name) not in [
                (other.type == asked.truth, other.name) for other in order[max(0, j - 4) : j]
            ]
        firsts.append(order[0])
    assert asked.order("user0") == asked.order("user0")
    # Every picture may be the first.
    assert len(set(firsts)) > len(asked.pictures) * 0.9


# The results.


def test_shares_and_medians_in_closed_form(tmp_path):
    """The paper's: 46, 29 and 53 of 60 are medians of 10 pictures' shares of 30 users."""
    asked = paper()
    yes = {
        "fine-tuned": [10, 12, 15, 20, 22, 24, 25, 26, 28, 30],
        "not-fine-tuned": [3, 5, 9, 13, 14, 15, 16, 18, 20, 21],
        "films": [20, 22, 24, 25, 26, 27, 28, 29, 30, 30],
        "Zhang <i>": [0, 0, 0, 0, 0, 30, 30, 30, 30, 30],
    }
    for user in range(30):
        save(
            tmp_path / "a",
            asked,
            f"u{user}",
            lambda one, user=user: "yes" if user < yes[one.type][int(one.name[1:])] else "no",
        )
    results, left_out = evaluated(asked, tmp_path / "a")
    assert left_out == []
    assert {kind: one.share for kind, one in results.medians.items()} == pytest.approx(
        {"fine-tuned": 46 / 60, "not-fine-tuned": 29 / 60, "films": 53 / 60, "Zhang <i>": 0.5}
    )
    assert [round(100 * results.medians[kind].share, 1) for kind in ("fine-tuned", "not-fine-tuned", "films")] == [
        76.7,
        48.3,
        88.3,
    ]
    for kind, one in results.medians.items():
        assert one.interval[0] <= one.share <= one.interval[1]
        assert one.interval[0] < one.interval[1], kind
    for shown, share in results.shares().items():
        assert share == pytest.approx(yes[shown.type][int(shown.name[1:])] / 30)
    assert [one.published for one in results.medians.values()] == pytest.approx(
        [np.nan, 0.483, 0.767, 0.883], nan_ok=True
    )


def test_the_interval_of_constant_data_is_a_point(tmp_path):
    asked = paper(5)
    for user in range(4):
        save(tmp_path / "a", asked, f"u{user}", lambda one: "yes" if one.type == "films" else "no")
    results, _ = evaluated(asked, tmp_path / "a")
    assert results.medians["films"].interval == (1, 1)
    assert results.medians["fine-tuned"].interval == (0, 0)


def test_the_interval_over_users_has_the_binomial_width():
    """Many pictures, each answered alike by a user: only the draw of users is left, whose distribution is known."""
    asked = paper(200, ("t",), None)
    given = np.repeat(np.arange(100)[:, None] < 60, 200, axis=1).astype(float)
    low, high = reading.evaluate(asked, given, 20_000, 0).medians["t"].interval
    # Percentiles of a binomial number of 100 with p = 0.6.
    assert (low, high) == pytest.approx((0.50, 0.69), abs=0.011)


def test_missing_answers_are_no_no(tmp_path):
    asked = paper(5)
    save(tmp_path / "a", asked, "u1", lambda one: "" if one.name.endswith("0") else "yes")
    save(tmp_path / "a", asked, "u2", lambda one: "" if one.name.endswith(("0", "1")) else "yes")
    results, _ = evaluated(asked, tmp_path / "a")
    shares = {shown.name: share for shown, share in results.shares().items() if shown.type == "films"}
    assert np.isnan(shares.pop("f0"))
    assert set(shares.values()) == {1}
    assert results.medians["films"].share == 1
    assert "missing: 12" in results.report()[0]


def test_files_of_one_participant_count_once(tmp_path):
    asked = paper(5)
    first = set(asked.order("u1")[:8])
    save(tmp_path / "a", asked, "u1", lambda one: "yes" if one in first else "", "answers_u1.csv")
    save(tmp_path / "a", asked, "u1", lambda one: "yes" if one in first else "no", "answers_u1 (1).csv")
    save(tmp_path / "a", asked, "u2", lambda one: "yes", "answers_u2.csv")
    save(tmp_path / "a", asked, "u2", lambda one: "no", "answers_u2 (1).csv")
    results, left_out = evaluated(asked, tmp_path / "a")
    assert len(results.answers) == 1
    assert not np.isnan(results.answers).any()
    assert len(left_out) == 2
    assert "answers_u1.csv" in left_out[0]
    assert "u2 (1).csv" in left_out[1] and "different answers" in left_out[1]


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda text: text.replace("seconds", "time"), "columns"),
        (lambda text: text.replace(",yes,", ",perhaps,", 1), "line 2: the answer is 'perhaps'"),
        (lambda text: text.replace(",yes,", ",Yes,", 1), "line 2: the answer is 'Yes'"),
        (lambda text: text.replace("1.250", "-1", 1), "line 2: '-1' seconds"),
        (lambda text: text.replace("1.250", "nan", 1), "line 2: 'nan' seconds"),
        (lambda text: text.replace("u1,3,", "u9,3,"), "line 4: participant 'u9'"),
        (lambda text: text.replace("u1,", "u2,"), "was not shown this picture at this place"),
        (lambda text: text.replace("films", "movies"), "was not shown this picture at this place"),
        (lambda text: "".join(text.splitlines(keepends=True)[:-1]), "19 lines of answers, 20 pictures"),
        (lambda text: text.replace(",", ";"), "columns"),
        (lambda text: text[:40], "lines of answers|columns"),
        (lambda text: "", "no table"),
        (lambda text: "\0" * 10, "no table|columns"),
    ],
)
def test_files_that_the_page_did_not_save_are_named(tmp_path, harm, words):
    asked = paper(5)
    path = save(tmp_path / "a", asked, "u1", lambda one: "yes")
    path.write_text(harm(path.read_text()))
    save(tmp_path / "a", asked, "good", lambda one: "yes")
    results, left_out = evaluated(asked, tmp_path / "a")
    assert len(results.answers) == 1
    assert len(left_out) == 1
    assert re.search(rf"answers_u1\.csv: .*({words})", left_out[0]), left_out
    path.with_name("answers_good.csv").unlink()
    with pytest.raises(InputError, match="no answers to this survey"):
        evaluated(asked, tmp_path / "a")


def test_a_file_of_another_survey_is_left_out(tmp_path):
    save(tmp_path / "a", paper(5, identity="ba9876543210"), "u1", lambda one: "yes")
    save(tmp_path / "a", paper(5), "u2", lambda one: "yes")
    results, left_out = evaluated(paper(5), tmp_path / "a")
    assert len(results.answers) == 1
    assert "another survey" in left_out[0]


def test_results_are_written(page, tmp_path, run):
    asked = survey.read_page(page)
    for user in range(3):
        save(
            tmp_path / "a", asked, f"u{user}", lambda one, user=user: "yes" if user < 2 or one.type == "films" else "no"
        )
    out = tmp_path / "out"
    code, text, err = run(SCRIPT, "results", page, tmp_path / "a", "--out", out, "--draws", 200)
    assert code == 0, err
    assert "users: 3; answers: 60" in text
    assert re.search(r"fine-tuned: median 66\.7%.*the paper: 76\.7%", text)
    with (out / "shares.csv").open() as file:
        shares = list(csv.DictReader(file))
    assert [row["share"] for row in shares] == ["0.666667"] * 15 + ["1"] * 5
    with (out / "medians.csv").open() as file:
        medians = list(csv.DictReader(file))
    assert [row["type"] for row in medians] == list(TYPES)
    assert [row["published"] for row in medians] == ["", "0.483", "0.767", "0.883"]
    assert images.read_rgb(out / "figure8.png").std() > 5
    (tmp_path / "a/answers_x.csv").write_text("no\n")
    code, _, err = run(SCRIPT, "results", page, tmp_path / "a", "--out", out, "--draws", 200)
    assert code == 3
    assert "answers_x.csv" in err
    code, _, err = run(SCRIPT, "results", tmp_path / "a/answers_x.csv", tmp_path / "a")
    assert code == 2
    assert "no page of this survey" in err


# The page's own program.


def in_browser(page, script):
    """What a script, put at the end of the page, returns by done(value) in Chromium, whose clock runs fast."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("no Chromium on this machine")
    tried = page.with_name("tried.html")
    report = "const done = (value) => { const one = document.createElement('pre'); one.id = 'report'; "
    report += "one.textContent = JSON.stringify(value); document.body.append(one); };"
    tried.write_text(page.read_text().replace("</body>", f"<script>{report}\n{script}</script></body>"))
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    options += [f"--user-data-dir={page.parent / 'profile'}", "--virtual-time-budget=600000", "--dump-dom"]
    command = [browser, *options, tried.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    found = re.search(r'<pre id="report">(.*?)</pre>', shown, re.DOTALL)
    assert found, shown[-2000:]
    return json.loads(html.unescape(found[1]))


@pytest.mark.slow
def test_the_page_draws_the_order_that_results_expect(page):
    asked = survey.read_page(page)
    users = [f"user-{i}" for i in range(50)]
    found = in_browser(page, f"done({json.dumps(users)}.map((user) => orderOf(user).map((i) => key.pictures[i])));")
    assert found == [[list(shown) for shown in asked.order(user)] for user in users]


PARTICIPANT = """
const wait = (condition) => new Promise((go) => {
  const timer = setInterval(() => { if (condition()) { clearInterval(timer); go(); } }, 20);
});
const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
(async () => {
  await wait(() => !element("begin").disabled);
  element("participant").value = "Viewer";
  element("start-view").requestSubmit();
  const gone = [], keys = ["y", "n", "s", "ArrowLeft", "ArrowRight", "ArrowDown"];
  for (let i = 0; i < 20; i++) {
    await wait(() => phase === "picture" || phase === "broken");
    if (phase === "broken") { element("go-on").click(); continue; }
    if (i % 5 === 2) {
      await wait(() => phase === "question");
      gone.push([document.querySelectorAll("#stage img").length, (performance.now() - onset) / 1000]);
    }
    if (i === 9) {      // an end before the end, and on
      press("Escape");
      element("stop").click();
      element("return").click();
      await wait(() => phase === "question");
    }
    press(keys[i % 6]);
  }
  await wait(() => !element("end-view").hidden);
  done({ csv: csv(), gone, kept: Object.keys(sessions), view: element("end-view").innerText });
})();
"""


@pytest.mark.slow
def test_a_viewer_at_the_keyboard_is_read_back(page):
    asked = survey.read_page(page)
    report = in_browser(page, PARTICIPANT)
    path = page.with_name("answers_viewer.csv")
    path.write_text(report["csv"])
    given, left_out = reading.read_answers(asked, [path])
    assert left_out == []
    said = dict(zip(asked.pictures, given[0], strict=True))
    expected = [1, 0, np.nan] * 7
    np.testing.assert_array_equal([said[shown] for shown in asked.order("viewer")], expected[:20])
    # Each picture vanished after three seconds, and the answer was still taken.
    assert len(report["gone"]) == 4
    for shown, seconds in report["gone"]:
        assert shown == 0
        assert 2.9 < seconds < 3.5
    assert report["kept"] == ["viewer"]
    assert "14 of 20 pictures" in report["view"]


@pytest.mark.slow
def test_a_picture_that_cannot_be_shown_counts_as_missing(page):
    text = page.read_text()
    content = text.split('id="survey">')[1].split("</script>")[0]
    first = json.loads(content)["pictures"][0]
    page.write_text(text.replace(first, "AAAA"))
    asked = survey.read_page(page)
    report = in_browser(page, PARTICIPANT)
    path = page.with_name("answers_viewer.csv")
    path.write_text(report["csv"])
    given, left_out = reading.read_answers(asked, [path])
    assert left_out == []
    assert np.isnan(given[0][0])
