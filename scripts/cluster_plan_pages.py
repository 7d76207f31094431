"""The page of plans of a cluster: beside runs, and of kernels that nobody has computed."""

from typing import Any

import pandas as pd
from bench_layout import page_of

from ntkreg.report.shared.document import Document, Table, Text

__all__ = ["cluster_plan"]


def cluster_plan(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of bench_cluster_plan.py: plans beside runs, then kernels on paper."""
    on = record["paper"]
    about = (
        "Plans are `plan_on_cluster`, whose docstring has the model. Measured: dask LocalClusters "
        "of one thread a worker, loops compiled, `compute_gram(..., folder=, client=)`. The rate "
        "is what the same workers did just before and after, all at once. Dying workers: at random "
        f"moments, seeded, one is killed, and Dask starts another, which the plan takes "
        f"{record['restart']:g} s for."
    )
    measured = rows[rows.part == "measured"].copy()
    measured["ratio"] = measured.planned / measured.measured
    by_case = measured.groupby("case", sort=False)
    shown = by_case[["workers", "tiles", "pairs", "killed"]].first().astype(int).assign(
        **{
            "planned s": by_case.planned.median().map("{:.3g}".format),
            "measured s": by_case.measured.median().map("{:.3g}".format),
            "planned / measured": by_case.ratio.median().map("{:.3f}".format),
            "least..greatest": by_case.ratio.agg(lambda r: f"{r.min():.3f}..{r.max():.3f}"),
        },
    )  # fmt: skip
    off = (by_case.ratio.median() - 1).abs()
    said = (
        f"Medians of {measured.groupby('case').size().min()} rounds: the plan is off by "
        f"{100 * off.min():.1f} to {100 * off.max():.1f} %, and below 20 % in "
        f"{(off < 0.2).sum()} of {len(off)} cases. This is "
        "indicative for a cluster: here there is no network between machines and no slow store."
    )
    paper = rows[rows.part == "paper"].drop(columns=["part", *_only(rows, "measured")])
    largest = paper.iloc[-1]
    week = largest.n * (7 / largest.days) ** 0.5
    limit = (
        f"On paper: {on['machines']} machines of {on['cores']} cores, of which one fails every "
        f"{on['hours_between_failures']:,} hours; NNGP and NTK of 32 x 32 x 3 images in float32, "
        "rates of one core of this machine; days are of the whole cluster. Pairs and bytes grow "
        f"with n^2, the operations of a Cholesky factor with n^3; solves are those of one machine "
        f"of {on['memory'] / 1e9:g} GB for ten targets, by `plan_solve`. In a "
        f"week this cluster computes {largest['case'].split(', ')[-1]} of about "
        f"{float(f'{week:.2g}'):,.0f} images, a store of "
        f"{largest['store TB'] * (week / largest.n) ** 2:.2g} TB. Beyond, exact kernels make no "
        "sense on it: landmarks and random features (docs/estimators.md) cost n, not n^2."
    )
    blocks = (Table(shown.reset_index()), Text(limit))
    digits = paper.map(lambda v: f"{v:,.4g}" if isinstance(v, float) else v)
    for name in ("n", "tile", "tiles", "pairs"):
        digits[name] = paper[name].map("{:,.0f}".format)
    return page_of("Plans of a cluster", record, about, (said,), digits, blocks)


def _only(rows: pd.DataFrame, part: str) -> list[str]:
    """Return the columns that no other part of the rows has."""
    others = rows[rows.part != part]
    return [name for name in rows if others[name].isna().all()]
