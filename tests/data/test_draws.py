import numpy as np
import pytest

from ntkreg.data import balanced_draws
from ntkreg.errors import ShapeError, SpecError

Y = np.array(list("abcabcabcabcaaab"))


def test_each_draw_is_balanced_and_without_repeats():
    draws = balanced_draws(Y, 6, 20, seed=0)
    assert draws.shape == (20, 6)
    for draw in draws:
        assert len(set(draw.tolist())) == 6
        assert sorted(Y[draw]) == list("aabbcc")


def test_every_member_is_drawn_about_equally_often():
    drawn = np.bincount(balanced_draws(Y, 6, 6000, seed=1).ravel(), minlength=len(Y)) / 6000
    for label in "abc":
        share = 2 / np.sum(label == Y)
        assert np.abs(drawn[label == Y] - share).max() < 5 * np.sqrt(share / 6000)


def test_same_seed_same_draws_other_seed_other_draws():
    first = balanced_draws(Y, 6, 5, seed=3)
    np.testing.assert_array_equal(first, balanced_draws(Y, 6, 5, seed=3))
    assert not np.array_equal(first, balanced_draws(Y, 6, 5, seed=4))
    assert len({tuple(draw) for draw in first.tolist()}) > 1


def test_draws_are_nested_in_n_and_do_not_depend_on_their_number():
    small, large = balanced_draws(Y, 3, 2, seed=0), balanced_draws(Y, 9, 7, seed=0)
    for few, many in zip(small, large[:2], strict=True):
        assert set(few) < set(many)


@pytest.mark.parametrize(
    ("n", "n_draws", "message"),
    [
        (7, 1, "multiple of the number of classes, 3; got 7. The nearest are 6 and 9"),
        (0, 1, "n must be >= 1"),
        (3, 0, "n_draws must be >= 1"),
        (15, 1, "class c has 4. n can be at most 12"),
    ],
)
def test_impossible_draws_say_what_would_do(n, n_draws, message):
    with pytest.raises(SpecError, match=message):
        balanced_draws(Y, n, n_draws, seed=0)


@pytest.mark.parametrize("y", [[], [[0, 1]]])
def test_labels_of_a_wrong_shape_are_refused(y):
    with pytest.raises(ShapeError, match="one label a sample"):
        balanced_draws(y, 2, 1, seed=0)
