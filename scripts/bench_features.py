"""Measure features of kernels: their error by their number, and a ridge on 200,000 samples.

python scripts/bench_features.py                    # benchmarks/features.md, in 15 minutes
python scripts/bench_features.py --cpu              # CPU seconds, on a machine that is not idle
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from bench_page import BENCHMARKS, keep
from sklearn.datasets import load_digits

from ntkreg import NTKFeatures, NTKNystroem, cntk, fully_connected, kernel
from ntkreg.finite import empirical_kernels, finite_network

SIZES = (64, 256, 1024, 4096)
LANDMARKS, IMAGE_LANDMARKS = (16, 64, 256, 1024), (16, 64, 256)
IMAGES, CHANNELS, DRAWS = (500, 1000), (16, 64), 3
SAMPLES = 1500
"""Of the digits: kernels of them fit into memory many times over."""

STREAM = """
import json, resource
from time import {clock} as clock
import numpy as np
from ntkreg import NTKFeatures, StreamingRidge, fully_connected

n, d, test = {samples}, {inputs}, 5000
rng = np.random.default_rng(0)
X = rng.standard_normal((n + test, d), dtype=np.float32)
y = np.sin(X[:, 0] + X[:, 1]) + X[:, 2] * X[:, 3] + 0.1 * rng.standard_normal(n + test)
features = NTKFeatures(fully_connected(3), n_components={components}, random_state=0)
model = StreamingRidge(features, alpha=1e-3, n_jobs={n_jobs})
model.set_params(features__n_jobs={n_jobs})
start = clock()
for i in range(0, n, 10_000):
    model.partial_fit(X[i : min(i + 10_000, n)], y[i : min(i + 10_000, n)])
added = clock()
model.coef_
solved = clock()
score = model.score(X[n:], y[n:])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
print(json.dumps([added - start, solved - added, score, peak]))
"""


def row(case: str, figure: str, values: list[float], claim: str = "") -> dict[str, object]:
    spread = {"median": np.median(values), "least": np.min(values), "greatest": np.max(values)}
    return {"case": case, "ratio": figure, **spread, "claim": claim, "rounds": len(values)}


def errors(name: str, X: np.ndarray, network, contenders: dict, seeds: int, clock) -> list[dict]:
    """Error of inner products and time for 1,000 samples, over seeds."""
    K = kernel(network, X, dtype="float64", n_jobs=1)
    norm = np.sqrt(np.diag(K))
    rows = []
    for label, make in contenders.items():
        found: dict[str, list[float]] = {"rms error": [], "trace error": [], "ms": []}
        for seed in range(seeds):
            features = make(seed).fit(X)
            start = clock()
            A = features.transform(X)
            found["ms"].append((clock() - start) * 1e6 / len(X))
            off = A.astype(np.float64) @ A.T.astype(np.float64) - K
            found["rms error"].append(np.sqrt((off**2 / np.outer(norm, norm) ** 2).mean()))
            found["trace error"].append(np.abs(np.trace(off)) / np.trace(K))
        case = f"{name}, {label}"
        rows.append(
            row(case, "rms of errors of K(x, z) / sqrt(K(x, x) K(z, z))", found["rms error"])
        )
        if "NTKNystroem" in label:
            rows.append(row(case, "trace of the error / trace of K", found["trace error"]))
        rows.append(row(case, "ms to transform 1,000 samples", found["ms"]))
        print(rows[-1], flush=True)
    return rows


def features(arguments, clock) -> list[dict]:
    """Random features; an error of one draw is of all pairs together, so there are more draws."""
    network = fully_connected(3)
    contenders = {
        f"NTKFeatures, {n} components": lambda seed, n=n: NTKFeatures(
            network, n_components=n, random_state=seed, n_jobs=1
        )
        for n in SIZES
    }
    return errors(
        "dense depth 3, digits", digits(), network, contenders, 4 * arguments.seeds, clock
    )


def landmarks(arguments, clock) -> list[dict]:
    dense, conv, X = fully_connected(3), cntk(3), digits()
    return [
        *errors(
            "dense depth 3, digits", X, dense, nystroem(dense, LANDMARKS), arguments.seeds, clock
        ),
        *errors(
            "3 conv + GAP, digits",
            X.reshape(-1, 8, 8, 1),
            conv,
            nystroem(conv, IMAGE_LANDMARKS),
            arguments.seeds,
            clock,
        ),
    ]


def convolutional(arguments, clock) -> list[dict]:
    """What random features of a CNTK would have to beat: its Gram, and landmarks.

    The features are the gradients of a random network, whose inner products tend to the CNTK as
    its channels grow: no other random features of it are known that do not grow with the pixels.
    """
    network, rows = cntk(3), []
    X = digits().reshape(-1, 8, 8, 1)

    def measured(label: str, K: np.ndarray, make) -> None:
        make(0)  # compiles
        norm, errors, times = np.sqrt(np.diag(K)), [], []
        for seed in range(DRAWS):
            start = clock()
            found = make(seed)
            times.append(clock() - start)
            errors.append(np.sqrt((((found - K) / np.outer(norm, norm)) ** 2).mean()))
        case = f"CNTK of 3 conv + GAP, {len(K)} digits, {label}"
        rows.append(row(case, "seconds", times))
        rows.append(row(case, "rms of errors of K(x, z) / sqrt(K(x, x) K(z, z))", errors))
        print(*rows[-2:], sep="\n", flush=True)

    def landmarked(seed: int, n: int) -> np.ndarray:
        features = NTKNystroem(network, n_components=256, random_state=seed, n_jobs=1)
        A = features.fit_transform(X[:n]).astype(float)
        return A @ A.T

    def of_gradients(seed: int, n: int, channels: int) -> np.ndarray:
        finite = finite_network(network, X.shape[1:], width=channels)
        return np.asarray(empirical_kernels(finite, finite.init(seed), X[:n]).ntk)

    for n in IMAGES:
        K = kernel(network, X[:n], dtype="float64", n_jobs=1)
        measured("the kernel itself", K, lambda seed, n=n: kernel(network, X[:n], n_jobs=1))
        measured("256 uniform landmarks", K, lambda seed, n=n: landmarked(seed, n))
        for channels in CHANNELS:
            label = f"gradients of a random network of {channels} channels"
            measured(label, K, lambda seed, n=n, c=channels: of_gradients(seed, n, c))
    return rows


def digits() -> np.ndarray:
    return load_digits().data[:SAMPLES].astype("float32") / 16


def nystroem(network, sizes: tuple[int, ...]) -> dict:
    return {
        f"NTKNystroem, {n} {landmarks} landmarks": lambda seed, n=n, landmarks=landmarks: (
            NTKNystroem(network, n_components=n, landmarks=landmarks, random_state=seed, n_jobs=1)
        )
        for n in sizes
        for landmarks in ("uniform", "rpcholesky")
    }


def stream(arguments, clock) -> list[dict]:
    """One pass, in a process of its own: what it takes in all, imports and data included."""
    n_jobs, sizes = arguments.n_jobs, ("samples", "inputs", "components")
    sizes = {name: getattr(arguments, name) for name in sizes}
    code = STREAM.format(**sizes, n_jobs=n_jobs, clock=clock.__name__)
    environment = os.environ | {"OMP_NUM_THREADS": str(n_jobs)}
    out = subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=-1, text=True, env=environment
    ).stdout
    added, solved, score, peak = json.loads(out.splitlines()[-1])
    case = (
        f"StreamingRidge on NTKFeatures of depth 3, {arguments.samples:,} x {arguments.inputs} "
        f"float32, {arguments.components:,} components, {n_jobs} thread(s)"
    )
    return [
        row(case, "peak memory of the process, MB", [peak], "< 4000"),
        row(case, "seconds for features and sums", [added]),
        row(case, "seconds for the solve", [solved]),
        row(case, "R^2 on 5,000 other samples", [score]),
    ]


PARTS = {
    "NTKFeatures, ": features,
    "NTKNystroem, ": landmarks,
    "CNTK of ": convolutional,
    "StreamingRidge ": stream,
}
"""What measures the rows whose case has these words."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--inputs", type=int, default=100)
    parser.add_argument("--components", type=int, default=8192)
    parser.add_argument("--n_jobs", type=int, default=1)
    parser.add_argument(
        "--seeds", type=int, default=5, help="draws; four times as many of features"
    )
    parser.add_argument("--cpu", action="store_true", help="CPU time in place of wall time")
    parser.add_argument(
        "--only",
        choices=[part.__name__ for part in PARTS.values()],
        help="measure this again; other rows stay those of an earlier run with the same settings",
    )
    parser.add_argument("--output", type=Path, default=BENCHMARKS)
    arguments = parser.parse_args()
    clock = time.process_time if arguments.cpu else time.perf_counter
    stem, tables = arguments.output / "features", []
    for words, part in PARTS.items():
        if arguments.only in (None, part.__name__):
            tables.append(pd.DataFrame(part(arguments, clock)))
        else:
            before = pd.read_csv(stem.with_suffix(".csv"))
            tables.append(before[before.case.str.contains(words)])
    told = [
        f" --{name}" if value is True else f" --{name} {value}"
        for name, value in vars(arguments).items()
        if name not in ("output", "only") and value != parser.get_default(name)
    ]
    command = f"python scripts/bench_features.py{''.join(told)}"
    record = {"command": command, "clock": "CPU time" if arguments.cpu else "Wall time"}
    print(keep(stem, "features", pd.concat(tables), 4, **record))


if __name__ == "__main__":
    main()
