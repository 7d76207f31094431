import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ntkreg.errors import SpecError
from ntkreg.studies.few_samples.study import FewSamplesConfig
from ntkreg.studies.fit.config import FitConfig
from ntkreg.studies.quickstart.study import QuickstartConfig
from ntkreg.studies.shared.config import (
    check_flag,
    check_int,
    check_ints,
    check_number,
    check_source,
    config_hash,
    config_to_dict,
    make_config,
    read_config,
)
from ntkreg.studies.shared.record import write_record

FEW_SAMPLES = {"data": "images.npz", "architecture": {"recipe": "cntk", "depth": 5}}


@dataclass(frozen=True)
class Small:
    recorded_as = "Small"
    size: int
    alpha: float = 0.0

    def __post_init__(self):
        check_int("size", self.size, 1)
        check_number("alpha", self.alpha, 0)


def written(tmp_path, text):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    return path


def test_overrides_win_over_the_file(tmp_path):
    path = written(tmp_path, "size: 3\nalpha: 0.5\n")
    assert read_config(Small, path, {"alpha": 0.25}) == Small(3, 0.25)


def test_unknown_key_suggests_the_nearest(tmp_path):
    with pytest.raises(SpecError, match="Did you mean 'alpha'"):
        read_config(Small, written(tmp_path, "size: 3\nalhpa: 1\n"))


def test_missing_key_is_named(tmp_path):
    with pytest.raises(SpecError, match="'size' is missing"):
        read_config(Small, written(tmp_path, ""))


@pytest.mark.parametrize("text", ["[1, 2]", "size: [", "just text"])
def test_what_is_no_mapping_is_refused_with_the_file_named(tmp_path, text):
    with pytest.raises(SpecError, match=r"study\.yaml"):
        read_config(Small, written(tmp_path, text))


def test_a_number_without_a_dot_is_a_number_and_a_quoted_one_is_explained(tmp_path):
    assert read_config(Small, written(tmp_path, "size: 1\nalpha: 1e-6\n")).alpha == 1e-6
    with pytest.raises(SpecError, match=r"alpha must be .* got '1e-6'\. Write .* without quotes"):
        read_config(Small, written(tmp_path, "size: 1\nalpha: '1e-6'\n"))


def test_a_key_given_twice_is_named_with_its_lines(tmp_path):
    path = written(tmp_path, "size: 1\nalpha: 1\nsize: 2\n")
    with pytest.raises(SpecError, match="key 'size' is given twice, in line 1 and line 3"):
        read_config(Small, path)


def test_numpys_numbers_are_as_good_as_pythons():
    theirs = Small(np.int64(2), alpha=np.float32(0.5))
    assert config_to_dict(theirs) == config_to_dict(Small(2, alpha=0.5))
    assert config_hash(theirs) == config_hash(Small(2, alpha=0.5))
    assert check_ints("n", np.arange(1, 4), 1) == (1, 2, 3)
    assert check_flag("f", np.True_) is True
    assert check_source("data", Path("a/b.npz")) == str(Path("a/b.npz"))


@pytest.mark.parametrize("value", [10**400, -(10**400), 2**63, np.array(3), "3", None, True, 1.0])
def test_integers_beyond_bounds_and_other_kinds_are_refused_in_short(value):
    with pytest.raises(SpecError, match="n must be an integer >= 1") as caught:
        check_int("n", value, 1)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("value", [10**400, np.nan, np.inf, "1", 1j, np.zeros(2), True])
def test_numbers_beyond_bounds_and_other_kinds_are_refused_in_short(value):
    with pytest.raises(SpecError, match="alpha must be a finite number") as caught:
        check_number("alpha", value, 0)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("value", [None, 3, "", b"x", ["x"], "a\0b"])
def test_a_source_that_is_no_path_is_refused(value):
    with pytest.raises(SpecError, match="data must be the path of an npz file"):
        check_source("data", value)


def test_hash_follows_values_not_spelling(tmp_path):
    path = written(tmp_path, "alpha: 1.0\nsize: 2\n")
    assert config_hash(read_config(Small, path)) == config_hash(
        make_config(Small, {"size": 2, "alpha": 1.0})
    )
    assert config_hash(Small(2)) != config_hash(Small(3))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data", ""),
        ("data", 3),
        ("pool", 0),
        ("pool", True),
        ("n_test", -1),
        ("n_samples", []),
        ("n_samples", "10"),
        ("n_samples", [10, 10]),
        ("n_samples", [641]),
        ("n_draws", 2.5),
        ("architecture", "cntk"),
        ("architecture", {"recipe": "cntk", "width": 4}),
        ("depths", [0]),
        ("depths", [4, 6]),
        ("classes", [0]),
        ("classes", [0, 0]),
        ("classes", [-1, 0]),
        ("classes", "01"),
        ("preprocessing", "pca"),
        ("zca_regularization", 0),
        ("zca_regularization", -0.1),
        ("zca_regularization", "0.1"),
        ("normalize", "l2"),
        ("alpha", -1.0),
        ("alpha", float("nan")),
        ("alpha_scale", "trace"),
        ("dtype", "float16"),
        ("seed", -1),
    ],
)
def test_few_samples_names_the_key_of_a_wrong_value(key, value):
    with pytest.raises(SpecError, match=key):
        make_config(FewSamplesConfig, FEW_SAMPLES | {key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("n_images", 805),
        ("n_images", 0),
        ("n_train", [5]),
        ("n_train", [795]),
        ("n_splits", 0),
        ("dense_depth", 0),
        ("conv_depth", "5"),
        ("half_width", -1),
        ("alpha", "small"),
        ("alpha_scale", "relative"),
        ("n_hardest", 0),
        ("n_shown", 15),
        ("seed", 1.5),
    ],
)
def test_quickstart_names_the_key_of_a_wrong_value(key, value):
    with pytest.raises(SpecError, match=key):
        make_config(QuickstartConfig, {key: value})


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        (["/opt/env/bin/ntkreg", "fit", "c.yaml"], "ntkreg fit c.yaml"),
        (["/opt/env/lib/ntkreg/__main__.py", "fit", "c.yaml"], "python -m ntkreg fit c.yaml"),
    ],
)
def test_the_recorded_command_is_what_a_reader_can_type(monkeypatch, tmp_path, argv, command):
    monkeypatch.setattr("sys.argv", argv)
    write_record(tmp_path, make_config(FewSamplesConfig, FEW_SAMPLES))
    assert json.loads((tmp_path / "record.json").read_text())["command"] == command


@pytest.mark.parametrize(
    ("cls", "order"),
    [
        (
            FitConfig,
            "data architecture task n_train n_test preprocessing zca_regularization get "
            "normalize symmetry backend alpha alpha_scale dtype store_kernel",
        ),
        (
            FewSamplesConfig,
            "data architecture depths classes pool n_test n_samples n_draws preprocessing "
            "zca_regularization normalize symmetry backend alpha alpha_scale dtype seed",
        ),
    ],
)
def test_keys_of_kernel_studies_are_stored_in_the_order_they_always_had(cls, order):
    assert list(config_to_dict(cls(**FEW_SAMPLES))) == order.split()
