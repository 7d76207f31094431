import pytest
from small_sets import SMALL, write_set

from ntkreg.studies.compare.config import CompareConfig


@pytest.fixture
def folder(tmp_path):
    """Return a folder of three data sets that can be learnt."""
    where = tmp_path / "data"
    where.mkdir()
    for i, name in enumerate(("first", "second set", "third")):
        write_set(where / f"{name}.npz", n=40 + 4 * i, classes=2 + (i == 1), seed=i)
    return where


@pytest.fixture
def config(folder):
    """Return the published protocol on three models of four settings."""
    return CompareConfig(
        str(folder), SMALL, budget=4, protocol="shared tuning", kernel_scale="published", n_trees=5
    )
