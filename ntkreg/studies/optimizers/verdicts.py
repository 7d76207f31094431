"""What the tables say, each statement with its interval over seeds and a verdict by it."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ntkreg.studies.optimizers.config import REFERENCE, OptimizersConfig
from ntkreg.studies.shared.intervals import Interval, loglog_slopes, mean_interval, ratio_interval

__all__ = ["make_verdicts"]

BOUND = -0.5
"""Slope against width that bounds the gap of gradient descent from above (Lee et al. 2019,
arXiv 1902.06720, theorem 2.1). Judged one-sided: falling faster is within the bound."""

Tables = Mapping[str, pd.DataFrame]
Row = dict[str, Any]


def make_verdicts(config: OptimizersConfig, tables: Tables) -> pd.DataFrame:
    """Return one line a statement.

    Columns question ("kernel trajectory", "end points", "noise of sgd", "stopping and
    ridge", "labels"), subject, quantity, estimate, low, high (95 % over seeds), n (seeds),
    verdict. What an interval does not decide is "undecided"; "measured" are numbers that no
    verdict is asked of.
    """
    chosen = tables["runs"][tables["runs"].width == config.width]
    lines = [
        *_trajectory(config, tables["levels"]),
        *_end_points(config, chosen),
        *_noise(tables["batches"]),
        *_stopping(tables["stops"], tables["curves"]),
        *_labels(chosen),
    ]
    return pd.DataFrame(lines)


def _trajectory(config: OptimizersConfig, levels: pd.DataFrame) -> Iterator[Row]:
    """Slope with width of the gap to the kernel, and the gap beside gradient descent's."""
    widths = list(config.widths)
    # Also those that never got to the last level, as lines without seeds.
    empty = pd.DataFrame(columns=widths, dtype=float)
    gaps = dict.fromkeys(config.optimizers, empty)
    last = levels[levels.level == config.levels[-1]]
    for optimizer, own in last.groupby("optimizer"):
        by_width = own.pivot(index="seed", columns="width", values="kernel_gap")
        gaps[optimizer] = by_width.reindex(columns=widths).dropna()
    for optimizer, gap in gaps.items():
        slope = mean_interval(loglog_slopes(config.widths, gap.to_numpy(float)))
        yield _line(
            "kernel trajectory",
            optimizer,
            "slope of the gap against width",
            slope,
            _side(slope, BOUND, "within the bound", "slower than the bound"),
        )
        if optimizer != REFERENCE:
            both = gap.index.intersection(gaps[REFERENCE].index)
            ratios = gap.loc[both].to_numpy(float) / gaps[REFERENCE].loc[both].to_numpy(float)
            slope = mean_interval(loglog_slopes(config.widths, ratios))
            yield _line(
                "kernel trajectory",
                optimizer,
                "slope of the gap over that of gradient descent",
                slope,
                _side(slope, 0.0, "comes nearer with width", "falls behind with width"),
            )
            widest = config.widths[-1]
            ratio = ratio_interval(ratios[:, -1], np.ones(len(ratios)))
            yield _line(
                "kernel trajectory",
                optimizer,
                f"gap over that of gradient descent, width {widest}",
                ratio,
                _side(ratio, 1.0, "nearer to the kernel", "farther from the kernel"),
            )


def _end_points(config: OptimizersConfig, runs: pd.DataFrame) -> Iterator[Row]:
    """How far parameters and kernels went, beside gradient descent."""
    chosen = runs[runs.labels == "correct"]
    words = {
        "moved": ("parameters moved less", "parameters moved farther"),
        "kernel_drift": ("kernel changed less", "kernel changed more"),
    }
    for column, (less, more) in words.items():
        by_seed = chosen.pivot(index="seed", columns="optimizer", values=column)
        for optimizer in config.optimizers:
            if optimizer == REFERENCE:
                continue
            ratio = ratio_interval(by_seed[optimizer], by_seed[REFERENCE])
            name = f"{column.replace('_', ' ')} over that of gradient descent"
            yield _line("end points", optimizer, name, ratio, _side(ratio, 1.0, less, more))


def _noise(batches: pd.DataFrame) -> Iterator[Row]:
    """How the distance from gradient descent and the test error go with the noise scale."""
    ended = batches[(batches.outcome == "reached") & (batches.noise_scale > 0)]
    words = {
        "function": ("nearer with noise", "farther with noise"),
        "parameters": ("nearer with noise", "farther with noise"),
        "test_loss": ("lower with noise", "higher with noise"),
    }
    for column, (less, more) in words.items():
        slopes = [
            loglog_slopes(own.noise_scale.to_list(), own[[column]].to_numpy(float).T)[0]
            for _, own in ended.groupby("seed")
        ]
        slope = mean_interval(slopes)
        name = f"slope of {column.replace('_', ' ')} against noise scale"
        yield _line("noise of sgd", "sgd", name, slope, _side(slope, 0.0, less, more))


def _stopping(stops: pd.DataFrame, curves: pd.DataFrame) -> Iterator[Row]:
    """The best time to stop beside the best ridge, and the network beside its kernel."""
    best = stops.groupby(["kernel", "seed"])[["flow_loss", "ridge_loss"]].min()
    last = stops.sort_values("time").groupby(["kernel", "seed"]).flow_loss.last()
    for kernel in ("analytic", "empirical"):
        own = best.loc[kernel]
        ratio = ratio_interval(own.flow_loss, own.ridge_loss)
        yield _line(
            "stopping and ridge",
            f"{kernel} kernel",
            "least test loss when stopped over that with ridge",
            ratio,
            _side(ratio, 1.0, "stopping is better", "ridge is better"),
        )
        gain = ratio_interval(own.flow_loss, last.loc[kernel])
        yield _line(
            "stopping and ridge",
            f"{kernel} kernel",
            "least test loss when stopped over that without end",
            gain,
            _side(gain, 1.0, "stopping helps", "stopping harms"),
        )
        greatest = stops[stops.kernel == kernel].groupby("seed").distance.max()
        yield _line(
            "stopping and ridge",
            f"{kernel} kernel",
            "greatest distance, stopped at t from ridge n / t",
            mean_interval(greatest),
            "measured",
        )
    network = curves.groupby("seed").test_loss.min()
    ratio = ratio_interval(network, best.loc["empirical"].flow_loss.reindex(network.index))
    yield _line(
        "stopping and ridge",
        "network",
        "least test loss when stopped over that of its kernel",
        ratio,
        _side(ratio, 1.0, "network is better", "kernel is better"),
    )


def _labels(runs: pd.DataFrame) -> Iterator[Row]:
    """Test errors on correct and random labels at the same training loss."""
    chosen = runs[runs.outcome == "reached"]
    errors, losses = (
        chosen[chosen.labels != "noisy"].pivot_table(
            index="seed", columns=["optimizer", "labels"], values=column
        )
        for column in ("test_error", "train_loss")
    )
    for optimizer in chosen.optimizer.unique():
        if not {(optimizer, "correct"), (optimizer, "random")} <= set(errors.columns):
            continue
        ratio = ratio_interval(losses[optimizer]["random"], losses[optimizer]["correct"])
        yield _line(
            "labels",
            optimizer,
            "training loss, random over correct labels",
            ratio,
            "measured",
        )
        gap = mean_interval(errors[optimizer]["random"] - errors[optimizer]["correct"])
        yield _line(
            "labels",
            optimizer,
            "test error, random less correct labels, points",
            gap,
            _side(gap, 0.0, "random labels are better", "random labels are worse"),
        )


def _side(found: Interval, bound: float, below: str, above: str) -> str:
    if found.high < bound:
        return below
    return above if found.low > bound else "undecided"


def _line(question: str, subject: str, quantity: str, found: Interval, verdict: str) -> Row:
    return {
        "question": question,
        "subject": subject,
        "quantity": quantity,
        "estimate": found.estimate,
        "low": found.low,
        "high": found.high,
        "n": found.n,
        "verdict": verdict if np.isfinite(found.low) else "undecided",
    }
