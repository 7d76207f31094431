"""The optimiser study: which runs, in which order, and the tables they end in."""

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from ntkreg import finite
from ntkreg.cpus import one_blas_thread
from ntkreg.gram import kernel_in_store
from ntkreg.gram.manifest import check_folder
from ntkreg.kernels import KernelSpec
from ntkreg.storage import write_table
from ntkreg.studies.optimizers.config import REFERENCE, OptimizersConfig
from ntkreg.studies.optimizers.kernels import KernelPath
from ntkreg.studies.optimizers.measures import (
    batch_row,
    curve_rows,
    level_rows,
    pair_rows,
    run_row,
    stop_rows,
)
from ntkreg.studies.optimizers.runs import Run, RunSpec, run_or_load
from ntkreg.studies.optimizers.starts import Start, start_or_load
from ntkreg.studies.optimizers.task import Task, architecture_of, load_task, training_labels
from ntkreg.studies.optimizers.verdicts import make_verdicts
from ntkreg.studies.shared.record import write_record

__all__ = ["network_of", "run_optimizers", "run_specs", "spec_of"]

_N_TIMES = 60
"""Stop times, and as many ridges, between which the best is looked for."""


def run_optimizers(
    config: OptimizersConfig,
    output: str | Path,
    *,
    n_jobs: int | None = None,
    progress: bool | None = None,
    store: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """Run the study and write everything it found into a folder.

    Every run has a file under ``output/runs``; run again, a killed study goes on with the
    runs that are not there yet, and a changed configuration trains only what it changes.

    Parameters
    ----------
    config : OptimizersConfig
    output : path of a folder
        Made if absent.
    n_jobs : int or None
        Threads of the analytic kernel; None for one a core. Training takes those of JAX.
    progress : bool or None
        Progress bar over runs; None for one on terminals.
    store : path or None
        Folder of kernels that studies and estimators share, for the analytic one; None: it is
        not kept.

    Returns
    -------
    DataFrame
        The rows of ``runs.csv``, one a run of the comparison of optimisers, see
        `ntkreg.studies.optimizers.measures`. Beside it ``levels.csv`` (distance from the
        kernel trajectory), ``pairs.csv`` (of every two end points), ``batches.csv`` (runs on
        the noise of sgd), ``stops.csv`` and ``curves.csv`` (early stopping, of kernels and of
        networks), ``verdicts.csv``, ``config.yaml`` and ``record.json``.

    Raises
    ------
    SpecError, DataError, FileNotFoundError
        Data that do not fit the configuration; a bad file.

    Notes
    -----
    A run costs about 6 n_train flops a parameter and step, and keeps 4 bytes a parameter on
    disk if its labels are correct; at starts gradients of n_train + n_test outputs are held.

    References
    ----------
    Lee et al. 2019 (arXiv 1902.06720) for the kernel trajectory of gradient descent; Ali,
    Kolter and Tibshirani 2019 (arXiv 1810.10082) for early stopping and ridge; Smith and Le
    2018 (arXiv 1710.06451) for the noise of sgd; Zhang et al. 2017 (arXiv 1611.03530) for
    random labels.
    """
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    kept = None if store is None else check_folder(store, "store")
    study = _Study(config, load_task(config), output / "runs")
    for spec in tqdm(
        list(run_specs(config)), desc="runs", disable=None if progress is None else not progress
    ):
        study.run(spec)
    with one_blas_thread():
        tables = {
            name: pd.DataFrame(rows)
            for name, rows in {
                "runs": study.run_rows(),
                "levels": study.level_rows(),
                "pairs": study.pair_rows(),
                "batches": study.batch_rows(),
                "stops": study.stop_rows(n_jobs, kept),
                "curves": study.curve_rows(),
            }.items()
        }
        tables["verdicts"] = make_verdicts(config, tables)
    for name, table in tables.items():
        write_table(output / f"{name}.csv", table)
    write_record(
        output,
        config,
        n_train=config.n_train,
        n_test=config.n_test,
        width=config.width,
        network=repr(architecture_of(config)),
        data=asdict(study.task.provenance),
        training_seconds=float(tables["runs"].seconds.sum()),
    )
    return tables["runs"]


def run_specs(config: OptimizersConfig) -> Iterator[RunSpec]:
    """Yield every run, those that share compiled code one after the other."""
    yield from _main_specs(config)
    yield from _batch_specs(config)


def _main_specs(config: OptimizersConfig) -> Iterator[RunSpec]:
    for width in config.widths:
        for optimizer in config.optimizers:
            kinds = ["correct", "random"] if width == config.width else ["correct"]
            kinds += ["noisy"] if width == config.width and optimizer == REFERENCE else []
            for labels in kinds:
                for seed in config.seeds:
                    yield spec_of(config, labels, optimizer, width, seed)


def spec_of(
    config: OptimizersConfig, labels: str, optimizer: str, width: int, seed: int
) -> RunSpec:
    """Return a run of the comparison of optimisers."""
    size = config.batch_size if optimizer == "sgd" else None
    assert config.rates is not None  # filled when it was checked
    return RunSpec(labels, optimizer, width, size, config.rates[optimizer], seed)


def _width(config: OptimizersConfig) -> int:
    assert config.width is not None  # filled when it was checked
    return config.width


def _batch_specs(config: OptimizersConfig) -> Iterator[RunSpec]:
    for size in config.batch_sizes:
        for rate in config.batch_rates:
            for seed in config.seeds:
                yield RunSpec("correct", "sgd", _width(config), size, rate, seed)


def network_of(config: OptimizersConfig, task: Task, width: int) -> Any:
    """Return the network of a width."""
    return finite.finite_network(architecture_of(config), task.X.shape[1:], width=width)


class _Study:
    """Runs and starts by what they are, read from their files where there are any."""

    def __init__(self, config: OptimizersConfig, task: Task, folder: Path) -> None:
        self.config, self.task, self.folder = config, task, folder

    def network(self, width: int) -> Any:
        return network_of(self.config, self.task, width)

    def labels(self, kind: str, seed: int) -> np.ndarray:
        return training_labels(self.task.y, kind, seed, self.config.noise)

    def run(self, spec: RunSpec) -> Run:
        return run_or_load(
            spec,
            self.network(spec.width),
            self.task.X,
            self.labels(spec.labels, spec.seed),
            self.task.X_test,
            target=self.config.levels[-1],
            max_steps=self.config.max_steps,
            folder=self.folder,
        )

    def start(self, width: int, seed: int) -> Start:
        task = self.task
        return start_or_load(self.network(width), seed, task.X, task.X_test, self.folder)

    def of(self, optimizer: str, width: int, seed: int, labels: str = "correct") -> Run:
        return self.run(spec_of(self.config, labels, optimizer, width, seed))

    def groups(self) -> Iterator[tuple[int, int]]:
        for width in self.config.widths:
            for seed in self.config.seeds:
                yield width, seed

    def run_rows(self) -> Iterator[dict[str, Any]]:
        for spec in _main_specs(self.config):
            start = self.start(spec.width, spec.seed)
            yield run_row(self.run(spec), start, self.task.y_test)

    def level_rows(self) -> Iterator[dict[str, Any]]:
        for width, seed in self.groups():
            start = self.start(width, seed)
            path = start.path(self.labels("correct", seed))
            for optimizer in self.config.optimizers:
                run = self.of(optimizer, width, seed)
                yield from level_rows(run, start, path, self.config.levels)

    def pair_rows(self) -> Iterator[dict[str, Any]]:
        for width, seed in self.groups():
            runs = {o: self.of(o, width, seed) for o in self.config.optimizers}
            yield from pair_rows(runs, self.start(width, seed))

    def batch_rows(self) -> Iterator[dict[str, Any]]:
        width = _width(self.config)
        for spec in _batch_specs(self.config):
            own = self.of(REFERENCE, width, spec.seed)
            start = self.start(width, spec.seed)
            yield batch_row(self.run(spec), own, start, self.task.y_test)

    def stop_rows(self, n_jobs: int | None, store: Any) -> Iterator[dict[str, Any]]:
        """Yield the analytic kernel's and each start's, on labels with noise."""
        task, spec = self.task, KernelSpec(architecture_of(self.config), dtype="float64")
        K = kernel_in_store(spec, task.X, store=store, n_jobs=n_jobs)
        K_cross = kernel_in_store(spec, task.X_test, task.X, store=store, n_jobs=n_jobs)
        for seed in self.config.seeds:
            y = self.labels("noisy", seed)
            paths = {
                "analytic": KernelPath(K, K_cross, y),
                "empirical": self.start(_width(self.config), seed).path(y),
            }
            for name, path in paths.items():
                given = {"kernel": name, "seed": seed}
                yield from stop_rows(path, path.times(_N_TIMES), task.y_test, **given)

    def curve_rows(self) -> Iterator[dict[str, Any]]:
        width = _width(self.config)
        for seed in self.config.seeds:
            path = self.start(width, seed).path(self.labels("noisy", seed))
            run = self.of(REFERENCE, width, seed, "noisy")
            yield from curve_rows(run, path, self.task.y_test)
