"""Measure the speed and memory that ntkreg promises, against its peers, on this machine.

Every ratio comes from one run: the contenders take turns, round after round, compilation
excluded, and the table gives medians with the spread of the rounds. Peers: jitted
neural-tangents at the best of a few batch sizes, scikit-learn's rbf_kernel, the image engine's
programs through JAX, and its loop in C++ (bench_image_loop.cpp, built with g++ if there is one).

    python scripts/bench_kernels.py                 # everything; about half an hour on 2 cores
    python scripts/bench_kernels.py --only image --rounds 3
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from bench_page import BENCHMARKS, keep
from bench_process import bench_process

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

HERE = Path(__file__).resolve().parent
BOTH = ("nngp", "ntk")
BATCHES = {
    "GAP and JAX": (1, 2, 4),
    "flatten": (8, 16, 32, 64),
    "Myrtle and residual": (1, 2, 4),
    "dense": (500, 1000, 2000, 4000),
}
"""Batch sizes that neural-tangents is tried with; it runs at the best of them."""

NOTES = (
    "What else differs: neural-tangents runs jitted on one block at the best of a few batch sizes ("
    + "; ".join(f"{of}: {', '.join(map(str, sizes))}" for of, sizes in BATCHES.items())
    + "); where that is the largest or the smallest, others may be better. Of a dense Gram it "
    "computes every block, ntkreg one triangle. scikit-learn's rbf_kernel computes one triangle "
    "too, but multiplies float32 inputs in float64."
)

FIRST_LAYER = [{"train_first": True}, {"train_first": False}]
STRIDED = (Conv(stride=2), Relu(), *(Conv(), Relu()) * 8, GlobalAvgPool(), Dense(1.0))
Contender = tuple[str, Callable[[], object], float]  # name, one call, units of work in a call


def take_turns(contenders: list[Contender], rounds: int) -> pd.DataFrame:
    """Seconds per unit of work, one row a round, one column a contender."""
    rows = []
    for _ in range(rounds):
        row = {}
        for name, call, units in contenders:
            start = time.perf_counter()
            call()
            row[name] = (time.perf_counter() - start) / units
        rows.append(row)
    return pd.DataFrame(rows)


def ratio_row(
    case: str, times: pd.DataFrame, over: str, under: str, claim: str
) -> dict[str, object]:
    """One line of the table: median times, and the ratio over/under round by round."""
    ratios = times[over] / times[under]
    return {
        "case": case,
        "ratio": f"{over} / {under}",
        "median": ratios.median(),
        "least": ratios.min(),
        "greatest": ratios.max(),
        "claim": claim,
        "numerator_ms": 1e3 * times[over].median(),
        "denominator_ms": 1e3 * times[under].median(),
        "rounds": len(times),
    }


def images(n: int, dtype: str = "float32", seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 32, 32, 3)).astype(dtype)


def neural_tangents(
    network: object, make: Callable[[int], np.ndarray], batches: tuple[int, ...]
) -> Contender:
    """The jitted twin at the batch size with the least time a pair (both printed)."""
    import jax

    from ntkreg.kernels import to_stax

    _, _, kernel_fn = to_stax(network)
    jitted = jax.jit(lambda x, z: kernel_fn(x, z, BOTH))
    best = None
    for batch in batches:
        x = jax.numpy.asarray(make(batch))
        call = lambda x=x: jax.block_until_ready(jitted(x, x).ntk)  # noqa: E731
        call()  # compiles
        seconds = min(timeit.repeat(call, number=1, repeat=3)) / batch**2
        print(
            f"  neural-tangents, batch {batch} x {batch}: {1e3 * seconds:.4g} ms a pair", flush=True
        )
        if best is None or seconds < best[0]:
            best = (seconds, batch, call)
    _, batch, call = best
    return f"neural-tangents (batch {batch})", call, batch**2


def ours(
    name: str, network: object, n: int, inputs: str = "float32", **options: object
) -> Contender:
    X, Z = images(n, inputs), images(n, inputs, seed=1)
    call = lambda: kernel(network, X, Z, get=BOTH, progress=False, **options)  # noqa: E731
    call()
    return name, call, n * n


def cpp(n: int, depth: int) -> Contender | None:
    """The same loop in C++, fed with the engine's own tables."""
    import ctypes
    import shutil

    from ntkreg.kernels import make_engine
    from ntkreg.kernels.compiled.arc_cosine import relu_dual

    if shutil.which("g++") is None:
        print("  no g++ here: the C++ yardstick is left out")
        return None
    library = Path(tempfile.mkdtemp()) / "loop.so"
    flags = ["-O3", "-march=native", "-ffast-math", "-fno-finite-math-only", "-shared", "-fPIC"]
    subprocess.run(["g++", *flags, HERE / "bench_image_loop.cpp", "-o", library], check=True)
    function = ctypes.CDLL(str(library)).cross
    network = cntk(depth)
    X, Z = images(n), images(n, seed=1)
    engine = make_engine(network, X.shape[1:], dtype=X.dtype)
    x, z = engine.prepare(X).as_x[0], engine.prepare(Z).as_z[0]
    dual = relu_dual("float32", 0.5)
    constants = np.array([*dual.a, *dual.c, dual.half, dual.tiny], np.float32)
    groups = len(z.pixels)
    out = np.zeros((2, n, groups * 16))
    threads = len(os.sched_getaffinity(0))
    h, w, channels = X.shape[1:]
    pointer = lambda array: array.ctypes.data_as(ctypes.c_void_p)  # noqa: E731

    def inside(pixels: np.ndarray) -> np.ndarray:  # the engine's have zeros around them
        framed = pixels.reshape(len(pixels), h + 2, w + 2, channels, -1)
        return np.ascontiguousarray(np.moveaxis(framed[:, 1:-1, 1:-1], 3, 1))

    arrays = [t for b in (x, z) for t in (inside(b.pixels), b.a, b.b)]
    tables = [pointer(t) for t in arrays]
    integers = [ctypes.c_int(v) for v in (n, groups, h, w, depth, channels)]

    def call() -> np.ndarray:
        out[:] = 0
        factor = ctypes.c_float(2 / 9)
        function(
            *tables, *integers, factor, pointer(constants), ctypes.c_int(threads), pointer(out)
        )
        return out

    call()
    mean = out[..., :n] / (h * w) ** 2
    nngp, ntk = kernel(network, X, Z, get=BOTH, progress=False)
    error = max(np.abs(mean[0] - nngp).max(), np.abs(mean[0] + mean[1] - ntk).max()) / nngp.max()
    print(f"  C++ loop agrees with the engine to {error:.1e}")
    assert error < 1e-5
    return "C++ loop", call, n * n


def bench_image(rounds: int) -> list[dict[str, object]]:
    rows = []
    gap, flatten, lap = cntk(10), cntk(10, "flatten"), cntk(10, "lap", half_width=4)
    peers = [neural_tangents(gap, images, BATCHES["GAP and JAX"]), cpp(32, 10)]
    contenders = [
        ours("ntkreg", gap, 32),
        ours("ntkreg, four depths", gap, 32, depths=(4, 6, 8, 10)),
        ours("ntkreg, LAP 4", lap, 64),
        ours("ntkreg, float64", gap, 16, "float64"),
        ours("ntkreg, mixed", gap, 32, dtype="mixed"),
        ours("ntkreg, first layer trained and not", gap, 32, variants=FIRST_LAYER),
        *[p for p in peers if p is not None],
    ]
    times = take_turns(contenders, rounds)
    case = "10 conv + GAP, 32 x 32 x 3, float32, NNGP + NTK, a pair"
    rows.append(ratio_row(case, times, peers[0][0], "ntkreg", ">= 200"))
    if peers[1] is not None:
        rows.append(ratio_row(case, times, "ntkreg", "C++ loop", "<= 1.15"))
    rows.append(ratio_row(case, times, "ntkreg, four depths", "ntkreg", "<= 1.15"))
    rows.append(ratio_row(case, times, "ntkreg, LAP 4", "ntkreg", "<= 0.30"))
    rows.append(ratio_row(case, times, "ntkreg, float64", "ntkreg", "<= 4.5"))
    rows.append(ratio_row(case, times, "ntkreg, mixed", "ntkreg", "<= 1.1"))
    rows.append(ratio_row(case, times, "ntkreg, first layer trained and not", "ntkreg", "<= 1.4"))
    peer = neural_tangents(flatten, images, BATCHES["flatten"])
    times = take_turns([ours("ntkreg", flatten, 512), peer], 3 * rounds)
    case = "10 conv + flatten, 32 x 32 x 3, float32, NNGP + NTK, a pair"
    rows.append(ratio_row(case, times, peer[0], "ntkreg", ">= 30"))
    return rows


def gap_alone(rounds: int) -> list[dict[str, object]]:
    """Global average pooling against neural-tangents, with the vectors that this process has."""
    network = cntk(10)
    peer = neural_tangents(network, images, BATCHES["GAP and JAX"])
    times = take_turns([ours("ntkreg", network, 32), peer], rounds)
    case = "10 conv + GAP, 32 x 32 x 3, float32, NNGP + NTK, a pair, AVX2 alone"
    return [ratio_row(case, times, peer[0], "ntkreg", "")]


def bench_avx2(rounds: int) -> list[dict[str, object]]:
    """As on a CPU without AVX-512: numba and XLA are both told so, in a process of its own."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    narrow = ",".join(
        f"{'+' if has and not name.startswith(('avx512', 'evex512', 'avx10')) else '-'}{name}"
        for name, has in features.items()
    )
    code = f"import json, bench_kernels as b; print(json.dumps(b.gap_alone({rounds})))"
    with tempfile.TemporaryDirectory() as cache:
        settings = {
            "NUMBA_CPU_NAME": "haswell",
            "NUMBA_CPU_FEATURES": narrow,
            "NUMBA_CACHE_DIR": cache,
            "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
        }
        command = [sys.executable, "-c", code]
        run = subprocess.run(
            command, check=True, stdout=-1, text=True, cwd=HERE, env=os.environ | settings
        )
    *spoken, rows = run.stdout.splitlines()
    print(*spoken, sep="\n", flush=True)
    return json.loads(rows)


def tile_counts(network: Architecture) -> tuple[int, int]:
    """Entries of a pair's tiles in the first layers of all stages, and in the layers after."""
    from ntkreg.kernels import make_engine
    from ntkreg.kernels.image.program import Op

    engine = make_engine(network, (32, 32, 3), dtype="float32")
    first = 0
    for stage, geometry in zip(engine.program.stages, engine.runnable.geometries, strict=True):
        layers = [o for o in stage.operations if o.op == Op.LAYER]
        first += geometry.entries_at(layers[0].level) if layers else 0
    return first, engine.runnable.layer_entries - first


def bench_networks(rounds: int) -> list[dict[str, object]]:
    """Pooled, residual and strided networks; and their time against that of as many tiles.

    What tiles cost is measured on plain networks: one convolution (each tile once, with its
    pixels, first layer and read-out), and nine more of them.
    """
    one, ten, rows = cntk(1), cntk(10), []
    for name, network, claim, share in (
        ("Myrtle-5", myrtle(5), ">= 400", ""),
        ("Myrtle-10", myrtle(10), ">= 400", ""),
        ("10-layer residual GAP network", resnet(4, groups=1), ">= 150", ""),
        ("Myrtle-5", myrtle(5), "", "0.75..1.25"),
        ("Myrtle-10", myrtle(10), "", "0.75..1.25"),
        ("wide residual network with strides", resnet(4), "", "0.75..1.25"),
        ("9 conv, stride 2 in the first", Architecture(STRIDED), "", "0.75..1.25"),
    ):
        case = f"{name}, 32 x 32 x 3, float32, NNGP + NTK, a pair"
        if claim:
            peer = neural_tangents(network, images, BATCHES["Myrtle and residual"])
            times = take_turns([ours("ntkreg", network, 64), peer], rounds)
            rows.append(ratio_row(case, times, peer[0], "ntkreg", claim))
        else:
            plain = ours("1 conv + GAP", one, 64), ours("10 conv + GAP", ten, 32)
            times = take_turns([ours("ntkreg", network, 64), *plain], 3 * rounds)
            (first, later), each = tile_counts(network), tile_counts(one)[0]
            once, all_ten = times["1 conv + GAP"], times["10 conv + GAP"]
            further = (all_ten - once) / 9
            times["time by tiles"] = (once * first + further * later) / each
            rows.append(ratio_row(case, times, "ntkreg", "time by tiles", share))
    return rows


def bench_jax(rounds: int) -> list[dict[str, object]]:
    """The same tile programs in jax.numpy, on JAX's default device."""
    import jax

    network = cntk(10)
    peer = neural_tangents(network, images, BATCHES["GAP and JAX"])
    name = f"JAX engine ({jax.default_backend()})"
    contenders = [ours(name, network, 32, backend="jax"), ours("ntkreg", network, 32), peer]
    times = take_turns(contenders, rounds)
    case = "10 conv + GAP, 32 x 32 x 3, float32, NNGP + NTK, a pair"
    return [
        ratio_row(case, times, peer[0], name, "> 1"),
        ratio_row(case, times, name, "ntkreg", ""),
    ]


def bench_dense(rounds: int) -> list[dict[str, object]]:
    import jax
    from sklearn.metrics.pairwise import rbf_kernel

    from ntkreg.kernels import to_stax

    n, network = 4000, fully_connected(5)
    X = np.random.default_rng(0).normal(size=(n, 3072)).astype(np.float32)
    _, _, kernel_fn = to_stax(network)
    best = None
    x = jax.numpy.asarray(X)
    for batch in BATCHES["dense"]:
        jitted = jax.jit(lambda a, b: kernel_fn(a, b, BOTH))

        def whole(batch: int = batch, jitted: Callable = jitted) -> None:
            for i in range(0, n, batch):
                for j in range(0, n, batch):
                    jax.block_until_ready(jitted(x[i : i + batch], x[j : j + batch]).ntk)

        whole()  # compiles
        seconds = min(timeit.repeat(whole, number=1, repeat=3))
        print(f"  neural-tangents, batch {batch}: {seconds:.3g} s the whole Gram", flush=True)
        if best is None or seconds < best[0]:
            best = (seconds, batch, whole)
    peer = f"neural-tangents (batch {best[1]})"
    kernel(network, X[:300], get=BOTH)
    contenders = [
        ("ntkreg", lambda: kernel(network, X, get=BOTH, progress=False), 1.0),
        (peer, best[2], 1.0),
        ("ntkreg, NTK alone", lambda: kernel(network, X, progress=False), 1.0),
        ("scikit-learn rbf_kernel", lambda: rbf_kernel(X), 1.0),
    ]
    times = take_turns(contenders, 2 * rounds)
    case = "dense depth 5, n = 4000, d = 3072, float32, NNGP + NTK, whole Gram"
    return [
        ratio_row(case, times, peer, "ntkreg", ">= 2.5"),
        ratio_row(case, times, "ntkreg, NTK alone", "scikit-learn rbf_kernel", "<= 0.6"),
        ratio_row(case, times, "ntkreg", "scikit-learn rbf_kernel", ""),
    ]


SECTIONS = {
    "image": bench_image,
    "networks": bench_networks,
    "avx2": bench_avx2,
    "jax": bench_jax,
    "dense": bench_dense,
    "process": bench_process,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", choices=SECTIONS, nargs="+", default=list(SECTIONS))
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contender")
    parser.add_argument("--output", type=Path, default=BENCHMARKS, help="folder")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error(f"--rounds must be at least 1; got {arguments.rounds}.")
    rows: list[dict[str, object]] = []
    for section in arguments.only:
        print(f"{section}:", flush=True)
        rows += SECTIONS[section](arguments.rounds)
    table = pd.DataFrame(rows)
    name = (
        "kernels" if len(arguments.only) == len(SECTIONS) else "kernels_" + "_".join(arguments.only)
    )
    command = f"python scripts/bench_kernels.py --rounds {arguments.rounds}"
    if len(arguments.only) < len(SECTIONS):
        command += f" --only {' '.join(arguments.only)}"
    print(keep(arguments.output / name, "kernels", table, 5, command=command, notes=NOTES))


if __name__ == "__main__":
    main()
