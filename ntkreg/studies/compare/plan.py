"""What a comparison will cost."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

from ntkreg.cpus import check_n_jobs
from ntkreg.data.folders import DataSet, load_data_set
from ntkreg.errors import DataError, SpecError
from ntkreg.studies.compare.config import CompareConfig
from ntkreg.studies.compare.kernels import kernel_settings
from ntkreg.studies.compare.models import Model
from ntkreg.studies.compare.rivals import check_installed
from ntkreg.studies.compare.splits import parts_of, sizes_of
from ntkreg.studies.compare.study import chosen_files
from ntkreg.studies.compare.work import Found, tune_and_test, work_on
from ntkreg.studies.shared.plan import StudyPlan
from ntkreg.studies.shared.workers import seconds_of_the_last, seconds_to_start

__all__ = ["plan_compare"]

_ROWS = (150, 1000)
"""About so many rows have the two data sets on which some settings of each model are timed."""


def plan_compare(
    config: CompareConfig, output: str | Path, *, n_jobs: int | None = None
) -> Iterator[StudyPlan]:
    """Yield data sets, settings, seconds and bytes, after a few settings have been timed.

    Parameters
    ----------
    config : CompareConfig
    output : path
        What is finished there is not taken off.
    n_jobs : int or None
        As in `run_compare`.

    Raises
    ------
    FileNotFoundError, DataError, SpecError
        As `run_compare`.
    """
    check_installed([model.kind for model in config.each_model()])
    found, unread = [], 0
    for path in chosen_files(config).values():
        try:
            data = load_data_set(path)
        except (DataError, OSError):
            unread += 1
            continue
        if config.most_rows is None or len(data.y) <= config.most_rows:
            found += [_Set(data, size, config) for size in sizes_of(config, data)]
    work = [each for each in found if each.parts]
    if not work:
        raise SpecError(f"data: {config.data} holds no data set that this protocol can use.")
    timed = [_nearest(work, rows) for rows in _ROWS]
    seconds, peak, jobs = {}, 0, check_n_jobs(n_jobs)
    pieces = []
    for model in config.each_model():
        times = _seconds_of(config, model, *timed)
        if times is None:
            continue
        taken = [each.parts * times(each.rows) for each in work]
        pieces += list(zip((-len(each.data.y) for each in work), taken, strict=True))
        seconds[model.name] = sum(taken) / jobs
        if model.is_kernel:
            n = max(each.rows for each in work)
            peak = max(peak, 16 * len(kernel_settings(model)) * n * n)
    if jobs > 1:
        seconds["starting processes"] = seconds_to_start(tune_and_test, jobs, len(pieces))
        # As the study takes them: the largest sets first, model by model.
        in_turn = (taken for _, taken in sorted(pieces, key=lambda piece: piece[0]))
        seconds["waiting for the last"] = seconds_of_the_last(in_turn, jobs)
    fits = sum(each.fits for each in work) * len(config.models)
    yield StudyPlan(
        {
            "data sets": len(work),
            "models": len(config.models),
            "settings each": config.budget,
            "fits": fits,
        },
        seconds,
        peak,
        4 * len(work) * len(config.models) * config.n_geometry**2,
        f"Times are those of data sets of {' and '.join(str(t.rows) for t in timed)} rows, scaled "
        "by their number: columns and classes may make it twice as much, or half."
        + (f" {unread} file(s) cannot be read." if unread else ""),
    )


class _Set:
    """A data set at a number of training rows: rows of a part, parts, and fits of all of them."""

    def __init__(self, data: DataSet, size: int | None, config: CompareConfig) -> None:
        self.data, self.size, self.rows, self.parts, self.fits = data, size, 0, 0, 0
        try:
            part = next(parts_of(config, data, size))
        except SpecError:  # the run will say so
            return
        self.rows, self.parts = len(part.X), 1
        if config.protocol == "nested tuning":
            drawn = 1 if data.n_train is not None and size is None else config.n_splits
            self.parts = len(data.folds) or drawn
        self.fits = self.parts * (config.budget * len(part.tuning) + len(part.testing))


def _nearest(sets: list[_Set], rows: int) -> _Set:
    return min(sets, key=lambda each: abs(each.rows - rows))


def _seconds_of(
    config: CompareConfig, model: Model, small: _Set, large: _Set
) -> Callable[[int], float] | None:
    """Return the time of a part by its rows, a power of them; None where the model fails."""
    key = list(model.grid)[-1]
    few = Model(model.name, model.kind, {**model.grid, key: model.grid[key][::3]})
    share = len(model.settings()) / len(few.settings())
    times = []
    try:
        for timed in (small, small, large):  # the first one compiles
            found = Found()
            work_on(config, few, next(parts_of(config, timed.data, timed.size)), found)
            parts = found.seconds_kernel + share * found.seconds_tune + found.seconds_test
            times.append(parts)
    except (ValueError, TypeError, MemoryError):
        return None
    _, one, other = times
    growth = large.rows / small.rows
    power = math.log(max(other / one, 1.0)) / math.log(growth) if growth > 1.5 else 2.0
    return lambda rows: one * (rows / small.rows) ** min(power, 3.0)
