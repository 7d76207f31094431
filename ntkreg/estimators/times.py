"""Scores over a whole path of training times, from one Gram and a factorisation a fold."""

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import check_cv

from ntkreg.arrays import refuse_masked
from ntkreg.cpus import one_blas_thread
from ntkreg.errors import SpecError
from ntkreg.estimators.classifier import NTKClassifier
from ntkreg.estimators.labels import code_labels
from ntkreg.estimators.left_out import Scores
from ntkreg.estimators.regressor import NTKRegressor
from ntkreg.estimators.stop import STOP
from ntkreg.solvers import SpectralSolver
from ntkreg.solvers.inputs import alpha_unit

__all__ = ["training_curve"]


def training_curve(
    estimator: NTKRegressor | NTKClassifier,
    X: Any,
    y: Any,
    train_times: Any,
    *,
    cv: Any = None,
    scoring: Any = None,
    groups: Any = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return training and test scores of folds for `train_time` at each of many values.

    What scikit-learn's `validation_curve` gives for ``param_name="train_time"`` (with the ridge at
    its absolute value on all samples), at the cost of one Gram and one eigendecomposition a fold.

    Parameters
    ----------
    estimator : NTKRegressor or NTKClassifier
        Its own `train_time`, `train_steps` and `learning_rate` are left at None.
    X, y : array-like
        As in ``estimator.fit``.
    train_times : array-like of shape (n_times,), >= 0
    cv : int, splitter, iterable or None, default=None
        As in scikit-learn; None for 5 folds.
    scoring : str, callable or None, default=None
        None for R^2 or accuracy.
    groups : array-like of shape (n_samples,) or None
        For the splitter.

    Returns
    -------
    train_scores, test_scores : ndarray of shape (n_times, n_folds)

    Raises
    ------
    SpecError
        Another estimator, one that is stopped already, or times that are none.

    Examples
    --------
    The validation curve over training times as a figure:

    >>> import numpy as np
    >>> from sklearn.model_selection import ValidationCurveDisplay
    >>> from ntkreg import NTKRegressor, training_curve
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 3))
    >>> y = np.sin(X[:, 0]) + rng.normal(size=60)
    >>> times = np.logspace(0, 5, 11)
    >>> train, test = training_curve(NTKRegressor(alpha=0), X, y, times)
    >>> display = ValidationCurveDisplay(
    ...     param_name="train_time", param_range=times, train_scores=train, test_scores=test,
    ...     score_name="R2")
    >>> axes = display.plot().ax_
    >>> test.shape
    (11, 5)
    """
    if type(estimator) not in (NTKRegressor, NTKClassifier):
        raise SpecError(
            "training_curve: estimator must be an NTKRegressor or NTKClassifier; got "
            f"{estimator!r}."
        )
    refuse_masked("training_curve: train_times", train_times)
    times = np.asarray(train_times)
    if times.dtype.kind not in "uif" or times.ndim != 1 or not len(times):
        raise SpecError(
            f"training_curve: train_times must be a list of numbers >= 0; got {train_times!r}."
        )
    stopped = [name for name in STOP if getattr(estimator, name) is not None]
    if stopped:
        raise SpecError(
            f"training_curve: {', '.join(stopped)} of the estimator must be None; train_times says "
            "when it stops."
        )
    model = clone(estimator)
    model._validate_params()
    classes = None
    if isinstance(model, NTKClassifier):
        X, codes, _ = model._read_labelled(X, y)
        classes = model.classes_
        y, targets = classes[codes], code_labels(codes, len(classes))
    else:
        X, y = model._read_targets(X, y)
        targets = y
    center = classes is None and model.center_y
    K = model._fit_gram(X)
    alpha = model.alpha * alpha_unit("training_curve", model.alpha_scale, K, None)
    if scoring is None:
        scoring = "r2" if classes is None else "accuracy"
    scores = Scores("training_curve", scoring, y, {}, classes, False)
    folds = check_cv(cv, y, classifier=classes is not None).split(np.zeros((len(y), 1)), y, groups)
    found = []
    with one_blas_thread():
        for rows, others in folds:
            mean = targets[rows].mean(axis=0) if center else 0.0
            solver = SpectralSolver(K[np.ix_(rows, rows)])
            coefs = solver.flow(targets[rows] - mean, times, alpha=alpha)
            fold = [
                [scores.of(K[np.ix_(part, rows)] @ coef + mean, part) for coef in coefs]
                for part in (rows, others)
            ]
            found.append(fold)
    train, test = np.moveaxis(np.array(found), 0, -1)
    return train, test
