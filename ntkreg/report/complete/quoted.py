"""What remarks quote of the completion study."""

from ntkreg.report.shared.kept import KeptStudy
from ntkreg.report.shared.remarks import Quantity

__all__ = ["QUANTITIES"]


def estimate(study: KeptStudy, subject: str, quantity: str) -> str:
    """Return an estimate of the verdicts with its interval."""
    verdicts = study.table("verdicts")
    row = verdicts[(verdicts.subject == subject) & (verdicts.quantity == quantity)].iloc[0]
    return f"{row.estimate:.3g} ({row.low:.3g} .. {row.high:.3g})"


def errors(study: KeptStudy, rank: str, n_seen: str, depth: str, init_scale: str = "0.001") -> str:
    """Return the least and the greatest error of gradient descent; depth 0: nuclear norm."""
    rows = study.table("rows")
    chosen = (rows["rank"] == int(rank)) & (rows.n_seen == int(n_seen))
    chosen &= rows.depth == int(depth)
    if int(depth):
        chosen &= (rows.init_scale == float(init_scale)) & (rows.optimizer == "gd")
    found = rows[chosen].error
    if found.empty:
        raise ValueError("no such runs")
    return f"{found.min():.2g} to {found.max():.2g}"


QUANTITIES: dict[str, Quantity] = {"estimate": estimate, "errors": errors}
