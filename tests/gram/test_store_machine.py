"""A folder that one machine has begun, and another is asked to go on with."""

import importlib.metadata
import json
import re

import numpy as np
import pytest
import toy_engine

from ntkreg import compute_gram, fully_connected
from ntkreg.errors import SpecError, StoreMismatchError
from ntkreg.gram import manifest as manifest_module
from ntkreg.machine import this_machine

X = np.random.default_rng(0).standard_normal((19, 3))
NET = fully_connected(depth=2)
OTHER = {"cpu": "skylake-avx512", "vectors": "avx2 avx512f", "blas": "openblas 0.3 SkylakeX"}


@pytest.fixture(autouse=True)
def _toy(monkeypatch):
    toy_engine.install(monkeypatch.setattr)


@pytest.fixture
def folder(tmp_path):
    compute_gram(NET, X, folder=tmp_path / "K", tile=8)
    return tmp_path / "K"


def _manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


def _halve(folder):
    lines = (folder / "tiles.txt").read_text().splitlines(keepends=True)
    (folder / "tiles.txt").write_text("".join(lines[:3]))


def test_a_machine_is_its_cpu_its_vectors_and_the_blas_of_numpy():
    machine = this_machine()
    assert set(machine) == {"cpu", "vectors", "blas"}
    import scipy.linalg  # noqa: F401 - brings a BLAS of its own

    assert this_machine() == machine
    assert len(machine["blas"].split(",")) == 1
    assert re.fullmatch(r"[a-z0-9.+ -]+", machine["vectors"])


def test_the_cpu_is_the_one_that_numba_compiles_for(monkeypatch):
    from numba.core.registry import cpu_target

    codegen = type(cpu_target.target_context.codegen())
    other = ("x86_64", "nehalem", "+sse4.2,-avx,+popcnt,+sse")
    monkeypatch.setattr(codegen, "magic_tuple", lambda self: other)
    assert this_machine()["cpu"] == "nehalem"
    assert this_machine()["vectors"] == "sse sse4.2"


def test_another_machine_reads_a_complete_folder(folder, monkeypatch):
    monkeypatch.setattr(manifest_module, "this_machine", lambda: OTHER)
    before = (folder / "manifest.json").read_bytes()
    for asked in (False, True):
        compute_gram(NET, X, folder=folder, other_machine=asked)
    assert (folder / "manifest.json").read_bytes() == before


@pytest.mark.parametrize("key", ["cpu", "vectors", "blas"])
def test_another_machine_goes_on_only_when_asked(folder, monkeypatch, key):
    _halve(folder)
    mine = _manifest(folder)["machine"]
    other = {**mine, key: OTHER[key]}
    monkeypatch.setattr(manifest_module, "this_machine", lambda: other)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    message = rf"machine\.{key}: stored '{re.escape(mine[key])}', asked .* other_machine=True"
    with pytest.raises(StoreMismatchError, match=message):
        compute_gram(NET, X, folder=folder)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    gram = compute_gram(NET, X, folder=folder, other_machine=True)
    assert np.array_equal(np.asarray(gram.values["ntk"]), compute_gram(NET, X).values["ntk"])
    assert _manifest(folder)["machine"] == mine
    assert _manifest(folder)["other_machines"] == [other]
    _halve(folder)  # the second time no machine is noted twice
    compute_gram(NET, X, folder=folder, other_machine=True)
    assert _manifest(folder)["other_machines"] == [other]


def test_the_same_machine_goes_on_and_is_no_other(folder):
    for asked in (False, True):
        _halve(folder)
        compute_gram(NET, X, folder=folder, other_machine=asked)
    assert "other_machines" not in _manifest(folder)


def test_other_versions_are_refused_whatever_is_asked_of_machines(folder, monkeypatch):
    _halve(folder)
    monkeypatch.setattr(manifest_module, "this_machine", lambda: OTHER)
    monkeypatch.setattr(manifest_module.np, "__version__", "99.0")
    for asked in (False, True):
        with pytest.raises(StoreMismatchError, match=r"versions\.numpy") as caught:
            compute_gram(NET, X, folder=folder, other_machine=asked)
        assert "other_machine=True" not in str(caught.value)


def test_a_half_done_folder_from_before_machines_were_noted_goes_on(folder, monkeypatch):
    _halve(folder)
    manifest = _manifest(folder)
    del manifest["machine"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setattr(manifest_module, "this_machine", lambda: OTHER)
    compute_gram(NET, X, folder=folder)
    assert _manifest(folder) == manifest


def test_other_machine_is_a_bool(folder):
    compute_gram(NET, X, folder=folder, other_machine=np.True_)
    with pytest.raises(SpecError, match="other_machine must be a bool; got 'yes'"):
        compute_gram(NET, X, folder=folder, other_machine="yes")


def test_a_checkout_that_is_not_installed_keeps_kernels(monkeypatch, tmp_path):
    def installed(name):
        if name == "ntkreg":
            raise importlib.metadata.PackageNotFoundError(name)
        return importlib.metadata.version(name)

    monkeypatch.setattr(manifest_module, "version", installed)
    assert compute_gram(NET, X, folder=tmp_path).values["ntk"].shape == (len(X), len(X))
