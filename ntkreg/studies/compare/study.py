"""Which model is best on many small data sets, each tuned over as many settings.

Every model is tuned and tested on every data set after one protocol; what differs by more than
luck over data sets is said by rank tests (Demsar 2006, JMLR 7).
"""

import functools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from tqdm.auto import tqdm

from ntkreg.cpus import check_n_jobs
from ntkreg.data.folders import DataSet, list_data_sets, load_data_set
from ntkreg.errors import DataError, SpecError
from ntkreg.gram.manifest import check_folder
from ntkreg.storage import write_table
from ntkreg.studies.compare.config import CompareConfig
from ntkreg.studies.compare.memory import peak_memory
from ntkreg.studies.compare.models import Model
from ntkreg.studies.compare.rivals import check_installed
from ntkreg.studies.compare.splits import sizes_of
from ntkreg.studies.compare.store import Results, key_of
from ntkreg.studies.compare.tables import all_tables
from ntkreg.studies.compare.work import STEPS, tune_and_test
from ntkreg.studies.shared.record import write_record
from ntkreg.studies.shared.workers import run_all

__all__ = ["CompareConfig", "chosen_files", "run_compare", "set_name"]


class _Job(NamedTuple):
    """One model on one data set."""

    config: CompareConfig
    model: Model
    path: Path
    sha256: str
    size: int | None
    store: Path | None


def run_compare(
    config: CompareConfig,
    output: str | Path,
    *,
    n_jobs: int | None = None,
    progress: bool | None = None,
    store: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """Run the study and write everything it found into a folder.

    Each model on each data set is kept as it ends; run again, a killed run goes on after them,
    to the same rows. Models and data sets may be added or changed: what stays is not computed
    again. What keeps a model from a data set is told in ``works.csv``, and tried again; the
    others go on.

    Parameters
    ----------
    config : CompareConfig
    output : path of a folder
        Made if absent.
    n_jobs : int or None
        Processes, each of one thread; None for one a core.
    progress : bool or None
        Progress bar; None for one on terminals.
    store : path or None
        Folder of networks' kernels that studies share: a folder in it for each data set. What it
        holds is not computed again; times in ``works.csv`` are those of this run.

    Returns
    -------
    DataFrame
        ``summary.csv``, a line a model. Beside it ``rows.csv`` (set, model, split, n_train,
        n_test, accuracy and validation in percent, setting, seed), ``works.csv`` (times, memory,
        failures), ``sets.csv``, ``accuracies.csv``, ``tests.csv`` (every two models),
        ``friedman.csv``, ``groups.csv``, ``differences.csv`` (by data set), of kernels
        ``geometry.csv``, ``shapes.csv``, ``alignments.csv``, ``alike.csv``, ``spectra.csv``;
        ``config.yaml``, ``record.json``.

    Raises
    ------
    FileNotFoundError, DataError, SpecError
        No such folder, or data sets in it; not one model has an accuracy.

    References
    ----------
    Arora et al. 2020 (arXiv 1910.01663), section on UCI data; Fernandez-Delgado et al. 2014,
    JMLR 15.
    """
    output, n_jobs = Path(output), check_n_jobs(n_jobs)
    kept = None if store is None else check_folder(store, "store")
    check_installed([model.kind for model in config.each_model()])
    output.mkdir(parents=True, exist_ok=True)
    files = chosen_files(config)
    results, began = Results(output), time.perf_counter()
    keys, todo, sets, failed = _look(config, files, results, kept)
    shown = None if progress is None else not progress
    bar = tqdm(total=len(keys), initial=len(keys) - len(todo), unit="model", disable=shown,
               delay=0 if progress else 2, desc="compare")  # fmt: skip
    with bar:
        for job, (line, K, y) in run_all(_work, todo, n_jobs):
            place = (set_name(job.path.stem, job.size), job.model.name)
            bar.set_postfix_str(f"{place[0]}, {place[1]}")
            if "failed" in line:
                failed.append(_failure(*place, line["failed"]))
            else:
                results.save(keys[place], {"set": place[0], "model": place[1], **line}, K, y)
            bar.update()
    failed.sort(key=lambda each: (each["set"], each["model"]))
    tables = all_tables(config, results, keys, failed)
    tables["sets"] = pd.DataFrame(sets)
    for name, table in tables.items():
        write_table(output / f"{name}.csv", table)
    write_record(
        output,
        config,
        seconds_of_this_run=time.perf_counter() - began,
        n_sets=len(sets),
        n_models=len(config.models),
        svm_steps=STEPS,
        data=[{"set": s["set"], "sha256": s["sha256"]} for s in sets],
    )
    return tables["summary"]


def chosen_files(config: CompareConfig) -> dict[str, Path]:
    """Return the files of the data sets that are asked for.

    Raises
    ------
    FileNotFoundError, DataError, SpecError
        No such folder, nothing in it, a name that is not in it.
    """
    files = list_data_sets(config.data)
    if config.data_sets is None:
        return files
    missing = [name for name in config.data_sets if name not in files]
    if missing:
        raise SpecError(
            f"data_sets: {config.data} has no {', '.join(missing)}. It has "
            f"{', '.join(list(files)[:100])}."
        )
    return {name: files[name] for name in config.data_sets}


def set_name(stem: str, size: int | None) -> str:
    """Return what a data set is called, at a number of training rows."""
    return stem if size is None else f"{stem}, n = {size}"


def _look(
    config: CompareConfig, files: dict[str, Path], results: Results, store: Path | None
) -> tuple[dict[tuple[str, str], str], list[_Job], list[dict[str, Any]], list[dict[str, Any]]]:
    """Return keys by (set, model), jobs left to do, the sets, and those that cannot be read."""
    keys: dict[tuple[str, str], str] = {}
    todo, sets, failed = [], [], []
    for path in files.values():
        try:
            data = load_data_set(path)
        except (DataError, OSError) as error:  # a dead link, no permission
            failed.append(_failure(path.stem, "every model", _said(error)))
            continue
        if config.most_rows is not None and len(data.y) > config.most_rows:
            continue
        for size in sizes_of(config, data):
            name = set_name(path.stem, size)
            sets.append({"set": name, **_described(data)})
            for model in config.each_model():
                key = keys[name, model.name] = key_of(config, model, data.sha256, size)
                if not results.has(key):
                    place = None if store is None else store / path.stem
                    todo.append((len(data.y), _Job(config, model, path, data.sha256, size, place)))
    todo.sort(key=lambda pair: -pair[0])  # the last ones are short, and no worker waits long
    return keys, [job for _, job in todo], sets, failed


def _described(data: DataSet) -> dict[str, Any]:
    shape = " x ".join(map(str, data.X.shape[1:]))
    classes = len(set(data.y.tolist()))
    return {"rows": len(data.y), "inputs": shape, "classes": classes, "sha256": data.sha256}


def _failure(name: str, model: str, why: str) -> dict[str, Any]:
    return {"set": name, "model": model, "status": why}


def _said(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:297]}..."


@functools.lru_cache(maxsize=1)
def _loaded(path: Path, sha256: str) -> DataSet:
    """Return a data set that the next model of the same worker wants too."""
    data = load_data_set(path)
    if data.sha256 != sha256:
        raise DataError(f"{path}: was changed while the study ran. Run it again.")
    return data


def _work(
    config: CompareConfig,
    model: Model,
    path: Path,
    sha256: str,
    size: int | None,
    store: Path | None,
) -> tuple[dict[str, Any], Any, Any]:
    """Return what a model found as plain data, its kernel and its labels."""
    try:
        data = _loaded(path, sha256)
        run: Callable[[], Any] = functools.partial(tune_and_test, config, model, data, size, store)
        found, peak = peak_memory(run)
    except Exception as error:  # whatever one model stumbles over, the others go on
        return {"failed": _said(error)}, None, None
    line = {
        "splits": found.splits,
        "seconds_kernel": found.seconds_kernel,
        "seconds_tune": found.seconds_tune,
        "seconds_test": found.seconds_test,
        "peak_bytes": peak,
        "unfinished": found.unfinished,
    }
    return line, found.K, found.y
