import math

import numpy as np
import pandas as pd
import pytest

from ntkreg.studies.shared.published import FEW_SAMPLES_CIFAR10, PublishedRow
from ntkreg.studies.shared.statistics import (
    binomial_error,
    compare_with_published,
    pool_corrected_std,
    summarize_draws,
)


def rows_of(accuracies, n=20, depth=5, get="ntk"):
    return pd.DataFrame(
        {
            "get": get,
            "depth": depth,
            "n": n,
            "draw": range(len(accuracies)),
            "accuracy": accuracies,
        }
    )


def test_pool_corrected_std_undoes_sampling_without_replacement():
    # A mean of n of N numbers is the accuracy model of the docstring; its spread over
    # draws without replacement, corrected, must be the spread of draws with replacement.
    rng = np.random.default_rng(0)
    contributions = rng.normal(size=40)
    means = [rng.permutation(contributions)[:30].mean() for _ in range(20_000)]
    endless = contributions.std() / math.sqrt(30)
    assert pool_corrected_std(float(np.std(means)), 30, 40) == pytest.approx(endless, rel=0.03)


def test_pool_corrected_std_of_a_half_pool_is_root_two_times_the_spread():
    assert pool_corrected_std(1.0, 320, 640) == pytest.approx(math.sqrt(2))


def test_pool_corrected_std_says_nothing_when_every_draw_is_the_pool():
    assert math.isnan(pool_corrected_std(0.0, 640, 640))


def test_binomial_error_by_hand():
    # sqrt(.2 * .8 / 400) = .02
    assert binomial_error(20.0, 400) == pytest.approx(2.0)


def test_summarize_draws_by_hand():
    # Mean 20, s = 2 (ddof 1), pool 25 and n 20 leave 1 - n/N = 1/5: sigma = 2 sqrt 5.
    # Error of the mean: s^2/3 + sigma^2 * 20/25 + 2^2 = 4/3 + 16 + 4.
    [line] = summarize_draws(rows_of([18.0, 20.0, 22.0]), pool=25, n_test=400).itertuples()
    assert (line.get, line.depth, line.n, line.n_draws) == ("ntk", 5, 20, 3)
    assert line.mean == pytest.approx(20)
    assert line.draw_std == pytest.approx(2)
    assert line.corrected_std == pytest.approx(2 * math.sqrt(5))
    assert line.test_error == pytest.approx(2)
    assert line.mean_error == pytest.approx(math.sqrt(4 / 3 + 16 + 4))


def test_one_draw_gives_no_spread_and_no_verdict():
    summary = summarize_draws(rows_of([20.0]), pool=100, n_test=400)
    assert math.isnan(summary.draw_std[0])
    [line] = compare_with_published(
        summary, [PublishedRow("CNTK-5", 5, 20, 20.0, 1.0)]
    ).itertuples()
    assert line.verdict == "unknown"


@pytest.fixture
def summary():
    return summarize_draws(rows_of([18.0, 20.0, 22.0]), pool=25, n_test=400)


def test_interval_of_the_difference_by_hand(summary):
    # Ours: variance 64/3. Published: 3^2/4 for the draws, .5 * .5 / 10,000 in percent
    # squared = .25 for the test images.
    published = [PublishedRow("CNTK-5", 5, 20, 50.0, 3.0, n_draws=4)]
    [line] = compare_with_published(summary, published).itertuples()
    half = 1.959964 * math.sqrt(64 / 3 + 9 / 4 + 0.25)
    assert line.difference == pytest.approx(-30)
    assert (line.low, line.high) == pytest.approx((-30 - half, -30 + half))
    assert line.verdict == "outside"
    assert not line.std_borrowed


def test_a_difference_of_nothing_is_inside(summary):
    [line] = compare_with_published(
        summary, [PublishedRow("CNTK-5", 5, 20, 20.0, 1.0)]
    ).itertuples()
    assert line.verdict == "inside"


def test_a_missing_published_std_is_borrowed_at_the_same_n(summary):
    published = [
        PublishedRow("CNTK-5", 5, 20, 20.0, None),
        PublishedRow("CNTK-14", 14, 20, 20.0, 1.5),
        PublishedRow("CNTK-14", 14, 40, 20.0, 9.0),
        PublishedRow("ResNet-34", None, 20, 20.0, 8.0),
    ]
    [line] = compare_with_published(summary, published).itertuples()
    assert line.std_borrowed
    assert line.published_std == 1.5


@pytest.mark.parametrize(("offset", "labels"), [(0, ["CNTK-5"]), (-1, ["CNTK-6"])])
def test_offset_says_which_hidden_depth_a_label_means(summary, offset, labels):
    published = [PublishedRow(f"CNTK-{d}", d, 20, 20.0, 1.0) for d in (4, 5, 6)]
    assert list(compare_with_published(summary, published, offset=offset).published) == labels


def test_published_rows_rise_with_n_and_are_unique():
    keys = [(row.label, row.n) for row in FEW_SAMPLES_CIFAR10]
    assert len(set(keys)) == len(keys)
    for label in {row.label for row in FEW_SAMPLES_CIFAR10}:
        accuracies = [row.accuracy for row in FEW_SAMPLES_CIFAR10 if row.label == label]
        assert accuracies == sorted(accuracies)
