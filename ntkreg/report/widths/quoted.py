"""What remarks quote of the width study."""

import pandas as pd

from ntkreg.report.shared.kept import KeptStudy
from ntkreg.report.shared.remarks import Quantity, in_words
from ntkreg.studies.widths.slopes import RESOLUTION

__all__ = ["QUANTITIES"]


def slope(study: KeptStudy, quantity: str, parametrization: str, depth: str) -> str:
    """Return a slope."""
    return f"{_slope(study, quantity, parametrization, depth).slope:.2f}"


def slope_interval(study: KeptStudy, quantity: str, parametrization: str, depth: str) -> str:
    """Return its 95 % interval."""
    return _span(_slope(study, quantity, parametrization, depth), ".2f")


def limit(study: KeptStudy, formula: str, moment: str, depth: str) -> str:
    """Return a limit at infinite width."""
    return f"{_limit(study, formula, moment, depth).limit:.3f}"


def limit_interval(study: KeptStudy, formula: str, moment: str, depth: str) -> str:
    """Return its 95 % interval."""
    return _span(_limit(study, formula, moment, depth), ".3f")


def disagreeing(study: KeptStudy) -> str:
    """Return how many rows disagree with theory."""
    verdicts = pd.concat([study.table("slopes").verdict, study.table("limits").verdict])
    return in_words(int((verdicts == "disagrees").sum()))


def resolution(study: KeptStudy, times: str = "1") -> str:
    """Return half the length of an interval above which nothing is decided, or a multiple."""
    value = int(times) * RESOLUTION
    return f"{value:.2f}" if int(times) > 1 else f"{value}"


def open_at_start(study: KeptStudy) -> str:
    """Return how many slopes at the start are resolved and undecided."""
    return in_words(len(_open_at_start(study)))


def open_lengths(study: KeptStudy) -> str:
    """Return the range of the lengths of their intervals."""
    # Of intervals as the table has them.
    own = _open_at_start(study).round({"low": 2, "high": 2})
    lengths = own.high - own.low
    return f"{lengths.min():.2f} to {lengths.max():.2f}"


def time_ratio(study: KeptStudy, other: str) -> str:
    """Return the range of a network's time over another's, by width and parametrisation."""
    mine, theirs = (
        rows[rows.trained == 1].groupby(["parametrization", "width"]).seconds.median()
        for rows in (study.table("rows"), study.sibling(other).table("rows"))
    )
    ratio = (mine / theirs).dropna()
    return f"{ratio.min():.1f} to {ratio.max():.1f}"


def _slope(study: KeptStudy, quantity: str, parametrization: str, depth: str) -> pd.Series:
    slopes = study.table("slopes")
    own = slopes[(slopes.quantity == quantity) & (slopes.parametrization == parametrization)]
    return own[own.depth == int(depth)].iloc[0]


def _limit(study: KeptStudy, formula: str, moment: str, depth: str) -> pd.Series:
    limits = study.table("limits")
    own = limits[(limits.formula == formula) & (limits.moment == moment)]
    return own[own.depth == int(depth)].iloc[0]


def _open_at_start(study: KeptStudy) -> pd.DataFrame:
    slopes = study.table("slopes")
    start = slopes.quantity.str.startswith(("nngp_", "ntk_")) & (slopes.quantity != "ntk_drift")
    return slopes[start & (slopes.n_widths > 0) & (slopes.verdict == "undecided")]


def _span(row: pd.Series, form: str) -> str:
    return f"{row.low:{form}} .. {row.high:{form}}"


QUANTITIES: dict[str, Quantity] = {
    "slope": slope,
    "slope-interval": slope_interval,
    "limit": limit,
    "limit-interval": limit_interval,
    "disagreeing": disagreeing,
    "resolution": resolution,
    "open-at-start": open_at_start,
    "open-lengths": open_lengths,
    "time-ratio": time_ratio,
}
