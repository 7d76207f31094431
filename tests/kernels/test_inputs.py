"""What may come as a network and as its inputs, and what errors say."""

import numpy as np
import pytest
from scipy import sparse

from ntkreg import (
    Architecture,
    Conv,
    Dense,
    NTKClassifier,
    NTKRegressor,
    cntk,
    finite,
    fully_connected,
    kernel,
    myrtle,
    plan_gram,
)
from ntkreg.data import ChannelStandardizer, ZCAWhitener, downscale_images
from ntkreg.errors import PlanError, ShapeError, SpecError
from ntkreg.kernels import as_network, check_inputs

rng = np.random.default_rng(0)
V = rng.normal(size=(5, 4))
IMAGES = rng.normal(size=(5, 6, 6, 3))
MASKED = np.ma.array(V, mask=V > 1)
FIRST = np.zeros((5, 3, 32, 32))
NET = finite.finite_network(fully_connected(1), (4,), width=4)


@pytest.mark.parametrize("recipe", [fully_connected, cntk, "cntk"])
def test_a_recipe_that_was_not_called_is_told_so(recipe):
    name = getattr(recipe, "__name__", recipe)
    for ask in (
        lambda: kernel(recipe, V),
        lambda: as_network(recipe),
        lambda: finite.finite_network(recipe, (4,)),
        lambda: NTKRegressor(recipe).fit(V, V[:, 0]),
    ):
        with pytest.raises(ValueError, match=rf"Call the recipe: {name}\(\)|'architecture' param"):
            ask()
    with pytest.raises(SpecError, match=r"Wrap layers: Architecture"):
        kernel(Dense(), V)


@pytest.mark.parametrize(
    "get", [None, 3, (), ("ntk", None), ("ntk", "ntk"), ([],), "NTK", iter("a")]
)
def test_what_to_get_is_one_or_both_kernels(get):
    for ask in (kernel, plan_gram):
        with pytest.raises(SpecError, match='get must be "nngp", "ntk" or both in a tuple; got'):
            ask(fully_connected(1), V, get=get)


@pytest.mark.parametrize("masked", [MASKED, list(MASKED), tuple(MASKED)])
def test_masked_values_are_refused_by_all_that_take_inputs(masked):
    params = NET.init(0)
    y = np.arange(len(masked))
    for take in (
        lambda: kernel(fully_connected(1), masked),
        lambda: kernel(fully_connected(1), V, masked),
        lambda: check_inputs(fully_connected(1), masked),
        lambda: NTKRegressor().fit(masked, y),
        lambda: NTKRegressor().fit(V, np.ma.array(V[:, 0], mask=V[:, 0] > 0)),
        lambda: NTKClassifier().fit(V, np.arange(5)).predict(masked),
        lambda: ChannelStandardizer().fit(masked),
        lambda: ChannelStandardizer().fit(V).transform(masked),
        lambda: ZCAWhitener().fit(masked),
        lambda: NET.predict(params, masked),
        lambda: NET.apply(params, masked),
        lambda: finite.train(NET, finite.Training(0.1, 1), masked, y),
        lambda: finite.train(NET, finite.Training(0.1, 1), V, np.ma.masked_less(V[:, 0], 1)),
        lambda: finite.empirical_kernels(NET, params, masked),
    ):
        with pytest.raises(SpecError, match=r"masked value\(s\)"):
            take()


def test_a_mask_that_masks_nothing_is_no_mask():
    whole = np.ma.array(V, mask=False)
    assert np.array_equal(kernel(fully_connected(1), whole), kernel(fully_connected(1), V))


def test_errors_about_shapes_see_channels_that_come_first():
    standardizer = ChannelStandardizer().fit(FIRST.transpose(0, 2, 3, 1))
    for ask in (
        lambda: kernel(myrtle(5), FIRST),
        lambda: kernel(cntk(1), FIRST.transpose(0, 2, 3, 1), FIRST),
        lambda: kernel(Architecture([Conv(5, padding="VALID"), *cntk(1).layers[2:]]), FIRST),
        lambda: NTKRegressor(cntk(1), image_shape=(32, 32, 3)).fit(FIRST, np.arange(5)),
        lambda: standardizer.transform(FIRST),
        lambda: ChannelStandardizer(image_shape=(32, 32, 3)).fit(FIRST),
        lambda: ZCAWhitener().fit(rng.normal(size=(2, 32, 32, 3))).transform(FIRST),
        lambda: downscale_images(FIRST, 16),
        lambda: finite.finite_network(myrtle(5), (3, 32, 32)),
        lambda: finite.finite_network(cntk(1), (32, 32, 3)).apply((), FIRST),
    ):
        with pytest.raises(ShapeError, match=r"\(n, 3, 32, 32\): X.transpose\(0, 2, 3, 1\) puts"):
            ask()
    with pytest.raises(ShapeError) as caught:
        kernel(myrtle(5), np.zeros((5, 3, 3, 3)))
    assert "transpose" not in str(caught.value)


@pytest.mark.parametrize("scale", [1e-60, 1e60])
def test_values_that_a_dtype_cannot_hold_are_refused(scale):
    for take in (
        lambda X: kernel(fully_connected(1), X, dtype="float32"),
        lambda X: kernel(cntk(1), X.reshape(5, 2, 2, 1), dtype="mixed"),
        lambda X: finite.empirical_kernels(NET, NET.init(0), X),
        lambda X: finite.train(NET, finite.Training(0.1, 1), X, V[:, 0]),
    ):
        with pytest.raises(SpecError, match=r"does not fit float32: the largest value of row 0"):
            take(V * scale)
    # A black image, and a pixel that is lost beside others, are none of those.
    X = V.copy()
    X[0], X[1, 0] = 0, 1e-60
    assert np.isfinite(kernel(fully_connected(1), X, dtype="float32")).all()


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (sparse.csr_matrix(V), TypeError, r"X must be a dense array; got a sparse one. Use X.toar"),
        ([[1.0, 2.0], [3.0]], ShapeError, "X must be an array of numbers, rows of one length"),
        (None, TypeError, "X must hold real numbers; got dtype object"),
    ],
)
def test_what_is_no_array_of_numbers_is_named(X, error, message):
    with pytest.raises(error, match=message):
        kernel(fully_connected(1), X)
    with pytest.raises(error, match=message.replace("X", "Z")):
        kernel(fully_connected(1), V, X if X is not None else np.array([None]))


def test_masks_within_lists_are_found_and_lists_of_numbers_are_quick():
    with pytest.raises(SpecError, match=r"numpy.ma.filled\(X, 0\)"):
        kernel(fully_connected(1), list(MASKED))
    endless: list = []
    endless.append(endless)
    with pytest.raises((TypeError, ShapeError)):
        kernel(fully_connected(1), endless)


def test_a_class_is_no_network_yet():
    with pytest.raises(SpecError, match=r"Make one of this class first: Architecture\(\.\.\.\)"):
        kernel(Architecture, V)


def test_windows_whose_work_space_cannot_be_held_are_refused():
    with pytest.raises(PlanError, match=r"windows of 9999 pixels need [\d.]+ GB of work space"):
        kernel(cntk(2, window=9999), IMAGES)
