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


QUANTITIES: dict[str, Quantity] = {"estimate": estimate, "errors": errors, "missed": missed}
