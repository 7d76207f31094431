import json
from dataclasses import dataclass

import pytest

from ntkreg.errors import SpecError
from ntkreg.studies.config import check_int, check_number, config_hash, make_config, read_config
from ntkreg.studies.few_samples import FewSamplesConfig
from ntkreg.studies.quickstart import QuickstartConfig
from ntkreg.studies.record import write_record

FEW_SAMPLES = {"data": "images.npz", "architecture": {"recipe": "cntk", "depth": 5}}


@dataclass(frozen=True)
class Small:
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


def test_a_number_that_yaml_reads_as_text_is_explained(tmp_path):
    with pytest.raises(SpecError, match=r"alpha must be a finite number >= 0; got '1e-6'.*1\.0e-6"):
        read_config(Small, written(tmp_path, "size: 1\nalpha: 1e-6\n"))


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
