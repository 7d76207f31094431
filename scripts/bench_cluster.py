"""Measure kernels on a cluster of this machine's cores beside the same number of threads.

And the memory of a scheduler and its workers, processes of their own, as a Gram grows.

Workers are processes of one thread each; bits are compared in every round. Contenders take turns.
CPU seconds are those of all processes together, scheduler and client too: what a cluster costs
beside the work itself, also on a machine that is not idle. Start and imports of workers, and
first calls, are left out.

    python scripts/bench_cluster.py               # some minutes on two cores
    python scripts/bench_cluster.py --rounds 1 --output results/cluster     # a trial
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import psutil
from bench_page import BENCHMARKS, keep
from distributed import Client, LocalCluster

from ntkreg import cntk, compute_gram, fully_connected


class Case(NamedTuple):
    """A symmetric NTK of random inputs (n, *shape), and whether it goes into a folder."""

    network: Any
    shape: tuple[int, ...]
    n: int
    folder: bool = False

    def inputs(self) -> np.ndarray:
        """Return them, seeded."""
        return np.random.default_rng(0).standard_normal((self.n, *self.shape), dtype=np.float32)


CASES = {
    "dense, depth 3, 784 inputs, a second": Case(fully_connected(3), (784,), 6000),
    "dense, depth 3, 784 inputs": Case(fully_connected(3), (784,), 20000),
    "dense, depth 5, 3,072 inputs": Case(fully_connected(5), (3072,), 12000),
    "dense, depth 5, 12,288 inputs": Case(fully_connected(5), (12288,), 14000),
    "cntk(5), 8 x 8 x 1": Case(cntk(5), (8, 8, 1), 900),
    "cntk(10), 32 x 32 x 3": Case(cntk(10), (32, 32, 3), 40),
    "dense, depth 3, 784 inputs, folder": Case(fully_connected(3), (784,), 20000, True),
    "dense, depth 5, 3,072 inputs, folder": Case(fully_connected(5), (3072,), 24000, True),
    "cntk(5), 8 x 8 x 1, folder": Case(cntk(5), (8, 8, 1), 900, True),
}
CLAIM = ">= 0.9"
GROWING = (4000, 8000, 16000)
"""Samples of 50 numbers each; values go into a folder."""


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its children that are there."""
    total = time.process_time()
    for child in psutil.Process().children(recursive=True):
        times = child.cpu_times()
        total += times.user + times.system
    return total


def timed(case: Case, X: np.ndarray, **how: Any) -> tuple[str, float, float]:
    """Return a checksum of the values, seconds of wall and of CPU."""
    with tempfile.TemporaryDirectory() as place:
        wall, cpu = time.perf_counter(), cpu_seconds()
        folder = Path(place, "kernel") if case.folder else None
        gram = compute_gram(case.network, X, progress=False, folder=folder, **how)
        seconds = time.perf_counter() - wall, cpu_seconds() - cpu
        values = gram.values["ntk"]
        checksum = hashlib.sha256()
        for top in range(0, len(X), 1000):  # of a folder, not all at once
            rows = slice(top, min(top + 1000, len(X)))
            part = values.read(rows, slice(0, len(X))) if case.folder else values[rows]
            checksum.update(np.ascontiguousarray(part))
    return checksum.hexdigest(), *seconds


def measure(address: str, cores: int, rounds: int) -> Iterator[dict[str, Any]]:
    for name, case in CASES.items():
        X = case.inputs()
        for how in ({"n_jobs": cores}, {"client": address}):
            compute_gram(case.network, X[: len(X) // 10], progress=False, **how)
        ratios, times = [], []
        for _ in range(rounds):
            wanted, wall, cpu = timed(case, X, n_jobs=cores)
            found, wall_there, cpu_there = timed(case, X, client=address)
            assert found == wanted
            ratios.append((cpu / cpu_there, wall / wall_there))
            times.append((cpu, cpu_there))
        by_cpu, by_wall = np.transpose(ratios)
        row = {
            "part": "rate",
            "case": name,
            "n": len(X),
            "inputs, MB": X.nbytes / 1e6,
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
        print(*row.values(), sep=", ", flush=True)
        yield row


def peak_memory(process: subprocess.Popen) -> float:
    """Return the most resident memory that a process has had, in MB."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6


def measure_memory(workers: int) -> Iterator[dict[str, Any]]:
    """Compute a larger and larger Gram, each on a scheduler and workers of its own."""
    for n in GROWING:
        X = np.random.default_rng(0).standard_normal((n, 50), dtype=np.float32)
        with tempfile.TemporaryDirectory() as place:
            file, log = Path(place, "scheduler.json"), subprocess.DEVNULL
            dask = [sys.executable, "-m", "dask"]
            ends = ["--scheduler-file", str(file), "--host", "127.0.0.1", "--no-dashboard"]
            worker = [*dask, "worker", *ends, "--nthreads", "1", "--no-nanny"]
            started = [subprocess.Popen([*dask, "scheduler", "--port", "0", *ends], stderr=log)]
            try:
                while not file.exists():
                    time.sleep(0.1)
                started += [subprocess.Popen(worker, stderr=log) for _ in range(workers)]
                address = json.loads(file.read_text())["address"]
                with Client(address) as client:
                    client.wait_for_workers(workers)
                compute_gram(fully_connected(3), X[:300], client=address)
                before = [peak_memory(each) for each in started]
                folder = Path(place, "kernel")
                compute_gram(fully_connected(3), X, folder=folder, client=address, progress=False)
                after = [peak_memory(each) for each in started]
            finally:
                for each in started:
                    each.kill()
                    each.wait()
        row = {"part": "memory", "case": "dense, depth 3, 50 inputs", "n": n}
        row |= {"values, MB": n * (n + 1) * 2 / 1e6, "scheduler, MB": after[0]}
        row |= {"scheduler before, MB": before[0], "workers before, MB": max(before[1:])}
        row |= {"workers, MB": max(after[1:])}
        print(row, flush=True)
        yield row


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=BENCHMARKS)
    arguments = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    rows = list(measure_memory(cores))
    options = {"n_workers": cores, "threads_per_worker": 1, "dashboard_address": ":0"}
    with LocalCluster(processes=True, **options) as cluster:
        rows += measure(cluster.scheduler_address, cores, arguments.rounds)
    command = f"python scripts/bench_cluster.py --rounds {arguments.rounds}"
    record = {"command": command, "rounds": arguments.rounds, "cores": cores}
    print(keep(arguments.output / "cluster", "cluster", pd.DataFrame(rows), 4, **record))


if __name__ == "__main__":
    main()
