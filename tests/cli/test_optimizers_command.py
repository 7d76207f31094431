import shutil
from pathlib import Path

import pytest
import yaml

from ntkreg import finite
from ntkreg.cli import main

CONFIG = str(Path(__file__).resolve().parents[2] / "configs" / "optimizers_mnist.yaml")


@pytest.mark.usefixtures("blank_pictures")
def test_the_command_goes_on_where_a_study_is_and_makes_its_page(
    optimizers_folder, tmp_path, monkeypatch, capsys
):
    copy = shutil.copytree(optimizers_folder, tmp_path / "copy")
    (copy / "runs.csv").unlink()
    monkeypatch.setattr(finite, "train", None)  # every run is there
    assert main(["optimizers", str(copy / "config.yaml"), "--output", str(copy)]) == 0
    out = capsys.readouterr().out
    assert "Kernel trajectory, slope of the gap" in out
    assert f"page   {copy / 'page.html'}" in out
    assert (copy / "runs.csv").read_text() == (optimizers_folder / "runs.csv").read_text()


def test_rates_are_laid_over_those_of_the_file(capsys):
    request = ["optimizers", CONFIG, "--rates", "{adam: 0.5}", "--print_config"]
    assert main(request) == 0
    found = yaml.safe_load(capsys.readouterr().out)
    assert found["rates"]["adam"] == 0.5
    assert found["rates"]["gradient_descent"] == 0.25
    assert len(found["optimizers"]) == 8


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--data", "nowhere.npz", "nowhere.npz: there is no such file"),
        ("--levels", "[0.01,0.1]", "levels must fall, from below 0.5; got [0.01, 0.1]"),
        ("--optimizers", "[adam]", "gradient_descent among them; got ['adam']"),
        ("--optimisers", "[adam]", "unknown option --optimisers. Did you mean --optimizers?"),
        ("--width", "100", "width must be one of 32, 64, 128, 256; got 100"),
        ("--rates", "{adam: -1}", "rates.adam must be a finite number >= 0; got -1"),
        ("--seeds", "few", "--seeds must be a list such as '[10,20]'; got few"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(option, value, words, tmp_path, capsys):
    assert main(["optimizers", CONFIG, option, value, "--output", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
