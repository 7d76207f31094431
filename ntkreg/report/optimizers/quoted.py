"""What remarks quote of the optimiser study."""

import pandas as pd

from ntkreg.report.shared.kept import KeptStudy
from ntkreg.report.shared.remarks import Quantity

__all__ = ["QUANTITIES"]


def estimates(study: KeptStudy, quantity: str, subjects: str) -> str:
    """Return the range of a quantity's estimates over some optimisers."""
    found = [_verdict(study, quantity, s).estimate for s in subjects.split(", ")]
    return f"{min(found):.2f} to {max(found):.2f}"


def estimate(study: KeptStudy, quantity: str, subject: str) -> str:
    """Return an estimate with its interval."""
    row = _verdict(study, quantity, subject)
    return f"{row.estimate:.4g} ({row.low:.4g} .. {row.high:.4g})"


def loss_below(study: KeptStudy) -> str:
    """Return how far runs of sgd end below gradient descent's training loss, in percent."""
    return f"{-_losses_apart(study).min():.1f}"


def loss_above(study: KeptStudy) -> str:
    """Return how far above."""
    return f"{_losses_apart(study).max():.1f}"


def _losses_apart(study: KeptStudy) -> pd.Series:
    runs = study.table("runs")
    own = runs[(runs.optimizer == "gradient_descent") & (runs.width == study.record()["width"])]
    both = study.table("batches").merge(own[own.labels == "correct"], on="seed")
    return 100 * (both.train_loss_x / both.train_loss_y - 1)


def _verdict(study: KeptStudy, quantity: str, subject: str) -> pd.Series:
    verdicts = study.table("verdicts")
    own = verdicts[(verdicts.quantity == quantity) & (verdicts.subject == subject)]
    return own.iloc[0]


QUANTITIES: dict[str, Quantity] = {
    "estimates": estimates,
    "estimate": estimate,
    "loss-below": loss_below,
    "loss-above": loss_above,
}
