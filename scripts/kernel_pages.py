"""Pages of the benchmarks of kernels: exact, empirical, by size of image, and their features."""

from typing import Any

import numpy as np
import pandas as pd
from bench_layout import page_of
from verdicts import VERDICTS, claims, judged

from ntkreg.report.shared.document import Document, Section, Table, Text

__all__ = ["cuda", "cuda_code", "empirical", "features", "kernels", "sizes"]


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
    return page_of("Kernel benchmarks", record, turns, texts, shown)


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
    return page_of(title, record, about, texts, shown)


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
    return page_of("Cost by image size", record, about, (), shown)


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
    texts = (slopes(table), convolutional(table), claims(table))
    return page_of("Features of kernels", record, about, texts, shown)


def slopes(table: pd.DataFrame) -> str:
    """Say how errors of random features fall with their number."""
    rows = table[table.case.str.contains("NTKFeatures, ") & table.ratio.str.startswith("rms")]
    sizes = rows.case.str.extract(r"NTKFeatures, (\d+) components")[0].astype(float)
    slope = np.polyfit(np.log(sizes), np.log(rows["median"]), 1)[0]
    return (
        f"The rms error of NTKFeatures falls as the number of components to the {slope:.2f} "
        f"(stated: -0.5), fitted to {len(rows)} numbers."
    )


def convolutional(table: pd.DataFrame) -> str:
    """Say whether random features of a CNTK pay: those that are gradients of a random network."""
    rows = table[table.case.str.startswith("CNTK of ")]
    n = rows.case.str.extract(r"(\d+) digits")[0].astype(int)
    at = rows[n == n.max()].pivot_table(index="case", columns="ratio", values="median", sort=False)
    at.columns = ["error" if name.startswith("rms") else name for name in at.columns]
    exact, landmarks, *gradients = (at.loc[case] for case in at.index)
    few, many = gradients
    channels = [case.split()[-2] for case in at.index[-2:]]
    return (
        f"Of the CNTK at {n.max():,} images, features that are gradients of a random network of "
        f"{channels[1]} channels take {many.seconds / exact.seconds:.2g} of the exact kernel's "
        f"time, with an rms error of {many.error:.2g} ({few.seconds / exact.seconds:.2g} and "
        f"{few.error:.2g} at {channels[0]} channels); 256 landmarks take "
        f"{landmarks.seconds / exact.seconds:.2g}, with an error of {landmarks.error:.2g}."
    )


def cuda_code(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of cuda_report.py."""
    about = (
        f"Compiler: {record['compiler']} No card is needed, and none was there. Networks on images "
        "of 32 x 32 x 3 unless said, one pass, NNGP and NTK. Instructions: of the hottest loop, "
        "for each row of 32 entries in a ReLU layer. What finds no room in shared memory is read "
        "from afar, through the caches. What would spill registers is compiled for 8 warps, as "
        "by a card itself. sm_80: A100; sm_90: H100; sm_100: B200."
    )
    return page_of("What the CUDA engine is compiled to", record, about, (), rows)


def cuda(rows: pd.DataFrame, record: dict[str, Any]) -> Document:
    """Return the page of gpu_check.py: what each section asked of the card, and its rows."""
    ways = {(s["machine"], s["command"], s["date"]): [] for s in record["sections"].values()}
    for name, section in record["sections"].items():
        ways[section["machine"], section["command"], section["date"]].append(name)
    first = tuple(
        Text(f"{', '.join(names)}: `{command}`, {date}. {machine}.")
        for (machine, command, date), names in ways.items()
    )
    sections = [Section("", first)]
    for name, section in record["sections"].items():
        about = Text(f"{section['about']} ({section['status']}, {section['seconds']} s)")
        texts = (about, *(Text(section[k]) for k in ("remark",) if k in section))
        found = rows[rows.section == name].drop(columns="section").dropna(axis=1, how="all")
        shown = found.map(_figure)
        sections.append(Section(name, (*texts, Table(shown)) if len(found) else texts))
    return Document("The CUDA engine on a card", tuple(sections))


def _figure(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
