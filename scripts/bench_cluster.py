"""Measure kernels on a cluster of this machine's cores beside the same number of threads.

Workers are processes of one thread each; bits are compared in every round. Contenders take turns.
CPU seconds are those of all processes together, scheduler and client too: what a cluster costs
beside the work itself, also on a machine that is not idle. Start and imports of workers, and
first calls, are left out.

    python scripts/bench_cluster.py               # some minutes on two cores
    python scripts/bench_cluster.py --rounds 1 --output results/cluster     # a trial
"""

import argparse
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
from bench_page import BENCHMARKS, keep
from distributed import Client, LocalCluster

from ntkreg import cntk, compute_gram, fully_connected

_rng = np.random.default_rng(0)
DENSE = _rng.standard_normal((6000, 784), dtype=np.float32)
CASES: dict[str, tuple[Any, np.ndarray]] = {
    "dense, depth 3, 784 inputs": (fully_connected(3), DENSE),
    "cntk(5), 8 x 8 x 1": (
        cntk(5),
        _rng.standard_normal((900, 8, 8, 1), dtype=np.float32),
    ),
    "cntk(10), 32 x 32 x 3": (
        cntk(10),
        _rng.standard_normal((40, 32, 32, 3), dtype=np.float32),
    ),
}
CLAIM = ">= 0.9"


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its children that are there."""
    total = time.process_time()
    for child in psutil.Process().children(recursive=True):
        times = child.cpu_times()
        total += times.user + times.system
    return total


def timed(network: Any, X: np.ndarray, **how: Any) -> tuple[np.ndarray, float, float]:
    wall, cpu = time.perf_counter(), cpu_seconds()
    values = compute_gram(network, X, progress=False, **how).values["ntk"]
    return values, time.perf_counter() - wall, cpu_seconds() - cpu


def measure(client: Client, cores: int, rounds: int) -> pd.DataFrame:
    rows = []
    for case, (network, X) in CASES.items():
        for how in ({"n_jobs": cores}, {"client": client}):
            compute_gram(network, X[: len(X) // 10], progress=False, **how)
        ratios, times = [], []
        for _ in range(rounds):
            wanted, wall, cpu = timed(network, X, n_jobs=cores)
            found, wall_there, cpu_there = timed(network, X, client=client)
            assert np.array_equal(found, wanted)
            ratios.append((cpu / cpu_there, wall / wall_there))
            times.append((cpu, cpu_there))
        by_cpu, by_wall = np.transpose(ratios)
        rows.append(
            {
                "case": case,
                "n": len(X),
                "threads, CPU s": np.median([t for t, _ in times]),
                "cluster, CPU s": np.median([t for _, t in times]),
                "median": np.median(by_cpu),
                "least": by_cpu.min(),
                "greatest": by_cpu.max(),
                "wall": np.median(by_wall),
                "wall least": by_wall.min(),
                "wall greatest": by_wall.max(),
                "claim": CLAIM,
            }
        )
        print(*rows[-1].values(), sep=", ", flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=BENCHMARKS)
    arguments = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    options = {"n_workers": cores, "threads_per_worker": 1, "dashboard_address": ":0"}
    with LocalCluster(processes=True, **options) as cluster, Client(cluster) as client:
        rows = measure(client, cores, arguments.rounds)
    command = f"python scripts/bench_cluster.py --rounds {arguments.rounds}"
    record = {"command": command, "rounds": arguments.rounds, "cores": cores}
    print(keep(arguments.output / "cluster", "cluster", rows, 4, **record))


if __name__ == "__main__":
    main()
