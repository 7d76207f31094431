from pathlib import Path

import pytest

from ntkreg.cli import main
from ntkreg.cli.which_study import study_asked_for
from ntkreg.errors import SpecError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"

OF = {
    "cifar10_best_kernel": "few-samples-compare",
    "cifar10_few_samples": "few-samples",
    "cifar10_few_samples_cnn": "few-samples-network",
    "cifar10_flatten_2k": "few-samples",
    "cifar10_flatten_2k_held_out": "few-samples",
    "cifar10_gap_2k": "few-samples",
    "cifar10_lap": "few-samples",
    "cifar10_myrtle10": "few-samples",
    "cifar10_myrtle5": "few-samples",
    "cifar10_myrtle7": "few-samples",
    "cifar10_myrtle7_2k": "few-samples",
    "cifar10_precision": "precision",
    "cifar2_depths": "few-samples",
    "compare_images": "compare",
    "compare_tables": "compare",
    "compare_uci": "compare",
    "compare_uci_nested": "compare",
    "completion": "complete",
    "completion_movielens": "complete",
    "completion_rank10": "complete",
    "digits_fit": "fit",
    "landscape": "landscape",
    "landscape_digits": "landscape",
    "digits_gram": "gram",
    "optimizers_mnist": "optimizers",
    "widths_cifar10": "widths",
    "widths_conv16": "widths",
    "widths_conv8": "widths",
    "widths_mnist": "widths",
}


def asked_for(*arguments):
    return study_asked_for(arguments).name


@pytest.fixture
def open_config(tmp_path):
    """Return a file with keys that several studies have, named as no YAML file is."""
    path = tmp_path / "open.txt"
    path.write_text("data: digits\narchitecture: {recipe: cntk, depth: 2}\n")
    return str(path)


def test_every_configuration_of_the_repository_is_known():
    found = {path.stem: asked_for(str(path)) for path in CONFIGS.glob("*.yaml")}
    assert found == OF


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (["--n_train", "5"], "fit"),
        (["--n_train=5"], "fit"),
        (["--depths", "[1]"], "few-samples"),
        (["--width", "9"], "few-samples-network"),
        (["--positive", "[1]"], "widths"),
        (["--study", "few-samples"], "few-samples"),
    ],
)
def test_options_are_keys_too(open_config, options, name):
    assert asked_for(open_config, *options) == name
    assert asked_for("--explain", *options, "--output", "x.yaml", open_config) == name


def test_keys_of_several_studies_are_told_with_what_decides(open_config, capsys):
    assert main(["plan", open_config]) == 2
    assert capsys.readouterr().err == (
        f"ntkreg: plan: the keys of {open_config} suit fit, few-samples and few-samples-network. "
        "Say which with --study fit, few-samples or few-samples-network.\n"
    )


def test_the_nearest_study_says_what_is_wrong(tmp_path, capsys):
    path = tmp_path / "typo.yaml"
    path.write_text("data: digits\narchitecture: {recipe: cntk}\nn_trian: 5\nstore_kernel: true\n")
    assert main(["plan", str(path)]) == 2
    assert "unknown key 'n_trian'. Did you mean 'n_train'?" in capsys.readouterr().err
    assert main(["plan", str(CONFIGS / "digits_fit.yaml"), "--n_trian", "5"]) == 2
    assert "plan: unknown option --n_trian. Did you mean --n_train?" in capsys.readouterr().err


def test_keys_of_no_study_name_the_nearest(tmp_path):
    path = tmp_path / "none.yaml"
    path.write_text("date: digits\narchitecture: {recipe: cntk}\n")
    wrong = r"fit: unknown 'date', no data; few-samples: unknown 'date', no data; few-samples-net"
    with pytest.raises(SpecError, match=wrong):
        study_asked_for([str(path)])


def test_without_a_file_there_is_a_study_only_by_name(capsys):
    assert study_asked_for(["--n_jobs", "2"]) is None
    assert asked_for("--study", "quickstart") == "quickstart"
    assert main(["plan", "--study", "fit"]) == 2
    assert "plan: the following arguments are required: CONFIG" in capsys.readouterr().err
    assert main(["plan", "--study", "fti"]) == 2
    assert (
        "plan: --study must name a study; got 'fti'. Did you mean fit?" in capsys.readouterr().err
    )
    assert main(["plan", "--study", "precision", "--help"]) == 0
    assert "--copy_noise" in capsys.readouterr().out


def test_explain_is_for_studies_of_one_network(capsys):
    path = str(CONFIGS / "cifar10_precision.yaml")
    assert main(["plan", path, "--explain"]) == 2
    assert "unknown option --explain" in capsys.readouterr().err
