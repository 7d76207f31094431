"""Both estimators: one interface, closed forms, seeds, warm starts, bad input."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils import estimator_checks

from ntkreg import DeepMatrixFactorization, NuclearNormCompletion
from ntkreg.errors import DivergenceError, PlanError, ShapeError, SpecError

BOTH = [DeepMatrixFactorization(2, random_state=0), NuclearNormCompletion()]


def low_rank(n=20, rank=1, m=220, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(n, rank)) @ rng.normal(size=(rank, n))
    rows, cols = np.divmod(np.sort(rng.choice(n * n, m, replace=False)), n)
    return truth, rows, cols


both = pytest.mark.parametrize("model", BOTH, ids=lambda m: type(m).__name__)


@both
def test_a_matrix_of_rank_one_is_completed(model):
    truth, rows, cols = low_rank()
    model = clone(model).fit(rows, cols, truth[rows, cols], shape=(20, 20))
    hidden = np.ones((20, 20), bool)
    hidden[rows, cols] = False
    i, j = np.nonzero(hidden)
    assert model.score(i, j, truth[i, j]) > 0.999
    np.testing.assert_array_equal(model.predict(i, j), model.reconstruct()[i, j])
    model.reconstruct()[:] = 0  # a copy
    assert model.score(i, j, truth[i, j]) > 0.999


@both
def test_the_order_of_entries_and_entries_given_twice_change_nothing(model):
    truth, rows, cols = low_rank()
    values = truth[rows, cols]
    first = clone(model).fit(rows, cols, values).reconstruct()
    order = np.r_[np.random.default_rng(0).permutation(len(rows)), 3, 5]
    other = clone(model).fit(list(rows[order]), pd.Series(cols[order]), values[order])
    np.testing.assert_array_equal(other.reconstruct(), first)


@both
def test_predictions_stay_within_bounds(model):
    rows, cols, values = [0, 0, 1], [0, 1, 0], [4.0, 2.0, 2.0]
    free = clone(model).fit(rows, cols, values)
    bound = clone(model).set_params(bounds=(2, 5)).fit(rows, cols, values)
    assert free.predict([1], [1])[0] == pytest.approx(1, abs=0.01)
    assert bound.predict([1], [1])[0] == bound.reconstruct()[1, 1] == 2
    with pytest.raises(SpecError, match=r"within bounds=\(2.0, 5.0\); got 6 at place 1 \(row 0, c"):
        bound.fit(rows, cols, [4, 6, 5])


@both
@pytest.mark.parametrize(
    ("rows", "cols", "values", "shape", "error", "message"),
    [
        ([0, 1], [0, 1], [1, np.nan], None, SpecError, "NaN or infinity, first at place 1"),
        ([0, 1], [0, 1], [1, np.inf], None, SpecError, "NaN or infinity"),
        ([0, 1], [0, 1], ["a", "b"], None, TypeError, "real numbers"),
        ([0, 1], [0, 1], np.ma.array([1, 2], mask=[0, 1]), None, SpecError, "1 masked value"),
        ([0, 1], [0, 1], scipy.sparse.eye(2), None, TypeError, r"Use values.toarray\(\)"),
        ([0, 1], [0, 1], None, None, TypeError, "values must hold real numbers"),
        ([0, 1], [0, 1], np.array([1, 2j]), None, TypeError, "real numbers; got dtype complex"),
        ([0, 1], [0, 1], [1, 1e305], None, SpecError, "reach 1e.305, whose sums"),
        ([False, True], [0, 1], [1, 2], None, TypeError, "rows must be integers"),
        (["0", "1"], [0, 1], [1, 2], None, TypeError, "rows must hold real numbers"),
        ([[0], [1]], [0, 1], [1, 2], None, ShapeError, r"rows must be a list .* \(2, 1\)"),
        (np.array([2**63, 0], np.uint64), [0, 1], [1, 2], None, SpecError,
         f"from 0 to {2**63 - 1}; got {2**63}"),
        ([0, 1], [0, 1], [[1, 2]], None, ShapeError, r"shape \(1, 2\)"),
        ([], [], [], None, ShapeError, "at least one number"),
        ([0, 1], [0, 1, 1], [1, 2], None, ShapeError, "one length; got 2 and 3"),
        ([0, 1, 1], [0, 1, 1], [1, 2], None, ShapeError, "one length; got 3, 3 and 2"),
        ([0.5, 1], [0, 1], [1, 2], None, TypeError, "rows must be integers"),
        ([-1, 1], [0, 1], [1, 2], None, SpecError, "rows must be from 0 on; got -1"),
        ([0, 5], [0, 1], [1, 2], (4, 4), SpecError, r"0 to 3, since .* \(4, 4\); got 5"),
        ([0, 0], [0, 1], [1, 2], None, ShapeError, r"at least 2 rows and 2 columns .* \(1, 2\)"),
        ([0, 1], [0, 1], [1, 2], (1, 4), ShapeError, "at least 2 rows"),
        ([0, 1], [0, 1], [1, 2], "ab", SpecError, "shape must be two integers"),
        ([0, 1], [0, 1], [1, 2], (2.0, 2), SpecError, "shape must be two integers"),
        ([0, 1, 0, 1, 0], [0, 1, 1, 0, 0], [1] * 5, (2, 2), ShapeError, "5 values .* the 4 ent"),
        ([0, 1, 0], [0, 1, 0], [1, 2, 3], (3, 3), SpecError,
         r"\(row 0, column 0\) is given twice with different values, 1.0 and 3.0"),
        ([0, 1, 0], [0, 1, 0], [0.3, 2, 0.1 + 0.2], None, SpecError, "0.3 and 0.30000000000000004"),
        ([0, 10**9], [0, 10**9], [1, 2], None, PlanError, "are free"),
        ([0, 1], [0, 1], [1, 2], (10**12, 10**12), PlanError, "are free"),
    ],
)  # fmt: skip
def test_bad_entries_are_told(model, rows, cols, values, shape, error, message):
    with pytest.raises(error, match=message) as told:
        clone(model).fit(rows, cols, values, shape=shape)
    assert type(model).__name__ in str(told.value)


@both
def test_rows_and_columns_without_an_entry_are_named(model):
    with pytest.warns(UserWarning, match="without a seen entry") as told:
        clone(model).fit([0, 2], [0, 1], [1.0, 2.0], shape=(4, 3))
    texts = [str(w.message) for w in told]
    assert "2 row(s) of 4 without a seen entry: 1, 3." in texts[0]
    assert "1 column(s) of 3 without a seen entry: 2." in texts[1]


@both
def test_predict_checks_places_and_needs_a_fit(model):
    with pytest.raises(NotFittedError):
        clone(model).predict([0], [0])
    fitted = clone(model).fit([0, 1], [0, 1], [1.0, 2.0])
    with pytest.raises(SpecError, match="cols must be from 0 to 1"):
        fitted.predict([0], [2])
    with pytest.raises(ShapeError, match="values must have the length of rows, 2"):
        fitted.score([0, 1], [0, 1], [1.0])
    assert fitted.predict([], []).shape == (0,)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"bounds": (5, 1)}, "bounds must be None or two numbers"),
        ({"bounds": (1, np.nan)}, "bounds must be None or two numbers"),
        ({"bounds": "15"}, "bounds must be None or two numbers"),
        ({"tol": 0}, "'tol' parameter"),
    ],
)
@both
def test_bad_parameters_are_told(model, params, message):
    with pytest.raises(ValueError, match=message):
        clone(model).set_params(**params).fit([0, 1], [0, 1], [1.0, 2.0])


@both
@pytest.mark.parametrize(
    "check",
    [
        "check_parameters_default_constructible",
        "check_no_attributes_set_in_init",
        "check_get_params_invariance",
        "check_set_params",
        "check_estimator_repr",
        "check_estimator_cloneable",
    ],
)
def test_parameters_behave_as_scikit_learn_asks(model, check):
    getattr(estimator_checks, check)(type(model).__name__, clone(model))


@both
def test_scores_are_of_numbers_in_any_unit(model):
    fitted = clone(model).fit([0, 1, 1], [0, 1, 0], [1.0, 2.0, 1.5])
    for values, error, message in (
        ([np.nan, 1.0], SpecError, "values holds NaN or infinity, first at place 0"),
        (["a", "b"], TypeError, "values must hold real numbers"),
    ):
        with pytest.raises(error, match=message):
            fitted.score([0, 1], [0, 1], values)
    with pytest.raises(ShapeError, match="at least one number"):
        fitted.score([], [], [])
    assert fitted.score([0, 1], [0, 1], [1.0, 2.0]) == pytest.approx(1, abs=1e-4)
    assert fitted.score([0, 1], [0, 1], [1e300, -1e300]) == pytest.approx(0)
    with pytest.raises(SpecError, match="bounds must be None or two numbers"):
        fitted.set_params(bounds="x").predict([0], [0])


@both
def test_a_pickle_predicts_the_same(model):
    fitted = clone(model).fit([0, 1, 1], [0, 1, 0], [1.0, 2.0, 1.5])
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.reconstruct(), fitted.reconstruct())
    assert repr(again) == repr(fitted)
    assert not hasattr(clone(again), "matrix_")


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"depth": 0}, ValueError, "'depth' parameter .* Got 0"),
        ({"init_scale": 0}, ValueError, "'init_scale' parameter .* Got 0"),
        ({"init_scale": 1e300}, DivergenceError, "loss of the start. Take a smaller init_scale"),
        (
            {"width": 10**9},
            PlanError,
            "width=1000000000 .* are free. Take a smaller depth or width",
        ),
        ({"optimizer": "lbfgs"}, ValueError, "'optimizer' parameter"),
        ({"random_state": "a"}, ValueError, "'random_state' parameter"),
    ],
)
def test_bad_parameters_of_training_are_told(params, error, message):
    model = DeepMatrixFactorization(2).set_params(**params)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(error, match=message):
            model.fit([0, 1, 1], [0, 1, 0], [1.0, 2.0, 1.5])


@pytest.mark.parametrize("depth", [1, 20])
def test_any_depth_comes_to_the_entries(depth):
    model = DeepMatrixFactorization(depth, random_state=0).fit([0, 1, 1], [0, 1, 0], [1, 2, 1.5])
    assert model.loss_ <= 1e-6
    assert len(model.factors_) == depth


def test_values_beyond_all_measure_are_told():
    model = DeepMatrixFactorization(2, random_state=0)
    for scale, words in ((1e-30, "not above tol"), (1e30, "no loss of"), (1e300, "no loss of")):
        with pytest.raises(SpecError, match=words):
            model.fit([0, 1], [0, 1], [scale, 2 * scale])
    assert model.fit([0, 1], [0, 1], [0.0, 0.0]).n_iter_ == 0


def test_a_rate_that_is_too_large_is_told():
    truth, rows, cols = low_rank()
    model = DeepMatrixFactorization(3, 1.0, learning_rate=50.0, random_state=0)
    with pytest.raises(DivergenceError, match=r"diverged after .* smaller learning_rate"):
        model.fit(rows, cols, truth[rows, cols])


def test_seeds_decide_and_nothing_else():
    truth, rows, cols = low_rank(rank=3, m=120)
    fits = [
        DeepMatrixFactorization(2, random_state=s).fit(rows, cols, truth[rows, cols]).matrix_
        for s in (0, 0, 1)
    ]
    np.testing.assert_array_equal(fits[0], fits[1])
    assert np.abs(fits[0] - fits[2]).max() > 1e-6


def test_the_path_says_what_the_matrix_was():
    truth, rows, cols = low_rank(rank=2)
    model = DeepMatrixFactorization(3, init="balanced", random_state=0)
    i, j = np.divmod(np.arange(400), 20)
    model.fit(rows, cols, truth[rows, cols], held_out=(i, j, truth.ravel()))
    path = model.path_
    assert path["step"][0] == 0
    assert path["step"][-1] == model.n_iter_
    assert (np.diff(path["step"]) > 0).all()
    assert path["loss"][-1] == model.loss_ <= 1e-6
    assert path["error"][0] == pytest.approx(np.mean(truth**2), rel=1e-2)
    assert path["error"][-1] == pytest.approx(np.mean((model.matrix_ - truth) ** 2))
    sigma = np.linalg.svd(model.matrix_, compute_uv=False)
    np.testing.assert_allclose(path["singular_values"][-1], sigma, atol=1e-12)
    assert path["nuclear_norm"][-1] == pytest.approx(sigma.sum())
    assert path["schatten_1/2"][-1] == pytest.approx(np.sqrt(sigma).sum() ** 2)
    p = sigma / sigma.sum()
    assert path["effective_rank"][-1] == pytest.approx(np.exp(-(p * np.log(p)).sum()))
    assert path["effective_rank"][-1] < 2.1


def test_a_warm_start_goes_on_where_the_last_fit_ended():
    truth, rows, cols = low_rank(rank=2)
    values = truth[rows, cols]
    whole = DeepMatrixFactorization(2, learning_rate=0.5, tol=1e-4, random_state=0)
    whole.fit(rows, cols, values)
    halves = clone(whole).set_params(warm_start=True, max_iter=20)
    with pytest.warns(ConvergenceWarning, match="after 20 steps"):
        halves.fit(rows, cols, values)
    halves.set_params(max_iter=10**6).fit(rows, cols, values)
    assert halves.n_iter_ == whole.n_iter_ - 20 > 0
    np.testing.assert_array_equal(halves.matrix_, whole.matrix_)
    with pytest.raises(SpecError, match=r"warm_start=True goes on with 2 factors"):
        clone(halves).set_params(depth=2).fit(rows, cols, values).set_params(depth=3).fit(
            rows, cols, values
        )
    wrong = pytest.raises(SpecError, match=r"shape \(20, 20\); these entries are of shape \(21")
    with wrong, pytest.warns(UserWarning, match="without a seen entry"):
        halves.fit(rows, cols, values, shape=(21, 21))


def test_a_warm_start_of_the_nuclear_norm_takes_fewer_steps_to_the_same():
    truth, rows, cols = low_rank(rank=4, m=150)
    model = NuclearNormCompletion(tol=1e-7, warm_start=True)
    cold = model.fit(rows, cols, truth[rows, cols]).matrix_
    steps = model.n_iter_
    model.fit(rows, cols, truth[rows, cols])
    assert model.n_iter_ < steps / 2
    np.testing.assert_allclose(model.matrix_, cold, atol=1e-3)


@pytest.mark.parametrize("unit", [1e-20, 1e20])
def test_a_warm_start_of_the_nuclear_norm_forgets_another_unit(unit):
    truth, rows, cols = low_rank(rank=2, m=200)
    model = NuclearNormCompletion(warm_start=True).fit(rows, cols, truth[rows, cols])
    model.fit(rows, cols, unit * truth[rows, cols])
    cold = NuclearNormCompletion().fit(rows, cols, unit * truth[rows, cols])
    assert model.nuclear_norm_ == pytest.approx(cold.nuclear_norm_, rel=1e-4)


def test_no_warning_where_all_is_well():
    truth, rows, cols = low_rank()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for model in BOTH:
            clone(model).fit(rows, cols, truth[rows, cols])
