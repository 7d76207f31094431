"""Tables of a Gram's blocks: made once for a place, forgotten when there is no room."""

import numpy as np

from ntkreg.architecture import cntk
from ntkreg.kernels import make_engine
from ntkreg.kernels.image import inputs as image_inputs

X = np.random.default_rng(0).normal(size=(40, 4, 5, 2)).astype(np.float32)


def test_a_block_is_made_once_and_gives_the_bits_of_a_plain_array():
    engine = make_engine(cntk(2), X.shape[1:], dtype="float32")
    whole = engine.prepare(X)
    assert whole[16:32].as_z is whole[16:32].as_z
    assert whole[8:][8:24].as_x is whole[16:32].as_x  # the same images, sliced twice
    assert whole[16:31].as_z is not whole[16:32].as_z
    got = engine.cross(whole[16:32], whole[:7])
    assert np.array_equal(got, engine.cross(X[16:32], X[:7]))


def test_blocks_used_longest_ago_are_forgotten_when_room_runs_out(monkeypatch):
    engine = make_engine(cntk(2), X.shape[1:], dtype="float32")
    whole = engine.prepare(X)
    first = whole[:16].as_z
    size = sum(a.nbytes for images in first for a in images)
    monkeypatch.setattr(image_inputs, "_ROOM", 2 * size)
    second = whole[16:32].as_z
    assert whole[:16].as_z is first  # used again, so the second goes first
    _ = whole[8:24].as_z
    assert whole[:16].as_z is first
    assert whole[16:32].as_z is not second
