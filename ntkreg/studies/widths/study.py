"""At which width networks begin to do what the theory of infinite width says.

Networks of many widths, depths and starts in two parametrisations are drawn, trained by
full-batch gradient descent and compared with their analytic kernels, with their own
linearisation and with the two Gaussian processes of infinite width (Lee et al. 2019,
arXiv 1902.06720). What each quantity does as the width grows is held against theory.
"""

import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from ntkreg.storage import write_table
from ntkreg.studies.shared.record import write_record
from ntkreg.studies.widths.config import WidthsConfig, network_of
from ntkreg.studies.widths.runs import measure_network, start_of, unpack_symmetric
from ntkreg.studies.widths.store import RunStore
from ntkreg.studies.widths.tables import (
    ensemble_points,
    kernel_points,
    limit_table,
    slope_table,
    spread_points,
)
from ntkreg.studies.widths.task import WidthTask, load_width_data, make_task

__all__ = ["WidthsConfig", "draws_of", "run_widths"]


def run_widths(
    config: WidthsConfig,
    output: str | Path,
    *,
    n_jobs: int | None = None,
    progress: bool | None = None,
    store: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """Run the study and write everything that its page is made of.

    Parameters
    ----------
    config : WidthsConfig
    output : path of a folder
        Made if absent. Each network is a file under ``networks``: run again, a killed
        study goes on after the last one, and more widths or starts are added to them.
    n_jobs : int or None
        Threads of NumPy's linear algebra, None for one a core; JAX takes all CPUs that the
        process may use.
    progress : bool or None
        Progress bar; None for one on terminals if the work takes over two seconds.
    store : path or None
        Folder of kernels that studies and estimators share, for the analytic ones; None: they
        are not kept.

    Returns
    -------
    DataFrame
        The slopes with their verdicts, also in ``slopes.csv``. Beside it ``rows.csv`` (one
        row a network), ``summary.csv`` (a point for each width and quantity),
        ``ensembles.csv`` and ``limits.csv`` (means and variances over starts against the
        formulas; with `ntk` only), ``config.yaml`` and ``record.json``.

    Raises
    ------
    SpecError, DataError, StoreMismatchError
        Settings that the data do not allow; a bad file; a folder of another study.

    Notes
    -----
    `ntkreg plan` says what it costs. Steps of the widest networks are most of it: a step
    takes some 6 n_train flops for each parameter and pixel.
    """
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    data = load_width_data(config)
    finished = RunStore(output / "networks", config, data.source.provenance.sha256)
    began = time.perf_counter()
    rows: list[dict[str, Any]] = []
    points: list[dict[str, Any]] = []
    ensembles: list[dict[str, Any]] = []
    rates = {}
    total = len(config.depths) * sum(
        sum(draws_of(config, parametrization)) for parametrization in config.parametrizations
    )
    bar = tqdm(total=total, unit="network", disable=None if progress is None else not progress,
               delay=0 if progress else 2, desc="widths")  # fmt: skip
    with bar, threadpool_limits(n_jobs, user_api="blas"):
        for depth, parametrization in itertools.product(config.depths, config.parametrizations):
            task = make_task(config, data, depth, parametrization, store)
            rates[f"{parametrization}, {depth} hidden"] = task.training.learning_rate
            for i, n_draws in enumerate(draws_of(config, parametrization)):
                width, n_seeds = config.widths[i], config.n_seeds[i]
                found = list(_networks(config, task, finished, width, n_seeds, n_draws, bar))
                group = (depth, parametrization, width)
                rows += [_row(group, config.seed, *one) for one in enumerate(found)]
                points += _kernels(task, group, found)
                outputs = np.array([f["outputs"] for f in found[:n_seeds]])
                if task.ensembles and n_seeds > 2 and np.isfinite(outputs).all():
                    ensembles += ensemble_points(group, outputs, task.ensembles)
    table = pd.DataFrame(rows)
    summary = pd.DataFrame([*spread_points(table), *points])
    slopes = slope_table(summary)
    files = {"rows": table, "summary": summary, "slopes": slopes}
    if ensembles:
        files["ensembles"] = pd.DataFrame(ensembles)
        files["limits"] = limit_table(files["ensembles"])
    for name, frame in files.items():
        write_table(output / f"{name}.csv", frame, float_format="%.6g")
    write_record(
        output,
        config,
        seconds_of_this_run=time.perf_counter() - began,
        seconds_of_networks=float(table.seconds.sum()),
        learning_rates=rates,
        networks={str(depth): repr(network_of(config, depth)) for depth in config.depths},
        data=asdict(data.source.provenance),
    )
    return slopes


def draws_of(config: WidthsConfig, parametrization: str) -> list[int]:
    """Return for each width how many networks are drawn; the first n_seeds are trained."""
    if parametrization == "mup":  # no analytic kernel to compare its starts with
        return list(config.n_seeds)
    return [max(pair) for pair in zip(config.n_seeds, config.n_starts, strict=True)]


def _networks(
    config: WidthsConfig,
    task: WidthTask,
    finished: RunStore,
    width: int,
    n_seeds: int,
    n_draws: int,
    bar: Any,
) -> Iterator[dict[str, Any]]:
    """Yield what was measured of each network, from disk or now."""
    architecture = network_of(config, task.depth)
    for draw in range(n_draws):
        place = (task.depth, task.parametrization, width, draw)
        found = finished.load(*place)
        if not found or found["trained"] < (draw < n_seeds):
            bar.set_postfix_str(f"{task.parametrization}, {task.depth} hidden, width {width}")
            start = start_of(config.seed, task.depth, width, draw)
            found = measure_network(task, architecture, width, start, trained=draw < n_seeds)
            found["start"] = start
            finished.save(*place, found)
        bar.update()
        yield found


def _row(
    group: tuple[int, str, int], seed: int, draw: int, found: dict[str, Any]
) -> dict[str, Any]:
    numbers = {k: v for k, v in found.items() if np.ndim(v) == 0}
    start = int(numbers.pop("start"))
    return {
        "depth": group[0],
        "parametrization": group[1],
        "width": group[2],
        "draw": draw,
        "seed": seed,
        "start": start,
        **numbers,
    }


def _kernels(
    task: WidthTask, group: tuple[int, str, int], found: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    for name, limit in (("nngp", task.nngp), ("ntk", task.ntk)):
        if limit is not None and len(found) > 2:
            kernels = np.array([unpack_symmetric(f[name]) for f in found])
            n = kernels.shape[1]
            yield from kernel_points(group, name, kernels, limit[:n, :n])
