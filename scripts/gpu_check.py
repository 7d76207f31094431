"""Everything of the CUDA engine that needs a card, most important first, within minutes.

python scripts/gpu_check.py --seconds 420             # all sections; benchmarks/cuda.md and .json
python scripts/gpu_check.py --only agreement rates    # some
python scripts/gpu_check.py --data cifar10_raw.npz    # with CNTK-GAP-2K, in results/cuda_gap_2k
python scripts/gpu_check.py --emulated --output OUT   # no card: a CPU runs the code, small sizes

Each section is a process of its own, ended at its deadline; what it has found by then is kept, and
so are sections in the table that are not run again. JSON and CSV are written after each, the
Markdown table at the end or, where matplotlib is missing, later by bench_page.py. Needs CuPy, and
what ntkreg needs but zarr, jsonargparse and matplotlib; JAX and neural-tangents (a folder:
--neural-tangents) if they are there.
"""

import argparse
import datetime
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gpu_networks import CLAIMS, RATES, images, kinds  # noqa: E402
from gpu_record import command_of, machine, make_page, read, write, write_rows  # noqa: E402

from ntkreg import cntk, compute_gram, kernel  # noqa: E402
from ntkreg.architecture import Architecture  # noqa: E402
from ntkreg.kernels import make_engine  # noqa: E402

Emit = Callable[..., None]
SHARES = {"agreement": 0.2, "rates": 0.3, "resume": 0.1, "accuracy": 0.2, "peers": 0.2}
"""Sections in their order, and the part of all time that each may take of its own."""


def agreement(emit: Emit, options: argparse.Namespace) -> None:
    """Deviation from the compiled loops in float64, in units of sqrt(K_ii K_jj); bits again."""
    for name, (network, side) in kinds().items():
        if options.emulated and (side == 32 or len(network.layers) > 12):
            continue
        X = images(6, side)
        engine = make_engine(network, X.shape[1:], dtype="mixed", backend="cuda")
        got, again = engine.cross(X[:3], X[3:]), engine.cross(X[:3], X[3:])
        exact = make_engine(network, X.shape[1:], dtype="float64")
        wide = X.astype(float)
        d = exact.diagonal(wide)
        norm = np.sqrt(d[..., :3, None] * d[..., None, 3:])
        off = np.abs(got - exact.cross(wide[:3], wide[3:])) / norm
        nngp, ntk = off.max(axis=(1, 2, 3))
        same = bool(np.array_equal(got, again))
        emit(case=name, nngp=float(nngp), ntk=float(ntk), same_bits=same)


def rates(emit: Emit, options: argparse.Namespace) -> None:
    """Pairs a second: of the card with its copies, and of a whole Gram; part of the bound."""
    from ntkreg.kernels.image_cuda.cards import cards
    from ntkreg.kernels.image_cuda.tables import as_x, as_z

    card = cards()[0]
    for name, (network, side, n) in RATES.items():
        if options.emulated:
            if side > 8:
                continue
            n = 8
        X = images(n, side)
        engine = make_engine(network, X.shape[1:], dtype="float32", backend="cuda")
        prepared = engine.prepare(X)
        program = engine.pairs.card_program(3, card)
        stages = engine.runnable.stages
        m = min(n, engine.block)
        x = prepared[:m]
        xs, zs = as_x(program, stages, x.as_x), as_z(program, stages, x.as_x)
        pairs = np.argwhere(np.ones((m, m), bool)).astype(np.int32)
        start = time.perf_counter()
        card.run(program, xs, zs, pairs[: device()["multiProcessorCount"]])
        compiled = time.perf_counter() - start
        took = []
        for _ in range(3):
            start = time.perf_counter()
            card.run(program, xs, zs, pairs)
            took.append(time.perf_counter() - start)
        start = time.perf_counter()
        kernel(network, X, get=("nngp", "ntk"), backend="cuda", progress=False)
        whole = n * (n + 1) / 2 / (time.perf_counter() - start)
        alone = len(pairs) / float(np.median(took))
        emit(
            case=name,
            pairs_a_second=alone,
            least=len(pairs) / max(took),
            greatest=len(pairs) / min(took),
            gram=whole,
            of_bound=alone / bound(program, engine.runnable.layer_entries),
            claim=CLAIMS.get(name, ""),
            first_call=compiled,
        )


def bound(program: Any, entries: int) -> float:
    """Pairs a second if every scheduler issued an instruction a cycle: 38 a row and layer."""
    properties = device()
    schedulers, clock = 4 * properties["multiProcessorCount"], 1e3 * properties["clockRate"]
    return schedulers * clock / (38 * entries / 32)


def device() -> dict[str, Any]:
    import cupy

    return {"clockRate": 1.98e6, **cupy.cuda.runtime.getDeviceProperties(0)}


def resume(emit: Emit, options: argparse.Namespace) -> None:
    """A Gram in a folder, its process killed, and gone on with: to the bits of one never killed."""
    import tempfile

    n, side = (24, 5) if options.emulated else (2048, 32)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--gram", folder, str(n), str(side)]
        command += ["--emulated"] * options.emulated
        child = subprocess.Popen(command)
        tiles = Path(folder, "gram", "tiles.txt")
        while child.poll() is None and not (tiles.exists() and tiles.read_text().count("\n") >= 2):
            time.sleep(0.01)
        child.kill()
        child.wait()
        before = tiles.read_text().count("\n")
        gram_in(Path(folder, "gram"), n, side)
        values = np.asarray(compute_gram(*gram_of(n, side), folder=Path(folder, "gram"),
                                         backend="cuda").values["ntk"])  # fmt: skip
    again = kernel(*gram_of(n, side), backend="cuda", progress=False)
    emit(
        case=f"{n} images, killed after {before} tiles",
        same_bits=bool(np.array_equal(values, again)),
        killed=child.returncode == -signal.SIGKILL,
    )


def gram_of(n: int, side: int) -> tuple[Architecture, np.ndarray]:
    return cntk(2), images(n, side)


def gram_in(folder: Path, n: int, side: int) -> None:
    network, X = gram_of(n, side)
    compute_gram(network, X, folder=folder, backend="cuda", tile=max(n // 8, 1), n_jobs=2)


def accuracy(emit: Emit, options: argparse.Namespace) -> None:
    """CNTK-GAP-2K by the study, all depths in one pass; published 49.71 51.06 51.73 51.92 52.22."""
    if options.data is None:
        emit(case="left out: no --data", accuracy="")
        return
    try:
        from ntkreg.studies.few_samples.study import FewSamplesConfig, run_few_samples
    except ImportError as error:
        emit(case=f"left out: {error}", accuracy="")
        return
    settings = yaml.safe_load((ROOT / "configs" / "cifar10_gap_2k.yaml").read_text())
    settings |= {"data": str(options.data), "backend": "cuda"}
    # The configuration counts hidden layers, the published table the read-out, too.
    depths = (2, 3) if options.emulated else (2, 3, 5, 10, 20)
    settings["architecture"]["depth"], settings["depths"] = max(depths), depths
    if options.emulated:
        settings |= {"pool": 12, "n_samples": [12], "n_test": 4}
    config, folder = FewSamplesConfig(**settings), options.studies / "cuda_gap_2k"
    goes_on = folder.exists()
    start = time.perf_counter()
    rows = run_few_samples(config, folder)
    took = "" if goes_on else time.perf_counter() - start
    for row in rows[rows["get"] == "ntk"].itertuples():
        p = row.accuracy / 100
        binomial = 100 * float(np.sqrt(p * (1 - p) / config.n_test))
        emit(case=f"depth {row.depth + 1}", accuracy=row.accuracy, binomial=binomial, seconds=took)


def peers(emit: Emit, options: argparse.Namespace) -> None:
    """Pairs a second of neural-tangents and of backend="jax", in turns with ours on one card.

    Last, as their compilation takes longest.
    """
    names = ["5 conv, GAP, 8 x 8"] if options.emulated else ["10 conv, GAP", "myrtle(5)"]
    if options.neural_tangents:
        sys.path.insert(0, str(options.neural_tangents))
    for name in names:
        network, side, _ = RATES[name]
        n = 8 if options.emulated else 128
        X = images(n, side)
        ours = cross(network, X, "cuda")
        ours()
        contenders: dict[str, tuple[int, Callable[[], Callable[[], Any]]]] = {
            "neural-tangents, jitted, 8 x 8": (64, lambda X=X, w=network: jitted(w, X[:8])),
            'backend="jax"': (n * n, lambda X=X, w=network: cross(w, X, "jax")),
        }
        for who, (pairs, make) in contenders.items():
            try:
                peer = make()
                first = _timed(peer)
            except ImportError as error:
                emit(case=name, peer=who, pairs_a_second="", note=str(error)[:80])
                continue
            rounds = [(n * n / _timed(ours), pairs / _timed(peer)) for _ in range(ROUNDS)]
            mine, its = np.median(rounds, axis=0)
            ratios = sorted(a / b for a, b in rounds)
            emit(case=name, peer=who, pairs_a_second=float(its), ours=float(mine),
                 ratio=ratios[ROUNDS // 2], least=ratios[0], greatest=ratios[-1],
                 first_call=first)  # fmt: skip


ROUNDS = 3


def cross(network: Architecture, X: np.ndarray, backend: str) -> Callable[[], Any]:
    engine = make_engine(network, X.shape[1:], dtype="float32", backend=backend)
    x = engine.prepare(X)
    return lambda: engine.cross(x, x)


def jitted(network: Architecture, X: np.ndarray) -> Callable[[], Any]:
    import jax

    from ntkreg.kernels import to_stax

    kernel_fn = to_stax(network)[2]
    run = jax.jit(lambda a, b: tuple(kernel_fn(a, b, ("nngp", "ntk"))))
    return lambda: jax.block_until_ready(run(X, X))


def _timed(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


SECTIONS: dict[str, Callable[[Emit, argparse.Namespace], None]] = {
    "agreement": agreement,
    "rates": rates,
    "resume": resume,
    "accuracy": accuracy,
    "peers": peers,
}


def run_section(name: str, options: argparse.Namespace) -> None:
    """Run a section in this process, its rows written after each."""
    rows: list[dict[str, Any]] = []
    path = options.output / f"{name}.part.json"

    def emit(**row: Any) -> None:
        rows.append(row)
        write(path, rows)
        print(name, row, flush=True)

    SECTIONS[name](emit, options)


def supervise(options: argparse.Namespace, arguments: list[str]) -> dict[str, Any]:
    """Run all sections as processes, each to its deadline and all to theirs."""
    end = time.monotonic() + options.seconds
    stem = options.output / "cuda"
    report, all_rows = read(stem)
    for name in options.only:
        left = end - time.monotonic()
        # What earlier sections leave, later ones may use: theirs are kept free alone.
        later = sum(SHARES[s] for s in options.only[options.only.index(name) + 1 :])
        allowed = left - options.seconds * later * 0.5
        part = options.output / f"{name}.part.json"
        part.unlink(missing_ok=True)
        start, status = time.monotonic(), "no time left"
        if allowed > 1:
            section = [sys.executable, __file__, "--section", name, *arguments]
            child = subprocess.Popen(section, start_new_session=True)
            try:
                status = f"ended with {child.wait(allowed)}"
            except subprocess.TimeoutExpired:
                status = "deadline"
            finally:
                if child.poll() is None:  # and what it has started
                    os.killpg(child.pid, signal.SIGKILL)
                    child.wait()
        rows = json.loads(part.read_text()) if part.exists() else []
        part.unlink(missing_ok=True)
        report["sections"][name] = {
            "about": " ".join((SECTIONS[name].__doc__ or "").split()),
            "status": status,
            "seconds": round(time.monotonic() - start, 1),
            "command": command_of(options, list(SECTIONS)),
            "machine": machine(options.emulated),
            "date": datetime.date.today().isoformat(),
        }
        all_rows = [row for row in all_rows if row["section"] != name]
        all_rows += [{"section": name, **row} for row in rows]
        write(stem.with_suffix(".json"), report)
        write_rows(stem.with_suffix(".csv"), all_rows)
    make_page(stem)
    return report


def emulate() -> None:
    """Put the emulated module in CuPy's place."""
    import tempfile

    sys.path.insert(0, str(ROOT / "tests"))
    from emulated_cupy import EmulatedCupy

    folder = Path(tempfile.gettempdir()) / f"ntkreg-emulated-{os.getuid()}"
    folder.mkdir(exist_ok=True, mode=0o700)
    sys.modules["cupy"] = EmulatedCupy(folder)  # type: ignore[assignment]

    from ntkreg.kernels.image_cuda.pairs import CudaPairs

    CudaPairs.block = 4  # several tiles of the few images that there are


def main(arguments: list[str] | None = None) -> None:
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=420)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--neural-tangents", type=Path)
    parser.add_argument("--emulated", action="store_true")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks")
    parser.add_argument("--studies", type=Path, default=ROOT / "results")
    parser.add_argument("--section", choices=SECTIONS, help=argparse.SUPPRESS)
    parser.add_argument("--gram", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if not 0 < options.seconds < np.inf:
        parser.error(f"--seconds must be a number above 0; got {options.seconds}")
    if options.data and not options.data.is_file():
        parser.error(f"--data must be a file; got {options.data}")
    if options.neural_tangents and not options.neural_tangents.is_dir():
        parser.error(f"--neural-tangents must be a folder; got {options.neural_tangents}")
    for name in ("output", "studies"):
        if (place := getattr(options, name)).exists() and not place.is_dir():
            parser.error(f"--{name} must be a folder; got {place}")
    options.output.mkdir(parents=True, exist_ok=True)
    if options.section or options.gram:
        if options.emulated:
            emulate()
        if options.gram:
            folder, n, side = options.gram
            gram_in(Path(folder, "gram"), int(n), int(side))
        else:
            run_section(options.section, options)
        return
    supervise(options, arguments)


if __name__ == "__main__":
    main()
