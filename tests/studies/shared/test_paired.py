import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ntkreg.studies.shared.paired import compare_with_best, depth_steps, paired_difference


def answers(rng, chance, draws=20, images=300):
    """Right or wrong with a chance for each image."""
    return rng.random((draws, images)) < chance


def test_the_parts_of_a_paired_error_are_those_counted_by_hand():
    ours = np.array([[1, 1, 1, 0], [1, 0, 1, 0]], dtype=bool)
    other = np.array([[1, 0, 0, 0], [1, 0, 0, 1]], dtype=bool)
    found = paired_difference(ours, other, n=10, pool=40)
    assert found.mean == 25  # over draws: 50 and 0; over images: 0, 50, 100, -50
    assert found.draw_std == pytest.approx(math.sqrt(1250))
    assert found.corrected_std == pytest.approx(math.sqrt(1250 / 0.75))
    assert found.test_error == pytest.approx(np.std([0, 50, 100, -50], ddof=1) / 2)
    of_draws, of_images = 1250 / 2 + 1250 / 0.75 / 4, np.var([0, 50, 100, -50], ddof=1) / 4
    assert found.error == pytest.approx(math.sqrt(of_draws + of_images))
    degrees = (of_draws + of_images) ** 2 / (of_draws**2 / 1 + of_images**2 / 3)
    assert found.degrees == pytest.approx(degrees)
    half = stats.t.ppf(0.95, degrees) * found.error
    assert found.interval(0.1) == pytest.approx((25 - half, 25 + half))


def test_what_is_hard_for_both_cancels():
    rng = np.random.default_rng(0)
    hard = np.where(np.arange(300) % 2, 0.95, 0.05)
    ours, other = answers(rng, hard), answers(rng, hard)
    apart = math.hypot(*(100 * a.mean(0).std(ddof=1) / math.sqrt(300) for a in (ours, other)))
    assert paired_difference(ours, other, n=1, pool=1000).error < apart / 3


@pytest.mark.parametrize("by", ["draws", "images"])
def test_a_95_percent_interval_holds_the_truth_95_times_in_100(by):
    rng = np.random.default_rng(0)
    held, runs = 0, 400
    for _ in range(runs):
        # A third of the answers moves with the draw, or with the image, of either kernel alone.
        size = (12, 1) if by == "draws" else (1, 60)
        ours, other = (answers(rng, 0.5 + rng.uniform(-0.4, 0.4, size), 12, 60) for _ in range(2))
        low, high = paired_difference(ours, other, n=1, pool=10**6).interval(0.05)
        held += low <= 0 <= high
    # Four standard errors of the share; what draws and images do together is counted twice.
    assert 0.95 - 4 * math.sqrt(0.05 * 0.95 / runs) < held / runs < 0.999


def test_the_interval_widens_with_the_kernels_it_has_to_hold_for():
    rng = np.random.default_rng(0)
    pair = {"a": answers(rng, 0.6), "b": answers(rng, 0.5)}
    many = pair | {f"c{i}": answers(rng, 0.3) for i in range(10)}
    one, eleven = (compare_with_best(k, n=1, pool=1000)["b"] for k in (pair, many))
    found = paired_difference(pair["b"], pair["a"], n=1, pool=1000)
    assert (one["low"], one["high"]) == pytest.approx(found.interval(0.05))
    assert (eleven["low"], eleven["high"]) == pytest.approx(found.interval(0.05 / 11))


def test_verdicts_are_best_inside_and_worse():
    rng = np.random.default_rng(0)
    kernels = {name: answers(rng, p) for name, p in (("far", 0.4), ("near", 0.695), ("best", 0.7))}
    found = compare_with_best(kernels, n=10, pool=200)
    verdicts = {name: line["verdict"] for name, line in found.items()}
    assert verdicts == {"far": "worse", "near": "inside", "best": "best"}
    assert found["best"]["difference"] == 0
    assert found["far"]["high"] < 0 < found["near"]["high"]


def test_the_same_answers_are_inside_and_nothing_is_said_of_one_draw_or_the_whole_pool():
    rng = np.random.default_rng(0)
    a, b = answers(rng, 0.6), answers(rng, 0.4)
    assert compare_with_best({"a": a, "b": a}, n=5, pool=10)["b"]["verdict"] == "inside"
    assert compare_with_best({"a": a, "b": b}, n=10, pool=10)["b"]["verdict"] == "unknown"
    one = {"a": a[:1], "b": b[:1]}
    assert compare_with_best(one, n=5, pool=10)["b"]["verdict"] == "unknown"


def test_each_depth_is_compared_with_the_one_before_whatever_the_order_of_the_rows():
    rng = np.random.default_rng(0)
    by_depth = {2: answers(rng, 0.4, 8), 3: answers(rng, 0.7, 8), 7: answers(rng, 0.1, 8)}
    rows = pd.DataFrame(
        [
            {"get": "ntk", "depth": depth, "n": 10, "draw": draw}
            for depth in by_depth
            for draw in range(8)
        ]
    )
    correct = np.concatenate(list(by_depth.values()))
    order = rng.permutation(len(rows))
    steps = depth_steps(
        rows.iloc[order].reset_index(drop=True), correct[order], pool=100
    ).set_index("depth")
    assert steps.depth_before.to_dict() == {3: 2, 7: 3}
    assert steps.verdict.to_dict() == {3: "rises", 7: "falls"}
    found = paired_difference(by_depth[3], by_depth[2], n=10, pool=100)
    assert steps.difference[3] == pytest.approx(found.mean)
    assert steps.low[3] == pytest.approx(found.interval(0.025)[0])  # two steps


def test_one_depth_has_no_steps():
    rows = pd.DataFrame({"get": "ntk", "depth": 4, "n": 10, "draw": range(3)})
    steps = depth_steps(rows, np.ones((3, 5), dtype=bool), pool=100)
    assert len(steps) == 0
    assert "verdict" in steps
