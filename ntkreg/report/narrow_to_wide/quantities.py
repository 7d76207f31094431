"""What of a width study and of a landscape study stands side by side, by width."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ntkreg.errors import DataError
from ntkreg.report.shared.read import StudyFolder
from ntkreg.studies.shared.intervals import mean_interval

__all__ = ["GROUPS", "joined"]

GROUPS = ("surface", "features", "trajectory", "prediction")
"""From what is walked on to what comes of it."""

_FLOOR = 1e-12


class _Quantity(NamedTuple):
    """A quantity of a landscape study: `at` is which level, "first", "last" or the "end"."""

    group: str
    label: str
    key: str
    at: str
    mean: bool = False


_LANDSCAPE = (
    _Quantity("surface", "largest curvature, off the kernel's", "kernel_distance", "last"),
    _Quantity("surface", "share of negative curvature, early", "negative_share", "first"),
    _Quantity("surface", "straight barrier", "barrier_straight", "end", True),
    _Quantity("surface", "barrier along a Bezier curve", "barrier_bezier", "end", True),
    _Quantity("features", "rank over points", "rank_share", "end", True),
    _Quantity("trajectory", "distance from the start", "weight_change", "end"),
    _Quantity("trajectory", "gradient noise of batches, early", "batch_noise", "first"),
    _Quantity("prediction", "left-out residual, off the kernel's", "left_out_apart", "end"),
    _Quantity("prediction", "test loss", "test_loss", "end"),
)

_WIDTHS = (
    ("features", "change of the NTK", "ntk_drift"),
    ("features", "change of the features' kernel", "feature_drift"),
    ("trajectory", "change of the weights", "weights_all"),
    ("trajectory", "gap to linearised training", "linear_gap"),
    ("prediction", "squared gap to the kernel's prediction", "prediction_gap"),
)


def joined(widths: StudyFolder, landscape: StudyFolder) -> tuple[int, pd.DataFrame]:
    """Return the depth that both studies have, and a line a quantity and width.

    Columns group, study, quantity, width, value, low, high: means over starts (geometric but for
    barriers and ranks) with 95 % intervals. Of networks in the NTK parametrisation.

    Raises
    ------
    DataError
        If a file is missing, or both have no depth in common.
    """
    summary = widths.table("summary")
    summary = summary[summary.parametrization == "ntk"]
    rows = landscape.table("rows")
    rows = rows[rows.part == "grid"]
    depths = sorted(set(summary.depth) & set(rows.depth))
    if not depths:
        raise DataError(
            f"report: {widths.path} and {landscape.path} have no depth in common (networks of "
            f"{sorted(set(summary.depth))} and {sorted(set(rows.depth))} hidden layers in the "
            "parametrisation ntk). Run one of them with a depth of the other's."
        )
    depth = int(depths[0])
    lines = [
        *_of_landscape(landscape, rows[rows.depth == depth], depth),
        *_of_widths(summary[summary.depth == depth]),
    ]
    order = {group: k for k, group in enumerate(GROUPS)}
    return depth, pd.DataFrame(lines).sort_values(
        "group", key=lambda g: g.map(order), kind="stable"
    )


def _of_landscape(study: StudyFolder, rows: pd.DataFrame, depth: int) -> Iterator[dict[str, Any]]:
    levels = study.config()["levels"]
    level = {"first": max(levels), "last": min(levels), "end": 0.0}
    limit = study.record()["kernel_eigenvalues"][str(depth)]
    far = rows[rows.quantity == "lambda_max"]
    distance = (far.value / limit - 1).abs()
    rows = pd.concat([rows, far.assign(quantity="kernel_distance", value=distance)])
    for q in _LANDSCAPE:
        own = rows[(rows.quantity == q.key) & (rows.level == level[q.at])]
        for width, each in own.groupby("width").value:
            found = mean_interval(each if q.mean else np.log(np.maximum(each, _FLOOR)))
            ends = np.array([found.estimate, found.low, found.high])
            yield _line(q.group, "landscape", q.label, width, ends if q.mean else np.exp(ends))


def _of_widths(summary: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for group, label, key in _WIDTHS:
        for row in summary[summary.quantity == key].sort_values("width").itertuples():
            factor = np.exp(1.96 * row.log_error)
            ends = np.array([row.value, row.value / factor, row.value * factor])
            yield _line(group, "widths", label, row.width, ends)


def _line(group: str, study: str, label: str, width: Any, ends: np.ndarray) -> dict[str, Any]:
    value, low, high = map(float, ends)
    return {
        "group": group,
        "study": study,
        "quantity": label,
        "width": int(width),
        "value": value,
        "low": low,
        "high": high,
    }
