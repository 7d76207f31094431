"""Pages of the speed benchmarks, made of their rows and records.

python scripts/bench_page.py       # make those in benchmarks/ again
"""

import json
import os
import platform
import re
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import uncertainty_pages

from ntkreg.report.shared.document import Block, Document, Section, Table, Text
from ntkreg.report.shared.markdown import markdown_page
from ntkreg.report.shared.page import draw_pictures, write_bytes
from ntkreg.storage import write_json, write_table, write_text

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"

COLUMNS = [
    "case", "ratio", "median", "least", "greatest", "claim", "numerator_ms", "denominator_ms",
]  # fmt: skip
VERDICTS = (
    "`holds`: in every round; `holds at the median only`: not in each; `missed`: not at the median."
)


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


def verdict(claim: str, median: float, least: float, greatest: float) -> str:
    """Say whether a claim (`>= 2.5`, `< 2`, `0.75..1.25`) holds in every round."""
    if not claim:
        return ""
    bounds = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", claim.split(" (")[0])]
    low = bounds[0] if claim[0] != "<" else -np.inf
    high = bounds[-1] if claim[0] != ">" else np.inf
    if not low <= median <= high:
        return "missed"
    return "holds" if low <= least and greatest <= high else "holds at the median only"


def claims(table: pd.DataFrame) -> str:
    """Count the claims that hold, and name the others."""
    made = table[table.verdict != ""]
    parts = []
    for words in ("holds", "holds at the median only", "missed"):
        rows = made[made.verdict == words]
        names = "; ".join(
            f"{r.case.split(', 32 x 32')[0]}, {r.ratio}: {r.median:.3g} "
            f"({r.least:.3g} to {r.greatest:.3g}), claimed {r.claim}"
            for r in rows.itertuples()
            if words != "holds"
        )
        parts.append(f"{words} {len(rows)}{f' ({names})' if names else ''}")
    return f"Verdicts on {len(made)} claims: {', '.join(parts)}."


def judged(table: pd.DataFrame) -> pd.DataFrame:
    """Return rows of bench_kernels.py with the verdict on each claim."""
    table = table.reindex(columns=COLUMNS).assign(claim=table.claim.fillna("").astype(str))
    verdicts = [verdict(r.claim, r.median, r.least, r.greatest) for r in table.itertuples()]
    return table.assign(verdict=verdicts)


def kernels(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of bench_kernels.py: what was run, which claims hold, and every row."""
    table = judged(rows)
    known = table.numerator_ms.notna()
    times = table.numerator_ms.map("{:.4g}".format) + " / "
    times = (times + table.denominator_ms.map("{:.4g}".format)).where(known, "")
    spread = table.least.map("{:.3g}".format) + ".." + table.greatest.map("{:.3g}".format)
    shown = pd.DataFrame(
        {
            "case": table.case,
            "figure": table.ratio,
            "median": table["median"].map("{:.3g}".format),
            "least..greatest": spread,
            "claim": table.claim,
            "verdict": table.verdict,
            "times (ms)": times,
        }
    )
    turns = "Contenders take turns; medians over rounds, and the spread of the rounds."
    texts = (claims(table), f"{record['notes']} {VERDICTS}")
    return _document("Kernel benchmarks", record, turns, texts, shown)


def empirical(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of bench_empirical.py."""
    about = (
        f"{record['clock']}, medians; contenders take turns, compilation excluded. "
        "All of them agree to 1e-5 in every row. `n` inputs with themselves, float32; dense: 3 "
        "hidden layers, 64 inputs; conv: 3 convolutions, flatten, 8 x 8 x 3. `chosen` is "
        '`method="auto"`; neural-tangents (nt) by Jacobian contraction and by NTK-vector '
        "products, the two of its methods that work on this JAX. "
    )
    rounds = f" Medians of {record['rounds']} rounds; the spread of the rounds was not kept."
    if "least" in rows:
        about += "`least` and `greatest`: of `nt best / chosen` over the rounds. "
        rounds = ""
    about += "The csv has the predicted times."
    largest = f"Largest `chosen / best`: {rows['chosen / best'].max():.2f}."
    shown = rows[[c for c in rows if "predicted" not in c]]
    shown = shown.map(lambda v: f"{v:.4g}" if isinstance(v, float) else v)
    texts = (f"{largest} {faster_peer(rows)}{rounds}",)
    title = "Empirical NTK: three ways, and neural-tangents"
    return _document(title, record, about, texts, shown)


def sizes(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of bench_sizes.py."""
    about = (
        f"{record['clock']} per 1,000 pairs of images with three channels, NNGP and NTK, float32, "
        "one thread, medians over rounds. A symmetric kernel of n images has n (n + 1) / 2 pairs; "
        "threads divide the time."
    )
    shown = rows.map(
        lambda v: v if isinstance(v, str) else "too small" if pd.isna(v) else f"{v:.2g}"
    )
    return _document("Cost by image size", record, about, (), shown)


def features(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of bench_features.py."""
    about = (
        "Inner products of features beside the exact kernel, in float64, of 1,500 "
        "of scikit-learn's digits; medians over draws, and their spread. Features are float32, on "
        f"one thread. {record['clock']}. "
        "`rpcholesky`: landmarks by randomly pivoted Cholesky."
    )
    table = judged(rows)
    spread = table.least.map("{:.3g}".format) + ".." + table.greatest.map("{:.3g}".format)
    shown = pd.DataFrame(
        {
            "case": table.case,
            "figure": table.ratio,
            "median": table["median"].map("{:.3g}".format),
            "least..greatest": spread.where(rows.rounds > 1, ""),
            "claim": table.claim,
            "verdict": table.verdict,
        }
    )
    texts = (slopes(table), claims(table))
    return _document("Features of kernels", record, about, texts, shown)


def slopes(table: pd.DataFrame) -> str:
    """Say how errors of random features fall with their number."""
    rows = table[table.case.str.contains("NTKFeatures, ") & table.ratio.str.startswith("rms")]
    sizes = rows.case.str.extract(r"NTKFeatures, (\d+) components")[0].astype(float)
    slope = np.polyfit(np.log(sizes), np.log(rows["median"]), 1)[0]
    return (
        f"The rms error of NTKFeatures falls as the number of components to the {slope:.2f} "
        f"(stated: -0.5), fitted to {len(rows)} numbers."
    )


def model_selection(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of bench_model_selection.py on what a choice costs."""
    about = (
        f"{record['clock']}; contenders take turns; medians over rounds, and the spread of the "
        "rounds. A Cholesky fit is a leave-one-out fit by the solver of `NTKRegressor`. A textbook "
        "fit is LAPACK's potrf and potri alone, one BLAS thread, for the diagonal of the inverse: "
        "ours also checks K, and estimates its condition and its least eigenvalue by Lanczos."
    )
    table = rows.assign(claim=rows.claim.fillna(""))
    verdicts = [verdict(r.claim, r.median, r.least, r.greatest) for r in table.itertuples()]
    shown = table.assign(verdict=verdicts).map(lambda v: f"{v:.3g}" if isinstance(v, float) else v)
    return _document("What choosing a ridge costs", record, about, (VERDICTS,), shown)


def ridge_choices(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of bench_model_selection.py on what is chosen."""
    about = (
        "Ridge (of eleven) and depth (1 to 4) of a dense NTK, chosen without the test half; "
        "accuracy there, mean and standard deviation over splits. `loo`: leave-one-out mean "
        "squared error of coded labels; `best`: the best ridge and depth for the test half itself, "
        "which nobody can choose. alpha: median of ridges chosen, in units of the mean diagonal."
    )
    means = rows.groupby(["data", "n", "criterion"], sort=False)
    shown = means.agg(
        accuracy=("accuracy", lambda a: f"{100 * a.mean():.1f} +- {100 * a.std():.1f}"),
        alpha=("alpha", lambda a: f"{a.median():.2g}"),
    )
    wide = shown.unstack("criterion")
    wide.columns = [f"{criterion} {what}" for what, criterion in wide.columns]
    paired = rows.pivot_table(index=["data", "split"], columns="criterion", values="accuracy")
    by_set = paired.groupby("data").mean()
    texts = []
    for name in ("kare", "likelihood"):
        less = 100 * (by_set[name] - by_set["loo"])
        half = 1.96 * less.std() / len(less) ** 0.5
        texts.append(
            f"{name} less loo, mean over {len(less)} sets and 95 % interval: {less.mean():+.2f} "
            f"({less.mean() - half:+.2f} to {less.mean() + half:+.2f}) points of accuracy."
        )
    title = "Ridges chosen by leave-one-out, KARE and marginal likelihood"
    return _document(title, record, about, tuple(texts), wide.reset_index())


def coverage(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of uncertainty.py on deviations."""
    blocks = uncertainty_pages.coverage_blocks(rows, record)
    shown = uncertainty_pages.coverage_table(rows)
    return _document("What intervals cover", record, "", (), shown, blocks)


def calibration(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of uncertainty.py on probabilities."""
    blocks = uncertainty_pages.calibration_blocks(rows, record)
    shown = uncertainty_pages.calibration_table(rows)
    return _document("How probabilities are calibrated", record, "", (), shown, blocks)


def gp_kernel(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of bench_gp_kernel.py."""
    about = (
        f"{record['clock']}; contenders take turns, medians of {record['rounds']} rounds, with the "
        f"least and greatest ratio, compilation excluded. Depth {record['depth']}, "
        f"{record['features']} columns of Gaussian numbers, one thread but for `all cores`."
    )
    fits = (
        f"Fits are whole: {record['restarts']} restarts, one run each, a fitted `WhiteKernel`, "
        "normalised y. The likelihood is the greatest log marginal likelihood found. Its kernels "
        "are not the same: scikit-ntk's biases start at 0 and are trained, ours are drawn, with "
        "the variance of their prior. The UCI sets have whole numbers for classes as y, "
        "standardised X, and are used whole."
    )
    shown = rows.map(lambda v: f"{v:.4g}" if isinstance(v, float) and not pd.isna(v) else v)
    title = "NeuralTangentKernel, and scikit-ntk"
    return _document(title, record, about, (fits,), shown.fillna(""))


def estimators(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of bench_estimators.py."""
    about = (
        f"{record['clock']}, one thread, to fit 1,000 of scikit-learn's digits, to predict "
        "1,000 others, and accuracy on those in percent: medians over splits, and their spread; "
        "compilation excluded. Estimators with a choice have theirs included."
    )
    spread = [f"{r.median:.3g} ({r.least:.3g} to {r.greatest:.3g})" for r in rows.itertuples()]
    wide = rows.assign(shown=spread).pivot(index="estimator", columns="figure", values="shown")
    shown = wide.loc[rows.estimator.unique(), rows.figure.unique()].reset_index()
    return _document("What estimators cost", record, about, (), shown)


def completion_speed(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of bench_completion.py."""
    rows = rows.assign(
        verdict=[verdict(r.claim, r.median, r.least, r.greatest) for r in rows.itertuples()]
    )
    about = (
        f"{record['clock']}, medians of {record['rounds']} rounds in turns, beside "
        f"{record['peer']}. Ours takes the largest `tol` of a ladder at which its norm is no "
        "farther above the minimum than that of the peer's point with the seen entries put back."
    )
    shown = rows.drop(columns=["median", "least", "greatest", "claim", "verdict"])
    shown = shown.map(lambda v: v if isinstance(v, str) else f"{v:.2g}")
    shown["SCS / ours"] = [
        f"{r.median:.3g} ({r.least:.3g} to {r.greatest:.3g})" for r in rows.itertuples()
    ]
    shown = shown.assign(claim=rows.claim, verdict=rows.verdict)
    took = record["training_seconds"]
    trained = (
        "A product of three matrices of 100 x 100, trained on 2,000 entries to loss 1e-6: "
        f"{np.median(took):.1f} s ({min(took):.1f} to {max(took):.1f} over starts)."
    )
    title = "Least nuclear norms beside cvxpy, and training of a product"
    return _document(title, record, about, (trained, VERDICTS), shown)


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
    return _document("Kernel folders under faults", record, about, (said,), shown.reset_index())


PAGES: dict[str, Callable[[pd.DataFrame, dict[str, Any]], Document]] = {
    "kernels": kernels,
    "empirical": empirical,
    "sizes": sizes,
    "features": features,
    "model_selection": model_selection,
    "ridge_choices": ridge_choices,
    "coverage": coverage,
    "calibration": calibration,
    "gp_kernel": gp_kernel,
    "estimators": estimators,
    "completion_speed": completion_speed,
    "faults": faults,
}
"""From the rows and the record of a run to its page."""


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


def _document(
    title: str,
    record: dict[str, Any],
    about: str,
    texts: tuple[str, ...],
    shown: pd.DataFrame,
    blocks: tuple[Block, ...] = (),
) -> Document:
    opening = (
        Text(f"Machine: {record['machine']}."),
        Text(f"Command: `{record['command']}`. {about}".rstrip()),
        *map(Text, texts),
        *blocks,
        Table(shown),
    )
    return Document(title, (Section("", opening),))


def faster_peer(table: pd.DataFrame) -> str:
    """Name the rows in which neural-tangents is faster than what `auto` takes."""
    rows = table[table["nt best / chosen"] < 1].to_dict("records")
    names = "; ".join(
        f"{r['network']}, n {r['n']}, width {r['width']}, {r['outputs']} output(s), {r['kernel']}: "
        f"{r['nt best / chosen']:.2g} of our time" + _rounds(r)
        for r in rows
    )
    return (
        f"neural-tangents is faster than `chosen` in {len(rows)} of {len(table)} rows"
        + (f" ({names})" if rows else "")
        + "."
    )


def _rounds(row: dict) -> str:
    """Return the spread over rounds; rows made before it was stored have none."""
    return f" ({row['least']:.2g} to {row['greatest']:.2g})" if "least" in row else ""


if __name__ == "__main__":
    for name in sys.argv[1:] or PAGES:
        remake(BENCHMARKS / name)
