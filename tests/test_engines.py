"""One engine against the other: updates and checkpoints. The other one computes in processes of its own."""

import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import GENERATOR_ALONE, ROOT, make_mhmd, run_here, train_arguments
from test_step import make_batch, make_system

from benchmarks.reference import with_alpha
from historynet.training.engine import Step

ENGINE = keras.backend.backend()
OTHER = {"tensorflow": "jax", "jax": "tensorflow"}[ENGINE]
SCRIPT = "SOURCE_HistoryNet/HistoryNet.py"

pytestmark = pytest.mark.engines


def on_the_other(*command, **environment):
    """Runs Python in a process of its own, on the other engine."""
    result = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=Path(__file__).parent,
        env=os.environ | {"KERAS_BACKEND": OTHER, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def three_updates(weights, precision, **lambdas):
    """Losses of three updates of all networks of a small HistoryNet, the penalty's random numbers given.

    Args:
        weights: file of the networks' initial weights, which is written if it is not there.
        precision: Keras' floatx.
        lambdas: weights of losses.
    """
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(precision)
    keras.config.set_dtype_policy(precision)
    try:
        system = make_system(learning_rate=2e-5, **lambdas)
        networks = list(system.networks.values())
        if not Path(weights).exists():
            np.savez(weights, *[value for network in networks for value in network.get_weights()])
        with np.load(weights) as arrays:
            values = iter([arrays[f"arr_{i}"] for i in range(len(arrays.files))])
        for network in networks:
            network.set_weights([next(values) for _ in network.weights])
        system.phases = with_alpha(system.phases, np.linspace(0, 1, 4).reshape(4, 1, 1, 1))
        step = Step(system, seed=0)
        batch = {name: value.astype(precision) for name, value in make_batch(4).items()}
        batches = [{name: np.roll(value, shift, axis=0) for name, value in batch.items()} for shift in range(3)]
        return [step(fields, i) for i, fields in enumerate(batches)]
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "lambdas"),
    [
        ("float32", {"L_info": 0.0}),
        # In float32 L_info, which has nearly a pole, differs by up to 1e-3 after any other order of summation.
        pytest.param("float64", {}, marks=pytest.mark.skipif(ENGINE == "jax", reason="JAX is started without float64")),
    ],
)
def test_three_updates_give_the_other_engines_losses(tmp_path, precision, lambdas):
    weights = tmp_path / "weights.npz"
    ours = three_updates(weights, precision, **lambdas)
    call = f"test_engines.three_updates({str(weights)!r}, {precision!r}, **{lambdas})"
    code = f"import json, test_engines; print(json.dumps({call}))"
    x64 = {"JAX_ENABLE_X64": "1"} if precision == "float64" else {}
    theirs = json.loads(on_the_other("-c", code, **x64).splitlines()[-1])
    assert [list(losses) for losses in theirs] == [list(losses) for losses in ours]
    for one, other in zip(ours, theirs, strict=True):
        print({name: f"{abs(one[name] - other[name]) / abs(one[name]):.1e}" for name in one})
    for one, other in zip(ours, theirs, strict=True):
        assert one == pytest.approx(other, rel=1e-4)


def losses(folder):
    with (folder / "LOG/losses.csv").open() as table:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(table)]


@pytest.mark.slow
def test_a_training_goes_on_with_the_other_engine_and_back(tmp_path):
    """An epoch, then one by the other engine, then one: the losses of three that this engine trained."""
    here, changing = tmp_path / "here", tmp_path / "changing"
    arguments = [*train_arguments(make_mhmd(here / "DATASET")), *GENERATOR_ALONE, "--gpu-id", "cpu"]
    assert run_here(SCRIPT, *arguments) == 0
    shutil.copytree(here, changing)
    assert run_here(SCRIPT, *arguments, "--num-epochs", 3) == 0
    arguments = [str(argument).replace(str(here), str(changing)) for argument in arguments]
    said = on_the_other(ROOT / SCRIPT, *arguments, "--num-epochs", 2, "--backend", OTHER)
    assert "continuing from" in said
    assert run_here(SCRIPT, *arguments, "--num-epochs", 3) == 0
    one, other = losses(here), losses(changing)
    assert len(one) == len(other) == 9
    print([f"{max(abs(a[k] - b[k]) / abs(a[k] or 1) for k in a):.1e}" for a, b in zip(one, other, strict=True)])
    for a, b in zip(one, other, strict=True):
        assert a == pytest.approx(b, rel=1e-4)


@pytest.mark.skipif(ENGINE == "jax", reason="this process runs on JAX: make test-jax runs all of these tests")
def test_the_step_on_jax():
    """The cheap tests of the step, under JAX."""
    chosen = (
        "toy or another_width or never_heard or not_finite or scaled or an_overflow or no_loss_reaches "
        "or was_lost_goes_on"
    )
    files = ["test_step.py", "test_checkpoints.py"]
    said = on_the_other("-m", "pytest", "-q", "-p", "no:cacheprovider", *files, "-k", chosen)
    assert "passed" in said
    assert "failed" not in said


WORKER = """
import sys, time
from historynet import backend, errors
print(backend.start("cpu", strategy="multiworker", engine="jax"), flush=True)
from historynet.training.jax_devices import Workers
workers = Workers()
try:
    for number in range(int(sys.argv[1])):
        assert workers.exchange([number, 2**40]).tolist() == [[number, 2**40]] * 2
        print("together", flush=True)
        time.sleep(0.02)
except errors.WorkerLostError as error:
    print(error, flush=True)
    sys.exit(error.exit_code)
"""


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1, None], ids=["the chief", "the other one", "none"])
def test_a_worker_on_jax_whose_fellow_is_killed_ends(killed):
    """JAX's own thread aborts the process if the chief, which has JAX's service, is lost: maybe before our words."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    workers = []
    for index in range(2):
        cluster = {"worker": [f"127.0.0.1:{port}", "127.0.0.1:1"]}
        environment = {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})}
        environment |= {"JAX_COORDINATOR_BIND_ADDRESS": f"127.0.0.1:{port}", "KERAS_BACKEND": "jax"}
        workers.append(
            subprocess.Popen(
                [sys.executable, "-c", WORKER, "9" if killed is None else "1000000"],
                env=os.environ | {"PYTHONPATH": str(ROOT), **environment},
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    try:
        for worker in workers:
            assert any(line == "together\n" for line in worker.stdout)
        if killed is None:
            for worker in workers:
                worker.communicate(timeout=100)
            assert [worker.returncode for worker in workers] == [0, 0]
            return
        workers[killed].kill()
        said, _ = workers[1 - killed].communicate(timeout=100)
        code = workers[1 - killed].returncode
        assert code == 5 or (killed == 0 and code == -signal.SIGABRT)
        if code == 5:
            assert "another worker has ended" in said.splitlines()[-1]
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
