"""What remarks quote of trained networks beside their kernel."""

import pandas as pd

from ntkreg.report.shared.kept import KeptStudy
from ntkreg.report.shared.remarks import Quantity, in_words, listed
from ntkreg.studies.few_samples_network.beside import difference_intervals
from ntkreg.studies.shared.intervals import Interval
from ntkreg.studies.shared.statistics import binomial_error

__all__ = ["QUANTITIES"]


def fitted(study: KeptStudy, least: str, greatest: str) -> str:
    """Return the range of training accuracies for n within bounds, in percent."""
    rows = study.table("rows")
    found = rows[rows.n.between(int(least), int(greatest))].train_accuracy
    low, high = f"{found.min():.0f}", f"{found.max():.0f}"
    return low if found.min() == found.max() else f"{low} to {high}"


def behind(study: KeptStudy, n: str) -> str:
    """Return by how many points the kernel is ahead, with its interval over draws."""
    found = _intervals(study)[int(n)]
    return f"{-found.estimate:.1f} ({-found.high:.1f} .. {-found.low:.1f})"


def draws(study: KeptStudy, n: str) -> str:
    """Return how many draws both have."""
    return in_words(_intervals(study)[int(n)].n)


def level(study: KeptStudy) -> str:
    """Return at which n networks and kernel are not told apart."""
    return listed(n for n, i in _intervals(study).items() if i.low <= 0 <= i.high)


def ahead(study: KeptStudy) -> str:
    """Return at which n the kernel is ahead."""
    return listed(n for n, i in _intervals(study).items() if i.high < 0)


def accuracy(study: KeptStudy, n: str) -> str:
    """Return the networks' mean accuracy."""
    return f"{_accuracy(study, n):.1f}"


def error_of_test(study: KeptStudy, n: str) -> str:
    """Return its standard error from the choice of test images."""
    return f"{binomial_error(_accuracy(study, n), study.record()['n_test']):.1f}"


def _accuracy(study: KeptStudy, n: str) -> float:
    beside = study.table("beside")
    return float(beside[beside.n == int(n)].network.iloc[0])


def _intervals(study: KeptStudy) -> dict[int, Interval]:
    beside: pd.DataFrame = study.table("beside")
    found = zip(beside.n, difference_intervals(beside), strict=True)
    return {int(n): interval for n, interval in found if interval.n > 1}


QUANTITIES: dict[str, Quantity] = {
    "fitted": fitted,
    "behind": behind,
    "ahead": ahead,
    "draws": draws,
    "level": level,
    "accuracy": accuracy,
    "test-error": error_of_test,
}
