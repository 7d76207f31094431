"""The landscape study: every cell and question, kept as it ends, and the tables made of them."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from ntkreg import __version__
from ntkreg.storage import write_table
from ntkreg.studies.landscape.cells import cell_specs, measure_cell
from ntkreg.studies.landscape.config import LandscapeConfig
from ntkreg.studies.landscape.extras import EXTRAS
from ntkreg.studies.landscape.planes import look
from ntkreg.studies.landscape.task import Task, load_task
from ntkreg.studies.landscape.verdicts import make_verdicts
from ntkreg.studies.shared.config import config_to_dict
from ntkreg.studies.shared.pieces import Pieces
from ntkreg.studies.shared.record import write_record

__all__ = ["pieces_of", "run_landscape"]

_GRIDS = ("depths", "widths")
"""Keys that say which pieces there are, not what they are."""

Piece = tuple[str, dict[str, Any], Callable[[], dict[str, Any]]]
"""Kind, spec, and what does it."""


def run_landscape(
    config: LandscapeConfig,
    output: str | Path,
    *,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Run the study and write everything it found into a folder.

    Every cell and question is a line of ``finished.jsonl`` as it ends: run again, a killed study
    goes on with those that are not there, and more depths or widths cost only themselves.

    Parameters
    ----------
    config : LandscapeConfig
    output : path of a folder
        Made if absent.
    progress : bool or None
        Progress bar over pieces; None for one on terminals.

    Returns
    -------
    DataFrame
        The rows of ``rows.csv``: part, subject, depth, width, level, seed, quantity, value. Beside
        it ``verdicts.csv``, ``planes.csv``, ``config.yaml`` and ``record.json``.

    Raises
    ------
    SpecError, DataError
        Data that do not fit the configuration.
    DivergenceError
        Training that diverges: lower `rate`.
    BackendError
        If matfree is missing.
    """
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    task = load_task(config)
    common = {k: v for k, v in config_to_dict(config).items() if k not in (*_GRIDS, "surface")}
    finished = Pieces("landscape", output, {"version": __version__, "data": task.sha256, **common})
    pieces = list(pieces_of(task))
    left = [p for p in pieces if finished.get(p[0], p[1]) is None]
    hide = None if progress is None else not progress
    done = len(pieces) - len(left)
    with tqdm(total=len(pieces), initial=done, desc="landscape", disable=hide) as bar:
        for kind, spec, work in left:
            finished.add(kind, spec, work())
            bar.update()
    found = [(kind, finished.get(kind, spec) or {}) for kind, spec, _ in pieces]
    rows = pd.DataFrame(_rows(found))
    limits = task.kernel_eigenvalues
    tables = {
        "rows": rows,
        "verdicts": make_verdicts(config, rows, limits),
        "planes": pd.DataFrame(_plane_rows(found)),
    }
    for name, table in tables.items():
        write_table(output / f"{name}.csv", table)
    write_record(
        output,
        config,
        data={"source": task.source, "sha256": task.sha256},
        kernel_eigenvalues={str(depth): value for depth, value in limits.items()},
        barriers={str(p["width"]): [p["straight"], p["barrier"]] for k, p in found if k == "plane"},
    )
    return rows


def pieces_of(task: Task) -> Iterator[Piece]:
    """Yield everything that is to be done."""
    for name, ask in EXTRAS.items():
        yield "extra", {"name": name}, partial(_ask, task, name, ask)
    for width in (min(task.config.widths), max(task.config.widths)):
        yield "plane", {"width": width}, partial(look, task, width)
    for spec in cell_specs(task):
        yield "cell", asdict(spec), partial(measure_cell, task, spec)


def _ask(task: Task, name: str, ask: Callable[[Task], Any]) -> dict[str, Any]:
    return {"name": name, "values": ask(task)}


def _rows(found: list[tuple[str, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    for kind, piece in found:
        for line in piece.get("values", ()):
            key, seed, quantity, value = line
            yield {
                "part": "grid" if kind == "cell" else piece["name"],
                "subject": "" if kind == "cell" else key,
                "depth": piece.get("depth", 0),
                "width": piece.get("width", 0),
                "level": key if kind == "cell" else 0.0,
                "seed": seed,
                "quantity": quantity,
                "value": value,
            }


def _plane_rows(found: list[tuple[str, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Yield points of the planes, then of the curves on them, whose loss is not given."""
    for kind, piece in found:
        if kind != "plane":
            continue
        for x, line in zip(piece["at"], piece["losses"], strict=True):
            for y, loss in zip(piece["at_other"], line, strict=True):
                yield {"width": piece["width"], "of": "plane", "x": x, "y": y, "loss": loss}
        for x, y in piece["curve"]:
            yield {"width": piece["width"], "of": "curve", "x": x, "y": y, "loss": float("nan")}
