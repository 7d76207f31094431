"""What README, ENGINE.md and the guide say of the rows in benchmarks/, figure by figure."""

import sys
from collections.abc import Iterator

import pandas as pd
from benchmark_pages import ROOT, rows, table

from ntkreg.report.shared.remarks import in_words
from ntkreg.studies.precision.errors import error_ratios, least_eigenvalues

sys.path.insert(0, str(ROOT / "scripts"))
import verdicts

POOLED = ["gap 5", "gap 10", "gap 20", "myrtle 5", "myrtle 10"]


def _ratio(case: str, ratio: str) -> pd.Series:
    own = rows("kernels")
    usual = ~own.case.str.endswith("AVX2 alone")
    found = own[own.case.str.startswith(case) & own.ratio.str.fullmatch(ratio) & usual]
    [line] = [row for _, row in found.iterrows()]
    return line


def _card() -> Iterator[str]:
    rates = rows("cuda").query("section == 'rates'").set_index("case").pairs_a_second
    yield f"One H100 computes {rates['10 conv, GAP']:,.0f} pairs of such images a second"
    yield f"and {rates['myrtle(10)']:,.0f} with Myrtle-10"
    beside = rows("cuda").query("section == 'peers' and case == '10 conv, GAP'").set_index("peer")
    peer, jax = beside.loc["neural-tangents, jitted, 8 x 8"], beside.loc['backend="jax"']
    yield (
        f"{peer.ratio:.1f} times what jitted neural-tangents ({peer.least:.1f} to "
        f'{peer.greatest:.1f}) and {jax.ratio:.1f} times what `backend="jax"` ({jax.least:.1f} to '
        f"{jax.greatest:.1f}) do on the same card"
    )


def readme() -> Iterator[str]:
    peer = r"neural-tangents \(batch \d+\) / ntkreg"
    cases = ("10 conv + GAP", "Myrtle-5", "Myrtle-10", "10-layer residual")
    fast = pd.DataFrame([_ratio(case, peer) for case in cases])
    flatten, dense = _ratio("10 conv + flatten", peer), _ratio("dense", peer)
    yield (
        f"{fast['median'].min():.0f} to {fast['median'].max():.0f} times as fast (single rounds "
        f"{fast.least.min():.0f} to {fast.greatest.max():.0f}), with flatten "
        f"{flatten['median']:.0f} times ({flatten.least:.0f} to {flatten.greatest:.0f}), for a "
        f"dense Gram {dense['median']:.1f} times ({dense.least:.1f} to {dense.greatest:.1f})"
    )
    own = rows("kernels")
    [narrow] = own[own.case.str.endswith("AVX2 alone")]["median"]
    yield f"(pooling on AVX2 alone, without AVX-512: {narrow:.0f} times)"
    image, dense_call = (
        _ratio(f"first call, {case}, empty cache", "CPU seconds")
        for case in ("10 conv + GAP, 1 image", "dense depth 5, 10 rows")
    )
    yield (
        f"a first convolutional network takes {image['median']:.0f} seconds of CPU, "
        f"a first dense one {dense_call['median']:.1f}"
    )
    depths = _ratio("10 conv + GAP", "ntkreg, four depths / ntkreg")
    yield (
        f"four depths take {depths['median']:.2f} times ({depths.least:.2f} to "
        f"{depths.greatest:.2f}) the time of the greatest"
    )
    jax = _ratio("10 conv + GAP", r"JAX engine \(cpu\) / ntkreg")
    yield (
        f"on a CPU the default is {jax['median']:.1f} times as fast ({jax.least:.1f} to "
        f"{jax.greatest:.1f};"
    )
    yield from _card()
    judged = verdicts.judged(rows("kernels"))
    missed = judged[judged.verdict == "missed"].set_index("case")
    myrtle, gram = missed.itertuples()
    yield (
        f"{in_words(len(missed))} of {own.claim.notna().sum()} are missed: "
        f"{myrtle.Index.split(',')[0]}, {myrtle.median:.0f} times as fast where "
        f"{myrtle.claim.removeprefix('>= ')} is claimed, and a dense Gram, "
        f"{gram.median:.1f} times where {gram.claim.removeprefix('>= ')} is claimed"
    )
    ratio = error_ratios(rows("cifar10_precision"), "prediction_difference")
    distinct = ratio.xs("distinct", level="case").xs("nngp", level="get").groupby("network")
    low, high = distinct.min(), distinct.max()
    gap = [n for n in POOLED if n.startswith("gap")]
    yield (
        f"Myrtle-5 {low['myrtle 5']:.1f} to {high['myrtle 5']:.1f}, Myrtle-10 "
        f"{low['myrtle 10']:.1f} to {high['myrtle 10']:.1f}, global average pooling "
        f"{low[gap].min():.0f} to {high[gap].max():.0f};"
    )
    near = least_eigenvalues(rows("cifar10_precision"), "nngp", "near copies").loc[POOLED]
    least, greatest = near.float64.min(), near.float64.max()
    error = 100 * (near.mixed / near.float64 - 1).abs().max()
    power = [f"{v:.1e}".replace("e-0", "e-") for v in (least, greatest)]
    yield f"least eigenvalues of {power[0]} to {power[1]} of the mean diagonal"
    yield f"mixed has right to {error:.1f} % or better"
    told = table("cifar10_best_kernel.md", "The best at each n")[-1]
    inside = len(told[3].split("; "))
    yield (
        f"({told[2]} % at {told[0]}), but at {told[0]} {in_words(inside)} of the "
        f"{in_words(inside + int(told[4]))} others are not told from it"
    )
    *_, last = table("cifar10_myrtle10_flip.md", "NTK with its errors")
    yield f"({float(last[2]):.1f} ± {float(last[-1]):.1f} % at {last[0]})"
    own = rows("empirical")
    yield f"faster in {(own['nt best / chosen'] < 1).sum()} of {len(own)} rows"
    own = rows("scale")
    largest = own[own.n == own.n.max()].set_index(["stage", "figure"]).value
    peak = largest["conjugate gradients, block", "peak memory, GB"]
    disk = largest["Gram into the store", "GB on disk"]
    yield f"{own.n.max():,} rows are solved in {peak:.1f} GB from a {disk:.0f} GB store"


def engine() -> Iterator[str]:
    gap = _ratio("10 conv + GAP", "ntkreg / C\\+\\+ loop")
    vectors = 10 * (32 * 32) ** 2 / 16
    yield (
        f"{1e6 * 2 * gap.numerator_ms / vectors:.1f} ns a vector (benchmarks/kernels.md: "
        f"{gap.numerator_ms:.4g} ms a pair on two cores)"
    )


def guide() -> Iterator[str]:
    found = rows("estimators").pivot(index="estimator", columns="figure", values="median")
    seconds = found["fit"] + found["predict 1,000"]
    for estimators in (
        ("NTKClassifier()", "NTKClassifier(probability=True)", "NTKClassifier(cntk(5))"),
        ("NTKClassifierCV(), 11 ridges", "NTKClassifierCV(), 11 ridges, 3 depths"),
        ("NTKClassifier(train_time=1e4)",),
        ("GaussianProcessClassifier(NeuralTangentKernel), optimizer=None",),
        ("NTKTransformer, SVC",),
        ("NTKNystroem, 256 landmarks, LogisticRegression",),
        ("StreamingRidgeClassifier(NTKFeatures), 2,048 features",),
        ("FiniteNetworkClassifier(), 2 networks of width 256",),
    ):
        yield f"| {'; '.join(f'{seconds[name]:.2g}' for name in estimators)} |"
