"""All tables of a comparison, out of what is finished."""

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd

from ntkreg.errors import SpecError
from ntkreg.studies.compare.alike import kernel_tables
from ntkreg.studies.compare.config import CompareConfig
from ntkreg.studies.compare.statistics import (
    accuracy_table,
    friedman,
    groups,
    pair_tests,
    set_differences,
    summary,
)
from ntkreg.studies.compare.store import Results, kept_kernels

__all__ = ["DONE", "all_tables"]

DONE = "done"
"""Status of a model that has an accuracy on a data set; of others it says why not."""


def all_tables(
    config: CompareConfig,
    results: Results,
    keys: dict[tuple[str, str], str],
    failed: list[dict[str, Any]],
) -> dict[str, pd.DataFrame]:
    """Return all tables of what is finished."""
    done = {place: key for place, key in keys.items() if key in results.lines}
    rows = pd.DataFrame(_rows(config, results, done))
    if rows.empty:
        why = f" The first: {failed[0]['set']}: {failed[0]['status']}" if failed else ""
        raise SpecError(f"data: no model has an accuracy on any data set of {config.data}.{why}")
    models = [name for name in config.models if (rows.model == name).any()]
    means, tests = summary(rows, models), pair_tests(rows, models)
    runs = groups(means.set_index("model")["rank"], tests)
    works = pd.DataFrame([*_works(results, done), *failed])
    costs = works[works.status == DONE].groupby("model", sort=False)
    means = means.merge(
        pd.DataFrame(
            {
                "seconds": costs.seconds.sum(),
                "median_seconds": costs.seconds.median(),
                "peak_bytes": costs.peak_bytes.max(),
                "unfinished": costs.unfinished.sum(),
                "failed": works[works.status != DONE].groupby("model").size(),
            }
        ).reset_index(names="model"),
        on="model",
        how="left",
    )
    return {
        "rows": rows,
        "works": works,
        "summary": means.assign(failed=means.failed.fillna(0).astype(int)),
        "accuracies": _accuracies(rows, models),
        "tests": tests,
        "friedman": pd.DataFrame([friedman(rows, models)]),
        "groups": pd.DataFrame({"models": ["; ".join(run) for run in runs]}),
        "differences": set_differences(rows, models),
        **kernel_tables(kept_kernels(results, done)),
    }


def _rows(
    config: CompareConfig, results: Results, done: dict[tuple[str, str], str]
) -> Iterator[dict[str, Any]]:
    for (name, model), key in done.items():
        for split in results.lines[key]["splits"]:
            setting = json.dumps(split["setting"]).replace('"', "").strip("{}")
            row = {"set": name, "model": model, **split, "setting": setting}
            yield row | {"seed": config.seed}


def _works(results: Results, done: dict[tuple[str, str], str]) -> Iterator[dict[str, Any]]:
    for (name, model), key in done.items():
        line = results.lines[key]
        parts = {f"seconds_{part}": line[f"seconds_{part}"] for part in ("kernel", "tune", "test")}
        yield {
            "set": name,
            "model": model,
            "status": DONE,
            **parts,
            "seconds": sum(parts.values()),
            "peak_bytes": line["peak_bytes"],
            "unfinished": line["unfinished"],
        }


def _accuracies(rows: pd.DataFrame, models: list[str]) -> pd.DataFrame:
    """Return mean and deviation over splits of each model on each data set, and who is best."""
    found = rows.groupby(["set", "model"], sort=False).accuracy.agg(["mean", "std", "count"])
    table = accuracy_table(rows, models).round(9)
    best = table.eq(table.max(axis=1), axis=0).stack().rename("best")
    return found.rename(columns={"count": "n_splits"}).join(best).reset_index()
