"""What the rows of the precision study say of each dtype's errors."""

import pandas as pd

__all__ = ["DTYPES", "error_ratios", "least_eigenvalues", "safe_alphas"]

DTYPES = ("float32", "mixed", "float64")
"""In the order of the tables; float64 is what the others are compared with."""


def error_ratios(rows: pd.DataFrame, quantity: str) -> pd.Series:
    """Return float32's error over mixed's by network, get, case and alpha, where both are known.

    Parameters
    ----------
    rows : DataFrame
        As `run_precision` returns them.
    quantity : str
        Column of an error.
    """
    index = ["network", "get", "case", "alpha"]
    both = rows.pivot_table(index=index, columns="dtype", values=quantity)
    if "mixed" not in both:
        return pd.Series(dtype=float)
    return (both.float32 / both.mixed).dropna()


def safe_alphas(rows: pd.DataFrame, tolerance: float) -> pd.DataFrame:
    """Return from which alpha on predictions are float64's, for each kernel, case and dtype.

    Parameters
    ----------
    rows : DataFrame
        As `run_precision` returns them.
    tolerance : float
        Greatest relative_error. It bounds what errors of the Gram do whatever the labels are;
        the differences of predictions are those of these labels.

    Returns
    -------
    DataFrame
        Columns network, get, case, dtype, n, min_eigenvalue, negative, max_error, norm_error
        and alpha: the least of the alphas from which on every one can be solved and keeps
        within the tolerance; NaN if not even the greatest does.
    """
    lines = []
    for keys, group in rows.groupby(["network", "get", "case", "dtype"], sort=False):
        ordered = group.sort_values("alpha", ascending=False)
        within = (ordered.relative_error <= tolerance) & ordered.residual.notna()
        good = within.cumprod().astype(bool)
        of_gram = ordered.iloc[0][["n", "min_eigenvalue", "negative", "max_error", "norm_error"]]
        least = ordered.alpha[good].min() if good.any() else float("nan")
        names = ("network", "get", "case", "dtype")
        lines.append({**dict(zip(names, keys, strict=True)), **of_gram, "alpha": least})
    return pd.DataFrame(lines)


def least_eigenvalues(rows: pd.DataFrame, get: str, case: str) -> pd.DataFrame:
    """Return the least eigenvalue of each network's Gram over its mean diagonal, by dtype."""
    own = rows[(rows["get"] == get) & (rows.case == case) & (rows.alpha == rows.alpha.min())]
    return own.pivot(index="network", columns="dtype", values="min_eigenvalue")
