"""`ChannelStandardizer`: each channel to mean 0 and standard deviation 1."""

import math
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, _fit_context

from ntkreg.arrays import channels_first_hint, refuse_infinite
from ntkreg.data.rows import batches, images_stay_arrays, in_shape_of, read_rows
from ntkreg.errors import ShapeError

__all__ = ["ChannelStandardizer"]

_ORDINARY = 60
"""Channels with values up to 2^60 and down to 2^-60 are standardised as they are."""


@images_stay_arrays
class ChannelStandardizer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    r"""Subtract each channel's mean and divide by its standard deviation.

    :math:`z = (x - \mu_c) / \sigma_c` with the statistics of channel c over all pixels of
    all training samples (divisor n, not n - 1). A channel that is constant in training is
    only centred. A channel is an index of the last axis: of images (n, h, w, c) one colour,
    of rows (n, d) without `image_shape` one column, as in scikit-learn's `StandardScaler`.

    Parameters
    ----------
    image_shape : (int, int, int) or None, default=None
        (height, width, channels) as which the rows of a flat X are read; they are returned
        flat. Not needed if X comes as (n, h, w, c).

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (n_channels,), float64
        What is subtracted and divided by. Channels whose squares leave the dtype, at 1e160 or
        1e-170, are brought near to 1 before, by a power of two.
    n_features_in_ : int
        Features of a row; h * w * c for images.
    feature_names_in_ : ndarray of str
        If X has column names, all strings.

    Notes
    -----
    `set_output` makes tables of rows; images stay arrays, which no table can hold.

    uint8, float16 and float32 give float32; everything else float64, statistics always
    float64. Memory beyond the result: a thousand rows in float64.

    Examples
    --------
    >>> from ntkreg.data import load_digits_images
    >>> X, y = load_digits_images()
    >>> Z = ChannelStandardizer().fit_transform(X)
    >>> Z.shape, Z.dtype, abs(float(Z.mean())) < 1e-5, round(float(Z.std()), 4)
    ((1797, 8, 8, 1), dtype('float32'), True, 1.0)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {"image_shape": [tuple, list, None]}

    def __init__(self, *, image_shape: tuple[int, int, int] | None = None) -> None:
        self.image_shape = image_shape

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "ChannelStandardizer":
        """Compute means and standard deviations.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, h, w, c)
        y : None
            Ignored; there for pipelines.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            NaN, infinity, no samples, an `image_shape` that is not three integers >= 1.
        ShapeError
            `image_shape` that does not fit X.
        """
        rows = self._read(X, reset=True)
        pixels = rows.reshape(len(rows), -1, rows.shape[-1])  # (n, h w or 1, channels)
        count = pixels.shape[0] * pixels.shape[1]
        least, most = pixels.min(axis=(0, 1)), pixels.max(axis=(0, 1))
        unit = _unit_of(np.maximum(most, -least))
        total = sum(
            _times(part, -unit).sum(axis=(0, 1), dtype=np.float64) for part in batches(pixels)
        )
        mean = total / count
        # Two passes: the mean of squares less the square of the mean cancels.
        squares = sum(
            ((_times(part, -unit) - mean) ** 2).sum(axis=(0, 1)) for part in batches(pixels)
        )
        std = np.sqrt(squares / count)
        # Rounding of the mean makes std of a constant channel tiny, not zero.
        constant = (least == most) | (std == 0)
        self.mean_ = np.where(constant & (unit != 0), least, np.ldexp(mean, unit))
        # Of denormal values it may be less than the least number there is.
        scale = np.maximum(np.ldexp(std, unit), np.finfo(np.float64).smallest_subnormal)
        self.scale_ = np.where(constant, 1.0, scale)
        unit = np.where(constant, 0, unit)
        self.__dict__.pop("_in_units", None)
        if unit.any():
            means, scales = np.where(constant, self.mean_, mean), np.where(constant, 1.0, std)
            self._in_units = np.stack([unit, means, scales])
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Standardise new samples with the statistics of `fit`.

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
            NaN, infinity, samples of another shape than in `fit`, or so far from those that
            results overflow.
        """
        Z = np.array(self._read(X, reset=False), order="C")
        unit, mean, scale = self._statistics
        with np.errstate(over="ignore"):
            Z = _times(Z, -unit)
            Z -= mean.astype(Z.dtype)
            Z /= scale.astype(Z.dtype)
        return in_shape_of(X, refuse_infinite("ChannelStandardizer: standardised values", Z))

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Undo `transform`.

        Parameters
        ----------
        X : array-like of the shape of a sample seen in `fit`
            Standardised samples.

        Returns
        -------
        ndarray of the shape of X, float32 or float64

        Raises
        ------
        NotFittedError, ValueError
            As `transform`.
        """
        Z = np.array(self._read(X, reset=False), order="C")
        unit, mean, scale = self._statistics
        with np.errstate(over="ignore"):
            Z *= scale.astype(Z.dtype)
            Z += mean.astype(Z.dtype)
            Z = _times(Z, unit)
        return in_shape_of(X, refuse_infinite("ChannelStandardizer: values", Z))

    @property
    def _statistics(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Powers of two to divide by first, then means and standard deviations.

        ``_in_units`` (3, n_channels) is there only where such a power is needed.
        """
        if hasattr(self, "_in_units"):
            unit, mean, scale = self._in_units
            return unit.astype(int), mean, scale
        return np.zeros(len(self.mean_), int), self.mean_, self.scale_

    def _read(self, X: Any, *, reset: bool) -> np.ndarray:
        """Check X and return it as float (n, ..., channels)."""
        rows, seen = read_rows(self, X, reset=reset)
        shape = self._sample_shape(rows.shape[1], seen)
        if not reset and shape[-1] != len(self.mean_):
            raise ShapeError(
                f"ChannelStandardizer: X has {shape[-1]} channels, but it was fitted on "
                f"{len(self.mean_)}. Give X in the shape it had in fit, or set image_shape."
                f"{channels_first_hint(shape)}"
            )
        return rows.reshape(len(rows), *shape)

    def _sample_shape(self, n_features: int, seen: tuple[int, ...] | None) -> tuple[int, ...]:
        asked = self.image_shape
        if asked is None:
            return (n_features,) if seen is None else seen
        if len(asked) != 3 or not all(isinstance(s, Integral) and s > 0 for s in asked):
            raise ValueError(
                "The 'image_shape' parameter of ChannelStandardizer must be three integers "
                f">= 1, (height, width, channels), or None. Got {asked!r} instead."
            )
        if seen not in (None, tuple(asked)) or math.prod(asked) != n_features:
            raise ShapeError(
                f"ChannelStandardizer: image_shape={tuple(asked)} needs rows of "
                f"{math.prod(asked)} features; got "
                f"{f'{n_features} features' if seen is None else f'images of shape {seen}'}."
                f"{channels_first_hint(seen or ())}"
            )
        return tuple(asked)


def _unit_of(largest: np.ndarray) -> np.ndarray:
    """Return powers of two by which to divide channels first; 0 for values of ordinary size."""
    _, k = np.frexp(largest)
    return np.where((np.abs(k) > _ORDINARY) & (largest > 0), k, 0)


def _times(values: np.ndarray, power: np.ndarray) -> np.ndarray:
    """Return values times 2^power, channel by channel; themselves where all powers are 0."""
    return np.ldexp(values, power) if power.any() else values
