"""What remarks quote of the completion study."""

import pandas as pd

from ntkreg.report.shared.kept import KeptStudy
from ntkreg.report.shared.remarks import Quantity

__all__ = ["QUANTITIES"]


def estimate(study: KeptStudy, subject: str, quantity: str) -> str:
    """Return an estimate of the verdicts with its interval."""
    verdicts = study.table("verdicts")
    row = verdicts[(verdicts.subject == subject) & (verdicts.quantity == quantity)].iloc[0]
    return f"{row.estimate:.3g} ({row.low:.3g} .. {row.high:.3g})"


def errors(study: KeptStudy, rank: str, n_seen: str, depth: str, *how: str) -> str:
    """Return the least and the greatest error, of runs as `_chosen` takes them."""
    found = _chosen(study, rank, n_seen, depth, *how).error
    return f"{found.min():.2g} to {found.max():.2g}"


def missed(study: KeptStudy, rank: str, n_seen: str, depth: str, *how: str) -> str:
    """Return how many runs did not come to their loss, of how many."""
    found = _chosen(study, rank, n_seen, depth, *how)
    return f"{(found.outcome != 'reached').sum()} of {len(found)}"


def _chosen(
    study: KeptStudy, rank: str, n_seen: str, depth: str,
    init_scale: str = "0.001", optimizer: str = "gd",
) -> pd.DataFrame:  # fmt: skip
    """Return the rows of all instances; depth 0: of the nuclear norm."""
    rows = study.table("rows")
    chosen = (rows["rank"] == int(rank)) & (rows.n_seen == int(n_seen))
    chosen &= rows.depth == int(depth)
    if int(depth):
        chosen &= (rows.init_scale == float(init_scale)) & (rows.optimizer == optimizer)
    if not chosen.any():
        raise ValueError("no such runs")
    return rows[chosen]


EXPECTED = {
    "5; 1000; 0": ".50 to .55",
    "5; 1000; 2": ".62 to .63",
    "5; 1000; 3": "1.1 to 1.2",
    "5; 1500; 0": ".18 to .21",
    "5; 1500; 2": ".23 to .25",
    "5; 1500; 3": "7e-5 to 3e-4",
    "5; 2000; 0": ".034 to .048",
    "5; 2000; 2": ".041 to .043",
    "5; 2000; 2; 1e-6": ".006 to .015",
    "5; 2000; 2; 0.001; gd_long": ".06 to .10",
    "5; 2000; 2; 1e-6; gd_long": ".006 to .015",
    "5; 2000; 3": "2e-5 to 3e-5",
    "5; 2000; 3; 0.001; sgd": "1.7e-5",
    "5; 2000; 3; 0.001; group_rmsprop": "1.7e-5",
    "5; 2000; 3; 0.001; adam": "2.1e-3",
    "5; 2000; 3; 0.001; adagrad": ".78",
    "5; 2000; 2; 0.001; adam": ".25",
    "5; 3000; 0": "0 to 2e-4",
    "5; 3000; 2": ".001 to .002",
    "5; 3000; 3": "8e-6",
    "10; 2000; 0": ".34 to .41",
    "10; 2000; 2": ".34 to .41",
    "10; 2000; 3": ".45 to 1.1",
    "10; 2500; 0": ".18 to .21",
    "10; 2500; 2": ".14 to .20",
    "10; 2500; 3": "9e-5 to 1.4e-4",
}
"""Errors that smaller studies, of one to three instances, ended with; by the words of `errors`."""


def expected(study: KeptStudy, *words: str) -> str:
    """Return what smaller studies led to expect of `errors`."""
    return EXPECTED["; ".join(words)]


QUANTITIES: dict[str, Quantity] = {
    "estimate": estimate,
    "errors": errors,
    "expected": expected,
    "missed": missed,
}
