"""What plans say that engines keep of images, beside what they keep."""

import numpy as np
import pytest

from ntkreg import cntk, compute_gram
from ntkreg.gram.prepared import prepared_bytes
from ntkreg.gram.work import check_work
from ntkreg.kernels import KernelSpec
from ntkreg.kernels.image import inputs

RNG = np.random.default_rng(0)
X, Z = (RNG.standard_normal((n, 4, 4, 1), dtype=np.float32) for n in (96, 64))


@pytest.mark.parametrize("columns", [None, Z])
@pytest.mark.parametrize("symmetry", [None, "flip"])
def test_tables_of_images_take_what_the_plan_says(monkeypatch, symmetry, columns):
    kept, make = [], inputs._Kept.__init__
    monkeypatch.setattr(inputs._Kept, "__init__", lambda self: kept.append(self) or make(self))
    spec = KernelSpec(cntk(2), symmetry=symmetry)
    work = check_work(spec, X, columns)
    planned = prepared_bytes(work.engine, len(X), None if columns is None else len(columns))
    compute_gram(cntk(2), X, columns, symmetry=symmetry)
    held = sum(each._bytes for each in kept)
    assert 0.85 * planned <= held <= planned
