"""From measured networks to points a width, slopes and verdicts."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ntkreg.studies.widths.quantities import EXPECTATIONS, QUANTITIES
from ntkreg.studies.widths.slopes import fit_limit, fit_slope, judge

if TYPE_CHECKING:  # tables are made again where no kernel is computed
    from ntkreg.studies.widths.task import Ensemble

__all__ = ["ensemble_points", "kernel_points", "limit_table", "slope_table", "spread_points"]

GROUP = ["depth", "parametrization"]


def spread_points(rows: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the point of each depth, parametrisation, width and measured quantity.

    A quantity that is not known of every network (training diverged, or the linearisation
    has no stable training) has no point at that width: the starts left would be a choice.
    """
    for group, part in rows.groupby([*GROUP, "width"]):
        trained = part[part.trained == 1]
        for key, quantity in QUANTITIES.items():
            if key not in part or part[key].isna().all():
                continue
            v = (part if quantity.at_start else trained)[key].to_numpy(float)
            if quantity.reduce == "geometric":
                mean, error = _mean(np.log(v))
                yield _point(group, key, float(np.exp(mean)), error, v)
            else:
                mean, error = _mean(v)
                yield _point(group, key, mean, error / mean if mean > 2 * error else np.nan, v)


def kernel_points(
    group: tuple[int, str, int], name: str, kernels: np.ndarray, limit: np.ndarray
) -> Iterator[dict[str, Any]]:
    r"""Yield bias and fluctuation of a kernel at the start.

    With :math:`D_s = K_s - K` of start s, :math:`\|E K_s - K\|^2` is the mean of
    :math:`\langle D_s, D_{s'} \rangle` over pairs of different starts, without bias; the
    rest of the mean of :math:`\|D_s\|^2` is fluctuation. Errors are the jackknife's.

    Parameters
    ----------
    group : (depth, parametrization, width)
    name : str
    kernels : ndarray (n_seeds, n, n)
    limit : ndarray (n, n)
        The analytic kernel; everything is relative to its Frobenius norm.
    """
    D = (kernels - limit).reshape(len(kernels), -1) / np.linalg.norm(limit)
    bias, squares = _pair_means(D @ D.T)
    for key, values in (("bias", bias), ("fluctuation", squares - bias)):
        square, error = _jackknife(values)
        # Where the square is not told from zero there is no logarithm.
        log_error = error / (2 * square) if square > 2 * error else np.nan
        value = np.sign(square) * np.sqrt(abs(square))
        yield _point(group, f"{name}_{key}", value, log_error, np.full(len(D), np.nan))


def ensemble_points(
    group: tuple[int, str, int], outputs: np.ndarray, formulas: "dict[str, Ensemble]"
) -> Iterator[dict[str, Any]]:
    """Yield how far mean and variance over starts are from the formulas' at one width.

    Parameters
    ----------
    group : (depth, parametrization, width)
    outputs : ndarray (n_seeds, m)
        Of the test inputs after training.
    formulas : dict of str to Ensemble

    Yields
    ------
    dict
        For each formula ``mean``, the squared distance of the means over the formula's
        variance (without bias; may be below zero), and ``variance``, the variance over the
        formula's; both over all test inputs, with jackknife errors.
    """
    depth, parametrization, width = group
    for name, formula in formulas.items():
        total = formula.variance.sum()
        D = (outputs - formula.mean) / np.sqrt(total)
        gap, squares = _pair_means(D @ D.T)
        for key, values in (("mean", gap), ("variance", squares - gap)):
            value, error = _jackknife(values)
            yield {
                "depth": depth,
                "parametrization": parametrization,
                "width": width,
                "formula": name,
                "moment": key,
                "n_seeds": len(outputs),
                "value": value,
                "error": error,
            }


def slope_table(summary: pd.DataFrame) -> pd.DataFrame:
    """Return one line for each expectation that the points of a summary can be held against."""
    lines = []
    for (depth, parametrization), part in summary.groupby(GROUP):
        for e in EXPECTATIONS:
            points = part[part.quantity == e.quantity].sort_values("width")
            if e.parametrization != parametrization or not len(points):
                continue
            if not e.least_depth <= depth <= e.most_depth:
                continue
            columns = (points[c].to_numpy() for c in ("width", "value", "log_error", "n_seeds"))
            fit = fit_slope(*columns)
            lines.append(
                {
                    "depth": depth,
                    "parametrization": parametrization,
                    "quantity": e.quantity,
                    "expected": e.slope,
                    "kind": e.kind,
                    "source": e.source,
                    **_columns(fit, "slope"),
                    "verdict": judge(fit, e.slope, e.kind),
                }
            )
    return pd.DataFrame(lines)


def limit_table(ensembles: pd.DataFrame) -> pd.DataFrame:
    """Return limits of the ensembles' moments at infinite width, with verdicts.

    The NTK-GP's must be met: distance 0, ratio of variances 1. The NNGP's posterior must
    not. Of the NNGP that stops in time nothing is claimed: it has no verdict.
    """
    lines = []
    keys = [*GROUP, "formula", "moment"]
    for group, points in ensembles.groupby(keys, sort=False):
        points = points.sort_values("width")
        fit = fit_limit(*(points[c].to_numpy() for c in ("width", "value", "error", "n_seeds")))
        expected = {"mean": 0.0, "variance": 1.0}[group[3]]
        kind = {"ntk": "value", "nngp": "differs"}.get(group[2], "none")
        lines.append(
            dict(zip(keys, group, strict=True))
            | {"expected": expected, "kind": kind}
            | _columns(fit, "limit")
            | {"verdict": "" if kind == "none" else judge(fit, expected, kind)}
        )
    return pd.DataFrame(lines)


def _columns(fit: Any, name: str) -> dict[str, Any]:
    return {
        name: fit.value,
        "low": fit.low,
        "high": fit.high,
        "correction": fit.correction,
        "probability": fit.probability,
        "first_width": fit.first_width,
        "last_width": fit.last_width,
        "n_widths": fit.n_widths,
    }


def _point(
    group: Sequence[Any], key: str, value: float, log_error: float, v: np.ndarray
) -> dict[str, Any]:
    """Return a line of the summary: value, standard error of its log, spread over starts."""
    return {
        "depth": group[0],
        "parametrization": group[1],
        "width": group[2],
        "quantity": key,
        "n_seeds": len(v),
        "value": value,
        "log_error": log_error,
        "std": float(np.std(v, ddof=1)),
    }


def _mean(v: np.ndarray) -> tuple[float, float]:
    return float(v.mean()), float(v.std(ddof=1) / np.sqrt(len(v)))


def _pair_means(G: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return means of products G over pairs of different starts, and of squares.

    Entry 0 is over all starts, entry 1 + s leaves start s out. With two starts nothing is
    left of pairs: NaN.
    """
    S, rows, squares = len(G), G.sum(axis=1), np.diagonal(G)
    pairs = rows.sum() - squares.sum()
    without = pairs - 2 * (rows - squares)
    fewer = (S - 1) * (S - 2)
    left_out = without / fewer if fewer else np.full(S, np.nan)
    return (
        np.concatenate([[pairs / (S * (S - 1))], left_out]),
        np.concatenate([[squares.mean()], (squares.sum() - squares) / (S - 1)]),
    )


def _jackknife(values: np.ndarray) -> tuple[float, float]:
    """Return the value over all starts and its standard error (Efron and Stein 1981)."""
    left_out = values[1:]
    S = len(left_out)
    error = np.sqrt((S - 1) / S * np.square(left_out - left_out.mean()).sum())
    return float(values[0]), float(error)
