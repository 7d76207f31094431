"""Tables of the completion study."""

import pandas as pd

from ntkreg.report.shared.tables import with_spread

__all__ = ["ending_table", "instance_table", "verdict_table", "window_table"]


def _method(depth: int) -> str:
    return f"depth {depth}" if depth else "nuclear norm"


def window_table(window: pd.DataFrame) -> pd.DataFrame:
    """Return the errors by rank and seen entries, from the least to the greatest instance."""
    lines: dict[tuple[int, int], dict[str, str]] = {}
    for (rank, n_seen, depth), own in window.groupby(["rank", "n_seen", "depth"]):
        line = lines.setdefault((rank, n_seen), {"rank": str(rank), "seen": str(n_seen)})
        line[_method(depth)] = _range(own.error, own.outcome)
    return pd.DataFrame(lines.values()).fillna("")


def ending_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return how runs ended, a line a depth, optimiser and start, as they come.

    Parameters
    ----------
    rows : DataFrame
        Of one rank and number of seen entries.
    """
    lines = []
    cells = rows.groupby(["depth", "optimizer", "init_scale"], sort=False)
    for (depth, optimizer, scale), own in cells:
        name = f"{optimizer.replace('_', ' ')}, depth {depth} from {scale:g}"
        name = name if depth else "nuclear norm"
        lines.append(
            {
                "": name,
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


def _range(values: pd.Series, outcome: "pd.Series | None" = None) -> str:
    low, high = f"{values.min():.2g}", f"{values.max():.2g}"
    missed = 0 if outcome is None else int((outcome != "reached").sum())
    more = f" ({missed} not reached)" if missed else ""
    return (low if low == high else f"{low} .. {high}") + more
