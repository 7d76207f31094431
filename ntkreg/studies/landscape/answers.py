"""What questions beside the grid found, each statement judged by its interval."""

from collections.abc import Callable, Iterator

import pandas as pd

from ntkreg.studies.landscape.config import LandscapeConfig
from ntkreg.studies.landscape.judging import (
    AGREES,
    DISAGREES,
    MEASURED,
    Row,
    above,
    all_are,
    below,
    correlation,
    geometric_interval,
    line,
    negative,
    no_more,
    paired,
    positive,
    unpaired,
    welch,
)
from ntkreg.studies.shared.intervals import mean_interval

__all__ = ["answers"]

ROUNDING = 1e-9
"""Over the loss of zero outputs: what read-outs that interpolate leave, whose features are nearly
dependent, and less than any level."""


class _Asked:
    """Values of the questions beside the grid, by seed, group or basin."""

    def __init__(self, config: LandscapeConfig, rows: pd.DataFrame) -> None:
        self.config = config
        own = rows[rows.part != "grid"]
        keys = ["part", "subject", "quantity"]
        self._values = {
            k: each.sort_values("seed").set_index("seed").value for k, each in own.groupby(keys)
        }

    def __call__(self, part: str, subject: str, quantity: str) -> pd.Series:
        return self._values.get((part, subject, quantity), pd.Series(dtype=float))

    def subjects(self, part: str) -> list[str]:
        """Return what a question was asked of."""
        return sorted({subject for asked, subject, _ in self._values if asked == part})

    @property
    def ends(self) -> tuple[int, int]:
        """The least and the greatest width."""
        return self.config.widths[0], self.config.widths[-1]

    @property
    def middle(self) -> int:
        """As of `Task.middle`."""
        return self.config.widths[len(self.config.widths) // 2]


def answers(config: LandscapeConfig, rows: pd.DataFrame) -> Iterator[Row]:
    """Yield a row a quantity, see `ntkreg.studies.landscape.verdicts.make_verdicts`."""
    asked = _Asked(config, rows)
    for answer in _ANSWERS:
        yield from answer(asked)


def _skips(asked: _Asked) -> Iterator[Row]:
    for subject in ("skip", "scaled skip"):
        found = unpaired(*(asked("skips", kind, "lambda_max") for kind in (subject, "erf")))
        words = f"largest curvature at the start with {subject}s over that without"
        yield line("skip", "at the start", words, "< 1", found, below(found))


def _linear(asked: _Asked) -> Iterator[Row]:
    words = "share of starts that reach it"
    found, said = all_are(asked("linear networks", "no bottleneck", "reached"))
    yield line("linear", "no bottleneck", words, "1", found, said)
    found, _ = all_are(asked("linear networks", "bottleneck", "reached"))
    yield line("linear", "bottleneck", words, "either", found, MEASURED)


def _conflicts(asked: _Asked) -> Iterator[Row]:
    for subject in asked.subjects("conflicts"):
        values = asked("conflicts", subject, "loss_over_floor")
        found, said = mean_interval(values), all_are(values > 1 - ROUNDING)[1]
        words = "loss over what the targets' means leave"
        yield line("conflicts", subject, words, ">= 1", found, said)


def _wide_layer(asked: _Asked) -> Iterator[Row]:
    for subject, full in (("the last", True), ("the first", False)):
        found = mean_interval(asked("wide layer", subject, "rank_share"))
        said = AGREES if (found.low == 1) == full and (full or found.high < 1) else DISAGREES
        expected = "1" if full else "< 1"
        yield line("wide layer", subject, "rank over points", expected, found, said)
    name = "wide middle layer, narrowing after it"
    found, said = all_are(asked("narrowing", name, "reached"))
    least = f"share of starts that reach loss {asked.config.levels[-1]:g}"
    yield line("narrowing", name, least, "1", found, said)
    found, _ = all_are(asked("narrowing", "all narrow", "reached"))
    yield line("narrowing", "all narrow", least, "either", found, MEASURED)


def _clusters(asked: _Asked) -> Iterator[Row]:
    for width in (1, 2, 4):
        pair = [asked("clusters", f"width {width}, {k}", "loss") for k in ("clustered", "spread")]
        found = paired(*pair)
        words = "loss on tight clusters over that on wide ones, after as many steps"
        yield line("clusters", f"width {width}", words, "< 1", found, below(found))


def _ways_down(asked: _Asked) -> Iterator[Row]:
    for subject, quantity, words in (
        ("to zero", "rise", "greatest rise of the loss on the way"),
        ("to zero", "end", "loss at its end"),
        ("between zeros", "greatest", "greatest loss on the way from one end to the other"),
    ):
        values = asked("sublevel", subject, quantity)
        found, said = mean_interval(values), all_are(values < ROUNDING)[1]
        of = f"width {2 * asked.config.n_train}, {subject}"
        yield line("sublevel", of, words, "0", found, said)
    for quantity, words in (
        ("rise", "greatest rise of the loss as the read-out grows"),
        ("end", "loss over that of zero outputs, at 2,048 times the read-out"),
    ):
        values = asked("cross-entropy", "all", quantity)
        found, said = mean_interval(values), all_are(values < ROUNDING)[1]
        yield line("cross-entropy", f"width {asked.middle}", words, "0", found, said)


def _minima(asked: _Asked) -> Iterator[Row]:
    found = mean_interval(asked("critical points", "all", "converged"))
    words = "share of searches that end at a critical point"
    yield line("index", "all starts", words, "either", found, MEASURED)
    found = correlation(*(asked("critical points", "distinct", q) for q in ("loss", "index")))
    words = "rank correlation of loss and share of negative curvatures"
    yield line("index", f"{found.n} critical points", words, "> 0", found, positive(found))
    for name in ("clean", "noisy"):
        found = geometric_interval(asked("global minima", name, "test_ratio"))
        words = "test loss of the lowest of 20 ends over the median one's"
        yield line("global", f"{name} targets", words, "> 1", found, above(found))


def _regions(asked: _Asked) -> Iterator[Row]:
    middle = f"width {asked.middle}"
    found = geometric_interval(asked("flat regions", "flat", "test_ratio"))
    words = "test loss at the region's edge over that at its minimum"
    yield line("flat region", middle, words, "<= 1", found, no_more(found))
    pair = [asked("flat regions", kind, "radius") for kind in ("flat", "any")]
    found = paired(*pair)
    words = "how far it reaches, over how far in any direction"
    yield line("flat region", middle, words, "> 1", found, above(found))
    pair = [asked("spectra", f"width {w}", "share") for w in (asked.middle, asked.ends[0])]
    found = unpaired(*pair)
    words = f"share not near zero at width {asked.middle} over that at {asked.ends[0]}"
    yield line("bulk", "depth 1", words, "< 1", found, below(found))
    for width in (asked.ends[0], asked.middle):
        found = mean_interval(asked("spectra", f"width {width}", "over_points"))
        words = "curvatures not near zero over points"
        yield line("bulk", f"width {width}", words, "<= 1", found, no_more(found))


def _trainings(asked: _Asked) -> Iterator[Row]:
    plain = "gradient descent"
    of = f"width {asked.middle}, loss {asked.config.levels[-1]:g}"
    for name, quantity, expected, judge in (
        ("sgd", "lambda_max", "< 1", below),
        ("a fifth of the rate", "lambda_max", "> 1", above),
        ("momentum", "lambda_max", "either", None),
        ("adam", "lambda_max", "either", None),
        ("adam", "test_loss", "> 1", above),
        ("sgd", "test_loss", "< 1", below),
    ):
        found = paired(*(asked("optimizers", n, quantity) for n in (name, plain)))
        shown = {"lambda_max": "largest curvature", "test_loss": "test loss"}[quantity]
        words = f"{shown} of {name} over that of {plain}"
        yield line("optimizer", of, words, expected, found, judge(found) if judge else MEASURED)
    for name, expected in (("cross_entropy", "< 1"), ("squared", "either")):
        pair = [asked("losses", name, f"lambda_max_{when}") for when in ("late", "early")]
        found = paired(*pair)
        late, early = asked.config.levels[-2], asked.config.levels[0]
        words = f"largest curvature at loss {late:g} over that at {early:g}"
        said = below(found) if expected == "< 1" else MEASURED
        shown = name.replace("_", "-")
        yield line("loss function", f"{shown}, width {asked.middle}", words, expected, found, said)
    for name, expected in (("decayed", "> 1"), ("constant", "either")):
        found = mean_interval(asked("decayed rates", name, "last_layer_share"))
        words = f"last layer's share of the squared gradient after SGD of {name} rate, times layers"
        said = above(found) if name == "decayed" else MEASURED
        yield line("layers", f"depth 2, width {asked.middle}", words, expected, found, said)


def _dropout(asked: _Asked) -> Iterator[Row]:
    for width in asked.ends:
        own = {
            (q, when): asked("dropout", f"width {width}, {when}", q)
            for q in ("dropout", "batches")
            for when in ("early", "late")
        }
        found = paired(own["dropout", "late"], own["batches", "late"])
        words = "noise of dropout over that of batches, at the least loss"
        yield line("dropout", f"width {width}", words, "> 1", found, above(found))
        kept = own["dropout", "late"] / own["dropout", "early"]
        lost = own["batches", "late"] / own["batches", "early"]
        found = paired(kept, lost)
        words = "share of dropout's noise that is left, over that of batches"
        yield line("dropout", f"width {width}", words, "> 1", found, above(found))
    narrow, wide = asked.ends
    pair = [asked("dropout", f"width {w}, late", "dropout_loss") for w in (wide, narrow)]
    found = unpaired(*pair)
    words = "mean loss under dropout: widest over narrowest"
    yield line("dropout", "depth 1", words, "< 1", found, below(found))


def _starts(asked: _Asked) -> Iterator[Row]:
    for width in asked.ends:
        kinds = [f"width {width}, small start, {k}" for k in ("sgd", "gradient descent")]
        found = paired(*(asked("small starts", k, "escape") for k in kinds))
        words = "steps that SGD needs from the saddle at zero over those of gradient descent"
        yield line("escape", f"width {width}", words, "< 1", found, below(found))
        kinds = [f"width {width}, {k} start, gradient descent" for k in ("small", "usual")]
        small, usual = (asked("small starts", k, "plateau") for k in kinds)
        found = mean_interval(small - usual)
        words = "longest plateau's share of all steps, small start less usual one"
        yield line("plateau", f"width {width}", words, "> 0", found, positive(found))
    narrow, wide = asked.ends
    kinds = [f"width {w}, small start, gradient descent" for w in (wide, narrow)]
    found = unpaired(*(asked("small starts", k, "escape") for k in kinds))
    words = "steps from the saddle at zero: widest over narrowest"
    yield line("plateau", "depth 1", words, "either", found, MEASURED)


def _batch_minima(asked: _Asked) -> Iterator[Row]:
    for width in asked.ends:
        found = mean_interval(asked("batch minima", f"width {width}", "distance"))
        words = "distance of the end after the detour, over the way without it"
        yield line("detour", f"width {width}", words, "> 0", found, positive(found))
    pair = [asked("batch minima", f"width {w}", "distance") for w in reversed(asked.ends)]
    found = unpaired(*pair)
    words = "that distance: widest over narrowest"
    yield line("detour", "depth 1", words, "either", found, MEASURED)
    pair = [asked("batch minima", f"width {w}", "barrier") for w in reversed(asked.ends)]
    found = welch(*pair)
    words = "barrier between both ends: widest less narrowest"
    yield line("detour", "depth 1", words, "< 0", found, negative(found))


def _basins(asked: _Asked) -> Iterator[Row]:
    found = mean_interval(asked("basins", "all", "converged"))
    yield line("basins", "all starts", "share with gradient below 1e-9", "1", found, MEASURED)
    hits, norms = (asked("basins", "basins", q) for q in ("hits", "hessian_norm"))
    found = correlation(hits, norms)
    words = "rank correlation of hits and the Hessian's norm over basins"
    yield line("basins", f"{len(hits)} basins", words, "< 0", found, negative(found))
    for subject in ("ends", "ends, matched"):
        found = paired(*(asked("basins", subject, q) for q in ("share", "share_of_starts")))
        words = "share of two directions over that of the starts"
        yield line("subspace", subject, words, "> 1", found, above(found))


_ANSWERS: tuple[Callable[[_Asked], Iterator[Row]], ...] = (
    _skips,
    _linear,
    _conflicts,
    _wide_layer,
    _clusters,
    _ways_down,
    _minima,
    _regions,
    _trainings,
    _dropout,
    _starts,
    _batch_minima,
    _basins,
)
