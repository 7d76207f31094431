"""What both ways to complete a matrix share: reading entries, predicting, scoring."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from ntkreg.errors import ShapeError, SpecError
from ntkreg.factorization.entries import (
    Entries,
    check_bounds,
    check_indices,
    read_entries,
    read_values,
)

__all__ = ["MatrixCompletion"]


class MatrixCompletion(BaseEstimator):
    """Base of `DeepMatrixFactorization` and `NuclearNormCompletion`.

    What a matrix is completed from are places and values, not samples and features: so `fit` takes
    rows, columns and values, `predict` rows and columns.
    """

    bounds: Any
    warm_start: bool
    matrix_: np.ndarray
    shape_: tuple[int, int]

    def predict(self, rows: Any, cols: Any) -> np.ndarray:
        """Return the completed matrix at some places, within `bounds`.

        Parameters
        ----------
        rows, cols : array-like of int, shape (k,)

        Returns
        -------
        ndarray of shape (k,), float64

        Raises
        ------
        NotFittedError, TypeError, ShapeError, SpecError
            Places that are no integers, or outside the matrix.
        """
        check_is_fitted(self, "matrix_")
        i, j = check_indices(type(self).__name__, rows, cols, self.shape_)
        return self._within_bounds(self.matrix_[i, j])

    def reconstruct(self) -> np.ndarray:
        """Return the whole completed matrix, within `bounds`: a new array, float64."""
        check_is_fitted(self, "matrix_")
        return self._within_bounds(self.matrix_.copy())

    def score(self, rows: Any, cols: Any, values: Any) -> float:
        """Return R2 of the predictions, 1 at best.

        Parameters
        ----------
        rows, cols : array-like of int, shape (k,)
        values : array-like of shape (k,)

        Raises
        ------
        NotFittedError, TypeError, ShapeError, SpecError
            As of `predict`; no values, or such as are no finite numbers.
        """
        predicted = self.predict(rows, cols)
        truth = read_values(f"{type(self).__name__}: values", values)
        if truth.shape != predicted.shape:
            raise ShapeError(
                f"{type(self).__name__}: values must have the length of rows, {len(predicted)}; "
                f"got shape {truth.shape}."
            )
        # In units of a power of two, so that no square overflows.
        unit = 2.0 ** np.floor(np.log2(max(np.abs(truth).max(), np.abs(predicted).max(), 1e-300)))
        return float(r2_score(truth / unit, predicted / unit))

    def _read(self, rows: Any, cols: Any, values: Any, shape: Any) -> Entries:
        """Check parameters and entries."""
        self._validate_params()
        bounds = check_bounds(type(self).__name__, self.bounds)
        return read_entries(type(self).__name__, rows, cols, values, shape, bounds)

    def _earlier(self, attribute: str, shape: tuple[int, int]) -> Any:
        """Return what a warm start goes on from, None where there is nothing.

        Raises
        ------
        SpecError
            A matrix of another shape was fitted before.
        """
        if not self.warm_start or not hasattr(self, attribute):
            return None
        if self.shape_ != shape:
            raise SpecError(
                f"{type(self).__name__}: warm_start=True goes on with a matrix of shape "
                f"{self.shape_}; these entries are of shape {shape}. Give the same shape, or set "
                "warm_start=False."
            )
        return getattr(self, attribute)

    def _within_bounds(self, values: np.ndarray) -> np.ndarray:
        bounds = check_bounds(type(self).__name__, self.bounds)  # may have been set since fit
        return values if bounds is None else np.clip(values, *bounds)
