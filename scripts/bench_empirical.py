"""Measure the three ways to an empirical NTK against each other and against neural-tangents.

Contenders take turns, round after round, compilation excluded; the table gives medians.
neural-tangents computes the kernel of the same function by its two methods that work on
current JAX (its structured derivatives do not), jitted, with vmap_axes=0.

    python scripts/bench_empirical.py            # under 5 minutes on one core
    python scripts/bench_empirical.py --cpu      # CPU seconds, on a machine that is not idle
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pandas as pd
from bench_page import BENCHMARKS, keep

from ntkreg import Architecture, cntk, fully_connected
from ntkreg.finite import empirical_kernels, finite_network
from ntkreg.finite.empirical_plan import METHODS, make_plan
from ntkreg.kernels import import_neural_tangents

DENSE, CONV = fully_connected(3), cntk(3, "flatten")
Case = tuple[str, Architecture, tuple[int, ...], int, int, int, str]
CASES: list[Case] = [
    *[("dense", DENSE, (64,), n, width, o, "full") for width, o, n in (
        (64, 1, 256), (256, 1, 64), (1024, 1, 32), (64, 10, 48), (256, 10, 24), (512, 10, 16),
        (16, 100, 8), (64, 100, 8), (256, 100, 4),
    )],
    *[("dense", DENSE, (64,), 32, width, 10, how) for width in (64, 512)
      for how in ("trace", "sum")],
    *[("conv", CONV, (8, 8, 3), n, width, o, "full") for width, o, n in (
        (16, 1, 16), (64, 1, 16), (16, 10, 8), (64, 10, 8), (4, 30, 4),
    )],
    *[("conv", CONV, (8, 8, 3), 16, 32, 10, how) for how in ("trace", "sum")],
]  # fmt: skip
PEERS = {"JACOBIAN_CONTRACTION": "nt jacobian", "NTK_VECTOR_PRODUCTS": "nt products"}


def contenders(case: Case, only_ours: bool) -> tuple[dict[str, Callable[[], object]], str, dict]:
    """Every way as a call, all checked against each other; what auto takes; predictions."""
    _, architecture, shape, n, width, o, how = case
    network = finite_network(architecture, shape, width=width, n_outputs=o)
    params = network.init(0)
    X = np.random.default_rng(0).normal(size=(n, *shape)).astype(np.float32)
    calls: dict[str, Callable[[], object]] = {
        method: lambda method=method: (
            empirical_kernels(network, params, X, outputs=how, method=method).ntk
        )
        for method in METHODS
    }
    if not only_ours:
        nt, on_device = import_neural_tangents(), jax.numpy.asarray(X)

        def f(params: object, x: object) -> jax.Array:
            y = network.apply(params, x)
            return y.sum(axis=-1, keepdims=True) / o**0.5 if how == "sum" else y

        for name, label in PEERS.items():
            kernel_fn = jax.jit(
                nt.empirical_ntk_fn(
                    f,
                    trace_axes=(-1,) if how == "trace" else (),
                    vmap_axes=0,
                    implementation=nt.NtkImplementation[name],
                )
            )
            calls[label] = lambda k=kernel_fn: jax.block_until_ready(k(on_device, None, params))
    wanted = None
    for label, call in calls.items():  # compiles
        found = np.asarray(call())
        wanted = found if wanted is None else wanted
        error = np.abs(found.reshape(wanted.shape) - wanted).max() / np.abs(wanted).max()
        assert error < 1e-5, f"{label} is off by {error:.1e}"
    plans = {m: make_plan(network, how, m, n, None, 4, 2**30) for m in ("auto", *METHODS)}
    return calls, plans["auto"].name, {m: plans[m].seconds for m in METHODS}


def measure(case: Case, rounds: int, clock: Callable[[], float], only_ours: bool) -> dict:
    kind, _, _, n, width, o, how = case
    calls, chosen, predicted = contenders(case, only_ours)
    rows = []
    for _ in range(rounds):
        row = {}
        for label, call in calls.items():
            start = clock()
            call()
            row[label] = clock() - start
        rows.append(row)
    times = pd.DataFrame(rows)
    ours = times[list(METHODS)].median()
    row = {"network": kind, "n": n, "width": width, "outputs": o, "kernel": how}
    row |= {f"{label} ms": 1e3 * times[label].median() for label in calls}
    row |= {"chosen": chosen, "chosen / best": ours[chosen] / ours.min()}
    if not only_ours:
        best = times[list(PEERS.values())].min(axis=1)
        row["nt best / structured"] = (best / times["structured"]).median()
        ratio = best / times[chosen]
        row |= {"nt best / chosen": ratio.median(), "least": ratio.min(), "greatest": ratio.max()}
    row |= {f"{label} predicted ms": 1e3 * seconds for label, seconds in predicted.items()}
    return row


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contender")
    parser.add_argument("--cpu", action="store_true", help="CPU seconds instead of wall time")
    parser.add_argument("--only-ours", action="store_true", help="without neural-tangents")
    parser.add_argument("--output", type=Path, default=BENCHMARKS, help="folder")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error(f"--rounds must be at least 1; got {arguments.rounds}.")
    clock = time.process_time if arguments.cpu else time.perf_counter
    rows = []
    for case in CASES:
        rows.append(measure(case, arguments.rounds, clock, arguments.only_ours))
        print(
            {k: f"{v:.3g}" if isinstance(v, float) else v for k, v in rows[-1].items()}, flush=True
        )
    table = pd.DataFrame(rows)
    if arguments.only_ours:
        return
    command = f"python scripts/bench_empirical.py --rounds {arguments.rounds}" + (
        " --cpu" if arguments.cpu else ""
    )
    kind = f"{'CPU' if arguments.cpu else 'Wall'} time on {len(os.sched_getaffinity(0))} core(s)"
    record = {"command": command, "clock": kind, "rounds": arguments.rounds}
    print(keep(arguments.output / "empirical", "empirical", table, 4, **record))


if __name__ == "__main__":
    main()
