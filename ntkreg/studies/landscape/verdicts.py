"""What the literature says of loss surfaces, each statement judged by its interval."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from ntkreg.studies.landscape.answers import answers
from ntkreg.studies.landscape.config import LandscapeConfig
from ntkreg.studies.landscape.judging import (
    AGREES,
    DISAGREES,
    MEASURED,
    UNDECIDED,
    Row,
    above,
    at,
    below,
    geometric_interval,
    line,
    negative,
    paired,
    side,
    unpaired,
    welch,
)
from ntkreg.studies.shared.intervals import Interval, mean_interval

__all__ = ["make_verdicts"]

_SHARPNESS = ("lambda", "trace", "average", "filter", "sam", "box")


def make_verdicts(
    config: LandscapeConfig,
    rows: pd.DataFrame,
    limits: Mapping[int, float],
    kernel_tests: Mapping[int, float],
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
    lines = [
        *_rank(config, grid),
        *_kernel(config, grid, limits),
        *_levels(config, grid),
        *_critical(config, grid),
        *_barriers(config, grid),
        *_depths(config, grid),
        *_test(config, grid, kernel_tests),
        *_sharpness(config, grid),
        *answers(config, rows),
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
        return unpaired(*(self(depth, w, level, quantity) for w in (widths[-1], widths[0])))

    def rise(self, depth: int, quantity: str) -> Interval:
        """Return the widest networks' mean at the end less the narrowest's, by Welch's t.

        For barriers, which are often zero: they have no ratio.
        """
        widths = self.config.widths[-1], self.config.widths[0]
        return welch(*(self(depth, w, 0.0, quantity) for w in widths))


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
                yield line("rank", at(depth, width), words, f"{expected:g}", found, said)


def _kernel(config: LandscapeConfig, grid: _Grid, limits: Mapping[int, float]) -> Iterator[Row]:
    level = config.levels[-1]
    for depth in config.depths:
        errors = {}
        for width in config.widths:
            seen = grid(depth, width, level, "lambda_max")
            if len(seen) > 1:
                errors[width] = (seen / limits[depth] - 1).abs()
        if len(errors) > 1:
            found = unpaired(errors[max(errors)], errors[min(errors)])
            words = f"relative distance at width {max(errors)} over that at {min(errors)}"
            yield line("kernel", f"depth {depth}", words, "< 1", found, below(found))
        if errors:
            width = max(errors)
            ratio = mean_interval(grid(depth, width, level, "lambda_max") / limits[depth])
            words = "largest curvature over the kernel's"
            yield line("kernel", at(depth, width), words, "to 1", ratio, MEASURED)


def _levels(config: LandscapeConfig, grid: _Grid) -> Iterator[Row]:
    """Judge what changes between the first and the last level, at the widest networks."""
    first, last = config.levels[0], config.levels[-1]
    asked = (
        ("negative", "negative_share", "share of the most negative curvature", below, "< 1"),
        ("batches", "batch_gap", "batch gap", below, "< 1"),
        ("batches", "batch_noise", "gradient noise", below, "< 1"),
        ("layers", "last_layer_share", "", above, "> 1"),
    )
    for depth in config.depths:
        for width in (config.widths[-1], config.widths[len(config.widths) // 2]):
            for statement, quantity, words, judge, expected in asked:
                late = grid(depth, width, last, quantity)
                if words:
                    found = paired(late, grid(depth, width, first, quantity))
                    words = f"{words} at loss {last:g} over that at {first:g}"
                else:
                    found = mean_interval(late)
                    words = (
                        f"last layer's share of the squared gradient at loss {last:g}, times layers"
                    )
                yield line(statement, at(depth, width), words, expected, found, judge(found))
        early = grid.trend(depth, first, "batch_gap")
        words = f"batch gap at loss {first:g}: widest over narrowest"
        yield line("batches", f"depth {depth}", words, "> 1", early, above(early))


def _critical(config: LandscapeConfig, grid: _Grid) -> Iterator[Row]:
    for depth in config.depths:
        for width in (config.widths[0], config.widths[-1]):
            found = paired(
                grid(depth, width, 0.0, "gradient_norm"),
                grid(depth, width, 0.0, "polished_gradient_norm"),
            )
            words = "gradient norm at the stop over that at the polished point"
            yield line("critical", at(depth, width), words, "> 1", found, above(found))
        for quantity, words in (
            ("left_out_shift", "shift over the way from the start: widest over narrowest"),
            ("left_out_apart", "distance from the kernel's residual: widest over narrowest"),
        ):
            found = grid.trend(depth, 0.0, quantity)
            yield line(
                quantity.replace("_", " "), f"depth {depth}", words, "< 1", found, below(found)
            )


def _barriers(config: LandscapeConfig, grid: _Grid) -> Iterator[Row]:
    widest = config.widths[-1]
    for depth in config.depths:
        name = f"depth {depth}"
        straight = grid(depth, widest, 0.0, "barrier_straight")
        found = mean_interval(straight)
        words = "barrier over the loss of zero outputs"
        yield line("straight", at(depth, widest), words, "> 0", found, side(found, 0.0))
        found = grid.rise(depth, "barrier_straight")
        words = "straight barrier: widest less narrowest"
        yield line("straight", name, words, "no decay", found, MEASURED)
        for statement, quantity in (
            ("same start", "barrier_same_start"),
            ("matched", "barrier_matched"),
            ("curve", "barrier_bezier"),
            ("curve", "barrier_polygon"),
        ):
            found = grid.rise(depth, quantity)
            words = f"{quantity.replace('_', ' ')}: widest less narrowest"
            yield line(statement, name, words, "< 0", found, negative(found))
            if statement != "same start":
                own = grid(depth, widest, 0.0, quantity)
                found = mean_interval((own - straight).dropna())
                words = f"{quantity.replace('_', ' ')} less the straight one"
                yield line(statement, at(depth, widest), words, "< 0", found, negative(found))


def _depths(config: LandscapeConfig, grid: _Grid) -> Iterator[Row]:
    level, width = config.levels[-1], config.widths[-1]
    for less, more in zip(config.depths, config.depths[1:], strict=False):
        for quantity in ("lambda_max", "negative_share"):
            found = unpaired(*(grid(d, width, level, quantity) for d in (more, less)))
            words = (
                f"{quantity.replace('_', ' ')} of depth {more} over that of {less}, loss {level:g}"
            )
            yield line("depth", f"width {width}", words, "> 1", found, above(found))


def _test(config: LandscapeConfig, grid: _Grid, kernel_tests: Mapping[int, float]) -> Iterator[Row]:
    perturbed = sorted({k[3] for k in grid._cells if k[3].startswith("test_loss_perturbed")})
    for depth in config.depths:
        for quantity in ("test_loss", *perturbed):
            found = grid.trend(depth, 0.0, quantity)
            words = f"{quantity.replace('_', ' ')}: widest over narrowest"
            yield line("test", f"depth {depth}", words, "< 1", found, below(found))
        width, less = config.widths[-1], config.widths[-3]
        own = grid(depth, width, 0.0, "test_loss")
        found = unpaired(own, grid(depth, less, 0.0, "test_loss"))
        words = f"test loss at width {width} over that at {less}"
        yield line("very wide", f"depth {depth}", words, "> 1", found, above(found))
        found = geometric_interval(own / kernel_tests[depth])
        words = "test loss over that of the kernel's interpolation"
        yield line("very wide", at(depth, width), words, "< 1", found, below(found))


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
            yield line("sharpness", f"depth {depth}", words, "either", interval, MEASURED)
