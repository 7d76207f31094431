"""`CudaPairs` on the emulated card: what it computes, says and refuses."""

import json
import os
import signal
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from agreement import assert_agrees, tolerance
from backend_conformance import SHAPE, BackendConformance
from emulated_cupy import COMPILER, NO_COMPILER, EmulatedCupy

from ntkreg import NTKClassifier, cntk, compute_gram, kernel, plan_gram
from ntkreg.architecture import Architecture, Conv, GlobalAvgPool, Relu
from ntkreg.errors import BackendError, PlanError, SpecError
from ntkreg.kernels import make_engine
from ntkreg.kernels.image_cuda import cards
from ntkreg.kernels.image_cuda.pairs import CudaPairs
from ntkreg.studies.few_samples.study import FewSamplesConfig, run_few_samples

NET = cntk(2)
X = np.random.default_rng(0).normal(size=(12, *SHAPE)).astype(np.float32)


def on(monkeypatch, cupy):
    """Put a module in CuPy's place."""
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    cards._cards.cache_clear()
    cards._used.clear()
    monkeypatch.setattr(cards, "_used", set())
    return cupy


@pytest.fixture
def folder(request, tmp_path_factory):
    """Where compiled programs are kept from run to run."""
    cache = getattr(request.config, "cache", None)
    return cache.mkdir("cuda") if cache else tmp_path_factory.getbasetemp()


@pytest.fixture
def card(monkeypatch, folder):
    if COMPILER is None:
        pytest.skip(NO_COMPILER)
    yield on(monkeypatch, EmulatedCupy(folder))
    cards._cards.cache_clear()


@pytest.mark.slow
class TestCuda(BackendConformance):
    backend, dtype, rtol = "cuda", "float32", 2e-5

    @pytest.fixture(autouse=True)
    def _card(self, card):
        pass


def test_values_have_the_same_bits_in_any_block_and_for_any_number_of_warps(
    card, monkeypatch, folder
):
    engine = make_engine(NET, SHAPE, dtype="mixed", backend="cuda")
    whole = engine.cross(X, X[:9])
    part = engine.cross(X[3:5], X[7:8])
    np.testing.assert_array_equal(part, whole[..., 3:5, 7:8])
    K = engine.symmetric(X)
    np.testing.assert_array_equal(K[..., 2, 5], whole[..., 2, 5])
    on(monkeypatch, EmulatedCupy(folder, warps=4))
    four = make_engine(NET, SHAPE, dtype="mixed", backend="cuda")
    np.testing.assert_array_equal(four.cross(X[:2], X[:3]), whole[..., :2, :3])


def test_black_images_have_exact_zeros_and_equal_ones_equal_values(card):
    A = X[:4].copy()
    A[0] = 0
    A[1, :, 1:] = 0  # whole windows without variance
    A[3] = A[2]
    compiled = make_engine(NET, SHAPE, dtype="mixed")
    wanted, rows = compiled.symmetric(A)[:, 0], compiled.diagonal(A)[:, 0]
    K = make_engine(NET, SHAPE, dtype="mixed", backend="cuda").cross(A, A.copy())[:, 0]
    assert not K[:, 0].any()
    assert not K[:, :, 0].any()
    np.testing.assert_allclose(K[:, 2, 3], rows[:, 2], rtol=1e-5)
    assert_agrees(K, wanted, rows, rows, tolerance(np.float32, gap=0.0, depth=2))


def test_grams_estimators_and_folders_take_it(card, tmp_path):
    y = np.arange(12) % 2
    model, plain = (NTKClassifier(NET, backend=b).fit(X, y) for b in ("cuda", None))
    got, wanted = model.decision_function(X[:3]), plain.decision_function(X[:3])
    np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-3)
    stored = compute_gram(NET, X, backend="cuda", folder=tmp_path)
    assert stored.engine == "CudaImageEngine(Emulated)"
    (tmp_path / "tiles.txt").write_text("")  # as if killed before the first tile was done
    again = compute_gram(NET, X, backend="cuda", folder=tmp_path)
    inside = kernel(NET, X, backend="cuda", n_jobs=2)
    np.testing.assert_array_equal(np.asarray(again.values["ntk"]), inside)


def test_float64_is_refused_with_what_runs_it(card):
    with pytest.raises(SpecError, match=r'float32; got float64.*"mixed".*backend="jax"'):
        kernel(NET, X.astype(float), backend="cuda")


@pytest.mark.parametrize(
    ("layers", "shape", "what"),
    [
        ((Conv(), Relu()), (33, 8, 1), r"up to 32 x 32 pixels.*got 33"),
        ((Conv(stride=3), Relu()), (32, 8, 1), r"filled up to 33"),
    ],
)
def test_images_too_large_for_a_warp_are_refused_with_what_runs_them(card, layers, shape, what):
    network = Architecture((*layers, GlobalAvgPool()))
    with pytest.raises(SpecError, match=what + r'.*Use backend="jax"'):
        make_engine(network, shape, dtype="float32", backend="cuda").explain()


def test_plans_explain_the_source_even_without_a_card(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    cards._cards.cache_clear()
    plan = plan_gram(NET, X, backend="cuda")
    assert plan.engine == "CudaImageEngine(no card)"
    assert "KERNEL image_pairs" in plan.program
    assert "POSITIVE_RELU" in plan.program
    assert "S, T: sums over 3 x 3" in plan.program
    assert plan.seconds is None
    assert 'pip install "ntkreg[cuda]"' in str(plan)


def test_no_cupy_no_card_and_a_forked_process_are_said(monkeypatch, tmp_path):
    engine = make_engine(NET, SHAPE, dtype="float32", backend="cuda")
    monkeypatch.setitem(sys.modules, "cupy", None)
    cards._cards.cache_clear()
    with pytest.raises(BackendError, match=r'needs the package cupy.*"ntkreg\[cuda\]"'):
        engine.cross(X[:1], X[:1])
    on(monkeypatch, EmulatedCupy(tmp_path, devices=0))
    with pytest.raises(BackendError, match=r'finds no card.*backend="jax" or None'):
        engine.cross(X[:1], X[:1])
    on(monkeypatch, EmulatedCupy(tmp_path))
    cards._used.add(os.getpid() + 1)
    with pytest.raises(BackendError, match=r"forked.*spawn"):
        engine.cross(X[:1], X[:1])
    cards._cards.cache_clear()


def test_a_card_without_room_is_said(card):
    card.free = 1000
    with pytest.raises(PlanError, match=r"needs .* of memory on Emulated \(card 0\), 800 B can be"):
        kernel(NET, X, backend="cuda")


def test_what_would_spill_is_compiled_for_fewer_warps_to_the_same_bits(card):
    wanted = make_engine(NET, SHAPE, dtype="float32", backend="cuda").cross(X[:2], X[2:4])
    cards._cards.cache_clear()
    asked = []

    def spilled(code):
        asked.append(int(code.split("#define BLOCKS ")[1].split()[0]))
        return 24 if len(asked) == 1 else 0

    card.spilled = spilled
    engine = make_engine(NET, SHAPE, dtype="float32", backend="cuda")
    np.testing.assert_array_equal(engine.cross(X[:2], X[2:4]), wanted)
    np.testing.assert_array_equal(engine.cross(X[:2], X[2:4]), wanted)
    assert asked[0] == 2 * asked[1]
    assert len(asked) == 2  # and kept


def test_a_card_that_fails_in_the_middle_is_said_and_finished_tiles_are_kept(
    card, tmp_path, monkeypatch
):
    monkeypatch.setattr(CudaPairs, "block", 4)
    failures = {
        card.cuda.memory.OutOfMemoryError: (PlanError, r"needs .* of memory on Emulated"),
        card.cuda.runtime.CUDARuntimeError: (BackendError, r"Emulated \(card 0\) says: gone"),
    }
    wanted = kernel(NET, X, backend="cuda")
    for k, (failure, (error, said)) in enumerate(failures.items()):
        launches = []

        def fail(failure=failure, launches=launches):
            launches.append(1)
            if len(launches) > 2:
                raise failure("gone")

        folder, card.before_launch = tmp_path / str(k), fail
        with pytest.raises(error, match=said):
            compute_gram(NET, X, backend="cuda", folder=folder, tile=4, n_jobs=1)
        done = (folder / "tiles.txt").read_text().count("\n")
        assert done >= 1
        card.before_launch = lambda: None
        before = len(card.launched)
        again = compute_gram(NET, X, backend="cuda", folder=folder, tile=4, n_jobs=1)
        np.testing.assert_array_equal(np.asarray(again.values["ntk"]), wanted)
        assert len(card.launched) - before < 6  # of six tiles, those that were done are not again


def test_a_compilers_library_that_is_missing_is_said(card):
    def missing(code):
        raise RuntimeError("failed to load libnvrtc.so")

    card.spilled = missing
    engine = make_engine(NET, SHAPE, dtype="float32", backend="cuda")
    with pytest.raises(BackendError, match=r'libnvrtc.*backend="jax" or None'):
        engine.cross(X[:1], X[:1])


def test_two_cards_of_one_kind_take_blocks_by_their_place(card, monkeypatch, folder):
    wanted = kernel(NET, X, backend="cuda")
    two = on(monkeypatch, EmulatedCupy(folder, devices=2))
    engine = make_engine(NET, SHAPE, dtype="float32", backend="cuda")
    monkeypatch.setattr(type(engine.pairs), "block", 4)
    np.testing.assert_array_equal(kernel(NET, X, backend="cuda", n_jobs=2), wanted)
    assert set(two.launched) == {0, 1}


def test_a_card_is_one_threads_at_a_time_and_idle_when_left(card):
    at_once, most = [], []

    def launch():
        at_once.append(1)
        most.append(len(at_once))
        time.sleep(0.05)
        at_once.pop()

    card.before_launch = launch
    engine = make_engine(NET, SHAPE, dtype="float32", backend="cuda")
    threads = [threading.Thread(target=engine.cross, args=(X[:1], X[:1])) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1]
    assert card.synchronized == 3


def test_ctrl_c_waits_for_the_card_and_lets_it_go(card):
    engine = make_engine(NET, SHAPE, dtype="float32", backend="cuda")
    card.before_launch = lambda: signal.raise_signal(signal.SIGINT)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in background jobs
    try:
        with pytest.raises(KeyboardInterrupt):
            engine.cross(X[:1], X[:1])
    finally:
        signal.signal(signal.SIGINT, before)
    assert card.synchronized == 1
    card.before_launch = lambda: None
    assert np.isfinite(engine.cross(X[:1], X[:1])).all()  # nothing holds it


def test_the_lock_is_held_against_other_processes(card, tmp_path, monkeypatch):
    import fcntl
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen = []

    def launch():
        (path,) = tmp_path.glob("ntkreg-*.lock")
        with path.open() as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        seen.append(path)

    card.before_launch = launch
    make_engine(NET, SHAPE, dtype="float32", backend="cuda").cross(X[:1], X[:1])
    assert seen


STRIDED = Architecture((Conv(3, stride=2), Relu(), Conv(), Relu(), GlobalAvgPool()))


@pytest.mark.parametrize("network", [NET, STRIDED], ids=["whole", "filled up"])
def test_tables_that_find_no_room_lie_once_or_afar_to_the_same_bits(
    network, monkeypatch, folder, card
):
    results, places = [], []
    for capacity in (232448, 1700, 1200):
        on(monkeypatch, EmulatedCupy(folder, capacity=capacity))
        engine = make_engine(network, SHAPE, dtype="mixed", backend="cuda")
        program = engine.pairs.card_program(SHAPE[2], cards.cards()[0])
        results.append(engine.cross(X[:2], X[2:5]))
        places.append((program.copies, all(item.near for item in program.items)))
    assert places == [(2, True), (1, True), (1, False)]
    assert all(np.array_equal(results[0], other) for other in results)


def test_the_few_samples_study_takes_it(card, tmp_path):
    rng, images = np.random.default_rng(1), {}
    for part, n in (("train", 12), ("test", 8)):
        images[f"y_{part}"] = np.arange(n) % 2
        bright = 90 * images[f"y_{part}"][:, None, None, None]
        images[f"x_{part}"] = (rng.integers(0, 160, size=(n, *SHAPE)) + bright).astype(np.uint8)
    np.savez(tmp_path / "halves.npz", **images)
    network = {"recipe": "cntk", "depth": 2, "readout": "gap"}
    config = FewSamplesConfig(
        str(tmp_path / "halves.npz"), network, depths=(1, 2), pool=8, n_test=6, n_samples=(4,),
        n_draws=2, alpha=1e-2, dtype="float32",
    )  # fmt: skip
    for backend in (None, "cuda"):
        run_few_samples(replace(config, backend=backend), tmp_path / str(backend))
    manifests = [json.loads(p.read_text()) for p in (tmp_path / "cuda").rglob("manifest.json")]
    assert {m["engine"] for m in manifests} == {"CudaImageEngine(Emulated)"}
    here, there = (pd.read_csv(tmp_path / name / "rows.csv") for name in ("None", "cuda"))
    pd.testing.assert_frame_equal(here, there)
