"""The landscape study: every cell and question, kept as it ends, and the tables made of them."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from ntkreg.cpus import check_n_jobs
from ntkreg.gram.manifest import check_folder
from ntkreg.journal import Journal
from ntkreg.storage import held_alone, write_table
from ntkreg.studies.landscape.cells import CellSpec, cell_specs, measure_cell
from ntkreg.studies.landscape.config import LandscapeConfig
from ntkreg.studies.landscape.finished import QuestionSpec, Spec, finished_of
from ntkreg.studies.landscape.planes import PlaneSpec, look
from ntkreg.studies.landscape.questions import QUESTIONS
from ntkreg.studies.landscape.task import Task, load_task
from ntkreg.studies.landscape.verdicts import make_verdicts
from ntkreg.studies.shared.pieces import MOST_BYTES, Pieces
from ntkreg.studies.shared.record import write_record
from ntkreg.studies.shared.workers import run_all

__all__ = ["run_landscape", "specs_of"]


def run_landscape(
    config: LandscapeConfig,
    output: str | Path,
    *,
    n_jobs: int | None = None,
    progress: bool | None = None,
    store: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """Run the study and write everything it found into a folder.

    Every cell and question is a line of ``finished.jsonl`` as it ends: run again, a killed study
    goes on with those that are not there, and more depths or widths cost only themselves.

    Parameters
    ----------
    config : LandscapeConfig
    output : path of a folder
        Made if absent.
    n_jobs : int or None
        Cells and questions at the same time; None for one a core.
    progress : bool or None
        Progress bar over pieces; None for one on terminals.
    store : path or None
        Folder of kernels that studies and estimators share, for the analytic ones; None: they
        are not kept.

    Returns
    -------
    DataFrame
        The rows of ``rows.csv``: part, subject, depth, width, level, seed, quantity, value. Beside
        it ``verdicts.csv``, ``planes.csv``, ``config.yaml`` and ``record.json``.

    Raises
    ------
    SpecError, DataError
        Data that do not fit the configuration; a journal that is none.
    DivergenceError
        Training that diverges: lower `rate`.
    BackendError
        If matfree is missing.
    OSError
        The folder cannot be written, the disk is full, or another process works in it. What is
        finished is kept.
    MemoryError
        A worker was killed.

    Notes
    -----
    With `n_jobs` above 1 pieces are done in processes of their own: a script that calls this
    must guard its main part by ``if __name__ == "__main__"``. On Ctrl-C they are ended.
    """
    output, n_jobs = Path(output), check_n_jobs(n_jobs)
    output.mkdir(parents=True, exist_ok=True)
    task = load_task(config, None if store is None else check_folder(store, "store"))
    journal = Journal(output / "finished.jsonl", MOST_BYTES)
    with held_alone(journal.path):
        finished = finished_of(journal, task, specs_of(task))
        _work(task, finished, n_jobs, None if progress is None else not progress)
        return _write(task, finished, output)


def specs_of(task: Task) -> list[Spec]:
    """Return everything that is to be done, the longest pieces first."""
    widths = min(task.config.widths), max(task.config.widths)
    return [*cell_specs(task)[::-1], *map(QuestionSpec, QUESTIONS), *map(PlaneSpec, widths)]


def do(task: Task, spec: Spec) -> dict[str, Any]:
    """Do a piece, in whatever process."""
    if isinstance(spec, CellSpec):
        return measure_cell(task, spec)
    if isinstance(spec, PlaneSpec):
        return look(task, spec)
    return {"name": spec.name, "values": QUESTIONS[spec.name](task)}


def _work(task: Task, finished: Pieces, n_jobs: int, hide: bool | None) -> None:
    """Do what is not there, some pieces at a time; keep each as it ends."""
    specs = specs_of(task)
    left = [(task, spec) for spec in specs if finished.get(spec) is None]
    bar = tqdm(total=len(specs), initial=len(specs) - len(left), desc="landscape", disable=hide)
    with bar, contextlib.closing(run_all(do, left, n_jobs)) as done:
        for (_, spec), piece in done:
            finished.add(spec, piece)
            bar.update()


def _write(task: Task, finished: Pieces, output: Path) -> pd.DataFrame:
    """Write all tables of a study that is through; return its rows."""
    found = [(spec.kind, finished.get(spec) or {}) for spec in specs_of(task)]
    rows = pd.DataFrame(_rows(found))
    limits = task.kernel_eigenvalues
    tables = {
        "rows": rows,
        "verdicts": make_verdicts(task.config, rows, limits, task.kernel_test_losses),
        "planes": pd.DataFrame(_plane_rows(found)),
    }
    for name, table in tables.items():
        write_table(output / f"{name}.csv", table)
    write_record(
        output,
        task.config,
        data={"source": task.source, "sha256": task.sha256},
        kernel_eigenvalues={str(depth): value for depth, value in limits.items()},
        kernel_test_losses={str(depth): value for depth, value in task.kernel_test_losses.items()},
        barriers={str(p["width"]): [p["straight"], p["barrier"]] for k, p in found if k == "plane"},
    )
    return rows


def _rows(found: list[tuple[str, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    for kind, piece in found:
        for line in piece.get("values", ()):
            key, seed, quantity, value = line
            yield {
                "part": "grid" if kind == "cell" else piece["name"],
                "subject": "" if kind == "cell" else key,
                "depth": piece.get("depth", 0),
                "width": piece.get("width", 0),
                "level": key if kind == "cell" else 0.0,
                "seed": seed,
                "quantity": quantity,
                "value": value,
            }


def _plane_rows(found: list[tuple[str, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Yield points of the planes, then of the curves on them, whose loss is not given."""
    for kind, piece in found:
        if kind != "plane":
            continue
        for x, line in zip(piece["at"], piece["losses"], strict=True):
            for y, loss in zip(piece["at_other"], line, strict=True):
                yield {"width": piece["width"], "of": "plane", "x": x, "y": y, "loss": loss}
        for x, y in piece["curve"]:
            yield {"width": piece["width"], "of": "curve", "x": x, "y": y, "loss": float("nan")}
