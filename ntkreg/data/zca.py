"""`ZCAWhitener`: regularised whitening that keeps the shape of images."""

from collections.abc import Iterator
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from scipy.linalg import eigh
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, _fit_context
from sklearn.utils._param_validation import Interval

from ntkreg.arrays import channels_first_hint, refuse_infinite
from ntkreg.cpus import one_blas_thread
from ntkreg.data.rows import BATCH, batches, images_stay_arrays, in_shape_of, read_rows
from ntkreg.errors import DataError, ShapeError

__all__ = ["ZCAWhitener"]


@images_stay_arrays
class ZCAWhitener(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    r"""Decorrelate pixels, damping directions of little variance, and stay in pixel space.

    Each image is first brought to mean 0 and to norm 1 by itself. With the second moments
    :math:`S = \frac1n \sum_i x_i x_i^T = V \Lambda V^T` of the training images so treated,

    .. math:: z = S_\epsilon^{-1/2} x = V (\Lambda + \epsilon)^{-1/2} V^T x, \qquad
        \epsilon = \text{regularization} \cdot \operatorname{tr} S / d,

    d the number of features. Second moments of the output on the training images are
    :math:`S S_\epsilon^{-1}`: nearly the identity where :math:`\lambda \gg \epsilon`, and
    shrunk where noise is all there is. Of all whitenings, this symmetric one moves pixels
    least, so that the result still looks like the image and suits a convolutional kernel.

    Parameters
    ----------
    regularization : float, default=0.1
        :math:`\epsilon` in units of the mean eigenvalue of S; above 0. The smaller, the
        whiter, noise included.
    center_images : bool, default=True
        Subtract from each image its own mean over all pixels and channels.
    unit_norm : bool, default=True
        Divide each image by its own Euclidean norm, after `center_images`. Images that are
        zero then, because all their pixels were the same, stay zero.
    center_features : bool, default=False
        Subtract the training mean of each feature, after both, which makes S a
        covariance.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features), float64
        Eigenvectors of S, those of eigenvalue 0 left out if there are fewer samples than
        features.
    eigenvalues_ : ndarray of shape (n_components,), float64
        In falling order.
    epsilon_ : float
    mean_ : ndarray of shape (n_features,), float64
        What `center_features` subtracts; zeros without it.
    image_shape_ : tuple of int or None
        (height, width, channels) in `fit`, if it was given images.
    n_features_in_ : int
        Features of a row; h * w * c for images.
    feature_names_in_ : ndarray of str
        If X has column names, all strings.

    Notes
    -----
    `set_output` makes tables of rows; images stay arrays, which no table can hold.

    uint8, float16 and float32 give float32; everything else float64; inside it is float64
    throughout. With d features and n samples `fit` solves the smaller eigenproblem, of
    side min(n, d); `transform` costs 4 d min(n, d) flops a row. The fitted object holds
    d min(n, d) numbers.

    References
    ----------
    Shankar et al. 2020, "Neural Kernels Without Tangents" (arXiv 2003.02237): images of
    mean 0 and norm 1, second moments about 0, an absolute :math:`\epsilon`. In units of
    the mean eigenvalue: Nguyen et al. 2021 (arXiv 2011.00050).

    Examples
    --------
    >>> from ntkreg.data import load_digits_images
    >>> X, y = load_digits_images()
    >>> Z = ZCAWhitener().fit_transform(X)
    >>> Z.shape, Z.dtype
    ((1797, 8, 8, 1), dtype('float32'))
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "regularization": [Interval(Real, 0, None, closed="neither")],
        "center_images": ["boolean"],
        "unit_norm": ["boolean"],
        "center_features": ["boolean"],
    }

    def __init__(
        self,
        *,
        regularization: float = 0.1,
        center_images: bool = True,
        unit_norm: bool = True,
        center_features: bool = False,
    ) -> None:
        self.regularization = regularization
        self.center_images = center_images
        self.unit_norm = unit_norm
        self.center_features = center_features

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    # More threads sum in another order, and other bits of the images would be other images to a
    # folder of kernels that another machine began.
    @one_blas_thread()
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "ZCAWhitener":
        """Find the principal directions of the training images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, h, w, c)
            At least two samples.
        y : None
            Ignored; there for pipelines.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            NaN, infinity, fewer than two samples, a parameter out of range.
        DataError
            Values whose sums or, without `unit_norm`, squares leave float64. No variance at
            all: every image is constant, or zero without `center_images`,
            or, with `center_features`, the same.
        """
        rows, self.image_shape_ = read_rows(
            self, X, reset=True, min_samples=2, min_features=2 if self.center_images else 1
        )
        n, d = rows.shape
        _check_size(rows, self.unit_norm)
        self.mean_ = np.zeros(d)
        if self.center_features:
            self.mean_ = sum(part.sum(axis=0) for part in self._normalized(rows)) / n
        if n < d:
            whole = np.concatenate([part - self.mean_ for part in self._normalized(rows)])
            values, vectors = eigh(whole @ whole.T / n)
            # Below this, eigenvectors are rounding; what they span is treated as the rest.
            kept = values > n * np.finfo(float).eps * values[-1]
            values = values[kept][::-1]
            scale = np.sqrt(n * values)
            self.components_ = (vectors[:, kept][:, ::-1] / scale).T @ whole
        else:
            moments = np.zeros((d, d))
            for part in self._normalized(rows):
                part -= self.mean_
                moments += part.T @ part
            values, vectors = eigh(moments / n)
            values = np.maximum(values, 0)[::-1]
            self.components_ = np.ascontiguousarray(vectors[:, ::-1].T)
        self.eigenvalues_ = values
        self.epsilon_ = float(self.regularization * values.sum() / d)
        # What is left of samples that are all the same is the rounding of their mean.
        if values.sum() <= (n * np.finfo(float).eps) ** 2 * (self.mean_ @ self.mean_):
            raise DataError(
                "ZCAWhitener: the training samples have no variance: each is constant (without "
                "center_images: zero), or all are the same (with center_features). Check how "
                "they were loaded."
            )
        return self

    @one_blas_thread()
    def transform(self, X: Any) -> np.ndarray:
        """Whiten new images with the directions of `fit`.

        Parameters
        ----------
        X : array-like of the shape of a sample seen in `fit`

        Returns
        -------
        ndarray of the shape of X, float32 or float64

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            NaN, infinity, or samples with another number of features than in `fit`.
        ShapeError
            Images of another shape than in `fit`.
        """
        rows = self._read(X)
        Z = np.empty_like(rows, order="C")
        for i, part in enumerate(self._normalized(rows)):
            part -= self.mean_
            with np.errstate(over="ignore", invalid="ignore"):
                Z[i * BATCH : (i + 1) * BATCH] = self._stretch(part, -0.5)
        return in_shape_of(X, refuse_infinite("ZCAWhitener: whitened values", Z))

    @one_blas_thread()
    def inverse_transform(self, X: Any) -> np.ndarray:
        """Undo the whitening, to images of the mean and norm that `transform` gave them.

        Their own means and norms are gone; without `center_images` and `unit_norm` they
        come back as they were.

        Parameters
        ----------
        X : array-like of the shape of a sample seen in `fit`
            Whitened images.

        Returns
        -------
        ndarray of the shape of X, float32 or float64

        Raises
        ------
        NotFittedError, ValueError, ShapeError
            As `transform`.
        """
        rows = self._read(X)
        Z = np.empty_like(rows, order="C")
        for i, part in enumerate(batches(rows)):
            back = self._stretch(part.astype(np.float64), 0.5)
            with np.errstate(over="ignore", invalid="ignore"):
                Z[i * BATCH : (i + 1) * BATCH] = back + self.mean_
        return in_shape_of(X, refuse_infinite("ZCAWhitener: values", Z))

    def _read(self, X: Any) -> np.ndarray:
        rows, shape = read_rows(self, X, reset=False)
        if None not in (shape, self.image_shape_) and shape != self.image_shape_:
            raise ShapeError(
                f"ZCAWhitener: X holds images of shape {shape}, but it was fitted on "
                f"{self.image_shape_}. Give images in the shape they had in fit."
                f"{channels_first_hint(shape or ())}"
            )
        return rows

    def _normalized(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Yield batches in float64, each image centred and of unit norm as asked for."""
        for part in batches(rows):
            X = part.astype(np.float64)
            if self.center_images:
                X -= X.mean(axis=1, keepdims=True)
                # Rounding of the mean would leave a tiny image, of which norm 1 made noise.
                X[part.min(axis=1) == part.max(axis=1)] = 0
            if self.unit_norm:
                # By the largest first: squares of very small or large ones leave the range.
                for order in (np.inf, 2):
                    size = np.linalg.norm(X, order, axis=1, keepdims=True)
                    X /= np.where(size > 0, size, 1)
            yield X

    def _stretch(self, X: np.ndarray, power: float) -> np.ndarray:
        """Return X times the `power` of the regularised second moments."""
        gains = (self.eigenvalues_ + self.epsilon_) ** power
        parts = X @ self.components_.T
        if len(gains) == X.shape[1]:
            return (parts * gains) @ self.components_
        rest = self.epsilon_**power  # of all directions that no training image has
        return rest * X + (parts * (gains - rest)) @ self.components_


def _check_size(rows: np.ndarray, unit_norm: bool) -> None:
    """Raise unless sums of values, or of squares that no norm takes, are numbers in float64."""
    largest = float(max(rows.max(), -rows.min()))
    least, most = (0.0, 1e300) if unit_norm else (1e-140, 1e140)
    if largest > most or 0 < largest < least:
        raise DataError(
            f"ZCAWhitener: the largest value is {largest:.3g}; up to {most:g}"
            + ("" if unit_norm else f" and from {least:g}, or with unit_norm=True,")
            + " sums stay in float64. Rescale the images."
        )
