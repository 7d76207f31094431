"""What a kernel will cost on a cluster that is described: wall time, core-hours and bytes."""

import heapq
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ntkreg.errors import PlanError, SpecError
from ntkreg.gram import GramPlan
from ntkreg.machine import readable
from ntkreg.studies.shared.config import check_int, check_number, check_positive
from ntkreg.studies.shared.plan import duration
from ntkreg.studies.shared.solve_plan import SolvePlan, plan_solve

__all__ = ["Cluster", "ClusterPlan", "KernelWork", "plan_of_cluster", "plan_on_cluster"]

_MOST_FOLLOWED = 100_000
"""Tiles up to which it is followed who computes each."""

_MOST_REDONE = 100
"""Times that a tile may be begun, on average, in a plan."""


@dataclass(frozen=True)
class Cluster:
    """A description of a cluster, as in a YAML file.

    Attributes
    ----------
    machines : int
    cores : int
        Of each machine.
    gpus : int
        Of each machine. Where there are some, they compute, and cores only feed them.
    core_rate : float or None
        Pairs a second of one core while all are busy; None for what this machine's does.
    gpu_rate : float or None
        Pairs a second of one GPU.
    network_bandwidth : float
        Bytes a second from one machine to another.
    store_bandwidth : float
        Bytes a second that all machines together write into the store, by whatever is the
        narrowest on the way there: a disk, or the network of the one process that writes.
    hours_between_failures : float or None
        Mean time until *one* machine fails; None for never.
    restart_seconds : float
        Until a machine that failed is there again.
    start_seconds : float
        Until all machines are there, with compiled loops.
    core_flops : float
        float64 operations a second of one core that factorises a matrix.
    memory : float or None
        Bytes of each machine; None for as many as a solve takes.
    """

    machines: int
    cores: int
    gpus: int = 0
    core_rate: float | None = None
    gpu_rate: float | None = None
    network_bandwidth: float = 1e9
    store_bandwidth: float = 1e9
    hours_between_failures: float | None = None
    restart_seconds: float = 60.0
    start_seconds: float = 60.0
    core_flops: float = 2e10
    memory: float | None = None

    def __post_init__(self) -> None:
        for key, least in (("machines", 1), ("cores", 1), ("gpus", 0)):
            object.__setattr__(self, key, check_int(key, getattr(self, key), least))
        for key in ("network_bandwidth", "store_bandwidth", "core_flops"):
            object.__setattr__(self, key, check_positive(key, getattr(self, key)))
        for key in ("restart_seconds", "start_seconds"):
            object.__setattr__(self, key, check_number(key, getattr(self, key), 0))
        for key in ("core_rate", "gpu_rate", "hours_between_failures", "memory"):
            if (value := getattr(self, key)) is not None:
                object.__setattr__(self, key, check_positive(key, value))
        if self.gpus and self.gpu_rate is None:
            raise SpecError(
                f"gpu_rate is missing: with gpus={self.gpus} they compute, and how many pairs a "
                "second one does must be measured there. Give it, or gpus: 0."
            )


class KernelWork(NamedTuple):
    """A kernel to compute, in numbers.

    Attributes
    ----------
    n, m : int
        Rows and columns.
    symmetric : bool
        The upper triangle alone is computed.
    tile : int
        Side of a tile.
    value_bytes : int
        Of all values (kernels, networks) of one pair.
    input_bytes : int
        Of all inputs, which every machine needs.
    """

    n: int
    m: int
    symmetric: bool
    tile: int
    value_bytes: int
    input_bytes: int

    @classmethod
    def of(cls, plan: GramPlan) -> "KernelWork":
        """Return the work of a plan."""
        cell = plan.result_bytes // (plan.n * plan.m)
        return cls(plan.n, plan.m, plan.symmetric, plan.tile, cell, plan.input_bytes)

    @property
    def pairs(self) -> int:
        """To compute."""
        return self.n * (self.n + 1) // 2 if self.symmetric else self.n * self.m

    @property
    def tiles(self) -> int:
        """To compute and to keep."""
        down, across = -(-self.n // self.tile), -(-self.m // self.tile)
        return down * (down + 1) // 2 if self.symmetric else down * across

    @property
    def stored_bytes(self) -> int:
        """Of whole tiles in a store."""
        return self.tiles * self.tile**2 * self.value_bytes

    def tile_pairs(self) -> np.ndarray:
        """Return the pairs of each tile, in the order in which they are given out, (tiles,)."""
        rows, columns = (
            np.minimum(self.tile, size - np.arange(0, size, self.tile)) for size in (self.n, self.m)
        )
        pairs = np.outer(rows, columns)
        if not self.symmetric:
            return pairs.ravel()
        np.fill_diagonal(pairs, rows * (rows + 1) // 2)
        return pairs[np.triu_indices(len(rows))]


@dataclass(frozen=True)
class ClusterPlan:
    """What a kernel will cost on a cluster; an indication, no promise.

    Attributes
    ----------
    work : KernelWork
    workers : int
        Cores that compute, or GPUs.
    kind : {"core", "GPU"}
    tile_seconds : float
        Of one whole tile on one worker, where nothing fails.
    busy : float
        Seconds of all workers together that values take.
    start, sending, computing, storing : float
        Seconds of each part; storing goes on beside computing.
    redone : float
        Seconds of computing that failures add.
    solve : SolvePlan or None
        Of one machine, once the kernel is there; None for one that is not square.
    """

    work: KernelWork
    workers: int
    kind: str
    tile_seconds: float
    busy: float
    start: float
    sending: float
    computing: float
    storing: float
    redone: float
    solve: SolvePlan | None = None

    @property
    def seconds(self) -> float:
        """Wall time, of the kernel alone."""
        return self.start + self.sending + max(self.computing, self.storing)

    @property
    def hours(self) -> float:
        """Of all workers together, busy or not."""
        return self.workers * self.seconds / 3600

    @property
    def efficiency(self) -> float:
        """Part of the workers' time that computes what is kept."""
        return self.busy / (self.workers * self.seconds)

    def __str__(self) -> str:
        work, plural = self.work, f"{self.kind}s" if self.workers > 1 else self.kind
        slowest = ", which the store holds up" if self.storing > self.computing else ""
        idle = "; smaller tiles would occupy more" if work.tiles < self.workers else ""
        return "\n".join(
            [
                f"on      {self.workers:,} {plural}: {work.tiles:,} tiles, each up "
                f"to {duration(self.tile_seconds)}{idle}",
                f"time    about {duration(self.seconds)}{slowest}: start {duration(self.start)}, "
                f"inputs {duration(self.sending)}, tiles {duration(self.computing)} (of it "
                f"{duration(self.redone)} after failures), store {duration(self.storing)}",
                f"cost    about {self.hours:,.4g} {self.kind}-hours, {100 * self.efficiency:.0f} % "
                "of them spent on values",
                f"bytes   {readable(work.input_bytes)} to each machine, "
                f"{readable(work.stored_bytes)} into the store",
                *([] if self.solve is None else [str(self.solve)]),
            ]
        )


def plan_on_cluster(
    work: KernelWork, cluster: Cluster, *, core_rate: float | None = None
) -> ClusterPlan:
    r"""Return what a kernel will cost on a cluster.

    Parameters
    ----------
    work : KernelWork
    cluster : Cluster
    core_rate : float or None
        Pairs a second of one core, where `cluster` says none.

    Raises
    ------
    SpecError
        Nobody says how fast a core is.
    PlanError
        Machines fail before they end a tile.

    Notes
    -----
    .. math:: start + \lceil \log_2(M + 1) \rceil D / b_{network} + \max(C, V / b_{store})

    - D bytes of inputs go from one machine to M along a binomial tree (Thakur, Rabenseifner and
      Gropp, "Optimization of collective communication operations in MPICH", 2005).
    - C: a worker that is free takes the next tile (Graham, "Bounds on multiprocessing timing
      anomalies", 1969), in the order of the store; the last round is seldom full. Of very many
      tiles C is ceil(T / P) times the mean tile, for T tiles on P workers.
    - A machine that fails loses its tiles at work, which begin anew: where failures come
      at a rate :math:`\lambda` and it takes R seconds until it is there again, t seconds become
      :math:`(e^{\lambda t} - 1) (1 / \lambda + R)` (Duda, "The effects of checkpointing on
      program execution time", 1983; Daly 2006).
    - V bytes go into the store while tiles are computed.
    - What solving takes thereafter, on one machine, is `plan_solve`'s.

    The scheduler, other users of the machines, and workers that are slower than others are
    left out.
    """
    workers, kind, rate = cluster.machines * cluster.cores, "core", cluster.core_rate or core_rate
    if cluster.gpus:
        workers, kind, rate = cluster.machines * cluster.gpus, "GPU", cluster.gpu_rate
    if rate is None:
        raise SpecError("core_rate is missing, and was not measured here. Give pairs a second.")
    followed = work.tiles <= _MOST_FOLLOWED
    pairs = work.tile_pairs() if followed else np.array([work.pairs / work.tiles])
    alone = pairs / rate  # seconds of each tile
    expected = _with_failures(alone, cluster)
    if followed:
        computing, undisturbed = (_last_end(tiles, workers) for tiles in (expected, alone))
    else:
        rounds = -(-work.tiles // workers)
        computing, undisturbed = (rounds * float(tiles[0]) for tiles in (expected, alone))
    steps = math.ceil(math.log2(cluster.machines + 1))
    return ClusterPlan(
        work=work,
        workers=workers,
        kind=kind,
        tile_seconds=float(alone.max()),
        busy=work.pairs / rate,
        start=cluster.start_seconds,
        sending=steps * work.input_bytes / cluster.network_bandwidth,
        computing=computing,
        storing=work.stored_bytes / cluster.store_bandwidth,
        redone=computing - undisturbed,
        solve=plan_solve(
            work.n,
            work.stored_bytes,
            flops=cluster.cores * cluster.core_flops,
            bandwidth=cluster.store_bandwidth,
            memory=cluster.memory,
        )
        if work.symmetric
        else None,
    )


def _with_failures(seconds: np.ndarray, cluster: Cluster) -> np.ndarray:
    """Return how long tiles take on average, begun anew until no failure comes between."""
    if cluster.hours_between_failures is None:
        return seconds
    mean = 3600 * cluster.hours_between_failures
    if math.isinf(mean):
        return seconds
    if seconds.max() > mean * math.log(_MOST_REDONE):
        raise PlanError(
            f"plan: a tile takes {duration(seconds.max())} and a machine fails every "
            f"{duration(mean)}: hardly one would end. Use a smaller tile."
        )
    return np.expm1(seconds / mean) * (mean + cluster.restart_seconds)


def _last_end(seconds: np.ndarray, workers: int) -> float:
    """Return when all tiles are done, each taken by the worker that is free first."""
    free = [0.0] * min(workers, len(seconds))
    for each in seconds.tolist():
        heapq.heapreplace(free, free[0] + each)
    return max(free)


def plan_of_cluster(plan: GramPlan, cluster: Cluster) -> ClusterPlan:
    """Return what a kernel planned for this machine will cost on a cluster."""
    rate = None
    if plan.seconds:
        working = plan.seconds - plan.starting
        rate = plan.pairs / (working * min(plan.n_jobs, plan.tiles))
    return plan_on_cluster(KernelWork.of(plan), cluster, core_rate=rate)
