"""Measures of kernels against features and closed forms."""

import numpy as np
import pytest

from ntkreg.studies.compare.alike import ALPHA, kernel_tables
from ntkreg.studies.compare.geometry import (
    alignment,
    centred,
    decay,
    effective_dimension,
    participation,
    spectrum,
    target_kernel,
)

RNG = np.random.default_rng(0)
F, G = RNG.normal(size=(20, 4)) + 3, RNG.normal(size=(20, 6))


def test_centring_is_that_of_features():
    less = F - F.mean(axis=0)
    np.testing.assert_allclose(centred(F @ F.T), less @ less.T, atol=1e-12)


def test_alignment_is_that_of_cross_covariances():
    f, g = F - F.mean(axis=0), G - G.mean(axis=0)
    norms = np.linalg.norm(f.T @ f) * np.linalg.norm(g.T @ g)
    wanted = np.linalg.norm(f.T @ g) ** 2 / norms
    K, L = centred(F @ F.T), centred(G @ G.T)
    assert alignment(K, L) == pytest.approx(wanted)
    assert alignment(K, 7 * K) == pytest.approx(1)
    assert np.isnan(alignment(K, np.zeros_like(K)))


def test_target_alignment_of_the_target_is_one():
    y = np.arange(20) % 3
    hot = np.eye(3)[y]
    np.testing.assert_array_equal(target_kernel(y), hot @ hot.T)


def test_eigenvalues_that_fall_as_a_power_say_so():
    values = np.arange(1, 101) ** -1.5
    assert decay(values) == pytest.approx(1.5)
    assert np.isnan(decay(values[:5]))
    assert np.isnan(decay(np.zeros(50)))


def test_dimensions_of_equal_and_of_single_eigenvalues():
    equal, single = np.ones(10), np.eye(10)[0]
    assert effective_dimension(equal, 0.25) == pytest.approx(8)
    assert participation(equal) == pytest.approx(10)
    assert effective_dimension(single, 0.1) == pytest.approx(1 / 1.01)
    assert participation(single) == 1
    assert effective_dimension(np.zeros(3), 1) == participation(np.zeros(3)) == 0
    K = np.diag([1.0, 5.0, 2.0])
    np.testing.assert_allclose(spectrum(K), [5, 2, 1])


def test_tables_hold_every_pair_and_kernels_that_are_constant():
    y = np.arange(20) % 2
    sets = [
        (n, {"a": (F @ F.T, y), "b": (G @ G.T, y), "flat": (np.ones((20, 20)), y)}) for n in "st"
    ]
    tables = kernel_tables(iter(sets))
    assert len(tables["alignments"]) == 6
    alike = tables["alike"].set_index(["first", "second"])
    assert alike.loc[("a", "b"), "n_sets"] == 2
    assert alike.loc[("a", "flat"), "n_sets"] == 0
    wanted = alignment(centred(F @ F.T), centred(G @ G.T))
    assert alike.loc[("a", "b"), "mean"] == pytest.approx(wanted)
    shape = tables["geometry"].set_index(["set", "model"]).loc[("s", "a")]
    target = alignment(centred(F @ F.T), centred(target_kernel(y)))
    assert shape.target_alignment == pytest.approx(target)
    assert shape.effective_dimension == effective_dimension(spectrum(centred(F @ F.T)), ALPHA)
    spectra = tables["spectra"]
    assert spectra[spectra.model == "a"].k.tolist() == [1, 2, 4, 8, 16]
    assert (spectra[spectra.k == 1]["median"] == 1).all()
    assert tables["shapes"].set_index("model").n_sets.to_dict() == {"a": 2, "b": 2, "flat": 2}


def test_no_kernels_make_empty_tables():
    assert all(table.empty for table in kernel_tables(iter([])).values())
