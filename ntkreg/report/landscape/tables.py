"""Tables and sentences of the landscape study."""

import pandas as pd

from ntkreg.errors import DataError
from ntkreg.studies.landscape.statements import STATEMENTS

__all__ = ["count_sentence", "grid_table", "sentences", "summary_table", "verdict_table"]

_VERDICTS = ("agrees", "disagrees", "undecided", "measured")

_SHOWN = {
    "steps": "steps",
    "lambda_max": "largest curvature",
    "negative_share": "negative share",
    "gradient_norm": "gradient norm",
    "curvature_ratio": "curvature along it",
    "batch_gap": "batch gap",
    "batch_noise": "gradient noise",
}


def summary_table(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return how many rows of each statement were judged how, blank for none."""
    counts = verdicts.groupby(["statement", "verdict"]).size().unstack(fill_value=0)
    counts = counts.reindex([key for key in STATEMENTS if key in counts.index])
    table = pd.DataFrame({"statement": [STATEMENTS[key].words for key in counts.index]})
    for name in _VERDICTS:
        found = counts.get(name, pd.Series(0, counts.index))
        table[name] = [str(n) if n else "" for n in found]
    return table


def verdict_table(verdicts: pd.DataFrame, statement: str) -> pd.DataFrame:
    """Return what was found on one statement, with intervals."""
    own = verdicts[verdicts.statement == statement]
    return pd.DataFrame(
        {
            "": own.subject,
            "quantity": own.quantity,
            "expected": own.expected,
            "measured": own.estimate.map("{:.3g}".format),
            "95 % interval": [f"{r.low:.3g} .. {r.high:.3g}" for r in own.itertuples()],
            "n": own.n,
            "verdict": own.verdict,
        }
    )


def grid_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return means over seeds at every level, a line a depth, width and level."""
    grid = rows[(rows.part == "grid") & (rows.level > 0) & rows.quantity.isin(_SHOWN)]
    means = grid.groupby(["depth", "width", "level", "quantity"]).value.mean().unstack()
    means = means.sort_index(level=[0, 1, 2], ascending=[True, True, False])
    table = means.reindex(columns=list(_SHOWN)).rename(columns=_SHOWN)
    shown = table.map(lambda v: "" if pd.isna(v) else f"{v:.3g}")
    return shown.reset_index().rename_axis(columns=None)


def sentences(verdicts: pd.DataFrame) -> list[str]:
    """Return a sentence a statement: how its rows were judged."""
    said = []
    for key, statement in STATEMENTS.items():
        counts = verdicts[verdicts.statement == key].verdict.value_counts(sort=False)
        if len(counts):
            total = int(counts.sum())
            parts = [f"{verdict} in {n} of {total} rows" for verdict, n in counts.items()]
            said.append(f"{statement.words}: {'; '.join(parts)}.")
    return said


def count_sentence(verdicts: pd.DataFrame) -> str:
    """Return how many rows agree, disagree and are undecided.

    Raises
    ------
    DataError
        A verdict or a statement that the study does not know: the table was damaged.
    """
    for name, known in (("verdict", _VERDICTS), ("statement", tuple(STATEMENTS))):
        if strange := sorted(set(verdicts[name].astype(str)) - set(known)):
            raise DataError(
                f"report: verdicts.csv: {name} must be one of {', '.join(known)}; found "
                f"{strange[0][:60]!r}. Run the study again: it goes on from what it keeps."
            )
    counts = verdicts.verdict.value_counts()
    parts = [f"{counts.get(name, 0)} {name.replace('agrees', 'agree')}" for name in _VERDICTS]
    return f"Of {len(verdicts)} rows {', '.join(parts)}."
