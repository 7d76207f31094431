"""What docs/matrix_completion.md shows comes out as it says."""

import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ntkreg.cli import main

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "matrix_completion.md"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """Return what the page's Python leaves behind, its folder among it."""
    names: dict = {"folder": tmp_path_factory.mktemp("page")}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(names["folder"])
        for code in blocks("python"):
            exec(code, names)
    return names


def test_depth_three_is_nearest(names):
    errors = {
        name: np.mean((model.reconstruct() - names["truth"]) ** 2)
        for name, model in names["models"].items()
    }
    assert errors["depth 3"] < 0.01 * errors["nuclear norm"]
    assert errors["depth 3"] < errors["depth 2"] < 0.1 * errors["depth 1"]
    assert errors["depth 1"] > 0.5 * np.mean(names["truth"] ** 2)
    woken = names["models"]["depth 3"].path_["singular_values"]
    halves = [np.argmax(s > s[-1] / 2) for s in woken[:, :2].T]  # one after the other
    assert halves[0] < halves[1]
    assert (names["folder"] / "waking.png").stat().st_size > 1000


def test_its_commands_run(names, monkeypatch):
    made, whole = [shlex.split(line) for text in blocks("sh") for line in text.splitlines()]
    assert whole[:2] == made[:2] == ["ntkreg", "complete"]
    assert (ROOT / whole[2]).is_file()
    monkeypatch.chdir(names["folder"])
    made[2] = str(ROOT / made[2])
    assert main([*made[1:], "--n_instances", "1", "--n_jobs", "1"]) == 0
    folder = names["folder"] / "made_ratings"
    assert (folder / "page.html").is_file()
    rows = pd.read_csv(folder / "rows.csv")
    given = len((names["folder"] / "ratings.csv").read_text().splitlines()) - 1
    assert set(rows.n_seen) == {given - round(0.1 * given)}
    assert rows.error.min() < 0.5 * np.var(names["stars"])  # held out, and yet foreseen
