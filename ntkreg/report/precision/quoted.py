"""What remarks quote of the precision study."""

import pandas as pd

from ntkreg.errors import SpecError
from ntkreg.report.shared.kept import KeptStudy
from ntkreg.report.shared.remarks import Quantity
from ntkreg.studies.precision.errors import error_ratios, least_eigenvalues

__all__ = ["QUANTITIES"]


def error_range(study: KeptStudy, get: str, networks: str) -> str:
    """Return the range of float32's relative error over mixed's without copies."""
    rows = study.table("rows")
    ratio = error_ratios(rows[rows.case != "copies"], "relative_error").xs(get, level="get")
    own = ratio[ratio.index.get_level_values("network").isin(networks.split(", "))]
    return f"{own.min():.1f} to {own.max():.{0 if own.max() >= 10 else 1}f}"


def eigenvalue_range(study: KeptStudy, get: str, case: str, networks: str) -> str:
    """Return the range of least eigenvalues, over the mean diagonal, in float64."""
    least = _least(study, get, case, networks).float64
    return f"{least.min():.1e} to {least.max():.1e}"


def eigenvalue_error(study: KeptStudy, get: str, case: str, networks: str) -> str:
    """Return how far mixed's least eigenvalue is from float64's at most, in percent."""
    least = _least(study, get, case, networks)
    return f"{100 * (least.mixed / least.float64 - 1).abs().max():.1f}"


def safe(study: KeptStudy, alpha: str) -> str:
    """Return a ridge at which no relative error exceeds the tolerance in any dtype."""
    rows = study.table("rows")
    worst = rows[rows.alpha == float(alpha)].relative_error.max()
    if not worst <= study.record()["tolerance"]:
        raise SpecError(f"remarks: a ridge of {alpha} is not safe; relative errors reach {worst}.")
    return alpha


def _least(study: KeptStudy, get: str, case: str, networks: str) -> pd.DataFrame:
    return least_eigenvalues(study.table("rows"), get, case).loc[networks.split(", ")]


QUANTITIES: dict[str, Quantity] = {
    "error-range": error_range,
    "eigenvalue-range": eigenvalue_range,
    "eigenvalue-error": eigenvalue_error,
    "safe": safe,
}
