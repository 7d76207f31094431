"""Questions beside the base grid, each with a task or a training of its own, a function each."""

from collections.abc import Callable

from ntkreg.studies.landscape.questions.data import clusters, conflicts
from ntkreg.studies.landscape.questions.lines import Values
from ntkreg.studies.landscape.questions.minima import basins, critical_points, global_minima
from ntkreg.studies.landscape.questions.networks import (
    linear_networks,
    narrowing,
    skips,
    wide_layer,
)
from ntkreg.studies.landscape.questions.regions import flat_regions, spectra
from ntkreg.studies.landscape.questions.training import (
    batch_minima,
    decayed_rates,
    dropout,
    losses,
    optimizers,
    small_starts,
)
from ntkreg.studies.landscape.questions.ways_down import cross_entropy, sublevel
from ntkreg.studies.landscape.task import Task

__all__ = ["QUESTIONS"]

QUESTIONS: dict[str, Callable[[Task], Values]] = {
    "skips": skips,
    "linear networks": linear_networks,
    "conflicts": conflicts,
    "wide layer": wide_layer,
    "narrowing": narrowing,
    "clusters": clusters,
    "sublevel": sublevel,
    "cross-entropy": cross_entropy,
    "critical points": critical_points,
    "global minima": global_minima,
    "flat regions": flat_regions,
    "spectra": spectra,
    "optimizers": optimizers,
    "losses": losses,
    "decayed rates": decayed_rates,
    "dropout": dropout,
    "small starts": small_starts,
    "batch minima": batch_minima,
    "basins": basins,
}
"""By name."""
