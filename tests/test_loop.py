"""The loop with a system that it has never heard of."""

import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from conftest import ROOT
from test_step import Toy

from historynet.errors import InputError, NotFiniteError
from historynet.training.loop import Plan, train


@dataclass
class Numbers:
    names: list
    end: int
    fields: dict


@dataclass
class Looks:
    scores: dict
    grid: np.ndarray


def numbers(*values):
    return Numbers([f"{value}.jpg" for value in values], 0, {"L": np.array(values, np.float32)[:, None]})


def plan(folder, batches, saved=None, scores=(1.0, 3.0, 2.0)):
    return Plan(
        epochs=3,
        steps_per_epoch=2,
        batches=batches,
        evaluate=lambda epoch: Looks({"psnr": scores[epoch]}, np.zeros((8, 8, 3), np.uint8)),
        save=(saved if saved is not None else []).append,
        checkpoint=lambda position: folder / "checkpoint",
        save_every=None,
        save_minutes=None,
        log_dir=folder / "log",
        out_dir=folder / "out",
        seed=0,
    )


def test_epochs_steps_logs_and_best_epoch(tmp_path, capsys):
    saved = []
    train(Toy(), plan(tmp_path, lambda epoch, used: [numbers(1, 2), numbers(epoch), numbers(9)], saved))
    assert saved == [0, 1, 2]
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
    assert "Epoch2: psnr 2  (best: Epoch1 with PSNR 3)" in out


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
