"""Measure what small studies take against what `ntkreg plan` says, each in a process of its own.

What is planned is the work of a study: not the start of Python and its imports, nor the page.
Images are scikit-learn's digits, tables its small data sets. Both are by the same clock: wall time,
or where others work on the machine the CPU time of a process with one CPU.

    python scripts/bench_plans.py                     # ten minutes
    taskset -c 0 python scripts/bench_plans.py --clock CPU
    python scripts/bench_plans.py --only widths landscape --output results/plans
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bench_page import BENCHMARKS, keep

IMAGES, TABLES = "images.npz", "tables"
"""Data that `make_data` writes."""

CNTK: dict[str, Any] = {"recipe": "cntk", "depth": 3, "readout": "gap"}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "gram, 3 layers, n = 1000": (
        "gram",
        {"data": IMAGES, "architecture": CNTK, "get": ["ntk", "nngp"], "n_train": 1000},
    ),
    "gram, 8 layers, n = 600 + 200": (
        "gram",
        {
            "data": IMAGES,
            "architecture": {**CNTK, "depth": 8},
            "get": ["ntk"],
            "n_train": 600,
            "n_test": 200,
        },
    ),
    "fit, 3 layers, n = 800": (
        "fit",
        {"data": IMAGES, "architecture": CNTK, "n_train": 800, "n_test": 400},
    ),
    "few-samples, 4 layers, n = 640": (
        "few-samples",
        {
            "data": IMAGES,
            "architecture": {**CNTK, "depth": 4},
            "depths": [2, 4],
            "pool": 640,
            "n_test": 400,
            "n_samples": [20, 80, 320],
        },
    ),
    "few-samples, flips, n = 400": (
        "few-samples",
        {
            "data": IMAGES,
            "architecture": {**CNTK, "depth": 6},
            "symmetry": "flip",
            "pool": 400,
            "n_test": 200,
            "n_samples": [10, 40, 160],
        },
    ),
    "precision, three networks": (
        "precision",
        {
            "data": IMAGES,
            "networks": {
                "dense": {"recipe": "fully_connected", "depth": 3},
                "flatten": {"recipe": "cntk", "depth": 5, "readout": "flatten"},
                "gap": {"recipe": "cntk", "depths": [2, 5]},
            },
            "n_train": 300,
            "n_copies": 10,
        },
    ),
    "precision, 8 layers": (
        "precision",
        {
            "data": IMAGES,
            "networks": {"gap": {"recipe": "cntk", "depth": 8}},
            "n_train": 300,
        },
    ),
    "quickstart, small": ("quickstart", {"n_images": 300, "n_train": [50, 100]}),
    "compare, kernels and trees": (
        "compare",
        {
            "data": TABLES,
            "models": {"NTK": "ntk", "RBF": "rbf", "random forest": "random_forest"},
            "data_sets": ["iris", "wine", "breast_cancer"],
            "n_trees": 30,
        },
    ),
    "compare, kernels": (
        "compare",
        {"data": TABLES, "models": {"NTK": "ntk", "NNGP": "nngp", "Laplace": "laplacian"}},
    ),
    "widths, dense": (
        "widths",
        {
            "data": IMAGES,
            "positive": [1, 3, 5, 7, 9],
            "architecture": {"recipe": "fully_connected"},
            "depths": [1, 3],
            "widths": [32, 128, 512],
            "n_seeds": [8],
            "n_starts": [32],
            "n_train": 60,
            "n_test": 60,
            "n_steps": 100,
        },
    ),
    "widths, convolutional": (
        "widths",
        {
            "data": IMAGES,
            "positive": [1, 3, 5, 7, 9],
            "architecture": {"recipe": "cntk"},
            "depths": [2],
            "widths": [8, 16, 32],
            "n_seeds": [8],
            "n_starts": [32],
            "n_train": 40,
            "n_test": 40,
            "n_steps": 60,
        },
    ),
    "optimizers, four": (
        "optimizers",
        {
            "data": IMAGES,
            "widths": [32, 64],
            "n_train": 50,
            "n_test": 200,
            "seeds": [0, 1],
            "batch_size": 10,
            "optimizers": ["gradient_descent", "sgd", "momentum", "adam"],
            "batch_sizes": [5, 20],
            "batch_rates": [0.1, 0.2],
        },
    ),
    "optimizers, one": (
        "optimizers",
        {
            "data": IMAGES,
            "widths": [64, 256],
            "n_train": 100,
            "n_test": 200,
            "seeds": [0, 1, 2],
            "batch_size": 20,
            "optimizers": ["gradient_descent", "momentum"],
            "batch_sizes": [20],
            "batch_rates": [0.2],
        },
    ),
    "few-samples-network, 2 layers": (
        "few-samples-network",
        {
            "data": IMAGES,
            "architecture": {**CNTK, "depth": 2},
            "pool": 200,
            "n_test": 200,
            "n_samples": [10, 40, 160],
            "n_draws": [6, 4, 2],
            "width": 16,
            "n_steps": 100,
            "batch_size": 40,
        },
    ),
    "few-samples-network, 4 layers": (
        "few-samples-network",
        {
            "data": IMAGES,
            "architecture": {**CNTK, "depth": 4},
            "pool": 100,
            "n_test": 100,
            "n_samples": [20, 100],
            "n_draws": [4, 3],
            "width": 24,
            "n_steps": 80,
            "n_networks": 2,
        },
    ),
    "complete, rank 2, 40 x 40": (
        "complete",
        {
            "matrix": "low-rank",
            "size": 40,
            "ranks": [2],
            "n_seen": [300, 500, 800],
            "reference_seen": 500,
            "depths": [2, 3],
            "init_scales": [1e-3, 1e-4],
            "optimizer_depths": [2],
            "optimizers": ["gd", "adam", "gd_long"],
            "n_instances": 3,
            "n_paths": 0,
        },
    ),
    "complete, rank 3, 60 x 60, with paths": (
        "complete",
        {
            "matrix": "low-rank",
            "size": 60,
            "ranks": [3],
            "n_seen": [700, 1100],
            "reference_seen": 700,
            "depths": [2, 3],
            "init_scales": [1e-3],
            "optimizer_depths": [2],
            "optimizers": ["gd", "momentum"],
            "n_instances": 2,
            "n_paths": 1,
        },
    ),
    "landscape, 1 layer": (
        "landscape",
        {
            "surface": "gaussian",
            "widths": [4, 8, 16],
            "depths": [1],
            "n_train": 12,
            "n_test": 16,
            "n_seeds": 4,
            "max_steps": 500,
            "sgd_steps": 200,
            "curve_steps": 100,
            "n_basin_starts": 40,
        },
    ),
}
"""Study and configuration of each case."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=BENCHMARKS)
    parser.add_argument("--only", nargs="*", default=[], help="beginnings of cases; all")
    parser.add_argument("--clock", choices=("wall", "CPU"), default="wall")
    parser.add_argument("--inside", nargs=2, metavar=("WHAT", "CASE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.clock == "CPU":
        if len(os.sched_getaffinity(0)) > 1:
            parser.error("--clock CPU needs one CPU, as by `taskset -c 0`.")
        time.perf_counter = time.process_time  # what plans measure by, in this process
    if arguments.inside:
        print(json.dumps({"plan": planned, "run": taken}[arguments.inside[0]](arguments.inside[1])))
        return
    if arguments.only and not any(case.startswith(tuple(arguments.only)) for case in CASES):
        parser.error(f"--only: no case begins so; there are {', '.join(CASES)}.")
    rows = []
    for case in CASES:
        if not arguments.only or case.startswith(tuple(arguments.only)):
            rows.append(row_of(case, arguments.clock))
            print(*rows[-1].values(), sep=", ", flush=True)
    command = "python scripts/bench_plans.py"
    command += "" if arguments.clock == "wall" else " --clock CPU"
    record = {"command": command, "clock": arguments.clock}
    print(keep(arguments.output / "plans", "plans", pd.DataFrame(rows), 4, **record))


def row_of(case: str, clock: str) -> dict[str, Any]:
    """Plan a study, then run it, in two processes."""
    here, found = Path(__file__).resolve(), []
    for what in ("plan", "run"):
        with tempfile.TemporaryDirectory() as place:
            command = [sys.executable, str(here), "--clock", clock, "--inside", what, case]
            out = subprocess.run(command, check=True, stdout=-1, text=True, cwd=place).stdout
        found.append(json.loads(out.splitlines()[-1]))
    (plan, planning), took = found
    return {
        "case": case,
        "planned (s)": plan,
        "taken (s)": took,
        "planning took (s)": planning,
        "planned / taken": plan / took,
        "claim": "0.75..1.25",
    }


def planned(case: str) -> tuple[float, float]:
    """Return the seconds that the plan of a case says, and those that it takes itself."""
    study, config = made(case)
    began = time.perf_counter()
    total = 0.0
    for part in study.plan(config, Path("out")):
        seconds = part.gram.seconds if hasattr(part, "gram") else sum(part.seconds.values())
        total += seconds
        print(part)
    return total, time.perf_counter() - began


def taken(case: str) -> float:
    """Return the seconds of a case."""
    study, config = made(case)
    run, began = study.run, time.perf_counter()
    options = {} if study.name == "few-samples-network" else {"progress": False}
    run(config, Path("out"), **options)
    return time.perf_counter() - began


def made(case: str) -> tuple[Any, Any]:
    """Return the study of a case and its configuration, with data in the working directory."""
    import jax.numpy  # noqa: F401 (imports are none of the work)
    import scipy.optimize  # noqa: F401
    import sklearn.svm  # noqa: F401

    from ntkreg.cli.studies import STUDIES
    from ntkreg.studies.shared.config import make_config

    name, keys = CASES[case]
    make_data()
    return STUDIES[name], make_config(STUDIES[name].config, keys)


def make_data() -> None:
    """Write digits as images, and tables, as studies read them."""
    from sklearn import datasets

    X, y = datasets.load_digits(return_X_y=True)
    X = (15 * X.reshape(-1, 8, 8, 1)).astype(np.uint8)
    np.savez(IMAGES, x_train=X[:1000], y_train=y[:1000], x_test=X[1000:], y_test=y[1000:])
    Path(TABLES).mkdir()
    for name in ("iris", "wine", "breast_cancer"):
        rows, labels = getattr(datasets, f"load_{name}")(return_X_y=True)
        np.savez(f"{TABLES}/{name}.npz", X=rows, y=labels)
    np.savez(f"{TABLES}/digits.npz", X=X[:600].reshape(600, -1) / 255, y=y[:600])


if __name__ == "__main__":
    main()
