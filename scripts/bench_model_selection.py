"""Measure what choosing a ridge costs.

python scripts/bench_model_selection.py               # wall time, some minutes
python scripts/bench_model_selection.py --cpu         # CPU seconds, on a machine not idle
"""

import argparse
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from bench_page import BENCHMARKS, keep
from scipy.linalg import lapack

from ntkreg import NTKRegressor, NTKRegressorCV, cntk, fully_connected, kernel
from ntkreg.cpus import one_blas_thread
from ntkreg.solvers import CholeskySolver

ALPHAS = np.logspace(-4, 1, 10)
SIZES = (500, 1000, 2000, 4000)
SLOW = 3
"""Rounds of contenders that take ten fits."""


class OneFit(NTKRegressor):
    """One Cholesky leave-one-out fit by the estimator of one ridge: what a choice of one costs."""

    def fit(self, X, y):
        """Fit as `NTKRegressor`, and keep the score of samples left out."""
        self._validate_params()
        X, y = self._read_targets(X, y)
        found = self._solve_leaving_out(X, y, None)
        self.y_mean_, self.best_score_ = 0.0, -float(np.mean(np.square(found.errors)))
        return self


def textbook(K: np.ndarray, y: np.ndarray, alphas: Iterable[float]) -> None:
    """Leave-one-out errors as a textbook has them: a Cholesky factor, and the inverse of it."""
    unit = np.trace(K) / len(K)
    with one_blas_thread():
        for alpha in alphas:
            A = np.array(K, order="F")
            A.flat[:: len(A) + 1] += alpha * unit
            lower, _ = lapack.dpotrf(A, lower=1, overwrite_a=1)
            coef = lapack.dpotrs(lower, y, lower=1)[0]
            inverse, _ = lapack.dpotri(lower, lower=1, overwrite_c=1)
            _ = coef / np.diagonal(inverse)


def cholesky(K: np.ndarray, y: np.ndarray, alphas: Iterable[float]) -> None:
    """Leave-one-out fits by the solver of `NTKRegressor` alone, a factorisation each."""
    for alpha in alphas:
        one = CholeskySolver(K, n_jobs=1)
        one.leave_one_out(y, alpha=alpha, alpha_scale="mean_diagonal")


def dense(n: int) -> dict[str, Callable[[], object]]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 20))
    K, y = kernel(fully_connected(3), X), np.sin(X[:, 0]) + 0.1 * rng.normal(size=n)
    model = NTKRegressorCV(kernel="precomputed", center_y=False, n_jobs=1)
    one, ten = (NTKRegressorCV(**model.get_params()).set_params(alphas=a) for a in ([0.01], ALPHAS))
    single = OneFit(kernel="precomputed", alpha=0.01, center_y=False, n_jobs=1)
    return {
        "one alpha": lambda: one.fit(K, y),
        "one Cholesky fit": lambda: single.fit(K, y),
        "one solve": lambda: cholesky(K, y, [0.01]),
        "one textbook fit": lambda: textbook(K, y, [0.01]),
        "ten alphas": lambda: ten.fit(K, y),
        "ten solves": lambda: cholesky(K, y, ALPHAS),
        "ten textbook fits": lambda: textbook(K, y, ALPHAS),
    }


def images() -> dict[str, Callable[[], object]]:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(128, 16, 16, 3)).astype(np.float32), rng.normal(size=128)
    model = NTKRegressorCV(cntk(5, "gap"), n_jobs=1)
    one, ten = (NTKRegressorCV(cntk(5, "gap"), n_jobs=1, alphas=a) for a in ([0.01], ALPHAS))
    model.set_params(alphas=[0.01]).fit(X[:4], y[:4])  # compiles
    return {"one alpha": lambda: one.fit(X, y), "ten alphas": lambda: ten.fit(X, y)}


RATIOS = (
    ("one alpha", "one Cholesky fit", "<= 1"),
    ("one alpha", "one solve", ""),
    ("one alpha", "one textbook fit", ""),
    ("ten alphas", "ten solves", "<= 1"),
    ("ten alphas", "ten textbook fits", ""),
    ("ten alphas", "one alpha", ""),
)


def measure(case: str, calls: dict, rounds: int, clock: Callable[[], float]) -> list[dict]:
    """Let contenders take turns, in an order drawn for each round; return a row a ratio."""
    times, rng = [], np.random.default_rng(0)
    for i in range(rounds):
        # Those of ten fits stand last, and take part in a few rounds.
        turns = [n for n in calls if n.startswith("one") or "image" in case or i < SLOW]
        row = {}
        # Of a fixed order each finds caches and heap as the same other leaves them: two per cent.
        for name in rng.permutation(turns):
            start = clock()
            calls[name]()
            row[name] = clock() - start
        times.append(row)
    table = pd.DataFrame(times)
    rows = []
    for ours, peer, claim in RATIOS:
        if ours in table and peer in table:
            ratio = (table[ours] / table[peer]).dropna()
            low, high = interval(ratio.to_numpy())
            claim = "<= 1.2" if "image" in case else claim
            rows.append(
                {"case": case, "ratio": f"{ours} / {peer}", "rounds": len(ratio),
                 "median": ratio.median(), "low": low, "high": high, "claim": claim,
                 "seconds": table[ours].median()}
            )  # fmt: skip
            print(rows[-1], flush=True)
    return rows


def interval(ratios: np.ndarray) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the median; of few rounds their spread."""
    if len(ratios) < 6:
        return ratios.min(), ratios.max()
    drawn = np.random.default_rng(0).choice(ratios, (2000, len(ratios)))
    low, high = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15, help="at n = 4000; more of smaller ones")
    parser.add_argument("--cpu", action="store_true", help="CPU seconds instead of wall time")
    parser.add_argument("--output", type=Path, default=BENCHMARKS, help="folder")
    asked = parser.parse_args()
    clock = time.process_time if asked.cpu else time.perf_counter
    rows = []
    for n in SIZES:
        rounds = min(asked.rounds * SIZES[-1] // n, 8 * asked.rounds)
        rows += measure(f"dense, n = {n}", dense(n), rounds, clock)
    rows += measure("image kernel, 128 of 16 x 16", images(), asked.rounds // 3, clock)
    record = {
        "command": f"python scripts/bench_model_selection.py --rounds {asked.rounds}"
        + (" --cpu" if asked.cpu else ""),
        "clock": f"{'CPU' if asked.cpu else 'Wall'} time, one thread",
    }
    stem = asked.output / "model_selection"
    print(keep(stem, "model_selection", pd.DataFrame(rows), 4, **record))


if __name__ == "__main__":
    main()
