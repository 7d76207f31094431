"""Tables of how the tuned kernels of a comparison look, out of the values that were kept."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from ntkreg.studies.compare.geometry import (
    alignment,
    centred,
    decay,
    effective_dimension,
    participation,
    spectrum,
    target_kernel,
)

__all__ = ["ALPHA", "kernel_tables"]

ALPHA = 0.01
"""Ridge, in mean diagonals, of the effective dimension."""


def kernel_tables(
    kernels: Iterator[tuple[str, Mapping[str, tuple[np.ndarray, np.ndarray]]]],
) -> dict[str, pd.DataFrame]:
    """Compare the kernels of each data set, all on the same rows, and sum up over data sets.

    Parameters
    ----------
    kernels : iterator of (set, mapping of model to (K, y))

    Returns
    -------
    dict of DataFrame
        "geometry": set, model, n, target_alignment, effective_dimension (at `ALPHA`),
        participation, decay. "alignments": set, first, second, cka. "alike": first, second,
        n_sets, mean, lower, median, upper (quartiles), least of the cka. "spectra":
        model, k, n_sets, lower, median, upper (quartiles over sets of the k-th eigenvalue over
        the first). "shapes": model, n_sets, and the medians of "geometry". All of kernels after
        centring.
    """
    shapes, pairs, spectra = [], [], []
    for name, found in kernels:
        centres = {model: centred(K) for model, (K, _) in found.items()}
        for model, K in centres.items():
            values = spectrum(K)
            shapes.append(
                {"set": name, "model": model, "n": len(K)} | _shape(K, values, found[model][1])
            )
            spectra += [(name, model, k, v) for k, v in _decay_points(values)]
        for first, second in combinations(centres, 2):
            pairs.append((name, first, second, alignment(centres[first], centres[second])))
    columns = [
        "set",
        "model",
        "n",
        "target_alignment",
        "effective_dimension",
        "participation",
        "decay",
    ]
    geometry = pd.DataFrame(shapes, columns=columns)
    alignments = pd.DataFrame(pairs, columns=["set", "first", "second", "cka"])
    points = pd.DataFrame(spectra, columns=["set", "model", "k", "value"])
    return {
        "geometry": geometry,
        "alignments": alignments,
        "alike": _alike(alignments),
        "spectra": _quartiles(points),
        "shapes": geometry.groupby("model", sort=False)[columns[3:]]
        .median()
        .assign(n_sets=geometry.groupby("model", sort=False).size())
        .reset_index(),
    }


def _shape(K: np.ndarray, values: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    return {
        "target_alignment": alignment(K, centred(target_kernel(y))),
        "effective_dimension": effective_dimension(values, ALPHA),
        "participation": participation(values),
        "decay": decay(values),
    }


def _decay_points(values: np.ndarray) -> Iterator[tuple[int, float]]:
    """Yield k and the k-th eigenvalue over the first, at powers of two that n - 1 allows."""
    k = 1
    while k < len(values) and values[0] > 0:
        yield k, float(values[k - 1] / values[0])
        k *= 2


def _alike(alignments: pd.DataFrame) -> pd.DataFrame:
    lines = []
    for (first, second), group in alignments.groupby(["first", "second"], sort=False):
        cka = group.cka.dropna()
        lower, median, upper = cka.quantile((0.25, 0.5, 0.75))
        lines.append((first, second, len(cka), cka.mean(), lower, median, upper, cka.min()))
    names = ["first", "second", "n_sets", "mean", "lower", "median", "upper", "least"]
    return pd.DataFrame(lines, columns=names)


def _quartiles(points: pd.DataFrame) -> pd.DataFrame:
    lines = []
    for (model, k), group in points.groupby(["model", "k"], sort=False):
        lower, median, upper = np.percentile(group.value, (25, 50, 75))
        lines.append((model, k, len(group), lower, median, upper))
    return pd.DataFrame(lines, columns=["model", "k", "n_sets", "lower", "median", "upper"])
