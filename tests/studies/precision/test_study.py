from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ntkreg.errors import SpecError
from ntkreg.gram import open_gram
from ntkreg.studies.precision.errors import safe_alphas
from ntkreg.studies.precision.plan import plan_precision
from ntkreg.studies.precision.study import (
    CASES,
    PrecisionConfig,
    compare_grams,
    run_precision,
)

CLASSES = np.arange(2)
Y = np.arange(6) % 2
Y_TEST = np.array([0, 1, 1])


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("images") / "noise.npz"
    x, y = rng.integers(0, 256, (40, 4, 4, 2), np.uint8), np.arange(40) % 2
    np.savez(path, x_train=x[:30], y_train=y[:30], x_test=x[30:], y_test=y[30:])
    networks = {
        "dense": {"recipe": "fully_connected", "depth": 2},
        "gap": {"recipe": "cntk", "depths": [1, 2], "readout": "gap"},
    }
    return PrecisionConfig(str(path), networks, 8, 2, 1, 5, (0.0, 1e-4))


@pytest.fixture(scope="module")
def study(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("precision")
    return run_precision(config, folder, progress=False), folder


@pytest.fixture
def grams():
    """A Gram of mean diagonal 2 and least eigenvalue 1e-6, its direction, and test rows."""
    rng = np.random.default_rng(1)
    Q = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    values = np.array([1e-6, 1, 1, 2, 3, 5 - 1e-6])
    return (Q * values) @ Q.T, Q[:, 0], rng.normal(size=(3, 6))


def compare(K, exact, K_test, alphas=(0.0, 1e-6)):
    return list(compare_grams((K, K_test), (exact, K_test), Y, Y_TEST, CLASSES, alphas))


def test_a_known_error_along_the_least_eigenvector_is_measured(grams):
    K, v, K_test = grams
    plain, ridged = compare(K - 4e-7 * np.outer(v, v), K, K_test)
    assert plain["min_eigenvalue"] == pytest.approx(3e-7, rel=1e-6)  # 6e-7 over a diagonal of 2
    assert plain["norm_error"] == pytest.approx(2e-7, rel=1e-6)
    assert plain["negative"] == 0
    assert plain["relative_error"] == pytest.approx(0.4, rel=1e-5)
    assert ridged["relative_error"] == pytest.approx(4e-7 / 3e-6, rel=1e-5)  # alpha is 2e-6


def test_residual_and_predictions_are_those_of_the_wrong_solution_in_the_right_system(grams):
    K, v, K_test = grams
    wrong = K - 4e-7 * np.outer(v, v)
    targets = (Y[:, None] == CLASSES) - 0.5
    for row in compare(wrong, K, K_test):
        ridge = 2 * row["alpha"] * np.eye(6)
        coef, right = (np.linalg.solve(A + ridge, targets) for A in (wrong, K))
        left = (K + ridge) @ coef - targets
        assert row["residual"] == pytest.approx(
            np.linalg.norm(left) / np.linalg.norm(targets), rel=1e-4
        )
        difference = K_test @ coef - K_test @ right
        assert row["prediction_difference"] == pytest.approx(
            np.linalg.norm(difference) / np.linalg.norm(K_test @ right), rel=1e-4
        )
        assert row["accuracy"] == pytest.approx(
            100 * np.mean((K_test @ coef).argmax(axis=1) == Y_TEST)
        )
        changed = (K_test @ coef).argmax(axis=1) != (K_test @ right).argmax(axis=1)
        assert row["changed"] == pytest.approx(100 * changed.mean())


def test_what_an_indefinite_gram_cannot_give_is_nan_until_the_ridge_is_large_enough(grams):
    K, v, K_test = grams
    plain, ridged = compare(K - 2e-6 * np.outer(v, v), K, K_test)
    assert plain["negative"] == ridged["negative"] == 1
    assert plain["relative_error"] == pytest.approx(2, rel=1e-5)
    for key in ("residual", "prediction_difference", "changed", "accuracy"):
        assert np.isnan(plain[key])
        assert np.isfinite(ridged[key])


def test_of_a_singular_exact_gram_nothing_relative_is_claimed(grams):
    K, v, K_test = grams
    singular = K - 1e-6 * np.outer(v, v)
    plain, ridged = compare(K, singular, K_test)
    assert np.isnan(plain["relative_error"])
    assert np.isfinite(plain["residual"])  # the given Gram can be solved all the same
    assert ridged["relative_error"] == pytest.approx(0.5, rel=1e-5)


def test_the_exact_gram_against_itself_has_no_error(grams):
    K, _, K_test = grams
    for row in compare(K, K, K_test):
        zero = ("max_error", "norm_error", "relative_error", "prediction_difference", "changed")
        assert all(row[key] == 0 for key in zero)
        assert row["residual"] < 1e-8


def test_an_alpha_is_safe_when_it_and_all_greater_ones_are():
    rows = pd.DataFrame({"alpha": [0.0, 1e-6, 1e-4, 1e-2], "residual": 0.0})
    rows["relative_error"] = [1e-3, 0.5, 1e-2, 1e-3]
    names = dict(network="a", get="ntk", case="copies", dtype="mixed", n=3)
    of_gram = dict(min_eigenvalue=0.0, negative=0, max_error=0.0, norm_error=0.0)
    rows = rows.assign(**names, **of_gram)

    def least(rows):
        return safe_alphas(rows, 0.01).alpha.item()

    assert least(rows) == 1e-4
    assert least(rows.assign(residual=[0, 0, np.nan, 0])) == 1e-2  # could not be solved
    assert np.isnan(least(rows.assign(relative_error=1.0)))


def test_every_kernel_set_dtype_and_ridge_has_one_row(study):
    rows, folder = study
    cases = rows.groupby("network").size()
    fields, alphas = 2, 2
    assert cases.to_dict() == {
        "dense": 2 * len(CASES) * fields * alphas,  # no mixed kernel on vectors
        "gap 1": 3 * len(CASES) * fields * alphas,
        "gap 2": 3 * len(CASES) * fields * alphas,
    }
    assert set(rows.n[rows.case == "distinct"]) == {8}
    assert set(rows.n[rows.case != "distinct"]) == {10}
    pd.testing.assert_frame_equal(pd.read_csv(folder / "rows.csv"), rows)


def test_float64_is_exact_and_float32_is_off_by_its_rounding(study):
    rows, _ = study
    assert (rows[rows.dtype == "float64"].max_error == 0).all()
    assert rows[rows.dtype == "float32"].max_error.between(1e-9, 1e-4).all()


def test_copies_make_the_gram_singular_and_near_copies_nearly_so(study):
    rows, _ = study
    exact = rows[(rows.dtype == "float64") & (rows["get"] == "nngp") & (rows.alpha == 0)]
    least = exact.pivot(index="network", columns="case", values="min_eigenvalue")
    assert (abs(least.copies) < 1e-13).all()
    assert (least["near copies"] > 1e-9).all()
    assert (least["near copies"] < 0.2 * least.distinct).all()


def test_other_ridges_reuse_the_stored_kernels(config, study, monkeypatch):
    _, folder = study

    def refuse(*args, **kwargs):
        raise AssertionError("a tile was computed again")

    monkeypatch.setattr("ntkreg.gram.tiles.compute_tile", refuse)
    rows = run_precision(replace(config, alphas=(1e-3,)), folder, progress=False)
    assert set(rows.alpha) == {1e-3}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"networks": {}}, "networks must map at least one name"),
        ({"networks": {"a": 3}}, r"networks\[a\] must be a mapping; got 3"),
        ({"networks": {"a": {"recipe": "cntk", "depths": []}}}, r"networks\[a\].depths must be"),
        ({"n_copies": 9}, r"n_copies must be at most n_train \(8\); got 9"),
        ({"copy_noise": 0}, "copy_noise must be an integer >= 1"),
        ({"alphas": (1e-4, 0.0)}, "alphas must be in rising order"),
        ({"alphas": 3}, "alphas must be a list of numbers"),
        ({"tolerance": 0.0}, "tolerance must be above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(config, change, message):
    with pytest.raises(SpecError, match=message):
        replace(config, **change)


@pytest.mark.parametrize(("key", "value"), [("n_train", 7), ("n_test", 11)])
def test_sizes_the_data_cannot_give_are_refused(config, tmp_path, key, value):
    with pytest.raises(SpecError, match=key):
        run_precision(replace(config, **{key: value}), tmp_path)


def test_the_plan_counts_what_a_run_computes(study, config, tmp_path):
    rows, folder = study
    (plan,) = plan_precision(config, tmp_path / "out")
    grams = [open_gram(path.parent) for path in folder.rglob("manifest.json")]
    assert plan.counts["kernels"] == len(grams) == 10
    square, cross = 12 * 13 // 2, 5 * 12
    assert plan.counts["pairs"] == 5 * (square + cross)
    assert {np.shape(gram.values["ntk"])[-2:] for gram in grams} == {(12, 12), (5, 12)}
    assert plan.counts["comparisons"] == len(rows) / len(config.alphas)
    assert set(plan.seconds) == {"dense", "gap", "comparisons"}
    stored = sum(p.stat().st_size for p in folder.rglob("kernels/**/*") if p.is_file())
    assert stored / 2 < plan.disk_bytes < stored
    assert not (tmp_path / "out").exists()
