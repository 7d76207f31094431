"""What remarks quote of a comparison of kernels."""

import pandas as pd

from ntkreg.errors import SpecError
from ntkreg.report.shared.kept import KeptStudy
from ntkreg.report.shared.remarks import Quantity, in_words, listed
from ntkreg.report.shared.tables import markdown_table
from ntkreg.studies.shared.intervals import Interval, mean_interval

__all__ = ["QUANTITIES"]


def others(study: KeptStudy) -> str:
    """Return how many kernels there are beside the best."""
    return in_words(study.table("comparison").kernel.nunique() - 1)


def untold(study: KeptStudy, n: str) -> str:
    """Return how many kernels are not told from the best."""
    comparison = study.table("comparison")
    own = comparison[comparison.n == int(n)]
    return in_words(int((own.verdict == "inside").sum()))


def worse_at(study: KeptStudy, kernel: str) -> str:
    """Return where a kernel is worse than the best."""
    return listed(_where(study, kernel, "worse"))


def untold_from(study: KeptStudy, kernel: str) -> str:
    """Return from which n on a kernel is not told from the best."""
    return _first(study, _where(study, kernel, "inside"))


def differences(study: KeptStudy, *columns: str) -> str:
    """Return a table by n; each column is given as "title = kernel - kernel"."""
    cells = {}
    for column in columns:
        title, pair = column.split(" = ")
        found = _paired(study, *pair.split(" - "))
        cells[title] = [
            f"{i.estimate:+.1f} ({i.low:+.1f} .. {i.high:+.1f})" for i in found.values()
        ]
    return markdown_table(pd.DataFrame({"n": list(found), **cells})).rstrip()


def ahead(study: KeptStudy, first: str, second: str) -> str:
    """Return at which n the first kernel is ahead of the second."""
    return listed(_ahead(study, first, second))


def ahead_from(study: KeptStudy, first: str, second: str) -> str:
    """Return from which n on it is."""
    return _first(study, _ahead(study, first, second))


def ahead_to(study: KeptStudy, first: str, second: str) -> str:
    """Return up to which n it is."""
    found = _ahead(study, first, second)
    if found != _sizes(study)[: len(found)]:
        raise SpecError(f"remarks: {first} is not ahead of {second} at the least n on; at {found}.")
    return str(found[-1])


def level(study: KeptStudy, first: str, second: str) -> str:
    """Return at which n the two are not told apart."""
    return listed(n for n, i in _paired(study, first, second).items() if i.low <= 0 <= i.high)


def _ahead(study: KeptStudy, first: str, second: str) -> list[int]:
    return [n for n, i in _paired(study, first, second).items() if i.low > 0]


def _paired(study: KeptStudy, first: str, second: str) -> dict[int, Interval]:
    """Return the first kernel less the second by n, over the draws."""
    draws = study.table("rows").pivot_table(
        index=["n", "draw"], columns="kernel", values="accuracy"
    )
    less = draws[first] - draws[second]
    return {int(n): mean_interval(less.loc[n]) for n in less.index.unique("n")}


def _where(study: KeptStudy, kernel: str, verdict: str) -> list[int]:
    comparison = study.table("comparison")
    own = comparison[(comparison.kernel == kernel) & (comparison.verdict == verdict)]
    return sorted(own.n.tolist())


def _sizes(study: KeptStudy) -> list[int]:
    return sorted(study.table("rows").n.unique().tolist())


def _first(study: KeptStudy, found: list[int]) -> str:
    """Return the least of some n that go on to the greatest."""
    if not found or found != _sizes(study)[-len(found) :]:
        raise SpecError(f"remarks: {found} do not go on to the greatest n; name them one by one.")
    return str(found[0])


QUANTITIES: dict[str, Quantity] = {
    "others": others,
    "untold": untold,
    "worse-at": worse_at,
    "untold-from": untold_from,
    "differences": differences,
    "ahead": ahead,
    "ahead-from": ahead_from,
    "ahead-to": ahead_to,
    "level": level,
}
