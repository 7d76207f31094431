"""Pages of what was measured of kernels in folders."""

from typing import Any

import pandas as pd
from bench_layout import page_of

from ntkreg.report.shared.document import Document

__all__ = ["faults"]


def faults(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of fault_run.py: what was lost, and what each kind of fault came to."""
    about = (
        f"{record['minutes']:.2g} minutes. Processes are killed by SIGKILL at a random moment of "
        "their work; the full disk is a write that fails. The csv is the log: a line a fault."
    )
    whole = rows[rows["wrong values"].notna()]
    said = (
        f"Processes killed: {rows['processes killed'].sum()}. Finished tiles lost: "
        f"{rows['tiles lost'].sum()}. Tiles damaged on purpose: {rows['tiles damaged'].sum()}, all "
        f"computed again. Wrong values: {whole['wrong values'].sum():.0f} of "
        f"{whole['values'].sum():,.0f} in {len(whole)} complete Grams, compared bit by bit with "
        "those computed in memory."
    )
    sums = ["processes killed", "tiles damaged", "refused", "tiles lost"]
    shown = rows.groupby("fault").agg(
        {"folder": "size", **dict.fromkeys(sums, "sum"), "tiles before": "max"}
    )
    shown = shown.rename(columns={"folder": "times", "tiles before": "tiles there, at most"})
    return page_of("Kernel folders under faults", record, about, (said,), shown.reset_index())
