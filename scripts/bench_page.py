"""What pages of benchmarks say of their rows: the machine, which claims hold, who is faster."""

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

COLUMNS = [
    "case", "ratio", "median", "least", "greatest", "claim", "numerator_ms", "denominator_ms",
]  # fmt: skip
VERDICTS = (
    "`holds`: in every round; `holds at the median only`: not in each; `missed`: not at the median."
)


def machine() -> str:
    model = next(
        (
            s.split(":")[1].strip()
            for s in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in s
        ),
        platform.processor(),
    )
    packages = (
        "ntkreg",
        "numpy",
        "numba",
        "llvmlite",
        "scipy",
        "scikit-learn",
        "jax",
        "neural-tangents",
    )
    versions = ", ".join(f"{p} {version(p)}" for p in packages)
    return (
        f"{len(os.sched_getaffinity(0))} cores of {model}; {platform.system()}, "
        f"Python {platform.python_version()}; {versions}"
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


def markdown(table: pd.DataFrame, command: str, notes: str) -> str:
    """Return the page: what was run, which claims hold, and every row.

    Parameters
    ----------
    table : DataFrame
        The rows as they are stored in the csv.
    command, notes : str
        What was run, and what else differs between the contenders.
    """
    table = table.reindex(columns=COLUMNS).assign(claim=table.claim.fillna("").astype(str))
    table["verdict"] = [verdict(r.claim, r.median, r.least, r.greatest) for r in table.itertuples()]
    lines = [
        "# Kernel benchmarks",
        "",
        f"Machine: {machine()}.",
        "",
        f"Command: `{command}`. Contenders take turns; medians over rounds, and the spread of "
        "the rounds.",
        "",
        claims(table),
        "",
        f"{notes} {VERDICTS}",
        "",
        "| case | figure | median | least..greatest | claim | verdict | times (ms) |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in table.itertuples():
        known = not np.isnan(r.numerator_ms)
        times = f"{r.numerator_ms:.4g} / {r.denominator_ms:.4g}" if known else ""
        lines.append(
            f"| {r.case} | {r.ratio} | {r.median:.3g} | {r.least:.3g}..{r.greatest:.3g} | "
            f"{r.claim} | {r.verdict} | {times} |"
        )
    return "\n".join(lines) + "\n"


def faster_peer(table: pd.DataFrame) -> str:
    """Name the rows in which neural-tangents is faster than what `auto` takes."""
    rows = table[table["nt best / chosen"] < 1].to_dict("records")
    names = "; ".join(
        f"{r['network']}, n {r['n']}, width {r['width']}, {r['outputs']} output(s), {r['kernel']}: "
        f"{r['nt best / chosen']:.2g} of our time" + _rounds(r)
        for r in rows
    )
    return (
        f"neural-tangents is faster than `chosen` in {len(rows)} of {len(table)} rows"
        + (f" ({names})" if rows else "")
        + "."
    )


def _rounds(row: dict) -> str:
    """Return the spread over rounds; rows made before it was stored have none."""
    return f" ({row['least']:.2g} to {row['greatest']:.2g})" if "least" in row else ""
