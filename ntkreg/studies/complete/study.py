"""The completion study: every run and path, kept as it ends, and the tables made of them."""

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from tqdm.auto import tqdm

from ntkreg.cpus import check_n_jobs, one_blas_thread
from ntkreg.storage import write_table
from ntkreg.studies.complete.config import CompleteConfig
from ntkreg.studies.complete.finished import finished_of
from ntkreg.studies.complete.paths import SHARES, follow, path_specs, spectra
from ntkreg.studies.complete.runs import complete, run_specs
from ntkreg.studies.complete.task import Task, load_task
from ntkreg.studies.complete.verdicts import make_verdicts
from ntkreg.studies.shared.pieces import Pieces
from ntkreg.studies.shared.record import write_record

__all__ = ["pieces_of", "run_complete"]

Piece = tuple[str, Any, Callable[[Task, Any], dict[str, Any]]]
"""Kind, spec, and what does it."""


def run_complete(
    config: CompleteConfig,
    output: str | Path,
    *,
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Run the study and write everything it found into a folder.

    Every run and path is a line of ``finished.jsonl`` as it ends: run again, a killed study goes
    on with those that are not there, and more instances, entries or depths cost only themselves.

    Parameters
    ----------
    config : CompleteConfig
    output : path of a folder
        Made if absent.
    n_jobs : int or None
        Runs at the same time; None for one a core. Values do not depend on it.
    progress : bool or None
        Progress bar over runs; None for one on terminals.

    Returns
    -------
    DataFrame
        The rows of ``rows.csv``, one a completion, see `ntkreg.studies.complete.runs.complete`.
        Beside it ``paths.csv`` (singular values over training), ``deviations.csv`` (from the
        differential equation), ``spectra.csv`` (of the least nuclear norm), ``verdicts.csv``,
        ``config.yaml`` and ``record.json``.

    Raises
    ------
    SpecError, DataError, FileNotFoundError
        Ratings that do not fit the configuration; a bad file.

    References
    ----------
    Arora, Cohen, Hu and Luo 2019 (arXiv 1905.13655); Gunasekar et al. 2017 (arXiv 1705.09280),
    of the conjecture on depth 2; Candes and Recht 2009 (arXiv 0805.4471).
    """
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    task = load_task(config)
    finished = finished_of(output, task)
    hide = None if progress is None else not progress
    with warnings.catch_warnings():
        # Rows say whether the loss was reached, and sparse ratings leave rows without any.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", ".*without a seen entry")
        _work(task, finished, check_n_jobs(n_jobs), hide)
        beside = pd.DataFrame(spectra(task)) if config.n_paths else None
    runs = [finished.get("run", asdict(spec)) for spec in run_specs(task)]
    paths = [finished.get("path", asdict(spec)) for spec in path_specs(task)]
    rows = pd.DataFrame(runs)
    deviations = pd.DataFrame([{k: v for k, v in p.items() if k != "points"} for p in paths if p])
    tables = {"rows": rows, "verdicts": make_verdicts(config, rows, deviations)}
    if beside is not None:
        points = pd.DataFrame(_points(paths))
        tables |= {"deviations": deviations, "paths": points, "spectra": beside}
    for name, table in tables.items():
        write_table(output / f"{name}.csv", table)
    write_record(
        output,
        config,
        data={"source": task.source, "sha256": task.sha256},
        shape=list(task.shape),
        reference_rank=config.reference_rank,
        reference_seen=task.reference_seen,
        run_seconds=float(rows.seconds.sum()),
    )
    return rows


def pieces_of(task: Task) -> Iterator[Piece]:
    """Yield everything that is to be done."""
    yield from (("run", spec, complete) for spec in run_specs(task))
    yield from (("path", spec, follow) for spec in path_specs(task))


def _work(task: Task, finished: Pieces, n_jobs: int, hide: bool | None) -> None:
    """Do what is not there, some pieces at a time; keep each as it ends."""
    pieces = list(pieces_of(task))
    left = [p for p in pieces if finished.get(p[0], asdict(p[1])) is None]
    bar = tqdm(total=len(pieces), initial=len(pieces) - len(left), desc="complete", disable=hide)
    with bar, one_blas_thread(), ThreadPoolExecutor(n_jobs, thread_name_prefix="ntkreg") as pool:
        running: dict[Future[dict[str, Any]], Piece] = {}
        queue = iter(left)
        try:
            while True:
                for piece in queue:
                    running[pool.submit(piece[2], task, piece[1])] = piece
                    if len(running) >= n_jobs:
                        break
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    kind, spec, _ = running.pop(future)
                    finished.add(kind, asdict(spec), future.result())
                    bar.update()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _points(paths: list[dict[str, Any] | None]) -> Iterator[dict[str, Any]]:
    """Yield points of the finest paths of the first instance, a line a time."""
    for path in paths:
        if path is None or path["instance"] or path["share"] != SHARES[-1]:
            continue
        for time, loss, sigma, integral in path["points"]:
            yield {
                "depth": path["depth"],
                "time": time,
                "loss": loss,
                **{f"sigma_{r + 1}": value for r, value in enumerate(sigma)},
                **{f"equation_{r + 1}": value for r, value in enumerate(integral)},
            }
