"""What survives an interruption: checkpoints, tables, and a run that goes on as if nothing had been."""

import contextlib
import dataclasses
import errno
import json
import os
import re
import resource
import shutil
import signal
import zipfile
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from conftest import GENERATOR_ALONE, open_folder, train_arguments
from failing_disk import fail_where_read
from kill_and_continue import kill_and_continue
from test_commands import TRAIN
from test_step import make_system
from toy import Numbers, Toy, ToyRun, evaluation, train

from historynet import locks
from historynet.data.batches import batches as make_batches
from historynet.errors import InputError, NotFiniteError, StoppedError
from historynet.systems.optimizers import Adams
from historynet.training import history, runs
from historynet.training.averaging import averaged
from historynet.training.checkpoints import Checkpoint, Checkpoints, Position, restore
from historynet.training.engine import Step
from historynet.training.history import LOSSES, Table, read_runs
from historynet.training.loop import Plan

EPOCHS, STEPS = 3, 4


class LostError(Exception):
    """The end of a process, as far as one process can play it."""


def toy_plan(folder, system, at=None, end=None, **more):
    """A plan for a Toy that calls `end` when step `at` (epoch, number in it) is to be made."""
    saved = Checkpoints(folder / "checkpoints", 2)

    def batches(epoch, used):
        for i in range(used, STEPS):
            yield Numbers([f"{i}.jpg"], i + 1, {"L": np.array([[epoch + i / STEPS]], np.float32)})

    settings = {"save_every": 3, "save_minutes": None} | more
    return ToyRun(
        Plan(epochs=EPOCHS, steps_per_epoch=STEPS, log_dir=folder / "log", out_dir=folder / "out", **settings),
        batches=batches,
        evaluate=lambda epoch: evaluation((1.0, 3.0, 2.0)[epoch]),
        save_checkpoint=lambda position: saved.save(system, position, {"name": "toy"}),
        before_step=lambda step: end() if divmod(step, STEPS) == at else None,
    )


def first_toy():
    toy = Toy()
    for i, network in enumerate(toy.networks.values()):
        network.set_weights([np.full((1, 1), i + 0.5), np.zeros(1)])
    return toy


def weights_of(system):
    return [value for network in system.networks.values() for value in network.get_weights()]


def fail():
    raise LostError


def newest(folder):
    return Checkpoints(folder / "checkpoints", 2).newest(pytest.fail)


@pytest.fixture
def whole(tmp_path):
    """A training that was never interrupted: its weights and its folder."""
    toy = first_toy()
    train(toy, toy_plan(tmp_path / "whole", toy))
    return weights_of(toy), tmp_path / "whole"


@pytest.mark.parametrize("at", [(0, 3), (1, 0), (1, 2), (2, 3)])
def test_a_training_that_was_lost_goes_on_as_if_nothing_had_been(tmp_path, whole, at):
    weights, folder = whole
    toy = first_toy()
    with pytest.raises(LostError):
        train(toy, toy_plan(tmp_path, toy, at, fail))
    checkpoint = newest(tmp_path)
    again = Toy()
    restore(checkpoint, again)
    train(again, toy_plan(tmp_path, again), checkpoint.position)
    for a, b in zip(weights, weights_of(again), strict=True):
        np.testing.assert_array_equal(a, b)
    for name in ("losses.csv", "epochs.csv"):
        assert (tmp_path / "log" / name).read_bytes() == (folder / "log" / name).read_bytes()
    assert newest(tmp_path).position == newest(folder).position == Position(EPOCHS, 0, 0, EPOCHS * STEPS)


def test_an_evaluation_that_was_lost_is_made_up_for(tmp_path, whole, capsys):
    toy = first_toy()
    plan = toy_plan(tmp_path, toy)
    plan.evaluate = lambda epoch: fail()
    with pytest.raises(LostError):
        train(toy, plan)
    checkpoint = newest(tmp_path)
    assert checkpoint.position == Position(1, 0, 0, STEPS)
    again = Toy()
    restore(checkpoint, again)
    train(again, toy_plan(tmp_path, again), checkpoint.position)
    assert (tmp_path / "log/epochs.csv").read_bytes() == (whole[1] / "log/epochs.csv").read_bytes()
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines() if "psnr" in line][-3:] == [
        "Epoch0",
        "Epoch1",
        "Epoch2",
    ]


def test_a_training_goes_on_where_its_tables_were_removed(tmp_path, whole):
    """Between two epochs: the evaluation that is missing is made up for, without losses to draw."""
    toy = first_toy()
    with pytest.raises(LostError):
        train(toy, toy_plan(tmp_path, toy, (1, 0), fail))
    shutil.rmtree(tmp_path / "log")
    again = Toy()
    restore(newest(tmp_path), again)
    train(again, toy_plan(tmp_path, again), Position(1, 0, 0, STEPS))
    for a, b in zip(whole[0], weights_of(again), strict=True):
        np.testing.assert_array_equal(a, b)
    assert len((tmp_path / "log/epochs.csv").read_text().splitlines()) == 1 + EPOCHS
    assert (tmp_path / "log/losses.png").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_first(tmp_path, number, code, capfd):
    toy = first_toy()
    before = signal.getsignal(number)

    def twice():
        for _ in range(2):
            os.kill(os.getpid(), number)

    with pytest.raises(StoppedError, match=rf"{number.name}; .*step000000006.npz \(epoch 1, step 6\) is kept") as end:
        train(toy, toy_plan(tmp_path, toy, (1, 1), twice, save_every=None))
    assert end.value.exit_code == code
    assert f"{number.name}: saving a checkpoint" in capfd.readouterr().err
    # The signal came while step 5 was waited for, which was made and then saved.
    checkpoint = newest(tmp_path)
    assert checkpoint.position == Position(1, 2, 2, 6)
    assert signal.getsignal(number) is before


def in_a_layer(function):
    keras.layers.Lambda(lambda x: function() or x)(np.zeros(1, np.float32))
    pytest.fail("the evaluation went on")


def in_a_call_that_passes_errors_by(function):
    with contextlib.suppress(Exception):
        function()


def nowhere_else(function):
    function()
    pytest.fail("the evaluation went on")


@pytest.mark.parametrize("called", [nowhere_else, in_a_layer, in_a_call_that_passes_errors_by])
def test_a_signal_ends_the_evaluation_at_once(tmp_path, called):
    toy = first_toy()
    plan = toy_plan(tmp_path, toy)
    plan.evaluate = lambda epoch: called(lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(StoppedError, match=r"^stopped by SIGTERM; .*step000000004.npz") as end:
        train(toy, plan)
    assert end.value.exit_code == 143


def test_minutes_count_too(tmp_path):
    toy = first_toy()
    with pytest.raises(LostError):
        train(toy, toy_plan(tmp_path, toy, (0, 3), fail, save_every=None, save_minutes=1e-9))
    assert newest(tmp_path).position.steps == 3


def test_what_is_not_finite_names_the_checkpoint_that_is_kept(tmp_path):
    toy = first_toy()

    def spoil():
        toy.networks["first"].set_weights([np.full((1, 1), np.inf), np.zeros(1)])

    with pytest.raises(NotFiniteError, match=r"double is not finite at step 6; its pictures: 2.jpg; .*step0*4.npz"):
        train(toy, toy_plan(tmp_path, toy, (1, 2), spoil, save_every=None))
    assert newest(tmp_path).position.steps == 4
    # Nor is what was spoilt between two losses saved.
    with pytest.raises(NotFiniteError, match=r"^first/first/dense/kernel is not finite .*step0*4.npz is kept"):
        Checkpoints(tmp_path / "checkpoints", 2).save(toy, Position(steps=9), {})
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step000000004.npz"]


def test_tensorboard_forgets_what_was_lost(tmp_path):
    # What TensorBoard itself reads with.
    from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

    from historynet.training import loop

    toy = first_toy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "_SCALARS_EVERY", 1)
        with pytest.raises(LostError):
            train(toy, toy_plan(tmp_path, toy, (1, 1), fail))
        checkpoint = newest(tmp_path)
        again = Toy()
        restore(checkpoint, again)
        train(again, toy_plan(tmp_path, again), checkpoint.position)
    events = EventAccumulator(str(tmp_path / "log"))
    events.Reload()
    assert [event.step for event in events.Tensors("losses/double")] == list(range(EPOCHS * STEPS))


def test_everything_that_a_step_changes_comes_back(tmp_path):
    """Adam's moments and counts, and the statistics of batch normalisation."""
    system, again = make_system(learning_rate=0.5), make_system(learning_rate=0.25)
    rng = np.random.default_rng(0)
    for name, network in system.networks.items():
        optimizer = system.optimizers[name]
        optimizer.build(network.trainable_variables)
        for variable in (*network.variables, *optimizer.variables):
            if variable is not optimizer.learning_rate:
                variable.assign(rng.integers(1, 1000, variable.shape))
    saved = Checkpoints(tmp_path, 2)
    saved.save(system, Position(1, 2, 3, 4), {"settings": {"A": 1.5}})
    checkpoint = saved.newest(pytest.fail)
    assert (checkpoint.position, checkpoint.run) == (Position(1, 2, 3, 4), {"settings": {"A": 1.5}})
    restore(checkpoint, again)
    for name, network in system.networks.items():
        before, after = system.optimizers[name], again.optimizers[name]
        # The learning rate is a setting, not a state.
        assert float(after.learning_rate) == 0.25
        after.learning_rate = 0.5
        pairs = [*zip(network.variables, again.networks[name].variables, strict=True)]
        pairs += zip(before.variables, after.variables, strict=True)
        for a, b in pairs:
            np.testing.assert_array_equal(a.numpy(), b.numpy())


def toy_with_all_options(seed):
    """Decay, clipping, rates, a schedule, an average, and another optimiser for the network that begins alone."""
    keras.utils.set_random_seed(seed)
    toy = Toy()
    adams = Adams(
        learning_rate=0.1,
        beta_2=0.99,
        weight_decay=0.5,
        clip_norm=0.5,
        rates={"dense": 0.25},
        decay_steps=4,
        warmup_steps=2,
        final_rate=0.1,
        ema_momentum=0.9,
        averaged=("first",),
    )
    toy.optimizers = adams.make(toy.networks, {"second": Adams(learning_rate=0.05, beta_1=0.5, beta_2=0.9)})
    toy.phases = (dataclasses.replace(toy.phases[0], first_step=2), toy.phases[1])
    return toy


@pytest.mark.parametrize("at", [1, 4])
def test_all_options_of_the_optimisers_go_on_with_the_same_bits(tmp_path, at):
    """From a checkpoint within the steps that a phase leaves out, and from one behind."""
    batches = [{"L": np.random.default_rng(i).random((3, 1), np.float32)} for i in range(7)]
    system, saved, losses = toy_with_all_options(1), Checkpoints(tmp_path, 9), []
    step = Step(system, seed=0)
    for i, batch in enumerate(batches):
        losses.append(step(batch, i))
        if i + 1 == at:
            saved.save(system, Position(steps=at), {})
    again = toy_with_all_options(2)
    restore(saved.newest(pytest.fail), again)
    step = Step(again, seed=0)
    assert [step(batch, i) for i, batch in enumerate(batches) if i >= at] == losses[at:]
    for name, network in system.networks.items():
        others = (*again.networks[name].variables, *again.optimizers[name].variables)
        for a, b in zip((*network.variables, *system.optimizers[name].variables), others, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)
    with averaged(system), averaged(again):
        for a, b in zip(*(toy.networks["first"].get_weights() for toy in (system, again)), strict=True):
            np.testing.assert_array_equal(a, b)


def save_some(folder, steps, keep=9):
    toy = first_toy()
    for i in steps:
        Checkpoints(folder, keep).save(toy, Position(steps=i), {})
    return sorted(int(path.stem[4:]) for path in folder.iterdir())


def test_the_newest_are_kept(tmp_path):
    assert save_some(tmp_path, [1, 2, 3, 4], keep=2) == [3, 4]
    (tmp_path / "step000000004.npz").write_bytes(b"damaged")
    # What went on from 3 replaces the damaged one.
    assert save_some(tmp_path, [4], keep=2) == [3, 4]


def damage_byte(place):
    def damage(data):
        i = int(place * len(data))
        return data[:i] + bytes([data[i] ^ 0x10]) + data[i + 1 :]

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: bytes(len(data)),
        lambda data: data[: len(data) // 2] + bytes(len(data) - len(data) // 2),
        damage_byte(0.0),
        damage_byte(0.3),
        damage_byte(0.5),
    ],
)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(tmp_path, damage):
    save_some(tmp_path, [1, 2])
    path = tmp_path / "step000000002.npz"
    path.write_bytes(damage(path.read_bytes()))
    reports = []
    assert Checkpoints(tmp_path, 2).newest(reports.append).position.steps == 1
    assert len(reports) == 1
    assert str(path) in reports[0]
    assert reports[0].endswith("passed by; when a new one is saved, it is renamed to step000000002.npz.damaged")
    reports.clear()
    shutil.copy(path, tmp_path / "step000000001.npz")
    with pytest.raises(InputError, match="all checkpoints are damaged; --fresh removes them"):
        Checkpoints(tmp_path, 2).newest(reports.append)
    # What --fresh removes is not renamed.
    assert [re.sub(r" \(.*\)$", "", report) for report in reports] == [
        f"{tmp_path}/step00000000{i}.npz: a damaged checkpoint" for i in (2, 1)
    ]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("end", [False, True], ids=["at the start", "at the end"])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.EIO, os.strerror(errno.EIO)), "Input/output error"),
        (MemoryError(), "there is not enough memory"),
    ],
    ids=["disk", "memory"],
)
def test_what_the_machine_cannot_read_is_not_damaged(tmp_path, monkeypatch, error, reason, end):
    """Where the list of a zip's members stands, at its end, zipfile itself takes such an error for damage."""
    save_some(tmp_path, [1, 2])
    before = contents(tmp_path)
    path = tmp_path / "step000000002.npz"
    part = range(path.stat().st_size - 30, path.stat().st_size) if end else range(1)
    with monkeypatch.context() as patch:
        fail_where_read(patch, path, part, error)
        with pytest.raises(InputError, match=rf"^{path}: cannot be read \({reason}\)"):
            Checkpoints(tmp_path, 1).newest(pytest.fail)
    assert contents(tmp_path) == before
    assert Checkpoints(tmp_path, 1).newest(pytest.fail).path == path


def test_a_damaged_checkpoint_is_named_also_if_the_one_before_cannot_be_read(tmp_path, monkeypatch):
    save_some(tmp_path, [1, 2])
    whole, newest = (tmp_path / f"step00000000{i}.npz" for i in (1, 2))
    newest.write_bytes(newest.read_bytes()[:-1])
    fail_where_read(monkeypatch, whole, range(1), OSError(errno.EIO, os.strerror(errno.EIO)))
    reports = []
    with pytest.raises(InputError, match=f"^{whole}: cannot be read"):
        Checkpoints(tmp_path, 2).newest(reports.append)
    assert [report.split(" (")[0] for report in reports] == [f"{newest}: a damaged checkpoint"]


def test_a_checkpoint_that_fails_while_its_arrays_are_taken_is_named(tmp_path, monkeypatch):
    save_some(tmp_path, [1])
    checkpoint = Checkpoints(tmp_path, 1).newest(pytest.fail)
    for error in (OSError(errno.EIO, os.strerror(errno.EIO)), MemoryError()):
        with monkeypatch.context() as patch:
            fail_where_read(patch, checkpoint.path, range(1), error)
            with pytest.raises(InputError, match=rf"^{checkpoint.path}: cannot be read "):
                restore(checkpoint, Toy())
    # It was whole when it was chosen.
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:-30])
    with pytest.raises(InputError, match=rf"^{checkpoint.path}: cannot be read "):
        restore(checkpoint, Toy())


def test_what_is_no_file_is_not_damaged(tmp_path):
    save_some(tmp_path, [1])
    path = tmp_path / "step000000002.npz"
    path.mkdir()
    with pytest.raises(InputError, match=r"step000000002.npz: cannot be read \(Is a directory\)"):
        Checkpoints(tmp_path, 1).newest(pytest.fail)
    path.rmdir()
    path.symlink_to(path)
    with pytest.raises(InputError, match=r"step000000002.npz: cannot be read \(Too many levels of symbolic links\)"):
        Checkpoints(tmp_path, 1).newest(pytest.fail)


def test_a_folder_that_cannot_be_read_is_not_an_empty_one(tmp_path):
    """Else a training would begin anew where there are checkpoints, and remove them when the folder is back."""
    folder = tmp_path / "checkpoints"
    folder.symlink_to(folder)
    saved = Checkpoints(folder, 1)
    for use in (lambda: saved.newest(pytest.fail), saved.clear):
        with pytest.raises(InputError, match=r"checkpoints: cannot be read \(Too many levels of symbolic links\)"):
            use()


def with_members(path, **changed):
    """Writes a checkpoint again, with right checksums, some of its members changed; None leaves one out."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members |= {name.replace("_json", ".json"): content for name, content in changed.items()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            if content is not None:
                archive.writestr(name, content)


def state(position, **more):
    return json.dumps({"position": position, "run": {}} | more)


BIAS = "first/first/dense/bias.npy"


@pytest.mark.parametrize(
    "changed",
    [
        {"state_json": None},
        {"state_json": b""},
        {"state_json": b"[1, 2"},
        {"state_json": b"\xff\xfe"},
        {"state_json": b"[" * 100_000},
        {"state_json": "[1, 2]"},
        {"state_json": "{}"},
        {"state_json": state(None)},
        {"state_json": state([1, 2])},
        {"state_json": state({"steps": "2"})},
        {"state_json": state({"steps": 2.5})},
        {"state_json": state({"steps": -2})},
        {"state_json": state({"steps": True})},
        {"state_json": state({"stairs": 2})},
        {"state_json": state({}, run=[])},
        {BIAS: b""},
        {BIAS: b"no array at all"},
        {BIAS: b"\x93NUMPY\x01\x00\x08\x00{'a': 1}"},
        {BIAS: b"\x93NUMPY\x01\x00\x08\x00{'a': 1 "},
        {BIAS: b"\x93NUMPY\x01\x00\x08\x00{[1]: 1}"},
        {BIAS: b"\x93NUMPY\x01\x00\x10\x27" + b"[" * 10_000},
        {BIAS: b"\x93NUMPY\x07\x00\x08\x00{'a': 1}"},
    ],
)
def test_a_checkpoint_of_whole_members_that_mean_nothing_is_passed_by(tmp_path, changed):
    save_some(tmp_path, [1, 2])
    path = tmp_path / "step000000002.npz"
    with_members(path, **changed)
    reports = []
    assert Checkpoints(tmp_path, 2).newest(reports.append).position.steps == 1
    (report,) = reports
    assert re.fullmatch(rf"{path}: a damaged checkpoint \(.+\).*", report)


def test_a_damaged_checkpoint_is_set_aside_and_not_deleted(tmp_path):
    """A cable or a memory module may be what is damaged; and whoever has nothing else takes what is whole of a file."""
    save_some(tmp_path, [1, 2, 3])
    second, third = (tmp_path / f"step00000000{i}.npz" for i in (2, 3))
    for path in (second, third):
        path.write_bytes(path.read_bytes()[:-1])
    damaged = {f"{path.name}.damaged": path.read_bytes() for path in (second, third)}
    saved = Checkpoints(tmp_path, 1)
    assert saved.newest(lambda message: None).position.steps == 1
    # Nothing happens to them before the training gets as far as a checkpoint of its own, even of the same name.
    assert len(contents(tmp_path)) == 3
    toy = first_toy()
    toy.networks["first"].set_weights([np.full((1, 1), np.inf), np.zeros(1)])
    with pytest.raises(NotFiniteError, match="step000000001.npz is kept"):
        saved.save(toy, Position(steps=2), {})
    toy = first_toy()
    path = saved.save(toy, Position(steps=2), {})
    assert {name: content for name, content in contents(tmp_path).items() if name != path.name} == damaged
    assert Checkpoints(tmp_path, 1).newest(pytest.fail).path == path
    # It does not take the place of a whole one later.
    saved.save(toy, Position(steps=4), {})
    assert saved.newest(pytest.fail).position.steps == 4
    saved.clear()
    assert contents(tmp_path) == damaged


def test_a_newer_checkpoint_that_nobody_found_damaged_is_left_alone(tmp_path):
    assert save_some(tmp_path, [3, 4], keep=2) == [3, 4]
    assert save_some(tmp_path, [1, 2], keep=1) == [2, 3, 4]


def test_no_changed_byte_goes_unnoticed(tmp_path):
    """Whatever byte of a checkpoint changes, it is found out or changes nothing that is read."""
    toy = first_toy()
    saved = Checkpoints(tmp_path, 2)
    path = saved.save(toy, Position(1, 2, 3, 4), {"a": 1})
    data = path.read_bytes()
    noticed = 0
    for i in range(0, len(data), 7):
        path.write_bytes(data[:i] + bytes([data[i] ^ 0x55]) + data[i + 1 :])
        try:
            checkpoint = saved.newest(lambda message: None)
            again = Toy()
            restore(checkpoint, again)
        except InputError:
            noticed += 1
            continue
        assert (checkpoint.position, checkpoint.run) == (Position(1, 2, 3, 4), {"a": 1})
        for a, b in zip(weights_of(toy), weights_of(again), strict=True):
            np.testing.assert_array_equal(a, b)
    assert noticed > len(data) / 7 / 2


def test_no_checkpoint_at_all(tmp_path):
    assert Checkpoints(tmp_path / "none", 2).newest(pytest.fail) is None


def test_a_checkpoint_of_other_networks_does_not_fit(tmp_path):
    toy = first_toy()
    saved = Checkpoints(tmp_path, 2)
    path = saved.save(toy, Position(), {})
    checkpoint = saved.newest(pytest.fail)
    other = Toy()
    del other.networks["second"]
    with pytest.raises(InputError, match=r"second/\S+ is in the file alone"):
        restore(checkpoint, other)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = "first/first/dense/bias.npy"
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in members.items():
            if member != name:
                archive.writestr(member, data)
    with pytest.raises(InputError, match="first/first/dense/bias is in the networks alone"):
        restore(checkpoint, Toy())
    with zipfile.ZipFile(path, "a") as archive, archive.open(name, "w") as member:
        np.lib.format.write_array(member, np.zeros(2, np.float32))
    with pytest.raises(InputError, match=r"first/first/dense/bias is float32 \(2,\) there and float32 \(1,\) here"):
        restore(checkpoint, Toy())


def test_counts_of_another_width_fit_if_they_are_not_too_large(tmp_path):
    """TensorFlow's optimisers count in 64 bits, JAX's in 32."""
    toy = Toy()
    for network in toy.networks.values():
        toy.optimizers[network.name].build(network.trainable_variables)
    checkpoints = Checkpoints(tmp_path, keep=9)
    path = checkpoints.save(toy, Position(steps=1), {}) or checkpoints.path(Position(steps=1))
    with np.load(path) as arrays:
        contents = dict(arrays)
    count = next(name for name in contents if "first/optimizer" in name and "iteration" in name)
    other = {"int32": np.int64, "int64": np.int32}[contents[count].dtype.name]
    np.savez(path, **{**contents, count: other(7)})
    restore(Checkpoint(path, Position(), {}), toy)
    assert int(toy.optimizers["first"].iterations) == 7
    # Unsigned or with a fraction it is something else; so is what the width here cannot hold.
    for wrong in (np.uint64(7), np.float32(7), np.int64(2**40)):
        if wrong.dtype == contents[count].dtype:
            continue
        np.savez(path, **{**contents, count: wrong})
        with pytest.raises(InputError, match="does not fit these networks: first/optimizer"):
            restore(Checkpoint(path, Position(), {}), toy)


def test_nothing_is_unpickled(tmp_path):
    saved = Checkpoints(tmp_path, 2)
    path = saved.save(first_toy(), Position(), {})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in members.items():
            if member == "first/first/dense/bias.npy":
                with archive.open(member, "w") as file:
                    np.lib.format.write_array(file, np.array([LostError()]), allow_pickle=True)
            else:
                archive.writestr(member, data)
    with pytest.raises((InputError, ValueError), match="pickle"):
        restore(saved.newest(pytest.fail), Toy())


def test_a_full_disk_loses_nothing(tmp_path):
    save_some(tmp_path, [1])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))
    try:
        with pytest.raises(
            InputError, match=r"step0*2.npz: cannot be written \(File too large\); .*step0*1.npz is kept"
        ):
            Checkpoints(tmp_path, 1).save(first_toy(), Position(steps=2), {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in tmp_path.iterdir()] == ["step000000001.npz"]
    assert Checkpoints(tmp_path, 1).newest(pytest.fail).position.steps == 1


@pytest.mark.parametrize("cut_off", [b"", b"1,", b"1,2,0.5", b"12,3"])
def test_a_table_goes_on_behind_its_checkpoint(tmp_path, cut_off):
    path = tmp_path / LOSSES
    with Table(path, 0) as table:
        for step in range(4):
            table.add({"step": step, "loss": 0.1 + step})
    written = path.read_bytes()
    path.write_bytes(written + cut_off)
    with Table(path, 3) as table:
        assert list(table.columns["loss"]) == [0.1, 1.1, 2.1]
        table.add({"step": 3, "loss": 3.1})
    assert path.read_bytes() == written
    # A new run begins a new table; a checkpoint of which the table is gone begins one, too.
    with Table(path, 0) as table:
        table.add({"step": 0, "other": 1.0})
    assert path.read_text() == "step,other\n0,1.0\n"
    path.write_text("anything\nelse")
    with Table(path, 3) as table:
        assert table.columns == {}
        table.add({"step": 3, "loss": 1.0})
    assert path.read_text() == "step,loss\n3,1.0\n"


def test_a_table_of_somebody_else_is_left_alone(tmp_path):
    path = tmp_path / LOSSES
    path.write_text("name,age\nJohn,42\n")
    with pytest.raises(InputError, match="losses.csv: not the table of an earlier start"):
        Table(path, 3)
    assert path.read_text() == "name,age\nJohn,42\n"


def test_a_table_that_cannot_be_read_or_written_is_named(tmp_path):
    path = tmp_path / LOSSES
    path.mkdir()
    with pytest.raises(InputError, match=r"losses.csv: cannot be read \(Is a directory\)"):
        Table(path, 3)
    with pytest.raises(InputError, match=r"losses.csv: cannot be written \(Is a directory\)"):
        Table(path, 0)
    path.rmdir()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(InputError, match=r"losses.csv: cannot be written \(File too large\)"), Table(path, 0) as table:
        table.add({"step": 0, "loss": 0.1})
        resource.setrlimit(resource.RLIMIT_FSIZE, (5, limits[1]))
        try:
            table.flush()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_tables_of_several_runs(tmp_path):
    for run, columns in (("plain", ("epoch", "psnr")), ("full", ("epoch", "psnr", "lpips"))):
        (tmp_path / run).mkdir()
        with Table(tmp_path / run / history.EPOCHS, 0) as table:
            table.add({name: float(len(columns)) for name in columns})
    logs = {run: tmp_path / run for run in ("plain", "full")}
    columns = read_runs(logs, history.EPOCHS)
    assert list(columns) == ["epoch", "psnr", "lpips"]
    assert list(columns["psnr"]) == ["plain", "full"]
    assert {run: list(values) for run, values in columns["lpips"].items()} == {"full": [3.0]}
    with pytest.raises(InputError, match="plain/losses.csv: not there, or empty; plain has not been trained yet"):
        read_runs(logs, LOSSES)


@pytest.mark.parametrize("broken", [(), (1, 3, 4, 6)])
def test_an_epoch_goes_on_at_any_batch_without_reading_again(mhmd, tmp_path, broken):
    samples = open_folder(mhmd / "dataset_train", ("L", "ab"))
    order = [3, 1, 4, 0, 2, 2, 4]
    for place in broken:
        (mhmd / "dataset_train" / samples.names[order[place]]).write_bytes(b"broken")

    def batches(used):
        return list(make_batches(samples, order, 2, (32, 32), lambda error: None, used))

    whole = batches(0)
    for i, before in enumerate(whole[:-1], start=1):
        rest = batches(before.end)
        assert [b.names for b in rest] == [b.names for b in whole[i:]]
        assert [b.end for b in rest] == [b.end for b in whole[i:]]
        np.testing.assert_array_equal(rest[0].fields["ab"], whole[i].fields["ab"])
    if not broken:
        shutil.rmtree(mhmd / "dataset_train")
        assert batches(len(order)) == []


@pytest.mark.slow
def test_a_run_that_is_started_again(mhmd, run, tmp_path):
    """One epoch of three steps, of which checkpoints after the second and the last are kept."""

    def start(*more, script=TRAIN):
        # The other program has no --lambda-info.
        alone = GENERATOR_ALONE if script == TRAIN else ()
        return run(script, *train_arguments(mhmd, "--save-every", 2, *alone, *more))

    assert start()[0] == 0
    losses = (tmp_path / "LOG/losses.csv").read_text()
    before, newest = sorted((tmp_path / "MODEL/checkpoints").iterdir())
    assert (before.stem, newest.stem) == ("step000000002", "step000000003")

    for dry in ([], ["--dry-run"]):
        code, out, err = start(*dry)
        assert (code, err) == (0, "")
        assert f"{newest}: this run is finished after 1 epochs; a higher --num-epochs continues it" in out
    assert f"start\n  {newest}: this run is finished" in out
    assert start("--dry-run", "--fresh")[1].endswith("start\n  a new run, in place of another\n")
    with locks.lock(tmp_path / "MODEL", ""):
        code, out, err = start("--dry-run")
        assert (code, out.splitlines()[-1]) == (2, "start")
        assert "disk space" in out
        assert err.startswith(f"error: {tmp_path}/MODEL: another process is training there")
    other = shutil.copy(tmp_path / "MODEL/my_model_colorizationEpoch0.keras", tmp_path / "other.keras")
    for option, value in (
        ("--seed", 1),
        ("--width", 0.0625),
        ("--image-size", 64),
        ("--init-generator", other),
    ):
        for dry in ([], ["--dry-run"]):
            code, _, err = start(option, value, *dry)
            assert code == 2
            assert f"{option} " in err
            assert "can change in a new run only" in err
    code, _, err = start(script="SOURCE_Parsing/HistoryNet_Parsing.py")
    assert code == 2
    assert f"{newest}: a run of SOURCE_HistoryNet; name another run" in err

    newest.write_bytes(newest.read_bytes()[:-1])
    code, _, err = start("--batch-size", 1)
    assert code == 2
    assert err.startswith(f"{newest}: a damaged checkpoint")
    assert "--batch-size 1: the run has 2, which can change between two epochs only" in err
    code, out, err = start("--dry-run", "--learning-rate", 1e-5)
    assert code == 0
    assert err.startswith(f"{newest}: a damaged checkpoint")
    assert out.endswith(
        f"start\n  continuing from {before}: epoch 0, step 2\n    changed since: LEARNING_RATE 2e-05 -> 1e-05\n"
    )
    code, out, err = start()
    assert code == 0
    assert err.startswith(f"{newest}: a damaged checkpoint")
    assert f"continuing from {before}: epoch 0, step 2" in out
    assert (tmp_path / "LOG/losses.csv").read_text() == losses
    assert Checkpoints(tmp_path / "MODEL/checkpoints", 2).newest(pytest.fail).path == newest

    newest.unlink()
    (mhmd / "dataset_train/0002.jpg").unlink()
    code, out, err = start("--num-epochs", 2, "--learning-rate", 1e-5)
    assert (code, err) == (0, "")
    assert "changed since: NUM_EPOCHS 1 -> 2\n  changed since: LEARNING_RATE 2e-05 -> 1e-05\n" in out
    assert "changed since: the training pictures; epoch 0 begins again with those of now" in out
    steps = [line.split(",")[:2] for line in (tmp_path / "LOG/losses.csv").read_text().splitlines()[1:]]
    assert steps == [["0", str(i)] for i in range(4)] + [["1", "4"], ["1", "5"]]
    starts = json.loads((tmp_path / "MODEL/run.json").read_text())
    assert [start["continues"] and start["continues"]["file"] for start in starts] == [None, before.name, before.name]
    for part in ("date", "command", "code", "versions", "device"):
        assert starts[0][part]


def settings_in(folder):
    """Settings of a training whose models go into a folder, as far as finding its start takes them."""
    return SimpleNamespace(model_dir=folder, keep_checkpoints=2, num_epochs=0, save_networks_every=1)


@pytest.mark.parametrize(
    "run", [{}, {"program": "P"}, {"program": "P", "pictures": "", "settings": None}], ids=["none", "other", "no dict"]
)
def test_a_whole_checkpoint_of_something_else_is_named(tmp_path, run):
    saved = Checkpoints(tmp_path / "checkpoints", 2)
    path = saved.save(first_toy(), Position(steps=1), run)
    mine = {"program": "P", "settings": {}, "pictures": "", "engine": "jax"}
    with pytest.raises(InputError, match=f"^{path}: not a checkpoint of a training run"):
        runs.find_start(saved, settings_in(tmp_path), mine, fresh=False)
    assert runs.find_start(saved, settings_in(tmp_path), mine, fresh=True).checkpoint is None


@pytest.mark.parametrize(
    ("engine", "notes"), [("jax", []), ("tensorflow", ["changed since: the engine tensorflow -> jax"])]
)
def test_another_engine_is_named(tmp_path, monkeypatch, engine, notes):
    """Also where no setting says so: KERAS_BACKEND does. Older checkpoints do not know theirs."""
    saved, run = Checkpoints(tmp_path / "checkpoints", 2), {"program": "P", "settings": {}, "pictures": ""}
    saved.save(first_toy(), Position(steps=1), run | {"engine": engine})
    monkeypatch.setattr(runs, "changes", lambda *_, **__: {})
    settings, mine = settings_in(tmp_path), run | {"engine": "jax"}
    assert runs.find_start(saved, settings, mine, fresh=False).notes == notes
    saved.save(first_toy(), Position(steps=2), run)
    assert runs.find_start(saved, settings, mine, fresh=False).notes == []


def test_damaged_checkpoints_make_no_room(tmp_path):
    """They are renamed, not replaced: what they take is not there for the next ones."""
    toy, folder = first_toy(), tmp_path / "checkpoints"
    save_some(folder, [1, 2])
    whole, newest = (folder / f"step00000000{i}.npz" for i in (1, 2))
    newest.write_bytes(newest.read_bytes()[:-1])
    saved = Checkpoints(folder, 2)
    assert saved.newest(lambda message: None).path == whole
    assert runs.disk_space(settings_in(tmp_path), toy, saved).existing == whole.stat().st_size


def test_a_checkpoint_that_goes_while_space_is_counted_takes_none(tmp_path, monkeypatch):
    """A training runs beside it, where no locks are known, or has just begun."""
    save_some(tmp_path / "checkpoints", [1, 2])
    saved = Checkpoints(tmp_path / "checkpoints", 2)
    paths = saved.paths()
    monkeypatch.setattr(saved, "paths", lambda: paths)
    paths[1].unlink()
    assert runs.disk_space(settings_in(tmp_path), first_toy(), saved).existing == paths[0].stat().st_size


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_what_a_run_could_not_write_is_said_before_networks_are_made(mhmd, run, tmp_path, dry):
    (tmp_path / "MODEL").mkdir()
    (tmp_path / "MODEL/run.json").write_text("{")
    code, _, err = run(TRAIN, *train_arguments(mhmd, *dry))
    assert (code, err) == (2, f"error: {tmp_path}/MODEL/run.json: not the record of earlier starts; move it away\n")
    (tmp_path / "MODEL/run.json").unlink()
    (tmp_path / "MODEL/checkpoints").touch()
    code, _, err = run(TRAIN, *train_arguments(mhmd, *dry))
    assert (code, err.count("MODEL/checkpoints is no folder")) == (2, 1)


def test_two_processes_cannot_train_in_one_folder(mhmd, run, tmp_path):
    with runs.lock(tmp_path / "MODEL"):
        code, _, err = run(TRAIN, *train_arguments(mhmd))
    assert code == 2
    assert "MODEL: another process is training there" in err


def test_a_run_that_cannot_fit_is_refused(mhmd, run, monkeypatch, tmp_path):
    usage = shutil.disk_usage(tmp_path)._replace(free=2_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    code, out, _ = run(TRAIN, *train_arguments(mhmd, "--dry-run", "--num-epochs", 9))
    assert code == 0
    assert "not enough" in out
    code, _, err = run(TRAIN, *train_arguments(mhmd, "--num-epochs", 9))
    assert code == 2
    assert "GB are needed there" in err.splitlines()[-1]
    assert not list((tmp_path / "MODEL").iterdir())


@pytest.mark.slow
def test_killed_and_continued(tmp_path):
    assert kill_and_continue(tmp_path, kills=2, seed=1)
