"""Measure what choosing a ridge costs, and what leave-one-out, KARE and the likelihood choose.

python scripts/bench_model_selection.py               # wall time, some minutes
python scripts/bench_model_selection.py --cpu         # CPU seconds, on a machine not idle
python scripts/bench_model_selection.py --choices ../shared/data/uci    # what is chosen
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from bench_page import BENCHMARKS, keep
from scipy.linalg import lapack
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from ntkreg import NTKClassifierCV, NTKRegressorCV, cntk, fully_connected, kernel
from ntkreg.cpus import one_blas_thread
from ntkreg.solvers import CholeskySolver

ALPHAS = np.logspace(-4, 1, 10)
SIZES = (500, 1000, 2000, 4000)
SETS = (
    "breast-cancer", "conn-bench-sonar-mines-rocks", "energy-y1", "glass", "heart-cleveland",
    "hepatitis", "ionosphere", "iris", "parkinsons", "statlog-heart", "seeds", "balance-scale",
)  # fmt: skip
CRITERIA = {"loo": "cv", "kare": "kare", "likelihood": "marginal_likelihood"}
DEPTHS = [{"depth": d} for d in (1, 2, 3, 4)]


def textbook(K: np.ndarray, y: np.ndarray, alphas: np.ndarray) -> None:
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


def cholesky(K: np.ndarray, y: np.ndarray, alphas: np.ndarray) -> None:
    """Leave-one-out fits by the solver of `NTKRegressor`, a factorisation each."""
    for alpha in alphas:
        one = CholeskySolver(K, n_jobs=1)
        one.leave_one_out(y, alpha=alpha, alpha_scale="mean_diagonal")


def dense(n: int) -> dict[str, Callable[[], object]]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 20))
    K, y = kernel(fully_connected(3), X), np.sin(X[:, 0]) + 0.1 * rng.normal(size=n)
    model = NTKRegressorCV(kernel="precomputed", center_y=False, n_jobs=1)
    one, ten = (NTKRegressorCV(**model.get_params()).set_params(alphas=a) for a in ([0.01], ALPHAS))
    return {
        "one alpha": lambda: one.fit(K, y),
        "ten alphas": lambda: ten.fit(K, y),
        "one textbook fit": lambda: textbook(K, y, ALPHAS[4:5]),
        "ten textbook fits": lambda: textbook(K, y, ALPHAS),
        "one Cholesky fit": lambda: cholesky(K, y, ALPHAS[4:5]),
        "ten Cholesky fits": lambda: cholesky(K, y, ALPHAS),
    }


def images() -> dict[str, Callable[[], object]]:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(128, 16, 16, 3)).astype(np.float32), rng.normal(size=128)
    model = NTKRegressorCV(cntk(5, "gap"), n_jobs=1)
    one, ten = (NTKRegressorCV(cntk(5, "gap"), n_jobs=1, alphas=a) for a in ([0.01], ALPHAS))
    model.set_params(alphas=[0.01]).fit(X[:4], y[:4])  # compiles
    return {"one alpha": lambda: one.fit(X, y), "ten alphas": lambda: ten.fit(X, y)}


RATIOS = (
    ("one alpha", "one Cholesky fit", "<= 1.05"),
    ("ten alphas", "ten Cholesky fits", "<= 1"),
    ("one alpha", "one textbook fit", ""),
    ("ten alphas", "ten textbook fits", ""),
    ("ten alphas", "one alpha", ""),
)


def measure(case: str, calls: dict, rounds: int, clock: Callable[[], float]) -> list[dict]:
    times = []
    for _ in range(rounds):
        row = {}
        for label, call in calls.items():
            start = clock()
            call()
            row[label] = clock() - start
        times.append(row)
    table = pd.DataFrame(times)
    rows = []
    for ours, peer, claim in RATIOS:
        if ours in table and peer in table:
            ratio = table[ours] / table[peer]
            claim = "<= 1.2" if "image" in case else claim
            rows.append(
                {"case": case, "ratio": f"{ours} / {peer}", "median": ratio.median(),
                 "least": ratio.min(), "greatest": ratio.max(), "claim": claim,
                 "seconds": table[ours].median()}
            )  # fmt: skip
            print(rows[-1], flush=True)
    return rows


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        names = {name.lower(): name for name in file.files}
        return file[names["x"]].astype(float), file[names["y"]].ravel()


def choices(folder: Path, n_splits: int) -> pd.DataFrame:
    """Return the accuracy on half of each set of what is chosen on the other half."""
    rows = []
    for name in SETS:
        if not (folder / f"{name}.npz").exists():
            continue
        X, y = read(folder / f"{name}.npz")
        for split in range(n_splits):
            parts = train_test_split(X, y, test_size=0.5, random_state=split, stratify=y)
            X_train, X_test, y_train, y_test = parts
            scaler = StandardScaler().fit(X_train)
            X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
            network = fully_connected(2, bias_std=0.1)
            best = 0.0
            for criterion, selection in CRITERIA.items():
                model = NTKClassifierCV(network, variants=DEPTHS, selection=selection, n_jobs=1)
                model.fit(X_train, y_train)
                one = {"data": name, "n": len(y_train), "split": split, "criterion": criterion}
                accuracy = model.score(X_test, y_test)
                rows.append({**one, "accuracy": accuracy, "alpha": model.alpha_})
            every = (
                (NTKClassifierCV(network.replace(**v), alphas=[a], n_jobs=1), a)
                for v in DEPTHS
                for a in model.alphas_
            )
            for each, a in every:
                accuracy = each.fit(X_train, y_train).score(X_test, y_test)
                if accuracy > best:
                    best, alpha = accuracy, a
            rows.append({**one, "criterion": "best", "accuracy": best, "alpha": alpha})
        print(pd.DataFrame(rows).tail(4).to_string(), flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contender, or splits")
    parser.add_argument("--cpu", action="store_true", help="CPU seconds instead of wall time")
    parser.add_argument("--choices", type=Path, help="folder of npz files with X and y")
    parser.add_argument("--output", type=Path, default=BENCHMARKS, help="folder")
    arguments = parser.parse_args()
    command = f"python scripts/bench_model_selection.py --rounds {arguments.rounds}"
    if arguments.choices is not None:
        table = choices(arguments.choices, arguments.rounds)
        command += f" --choices {arguments.choices}"
        print(keep(arguments.output / "ridge_choices", "ridge_choices", table, 6, command=command))
        return
    clock = time.process_time if arguments.cpu else time.perf_counter
    rows = []
    for n in SIZES:
        rows += measure(f"dense, n = {n}", dense(n), arguments.rounds, clock)
    rows += measure("image kernel, 128 of 16 x 16", images(), arguments.rounds, clock)
    record = {
        "command": command + (" --cpu" if arguments.cpu else ""),
        "clock": f"{'CPU' if arguments.cpu else 'Wall'} time, one thread",
    }
    stem = arguments.output / "model_selection"
    print(keep(stem, "model_selection", pd.DataFrame(rows), 4, **record))


if __name__ == "__main__":
    main()
