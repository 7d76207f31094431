"""First calls and peak memory, each in a process of its own: a section of bench_kernels.py."""

import json
import os
import subprocess
import sys
import tempfile

import pandas as pd

__all__ = ["bench_process"]

BOTH = ("nngp", "ntk")

PROBE = """
import json, time
import numpy as np
import scipy.linalg, ntkreg.gram, ntkreg.kernels.dense.engine, ntkreg.kernels.image.engine
from ntkreg import (
    Architecture,
    Conv,
    Dense,
    GlobalAvgPool,
    Relu,
    cntk,
    fully_connected,
    kernel,
    myrtle,
    resnet,
)
X = np.random.default_rng(0).standard_normal({shape}, dtype=np.float32)

def status(key):  # MiB
    lines = open("/proc/self/status").read().splitlines()
    return next(int(s.split()[1]) for s in lines if s.startswith(key)) / 1024

open("/proc/self/clear_refs", "w").write("5")  # the peak starts from here
before = status("VmRSS")
start, start_cpu = time.perf_counter(), time.process_time()
K = kernel({network}, X, get={get}, progress=False)
seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
size = sum(k.nbytes for k in (K if isinstance(K, tuple) else (K,))) / 2**20
print(json.dumps([seconds, cpu, status("VmHWM") - before, size]))
"""


def probe(
    network: str, shape: tuple[int, ...], get: object = "ntk", cache: str | None = None
) -> tuple[float, float, float, float]:
    """Wall and CPU seconds of the first call, MiB beyond imports and inputs, MiB of the result.

    `cache` is the folder of compiled loops; the usual one unless given.
    """
    code = PROBE.format(network=network, shape=shape, get=repr(get))
    environment = os.environ | ({} if cache is None else {"NUMBA_CACHE_DIR": cache})
    command = [sys.executable, "-c", code]
    out = subprocess.run(command, check=True, stdout=-1, text=True, env=environment).stdout
    return tuple(json.loads(out))


def probe_compiling(network: str, shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    """`probe` with no loop compiled before."""
    with tempfile.TemporaryDirectory() as cache:
        return probe(network, shape, cache=cache)


def bench_process(rounds: int) -> list[dict[str, object]]:
    """First calls with loops compiled before and not, and peak memory, each in a process."""
    rows = []
    for case, network, shape in (
        ("first call, 10 conv + GAP, 1 image", "cntk(10)", (1, 32, 32, 3)),
        ("first call, dense depth 5, 10 rows", "fully_connected(5)", (10, 3072)),
    ):
        probe(network, shape)  # fills the usual cache
        for cache, first_call, claim in (
            ("warm cache", probe, "< 2"),
            ("empty cache", probe_compiling, ""),
        ):
            calls = [first_call(network, shape) for _ in range(rounds)]
            seconds = pd.DataFrame([c[:2] for c in calls], columns=["wall seconds", "CPU seconds"])
            for figure, own in seconds.items():
                spread = {"median": own.median(), "least": own.min(), "greatest": own.max()}
                row = {"case": f"{case}, {cache}", "ratio": figure, **spread}
                rows.append(row | {"claim": claim if "wall" in figure else "", "rounds": rounds})
    for case, network, shape, get in (
        ("dense depth 5, n = 4000, d = 3072", "fully_connected(5)", (4000, 3072), "ntk"),
        ("dense depth 5, n = 4000, d = 3072, both", "fully_connected(5)", (4000, 3072), BOTH),
        ("10 conv + flatten, n = 1500", "cntk(10, 'flatten')", (1500, 32, 32, 3), "ntk"),
        ("10 conv + GAP, n = 24", "cntk(10)", (24, 32, 32, 3), "ntk"),
    ):
        *_, peak, size = probe(network, shape, get)
        claim = f"<= {1.1 * size + 200:.0f} (result {size:.0f}, 10 % of it, 200)"
        row = {"case": f"peak memory beyond imports and inputs, {case}", "ratio": "MiB"}
        rows.append(
            {**row, "median": peak, "least": peak, "greatest": peak, "claim": claim, "rounds": 1}
        )
    return rows
