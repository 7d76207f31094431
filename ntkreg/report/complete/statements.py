"""Each statement of the literature with one verdict, from what was found on its parts."""

import pandas as pd

from ntkreg.studies.complete.statements import STATEMENTS

__all__ = ["HOLDS", "UNDECIDED", "sentences", "statement_table"]

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"


def statement_table(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return a line a statement: verdict, and what decides it with its interval."""
    lines = []
    for statement, words in STATEMENTS.items():
        own = verdicts[verdicts.statement == statement]
        if own.empty:
            continue
        deciding, verdict, more = _JUDGES[statement](own)
        lines.append(
            {
                "statement": words,
                "verdict": f"{verdict}; {more}" if more else verdict,
                "decided by": f"{deciding.subject}: {deciding.quantity}",
                "estimate (95 % interval)": f"{deciding.estimate:.3g} "
                f"({deciding.low:.3g} .. {deciding.high:.3g})",
                "instances": deciding.n,
            }
        )
    return pd.DataFrame(lines)


def sentences(verdicts: pd.DataFrame) -> list[str]:
    """Return the table as a sentence a statement."""
    return [
        f"{line['statement']}: {line['verdict']} ({line['decided by']}, "
        f"{line['estimate (95 % interval)']})."
        for line in statement_table(verdicts).to_dict("records")
    ]


Judged = tuple[pd.Series, str, str]
"""The row that decides, the verdict, and what else there is to say."""


def _window(own: pd.DataFrame) -> Judged:
    """Of depth 3, or of the deepest below: an interval below 1 at some number of entries."""
    summary = own[own.quantity.str.endswith("where it is best")]
    if summary.empty:
        return own.iloc[-1], UNDECIDED, "one number of seen entries is no window"
    at_three = summary[summary.quantity.str.startswith("depth 3")]
    row = (at_three if len(at_three) else summary).iloc[0]
    found = row.verdict.startswith("wins")
    verdict = HOLDS if found and row.verdict.endswith("loses below") else UNDECIDED
    if row.verdict == "no window":
        verdict = FAILS
    return row, verdict, row.verdict if found else ""


def _depth_two(own: pd.DataFrame) -> Judged:
    """By the smallest start, since the conjecture is of the limit of small ones."""
    norms = own[own.quantity == "nuclear norm over the least"]
    row = norms.iloc[norms.subject.str.removeprefix("start ").astype(float).argmin()]
    verdict = HOLDS if row.low > 1 else UNDECIDED
    return row, verdict, "the conjecture is refuted" if verdict == HOLDS else ""


def _start(own: pd.DataFrame) -> Judged:
    ranks = own[own.quantity.str.startswith("effective rank")]
    return _all_of(ranks, ranks.high < 1, ranks.low > 1)


def _optimisers(own: pd.DataFrame) -> Judged:
    """Of Adam and AdaGrad; the others are there beside them."""
    adaptive = own[own.subject.str.startswith("ada") & own.quantity.str.startswith("error")]
    if adaptive.empty:
        return own.iloc[0], UNDECIDED, "neither was run"
    return _all_of(adaptive, (adaptive.low > 1) | (adaptive.high < 1), adaptive.low.isna() & False)


def _quasi_norms(own: pd.DataFrame) -> Judged:
    """An order has one sign everywhere; each norm has two rows, of its most extreme ratios."""
    said = own.groupby("quantity", sort=False).verdict.first()
    wrong = [name.split(" of the ")[0] for name in said.index[said == "does not order"]]
    verdict = HOLDS if len(wrong) == len(said) else UNDECIDED
    return own.iloc[-1], verdict, f"{', '.join(wrong)}: ratios on both sides of 1" if wrong else ""


def _equation(own: pd.DataFrame) -> Judged:
    row = own.iloc[-1]
    if row.low > 1:
        return row, FAILS, ""
    parts = own[own.verdict == "measured"]
    deviations = ", ".join(f"{r.subject} {r.estimate:.2g}" for r in parts.itertuples())
    return row, HOLDS if row.high < 1 else UNDECIDED, f"relative deviations: {deviations}"


def _all_of(rows: pd.DataFrame, yes: pd.Series, no: pd.Series) -> Judged:
    """Hold where every row says yes; decided by the one that comes nearest to saying no."""
    nearest = rows.iloc[(rows.estimate - 1).abs().to_numpy().argmin()]
    if yes.all():
        return nearest, HOLDS, "" if len(rows) == 1 else "in every row"
    subjects = ", ".join(rows.subject[yes])
    if no.any():
        against = ", ".join(rows.subject[no])
        return (
            nearest,
            FAILS,
            f"against it: {against}" + (f"; for it: {subjects}" if subjects else ""),
        )
    return nearest, UNDECIDED, f"holds at {subjects}" if subjects else ""


_JUDGES = {
    "window": _window,
    "depth 2": _depth_two,
    "start": _start,
    "optimisers": _optimisers,
    "quasi-norms": _quasi_norms,
    "equation": _equation,
}
