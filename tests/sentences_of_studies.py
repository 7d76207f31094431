"""What pages on optimisers, widths and speed, README and ARCHITECTURE say of their rows."""

import re
import sys
from collections.abc import Callable, Iterator

import pandas as pd
from benchmark_pages import NUMBERS, ROOT, rows, table
from sentences_of_accuracy import POOLED, error_ratio, near_copies

from ntkreg.studies.shared.intervals import ratio_interval
from ntkreg.studies.widths.slopes import RESOLUTION

sys.path.insert(0, str(ROOT / "scripts"))
import bench_page


def optimizers() -> Iterator[str]:
    page = "optimizers_mnist.md"
    own = rows("optimizers_mnist")
    runs = own[(own.part == "optimisers") & (own.width == 128)]
    correct = runs[runs.labels == "correct"]
    moved = correct.pivot(index="seed", columns="optimizer", values="moved")
    ratios = {
        o: ratio_interval(moved[o], moved.gradient_descent) for o in correct.optimizer.unique()
    }
    del ratios["gradient_descent"]
    assert all(i.low > 1 for i in ratios.values())
    yield f"by these factors: {', '.join(f'{o} ({i.estimate:.3f})' for o, i in ratios.items())}."
    scaled = ["rmsprop", "adam", "adagrad"]
    far = [ratios[o].estimate for o in scaled]
    yield f"move the parameters {min(far):.2f} to {max(far):.2f} times as far as gradient descent"
    gaps = {(r[0], r[1]): r[2:] for r in table(page, "Who follows the kernel trajectory")}
    behind = {
        o: gaps[o, "gap over that of gradient descent, width 256"] for o in [*scaled, "adadelta"]
    }
    assert all(line[2] == "farther from the kernel" for line in behind.values())
    values = [float(behind[o][0]) for o in scaled]
    yield f"end {min(values):.2f} to {max(values):.2f} times as far from the kernel trajectory"
    yield f"is {behind['adadelta'][0]} ({behind['adadelta'][1]}) times as large"
    yield ", ".join(f"{o} ({v:.2f})" for o, v in zip(scaled, values, strict=True))
    for line in gaps:
        if line[1] == "slope of the gap against width":
            yield f"{line[0]} ({float(gaps[line][0]):+.2f})"
    drift = {r[0]: r[4] for r in table(page, "Where they end") if r[1].startswith("kernel drift")}
    assert {drift[o] for o in scaled} == {"undecided"}
    noise = {r[1]: r for r in table(page, "Batches, learning rates and noise")}
    function, loss = (noise[f"slope of {q} against noise scale"] for q in ("function", "test loss"))
    yield (
        f"to the power {float(function[2]):.2f} ({function[3]}), the test loss to the power "
        f"{float(loss[2]):.3f} ({loss[3]}; {loss[4]})"
    )
    ended = own[own.part == "noise"].merge(
        correct[correct.optimizer == "gradient_descent"], on="seed"
    )
    apart = 100 * (ended.train_loss_x / ended.train_loss_y - 1)
    yield f"from {-apart.min():.1f} % below to {apart.max():.1f} % above its own"
    stops = {(r[0], r[1]): r for r in table(page, "Stopping early and ridge")}
    for kernel in ("analytic kernel", "empirical kernel"):
        best = stops[kernel, "least test loss when stopped over that with ridge"]
        distance = stops[kernel, "greatest distance, stopped at t from ridge n / t"]
        yield (
            f"{kernel}: best stopped over best ridge {float(best[2]):.3f} ({best[3]}; {best[4]}), "
            f"greatest distance from the predictions at ridge n / t {float(distance[2]):.3f} "
            f"({distance[3]})"
        )
    asked = runs[runs.labels.isin(["correct", "random"])]
    starts = asked.groupby(["labels", "seed"]).test_error.mean().groupby("labels")
    error = [f"{starts.mean()[k]:.1f} ± {starts.std()[k]:.1f} %" for k in ("correct", "random")]
    yield (
        f"training losses between {asked.train_loss.min():.4f} and {asked.train_loss.max():.4f} "
        f"the test error, ± its standard deviation over starts, is {error[0]} on correct and "
        f"{error[1]} on random labels"
    )


def widths(name: str) -> Callable[[], Iterator[str]]:
    page = f"widths_{name}.md"

    def sentences() -> Iterator[str]:
        slopes, limits = table(page, "Slopes against width"), table(page, "Ensembles")
        verdicts = [r[3] for r in slopes + limits if r[3] != "not claimed"]
        agree, against = verdicts.count("agrees"), verdicts.count("disagrees")
        yield (
            f"{agree + against} of {len(verdicts)} rows are decided: {agree} agree with theory, "
            f"{against} disagree; {verdicts.count('undecided')} are undecided."
        )
        if against:
            yield f"The {NUMBERS[against]} that disagree:"
        else:
            yield "Every row that is decided agrees"
        for row in slopes + limits:
            if row[3] == "disagrees":  # each is named, with its interval
                yield f"{float(row[5]):.{len(row[5].split('.')[1])}f} ({row[6]}"
        if name.startswith("conv"):
            open_ones = [r for r in slopes + limits if r[3] == "undecided" and r[6] != "none"]
            wide = {(r[0], r[1]): r for r in open_ones}
            yield from {"conv8": _conv8, "conv16": _conv16}[name](wide)

    return sentences


def _length(interval: str) -> float:
    low, high = map(float, interval.split(" .. "))
    return high - low


def _conv8(wide: dict) -> Iterator[str]:
    lazy = wide["change of the NTK in training", "ntk"]
    learning = wide["change of the features' kernel", "mup"]
    others = [_length(r[6]) for r in wide.values() if r not in (lazy, learning)]
    assert min(_length(lazy[6]), _length(learning[6])) > 2 * max(others)
    yield f"some intervals stay wider than the limit of ±{RESOLUTION}"
    yield f"change of the NTK in training in ntk ({lazy[5]}, {lazy[6]})"
    yield f"of the features' kernel in mup ({learning[5]}, {learning[6]})"
    [away] = [r for r in wide.values() if r[4] == "1"]
    assert float(away[6].split(" .. ")[0]) > 1
    yield f"has the limit {away[5]} ({away[6]}), too wide to be decided, but 1 lies outside"


def _conv16(wide: dict) -> Iterator[str]:
    start = [r for key, r in wide.items() if key[0].endswith(("norm", "Frobenius", "at the start"))]
    assert all(float(r[4]) == -0.5 for r in start)
    for row in start:
        low, high = map(float, row[6].split(" .. "))
        assert low <= -0.5 <= high
    lengths = [_length(r[6]) for r in start]
    yield (
        f"all {NUMBERS[len(start)]} slopes that are resolved are undecided, with intervals from "
        f"{min(lengths):.2f} to {max(lengths):.2f} wide where {2 * RESOLUTION:.2f} is the limit"
    )
    seconds = [
        own[own.trained == 1].groupby(["parametrization", "width"]).seconds.median()
        for own in (rows("widths_conv16"), rows("widths_conv8"))
    ]
    ratio = (seconds[0] / seconds[1]).dropna()
    yield f"took {ratio.min():.1f} to {ratio.max():.1f} times as long as with 8 x 8 pixels"


def kernels() -> Iterator[str]:
    own = rows("kernels")
    made = bench_page.markdown(own, "", "").splitlines()
    yield from (line for line in made if line.startswith(("| ", "Verdicts on")))


def empirical() -> Iterator[str]:
    own = rows("empirical")
    yield f"Largest `chosen / best`: {own['chosen / best'].max():.2f}."
    yield bench_page.faster_peer(own)


def _ratio(case: str, ratio: str) -> pd.Series:
    own = rows("kernels")
    found = own[own.case.str.startswith(case) & own.ratio.str.fullmatch(ratio)]
    [line] = [row for _, row in found.iterrows()]
    return line


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
    [missed] = re.findall(
        r"\| ([<>=\d. ]+) \| missed \|", bench_page.markdown(rows("kernels"), "", "")
    )
    claims = rows("kernels").claim.notna().sum()
    yield (
        f"one of {claims} is missed: a dense Gram, {dense['median']:.1f} times as fast where "
        f"{missed.removeprefix('>= ')} is claimed"
    )
    ratio = error_ratio("prediction_difference")
    distinct = ratio.xs("distinct", level="case").xs("nngp", level="get").groupby("network")
    low, high = distinct.min(), distinct.max()
    gap = [n for n in POOLED if n.startswith("gap")]
    yield (
        f"Myrtle-5 {low['myrtle 5']:.1f} to {high['myrtle 5']:.1f}, Myrtle-10 "
        f"{low['myrtle 10']:.1f} to {high['myrtle 10']:.1f}, global average pooling "
        f"{low[gap].min():.0f} to {high[gap].max():.0f};"
    )
    least, greatest, error = near_copies()
    power = [f"{v:.1e}".replace("e-0", "e-") for v in (least, greatest)]
    yield f"least eigenvalues of {power[0]} to {power[1]} of the mean diagonal"
    yield f"mixed has right to {error:.1f} % or better"
    told = table("cifar10_best_kernel.md", "The best at each n")[-1]
    inside = len(told[3].split("; "))
    yield (
        f"({told[2]} % at {told[0]}), but at {told[0]} {NUMBERS[inside]} of the "
        f"{NUMBERS[inside + int(told[4])]} others are not told from it"
    )
    own = rows("empirical")
    yield f"faster in {(own['nt best / chosen'] < 1).sum()} of {len(own)} rows"


def architecture() -> Iterator[str]:
    gap = _ratio("10 conv + GAP", "ntkreg / C\\+\\+ loop")
    vectors = 10 * (32 * 32) ** 2 / 16
    yield (
        f"{1e6 * 2 * gap.numerator_ms / vectors:.1f} ns a vector (benchmarks/kernels.md: "
        f"{gap.numerator_ms:.4g} ms a pair on two cores)"
    )
