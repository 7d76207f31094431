"""Pages of the speed benchmarks, made of their rows and records.

python scripts/bench_page.py       # make those in benchmarks/ again
"""

import json
import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import choice_pages
import cluster_plan_pages
import estimator_pages
import kernel_pages
import pandas as pd
import scale_pages
import uncertainty_pages

from ntkreg.report.shared.document import Document
from ntkreg.report.shared.markdown import markdown_page
from ntkreg.report.shared.page import draw_pictures, write_bytes
from ntkreg.storage import write_json, write_table, write_text

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"

PAGES: dict[str, Callable[[pd.DataFrame, dict[str, Any]], Document]] = {
    "kernels": kernel_pages.kernels,
    "empirical": kernel_pages.empirical,
    "sizes": kernel_pages.sizes,
    "features": kernel_pages.features,
    "model_selection": choice_pages.model_selection,
    "ridge_choices": choice_pages.ridge_choices,
    "training_time": choice_pages.training_time,
    "coverage": uncertainty_pages.coverage,
    "calibration": uncertainty_pages.calibration,
    "gp_kernel": estimator_pages.gp_kernel,
    "estimators": estimator_pages.estimators,
    "grid_search": estimator_pages.grid_search,
    "completion_speed": estimator_pages.completion_speed,
    "cuda": kernel_pages.cuda,
    "cuda_code": kernel_pages.cuda_code,
    "cluster_plan": cluster_plan_pages.cluster_plan,
    "scale": scale_pages.scale,
    "faults": scale_pages.faults,
    "cluster": scale_pages.cluster,
    "memory": scale_pages.memory,
    "plans": scale_pages.plans,
}
"""From the rows and the record of a run to its page."""


def machine() -> str:
    model = next(
        (
            s.split(":")[1].strip()
            for s in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in s
        ),
        platform.processor(),
    )
    packages = (
        "ntkreg",
        "numpy",
        "numba",
        "llvmlite",
        "scipy",
        "scikit-learn",
        "jax",
        "neural-tangents",
    )
    versions = ", ".join(f"{p} {version(p)}" for p in packages)
    return (
        f"{len(os.sched_getaffinity(0))} cores of {model}; {platform.system()}, "
        f"Python {platform.python_version()}; {versions}"
    )


def keep(stem: Path, page: str, rows: pd.DataFrame, digits: int, **record: Any) -> str:
    """Write STEM.csv and STEM.json of a run, and the page made of them; return its text.

    Parameters
    ----------
    stem : Path
    page : str
        A key of `PAGES`.
    rows : DataFrame
    digits : int
        Significant ones that the rows are kept with.
    **record : JSON values
        What the page says beside its rows: `command` and what its function asks for.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    write_table(stem.with_name(f"{stem.name}.csv"), rows, float_format=f"%.{digits}g")
    write_json(stem.with_name(f"{stem.name}.json"), {"page": page, "machine": machine(), **record})
    return remake(stem)


def remake(stem: Path) -> str:
    """Write STEM.md of what is kept of a run; return its text."""
    record = json.loads(stem.with_name(f"{stem.name}.json").read_text(encoding="utf-8"))
    rows = pd.read_csv(stem.with_name(f"{stem.name}.csv"))
    page = PAGES[record["page"]](rows, record)
    picture = stem.with_name(f"{stem.name}.png")
    for content in draw_pictures(page).values():
        write_bytes(picture, content)
    text = markdown_page(page, picture.name)
    write_text(stem.with_name(f"{stem.name}.md"), text)
    return text


if __name__ == "__main__":
    kept = [name for name in PAGES if (BENCHMARKS / f"{name}.json").exists()]
    for name in sys.argv[1:] or kept:
        remake(BENCHMARKS / name)
