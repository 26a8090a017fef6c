"""The loop with a system that it has never heard of."""

import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from toy import Numbers, Toy, ToyRun, evaluation, train

from historynet.errors import InputError, NotFiniteError
from historynet.systems.system import Evaluation, Score
from historynet.training.history import Table
from historynet.training.loop import Plan


def numbers(*values):
    return Numbers([f"{value}.jpg" for value in values], 0, {"L": np.array(values, np.float32)[:, None]})


def plan(folder, batches, scores=(1.0, 3.0, 2.0)):
    return ToyRun(
        Plan(
            epochs=3,
            steps_per_epoch=2,
            save_every=None,
            save_minutes=None,
            log_dir=folder / "log",
            out_dir=folder / "out",
        ),
        batches=batches,
        evaluate=lambda epoch: evaluation(scores[epoch]),
        save_checkpoint=lambda position: folder / "checkpoint",
    )


def test_epochs_steps_logs_and_best_epoch(tmp_path, capsys):
    run = plan(tmp_path, lambda epoch, used: [numbers(1, 2), numbers(epoch), numbers(9)])
    train(Toy(), run)
    assert run.saved == [0, 1, 2]
    steps = (tmp_path / "log/losses.csv").read_text().splitlines()
    assert steps[0] == "epoch,step,double,follow"
    assert [line.split(",")[:2] for line in steps[1:]] == [[str(i // 2), str(i)] for i in range(6)]
    assert (tmp_path / "log/epochs.csv").read_text().splitlines() == [
        "epoch,psnr,best_epoch",
        "0,1.0,0",
        "1,3.0,1",
        "2,2.0,1",
    ]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"Epoch0.png", "Epoch1.png", "Epoch2.png"}
    out = capsys.readouterr().out
    assert "Epoch1: psnr 3  (best so far)" in out
    assert "Epoch2: psnr 2  (best: Epoch1 with psnr 3)" in out


@pytest.mark.parametrize(
    ("higher_is_better", "scores", "best"),
    [
        (True, (1.0, 3.0, 2.0), [0, 1, 1]),
        (False, (1.0, 3.0, 0.5), [0, 0, 2]),
        # Where nothing could be measured, the first number is the best so far.
        (True, (np.nan, 3.0, np.nan), [0, 1, 1]),
        (False, (3.0, np.nan, 2.0), [0, 0, 2]),
    ],
)
def test_the_systems_own_score_chooses_the_best_epoch(tmp_path, higher_is_better, scores, best):
    toy = Toy()
    toy.score = Score("error", higher_is_better)
    run = plan(tmp_path, lambda epoch, used: [numbers(1)])
    # Nothing to look at, either.
    run.evaluate = lambda epoch: Evaluation({"other": 9.0 - epoch, "error": scores[epoch]})
    train(toy, run)
    lines = (tmp_path / "log/epochs.csv").read_text().splitlines()
    assert lines[0] == "epoch,other,error,best_epoch"
    assert [int(line.split(",")[-1]) for line in lines[1:]] == best
    assert list((tmp_path / "out").iterdir()) == []


def test_a_continued_table_takes_no_other_columns(tmp_path):
    with Table(tmp_path / "losses.csv", 0) as table:
        table.add({"epoch": 0, "step": 0, "double": 1.0})
    before = (tmp_path / "losses.csv").read_bytes()
    with (
        pytest.raises(InputError, match=r"losses.csv: has the columns epoch, step, double, and this training .*other"),
        Table(tmp_path / "losses.csv", 1) as table,
    ):
        table.add({"epoch": 0, "step": 1, "double": 1.0, "other": 2.0})
    assert (tmp_path / "losses.csv").read_bytes() == before


def test_what_is_not_finite_is_named_with_its_pictures(tmp_path):
    with pytest.raises(NotFiniteError, match=r"double is not finite at step 1; its pictures: nan.jpg, 4.jpg"):
        train(Toy(), plan(tmp_path, lambda epoch, used: [numbers(1), numbers(np.nan, 4)]))


def test_no_batch_at_all_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no training picture"):
        train(Toy(), plan(tmp_path, lambda epoch, used: []))


def test_the_losses_go_on_while_their_curves_are_still_held(tmp_path):
    """A process's first drawing holds itself until the garbage collector comes, which may be long after the epoch."""
    program = """
import gc, pathlib, sys
from array import array
from historynet.pictures import figures
gc.disable()
losses = array("d", range(40))
figures.plot_curves({"L_r": losses}, pathlib.Path(sys.argv[1]), 100)
losses.append(40)
"""
    command = [sys.executable, "-c", program, tmp_path / "losses.png"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
