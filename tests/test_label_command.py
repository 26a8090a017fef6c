"""label.py as users call it, but for the page: the draw, counts, the labeller's labels, second look and audit."""

import csv
import hashlib
import shutil

import numpy as np
import pytest
from conftest import ROOT
from kept_pictures import COLORS, answer, make_labeller, make_work

from historynet import files
from historynet.collecting import film_list, final, labels, manifest, measuring, predicting, selecting
from historynet.collecting.film_list import Film
from historynet.collecting.final import FinalLabel
from historynet.collecting.looking import look
from historynet.collecting.selecting import Kept
from historynet.errors import InputError

LABEL = "SOURCE_MHMD/label.py"
NAMES = [label.name for label in labels.table()]
CHINA, USA, FORMAL = COLORS


@pytest.fixture(scope="module")
def labeller(tmp_path_factory):
    """A tiny labeller of random weights: the network, and its file."""
    path = tmp_path_factory.mktemp("labeller") / "tiny.keras"
    return make_labeller(path), path


@pytest.fixture
def work(tmp_path):
    make_work(tmp_path / "work", 10)
    return tmp_path / "work"


def kept(work, **changes):
    from historynet import settings
    from historynet.collecting.settings import LABEL as STEP
    from historynet.collecting.settings import MHMDSettings

    config = ROOT / "SOURCE_MHMD/config.py"
    parser = settings.make_parser("", STEP, config, MHMDSettings)
    options = [text for name, value in changes.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    return Kept(settings.resolve(parser.parse_args(["--work", str(work), *options]), config, MHMDSettings)[0])


def read_rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def write_guesses(work, guesses):
    lines = [f"{name},{label},{confidence},,{margin}\n" for name, (label, confidence, margin) in guesses.items()]
    (work / "labels").mkdir(exist_ok=True)
    (work / "labels/predicted.csv").write_text("picture,label,confidence,second,margin\n" + "".join(lines))


# Labels of a file


def test_of_a_file_of_labels_the_last_counts(work, tmp_path):
    """Also where a label is given anew that was given before another one."""
    from historynet.collecting import given_labels

    path, one = tmp_path / "given.csv", kept(work)
    name, other = list(one.pictures)[:2]

    def take(*labels):
        path.write_text("picture,label\n" + "".join(f"{name},{label}\n" for label in labels) + f"{other},{CHINA}\n")
        return given_labels.take(one, path), one.settled(final.HAND)[name].label

    assert take(CHINA) == ((2, 2, 0), CHINA)
    assert take(USA) == ((2, 1, 0), USA)
    assert take(CHINA) == ((2, 1, 0), CHINA)
    assert take(USA, CHINA) == ((3, 0, 0), CHINA)


def test_of_two_files_the_first_counts_and_it_is_said(work, tmp_path):
    from historynet.collecting import given_labels

    one = kept(work)
    name = next(iter(one.pictures))
    for number, (label, others) in enumerate([(CHINA, 0), (USA, 1)]):
        path = tmp_path / f"{number}.csv"
        path.write_text(f"picture,label\n{name},{label}\n")
        assert given_labels.take(one, path) == (1, 1, others)
    assert one.settled(final.HAND)[name].label == CHINA


def test_what_is_no_file_of_labels_is_told_how_one_looks(tmp_path):
    from historynet.collecting import given_labels

    (tmp_path / "other.csv").write_text("file,class\na,b\n")
    with pytest.raises(InputError, match="picture,label; picture is missing"):
        given_labels.is_of_pictures(tmp_path / "other.csv")


# The draw, and what persons say


def test_a_second_draw_adds_and_never_removes(work, run):
    code, out, _ = run(LABEL, "draw", "--work", work, "--label-share", 0.2)
    assert code == 0 and out.endswith("drawn: 6 of 30 pictures (20.00%), 6 of them now\n")
    first = {row["picture"]: row["seed"] for row in read_rows(work / "labels/drawn.csv")}
    assert set(first.values()) == {"0"} and len({name.rsplit("-", 1)[0] for name in first}) == 3
    # The same again changes nothing.
    before = (work / "labels/drawn.csv").read_bytes()
    assert ", 0 of them now" in run(LABEL, "draw", "--work", work, "--label-share", 0.2)[1]
    assert (work / "labels/drawn.csv").read_bytes() == before
    run(LABEL, "draw", "--work", work, "--label-share", 0.2, "--seed", 3)
    second = {row["picture"]: row["seed"] for row in read_rows(work / "labels/drawn.csv")}
    assert first.items() < second.items() and {*second.values()} == {"0", "3"}


def test_counts_and_agreement_of_persons(work, run):
    run(LABEL, "draw", "--work", work, "--label-share", 0.2)
    drawn = [row["picture"] for row in read_rows(work / "labels/drawn.csv")]
    answer(work, dict.fromkeys(drawn[:4], CHINA) | {drawn[4]: USA})
    answer(work, {drawn[0]: CHINA, drawn[1]: CHINA, drawn[4]: USA, drawn[5]: "outside"}, "Bo")
    code, out, _ = run(LABEL, "check", "--work", work)
    lines = out.splitlines()
    assert code == 0 and lines[:42] == [f"{name}: {4 * (name == CHINA) + (name == USA)}" for name in NAMES]
    assert lines[42:] == [
        "outside: 1",
        "labelled by hand: 6 pictures, 6 of 6 drawn",
        "hand.csv: 5 answers of Ann",
        "hand.csv: 4 answers of Bo",
        "hand.csv: Ann and Bo: 3 pictures, 3 with the same label, Cohen's kappa 1.00",
    ]


def test_a_second_person_is_offered_the_rest_and_a_share_again(work):
    everything = kept(work, label_share=1)
    selecting.draw(everything)
    names = [item.picture for item in selecting.by_hand(everything, "Ann")]
    assert names == sorted(everything.pictures)
    answer(work, dict.fromkeys(names[:25], CHINA) | {names[25]: "unsure"})
    found = [item.picture for item in selecting.by_hand(kept(work, label_share=1, offered_twice=0.3), "Bo")]
    twice = [
        name for name in names[:25] if int(hashlib.sha256(f"0/twice/{name}".encode()).hexdigest()[:8], 16) / 2**32 < 0.3
    ]
    assert found == [*twice, *names[25:]] and 3 < len(twice) < 15
    # Ann sees all of hers again.
    assert len(selecting.by_hand(everything, "Ann")) == 30


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("by-hand", "drawn.csv: nothing is drawn; `label.py draw` comes first"),
        ("second-look", "labels: the labeller has labelled nothing yet; `label.py rest` comes first"),
        ("audit", "labels: the labeller has labelled nothing yet; `label.py rest` comes first"),
    ],
)
def test_what_comes_first_is_said(work, run, action, words):
    code, _, err = run(LABEL, action, "--by", "Ann", "--work", work)
    assert code == 2 and err.endswith(words + "\n")
    code, _, err = run(LABEL, action, "--work", work)
    assert code == 2 and "--by NAME says who labels" in err


def test_bad_input_is_named_and_nothing_made(tmp_path, work, run):
    code, _, err = run(LABEL, "draw", "--work", tmp_path / "empty")
    assert code == 2 and "manifest.csv: is not there; choose.py writes it" in err
    assert not (tmp_path / "empty").exists()
    answer(work, {"paris-00000000.jpg": CHINA, "gone.jpg": "china"})
    before = (work / "labels/hand.csv").read_bytes()
    for action in ("check", "by-hand"):
        run(LABEL, "draw", "--work", work, "--label-share", 1)
        code, _, err = run(LABEL, action, "--work", work, "--by", "Ann")
        assert code == 2
        assert "hand.csv: line 3: no picture 'gone.jpg'; line 3: no label 'china'; mend these lines" in err
    assert (work / "labels/hand.csv").read_bytes() == before


def test_a_row_that_rules_out_all_labels_is_named(work, run):
    film_list.write(work / film_list.NAME, [Film(key, "", work / key) for key in ("long-march", "midway")])
    with pytest.raises(InputError, match=r"films\.csv: there is no film paris, whose pictures are kept"):
        kept(work).item("paris-00000000.jpg")
    rows = [Film("paris", "", work / "p.mp4", eras=("before",), nationalities=("japan",))]
    film_list.write(work / film_list.NAME, rows)
    with pytest.raises(InputError, match=r"films\.csv, line 2: no label has an era, a nationality and a garment of"):
        kept(work).item("paris-00000000.jpg")


# The labeller's labels


def rest(work, path, masked=True, temperature=1.5):
    pictures = kept(work)
    paths = {name: manifest.path_of(work, picture) for name, picture in pictures.pictures.items()}
    possible = selecting.possible_places(pictures, pictures.pictures.values()) if masked else None
    return predicting.Rest(work, predicting.Trained(path, temperature, ""), NAMES, paths, possible)


def test_the_rest_gets_its_likeliest_label(work, labeller, run):
    network, path = labeller
    assert rest(work, path).make()
    assert not rest(work, path).make()
    found = read_rows(work / "labels/predicted.csv")
    assert [row["picture"] for row in found] == sorted(path.name for path in work.glob("frames/*/*.jpg"))
    rows = {"long-march": ("during-china-",), "midway": ("during-usa-", "during-japan-"), "paris": ("",)}
    keys = [row["picture"].rsplit("-", 1)[0] for row in found]
    seen = [look(work / "frames" / key / row["picture"], (32, 32)) for key, row in zip(keys, found, strict=True)]
    logits = np.asarray(network(np.stack(seen), training=False)).astype(float)
    for row, key, own in zip(found, keys, logits, strict=True):
        likely = np.exp(own / 1.5)
        likely /= likely.sum()
        likely *= [name.startswith(rows[key]) for name in NAMES]
        likely /= likely.sum()
        first, second = np.argsort(-likely)[:2]
        assert (row["label"], row["second"]) == (NAMES[first], NAMES[second])
        assert float(row["confidence"]) == pytest.approx(likely[first], abs=1e-4)
        assert float(row["margin"]) == pytest.approx(likely[first] - likely[second], abs=2e-4)
    # Another temperature, or no mask: it is made anew.
    assert rest(work, path, masked=False).make()
    assert [row["label"] for row in read_rows(work / "labels/predicted.csv")] == [
        NAMES[i] for i in np.argmax(logits, 1)
    ]
    assert not (work / "labels/predicted").exists()


def test_a_mask_gives_all_to_what_is_possible():
    likely = np.array([0.5, 0.3, 0.2, 0.0])
    np.testing.assert_allclose(predicting.mask(likely, (1, 2)), [0, 0.6, 0.4, 0])
    np.testing.assert_array_equal(predicting.mask(likely, None), likely)
    np.testing.assert_array_equal(predicting.mask(likely, (3,)), [0, 0, 0, 1])


class Killed(BaseException):
    """What nothing catches, as nothing catches a kill."""


def test_a_kill_anywhere_changes_no_byte(work, labeller, monkeypatch):
    monkeypatch.setattr(predicting, "SHARD", 4)
    whole = work.parent / "whole"
    shutil.copytree(work, whole)
    rest(whole, labeller[1]).make()
    # Each start is killed while it writes the next file but one: before it has its name, or behind it.
    left, kills, written = 0, 0, files.write_atomically

    def write(path, content, naming=None):
        nonlocal left
        left -= 1
        if left == 0 and kills % 2:
            path.with_name(f"{files._UNFINISHED}dead{path.suffix}").write_bytes(b"half")
            raise Killed
        written(path, content, naming)
        if left == 0:
            raise Killed

    monkeypatch.setattr(files, "write_atomically", write)
    while True:
        left = 1 + kills % 3
        try:
            rest(work, labeller[1]).make()
            break
        except Killed:
            kills += 1
            assert kills < 40
    assert kills >= 8
    for one in ("predicted.csv", "predicted.json"):
        assert (work / "labels" / one).read_bytes() == (whole / "labels" / one).read_bytes()
    assert {path.name for path in (work / "labels").iterdir()} == {path.name for path in (whole / "labels").iterdir()}


def test_a_shard_of_another_labeller_is_not_taken(work, labeller, monkeypatch, tmp_path):
    monkeypatch.setattr(predicting, "SHARD", 4)
    shards = iter(range(2))

    def some(shard, progress):
        next(shards)  # the third time it ends
        return predicting_label(shard, progress)

    predicting_label = predicting.label_shard
    monkeypatch.setattr(predicting, "label_shard", some)
    with pytest.raises(StopIteration):
        rest(work, labeller[1]).make()
    assert len(list((work / "labels/predicted").glob("*.csv"))) == 2
    monkeypatch.setattr(predicting, "label_shard", predicting_label)
    other = tmp_path / "other.keras"
    make_labeller(other, seed=1)
    rest(work, other).make()
    mixed = (work / "labels/predicted.csv").read_bytes()
    shutil.rmtree(work / "labels")
    rest(work, other).make()
    assert (work / "labels/predicted.csv").read_bytes() == mixed


def test_broken_pictures_are_left_out_and_named(work, labeller, run):
    (work / "frames/paris/paris-00000500.jpg").write_bytes(b"no picture")
    command = (LABEL, "rest", "--work", work, "--labeller", labeller[1], "--gpu-id", "cpu")
    code, out, err = run(*command)
    assert code == 3 and "29 pictures are labelled" in out and "nobody knows its temperature, 1 is taken" in out
    assert "skipped: " in err and "paris-00000500.jpg: not a picture" in err
    # It is not forgotten.
    code, out, err = run(*command)
    assert code == 3 and "all of it is there already" in out
    assert "skipped: 1 pictures have no label, paris-00000500.jpg for one" in err


def test_a_labeller_that_does_not_fit_is_refused(work, labeller, model, tmp_path, run):
    for path, words in (
        (model, "a network of HistoryNet; one of Labeller is needed"),
        (tmp_path / "gone.keras", "no such labeller; MHMD_Labeller.py trains one"),
        (tmp_path, "no trained labeller; MHMD_Labeller.py trains one"),
    ):
        code, _, err = run(LABEL, "rest", "--work", work, "--labeller", path, "--gpu-id", "cpu")
        assert code == 2 and words in err, err
    labels.write_table(tmp_path / "few.csv", labels.table()[:5])
    film_list.write(work / film_list.NAME, [Film(key, "", work / key) for key in ("long-march", "midway", "paris")])
    options = ["--labeller", labeller[1], "--labels", tmp_path / "few.csv", "--gpu-id", "cpu"]
    code, _, err = run(LABEL, "rest", "--work", work, *options)
    assert code == 2 and "tells 42 other labels apart than the 5 of the table" in err


def test_the_best_epoch_and_its_temperature_are_taken(tmp_path):
    run_dir = tmp_path / "MODEL/run"
    run_dir.mkdir(parents=True)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/epochs.csv").write_text("epoch,recall,temperature,best_epoch\n0,0.5,1.5,0\n1,0.4,2.5,0\n")
    files.write_json(run_dir / "settings.json", {"log_dir": str(tmp_path / "logs"), "test_name": "run"})
    for epoch in (0, 1):
        (run_dir / f"my_model_classificationEpoch{epoch}.keras").touch()
    found = predicting.find(run_dir)
    assert (found.path.name, found.temperature) == ("my_model_classificationEpoch0.keras", 1.5)
    assert predicting.find(run_dir / "my_model_classificationEpoch1.keras").temperature == 2.5


# Second look, audit, and what counts in the end


def test_the_least_sure_come_first_with_their_label(work):
    names = sorted(kept(work).pictures)
    write_guesses(
        work,
        {
            names[0]: (CHINA, 0.95, 0.9),
            names[1]: (CHINA, 0.85, 0.8),
            names[2]: (CHINA, 0.6, 0.29),
            names[3]: (CHINA, 0.92, 0.29),
            names[4]: (CHINA, 0.5, 0.1),
            names[5]: (CHINA, 0.85, 0.5),
        },
    )
    answer(work, {names[4]: CHINA})
    found = selecting.second_look(kept(work))
    assert [item.picture for item in found] == [names[2], names[1], names[5], names[3]]
    assert {item.guess for item in found} == {CHINA}
    assert [item.picture for item in selecting.second_look(kept(work, second_looks=2))] == [names[2], names[1]]


def test_an_audit_is_blind_and_of_what_nobody_has_seen(work):
    names = sorted(kept(work).pictures)
    write_guesses(work, dict.fromkeys(names, (CHINA, 0.99, 0.98)))
    answer(work, {names[0]: CHINA})
    answer(work, {names[1]: CHINA}, file="second_look.csv")
    found = selecting.audit(kept(work, audited=12))
    order = sorted(names[2:], key=lambda name: hashlib.sha256(f"0/audit/{name}".encode()).hexdigest())
    assert [item.picture for item in found] == sorted(order[:12])
    assert {item.guess for item in found} == {None}
    # As long as it goes on it is of the same pictures.
    answer(work, {found[0].picture: USA}, file="audit.csv")
    assert [item.picture for item in selecting.audit(kept(work, audited=12))] == sorted(order[:12])


def test_an_audit_gives_accuracy_and_its_interval(work, run):
    names = sorted(kept(work).pictures)
    write_guesses(work, dict.fromkeys(names, (CHINA, 0.99, 0.98)))
    answer(work, {names[0]: USA}, file="second_look.csv")
    said = dict.fromkeys(names[1:9], CHINA) | {names[0]: USA, names[9]: FORMAL, names[10]: "outside"}
    answer(work, said | {names[11]: "unsure"}, file="audit.csv")
    low, high = (100 * bound for bound in measuring.wilson(9, 11))
    assert (
        f"audit: 9 of 11 final labels are right, 81.8% (Wilson's 95% interval {low:.1f}% to {high:.1f}%); the paper "
        "says 98% or more\n"
    ) in run(LABEL, "check", "--work", work)[1]


def test_persons_count_more_than_the_labeller(work):
    names = sorted(kept(work).pictures)
    write_guesses(work, dict.fromkeys(names[:5], (CHINA, 0.75, 0.5)))
    answer(work, {names[0]: USA, names[1]: "unsure", names[7]: "outside"})
    answer(work, {names[0]: FORMAL, names[1]: FORMAL, names[2]: USA}, "Bo", "second_look.csv")
    answer(work, {names[2]: "outside", names[3]: USA}, "Cy", "audit.csv")
    found = final.final_labels(work, kept(work).pictures, labels.table())
    assert found == {
        names[0]: FinalLabel(USA, "hand:Ann", None),
        names[1]: FinalLabel(FORMAL, "second-look:Bo", None),
        names[2]: FinalLabel(None, "audit:Cy", None),
        names[3]: FinalLabel(USA, "audit:Cy", None),
        names[4]: FinalLabel(CHINA, "predicted", 0.75),
        names[7]: FinalLabel(None, "hand:Ann", None),
    }
    write_guesses(work, {names[0]: ("china", 0.75, 0.5)})
    with pytest.raises(InputError, match=r"predicted\.csv, line 2: there is no label 'china'"):
        final.final_labels(work, kept(work).pictures, labels.table())
