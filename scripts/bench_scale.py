"""Measure solving by a factor and by conjugate gradients: times, memory, and the same predictions.

python scripts/bench_scale.py --store FOLDER     # benchmarks/scale.md, in an hour; 7 GB of disk

Every row comes from a process of its own, with its peak of memory. The stores are deleted at the
end; --keep leaves them there, to be read again.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from bench_page import BENCHMARKS, keep

from ntkreg import compute_gram, fully_connected, kernel, open_gram

TILE = 512
TARGETS, INPUTS, TEST = 10, 20, 2000
ALPHA = 1e-3
"""Of the mean diagonal."""
TOL = 1e-6
LIMIT = 4e9
"""Bytes of data that the solve of the larger store may have."""
PATIENCE = 3
"""Times the winner's seconds that a challenger gets."""


def table(n: int) -> tuple[np.ndarray, np.ndarray]:
    """A seeded table: Gaussian inputs, and the coded class of the largest of ten noisy waves."""
    rng = np.random.default_rng(0)
    waves = rng.standard_normal((INPUTS, TARGETS)) / INPUTS**0.5
    X = rng.standard_normal((n + TEST, INPUTS)).astype(np.float32)
    noise = rng.standard_normal((len(X), TARGETS))
    labels = np.argmax(np.sin(X @ waves) + 0.1 * noise, axis=1)
    return X, np.eye(TARGETS)[labels] - 1 / TARGETS


def stored(arguments: argparse.Namespace):
    return open_gram(arguments.store / str(arguments.n)).values["ntk"]


def compute(arguments: argparse.Namespace) -> dict:
    X, _ = table(arguments.n)
    compute_gram(
        fully_connected(3),
        X[: arguments.n],
        get="ntk",
        folder=arguments.store / str(arguments.n),
        tile=TILE,
        n_jobs=arguments.n_jobs,
    )
    files = (arguments.store / str(arguments.n)).rglob("*")
    return {"GB on disk": sum(f.stat().st_size for f in files if f.is_file()) / 1e9}


def cholesky(arguments: argparse.Namespace) -> dict:
    from ntkreg.solvers import CholeskySolver

    solver = CholeskySolver(stored(arguments), n_jobs=arguments.n_jobs)
    return solved(arguments, "cholesky", solver)


def conjugate_gradient(arguments: argparse.Namespace) -> dict:
    from ntkreg.solvers import ConjugateGradientSolver

    resource.setrlimit(resource.RLIMIT_DATA, (int(LIMIT), int(LIMIT)))
    solver = ConjugateGradientSolver(
        stored(arguments), n_jobs=arguments.n_jobs, tol=TOL, n_pivots=arguments.n_pivots
    )
    found = solved(arguments, "conjugate_gradient", solver)
    return found | {"pivots": solver.n_pivots}


def solved(arguments: argparse.Namespace, name: str, solver) -> dict:
    y = table(arguments.n)[1][: arguments.n]
    found = solver.solve(y, alpha=ALPHA, alpha_scale="mean_diagonal")
    if arguments.n_pivots is None:
        np.save(arguments.store / f"{arguments.n}.{name}.npy", found.dual_coef)
    figures = {"residual": found.residual}
    return figures if found.n_iter is None else figures | {"iterations": found.n_iter}


def alone(arguments: argparse.Namespace) -> dict:
    """Conjugate gradients for each target by itself, all in one product with K."""
    y, multiply, root = challenged(arguments)
    X, left = np.zeros_like(y), y.copy()
    norms = np.linalg.norm(y, axis=0)
    scaled = root(root(left))
    directions, products = scaled, np.einsum("nk,nk->k", left, scaled)
    residuals = [1.0]
    while residuals[-1] > TOL and len(residuals) < 1000:
        moved = multiply(directions)
        step = products / np.einsum("nk,nk->k", directions, moved)
        X += step * directions
        left -= step * moved
        residuals.append((np.linalg.norm(left, axis=0) / norms).max())
        scaled = root(root(left))
        products, before = np.einsum("nk,nk->k", left, scaled), products
        directions = scaled + products / before * directions
    return {"residual": residuals[-1], "iterations": len(residuals) - 1}


def challenged(arguments: argparse.Namespace):
    """Return targets, and products with K + alpha I and with the preconditioner's root."""
    from ntkreg.solvers import ConjugateGradientSolver

    solver = ConjugateGradientSolver(stored(arguments), n_jobs=arguments.n_jobs)
    y = table(arguments.n)[1][: arguments.n]
    alpha = ALPHA * float(solver.K.diagonal().mean(dtype=float))
    # The solver's own, in its units, for a matrix without weights.
    unit = float(solver._roots[0, 0]) ** 2
    root = solver._preconditioned(alpha)
    return y, lambda v: unit * (solver.K.multiply(v) + alpha * v), root


def sketch(arguments: argparse.Namespace) -> dict:
    """ASkotch (Rathore et al. 2024, arXiv 2407.10070) on rows of tiles, until its time is over.

    Its parameters as in the paper: Nystrom of rank 100 and damping, or (rank 0) the exact
    projection; mu = alpha and nu = n / b for the acceleration. K in units of its mean diagonal.
    """
    K = stored(arguments)
    n, tiles = arguments.n, -(-arguments.n // TILE)
    y = table(n)[1][:n]
    rng = np.random.default_rng(0)
    at_once = max(1, arguments.block // TILE)
    unit = float(np.mean([K.read(slice(i, i + 1), slice(i, i + 1)) for i in range(0, n, 997)]))
    mu, nu = ALPHA, n / (at_once * TILE)
    beta, gamma = 1 - (mu / nu) ** 0.5, 1 / (mu * nu) ** 0.5
    mix = 1 / (1 + gamma * nu)
    w, v, z = (np.zeros_like(y) for _ in range(3))
    steps, residual, over = 0, 1.0, 0.0
    start = time.process_time()
    while residual > TOL and time.process_time() - start - over < arguments.seconds:
        chosen = np.sort(rng.choice(tiles, at_once, replace=False))
        spans = [slice(i * TILE, min((i + 1) * TILE, n)) for i in chosen]
        rows = np.concatenate([np.arange(s.start, s.stop) for s in spans])
        product, own = np.zeros((len(rows), TARGETS)), np.zeros((len(rows), len(rows)))
        at = 0
        for span in spans:
            part = slice(at, at + span.stop - span.start)
            for j in range(tiles):  # tile by tile, as a store is read
                columns = slice(j * TILE, min((j + 1) * TILE, n))
                values = K.read(span, columns).astype(float) / unit
                product[part] += values @ z[columns]
                if j in chosen:
                    to = np.searchsorted(rows, columns.start)
                    own[part, to : to + values.shape[1]] = values
            at = part.stop
        gradient = product + ALPHA * z[rows] - y[rows]
        step = projected(own, gradient, arguments.rank, rng)
        w_new = z.copy()
        w_new[rows] -= step
        v = beta * v + (1 - beta) * z
        v[rows] -= gamma * step
        w, z = w_new, mix * v + (1 - mix) * w_new
        steps += 1
        if steps % max(1, 4 * tiles // at_once) == 0:
            before = time.process_time()
            residual = residual_of(K, w, y, unit, tiles)
            over += time.process_time() - before  # the race does not count looking at it
    residual = residual_of(K, w, y, unit, tiles)
    return {"residual": residual, "iterations": steps, "sweeps": steps * at_once / tiles}


def projected(own: np.ndarray, gradient: np.ndarray, rank: int, rng) -> np.ndarray:
    """Return the step of a block: its equations solved, or by Nystrom with damping."""
    if rank == 0:
        return np.linalg.solve(own + ALPHA * np.eye(len(own)), gradient)
    basis, _ = np.linalg.qr(own @ rng.standard_normal((len(own), rank)))
    values, vectors = np.linalg.eigh(basis.T @ own @ basis)
    basis = basis @ vectors
    damping = ALPHA + max(values[0], 0)

    def inverse(right: np.ndarray, power: float) -> np.ndarray:
        seen = basis.T @ right
        inner = ((np.maximum(values, 0) + damping) ** power)[:, None] * seen
        return basis @ inner + damping**power * (right - basis @ seen)

    x = rng.standard_normal((len(own), 1))
    for _ in range(10):
        x /= np.linalg.norm(x)
        x = inverse((own + ALPHA * np.eye(len(own))) @ inverse(x, -0.5), -0.5)
    return inverse(gradient, -1) / np.linalg.norm(x)


def residual_of(K, w: np.ndarray, y: np.ndarray, unit: float, tiles: int) -> float:
    from ntkreg.solvers.tiled_matrix import TiledMatrix

    if not hasattr(residual_of, "K"):
        residual_of.K = TiledMatrix("bench", K, 1)
    left = residual_of.K.multiply(w) / unit + ALPHA * w - y
    return float((np.linalg.norm(left, axis=0) / np.linalg.norm(y, axis=0)).max())


def predict(arguments: argparse.Namespace) -> dict:
    """Predictions at new samples of whichever solutions there are: how far apart, how good."""
    X, y = table(arguments.n)
    names = ("conjugate_gradient", "cholesky")
    paths = [arguments.store / f"{arguments.n}.{name}.npy" for name in names]
    coefs = [np.load(path) for path in paths if path.exists()]
    values = [np.empty((TEST, TARGETS)) for _ in coefs]
    for i in range(0, TEST, 250):
        rows = X[arguments.n + i : arguments.n + i + 250]
        cross = kernel(fully_connected(3), rows, X[: arguments.n], n_jobs=arguments.n_jobs)
        for out, coef in zip(values, coefs, strict=True):
            out[i : i + 250] = cross @ coef
    right = np.argmax(values[0], axis=1) == np.argmax(y[arguments.n :], axis=1)
    found = {"percent of new samples right": 100 * right.mean()}
    if len(values) == 2:
        found["greatest difference of predictions"] = np.abs(values[0] - values[1]).max()
    return found


CLAIMS = {
    ("conjugate_gradient", "residual"): "< 0.000001",
    ("predict", "greatest difference of predictions"): "< 0.0001",
    ("conjugate_gradient", "peak memory, GB"): "< 4",
}


def stage(arguments: argparse.Namespace, name: str, n: int, label: str, **options) -> list[dict]:
    """Run one stage in a process of its own, and return its rows."""
    told = [f"--{key}={value}" for key, value in options.items()]
    command = [
        sys.executable,
        __file__,
        f"--store={arguments.store}",
        f"--stage={name}",
        f"--n={n}",
    ]
    environment = os.environ | {"OMP_NUM_THREADS": str(arguments.n_jobs)}
    command += [f"--n_jobs={arguments.n_jobs}", *told]
    out = subprocess.run(command, check=True, stdout=-1, text=True, env=environment).stdout
    figures = json.loads(out.splitlines()[-1])
    print(n, label, figures, flush=True)
    claims = {figure: CLAIMS.get((name, figure), "") for figure in figures}
    return [
        {"n": n, "stage": label, "figure": key, "value": value, "claim": claims[key]}
        for key, value in figures.items()
    ]


STAGES = {s.__name__: s for s in (compute, cholesky, conjugate_gradient, alone, sketch, predict)}


def run_stage(arguments: argparse.Namespace) -> None:
    start, start_cpu = time.perf_counter(), time.process_time()
    figures = STAGES[arguments.stage](arguments)
    figures["seconds"] = time.perf_counter() - start
    figures["CPU seconds"] = time.process_time() - start_cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(
        json.dumps(
            {key: float(value) for key, value in figures.items()} | {"peak memory, GB": peak}
        )
    )


def measure(arguments: argparse.Namespace, n: int, race: bool) -> list[dict]:
    rows = []

    def add(name: str, label: str, **options) -> dict[str, float]:
        rows.extend(found := stage(arguments, name, n, label, **options))
        return {row["figure"]: row["value"] for row in found}

    add("compute", "Gram into the store")
    won = add("conjugate_gradient", "conjugate gradients, block")
    if race:
        add("cholesky", "Cholesky, read from the store")
        root = n**0.5
        for factor in (2, 16):
            label = f"conjugate gradients, {factor} sqrt(n) pivots"
            add("conjugate_gradient", label, n_pivots=round(factor * root))
        add("alone", "conjugate gradients, each target alone")
        seconds = PATIENCE * won["CPU seconds"]
        others = ((TILE, 0), (4 * TILE, 0)) if n <= 5_000 else ()
        for block, rank in ((TILE, 100), *others):
            what = f"rank {rank}" if rank else "exact projection"
            label = f"ASkotch, {block} rows, {what}"
            add("sketch", label, block=block, rank=rank, seconds=seconds)
    add("predict", "predictions at 2,000 new samples")
    if not arguments.keep:
        shutil.rmtree(arguments.store / str(n))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--store", type=Path, required=True, help="folder for the kernels")
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 20_000, 50_000])
    parser.add_argument("--n_jobs", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="leave the kernels in the folder")
    parser.add_argument("--output", type=Path, default=BENCHMARKS)
    for name in ("stage", "n", "block", "rank", "seconds", "n_pivots"):
        kind = {"stage": str, "seconds": float}.get(name, int)
        parser.add_argument(f"--{name}", type=kind, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.stage:
        run_stage(arguments)
        return
    arguments.store.mkdir(parents=True, exist_ok=True)
    rows = []
    for n in arguments.sizes:
        rows += measure(arguments, n, race=n <= 20_000)
    sizes = " ".join(str(n) for n in arguments.sizes)
    command = f"python scripts/bench_scale.py --store FOLDER --sizes {sizes}"
    if arguments.n_jobs != 1:
        command += f" --n_jobs {arguments.n_jobs}"
    print(keep(arguments.output / "scale", "scale", pd.DataFrame(rows), 4, command=command))


if __name__ == "__main__":
    main()
