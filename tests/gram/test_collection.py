"""A folder of kernel folders, asked by what they hold."""

import contextlib
import threading
import time

import numpy as np
import pytest
import toy_engine

from ntkreg import compute_gram, fully_connected
from ntkreg.errors import StoreMismatchError
from ntkreg.gram import gram_in_store
from ntkreg.gram import hold as hold_module
from ntkreg.gram.collection import kernel_folders
from ntkreg.kernels import KernelSpec

X = np.random.default_rng(0).standard_normal((19, 3))
WANTED = (X[:, None] * X[None]).sum(axis=2)


@pytest.fixture(autouse=True)
def _toy(monkeypatch):
    toy_engine.install(monkeypatch.setattr)


@pytest.mark.parametrize("depths", [None, (2,), (3, 1)])
def test_rows_of_some_of_several_networks_are_read_by_bands_of_tiles(tmp_path, depths):
    compute_gram(fully_connected(3), X, folder=tmp_path / "K", tile=8, depths=(1, 2, 3))
    spec = KernelSpec(fully_connected(3), depths=depths)
    values = gram_in_store(spec, X, store=tmp_path)["ntk"]
    assert len(kernel_folders(tmp_path, "test")) == 1
    for rows in (slice(None), slice(3, 17), slice(8, 16), slice(18, None), slice(5, 5)):
        shape = (() if depths is None else (len(depths),)) + WANTED[rows].shape
        assert np.array_equal(values.read(rows), np.broadcast_to(WANTED[rows], shape))


def test_a_lone_network_serves_one_variant(tmp_path):
    compute_gram(fully_connected(2), X, folder=tmp_path / "K", tile=8)
    spec = KernelSpec(fully_connected(5), depths=(2,))
    assert gram_in_store(spec, X, store=tmp_path)["ntk"].read(slice(2, 11)).shape == (1, 9, 19)
    assert len(kernel_folders(tmp_path, "test")) == 1


def test_other_inputs_and_networks_are_others(tmp_path):
    for network, inputs in (
        (fully_connected(2), X),
        (fully_connected(3), X),
        (fully_connected(2), X[:9]),
    ):
        for _ in range(2):
            gram_in_store(KernelSpec(network), inputs, store=tmp_path)
    gram_in_store(KernelSpec(fully_connected(2), get="nngp"), X, store=tmp_path)
    assert len(kernel_folders(tmp_path, "test")) == 4
    with pytest.raises(FileNotFoundError, match="test: there is no kernel folder at"):
        kernel_folders(tmp_path / "none", "test")


@pytest.mark.parametrize("patience", [0.05, 10.0])
def test_who_waits_long_for_another_process_is_told(tmp_path, monkeypatch, patience):
    monkeypatch.setattr(hold_module, "_PATIENCE", patience)
    held = contextlib.ExitStack()
    held.enter_context(hold_module.hold(tmp_path))
    threading.Timer(0.3, held.close).start()
    told = pytest.warns(RuntimeWarning, match=f"waiting for another process, .* {tmp_path}")
    began = time.monotonic()
    with told if patience < 1 else contextlib.nullcontext():  # a warning is an error elsewhere
        stack = contextlib.ExitStack()
        stack.enter_context(hold_module.hold(tmp_path, wait=True))
    assert time.monotonic() - began > 0.2
    stack.close()


def test_what_other_programs_call_a_manifest_is_left_alone(tmp_path):
    for place in (tmp_path, tmp_path / "page"):
        place.mkdir(exist_ok=True)
        (place / "manifest.json").write_text('{"name": "a web page", "icons": []}')
    spec = KernelSpec(fully_connected(2))
    for _ in range(2):
        assert np.array_equal(gram_in_store(spec, X, store=tmp_path)["ntk"].read(), WANTED)
    (kept,) = kernel_folders(tmp_path, "test")
    # One of a later version, or damaged, may be a kernel of hours: nothing is computed beside it.
    for text in ('{"format": "ntkreg kernel, 2"}', '{"format": "ntkr'):
        (kept / "manifest.json").write_text(text)
        with pytest.raises(StoreMismatchError, match=r"not (the manifest|sound JSON)"):
            gram_in_store(spec, X, store=tmp_path)
