"""`symmetry: flip` in the configurations of studies."""

from dataclasses import replace

import numpy as np
import pytest

from ntkreg.data import balanced_draws
from ntkreg.errors import SpecError, StoreMismatchError
from ntkreg.estimators.saved_model import load_model
from ntkreg.gram import kernel
from ntkreg.solvers import solve_cholesky
from ntkreg.studies.few_samples.plan import plan_few_samples
from ntkreg.studies.few_samples.study import FewSamplesConfig, network_of, run_few_samples
from ntkreg.studies.fit.plan import plan_fit
from ntkreg.studies.fit.study import FitConfig, run_fit
from ntkreg.studies.shared.plan import KernelPlan


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("images") / "noise.npz"
    x = rng.integers(0, 256, size=(20, 4, 4, 1), dtype=np.uint8)
    y = np.arange(20) % 2
    np.savez(path, x_train=x[:12], y_train=y[:12], x_test=x[12:], y_test=y[12:])
    return str(path)


@pytest.fixture
def few(data):
    return FewSamplesConfig(
        data,
        {"recipe": "cntk", "depth": 2},
        depths=(1, 2),
        pool=8,
        n_test=6,
        n_samples=(4,),
        n_draws=2,
        preprocessing="none",
        symmetry="flip",
        alpha=1e-2,
        dtype="float64",
    )


@pytest.mark.parametrize("normalize", [None, "unit_diagonal"])
def test_a_study_with_flips_solves_averaged_kernels(few, tmp_path, normalize):
    few = replace(few, normalize=normalize)
    rows = run_few_samples(few, tmp_path)
    with np.load(few.data) as arrays:
        X, y = arrays["x_train"].astype(float), arrays["y_train"]
    pool = balanced_draws(y, 8, 1, few.seed)[0]
    draw = pool[balanced_draws(y[pool], 4, 2, few.seed + 1)[1]]
    K = kernel(network_of(few), X[draw], symmetry="flip", normalize=normalize)
    solution = solve_cholesky(K, y[draw], alpha=few.alpha, alpha_scale=few.alpha_scale)
    row = rows[(rows["get"] == "ntk") & (rows.depth == 2) & (rows.draw == 1)]
    assert row.min_eigenvalue.item() == pytest.approx(solution.min_eigenvalue, rel=1e-9)
    assert row.alpha.item() == pytest.approx(float(solution.alpha), rel=1e-9)
    with pytest.raises(StoreMismatchError, match="symmetry: stored 'flip', asked None"):
        run_few_samples(replace(few, symmetry=None), tmp_path)


def test_a_fit_with_flips_is_the_same_with_a_stored_kernel_and_without(data, tmp_path):
    network = {"recipe": "cntk", "depth": 2}
    config = FitConfig(data, network, symmetry="flip", dtype="float64", alpha=1e-2)
    run_fit(config, tmp_path / "memory")
    run_fit(replace(config, store_kernel=True), tmp_path / "folder")
    run_fit(replace(config, symmetry=None), tmp_path / "plain")
    with np.load(data) as arrays:
        X = arrays["x_test"]
    memory, folder, plain = (
        load_model(tmp_path / name / "model").decision_function(X)
        for name in ("memory", "folder", "plain")
    )
    assert np.array_equal(memory, folder)
    assert not np.allclose(memory, plain)


def test_plans_of_studies_with_flips_count_both_kernel_values(few, data, tmp_path):
    fit = FitConfig(data, {"recipe": "cntk", "depth": 2}, symmetry="flip")
    for plans in (plan_few_samples(few, tmp_path), plan_fit(fit, tmp_path)):
        assert [plan.gram.terms for plan in plans if isinstance(plan, KernelPlan)] == [2, 2]


def test_an_unknown_symmetry_is_refused(few, data):
    with pytest.raises(SpecError, match="symmetry must be one of null, flip; got 'mirror'"):
        replace(few, symmetry="mirror")
    with pytest.raises(SpecError, match="symmetry must be one of null, flip; got True"):
        FitConfig(data, {"recipe": "cntk", "depth": 2}, symmetry=True)
