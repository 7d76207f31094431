"""Compare the plan of a cluster with runs on one, and plan kernels that nobody has computed.

python scripts/bench_cluster_plan.py     # benchmarks/cluster_plan.md, in about eight minutes

Each round first has every worker of a dask LocalCluster time the kernel's pairs, all at once, and
once more after the run: in between, the same workers compute the kernel into a folder.
The second part is on paper, by rates measured here in CPU seconds on one core.
"""

import argparse
import contextlib
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import dask
import numpy as np
import pandas as pd
from bench_page import BENCHMARKS, keep
from bench_sizes import COLUMNS
from bench_sizes import seconds as seconds_of_a_thousand
from distributed import Client, LocalCluster, wait

from ntkreg import cntk, compute_gram, kernel, myrtle, plan_gram
from ntkreg.studies.shared.cluster_plan import Cluster, ClusterPlan, KernelWork, plan_on_cluster


class Case(NamedTuple):
    """A kernel, and how many compute it."""

    network: Any
    shape: tuple[int, ...]
    n: int
    tile: int
    workers: int
    seconds_between_failures: float | None = None
    """Of one worker."""


CASES = {
    "many tiles": Case(cntk(5), (16, 16, 3), 320, 32, 2),
    "three tiles": Case(cntk(5), (16, 16, 3), 256, 128, 2),
    "one worker": Case(cntk(5), (16, 16, 3), 256, 32, 1),
    "dying workers": Case(cntk(5), (16, 16, 3), 480, 48, 2, 16.0),
    "another network": Case(cntk(10, "flatten"), (32, 32, 3), 1536, 128, 2),
}
RESTART = 4.0
"""Seconds until Dask has a worker again in place of one that was killed, with ntkreg loaded."""

CALIBRATION = 3.0
"""Seconds that workers time."""

HERE = {"start_seconds": 0, "network_bandwidth": 1e9, "store_bandwidth": 1e9}
"""What is taken of this machine: workers are there, and bytes are few."""

PAPER = {"machines": 100, "cores": 32, "hours_between_failures": 1000, "restart_seconds": 300,
         "memory": 256e9}  # fmt: skip
NETWORKS = {"cntk(21)": cntk(21), "myrtle(10)": myrtle(10)}
WANTED = (
    ("all of CIFAR-10", "cntk(21)", 60_000, 256),
    ("a tenth of it", "myrtle(10)", 6_000, 64),
    ("all of CIFAR-10", "myrtle(10)", 60_000, 256),
    ("ten times as many", "myrtle(10)", 600_000, 512),
    ("CIFAR-5M", "myrtle(10)", 5_000_000, 2560),
)
BOTH = ("nngp", "ntk")


def inputs(case: Case) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(case.n, *case.shape)).astype(np.float32)


def pairs_a_second(case: Case) -> float:
    """What one worker does, by calls of a quarter of a second or more, over `CALIBRATION`."""
    X, rows = inputs(case), 8

    def seconds() -> float:
        start = time.perf_counter()
        kernel(case.network, X[:rows], X[-COLUMNS:], get=BOTH, n_jobs=1, progress=False)
        return time.perf_counter() - start

    while seconds() < 0.25 and 2 * rows <= len(X):
        rows *= 2
    found: list[float] = []
    while sum(found) < CALIBRATION:
        found.append(seconds())
    return rows * COLUMNS * len(found) / sum(found)


def rate(client: Client, case: Case) -> float:
    """Pairs a second of one worker, while all are busy."""
    client.wait_for_workers(case.workers)
    workers = list(client.scheduler_info(n_workers=-1)["workers"])
    asked = [client.submit(pairs_a_second, case, workers=[w], pure=False) for w in workers]
    return float(np.mean(client.gather(asked)))


@contextlib.contextmanager
def killing(client: Client, case: Case, seed: int) -> Iterator[list[float]]:
    """Kill a worker at a random moment of every few seconds, at the rate of the case."""
    killed: list[float] = []
    if case.seconds_between_failures is None:
        yield killed
        return
    done, rng = threading.Event(), np.random.default_rng(seed)
    span = case.seconds_between_failures / case.workers

    def kill() -> None:
        moment = rng.uniform(0, span)
        while not done.wait(moment):
            # The scheduler may lose one while it is asked.
            found = client.run(os.getpid, on_error="ignore")
            if found:
                os.kill(int(rng.choice(sorted(found.values()))), signal.SIGKILL)
                killed.append(time.perf_counter())
            rest = span - moment
            moment = rng.uniform(0, span)
            if done.wait(rest):
                return

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        done.set()
        thread.join()


def warm(case: Case) -> None:
    kernel(case.network, inputs(case)[:2], get=BOTH, n_jobs=1, progress=False)


def measure(name: str, case: Case, rounds: int) -> Iterator[dict]:
    # A LocalCluster gives a worker up that is away, again, this long after it was first lost.
    dask.config.set({"distributed.deploy.lost-worker-timeout": "1 hour"})
    with (
        LocalCluster(n_workers=case.workers, threads_per_worker=1, dashboard_address=None) as local,
        Client(local) as client,
    ):
        wait([client.submit(warm, case, workers=[w.worker_address], pure=False)
              for w in local.workers.values()])  # fmt: skip
        X = inputs(case)
        for number in range(rounds):
            before = rate(client, case)
            plan = plan_gram(case.network, X, get=BOTH, folder="unused", tile=case.tile)
            with tempfile.TemporaryDirectory() as folder, killing(client, case, number) as killed:
                options = {"folder": folder, "tile": case.tile, "client": client}
                start = time.perf_counter()
                compute_gram(case.network, X, get=BOTH, progress=False, **options)
                seconds = time.perf_counter() - start
            both = (before + rate(client, case)) / 2
            between = case.seconds_between_failures
            fails = {} if between is None else {"hours_between_failures": between / 3600}
            fails |= {"restart_seconds": RESTART}
            cluster = Cluster(case.workers, 1, core_rate=both, **fails, **HERE)
            planned = plan_on_cluster(KernelWork.of(plan), cluster).seconds
            row = {"case": name, "workers": case.workers, "tiles": plan.tiles, "pairs": plan.pairs}
            row |= {"rate": both, "planned": planned, "measured": seconds}
            row["killed"] = len(killed)
            print(row, flush=True)
            yield {"part": "measured", **row}


def on_paper(rates: dict[str, float]) -> Iterator[dict]:
    """Plans of kernels."""
    for name, network, n, tile in WANTED:
        work = KernelWork(n, n, True, tile, 2 * 4, n * 32 * 32 * 3)
        plan: ClusterPlan = plan_on_cluster(work, Cluster(core_rate=rates[network], **PAPER))
        yield {
            "part": "paper",
            "case": f"{name}, {network}",
            "rate": rates[network],
            "pairs": work.pairs,
            "n": n,
            "tile": tile,
            "tiles": work.tiles,
            "tile minutes": plan.tile_seconds / 60,
            "days": plan.seconds / 86400,
            "core-hours": plan.hours,
            "percent on values": 100 * plan.efficiency,
            "store TB": work.stored_bytes / 1e12,
            "solve": plan.solve.name if plan.solve.fits else f"{plan.solve.name}, no memory",
            "solve hours": plan.solve.seconds / 3600,
            "solve GB": plan.solve.memory / 1e9,
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=BENCHMARKS)
    arguments = parser.parse_args()
    rows = [row for name, case in CASES.items() for row in measure(name, case, arguments.rounds)]
    rates = {
        name: 1000 / seconds_of_a_thousand(network, 32, 1, time.process_time)
        for name, network in NETWORKS.items()
    }
    rows += on_paper(rates)
    command = "python scripts/bench_cluster_plan.py"
    command += f" --rounds {arguments.rounds}" if arguments.rounds != 3 else ""
    print(keep(arguments.output / "cluster_plan", "cluster_plan", pd.DataFrame(rows), 4,
               command=command, paper=PAPER, restart=RESTART))  # fmt: skip


if __name__ == "__main__":
    main()
