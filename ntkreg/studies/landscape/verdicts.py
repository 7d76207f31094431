"""What the literature says of loss surfaces, each statement judged by its interval."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr, t

from ntkreg.studies.landscape.config import LandscapeConfig
from ntkreg.studies.shared.intervals import Interval, mean_interval, ratio_interval

__all__ = ["AGREES", "DISAGREES", "UNDECIDED", "make_verdicts"]

AGREES, DISAGREES, UNDECIDED, MEASURED = "agrees", "disagrees", "undecided", "measured"

_FLOOR = 1e-12
"""What is smaller counts as this: losses are known to so many parts of that of zero outputs, and a
logarithm needs a number."""

_SHARPNESS = ("lambda", "trace", "average", "filter", "sam", "box")

Row = dict[str, Any]


def make_verdicts(
    config: LandscapeConfig, rows: pd.DataFrame, limits: Mapping[int, float]
) -> pd.DataFrame:
    """Return one line a quantity: expectation, estimate and 95 % interval, and a verdict.

    Columns statement (key of `ntkreg.studies.landscape.statements.STATEMENTS`), subject, quantity,
    expected, estimate, low, high, n, verdict. Intervals are over starts, or pairs of them; ratios
    are geometric means, of ratios of the same start where there is one; barriers, which are often
    zero, are compared by differences. A verdict is "agrees"
    where the whole interval is as expected, "disagrees" where none of it is, else "undecided";
    "measured" where nothing is expected.
    """
    grid = _Grid(config, rows)
    asked = _Asked(rows)
    lines = [
        *_rank(config, grid),
        *_kernel(config, grid, limits),
        *_levels(config, grid),
        *_critical(config, grid),
        *_barriers(config, grid),
        *_depths(config, grid),
        *_test(config, grid),
        *_sharpness(config, grid),
        *_extras(asked),
        *_basins(asked),
    ]
    return pd.DataFrame(lines)


class _Grid:
    """Values of the base grid by seed."""

    def __init__(self, config: LandscapeConfig, rows: pd.DataFrame) -> None:
        self.config, grid = config, rows[rows.part == "grid"]
        keys = ["depth", "width", "level", "quantity"]
        self._cells = {k: own.set_index("seed").value for k, own in grid.groupby(keys)}

    def __call__(self, depth: int, width: int, level: float, quantity: str) -> pd.Series:
        empty = pd.Series(dtype=float)
        return self._cells.get((depth, width, level, quantity), empty)

    def trend(self, depth: int, level: float, quantity: str) -> Interval:
        """Return the ratio of the widest networks' value to the narrowest's that reach the level.

        Seeds of two widths share nothing, so that the interval is Welch's, of logarithms.
        """
        widths = [w for w in self.config.widths if len(self(depth, w, level, quantity)) > 1]
        if len(widths) < 2:
            return Interval(np.nan, np.nan, np.nan, 0)
        return _unpaired(*(self(depth, w, level, quantity) for w in (widths[-1], widths[0])))

    def rise(self, depth: int, quantity: str) -> Interval:
        """Return the widest networks' mean at the end less the narrowest's, by Welch's t.

        For barriers, which are often zero: they have no ratio.
        """
        widths = self.config.widths[-1], self.config.widths[0]
        return _welch(*(self(depth, w, 0.0, quantity) for w in widths))


class _Asked:
    """Values of the questions beside the grid by seed, group or basin."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self._rows = rows[rows.part != "grid"]

    def __call__(self, part: str, subject: str, quantity: str) -> np.ndarray:
        own = self._rows
        own = own[(own.part == part) & (own.subject == subject) & (own.quantity == quantity)]
        return own.sort_values("seed").value.to_numpy()


def _rank(config: LandscapeConfig, grid: _Grid) -> Iterator[Row]:
    for depth in config.depths:
        wide = [w for w in config.widths if w >= config.n_train]
        for width in wide[:1]:
            for quantity, expected in (("rank_share", 1.0), ("last_layer_residual", 0.0)):
                found = mean_interval(grid(depth, width, 0.0, quantity))
                words = quantity.replace("_", " ")
                # Exact but for the rounding of the singular vectors that span the features.
                near = abs(found.estimate - expected) <= config.n_train * np.finfo(float).eps
                said = AGREES if near and found.n else DISAGREES if found.n else UNDECIDED
                yield _line("rank", _at(depth, width), words, f"{expected:g}", found, said)


def _kernel(config: LandscapeConfig, grid: _Grid, limits: Mapping[int, float]) -> Iterator[Row]:
    level = config.levels[-1]
    for depth in config.depths:
        errors = {}
        for width in config.widths:
            seen = grid(depth, width, level, "lambda_max")
            if len(seen) > 1:
                errors[width] = (seen / limits[depth] - 1).abs()
        if len(errors) > 1:
            found = _unpaired(errors[max(errors)], errors[min(errors)])
            words = f"relative distance at width {max(errors)} over that at {min(errors)}"
            yield _line("kernel", f"depth {depth}", words, "< 1", found, _below(found))
        if errors:
            width = max(errors)
            ratio = mean_interval(grid(depth, width, level, "lambda_max") / limits[depth])
            words = "largest curvature over the kernel's"
            yield _line("kernel", _at(depth, width), words, "to 1", ratio, MEASURED)


def _levels(config: LandscapeConfig, grid: _Grid) -> Iterator[Row]:
    """Judge what changes between the first and the last level, at the widest networks."""
    first, last = config.levels[0], config.levels[-1]
    asked = (
        ("negative", "negative_share", "share of the most negative curvature", _below, "< 1"),
        ("batches", "batch_gap", "batch gap", _below, "< 1"),
        ("batches", "batch_noise", "gradient noise", _below, "< 1"),
        ("layers", "last_layer_share", "", _above, "> 1"),
    )
    for depth in config.depths:
        for width in (config.widths[-1], config.widths[len(config.widths) // 2]):
            for statement, quantity, words, judge, expected in asked:
                late = grid(depth, width, last, quantity)
                if words:
                    found = _paired(late, grid(depth, width, first, quantity))
                    words = f"{words} at loss {last:g} over that at {first:g}"
                else:
                    found = mean_interval(late)
                    words = (
                        f"last layer's share of the squared gradient at loss {last:g}, times layers"
                    )
                yield _line(statement, _at(depth, width), words, expected, found, judge(found))
        early = grid.trend(depth, first, "batch_gap")
        words = f"batch gap at loss {first:g}: widest over narrowest"
        yield _line("batches", f"depth {depth}", words, "> 1", early, _above(early))


def _critical(config: LandscapeConfig, grid: _Grid) -> Iterator[Row]:
    for depth in config.depths:
        for width in (config.widths[0], config.widths[-1]):
            found = _paired(
                grid(depth, width, 0.0, "gradient_norm"),
                grid(depth, width, 0.0, "polished_gradient_norm"),
            )
            words = "gradient norm at the stop over that at the polished point"
            yield _line("critical", _at(depth, width), words, "> 1", found, _above(found))
        found = grid.trend(depth, 0.0, "left_out_shift")
        words = "relative shift: widest over narrowest"
        yield _line("left out", f"depth {depth}", words, "< 1", found, _below(found))


def _barriers(config: LandscapeConfig, grid: _Grid) -> Iterator[Row]:
    widest = config.widths[-1]
    for depth in config.depths:
        name = f"depth {depth}"
        straight = grid(depth, widest, 0.0, "barrier_straight")
        found = mean_interval(straight)
        words = "barrier over the loss of zero outputs"
        yield _line("straight", _at(depth, widest), words, "> 0", found, _side(found, 0.0))
        found = grid.rise(depth, "barrier_straight")
        words = "straight barrier: widest less narrowest"
        yield _line("straight", name, words, "no decay", found, MEASURED)
        for statement, quantity in (
            ("same start", "barrier_same_start"),
            ("matched", "barrier_matched"),
            ("curve", "barrier_bezier"),
            ("curve", "barrier_polygon"),
        ):
            found = grid.rise(depth, quantity)
            words = f"{quantity.replace('_', ' ')}: widest less narrowest"
            yield _line(statement, name, words, "< 0", found, _negative(found))
            if statement != "same start":
                own = grid(depth, widest, 0.0, quantity)
                found = mean_interval((own - straight).dropna())
                words = f"{quantity.replace('_', ' ')} less the straight one"
                yield _line(statement, _at(depth, widest), words, "< 0", found, _negative(found))


def _depths(config: LandscapeConfig, grid: _Grid) -> Iterator[Row]:
    level, width = config.levels[-1], config.widths[-1]
    for less, more in zip(config.depths, config.depths[1:], strict=False):
        for quantity in ("lambda_max", "negative_share"):
            found = _unpaired(*(grid(d, width, level, quantity) for d in (more, less)))
            words = (
                f"{quantity.replace('_', ' ')} of depth {more} over that of {less}, loss {level:g}"
            )
            yield _line("depth", f"width {width}", words, "> 1", found, _above(found))


def _test(config: LandscapeConfig, grid: _Grid) -> Iterator[Row]:
    perturbed = sorted({k[3] for k in grid._cells if k[3].startswith("test_loss_perturbed")})
    for depth in config.depths:
        for quantity in ("test_loss", *perturbed):
            found = grid.trend(depth, 0.0, quantity)
            words = f"{quantity.replace('_', ' ')}: widest over narrowest"
            yield _line("test", f"depth {depth}", words, "< 1", found, _below(found))


def _sharpness(config: LandscapeConfig, grid: _Grid) -> Iterator[Row]:
    """Return rank correlations over the seeds of a width, one a width: widths are repeats."""
    for depth in config.depths:
        for name in _SHARPNESS:
            found = []
            for width in config.widths:
                pair = [grid(depth, width, 0.0, q) for q in (f"sharpness_{name}", "test_loss")]
                both = pair[0].index.intersection(pair[1].index)
                if len(both) > 3:
                    found.append(spearmanr(pair[0].loc[both], pair[1].loc[both]).statistic)
            interval = mean_interval(found)
            words = f"rank correlation of {name} sharpness and test loss"
            yield _line("sharpness", f"depth {depth}", words, "either", interval, MEASURED)


def _extras(asked: _Asked) -> Iterator[Row]:
    pair = [asked("skips", kind, "lambda_max") for kind in ("skip", "erf")]
    found = _unpaired(*pair)
    words = "largest curvature at the start with skips over that without"
    yield _line("skip", "at the start", words, "< 1", found, _below(found))
    for name, expected in (("no bottleneck", "1"), ("bottleneck", "either")):
        reached = asked("linear networks", name, "reached")
        found = mean_interval(reached)
        said = AGREES if len(reached) and reached.all() else DISAGREES
        said = MEASURED if expected == "either" else said
        yield _line("linear", name, "share of starts that reach it", expected, found, said)
    for subject in dict.fromkeys(asked._rows[asked._rows.part == "conflicts"].subject):
        found = mean_interval(asked("conflicts", subject, "loss_over_floor"))
        words = "loss over what the targets' means leave"
        yield _line("conflicts", subject, words, ">= 1", found, _side(found, 1.0))
    for subject, full in (("the last", True), ("the first", False)):
        found = mean_interval(asked("wide layer", subject, "rank_share"))
        said = AGREES if (found.low == 1) == full and (full or found.high < 1) else DISAGREES
        expected = "1" if full else "< 1"
        yield _line("wide layer", subject, "rank over points", expected, found, said)


def _basins(asked: _Asked) -> Iterator[Row]:
    found = mean_interval(asked("basins", "all", "converged"))
    yield _line("basins", "all starts", "share with gradient below 1e-9", "1", found, MEASURED)
    hits, norms = (asked("basins", "basins", q) for q in ("hits", "hessian_norm"))
    if len(hits) > 3:
        # One number for all basins; its interval is Fisher's, of the transformed correlation.
        r = float(spearmanr(hits, norms).statistic)
        half = 1.96 * 1.06 / np.sqrt(len(hits) - 3)
        z = np.arctanh(np.clip(r, -0.999999, 0.999999))
        found = Interval(r, float(np.tanh(z - half)), float(np.tanh(z + half)), len(hits))
        words = "rank correlation of hits and the Hessian's norm over basins"
        said = _negative(found)
        yield _line("basins", f"{len(hits)} basins", words, "< 0", found, said)
    for subject in ("ends", "ends, matched"):
        pair = [asked("basins", subject, q) for q in ("share", "share_of_starts")]
        found = ratio_interval(*pair)
        words = "share of two directions over that of the starts"
        yield _line("subspace", subject, words, "> 1", found, _above(found))


def _paired(above: pd.Series, below: pd.Series) -> Interval:
    both = above.index.intersection(below.index)
    return ratio_interval(*(np.maximum(v.loc[both], _FLOOR) for v in (above, below)))


def _unpaired(above: Any, below: Any) -> Interval:
    """Return the ratio of geometric means of independent samples."""
    logs = (np.log(np.maximum(np.asarray(v, float), _FLOOR)) for v in (above, below))
    found = _welch(*logs)
    ratio, low, high = (float(np.exp(v)) for v in (found.estimate, found.low, found.high))
    return Interval(ratio, low, high, found.n)


def _welch(above: Any, below: Any) -> Interval:
    """Return the difference of the means of independent samples, interval by Welch's t."""
    samples = [np.asarray(v, float) for v in (above, below)]
    n = [len(v) for v in samples]
    if min(n) < 2:
        return Interval(np.nan, np.nan, np.nan, min(n))
    middle = float(samples[0].mean() - samples[1].mean())
    parts = [float(v.var(ddof=1)) / len(v) for v in samples]
    if not sum(parts):
        return Interval(middle, middle, middle, min(n))
    freedom = sum(parts) ** 2 / sum(p**2 / (k - 1) for p, k in zip(parts, n, strict=True))
    half = float(t.ppf(0.975, freedom)) * sum(parts) ** 0.5
    return Interval(middle, middle - half, middle + half, min(n))


def _below(found: Interval) -> str:
    return AGREES if found.high < 1 else DISAGREES if found.low > 1 else UNDECIDED


def _negative(found: Interval) -> str:
    return AGREES if found.high < 0 else DISAGREES if found.low > 0 else UNDECIDED


def _above(found: Interval) -> str:
    return AGREES if found.low > 1 else DISAGREES if found.high < 1 else UNDECIDED


def _side(found: Interval, bound: float) -> str:
    """Judge whether a mean is above a bound; an exact one (no spread) counts by its value."""
    if found.low > bound or found.low == found.high == bound:
        return AGREES
    return DISAGREES if found.high < bound else UNDECIDED


def _at(depth: int, width: int) -> str:
    return f"depth {depth}, width {width}"


def _line(
    statement: str, subject: str, quantity: str, expected: str, found: Interval, verdict: str
) -> Row:
    return {
        "statement": statement,
        "subject": subject,
        "quantity": quantity,
        "expected": expected,
        "estimate": found.estimate,
        "low": found.low,
        "high": found.high,
        "n": found.n,
        "verdict": verdict,
    }
