"""Interrupted training goes on to the same bits, and never on another run's checkpoint."""

import jax
import numpy as np
import pytest

from ntkreg import fully_connected
from ntkreg.errors import DataError, StoreMismatchError
from ntkreg.finite import LayerNorms, ObserveLoss, ObserveOutputs, Training, finite_network, train
from ntkreg.finite import training as training_module
from ntkreg.finite.checkpoint import Checkpoint

RNG = np.random.default_rng(0)
X = RNG.normal(size=(7, 3))
Y = RNG.normal(size=(7, 1))
NETWORK = finite_network(fully_connected(1, bias_std=0.2), (3,), width=4)
ADAM = Training(0.05, 40, "adam", batch_size=2)
OBSERVE_AT = (0, 5, 17, 40)


class Interrupt:
    """Observes nothing, and presses Ctrl-C once the run has come to a step."""

    __qualname__ = "harmless"

    def __init__(self, step=None):
        self.step = step

    def __call__(self, snapshot):
        if snapshot.step == self.step:
            raise KeyboardInterrupt
        return np.zeros(())


def go(path=None, step=None, *, network=NETWORK, training=ADAM, data=(X, Y), **options):
    watch = {"loss": ObserveLoss(), "f": ObserveOutputs(X), "stop": Interrupt(step)}
    settings = {"seeds": (0, 3), "observers": watch, "observe_at": OBSERVE_AT, **options}
    return train(network, training, *data, checkpoint=path, **settings)


def assert_same_bits(got, wanted):
    for a, b in zip(jax.tree.leaves(got.params), jax.tree.leaves(wanted.params), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    assert got.observed.keys() == wanted.observed.keys()
    for name, values in wanted.observed.items():
        assert got.observed[name].dtype == values.dtype
        np.testing.assert_array_equal(got.observed[name], values)
    np.testing.assert_array_equal(got.steps, wanted.steps)


@pytest.mark.parametrize(
    ("training", "dtype"),
    [(ADAM, np.float32), (Training(0.05, 40, "nesterov"), np.float64)],
    ids=["adam, batches, float32", "nesterov, float64"],
)
def test_a_run_interrupted_twice_ends_in_the_bits_of_an_uninterrupted_one(
    tmp_path, training, dtype
):
    path = tmp_path / "deep" / "run.npz"
    wanted = go(training=training, dtype=dtype)
    for step in (5, 17):
        with pytest.raises(KeyboardInterrupt):
            go(path, step, training=training, dtype=dtype)
        assert [f.name for f in path.parent.iterdir()] == ["run.npz"]
        # Ctrl-C came before that step's observation; everything before it is there.
        assert np.load(path)["step"] == step
        assert len(np.load(path)["observed_loss"]) == OBSERVE_AT.index(step)
    assert_same_bits(go(path, training=training, dtype=dtype), wanted)


def test_bits_do_not_depend_on_where_calls_and_checkpoints_fall(tmp_path, monkeypatch):
    wanted = go()
    monkeypatch.setattr(training_module, "_SAVE_SECONDS", 0.0)
    monkeypatch.setattr(training_module, "_CALL_SECONDS", 0.0)  # every call is one step
    assert_same_bits(go(tmp_path / "run.npz"), wanted)


def test_a_finished_run_is_read_and_not_trained_again(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    wanted = go(path)
    monkeypatch.setattr(training_module.ReadyRun, "advance", None)
    assert_same_bits(go(path), wanted)


def test_a_failed_write_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    with pytest.raises(KeyboardInterrupt):
        go(path, 17)
    before = path.read_bytes()

    def full_disk(*args, **kwargs):
        args[0].write(b"half a file")
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full_disk)
        with pytest.raises(OSError, match="no space left"):
            go(path)
    assert path.read_bytes() == before
    assert_same_bits(go(path), go())


OTHERS = {
    "n_steps": ({"training": Training(0.05, 50, "adam", batch_size=2)}, "40, asked 50"),
    "learning_rate": ({"training": Training(0.1, 40, "adam", batch_size=2)}, "0.05, asked 0.1"),
    "options.b1": (
        {"training": Training(0.05, 40, "adam", batch_size=2, options={"b1": 0.5})},
        "0.9, asked 0.5",
    ),
    "network": (
        {"network": finite_network(fully_connected(1, bias_std=0.2), (3,), width=5)},
        "'.*', asked '.*'",
    ),
    "data": ({"data": (X, -Y)}, "'.*', asked '.*'"),
    "seeds": ({"seeds": (0, 4)}, r"\[0, 3\], asked \[0, 4\]"),
    "dtype": ({"dtype": float}, "'float32', asked 'float64'"),
    "params": ({"params": NETWORK.init_seeds((8, 9))}, "'drawn from the seeds', asked '.*'"),
    "observe_at": ({"observe_at": (0, 40)}, r"\[0, 5, 17, 40\], asked \[0, 40\]"),
    "observers.norms": ({"observers": {"norms": LayerNorms()}}, "None, asked '.*'"),
    "observers.f": (
        {"observers": {"loss": ObserveLoss(), "f": ObserveOutputs(-X), "stop": Interrupt()}},
        "'.*', asked '.*'",
    ),
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "run.npz"
    with pytest.raises(KeyboardInterrupt):
        go(path, 5)
    return path


@pytest.mark.parametrize("key", OTHERS)
def test_the_checkpoint_of_another_run_is_refused_naming_what_differs(stored, key):
    options, values = OTHERS[key]
    with pytest.raises(StoreMismatchError, match=rf"{key}: stored {values}") as error:
        go(stored, **options)
    assert "is the checkpoint of another run" in str(error.value)
    if key != "dtype":  # changes the bits of the data too
        assert str(error.value).count("stored") <= 4


def test_what_is_no_checkpoint_is_refused(stored, tmp_path):
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(stored.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"not a sound .npz archive"):
        go(damaged)
    other = tmp_path / "other.npz"
    np.savez(other, x_train=X)
    with pytest.raises(DataError, match="no array named config, step"):
        go(other)
    with pytest.raises(DataError, match="is a folder"):
        go(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config": np.array("[" * 100_000)}, "nested too deeply"),
        ({"config": np.array("[1]")}, "is no checkpoint"),
        ({"config": np.array('{"a": 1, "a": 1}')}, "given twice"),
        ({"config": np.zeros(3)}, "not sound JSON"),
        ({"step": np.array(-1)}, "step must be one integer"),
        ({"step": np.array([1, 2])}, "step must be one integer"),
        ({"step": np.array("x")}, "step must be one integer"),
        ({"step": np.array(1.5)}, "step must be one integer"),
        ({"trained_0": np.zeros((2, 2))}, "trained_0 must be float32 of shape"),
        ({"trained_0": np.array("x")}, "trained_0 must be float32 of shape"),
        ({"optimizer_0": np.zeros(7, complex)}, "optimizer_0 must be"),
    ],
)
def test_a_tampered_checkpoint_says_which_entry_and_what_to_do(stored, tmp_path, change, message):
    path = tmp_path / "run.npz"
    with np.load(stored) as found:
        np.savez(path, **{**found, **change})
    with pytest.raises(DataError, match=rf"run\.npz.*{message}.*delete this file"):
        go(path)


def test_a_planted_link_is_not_read_and_its_target_left_alone(stored, tmp_path):
    path = tmp_path / "run.npz"
    path.symlink_to(stored)
    before = stored.read_bytes()
    with pytest.raises(DataError, match="a symbolic link"):
        go(path)
    assert stored.read_bytes() == before


def test_a_checkpoint_that_lists_very_many_seeds_is_read_again(tmp_path):
    config = {"format": "x", "seeds": list(range(200_000))}
    state = training_module.State(3, [np.ones(2)], [np.zeros(2)], {})
    Checkpoint(tmp_path / "run.npz", config).save(state)
    assert Checkpoint(tmp_path / "run.npz", config).load(state).step == 3
    with pytest.raises(StoreMismatchError, match="seeds"):
        Checkpoint(tmp_path / "run.npz", {**config, "seeds": list(range(199_999))}).load(state)


def test_a_link_that_leads_nowhere_yet_is_not_written_through(tmp_path):
    link = tmp_path / "run.npz"
    link.symlink_to(tmp_path / "elsewhere.npz")
    with pytest.raises(DataError, match="a symbolic link"):
        go(link)
    assert [p.name for p in tmp_path.iterdir()] == ["run.npz"]
