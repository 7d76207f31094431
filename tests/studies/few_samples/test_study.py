import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.kernel_ridge import KernelRidge

from ntkreg.architecture import Architecture, myrtle, to_dict
from ntkreg.data import ChannelStandardizer, ZCAWhitener, balanced_draws
from ntkreg.errors import DataError, NotPSDError, SpecError, StoreMismatchError
from ntkreg.gram import kernel
from ntkreg.studies.few_samples.plan import plan_few_samples
from ntkreg.studies.few_samples.study import FewSamplesConfig, network_of, run_few_samples


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Noisy 4 x 4 images of two channels whose class is the brighter half."""
    rng = np.random.default_rng(0)

    def draw(n):
        y = np.arange(n) % 2
        x = rng.integers(0, 200, size=(n, 4, 4, 2))
        x[:, :2] += 40 * (y == 0)[:, None, None, None]
        x[:, 2:] += 40 * (y == 1)[:, None, None, None]
        return x.astype(np.uint8), y

    x_train, y_train = draw(40)
    x_test, y_test = draw(16)
    path = tmp_path_factory.mktemp("images") / "halves.npz"
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return path


@pytest.fixture
def config(images):
    return FewSamplesConfig(
        str(images),
        {"recipe": "cntk", "depth": 2, "readout": "flatten"},
        depths=(1, 2),
        pool=24,
        n_test=12,
        n_samples=(4, 8),
        n_draws=3,
        alpha=1e-4,
        dtype="float64",
    )


def test_every_field_depth_size_and_draw_has_one_row(config, tmp_path):
    rows = run_few_samples(config, tmp_path)
    assert len(rows) == 2 * 2 * 2 * 3
    assert not rows.duplicated(["get", "depth", "n", "draw"]).any()
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "rows.csv"), rows)


def test_rows_repeat_for_a_seed_and_change_with_it(config, tmp_path):
    first, again = (run_few_samples(config, tmp_path / name) for name in "ab")
    pd.testing.assert_frame_equal(first, again)
    other = run_few_samples(replace(config, seed=5), tmp_path / "c")
    assert not first.condition.equals(other.condition)


@pytest.mark.parametrize("normalize", [None, "unit_diagonal"])
@pytest.mark.parametrize(
    ("preprocessing", "readout"), [("channel", "flatten"), ("zca", "flatten"), ("none", "gap")]
)
def test_accuracy_is_that_of_scikit_learns_kernel_ridge(
    config, images, tmp_path, normalize, preprocessing, readout
):
    config = replace(
        config,
        architecture=config.architecture | {"readout": readout},
        normalize=normalize,
        preprocessing=preprocessing,
        zca_regularization=0.3,
    )
    rows = run_few_samples(config, tmp_path)
    data = np.load(images)
    pool = balanced_draws(data["y_train"], config.pool, 1, config.seed)[0]
    X, X_test = data["x_train"][pool], data["x_test"][:12]
    if preprocessing != "none":
        channel = preprocessing == "channel"
        scaler = ChannelStandardizer() if channel else ZCAWhitener(regularization=0.3)
        scaler.fit(X / 255)
        X, X_test = X / 255, X_test / 255
        X, X_test = scaler.transform(X), scaler.transform(X_test)
    y, y_test = data["y_train"][pool], data["y_test"][:12]
    network = network_of(config).replace(depth=2)
    K = kernel(network, X, normalize=normalize)
    K_test = kernel(network, X_test, X, normalize=normalize)
    draws = balanced_draws(y, 8, config.n_draws, config.seed + 1)
    mine = rows[(rows["get"] == "ntk") & (rows.depth == 2) & (rows.n == 8)]
    for index, row in zip(draws, mine.itertuples(), strict=True):
        part = K[np.ix_(index, index)]
        ridge = KernelRidge(alpha=1e-4 * np.trace(part) / 8, kernel="precomputed")
        ridge.fit(part, np.eye(2)[y[index]] - 0.5)
        predicted = ridge.predict(K_test[:, index]).argmax(axis=1)
        assert row.accuracy == pytest.approx(100 * np.mean(predicted == y_test))
        assert row.alpha == pytest.approx(ridge.alpha)


def test_kernels_are_read_not_computed_when_only_the_ridge_changes(config, tmp_path, monkeypatch):
    run_few_samples(config, tmp_path)
    files = {p: p.stat().st_mtime_ns for p in (tmp_path / "kernels").rglob("c/*") if p.is_file()}

    def refuse(*args, **kwargs):
        raise AssertionError("a tile was computed again")

    monkeypatch.setattr("ntkreg.gram.tiles.compute_tile", refuse)
    rows = run_few_samples(replace(config, alpha=0.5, n_samples=(12,)), tmp_path)
    assert set(rows.n) == {12}
    assert all(p.stat().st_mtime_ns == t for p, t in files.items())


@pytest.mark.parametrize(
    ("architecture", "asked", "dtype"),
    [
        ({"recipe": "cntk", "readout": "gap"}, None, "mixed"),
        ({"recipe": "cntk", "readout": "gap"}, "float32", "float32"),
        ({"recipe": "fully_connected"}, None, "float32"),
    ],
)
def test_unless_told_kernels_are_of_the_precision_that_estimators_choose(
    config, tmp_path, architecture, asked, dtype
):
    run_few_samples(replace(config, architecture=architecture, depths=None, dtype=asked), tmp_path)
    for part in ("pool", "test"):
        manifest = json.loads((tmp_path / "kernels" / part / "manifest.json").read_text())
        assert manifest["dtype"] == dtype


def test_kernels_of_another_network_are_refused(config, tmp_path):
    run_few_samples(config, tmp_path)
    other = config.architecture | {"train_first": False}
    with pytest.raises(StoreMismatchError):
        run_few_samples(replace(config, architecture=other), tmp_path)


def test_summary_and_comparison_follow_from_the_rows(config, tmp_path):
    network = config.architecture | {"depth": 5}
    config = replace(config, n_samples=(10, 20), architecture=network, depths=(4, 5))
    rows = run_few_samples(config, tmp_path)
    summary = pd.read_csv(tmp_path / "summary.csv")
    line = summary[(summary["get"] == "nngp") & (summary.depth == 5) & (summary.n == 10)].iloc[0]
    mine = rows[(rows["get"] == "nngp") & (rows.depth == 5) & (rows.n == 10)]
    assert line["mean"] == pytest.approx(mine.accuracy.mean())
    comparison = pd.read_csv(tmp_path / "comparison.csv")
    # CNTK-5 is our depth 5 in one reading and our depth 4 in the other.
    seen = set(zip(comparison.reading, comparison.published, comparison.depth, strict=True))
    assert seen == {("convolutions", "CNTK-5", 5), ("read-out counted", "CNTK-5", 4)}


@pytest.mark.parametrize(
    ("key", "value"), [("pool", 25), ("n_samples", (4, 5)), ("n_test", 17), ("pool", 42)]
)
def test_sizes_the_data_cannot_give_are_refused(config, tmp_path, key, value):
    with pytest.raises((SpecError, DataError), match=f"{key}|at most 40"):
        run_few_samples(replace(config, **{key: value}), tmp_path)


def test_an_unsolvable_gram_stops_the_study_with_the_remedy(config, tmp_path, images):
    data = dict(np.load(images))
    data["x_train"][:] = data["x_train"][:2].repeat(20, axis=0)  # 20 copies of two images
    data["y_train"] = np.arange(40) % 2
    np.savez(tmp_path / "copies.npz", **data)
    with pytest.raises(NotPSDError, match="Raise alpha"):
        run_few_samples(replace(config, data=str(tmp_path / "copies.npz"), alpha=0.0), tmp_path)


MYRTLE = {"recipe": "myrtle", "depth": 5}


@pytest.mark.parametrize("normalize", [None, "unit_diagonal"])
def test_a_network_without_depths_is_solved_as_it_is(config, images, tmp_path, normalize):
    config = replace(
        config, architecture=MYRTLE, depths=None, preprocessing="none", normalize=normalize
    )
    rows = run_few_samples(config, tmp_path)
    assert set(rows.depth) == {4}  # Myrtle-5 counts its read-out
    data = np.load(images)
    pool = balanced_draws(data["y_train"], config.pool, 1, config.seed)[0]
    X, y = data["x_train"][pool].astype(float), data["y_train"][pool]
    index = balanced_draws(y, 8, 3, config.seed + 1)[2]
    nngp = kernel(myrtle(5), X, get="nngp", normalize=normalize)
    nngp_test = kernel(
        myrtle(5), data["x_test"][:12].astype(float), X, get="nngp", normalize=normalize
    )
    part = nngp[np.ix_(index, index)]
    ridge = KernelRidge(alpha=1e-4 * np.trace(part) / 8, kernel="precomputed")
    ridge.fit(part, np.eye(2)[y[index]] - 0.5)
    predicted = ridge.predict(nngp_test[:, index]).argmax(axis=1)
    row = rows[(rows["get"] == "nngp") & (rows.n == 8) & (rows.draw == 2)]
    stored = np.load(tmp_path / "predictions.npz")["predicted"][row.index[0]]
    assert np.array_equal(stored, predicted)


def test_a_recipe_and_its_layers_give_the_same_rows_from_the_same_kernels(config, tmp_path):
    config = replace(config, depths=None)
    rows = run_few_samples(config, tmp_path)
    layers = {"layers": to_dict(Architecture(network_of(config).layers))["layers"]}
    again = run_few_samples(replace(config, architecture=layers), tmp_path)
    pd.testing.assert_frame_equal(rows, again)


def test_stored_predictions_give_the_accuracies_of_the_rows(config, tmp_path):
    rows = run_few_samples(config, tmp_path)
    stored = np.load(tmp_path / "predictions.npz")
    correct = stored["predicted"] == stored["y_test"]
    np.testing.assert_allclose(100 * correct.mean(axis=1), rows.accuracy)


def test_some_classes_are_studied_as_if_there_were_no_others(config, images, tmp_path):
    data = dict(np.load(images))
    y_train, y_test = np.arange(40) % 4, np.arange(16) % 4
    np.savez(tmp_path / "four.npz", **data | {"y_train": y_train, "y_test": y_test})
    part = {key: data[key][y % 3 == 0] for key, y in (("x_train", y_train), ("x_test", y_test))}
    labels = {"y_train": y_train[y_train % 3 == 0], "y_test": y_test[y_test % 3 == 0]}
    np.savez(tmp_path / "two.npz", **part, **labels)
    config = replace(config, pool=16, n_test=None, n_samples=(4, 8))
    chosen = replace(config, data=str(tmp_path / "four.npz"), classes=(0, 3))
    alone = replace(config, data=str(tmp_path / "two.npz"))
    rows = run_few_samples(chosen, tmp_path / "chosen")
    pd.testing.assert_frame_equal(rows, run_few_samples(alone, tmp_path / "alone"))
    assert set(np.load(tmp_path / "chosen" / "predictions.npz")["predicted"].ravel()) <= {0, 3}
    *kernels, rest = plan_few_samples(chosen, tmp_path / "plan")
    assert [(plan.gram.n, plan.gram.m) for plan in kernels] == [(16, 16), (8, 16)]
    assert rest.counts == {"regressions": len(rows)}
    assert sum(rest.seconds.values()) > 0
    with pytest.raises(SpecError, match=r"classes must be among .* got \[7\]"):
        run_few_samples(replace(chosen, classes=(0, 7)), tmp_path / "none")


def test_steps_between_variants_stand_beside_those_published_for_two_classes(config, tmp_path):
    config = replace(config, depths=(1, 2), n_samples=(4, 8))
    run_few_samples(config, tmp_path)
    ten = pd.read_csv(tmp_path / "steps.csv")
    assert len(ten) == 2 * 2
    assert ten.published.isna().all()
    deeper = config.architecture | {"depth": 5, "readout": "gap"}
    two = replace(config, architecture=deeper, depths=(2, 3, 5), classes=(0, 1))
    run_few_samples(two, tmp_path / "two")
    steps = pd.read_csv(tmp_path / "two" / "steps.csv")
    # Table 2 counts the read-out: 71.05, 94.50 and 95.25 at depth 3, 4 and 6.
    published = steps.groupby("depth").published.first()
    assert published.round(6).to_dict() == {3: 23.45, 5: 0.75}
    assert len(pd.read_csv(tmp_path / "two" / "comparison.csv")) == 0
    flat = replace(two, architecture=deeper | {"readout": "flatten"})
    run_few_samples(flat, tmp_path / "flat")  # Table 2 is of global average pooling
    assert pd.read_csv(tmp_path / "flat" / "steps.csv").published.isna().all()


def test_only_cntks_are_held_against_published_depths(config, tmp_path):
    config = replace(config, architecture=MYRTLE, depths=None, n_samples=(10, 20))
    run_few_samples(config, tmp_path)
    assert len(pd.read_csv(tmp_path / "comparison.csv")) == 0
    assert len(pd.read_csv(tmp_path / "published.csv")) == 35


def test_without_a_seed_the_first_images_are_learned_whatever_their_balance(
    config, images, tmp_path
):
    config = replace(config, seed=None, n_draws=1, pool=7, n_samples=(3, 7), depths=(2,), alpha=0.0)
    rows = run_few_samples(config, tmp_path)
    data = np.load(images)
    X, X_test = data["x_train"][:7] / 255, data["x_test"][:12] / 255
    scaler = ChannelStandardizer().fit(X)
    X, X_test = scaler.transform(X), scaler.transform(X_test)
    for n in (3, 7):
        K, K_test = kernel(network_of(config), X[:n]), kernel(network_of(config), X_test, X[:n])
        scores = K_test @ np.linalg.solve(K, np.eye(2)[data["y_train"][:n]] - 0.5)
        [mine] = rows[(rows["get"] == "ntk") & (rows.n == n)].accuracy
        assert mine == pytest.approx(100 * np.mean(scores.argmax(1) == data["y_test"][:12]))
    summary = pd.read_csv(tmp_path / "summary.csv")
    np.testing.assert_array_equal(summary.mean_error, summary.test_error)
    assert summary.mean_error.notna().all()


def test_more_first_images_than_there_are_is_an_error(config, tmp_path):
    config = replace(config, seed=None, n_draws=1, pool=41, n_samples=(41,))
    with pytest.raises(SpecError, match="pool must be at most 40 training images here; got 41"):
        run_few_samples(config, tmp_path)
