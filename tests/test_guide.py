"""The examples of docs/estimators.md and docs/scale.md run as they stand, from top to bottom."""

import doctest
import re
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "estimators.md"


def test_the_guide_runs_as_it_stands():
    failed, run = doctest.testfile(str(GUIDE), module_relative=False)
    assert run >= 40
    assert failed == 0


def test_the_guide_to_kernels_in_folders_runs_as_it_stands():
    failed, run = doctest.testfile(str(GUIDE.with_name("scale.md")), module_relative=False)
    assert run >= 15
    assert failed == 0


def test_the_guide_names_every_estimator():
    from sklearn.base import BaseEstimator

    import ntkreg

    text = GUIDE.read_text(encoding="utf-8")
    estimators = [
        name
        for name in ntkreg.__all__
        if isinstance(found := getattr(ntkreg, name), type) and issubclass(found, BaseEstimator)
    ]
    preprocessing = {"ChannelStandardizer", "ZCAWhitener"}
    assert len(estimators) > len(preprocessing)
    assert [name for name in estimators if not re.search(rf"\b{name}\b", text)] == sorted(
        preprocessing
    )


@pytest.mark.parametrize("page", ["cluster_plan.md", "solvers.md"])
def test_the_pages_on_solving_and_on_clusters_run_as_they_stand(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, run = doctest.testfile(str(GUIDE.with_name(page)), module_relative=False)
    assert run >= 5
    assert failed == 0
