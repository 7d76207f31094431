"""What docs/matrix_completion.md shows comes out as it says."""

import re
from pathlib import Path

import numpy as np

PAGE = Path(__file__).resolve().parents[1] / "docs" / "matrix_completion.md"


def test_its_code_runs_and_depth_three_is_nearest(capsys):
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    names: dict = {}
    exec(code, names)
    errors = {
        name: np.mean((model.reconstruct() - names["truth"]) ** 2)
        for name, model in names["models"].items()
    }
    assert errors["depth 3"] < 0.01 * errors["nuclear norm"]
    assert errors["depth 2"] < 0.1 * errors["depth 1"]
    assert errors["depth 1"] > 0.5 * np.mean(names["truth"] ** 2)
    assert len(capsys.readouterr().out.splitlines()) == len(errors) == 4
    woken = names["models"]["depth 3"].path_["singular_values"]
    halves = [np.argmax(s > s[-1] / 2) for s in woken[:, :2].T]  # one after the other
    assert halves[0] < halves[1]
