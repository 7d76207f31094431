"""Means that the optimisers' page shows, against sums by hand."""

import numpy as np
import pandas as pd
import pytest

from ntkreg.studies.optimizers.means import batch_means, log_means, stop_means


def test_logarithmic_means_and_their_bars():
    found = log_means(pd.Series([1.0, 4.0, 5.0]), pd.Series(["a", "a", "b"]))
    assert found["mean"].tolist() == pytest.approx([2, 5])
    ratio = np.exp(np.log(4) / np.sqrt(2))  # one standard deviation of log 1 and log 4
    assert found.above["a"] == pytest.approx(2 * (ratio - 1))
    assert found.below["a"] == pytest.approx(2 * (1 - 1 / ratio))
    assert found.above["b"] == found.below["b"] == 0  # one value has no spread


def test_batches_are_means_by_size_and_rate():
    rows = pd.DataFrame(
        {
            "batch_size": [8, 8, 16],
            "rate": [0.1, 0.1, 0.1],
            "noise_scale": [1.0, 1.0, 2.0],
            "function": [1.0, 3.0, 5.0],
            "test_error": [10.0, 14.0, 7.0],
        }
    )
    found = batch_means(rows)
    assert found.function.tolist() == [2, 5]
    assert found["std"].tolist() == pytest.approx([np.sqrt(8), 0])


def test_stops_of_different_starts_correspond_row_by_row():
    rows = pd.DataFrame(
        {
            "kernel": ["k"] * 4,
            "seed": [1, 0, 0, 1],
            "time": [30.0, 1.0, 10.0, 3.0],
            "flow_loss": [4.0, 1.0, 2.0, 3.0],
        }
    )
    found = stop_means(rows)
    assert found.time.tolist() == [2, 20]
    assert found.flow_loss.tolist() == [2, 3]
