import pytest

from ntkreg.errors import SpecError
from ntkreg.studies.complete.config import CompleteConfig
from ntkreg.studies.shared.config import config_hash, config_to_dict


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"matrix": 3}, "matrix must be low-rank or a path"),
        ({"n_seen": [100, 10_001]}, r"n_seen must be at most size\^2, 10000"),
        ({"ranks": [101]}, "ranks must be at most size, 100"),
        ({"matrix": "u.data", "ranks": [5]}, "ranks are those of matrix: low-rank"),
        ({"bounds": [5, 1]}, "bounds must be None or two numbers"),
        ({"held_out": 1}, "held_out must be between 0 and 1"),
        ({"init_scales": []}, "init_scales must be a list"),
        ({"init_scales": [1e-3, 0]}, r"init_scales\[1\] must be above 0"),
        ({"optimizers": ["adam"]}, "gd among them"),
        ({"optimizers": ["gd", "lbfgs"]}, "optimizers must be one of gd"),
        ({"optimizer_depths": [5]}, "optimizer_depths must be one of 2, 3, 4"),
        ({"reference_rank": 7}, "reference_rank must be one of 5"),
        ({"reference_seen": 7}, "reference_seen must be one of 2000"),
        ({"tol": 0}, "tol must be above 0"),
        ({"depths": [0]}, "depths"),
    ],
)
def test_bad_keys_are_told(keys, message):
    with pytest.raises(SpecError, match=message):
        CompleteConfig(**{"matrix": "low-rank", **keys})


@pytest.mark.parametrize("keys", [{"matrix": "low-rank", "n_seen": [9, 5]}, {"matrix": "u.data"}])
def test_what_is_recorded_can_be_given_back(keys):
    config = CompleteConfig(**keys)
    assert config_hash(CompleteConfig(**config_to_dict(config))) == config_hash(config)
