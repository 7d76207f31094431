"""What a Gram matrix costs, before any of it is computed."""

import contextlib
import os
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ntkreg.cpus import check_n_jobs, one_blas_thread
from ntkreg.errors import BackendError, PlanError, SpecError, StoreMismatchError
from ntkreg.gram.layout import MOST_TILES
from ntkreg.gram.manifest import check_folder, read_manifest
from ntkreg.gram.paths import VALUES
from ntkreg.gram.prepared import prepared_bytes, scratch_bytes
from ntkreg.gram.tiles import count_tiles, tile_size
from ntkreg.gram.work import GramWork, check_work
from ntkreg.kernels import KernelSpec
from ntkreg.kernels.engine import OuterEngine
from ntkreg.kernels.starting import seconds_to_begin
from ntkreg.machine import free_disk, free_memory, readable, stored_bytes

__all__ = [
    "GramPlan",
    "check_plan",
    "make_plan",
    "plan_of",
    "planned_for_elsewhere",
    "readable_time",
]

_SHARE = 0.9
"""Part of the free memory or disk that one Gram may take."""

_A_THREAD = 1 << 20
"""Bytes that a thread takes beside its arrays: its stack, and what the allocator leaves unused."""

_CALIBRATION = 0.05
"""Seconds from which one timed call says enough."""


_elsewhere: ContextVar[bool] = ContextVar("elsewhere", default=False)


@contextlib.contextmanager
def planned_for_elsewhere() -> Iterator[None]:
    """Refuse no plan meanwhile for what this machine has: another will compute it."""
    token = _elsewhere.set(True)
    try:
        yield
    finally:
        _elsewhere.reset(token)


@dataclass(frozen=True)
class GramPlan:
    """What a Gram matrix will cost.

    Attributes
    ----------
    network : str
    n, m : int
        Rows and columns.
    symmetric : bool
    fields : tuple of str
    n_variants : int
        Networks, each with values of its own.
    dtype : str
    engine : str
        Class of the engine.
    pairs : int
        Pairs of inputs to compute: half of them, and the diagonal, if symmetric.
    terms : int
        Values of the network's kernel in each: 2 or 4 with ``symmetry="flip"``, else 1.
    tile, tiles, n_jobs : int
        Side of a tile, number of tiles, threads.
    result_bytes : int
        All values together.
    peak_bytes : int
        Memory beyond the inputs: the result (unless it goes to a folder) and workspace.
    disk_bytes : int
        Of all tiles; 0 without a folder.
    input_bytes : int
        Of the inputs themselves.
    program : str
        What the engine runs for a block, as text.
    seconds : float or None
        Wall time on this machine, all threads; None if not calibrated.
    starting : float
        Part of `seconds`: until the first value, while code is loaded, or compiled where nothing
        keeps it; 0 where a process has computed such values before.
    missing : str
        Why it is not: what this machine lacks.
    """

    network: str
    n: int
    m: int
    symmetric: bool
    fields: tuple[str, ...]
    n_variants: int
    dtype: str
    engine: str
    pairs: int
    terms: int
    tile: int
    tiles: int
    n_jobs: int
    result_bytes: int
    peak_bytes: int
    disk_bytes: int
    program: str
    seconds: float | None = None
    missing: str = ""
    input_bytes: int = 0
    starting: float = 0.0

    def __str__(self) -> str:
        what = " and ".join(name.upper() for name in self.fields)
        variants = f", {self.n_variants} variants" if self.n_variants > 1 else ""
        half = ", symmetric" if self.symmetric else ""
        each = f", {self.terms} kernel values each," if self.terms > 1 else ""
        lines = [
            f"{what} of {self.network}",
            f"size    {self.n} x {self.m}{half}{variants}, {self.dtype}, {self.engine}",
            f"work    {self.pairs:,} pairs{each} in {self.tiles} tiles on {self.n_jobs} threads",
            f"memory  {readable(self.peak_bytes)} at most, values {readable(self.result_bytes)}",
        ]
        if self.disk_bytes:
            lines.append(f"disk    {readable(self.disk_bytes)}")
        if self.seconds is not None:
            lines.append(f"time    about {readable_time(self.seconds)}")
        elif self.missing:
            lines.append(f"time    not known here: {self.missing}")
        return "\n".join(lines)


def plan_of(
    spec: KernelSpec,
    X: Any,
    Z: Any = None,
    *,
    folder: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    tile: int | None = None,
) -> GramPlan:
    """Return the plan of a Gram matrix; what `ntkreg.plan_gram` says of its parameters holds."""
    work = check_work(spec, X, Z)
    path = None if folder is None else check_folder(folder, "plan_gram")
    plan = make_plan(work, folder=path, n_jobs=n_jobs, tile=tile)
    if not _elsewhere.get():
        check_plan(plan, path)
    at_once = min(plan.n_jobs, plan.tiles)
    try:
        starting = seconds_to_begin(work.engine, work.X, work.columns)
        seconds = starting + _seconds_per_pair(work) * plan.pairs / at_once
        return replace(plan, seconds=seconds, starting=starting)
    except BackendError as error:
        return replace(plan, missing=str(error))  # the program is known all the same


def make_plan(
    work: GramWork,
    *,
    folder: Path | None,
    n_jobs: int | None,
    tile: int | None,
    coarse: bool = False,
) -> GramPlan:
    """Return the plan of checked work, without its time: no kernel value is computed.

    Tiles are `coarse` in a folder, and where they travel.
    """
    n_fields, n_variants, n, m = work.shape
    side = tile_size(work, tile, coarse=coarse or folder is not None)
    stored = None if folder is None else read_manifest(folder)
    if stored is not None:
        side = stored["tile"]
    jobs, tiles = check_n_jobs(n_jobs), count_tiles(work, side)
    if folder is not None and tiles > MOST_TILES:
        if stored is not None:
            raise StoreMismatchError(
                f"compute_gram: folder {folder} holds another Gram, in tiles of side {side}. "
                "Give another folder."
            )
        raise SpecError(
            f"compute_gram: tile={side} would make {tiles:,} files in folder {folder}, of which "
            f"{MOST_TILES:,} are the most. Give a larger tile, or None."
        )
    cell = n_fields * n_variants * work.engine.value_dtype.itemsize
    result = n * m * cell
    # A worker holds a block from the engine and one of norms in float64; in a folder, its tile.
    # Averages take two blocks more: the sum, and what is added to it.
    block = min(work.engine.block, n) * min(work.engine.block, m)
    worker = (2 if work.engine.terms == 1 else 4) * block * n_fields * n_variants * 8
    worker += scratch_bytes(work.engine) + _A_THREAD
    if folder is not None:
        worker += min(side, n) * min(side, m) * cell
    # Engines around another hold inputs of their own: mirrored, or scaled.
    outer, engine = 0, work.engine
    while isinstance(engine, OuterEngine):
        outer, engine = outer + 1, engine.engine
    copies = outer * (work.X.nbytes + (0 if work.Z is None else work.Z.nbytes))
    kept = prepared_bytes(work.engine, n, None if work.symmetric else m)
    workspace = min(jobs, tiles) * worker + copies + kept
    return GramPlan(
        network=repr(work.spec.network),
        n=n,
        m=m,
        symmetric=work.symmetric,
        fields=work.engine.fields,
        n_variants=n_variants,
        dtype=work.spec.dtype,
        engine=work.engine.name,
        pairs=work.pairs,
        terms=work.engine.terms,
        tile=side,
        tiles=tiles,
        n_jobs=jobs,
        result_bytes=result,
        peak_bytes=workspace + (result if folder is None else 0),
        disk_bytes=0 if folder is None else tiles * side * side * cell,
        program=work.engine.explain(),
        input_bytes=work.X.nbytes + (0 if work.Z is None else work.Z.nbytes),
    )


def check_plan(plan: GramPlan, folder: Path | None) -> None:
    """Raise `PlanError` if the plan cannot fit, saying what would."""
    memory = free_memory()
    if memory is not None and plan.peak_bytes > _SHARE * memory:
        raise PlanError(_refusal(plan, plan.peak_bytes, int(_SHARE * memory), "memory"))
    if folder is not None:
        free = free_disk(folder)
        disk = None if free is None else int(_SHARE * free) + stored_bytes(folder / VALUES)
        if disk is not None and plan.disk_bytes > disk:
            raise PlanError(_refusal(plan, plan.disk_bytes, disk, f"disk at {folder}"))


def _refusal(plan: GramPlan, need: int, free: int, where: str) -> str:
    cell = plan.result_bytes // (plan.n * plan.m)
    largest = int((free / cell) ** 0.5) if plan.symmetric else free // (cell * plan.m)
    options = [f"n up to about {largest:,}"] if largest else []
    if where != "memory" and plan.tile > max(plan.n, plan.m):  # each file is a whole tile
        options = [f"a new folder with tiles of a side below {plan.tile:,}, such as tile=None"]
    if plan.dtype != "float32" and need / 2 <= free:
        options.append("dtype=float32")
    if len(plan.fields) > 1 and need / len(plan.fields) <= free:
        options.append(f"one of {' and '.join(plan.fields)} at a time")
    if plan.n_variants > 1 and (at_once := free * plan.n_variants // need):
        options.append(f"{at_once} of the {plan.n_variants} variants at a time")
    if where == "memory" and plan.result_bytes <= _SHARE * (free_disk(Path()) or 0):
        options.append(f"folder=... ({readable(plan.result_bytes)} on disk at most)")
    if where != "memory":
        options.append("a folder with more room")
    fits = f"What would fit: {'; '.join(options)}." if options else "Use a larger machine."
    return (
        f"compute_gram: {plan.n} x {plan.m} values ({', '.join(plan.fields)}, {plan.n_variants} "
        f"variant(s), {plan.dtype}) need {readable(need)} of {where}; {readable(free)} can be "
        f"used. {fits}"
    )


def _seconds_per_pair(work: GramWork) -> float:
    """Time ever larger blocks until one takes a while."""
    engine, rows, columns = work.engine, work.X, work.columns
    with one_blas_thread():
        side = min(engine.rows_at_once, len(rows))
        while True:
            start = time.perf_counter()
            values = engine.cross(rows[:side], columns[: max(side, engine.columns_at_once)])
            elapsed = time.perf_counter() - start
            if elapsed > _CALIBRATION or side >= min(engine.block, max(work.shape[2:])):
                return elapsed / (values.shape[2] * values.shape[3])
            side = min(2 * side, engine.block)


def readable_time(seconds: float) -> str:
    """Return a time in its unit."""
    if seconds < 120:
        return f"{seconds:.2g} s" if seconds < 99.5 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
