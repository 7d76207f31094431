"""What remarks quote of a comparison of models."""

from typing import Any

from ntkreg.errors import SpecError
from ntkreg.report.shared.kept import KeptStudy
from ntkreg.report.shared.remarks import Quantity

__all__ = ["QUANTITIES"]


def mean(study: KeptStudy, model: str) -> str:
    """Return the mean accuracy over data sets."""
    return f"{_model(study, model).accuracy:.2f}"


def rank(study: KeptStudy, model: str) -> str:
    """Return the mean rank."""
    return f"{_model(study, model).rank:.2f}"


def minutes(study: KeptStudy) -> str:
    """Return how long all models took together, in minutes of one thread."""
    return f"{study.table('summary').seconds.sum() / 60:.0f}"


def sets(study: KeptStudy) -> str:
    """Return on how many data sets every model has an accuracy."""
    return str(study.table("summary").n_sets.iloc[0])


def difference(study: KeptStudy, first: str, second: str) -> str:
    """Return the mean difference over data sets with its interval."""
    row = _pair(study, first, second)
    return f"{row['difference']:+.2f} ({row['low']:+.2f} .. {row['high']:+.2f})"


def p(study: KeptStudy, first: str, second: str) -> str:
    """Return Wilcoxon's p of a pair, corrected for all pairs."""
    return f"{_pair(study, first, second)['p_holm']:.2g}"


def p_alone(study: KeptStudy, first: str, second: str) -> str:
    """Return Wilcoxon's p of a pair, taken alone."""
    return f"{_pair(study, first, second)['p']:.2g}"


def told(study: KeptStudy, first: str, second: str) -> str:
    """Return "told apart" or "not told apart"."""
    verdict = _pair(study, first, second)["verdict"]
    return verdict if verdict == "not told apart" else "told apart"


def wins(study: KeptStudy, first: str, second: str) -> str:
    """Return on how many data sets the first is better, as good, and worse."""
    row = _pair(study, first, second)
    return f"{row['wins']} - {row['ties']} - {row['losses']}"


def apart(study: KeptStudy, first: str, second: str, points: str) -> str:
    """Return on how many data sets two models differ by more than some points."""
    table = study.table("accuracies").pivot(index="set", columns="model", values="mean")
    return str(int(((table[first] - table[second]).abs() > float(points)).sum()))


def alike(study: KeptStudy, first: str, second: str) -> str:
    """Return the mean alignment of two kernels, with its quartiles over data sets."""
    table = study.table("alike")
    for a, b in ((first, second), (second, first)):
        for row in table[(table["first"] == a) & (table["second"] == b)].itertuples():
            return f"{row.mean:.2f} ({row.lower:.2f} .. {row.upper:.2f})"
    raise SpecError(f"remarks: alike: there are no kernels {first} and {second}.")


def _model(study: KeptStudy, model: str) -> Any:
    summary = study.table("summary")
    [row] = summary[summary.model == model].itertuples()
    return row


def _pair(study: KeptStudy, first: str, second: str) -> dict[str, Any]:
    """Return the line of a pair, turned round where it stands the other way."""
    tests = study.table("tests")
    for row in tests.to_dict("records"):
        if (row["first"], row["second"]) == (first, second):
            return row
        if (row["first"], row["second"]) == (second, first):
            less = {"difference": -row["difference"], "low": -row["high"], "high": -row["low"]}
            return row | less | {"wins": row["losses"], "losses": row["wins"]}
    raise SpecError(f"remarks: there are no models {first} and {second}.")


QUANTITIES: dict[str, Quantity] = {
    "mean": mean,
    "rank": rank,
    "minutes": minutes,
    "sets": sets,
    "difference": difference,
    "p": p,
    "p-alone": p_alone,
    "told": told,
    "wins": wins,
    "apart": apart,
    "alike": alike,
}
