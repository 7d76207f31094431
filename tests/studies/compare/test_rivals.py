"""Rivals of the extra: what is said where they are missing, and what they do where they are not."""

import importlib.util
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from ntkreg.errors import SpecError
from ntkreg.studies.compare import rivals
from ntkreg.studies.compare.config import CompareConfig
from ntkreg.studies.compare.plan import plan_compare
from ntkreg.studies.compare.study import run_compare

SETTING = {"bandwidth": 10.0, "reg": 1e-2, "diag": False}


def test_a_missing_rival_is_said_with_its_extra_before_any_work(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    config = CompareConfig(str(tmp_path), {"rival": "xrfm"})
    for ask in (run_compare, lambda *given: list(plan_compare(*given))):
        with pytest.raises(SpecError, match=r"kind xrfm needs .*pip install 'ntkreg\[rivals\]'"):
            ask(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("counts", [(20, 10), (1, 9), (1, 1)])
def test_it_is_tuned_on_a_fifth_of_its_own_training_rows(monkeypatch, counts):
    seen = {}

    class Machine:
        def __init__(self, parameters, **options):
            seen.update(options, parameters=parameters)

        def fit(self, *given):
            seen["parts"] = given

        def predict(self, X):
            return np.zeros((len(X), 1), int)

    monkeypatch.setitem(sys.modules, "xrfm", SimpleNamespace(xRFM=Machine, __spec__=1))
    torch = SimpleNamespace(manual_seed=lambda seed: None)
    monkeypatch.setitem(sys.modules, "torch", torch)
    y = np.repeat([7, 3], counts)
    X = np.arange(len(y))[:, None] + [[0, 100]]
    found = rivals.fit_and_predict_xrfm(SETTING, (X, y), X[:4], 0)
    assert found.tolist() == [3] * len(X[:4])
    trained, labels, judged, their_labels = seen["parts"]
    assert set(labels) == {0, 1}
    assert len(judged) == max(1, round(0.2 * len(y))) or len(y) == 2
    both = np.concatenate([trained, judged])[:, 0].astype(int)
    assert set(both) == set(range(len(y)))
    assert len(both) == len(y) or len(y) == 2
    codes = np.concatenate([labels, their_labels])
    assert ((y[both] == 7) == codes).all()
    assert seen["n_threads"] == 1


@pytest.mark.skipif(importlib.util.find_spec("xrfm") is None, reason="needs the extra rivals")
def test_xrfm_learns_without_a_download():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    y = np.array([5, 9])[(X[:, 0] * X[:, 1] > 0).astype(int)]
    found = rivals.fit_and_predict_xrfm(SETTING, (X[:150], y[:150]), X[150:], 0)
    assert np.mean(found == y[150:]) > 0.75
