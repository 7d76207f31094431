"""Measure what a kernel costs by image size, on one thread: seconds per 1,000 pairs of images.

python scripts/bench_sizes.py            # benchmarks/sizes.md and .csv, in some minutes
python scripts/bench_sizes.py --cpu      # CPU seconds, on a machine that is not idle
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from bench_page import BENCHMARKS, keep

from ntkreg import cntk, kernel, myrtle

SIZES = (8, 16, 28, 32)
NETWORKS = {
    "cntk(5, 'flatten')": cntk(5, "flatten"),
    "cntk(5, 'lap', half_width=4)": cntk(5, "lap", half_width=4),
    "cntk(5, 'gap')": cntk(5, "gap"),
    "cntk(10, 'gap')": cntk(10, "gap"),
    "myrtle(5)": myrtle(5),
}
COLUMNS = 64
"""Of z, whole groups of lanes."""


def seconds(network, size: int, rounds: int, clock) -> float | None:
    """Return seconds a thousand pairs, the median over rounds; None if images are too small."""
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(COLUMNS, size, size, 3)).astype(np.float32)

    def took(n: int) -> float:
        X = rng.normal(size=(n, size, size, 3)).astype(np.float32)
        start = clock()
        kernel(network, X, Z, get=("nngp", "ntk"), n_jobs=1)
        return (clock() - start) / (n * COLUMNS) * 1000

    try:
        took(1)  # compiles
    except ValueError:
        return None
    # Half a second's work or more: what a call costs beside its pairs should not count.
    n = int(np.clip(500 / COLUMNS / took(8), 8, 1024))
    return float(np.median([took(n) for _ in range(rounds)]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cpu", action="store_true", help="CPU time in place of wall time")
    parser.add_argument("--output", type=Path, default=BENCHMARKS)
    arguments = parser.parse_args()
    clock = time.process_time if arguments.cpu else time.perf_counter
    lines = []
    for name, network in NETWORKS.items():
        cells = {s: seconds(network, s, arguments.rounds, clock) for s in SIZES}
        lines.append({"network": name} | {f"{s} x {s}": cells[s] for s in SIZES})
        print(lines[-1], flush=True)
    table = pd.DataFrame(lines)
    command = f"python scripts/bench_sizes.py --rounds {arguments.rounds}"
    command += " --cpu" if arguments.cpu else ""
    record = {"command": command, "clock": "CPU seconds" if arguments.cpu else "Seconds"}
    print(keep(arguments.output / "sizes", "sizes", table, 4, **record))


if __name__ == "__main__":
    main()
