from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from ntkreg.data import load_digits_images
from ntkreg.studies.quickstart.hardest import Hardest
from ntkreg.studies.quickstart.plan import plan_quickstart
from ntkreg.studies.quickstart.study import QuickstartConfig, run_quickstart
from ntkreg.studies.shared.config import config_hash, make_config

TINY = QuickstartConfig(
    n_images=60, n_train=(20, 30), n_splits=2, dense_depth=1, conv_depth=1, n_hardest=3, n_shown=20
)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quickstart")
    return folder, run_quickstart(TINY, folder)


def test_every_method_is_scored_on_every_split_and_size(outcome):
    _, rows = outcome
    assert rows.method.nunique() == 9
    assert len(rows) == 9 * 2 * 2
    assert not rows.duplicated(["method", "n_train", "split"]).any()
    assert rows.accuracy.between(30, 100).all()  # chance is 10


def test_rows_repeat_for_a_seed(outcome, tmp_path):
    pd.testing.assert_frame_equal(run_quickstart(TINY, tmp_path), outcome[1])


def test_heat_maps_are_ordered_by_class_with_unit_diagonal(outcome):
    arrays = np.load(outcome[0] / "kernels.npz")
    labels = arrays["labels"]
    assert labels.tolist() == np.repeat(np.arange(10), 2).tolist()
    kernels = [arrays[name] for name in arrays.files if name != "labels"]
    assert len(kernels) == 4
    for K in kernels:
        assert K.shape == (20, 20)
        np.testing.assert_allclose(np.diagonal(K), 1, rtol=1e-6)


def test_hardest_images_are_digits_that_were_misclassified(outcome):
    hardest = np.load(outcome[0] / "hardest.npz")
    X, y = load_digits_images()
    assert 0 < len(hardest["images"]) <= 3
    for image, true, predicted in zip(
        hardest["images"], hardest["true"], hardest["predicted"], strict=True
    ):
        [where] = np.flatnonzero((image == X).all(axis=(1, 2, 3)))
        assert y[where] == true
        assert predicted != true


def test_eigenvalues_over_the_mean_diagonal_sum_to_their_number(outcome):
    table = pd.read_csv(outcome[0] / "eigenvalues.csv")
    sums = table.groupby("method").value.sum()
    assert len(sums) == 8
    np.testing.assert_allclose(sums, 60, rtol=1e-5)


def test_config_and_record_allow_to_repeat_the_run(outcome):
    folder, _ = outcome
    written = make_config(QuickstartConfig, yaml.safe_load((folder / "config.yaml").read_text()))
    assert written == TINY
    record = yaml.safe_load((folder / "record.json").read_text())
    assert record["config_hash"] == config_hash(TINY)
    assert record["environment"]["numpy"] == np.__version__


def test_hardest_ranks_by_error_rate_then_by_margin():
    hardest = Hardest(n_images=4, n_classes=2)
    y = np.array([0, 0, 1, 1])
    # Image 0 is always wrong, narrowly; 1 always wrong, clearly; 2 wrong once; 3 never tested.
    hardest.add(np.array([0, 1, 2]), y[:3], np.array([[0.4, 0.6], [0.0, 1.0], [1.0, 0.0]]))
    hardest.add(np.array([0, 1, 2]), y[:3], np.array([[0.4, 0.6], [0.0, 1.0], [0.0, 1.0]]))
    order, error = hardest.rank(y)
    assert order.tolist() == [1, 0, 2]
    assert error.tolist() == [1, 1, 0.5, 0]


def test_the_plan_counts_what_a_run_computes(outcome):
    folder, rows = outcome
    (plan,) = plan_quickstart(TINY, "nowhere")
    kernels = set(pd.read_csv(folder / "eigenvalues.csv").method)
    assert plan.counts == {
        "kernels": len(kernels),
        "pairs": 4 * 60 * 61 // 2,
        "regressions": rows.method.isin(kernels).sum(),
        "grid searches": (~rows.method.isin(kernels)).sum(),
    }
    assert all(seconds > 0 for seconds in plan.seconds.values())
    assert not Path("nowhere").exists()
