"""What remarks quote of the few-samples study."""

import pandas as pd

from ntkreg.errors import SpecError
from ntkreg.report.shared.kept import KeptStudy
from ntkreg.report.shared.remarks import Quantity
from ntkreg.report.shared.tables import markdown_table
from ntkreg.studies.few_samples.summary import published_on
from ntkreg.studies.shared.intervals import Interval, mean_interval

__all__ = ["QUANTITIES"]


def mean(study: KeptStudy, get: str, n: str, depth: str = "") -> str:
    """Return mean accuracy ± its error, of the greatest depth unless one is given."""
    row = _summary(study, get, n, depth)
    return f"{row['mean']:.1f} ± {row.mean_error:.1f}"


def error_of_test(study: KeptStudy, get: str, n: str, depth: str = "") -> str:
    """Return the standard error from the choice of test images."""
    return f"{_summary(study, get, n, depth).test_error:.1f}"


def largest(study: KeptStudy, depth: str, rank: str) -> str:
    """Return where the NTK of a depth is farthest from the published one, and how far."""
    comparison = study.table("comparison")
    own = comparison[(comparison["get"] == "ntk") & (comparison.depth == int(depth))]
    own = own[own.reading == "convolutions"]
    row = own.loc[own.difference.abs().nlargest(int(rank)).index[-1]]
    return f"{row.difference:.2f} points at n = {row.n}"


def paired(study: KeptStudy, other: str) -> str:
    """Return a table of this study less another one on the same draws, by n."""
    ours, theirs = (_by_draw(each) for each in (study, study.sibling(other)))
    less = (ours - theirs).loc[ours.index]
    if less.isna().any():
        raise SpecError(f"remarks: paired: {other} lacks some of the draws of {study.stem.name}.")
    gets, sizes = ("ntk", "nngp"), less.index.unique("n")
    cells = {
        get.upper(): [
            _signed(mean_interval(less.xs(get, level="get").xs(n, level="n"))) for n in sizes
        ]
        for get in gets
    }
    return markdown_table(pd.DataFrame({"n": sizes, **cells})).rstrip()


def _by_draw(study: KeptStudy) -> pd.Series:
    """Return the accuracies of a study of one depth, by kernel, n and draw."""
    rows = study.table("rows")
    if rows.depth.nunique() != 1:
        raise SpecError(f"remarks: paired: {study.stem.name} must be of one depth; it has several.")
    return rows.set_index(["get", "n", "draw"]).accuracy


def gain(study: KeptStudy, get: str, n: str, before: str, after: str) -> str:
    """Return what one depth has more than another, in points."""
    return f"{_gain(study, get, n, before, after).estimate:+.1f}"


def gain_interval(study: KeptStudy, get: str, n: str, before: str, after: str) -> str:
    """Return its 95 % interval over draws."""
    found = _gain(study, get, n, before, after)
    return f"{found.low:+.1f} .. {found.high:+.1f}"


def step_interval(study: KeptStudy, get: str, n: str, before: str, after: str) -> str:
    """Return the interval of a step in depth, with draws, pool and test images."""
    steps = study.table("steps")
    own = steps[(steps["get"] == get) & (steps.n == int(n))]
    [row] = own[(own.depth_before == int(before)) & (own.depth == int(after))].itertuples()
    return f"{row.low:+.2f} .. {row.high:+.2f}"


def published(study: KeptStudy) -> str:
    """Return the published accuracies by depth."""
    return ", ".join(f"{row.accuracy:.2f}" for row in _published(study))


def published_step(study: KeptStudy, before: str, after: str) -> str:
    """Return the published step in depth."""
    by_depth = {str(row.depth): row.accuracy for row in _published(study)}
    return f"{by_depth[after] - by_depth[before]:+.2f}"


def _published(study: KeptStudy) -> tuple:
    return published_on(study.config())[0]


def _summary(study: KeptStudy, get: str, n: str, depth: str) -> pd.Series:
    summary = study.table("summary")
    wanted = int(depth) if depth else summary.depth.max()
    own = summary[(summary["get"] == get) & (summary.n == int(n)) & (summary.depth == wanted)]
    return own.iloc[0]


def _gain(study: KeptStudy, get: str, n: str, before: str, after: str) -> Interval:
    rows = study.table("rows")
    own = rows[(rows["get"] == get) & (rows.n == int(n))]
    draws = own.pivot_table(index="draw", columns="depth", values="accuracy")
    return mean_interval(draws[int(after)] - draws[int(before)])


def _signed(found: Interval) -> str:
    return f"{found.estimate:+.1f} ({found.low:+.1f} .. {found.high:+.1f})"


QUANTITIES: dict[str, Quantity] = {
    "mean": mean,
    "test-error": error_of_test,
    "largest": largest,
    "paired": paired,
    "gain": gain,
    "gain-interval": gain_interval,
    "step-interval": step_interval,
    "published": published,
    "published-step": published_step,
}
