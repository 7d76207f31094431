"""Measure `NeuralTangentKernel` against the package scikit-ntk, in and out of Gaussian processes.

The kernel with its gradient takes turns with scikit-ntk's, whose only hyperparameter is its bias:
so weight_std is fixed in ours too. Then whole fits on a set of the UCI protocol: the same y, noise
(a `WhiteKernel` that is fitted), scale, restarts and seed.

    python scripts/bench_gp_kernel.py --uci FOLDER --peer FOLDER

FOLDER of --peer has scikit-ntk in it: pip install --no-deps --target FOLDER scikit-ntk.
"""

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bench_page import BENCHMARKS, keep
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, WhiteKernel

from ntkreg import NeuralTangentKernel

SIZES = (500, 1000, 2000)
DEPTH, FEATURES = 3, 20
SETS = ("energy-y1", "oocytes_trisopterus_nucleus_2f")
RESTARTS = 2


def measure(
    calls: dict[str, Callable[[], Any]], rounds: int, clock: Callable[[], float]
) -> pd.DataFrame:
    """Return seconds of each call, a row a round; the first, which compiles, is not counted."""
    for call in calls.values():
        call()
    rows = []
    for _ in range(rounds):
        row = {}
        for name, call in calls.items():
            start = clock()
            call()
            row[name] = clock() - start
        rows.append(row)
    return pd.DataFrame(rows)


def kernels(peer: Any, rounds: int, clock: Callable[[], float]) -> list[dict[str, Any]]:
    rows = []
    ours = {
        "bias_std": NeuralTangentKernel(DEPTH, weight_std_bounds="fixed", n_jobs=1),
        "both": NeuralTangentKernel(DEPTH, n_jobs=1),
        "both, all cores": NeuralTangentKernel(DEPTH),
    }
    theirs = peer(DEPTH, 0.1)
    for n in SIZES:
        X = np.random.default_rng(0).normal(size=(n, FEATURES))
        for names, kernel in ours.items():
            calls = {
                "ours": lambda k=kernel, X=X: k(X, eval_gradient=True),
                "scikit-ntk": lambda X=X: theirs(X, eval_gradient=True),
            }
            times = measure(calls, rounds, clock)
            ratio = times["scikit-ntk"] / times["ours"]
            rows.append(
                {
                    "what": f"K and gradient, n = {n}: {names}",
                    **{f"{name} s": times[name].median() for name in times},
                    "ratio": ratio.median(),
                    "least": ratio.min(),
                    "greatest": ratio.max(),
                }
            )
            print(rows[-1], flush=True)
    return rows


def fits(peer: Any, folder: Path, clock: Callable[[], float]) -> list[dict[str, Any]]:
    rows = []
    for name in SETS:
        with np.load(folder / f"{name}.npz") as data:
            X, y = data["X"].astype(float), data["y"].astype(float)
        start = {
            "ours": ConstantKernel() * NeuralTangentKernel(DEPTH, weight_std_bounds="fixed"),
            "ours, weight_std too": NeuralTangentKernel(DEPTH),
            "scikit-ntk": ConstantKernel() * peer(DEPTH, 0.1),
        }
        row: dict[str, Any] = {"what": f"fit, {name}, n = {len(X)}"}
        for label, kernel in start.items():
            model = GaussianProcessRegressor(
                kernel + WhiteKernel(),
                normalize_y=True,
                n_restarts_optimizer=RESTARTS,
                random_state=0,
            )
            begin = clock()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # a bias may be at its bound
                model.fit(X, y)
            row[f"{label} s"] = clock() - begin
            row[f"{label} likelihood"] = model.log_marginal_likelihood_value_
        row["ratio"] = row["scikit-ntk s"] / row["ours s"]
        rows.append(row)
        print(row, flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--uci", type=Path, required=True, help="folder of the UCI sets")
    parser.add_argument("--peer", type=Path, required=True, help="folder with scikit-ntk")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contender")
    parser.add_argument("--cpu", action="store_true", help="CPU seconds, where others work too")
    parser.add_argument("--output", type=Path, default=BENCHMARKS, help="folder")
    arguments = parser.parse_args()
    sys.path.append(str(arguments.peer))
    from skntk import NeuralTangentKernel as Peer

    clock = time.process_time if arguments.cpu else time.perf_counter
    rows = kernels(Peer, arguments.rounds, clock)
    table = pd.DataFrame([*rows, *fits(Peer, arguments.uci, clock)])
    command = (
        "python scripts/bench_gp_kernel.py --uci ../shared/data/uci --peer FOLDER "
        f"--rounds {arguments.rounds}{' --cpu' if arguments.cpu else ''}"
    )
    kind = f"{'CPU' if arguments.cpu else 'Wall'} time on {len(os.sched_getaffinity(0))} core(s)"
    record = {"command": command, "clock": kind, "rounds": arguments.rounds}
    record |= {"depth": DEPTH, "features": FEATURES, "restarts": RESTARTS}
    print(keep(arguments.output / "gp_kernel", "gp_kernel", table, 6, **record))


if __name__ == "__main__":
    main()
