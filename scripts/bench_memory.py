"""Measure the peak memory of kernels against what their plans say, each in a process of its own.

The peak is the most resident memory that the call adds, as Linux counts it, after a small kernel of
the same network: imports, compiled loops and threads are there by then.

    python scripts/bench_memory.py                # a minute or two
    python scripts/bench_memory.py --output results/memory
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
from bench_page import BENCHMARKS, keep

CASES = {
    "dense, NNGP and NTK": ("fully_connected(3)", (6000, 50), {"get": ("nngp", "ntk")}),
    "dense, three depths, rows x columns": (
        "fully_connected(3)",
        (7000, 50),
        {"rows": 2000, "depths": (1, 2, 3)},
    ),
    "dense, in a folder, tiles of 2048": (
        "fully_connected(3)",
        (6000, 50),
        {"get": ("nngp", "ntk"), "tile": 2048},
    ),
    "images with flips": ("cntk(3)", (500, 12, 12, 3), {"symmetry": "flip"}),
    "images, in a folder": ("cntk(3)", (1280, 6, 6, 3), {"tile": 640, "depths": (1, 3)}),
}
"""Network, shape of X, and arguments of `compute_gram`; `rows` are those of X, the rest is Z."""

PROBE = """
import ctypes, json, sys, tempfile
import numpy as np
from ntkreg import cntk, compute_gram, fully_connected, plan_gram

network, shape, options = eval(sys.argv[1])
network = eval(network)
X = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
rows = options.pop("rows", None)
inputs = (X,) if rows is None else (X[:rows], X[rows:])
options |= {"n_jobs": 2}

def status(key):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) * 1024

with tempfile.TemporaryDirectory() as place:
    small = {name: value for name, value in options.items() if name != "tile"}
    compute_gram(network, *(A[:40] for A in inputs), progress=False, **small)
    if "tile" in options:
        compute_gram(network, X[:40], progress=False, folder=place + "/small", **small)
        options["folder"] = place + "/kernel"
    plan = plan_gram(network, *inputs, **options)
    ctypes.CDLL(None).malloc_trim(0)
    open("/proc/self/clear_refs", "w").write("5")  # the peak starts from here
    before = status("VmRSS")
    gram = compute_gram(network, *inputs, progress=False, **options)
    print(json.dumps([plan.peak_bytes, status("VmHWM") - before]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=BENCHMARKS)
    arguments = parser.parse_args()
    rows = []
    for case, (network, shape, options) in CASES.items():
        command = [sys.executable, "-c", PROBE, repr((network, shape, options))]
        found = [
            json.loads(subprocess.run(command, check=True, stdout=-1, text=True).stdout)
            for _ in range(arguments.rounds)
        ]
        shares = [peak / planned for planned, peak in found]
        rows.append(
            {
                "case": case,
                "shape of X": " x ".join(map(str, shape)),
                "planned (MB)": found[0][0] / 1e6,
                "peak (MB)": sorted(peak for _, peak in found)[len(found) // 2] / 1e6,
                "median": sorted(shares)[len(shares) // 2],
                "least": min(shares),
                "greatest": max(shares),
                "claim": "0.85..1",
            }
        )
        print(*rows[-1].values(), sep=", ", flush=True)
    command = f"python scripts/bench_memory.py --rounds {arguments.rounds}"
    record = {"command": command, "rounds": arguments.rounds}
    print(keep(arguments.output / "memory", "memory", pd.DataFrame(rows), 4, **record))


if __name__ == "__main__":
    main()
