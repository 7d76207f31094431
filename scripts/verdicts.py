"""Verdicts on claims of speed: whether each holds, in every round or at the median."""

import re

import numpy as np
import pandas as pd

__all__ = ["VERDICTS", "claims", "judged", "verdict"]

COLUMNS = [
    "case", "ratio", "median", "least", "greatest", "claim", "numerator_ms", "denominator_ms",
]  # fmt: skip
VERDICTS = (
    "`holds`: in every round; `holds at the median only`: not in each; `missed`: not at the median."
)


def verdict(claim: str, median: float, least: float, greatest: float) -> str:
    """Say whether a claim (`>= 2.5`, `< 2`, `0.75..1.25`) holds in every round."""
    if not claim:
        return ""
    bounds = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", claim.split(" (")[0])]
    low = bounds[0] if claim[0] != "<" else -np.inf
    high = bounds[-1] if claim[0] != ">" else np.inf
    if not low <= median <= high:
        return "missed"
    return "holds" if low <= least and greatest <= high else "holds at the median only"


def claims(table: pd.DataFrame) -> str:
    """Count the claims that hold, and name the others."""
    made = table[table.verdict != ""]
    parts = []
    for words in ("holds", "holds at the median only", "missed"):
        rows = made[made.verdict == words]
        names = "; ".join(
            f"{r.case.split(', 32 x 32')[0]}, {r.ratio}: {r.median:.3g} "
            f"({r.least:.3g} to {r.greatest:.3g}), claimed {r.claim}"
            for r in rows.itertuples()
            if words != "holds"
        )
        parts.append(f"{words} {len(rows)}{f' ({names})' if names else ''}")
    return f"Verdicts on {len(made)} claims: {', '.join(parts)}."


def judged(table: pd.DataFrame) -> pd.DataFrame:
    """Return rows of bench_kernels.py with the verdict on each claim."""
    table = table.reindex(columns=COLUMNS).assign(claim=table.claim.fillna("").astype(str))
    verdicts = [verdict(r.claim, r.median, r.least, r.greatest) for r in table.itertuples()]
    return table.assign(verdict=verdicts)
