"""The completion study: every run and path, kept as it ends, and the tables made of them."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from tqdm.auto import tqdm

from ntkreg.cpus import check_n_jobs
from ntkreg.journal import Journal
from ntkreg.storage import held_alone, write_table
from ntkreg.studies.complete.config import CompleteConfig
from ntkreg.studies.complete.finished import Spec, finished_of
from ntkreg.studies.complete.paths import SHARES, follow, path_specs, spectra
from ntkreg.studies.complete.runs import RunSpec, complete, run_specs
from ntkreg.studies.complete.task import Task, load_task
from ntkreg.studies.complete.verdicts import make_verdicts
from ntkreg.studies.shared.pieces import MOST_BYTES, Pieces
from ntkreg.studies.shared.record import write_record
from ntkreg.studies.shared.workers import run_all

__all__ = ["run_complete", "specs_of"]


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
    OSError
        The folder cannot be written, the disk is full, or another process works in it. What is
        finished is kept.
    MemoryError
        A worker was killed.

    Notes
    -----
    With `n_jobs` above 1 pieces are done in processes of their own: a script that calls this
    must guard its main part by ``if __name__ == "__main__"``. On Ctrl-C they are ended.

    References
    ----------
    Arora, Cohen, Hu and Luo 2019 (arXiv 1905.13655); Gunasekar et al. 2017 (arXiv 1705.09280),
    of the conjecture on depth 2; Candes and Recht 2009 (arXiv 0805.4471).
    """
    output, n_jobs = Path(output), check_n_jobs(n_jobs)
    output.mkdir(parents=True, exist_ok=True)
    task = load_task(config)
    journal = Journal(output / "finished.jsonl", MOST_BYTES)
    with held_alone(journal.path):
        finished = finished_of(journal, task, specs_of(task))
        _work(task, finished, n_jobs, None if progress is None else not progress)
        return _write(task, finished, output)


def specs_of(task: Task) -> list[Spec]:
    """Return everything that is to be done; paths are long, the longest come first."""
    paths = sorted(path_specs(task), key=lambda path: path.share)
    return [*paths, *run_specs(task)]


def _write(task: Task, finished: Pieces, output: Path) -> pd.DataFrame:
    """Write all tables of a study that is through; return its rows."""
    config = task.config
    runs = [finished.get(spec) for spec in run_specs(task)]
    paths = [finished.get(spec) for spec in path_specs(task)]
    rows = pd.DataFrame(runs)
    deviations = pd.DataFrame([{k: v for k, v in p.items() if k != "points"} for p in paths if p])
    tables = {"rows": rows, "verdicts": make_verdicts(config, rows, deviations)}
    if config.n_paths:
        with _quiet():
            beside = pd.DataFrame(spectra(task))
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


def _work(task: Task, finished: Pieces, n_jobs: int, hide: bool | None) -> None:
    """Do what is not there, some pieces at a time; keep each as it ends."""
    specs = specs_of(task)
    left = [(task, spec) for spec in specs if finished.get(spec) is None]
    bar = tqdm(total=len(specs), initial=len(specs) - len(left), desc="complete", disable=hide)
    with bar, contextlib.closing(run_all(do, left, n_jobs)) as done:
        for (_, spec), piece in done:
            finished.add(spec, piece)
            bar.update()


def do(task: Task, spec: Spec) -> dict[str, Any]:
    """Do a piece, in whatever process."""
    with _quiet():
        return complete(task, spec) if isinstance(spec, RunSpec) else follow(task, spec)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Warn of nothing: rows say what was reached, and sparse ratings leave rows without any."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", ".*without a seen entry")
        yield


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
