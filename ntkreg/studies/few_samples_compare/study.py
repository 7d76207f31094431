"""Which kernel is best at each number of training images, from finished few-samples runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ntkreg.data import read_arrays
from ntkreg.data.tables import read_table
from ntkreg.documents import read_json_mapping
from ntkreg.errors import DataError, SpecError
from ntkreg.kernels.spec import LATER, STORED
from ntkreg.storage import write_table
from ntkreg.studies.few_samples_compare.config import FewSamplesCompareConfig
from ntkreg.studies.shared.config import read_mapping
from ntkreg.studies.shared.paired import compare_with_best
from ntkreg.studies.shared.record import write_record
from ntkreg.studies.shared.statistics import summarize_draws

__all__ = ["FewSamplesCompareConfig", "run_few_samples_compare"]


SAME = ("classes", "pool", "n_samples", "n_draws", "seed")
"""Keys that kernels compared draw by draw must share, beside data and test images."""

SHOWN = ("preprocessing", *reversed(STORED), "alpha", "alpha_scale", "dtype")
"""Keys in which they may differ, listed beside the result."""


_ROWS = {"get": "text", "depth": "int", "n": "int", "draw": "int", "accuracy": "float",
         "condition": "float"}  # fmt: skip


def run_few_samples_compare(config: FewSamplesCompareConfig, output: str | Path) -> pd.DataFrame:
    """Compare kernels draw by draw and write what was found into a folder.

    Each network is taken at its greatest depth: what is chosen by its accuracy on the test
    images would have to be tested on others.

    Parameters
    ----------
    config : FewSamplesCompareConfig
    output : path of a folder
        Made if absent.

    Returns
    -------
    DataFrame
        One line for each n and kernel, best first: n, kernel ("NAME NTK"), name, the columns
        of `ntkreg.studies.shared.statistics.summarize_draws` and those of
        `ntkreg.studies.shared.paired.compare_with_best`. Also in ``comparison.csv``; beside it
        ``rows.csv`` (every draw), ``kernels.csv`` (what each network is), ``config.yaml``
        and ``record.json``.

    Raises
    ------
    DataError
        A folder is not that of a finished few-samples run.
    SpecError
        Runs that do not share data, classes, pool, test images, sizes, draws and seed.
    """
    folders = {Path(folder).resolve() for folder in config.kernels.values()}
    if len(folders) < len(config.kernels):
        raise SpecError("kernels must be in folders of their own; two names have one folder.")
    runs = [_Run(name, folder) for name, folder in config.kernels.items()]
    first, *others = runs
    for other in others:
        _check_same(first, other)
    pool, n_test, n_draws = first.config["pool"], first.record["n_test"], first.config["n_draws"]
    candidates = [run.candidate(get) for run in runs for get in config.get]
    summary = pd.concat(
        [
            summarize_draws(c.rows, pool=pool, n_test=n_test).assign(kernel=c.kernel, name=c.name)
            for c in candidates
        ]
    )
    lines: list[dict[str, Any]] = []
    for n in first.config["n_samples"]:
        answers = {c.kernel: c.correct[c.rows.n == n].reshape(n_draws, n_test) for c in candidates}
        found = compare_with_best(answers, n=n, pool=pool)
        lines += [{"n": n, "kernel": kernel, **line} for kernel, line in found.items()]
    comparison = summary.merge(pd.DataFrame(lines), on=["n", "kernel"])
    comparison = comparison.sort_values(["n", "mean"], ascending=[True, False], kind="stable")
    front = ["n", "kernel", "name"]
    comparison = comparison[[*front, *comparison.columns.drop(front)]].reset_index(drop=True)

    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    write_table(output / "comparison.csv", comparison)
    rows = pd.concat([c.rows.assign(kernel=c.kernel) for c in candidates])
    columns = ["kernel", "get", "depth", "n", "draw", "accuracy", "condition", "min_eigenvalue"]
    write_table(output / "rows.csv", rows[columns])
    write_table(output / "kernels.csv", pd.DataFrame([run.about() for run in runs]))
    shared = {key: first.config[key] for key in SAME}
    write_record(output, config, n_test=n_test, data=first.record["data"], **shared)
    return comparison


@dataclass(frozen=True, eq=False)
class _Candidate:
    """One kernel of one run: its rows, and which test images were right in each."""

    kernel: str
    name: str
    rows: pd.DataFrame
    correct: np.ndarray  # (rows, n_test)


class _Run:
    """A finished few-samples run."""

    def __init__(self, name: str, folder: str) -> None:
        self.name, self.folder = name, Path(folder)
        self.rows = self._read("rows.csv", lambda path: read_table(path, _ROWS))
        self.record = self._read("record.json", read_json_mapping)
        self.config = self._read("config.yaml", read_mapping)
        answers = self._read("predictions.npz", lambda p: read_arrays(p, ("predicted", "y_test")))
        self.y_test = answers["y_test"]
        self.correct = answers["predicted"] == self.y_test
        if self.record.get("study") != "FewSamples" or len(self.correct) != len(self.rows):
            raise self._unfinished()

    def _unfinished(self) -> DataError:
        return DataError(
            f"{self.folder}: is not the folder of one finished few-samples run. Run "
            "`ntkreg few-samples` into it again; kernels already there are kept."
        )

    def candidate(self, get: str) -> _Candidate:
        """Return the kernel of the greatest depth."""
        chosen = (self.rows["get"] == get) & (self.rows.depth == self.rows.depth.max())
        where = np.flatnonzero(chosen)
        drawn = self.rows.n.iloc[where].value_counts().to_dict()
        asked = dict.fromkeys(self.config["n_samples"], self.config["n_draws"])
        if drawn != asked or self.correct.shape[1] != self.record["n_test"]:
            raise self._unfinished()
        rows = self.rows.iloc[where].reset_index(drop=True)
        return _Candidate(f"{self.name} {get.upper()}", self.name, rows, self.correct[where])

    def about(self) -> dict[str, Any]:
        """Return what tells the kernel from others, and how it was made."""
        # Spelled out: an empty cell would not say that there is none.
        values = {**dict.fromkeys(LATER), **self.config}
        shown = {key: "none" if values[key] is None else values[key] for key in SHOWN}
        made = {"config_hash": self.record["config_hash"], "command": self.record["command"]}
        return {"name": self.name, "network": self.record["network"], **shown, **made}

    def _read(self, name: str, reader: Any) -> Any:
        path = self.folder / name
        try:
            return reader(path)
        except FileNotFoundError:
            raise DataError(
                f"{path} is missing. Run `ntkreg few-samples` into this folder first (again if "
                "it was run by an older version: kernels already there are kept)."
            ) from None
        except (ValueError, OSError) as error:
            raise DataError(f"{path} cannot be read ({error}). Run the study again.") from None


def _check_same(first: _Run, other: _Run) -> None:
    """Raise unless draw i is the same images in both runs, tested on the same ones."""
    pairs = [(key, first.config.get(key), other.config.get(key)) for key in SAME]
    pairs += [
        ("n_test", first.record.get("n_test"), other.record.get("n_test")),
        ("data", *(run.record["data"]["sha256"][:12] for run in (first, other))),
    ]
    different = [f"{key}: {a!r} and {b!r}" for key, a, b in pairs if a != b]
    if different:
        raise SpecError(
            f"kernels: {first.name} ({first.folder}) and {other.name} ({other.folder}) are not "
            f"runs on the same draws; they differ in {'; '.join(different)}. "
            "Run one of them again with the other's settings."
        )
