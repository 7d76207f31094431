"""Pages of what was measured of kernels in folders, and of those that no longer fit into memory."""

from typing import Any

import pandas as pd
from bench_layout import page_of
from verdicts import VERDICTS, verdict

from ntkreg.report.shared.document import Document, Table, Text

__all__ = ["cluster", "faults", "memory", "plans", "scale"]


def scale(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of bench_scale.py: a row a stage."""
    about = (
        "A dense NTK (`fully_connected(3)`, float32) of a seeded Gaussian table of 20 columns, ten "
        "coded classes as targets, alpha 1e-3 of the mean diagonal, to a residual of 1e-6 for each "
        "target; the upper triangle in a store of tiles of 512. Every stage is a process of its "
        "own, with its peak of resident memory, imports included; that of conjugate gradients has "
        "a limit of 4 GB on its data (RLIMIT_DATA). One run each: times are of this machine as it "
        "was, CPU seconds beside them."
    )
    claimed = rows[rows.claim.notna()]
    words = [
        f"{r.stage}, n = {r.n:,}, {r.figure}: {r.value:.3g}, claimed {r.claim}: "
        f"{verdict(r.claim, r.value, r.value, r.value)}"
        for r in claimed.itertuples()
    ]
    shown = rows.map(lambda v: f"{v:.4g}" if isinstance(v, float) else v)
    wide = shown.pivot(index=["n", "stage"], columns="figure", values="value")
    order = rows[["n", "stage"]].drop_duplicates()
    wide = wide.loc[list(order.itertuples(index=False, name=None)), rows.figure.unique()]
    texts = (f"{'; '.join(words)}.", race(rows))
    title = "Kernels that no longer fit: computed, solved, predicted from"
    return page_of(title, record, about, texts, wide.fillna("").reset_index())


def race(rows: pd.DataFrame) -> str:
    """Say how far block sketch-and-project came beside conjugate gradients, at each size."""
    wide = rows.pivot(index=["n", "stage"], columns="figure", values="value").reset_index()
    parts = []
    for n, table in wide.groupby("n"):
        sketches = table[table.stage.str.startswith("ASkotch")]
        if len(sketches):
            best = sketches.loc[sketches.residual.idxmin()]
            [winner] = table[table.stage == "conjugate gradients, block"].to_dict("records")
            parts.append(
                f"n = {n:,}: {winner['residual']:.1e} in {winner['CPU seconds']:.0f} CPU seconds, "
                f"and {best.residual:.1e} in {best['CPU seconds']:.0f} ({best.stage})"
            )
    return (
        "The race to 1e-6 on one store, block conjugate gradients and the best block "
        f"sketch-and-project (ASkotch, its time limited): {'; '.join(parts)}. It has no place in "
        "the package. With the same preconditioner, targets alone (one step length each) took the "
        "iterations of their own row."
    )


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


ENDS = ("", " least", " greatest")


def cluster(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of bench_cluster.py: the rate of a cluster beside that of threads."""
    about = (
        f"{record['cores']} workers of one thread beside {record['cores']} threads, symmetric NTK, "
        f"float32, medians of {record['rounds']} rounds in turns, with least and greatest. Values "
        "had the same bits in every round. CPU seconds are of all processes: workers, scheduler "
        "and client. Cases with a folder put the values there, others into memory."
    )
    grown, rows = rows[rows.part == "memory"], rows[rows.part == "rate"]
    pairs = rows.n * (rows.n + 1) / 2
    each = 1e9 * rows["threads, CPU s"] / pairs
    more = 1e9 * rows["cluster, CPU s"] / pairs - each
    shown = rows[["case", "n"]].assign(
        **{
            "inputs, MB": rows["inputs, MB"].map("{:.0f}".format),
            "threads, CPU s": rows["threads, CPU s"].map("{:.3g}".format),
            "cluster, CPU s": rows["cluster, CPU s"].map("{:.3g}".format),
            "ns a pair": each.map("{:.3g}".format),
            "ns more": more.map("{:.3g}".format),
            "threads / cluster, CPU": _spread(rows["median"], rows.least, rows.greatest),
            "claim": rows.claim,
            "verdict": [verdict(r.claim, r.median, r.least, r.greatest) for r in rows.itertuples()],
            "threads / cluster, wall": _spread(
                rows.wall, rows["wall least"], rows["wall greatest"]
            ),
        }
    )
    folder, dense = rows.case.str.contains("folder"), rows.case.str.startswith("dense")
    moved, written = (more[dense & where] for where in (~folder, folder))
    pays = (
        "Workers of the client's machine map its inputs and leave values in files of its folder "
        "for temporary files; into memory, a value is then written, read and put into its place, "
        "whatever it took to compute: with inputs, tasks and idle processes "
        f"{moved.min():.3g} to {moved.max():.3g} ns of CPU a pair in the dense rows, whose pairs "
        f"take {each[dense].min():.3g} to {each[dense].max():.3g} ns on threads. Into a folder "
        "that workers see, they write tiles themselves and send checksums: "
        f"{written.min():.3g} to {written.max():.3g} ns a pair. Workers on other machines are sent "
        "inputs, and send values that are not for such a folder: not measured here."
    )
    sizes = grown.dropna(axis="columns")
    memory = grown[["case", "n"]].assign(
        n=grown.n.astype(int),
        **{name: grown[name].map("{:.0f}".format) for name in sizes if name.endswith(", MB")},
    )
    bounded = (
        "Peak resident memory of a scheduler and of the larger worker, processes of their own, "
        "before the Gram and after it, as it grows into a folder; values are those of the upper "
        "triangle."
    )
    blocks = (Table(memory), Text(pays))
    return page_of(
        "Kernels on a cluster", record, about, (bounded,), shown, (*blocks, Text(VERDICTS))
    )


def _spread(median: pd.Series, least: pd.Series, greatest: pd.Series) -> list[str]:
    rows = zip(median, least, greatest, strict=True)
    return [f"{m:.3f} ({low:.3f} to {high:.3f})" for m, low, high in rows]


def memory(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of bench_memory.py: peak memory beside the plan's."""
    about = (
        f"Two threads, float32, {record['rounds']} processes a row: median, least and greatest. "
        "The plan counts what the call adds to its inputs."
    )
    shown = rows[["case", "shape of X"]].assign(
        **{
            "planned (MB)": rows["planned (MB)"].map("{:.1f}".format),
            "peak (MB)": rows["peak (MB)"].map("{:.1f}".format),
            "peak / planned": _spread(rows["median"], rows.least, rows.greatest),
            "claim": rows.claim,
            "verdict": [verdict(r.claim, r.median, r.least, r.greatest) for r in rows.itertuples()],
        }
    )
    return page_of("Memory of kernels beside their plans", record, about, (VERDICTS,), shown)


def plans(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of bench_plans.py: what studies take beside their plans."""
    about = (
        f"Each study is planned in one process and run in another, once; {record['clock']} time of "
        "its work, without the start of Python, imports and the page. Data are scikit-learn's."
    )
    ratios = rows["planned / taken"]
    numbers = {c: rows[c].map("{:.1f}".format) for c in rows if c.endswith("(s)")}
    shown = rows.assign(**numbers).assign(
        **{"planned / taken": ratios.map("{:.2f}".format)},
        verdict=[verdict(c, r, r, r) for c, r in zip(rows.claim, ratios, strict=True)],
    )
    notes = (VERDICTS, *([record["note"]] if "note" in record else []))
    return page_of("What studies take beside their plans", record, about, notes, shown)
