"""What pages on accuracies and precision say of their rows, figure by figure."""

from collections.abc import Callable, Iterator

import pandas as pd
from benchmark_pages import NUMBERS, rows, table

from ntkreg.report.few_samples_network.page import network_table
from ntkreg.report.shared.tables import markdown_table
from ntkreg.studies.few_samples_network.study import beside_kernel
from ntkreg.studies.shared.intervals import Interval, mean_interval
from ntkreg.studies.shared.published import CIFAR2_DEPTHS, FEW_SAMPLES_CIFAR10
from ntkreg.studies.shared.statistics import binomial_error, compare_with_published, summarize_draws

POOLED = ["gap 5", "gap 10", "gap 20", "myrtle 5", "myrtle 10"]


def _span(found: Interval, sign: str = "") -> str:
    return f"{found.low:{sign}.1f} .. {found.high:{sign}.1f}"


def _listed(values: list) -> str:
    *front, last = map(str, values)
    return f"{', '.join(front)} and {last}" if front else last


def _mean(name: str, n: int, depth: int | None, pool: int, get: str = "ntk") -> str:
    """Return "mean ± its error" of one kernel, of the greatest depth unless given."""
    own = rows(name)
    depth = depth or own.depth.max()
    found = summarize_draws(own[(own.depth == depth) & (own.n == n)], pool=pool, n_test=500)
    [line] = found[found["get"] == get].itertuples()
    return f"{line.mean:.1f} ± {line.mean_error:.1f}"


def best_kernel() -> Iterator[str]:
    draws = rows("cifar10_best_kernel").pivot_table(
        index=["n", "draw"], columns="kernel", values="accuracy"
    )
    sizes = list(draws.index.levels[0])
    best = draws.groupby("n").mean().idxmax(axis=1)
    [only] = best.unique()
    yield f"Highest mean accuracy: {only} at n = {', '.join(map(str, sizes))}."

    def less(a: str, b: str, n: int) -> Interval:
        return mean_interval(draws.loc[n][a] - draws.loc[n][b])

    for n in sizes:
        pairs = ("LAP flip", "LAP"), ("LAP ZCA", "LAP"), ("LAP ZCA", "LAP flip")
        found = [less(f"{a} NTK", f"{b} NTK", n) for a, b in pairs]
        yield " ".join(
            [f"| {n} |", *(f"{i.estimate:+.1f} ({_span(i, '+')}) |" for i in found)]
        )  # as the table has it
    for get, said in (
        ("NTK", "at {flips} images flips are ahead, at {neither} the two are not told apart, from "
                "{first} on whitening is ahead"),
        ("NNGP", "flips are ahead up to {last} images, at {neither} the two are not told apart, "
                 "from {first} on whitening is ahead"),
    ):  # fmt: skip
        found = {n: less(f"LAP ZCA {get}", f"LAP flip {get}", n) for n in sizes}
        flips = [n for n, i in found.items() if i.high < 0]
        whitening = [n for n, i in found.items() if i.low > 0]
        neither = [n for n in sizes if n not in flips + whitening]
        assert whitening == sizes[sizes.index(whitening[0]) :]
        assert get == "NTK" or flips == sizes[: len(flips)]
        yield said.format(
            flips=_listed(flips), last=flips[-1], neither=_listed(neither), first=whitening[0]
        )
    last = sizes[-1]
    lap, flip, zca, both = (
        _mean(f"cifar10_lap{kind}", last, 8, 1280) for kind in ("", "_flip", "_zca", "_zca_flip")
    )
    yield (
        f"At {last} images LAP's NTK has {lap} %, with flips {flip}, with whitening {zca}, with "
        f"both {both}; Myrtle-7's with whitening {_mean('cifar10_myrtle7', last, 6, 1280)}, with "
        f"both {_mean('cifar10_myrtle7_flip', last, 6, 1280)}"
    )
    name = "cifar10_few_samples"
    yield f"{_mean(name, 10, 14, 640)} % at n = 10, {_mean(name, 320, 14, 640)} at 320"
    told = {line[0]: line for line in table("cifar10_best_kernel.md", "The best at each n")}
    inside = len(told[str(last)][3].split("; "))
    others = draws.shape[1] - 1
    assert inside + int(told[str(last)][4]) == others
    yield f"at {last} images {NUMBERS[inside]} of the {NUMBERS[others]} others are not told from it"
    lap_inside = [n for n in sizes if "LAP ZCA flip NTK" in told[str(n)][3].split("; ")]
    assert lap_inside == sizes[sizes.index(lap_inside[0]) :]
    worse = _listed(sizes[: sizes.index(lap_inside[0])])
    yield f"is worse at {worse} images and not told from it from {lap_inside[0]} on"


def flips_of_myrtle5() -> Iterator[str]:
    with_flips, without = (
        rows(name).set_index(["get", "n", "draw"]).accuracy
        for name in ("cifar10_myrtle5_flip", "cifar10_myrtle5")
    )
    less = with_flips - without
    assert less.notna().all()
    for n in less.index.unique("n"):
        found = [mean_interval(less.loc[get, n]) for get in ("ntk", "nngp")]
        cells = (f"{i.estimate:+.1f} ({_span(i, '+')})" for i in found)
        yield f"| {n} | {' | '.join(cells)} |"


def published(name: str, pool: int) -> Callable[[], Iterator[str]]:
    def sentences() -> Iterator[str]:
        summary = summarize_draws(rows(name), pool=pool, n_test=500)
        for offset, reading in ((0, "d hidden layers here"), (-1, "d - 1 hidden layers here")):
            found = compare_with_published(summary, FEW_SAMPLES_CIFAR10, offset=offset)
            found = found[found["get"] == "ntk"]
            out = found[found.verdict == "outside"]
            where = [f"{r.published} at n = {r.n} ({r.difference:+.1f})" for r in out.itertuples()]
            if len(found):
                yield (
                    f"so {reading}: {len(out)} of {len(found)} published NTK figures differ from "
                    f"ours by more than the 95 % interval{': ' if where else ''}{', '.join(where)}."
                )
        if name == "cifar10_few_samples":
            deepest = compare_with_published(summary, FEW_SAMPLES_CIFAR10)
            deepest = deepest[(deepest.depth == 14) & (deepest["get"] == "ntk")]
            largest = deepest.difference.abs().nlargest(2).index
            first, second = deepest.loc[largest].itertuples()
            yield (
                f"at 14 hidden layers are {first.difference:.2f} points at n = {first.n} and "
                f"{second.difference:.2f} at n = {second.n}"
            )
            means = deepest.set_index("n")["mean"]
            low, high = binomial_error(means[10], 500), binomial_error(means[320], 500)
            yield f"a standard error of {low:.1f} points at n = 10 to {high:.1f} at n = 320"

    return sentences


def networks() -> Iterator[str]:
    name, kernel = "cifar10_few_samples_cnn", rows("cifar10_few_samples")
    kernel = kernel[(kernel["get"] == "ntk") & (kernel.depth == 4)][["n", "draw", "accuracy"]]
    own, beside = rows(name), beside_kernel(rows(name), kernel)
    yield from markdown_table(network_table(beside)).splitlines()
    fitted = own.groupby("n").train_accuracy
    assert fitted.min().loc[:40].eq(100).all()
    late = own[own.n >= 160].train_accuracy
    yield (
        f"at 100 % of their training images up to n = 40, at {fitted.min()[80]:.0f} to "
        f"{fitted.max()[80]:.0f} % at n = 80, at {late.min():.0f} to {late.max():.0f} % from n = "
        "160 on"
    )
    paired = own.merge(kernel, on=["n", "draw"], suffixes=("", "_kernel"))
    gaps = {n: mean_interval(g.accuracy_kernel - g.accuracy) for n, g in paired.groupby("n")}
    ahead = [n for n, i in gaps.items() if i.low > 0]
    first, last = ahead
    yield (
        f"The kernel is ahead by {gaps[first].estimate:.1f} ({_span(gaps[first])}) points at n = "
        f"{first} and by {gaps[last].estimate:.1f} ({_span(gaps[last])}) at n = {last} "
        f"({NUMBERS[gaps[last].n]} draws)"
    )
    assert not [n for n, i in gaps.items() if i.high < 0]
    yield f"at n = {_listed([n for n in gaps if n not in ahead])} the two are not told apart"
    [one] = own[own.n == 640].accuracy
    yield f"with {one:.1f} % (± {binomial_error(one, 500):.1f}, test images alone)"


def depths_of_two_classes() -> Iterator[str]:
    own = rows("cifar2_depths")
    own = own[(own["get"] == "ntk") & (own.n == 100)]
    draws = own.pivot_table(index="draw", columns="depth", values="accuracy")
    summary = summarize_draws(own, pool=200, n_test=98).set_index("depth")
    low, high = (
        f"{r['mean']:.1f} ± {r.mean_error:.1f} %" for _, r in summary.loc[[2, 20]].iterrows()
    )
    gain = mean_interval(draws[20] - draws[2])
    assert gain.low > 0
    yield (
        f"goes from {low} (2 hidden layers) to {high} (20): {gain.estimate:+.1f} points, 95 % "
        f"interval over the 20 draws alone {_span(gain, '+')}"
    )
    known = [r.accuracy for r in CIFAR2_DEPTHS]
    yield f"gave {', '.join(f'{a:.2f}' for a in known)} %"
    steps = table("cifar2_depths.md", "NTK, each depth less the one before")
    assert all(line[4] == "inside" for line in steps)
    [first] = [line for line in steps if line[:2] == ["100", "2 to 3"]]
    leap = known[1] - known[0]
    assert leap > float(first[3].split(" .. ")[1])
    yield f"{leap:+.2f} points, lies outside our interval, {first[3]}."
    for before, after in ((2, 3), (3, 5), (5, 10), (10, 20)):
        step = draws[after].mean() - draws[before].mean()
        theirs = known[[2, 3, 5, 10, 20].index(after)] - known[[2, 3, 5, 10, 20].index(before)]
        yield f"{before} to {after} {step:+.1f} (inside; published {theirs:+.2f})"


def error_ratio(quantity: str) -> pd.Series:
    own = rows("cifar10_precision")
    index = ["network", "get", "case", "alpha"]
    both = own.pivot_table(index=index, columns="dtype", values=quantity)
    return (both.float32 / both.mixed).dropna()


def near_copies() -> tuple[float, float, float]:
    """Return least and greatest least eigenvalue in float64, and mixed's largest error."""
    own = rows("cifar10_precision")
    own = own[own.network.isin(POOLED) & (own["get"] == "nngp") & (own.case == "near copies")]
    least = own[own.alpha == 0].pivot(index="network", columns="dtype", values="min_eigenvalue")
    assert (least.float32 < 0).all()
    error = (least.mixed / least.float64 - 1).abs().max()
    return least.float64.min(), least.float64.max(), 100 * error


def precision() -> Iterator[str]:
    own = rows("cifar10_precision")
    for dtype in ("float32", "mixed"):
        solved = own[(own.dtype == dtype) & own.prediction_difference.notna()]
        worst = solved.loc[solved.prediction_difference.idxmax()]
        yield (
            f"differ from float64's by {worst.prediction_difference:.0e} at most ({worst.network} "
            f"{worst['get'].upper()}, {worst.case}, alpha {worst.alpha:g}), and at most "
            f"{solved.changed.max() * 64 / 100:.0f} of 64 test images change class."
        )
        safe = []
        for case in ("distinct", "near copies", "copies"):
            errors = own[(own.dtype == dtype) & (own.case == case)].groupby("alpha").relative_error
            safe.append(f"{case} {min(a for a, e in errors.max().items() if e <= 0.01):g}")
        yield (
            f"{dtype}: the ridge at which no kernel's relative error exceeds 0.01 is, for "
            f"{'; '.join(safe)}."
        )
    ratio = error_ratio("relative_error").drop("copies", level="case")
    yield (
        f"is {ratio.median():.1f} times that of mixed (median over kernels, sets and ridges; "
        f"{ratio.min():.1f} to {ratio.max():.0f})"
    )
    pooled = ratio[ratio.index.get_level_values("network").isin(POOLED)].groupby("get")
    low, high = pooled.min(), pooled.max()
    yield (
        f"are {low.nngp:.1f} to {high.nngp:.0f} times those of mixed for the NNGP and "
        f"{low.ntk:.1f} to {high.ntk:.1f} times for the NTK"
    )
    assert own[own.alpha == 1e-4].relative_error.max() <= 0.01
    least, greatest, error = near_copies()
    yield f"least eigenvalues from {least:.1e} to {greatest:.1e} there"
    yield f"mixed is right to {error:.1f} % or better"
