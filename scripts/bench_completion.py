"""Measure least nuclear norms beside cvxpy with SCS, at equal accuracy; and training of a product.

The peer sets the accuracy: its point, with the seen entries put back, is so much above the
minimum, and ours is given the largest tol, of a ladder, at which it is no farther above. The
minimum is our bound at a gap of 1e-9.
Contenders take turns, round after round; compilation of the problem by cvxpy is left out.

    python scripts/bench_completion.py            # some minutes on two cores
    python scripts/bench_completion.py --cpu      # CPU seconds, on a machine that is not idle
"""

import argparse
import os
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from bench_page import BENCHMARKS, keep

from ntkreg import DeepMatrixFactorization
from ntkreg.factorization.entries import Entries
from ntkreg.factorization.nuclear_norm import NuclearSolution, minimize_nuclear_norm

CASES = [
    *((20, 20, 1, 120), (30, 30, 2, 300), (60, 40, 3, 900), (40, 120, 4, 2000)),
    *((100, 100, 5, m) for m in (1000, 2000, 3000, 5000)),
    (100, 100, 10, 2500),
]
"""Rows, columns, rank, seen entries."""

LADDER = 10.0 ** np.arange(-2, -8.1, -0.25)
"""Values of tol, of which ours takes the first that is as accurate as the peer."""

ALWAYS, LARGEST = ">= 1", ">= 4"


def instance(rows: int, cols: int, rank: int, m: int) -> tuple[np.ndarray, Entries]:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(rows, rank)) @ rng.normal(size=(rank, cols))
    truth *= (rows * cols) ** 0.5 / np.linalg.norm(truth)
    flat = np.sort(rng.choice(rows * cols, m, replace=False))
    return truth, Entries(flat, truth.ravel()[flat], (rows, cols))


def peer(entries: Entries) -> Callable[[], np.ndarray]:
    """Return SCS on this problem as a call that returns a matrix with the seen entries."""
    import cvxpy  # here, so that --help needs no extra

    rows, cols = np.divmod(entries.flat, entries.shape[1])
    X = cvxpy.Variable(entries.shape)
    problem = cvxpy.Problem(cvxpy.Minimize(cvxpy.normNuc(X)), [X[rows, cols] == entries.values])
    data, chain, inverse = problem.get_problem_data(cvxpy.SCS)

    def solve() -> np.ndarray:
        found = chain.solve_via_data(problem, data, warm_start=False)
        problem.unpack_results(found, chain, inverse)
        matrix = np.array(X.value)
        matrix[rows, cols] = entries.values
        return matrix

    return solve


def measure(case: tuple[int, int, int, int], rounds: int, clock: Callable[[], float]) -> dict:
    rows, cols, rank, m = case
    _, entries = instance(*case)
    theirs = peer(entries)
    exact = minimize_nuclear_norm(entries, tol=1e-9, max_iter=100_000)
    above = np.linalg.norm(theirs(), "nuc") / exact.bound - 1

    def solve(tol: float) -> NuclearSolution:
        return minimize_nuclear_norm(entries, tol=tol, max_iter=100_000)

    tol = next(tol for tol in LADDER if solve(tol).norm / exact.bound - 1 <= above)
    times: dict[str, list[float]] = {"ours": [], "SCS": []}
    calls: dict[str, Callable[[], object]] = {
        "ours": lambda: solve(tol),
        "SCS": theirs,
    }
    for _ in range(rounds):
        for name, call in calls.items():
            start = clock()
            call()
            times[name].append(clock() - start)
    ratio = np.array(times["SCS"]) / np.array(times["ours"])
    return {
        "case": f"{rows} x {cols}, rank {rank}, {m} seen",
        "SCS above the least": above,
        "ours above the least": solve(tol).norm / exact.bound - 1,
        "tol": tol,
        "SCS s": np.median(times["SCS"]),
        "ours s": np.median(times["ours"]),
        "median": np.median(ratio),
        "least": ratio.min(),
        "greatest": ratio.max(),
        "claim": LARGEST if case == (100, 100, 5, 2000) else ALWAYS,
    }


def training(clock: Callable[[], float], rounds: int) -> list[float]:
    """Return the seconds of depth 3 on 100 x 100, 2,000 seen entries, to loss 1e-6."""
    truth, entries = instance(100, 100, 5, 2000)
    rows, cols = np.divmod(entries.flat, 100)
    took = []
    for seed in range(rounds):
        start = clock()
        DeepMatrixFactorization(random_state=seed).fit(rows, cols, truth[rows, cols])
        took.append(clock() - start)
    return took


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="turns of each contender")
    parser.add_argument("--cpu", action="store_true", help="CPU seconds instead of wall time")
    parser.add_argument("--output", type=Path, default=BENCHMARKS, help="folder")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error(f"--rounds must be at least 1; got {arguments.rounds}.")
    clock = time.process_time if arguments.cpu else time.perf_counter
    rows = []
    for case in CASES:
        rows.append(measure(case, arguments.rounds, clock))
        print(rows[-1], flush=True)
    took = training(clock, arguments.rounds)
    command = f"python scripts/bench_completion.py --rounds {arguments.rounds}" + (
        " --cpu" if arguments.cpu else ""
    )
    kind = f"{'CPU' if arguments.cpu else 'Wall'} time on {len(os.sched_getaffinity(0))} core(s)"
    record = {
        "command": command, "clock": kind, "rounds": arguments.rounds,
        "peer": f"cvxpy {version('cvxpy')}, SCS {version('scs')}", "training_seconds": took,
    }  # fmt: skip
    stem = arguments.output / "completion_speed"
    print(keep(stem, "completion_speed", pd.DataFrame(rows), 4, **record))


if __name__ == "__main__":
    main()
