from pathlib import Path

import pytest

from ntkreg.errors import SpecError
from ntkreg.studies.landscape.config import LandscapeConfig
from ntkreg.studies.shared.config import read_config

CONFIGS = Path(__file__).parents[3] / "configs"


@pytest.mark.parametrize("name", ["landscape", "landscape_digits"])
def test_committed_configurations_are_read(name):
    config = read_config(LandscapeConfig, CONFIGS / f"{name}.yaml")
    assert config.widths[-1] > config.n_train


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("surface", "", "surface must be gaussian, digits or a path"),
        ("positive", [1], "leave it at null for gaussian"),
        ("widths", [0, 2, 4], r"widths\[0\] must be an integer >= 1; got 0"),
        ("widths", [2, 4], "widths must be at least 3"),
        ("n_train", 1, "n_train must be an integer >= 4; got 1"),
        ("n_batches", 33, "at most half of n_train, 32"),
        ("n_seeds", 5, "n_seeds must be even"),
        ("n_seeds", 2, "n_seeds must be an integer >= 4"),
        ("levels", [0.1], "a list of two losses or more"),
        ("levels", [0.1, 1.5], "between 0 and 1"),
        ("levels", "low", "a list of two losses"),
        ("rate", 1.0, "rate must be between 0 and 1"),
        ("rate", float("nan"), "rate must be"),
        ("max_steps", 10**30, "max_steps must be an integer"),
    ],
)
def test_a_wrong_setting_is_named(key, value, message):
    with pytest.raises(SpecError, match=message):
        LandscapeConfig(**{"surface": "gaussian", key: value})
