"""What the literature says of deep matrix factorisation, each statement judged by its interval."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ntkreg.studies.complete.config import REFERENCE, CompleteConfig
from ntkreg.studies.complete.paths import SHARES
from ntkreg.studies.shared.intervals import Interval, mean_interval, ratio_interval

__all__ = ["make_verdicts"]

UNDECIDED = "undecided"
MEASURED = "measured"

QUASI_NORMS = ("nuclear_norm", "schatten_2/3", "schatten_1/2")

Row = dict[str, Any]
Cell = tuple[int, int]
"""Rank and number of seen entries."""


def make_verdicts(
    config: CompleteConfig, rows: pd.DataFrame, deviations: pd.DataFrame
) -> pd.DataFrame:
    """Return one line a quantity: estimate and 95 % interval over instances, and a verdict.

    Columns statement (key of
    `ntkreg.studies.complete.statements.STATEMENTS`), subject, quantity, estimate, low, high, n
    (instances), verdict. Ratios are geometric means of ratios of the same instance, of runs that
    came to their loss: others are at another place of their way. What an interval does not decide
    is "undecided"; "measured" are numbers that no verdict is asked of.
    """
    cells = _cells(rows)
    at = _reference(config, cells)
    rows = rows[rows.outcome == "reached"]
    lines = [
        *_window(config, rows, cells),
        *_depth_two(config, rows, at),
        *_starts(config, rows, at),
        *_optimisers(config, rows, at),
        *_quasi_norms(config, rows, cells),
        *_equation(deviations),
    ]
    return pd.DataFrame(lines)


def _cell(
    rows: pd.DataFrame, column: str, rank: int, n_seen: int, depth: int, **how: Any
) -> pd.Series:
    """Return a column by instance, of one matrix size completed in one way."""
    chosen = (rows["rank"] == rank) & (rows.n_seen == n_seen) & (rows.depth == depth)
    for name, value in how.items():
        chosen &= rows[name] == value
    return rows[chosen].set_index("instance")[column]


def _plain(config: CompleteConfig, depth: int) -> dict[str, Any]:
    """Return how a depth is trained where nothing else is asked; the nuclear norm has none."""
    return {"init_scale": config.init_scales[0], "optimizer": REFERENCE} if depth else {}


def _cells(rows: pd.DataFrame) -> list[Cell]:
    return list(rows[["rank", "n_seen"]].drop_duplicates().itertuples(index=False, name=None))


def _reference(config: CompleteConfig, cells: list[Cell]) -> Cell:
    """Return where starts and optimisers are compared."""
    if config.reference_seen is not None:
        return config.reference_rank or 0, config.reference_seen
    seen = sorted({n_seen for _, n_seen in cells})
    return config.reference_rank or 0, seen[len(seen) // 2]


def _window(config: CompleteConfig, rows: pd.DataFrame, cells: list[Cell]) -> Iterator[Row]:
    for depth in config.depths:
        for rank in sorted({rank for rank, _ in cells}):
            judged = []
            for _, n_seen in sorted(c for c in cells if c[0] == rank):
                ours = _cell(rows, "error", rank, n_seen, depth, **_plain(config, depth))
                ratio = _ratio(ours, _cell(rows, "error", rank, n_seen, 0))
                said = _side(ratio, "depth is nearer", "the nuclear norm is nearer")
                judged.append((n_seen, ratio, said))
                subject = f"rank {rank}, {n_seen} seen" if rank else f"{n_seen} seen"
                quantity = f"error of depth {depth} over that of the nuclear norm"
                yield _line("window", subject, quantity, ratio, said)
            if len(judged) > 1:
                yield _summary(rank, depth, judged)


def _summary(rank: int, depth: int, judged: list[tuple[int, Interval, str]]) -> Row:
    """Say of a depth whether there is a window, and below it a loss."""
    best = min(judged, key=lambda each: (np.isnan(each[1].estimate), each[1].estimate))
    wins = [n for n, _, said in judged if said == "depth is nearer"]
    below = [n for n, _, said in judged if said == "the nuclear norm is nearer"]
    if not wins:
        decided = all(said != UNDECIDED for _, _, said in judged)
        verdict = "no window" if decided else UNDECIDED
    elif any(n < wins[0] for n in below):
        verdict = f"wins from {wins[0]} to {wins[-1]} seen, loses below"
    else:
        verdict = f"wins from {wins[0]} to {wins[-1]} seen; no loss below it is decided"
    name = f"depth {depth} against the nuclear norm, where it is best"
    return _line("window", f"rank {rank}, all" if rank else "all", name, best[1], verdict)


def _depth_two(config: CompleteConfig, rows: pd.DataFrame, at: Cell) -> Iterator[Row]:
    if 2 not in config.depths:
        return
    rank, n_seen = at
    for scale in config.init_scales:
        how = {"init_scale": scale, "optimizer": REFERENCE}
        for column, name, other in (
            ("nuclear_norm", "nuclear norm over the least", "above the least: not its solution"),
            ("error", "error over that of the least nuclear norm", "another matrix, farther"),
        ):
            ratio = _ratio(
                _cell(rows, column, rank, n_seen, 2, **how), _cell(rows, column, rank, n_seen, 0)
            )
            nearer = "another matrix, nearer" if column == "error" else "below the least"
            yield _line("depth 2", f"start {scale:g}", name, ratio, _side(ratio, nearer, other))


def _starts(config: CompleteConfig, rows: pd.DataFrame, at: Cell) -> Iterator[Row]:
    rank, n_seen = at
    least, most = min(config.init_scales), max(config.init_scales)
    if least == most:
        return
    for depth in config.depths:
        for column, words in (
            ("effective_rank", ("lower rank", "higher rank")),
            ("error", ("smaller error", "larger error")),
        ):
            small, large = (
                _cell(rows, column, rank, n_seen, depth, init_scale=s, optimizer=REFERENCE)
                for s in (least, most)
            )
            ratio = _ratio(small, large)
            name = f"{column.replace('_', ' ')} from {least:g} over that from {most:g}"
            yield _line("start", f"depth {depth}", name, ratio, _side(ratio, *words))


def _optimisers(config: CompleteConfig, rows: pd.DataFrame, at: Cell) -> Iterator[Row]:
    rank, n_seen = at
    scale = config.init_scales[0]
    for depth in config.optimizer_depths:
        for optimizer in config.optimizers:
            if optimizer == REFERENCE:
                continue
            for column in ("error", "effective_rank"):
                own, usual = (
                    _cell(rows, column, rank, n_seen, depth, init_scale=scale, optimizer=o)
                    for o in (optimizer, REFERENCE)
                )
                ratio = _ratio(own, usual)
                name = f"{column.replace('_', ' ')} over that of gradient descent"
                said = _side(ratio, "elsewhere: lower", "elsewhere: higher")
                yield _line("optimisers", f"{optimizer}, depth {depth}", name, ratio, said)


def _quasi_norms(config: CompleteConfig, rows: pd.DataFrame, cells: list[Cell]) -> Iterator[Row]:
    """Judge by the two cells that lie farthest apart: an order has one sign in all."""
    pairs = list(zip((0, *config.depths[:-1]), config.depths, strict=True))
    for column in QUASI_NORMS:
        found = []
        for rank, n_seen in cells:
            for before, after in pairs:
                less, more = (
                    _cell(rows, column, rank, n_seen, d, **_plain(config, d))
                    for d in (before, after)
                )
                where = f"rank {rank}, {n_seen} seen, " if rank else f"{n_seen} seen, "
                whose = f"depth {after} over {f'depth {before}' if before else 'nuclear norm'}"
                found.append((_ratio(more, less), where + whose))
        decided = [each for each in found if np.isfinite(each[0].low)] or found
        low = min(decided, key=lambda each: each[0].high)
        high = max(decided, key=lambda each: each[0].low)
        signs = {_side(ratio, "lower", "higher") for ratio, _ in found}
        verdict = "orders so far" if len(signs) == 1 else UNDECIDED
        if low[0].high < 1 < high[0].low:
            verdict = "does not order"
        if signs == {UNDECIDED}:
            verdict = UNDECIDED
        name = f"{column.replace('_', ' ')} of the deeper over the other's"
        for ratio, where in (low, high):
            yield _line("quasi-norms", where, name, ratio, verdict)


def _equation(deviations: pd.DataFrame) -> Iterator[Row]:
    if not len(deviations):
        return
    by_share = deviations.pivot(index=["depth", "instance"], columns="share", values="deviation")
    for depth, own in by_share.groupby("depth"):
        found = mean_interval(own[SHARES[-1]])
        yield _line("equation", f"depth {depth}", "relative deviation", found, MEASURED)
    ratio = ratio_interval(by_share[SHARES[-1]], by_share[SHARES[0]])
    said = _side(ratio, "followed: the deviation shrinks with the step", "not followed")
    yield _line("equation", "all depths", "deviation at half the step over that at it", ratio, said)


def _ratio(above: pd.Series, below: pd.Series) -> Interval:
    """Return the ratio over instances that both have."""
    both = above.index.intersection(below.index)
    floor = np.finfo(float).tiny  # an error of exactly 0 has no logarithm
    return ratio_interval(
        np.maximum(above.loc[both].to_numpy(float), floor),
        np.maximum(below.loc[both].to_numpy(float), floor),
    )


def _side(found: Interval, below: str, above: str) -> str:
    if found.high < 1:
        return below
    return above if found.low > 1 else UNDECIDED


def _line(statement: str, subject: str, quantity: str, found: Interval, verdict: str) -> Row:
    return {
        "statement": statement,
        "subject": subject,
        "quantity": quantity,
        "estimate": found.estimate,
        "low": found.low,
        "high": found.high,
        "n": found.n,
        "verdict": verdict,
    }
