"""What remarks quote of the landscape study."""

from ntkreg.report.landscape.tables import count_sentence
from ntkreg.report.shared.kept import KeptStudy
from ntkreg.report.shared.remarks import Quantity

__all__ = ["QUANTITIES"]


def estimate(study: KeptStudy, subject: str, quantity: str) -> str:
    """Return an estimate of the verdicts with its interval."""
    verdicts = study.table("verdicts")
    row = verdicts[(verdicts.subject == subject) & (verdicts.quantity == quantity)].iloc[0]
    return f"{row.estimate:.3g} ({row.low:.3g} .. {row.high:.3g})"


def counts(study: KeptStudy) -> str:
    """Return how many rows agree, disagree and are undecided."""
    return count_sentence(study.table("verdicts"))


QUANTITIES: dict[str, Quantity] = {"estimate": estimate, "counts": counts}
