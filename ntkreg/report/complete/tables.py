"""Tables and sentences of the completion study."""

import pandas as pd

from ntkreg.report.shared.tables import with_spread
from ntkreg.studies.complete.statements import STATEMENTS

__all__ = ["instance_table", "optimiser_table", "sentences", "verdict_table", "window_table"]


def _method(depth: int) -> str:
    return f"depth {depth}" if depth else "nuclear norm"


def window_table(window: pd.DataFrame) -> pd.DataFrame:
    """Return the errors by rank and seen entries, from the least to the greatest instance."""
    lines: dict[tuple[int, int], dict[str, str]] = {}
    for (rank, n_seen, depth), own in window.groupby(["rank", "n_seen", "depth"]):
        line = lines.setdefault((rank, n_seen), {"rank": str(rank), "seen": str(n_seen)})
        line[_method(depth)] = _range(own.error, own.outcome)
    return pd.DataFrame(lines.values()).fillna("")


def optimiser_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return how runs of each optimiser ended, a line a depth and optimiser."""
    lines = []
    for (depth, optimizer), own in rows.groupby(["depth", "optimizer"], sort=False):
        lines.append(
            {
                "": f"{optimizer.replace('_', ' ')}, depth {depth}",
                "reached": f"{(own.outcome == 'reached').sum()} of {len(own)}",
                "error": _range(own.error),
                "effective rank": with_spread(
                    own.effective_rank.mean(), own.effective_rank.std(ddof=1), ".2f"
                ),
                "nuclear norm": with_spread(
                    own.nuclear_norm.mean(), own.nuclear_norm.std(ddof=1), ".1f"
                ),
                "steps": f"{own.steps.median():.0f}",
                "seconds": f"{own.seconds.median():.1f}",
            }
        )
    return pd.DataFrame(lines)


def instance_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return, instance by instance, the least nuclear norm beside what depth 2 ends with."""
    nuclear = rows[rows.depth == 0].set_index("instance")
    lines = []
    for _, run in rows[rows.depth == 2].sort_values(["instance", "init_scale"]).iterrows():
        least = nuclear.loc[run.instance]
        lines.append(
            {
                "instance": str(run.instance),
                "start": f"{run.init_scale:g}",
                "nuclear norm": f"{run.nuclear_norm:.2f}",
                "the least": f"{least.nuclear_norm:.2f}",
                "error": f"{run.error:.2g}",
                "error of the least": f"{least.error:.2g}",
            }
        )
    return pd.DataFrame(lines)


def verdict_table(verdicts: pd.DataFrame, statement: str) -> pd.DataFrame:
    """Return what was found on one statement, with intervals."""
    own = verdicts[verdicts.statement == statement]
    return pd.DataFrame(
        {
            "": own.subject,
            "quantity": own.quantity,
            "estimate": own.estimate.map("{:.3g}".format),
            "95 % interval": [f"{r.low:.3g} .. {r.high:.3g}" for r in own.itertuples()],
            "instances": own.n,
            "verdict": own.verdict,
        }
    )


def sentences(verdicts: pd.DataFrame) -> list[str]:
    """Return a sentence a statement: how its rows were judged."""
    said = []
    for statement, words in STATEMENTS.items():
        own = verdicts[verdicts.statement == statement]
        if statement == "window":
            own = own[own.quantity.str.endswith("where it is best")]
            parts = [
                f"{r.subject.removesuffix(', all')}, {r.quantity.split(' against')[0]}: {r.verdict}"
                for r in own.itertuples()
            ]
        elif statement == "equation":
            parts = [
                f"{r.subject} {r.estimate:.2g}" if r.verdict == "measured" else r.verdict
                for r in own.itertuples()
            ]
        else:
            counts = own.verdict.value_counts(sort=False)
            parts = [f"{verdict} in {n} of {len(own)} rows" for verdict, n in counts.items()]
        if parts:
            said.append(f"{words}. Found: {'; '.join(parts)}.")
    return said


def _range(values: pd.Series, outcome: "pd.Series | None" = None) -> str:
    low, high = f"{values.min():.2g}", f"{values.max():.2g}"
    missed = 0 if outcome is None else int((outcome != "reached").sum())
    more = f" ({missed} not reached)" if missed else ""
    return (low if low == high else f"{low} .. {high}") + more
