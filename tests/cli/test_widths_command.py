import re
import shutil

import pytest
import yaml

from ntkreg.cli import main
from ntkreg.studies.shared.config import config_to_dict


@pytest.fixture
def request_of(widths_config, tmp_path):
    path = tmp_path / "w.yaml"
    path.write_text(yaml.safe_dump(config_to_dict(widths_config)))
    return str(path)


@pytest.mark.usefixtures("blank_pictures")
def test_a_finished_study_is_read_and_its_page_made(request_of, widths_folder, tmp_path, capsys):
    out = shutil.copytree(widths_folder, tmp_path / "out")
    assert main(["widths", request_of, "--output", str(out)]) == 0
    text = capsys.readouterr().out
    assert re.search(r"change of weights, hidden layers +ntk +2 +\w+ +-1 ", text)
    assert f"page   {out / 'page.html'}" in text
    assert (out / "page.html").read_text(encoding="utf-8").count("<img") == 7


def test_help_teaches_every_key(capsys):
    assert main(["widths", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for words in ("--n_starts", "whose kernels are measured", "One of {channel, zca, none}", "mup"):
        assert words.lower() in text.lower()


def test_plan_counts_networks_and_runs_none(request_of, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["plan", request_of]) == 0
    text = capsys.readouterr().out
    assert "networks   24 drawn, 18 of them trained; 6 kinds to compile" in text
    for words in ("Tflop", "memory", "disk", "by width: 8: "):
        assert words in text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["w.yaml"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rate", "2"], "rate must be between 0 and 1"),
        (["--n_stepz", "2"], "Did you mean --n_steps?"),
        (["--widths", "8"], "--widths must be a list such as"),
        (["--data", "nothing.npz"], "nothing.npz: there is no such file"),
        (["--positive", "[12]"], "positive must be some, not all, of the labels"),
    ],
)
def test_errors_are_one_line_that_says_what_to_do(request_of, tmp_path, options, message, capsys):
    assert main(["widths", request_of, *options, "--output", str(tmp_path / "o")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error
