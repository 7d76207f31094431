"""Measure what two processes, or two threads, of a grid search cost over one.

`GridSearchCV` over kernel estimators: in one process with all its threads, in two of joblib's
(loky) and in two threads. Wall time, CPU time of all processes, and how many of our threads and of
BLAS's there are at a time, looked for every five milliseconds. Workers are started and loops
compiled before the clock starts.

    python scripts/bench_grid_search.py
"""

import argparse
import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bench_page import BENCHMARKS, keep
from joblib import parallel_config
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_info

from ntkreg import NTKClassifier, cntk, fully_connected

CASES = {
    "dense, n = 1500": (fully_connected(3), 1500, None),
    "cntk, 8 x 8, n = 120": (cntk(3, "gap"), 120, (8, 8, 1)),
}
GRID = {"architecture__depth": [2, 3, 4, 5]}
FOLDS = 3
RUNS = {
    "n_jobs=1": (1, "loky"),
    "n_jobs=2, loky": (2, "loky"),
    "n_jobs=2, threading": (2, "threading"),
}
LOOK_EVERY = 0.005


class WatchedClassifier(NTKClassifier):
    """Keeps the most threads that there were during `fit` in its process."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "WatchedClassifier":
        """Fit, and look."""
        ended = threading.Event()
        most = {"ours": 0, "blas": 0}

        def look() -> None:
            while not ended.wait(LOOK_EVERY):
                names = [thread.name for thread in threading.enumerate()]
                ours = sum(name.startswith("ntkreg") for name in names)
                if ours > most["ours"]:
                    most["ours"] = ours
                    blas = [i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"]
                    most["blas"] = max(most["blas"], *blas)

        watch = threading.Thread(target=look, name="watch")
        watch.start()
        try:
            super().fit(X, y, sample_weight)
        finally:
            ended.set()
            watch.join()
        self.most_ = most
        return self


def ours_of(model: WatchedClassifier, X: Any, y: Any) -> float:
    return float(model.most_["ours"])


def blas_of(model: WatchedClassifier, X: Any, y: Any) -> float:
    return float(model.most_["blas"])


def cpu_seconds() -> float:
    """Return CPU seconds of this process and of all its children that live."""
    total = sum(os.times()[:4])
    tick = os.sysconf("SC_CLK_TCK")
    for task in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = task.read_text().rsplit(")", 1)[1].split()
        except OSError:  # has ended
            continue
        if int(fields[1]) == os.getpid():
            total += (int(fields[11]) + int(fields[12])) / tick
    return total


def search(case: str, run: str) -> dict[str, float]:
    """Return what one search took and held."""
    network, n, shape = CASES[case]
    n_jobs, backend = RUNS[run]
    X, y = load_digits(return_X_y=True)
    X = X[:n] / 16.0
    model = WatchedClassifier(network, image_shape=shape)
    scoring = {"ours": ours_of, "blas": blas_of}
    with parallel_config(backend=backend):
        grid = GridSearchCV(model, GRID, cv=FOLDS, n_jobs=n_jobs, scoring=scoring, refit=False)
        wall, cpu = time.perf_counter(), cpu_seconds()
        results = grid.fit(X, y[:n]).cv_results_
        wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    most = {
        name: max(results[f"split{k}_test_{name}"].max() for k in range(FOLDS)) for name in scoring
    }
    return {"wall s": wall, "CPU s": cpu, **most}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns of each")
    parser.add_argument("--output", type=Path, default=BENCHMARKS, help="folder")
    arguments = parser.parse_args()
    rows = []
    for case in CASES:
        for run in RUNS:
            search(case, run)  # starts workers, compiles
        for turn in range(arguments.rounds):
            for run in RUNS:
                rows.append({"case": case, "search": run, "round": turn, **search(case, run)})
                print(rows[-1], flush=True)
    command = f"python scripts/bench_grid_search.py --rounds {arguments.rounds}"
    record = {"command": command, "rounds": arguments.rounds, "folds": FOLDS}
    record |= {"settings": int(np.prod([len(v) for v in GRID.values()]))}
    record |= {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "not set")}
    table = pd.DataFrame(rows)
    print(keep(arguments.output / "grid_search", "grid_search", table, 4, **record))


if __name__ == "__main__":
    main()
