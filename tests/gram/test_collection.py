"""A folder of kernel folders, asked by what they hold."""

import numpy as np
import pytest
import toy_engine

from ntkreg import compute_gram, fully_connected
from ntkreg.errors import StoreMismatchError
from ntkreg.gram import gram_in_store
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
