import shutil

import pytest
from benchmark_pages import FOLDER

from ntkreg.cli import main
from ntkreg.report.register import REPORTS
from ntkreg.report.shared.kept import KeptStudy

FILES = ("cifar10_lap.csv", "cifar10_lap.json", "cifar10_lap.yaml")


@pytest.fixture
def stem(tmp_path):
    """Return the stem of a study that is kept."""
    for name in FILES:
        shutil.copy(FOLDER / name, tmp_path / name)
    return tmp_path / "cifar10_lap"


@pytest.fixture
def folder(tmp_path):
    """Return the folder that such a study wrote into."""
    study = KeptStudy(FOLDER / "cifar10_lap", REPORTS["FewSamples"].derived)
    for name in ("rows", "summary", "comparison", "published", "steps"):
        table = study.table(name if name != "steps" else "summary")
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    shutil.copy(FOLDER / FILES[1], tmp_path / "record.json")
    shutil.copy(FOLDER / FILES[2], tmp_path / "config.yaml")
    return tmp_path


def test_a_page_is_made_again(folder, capsys):
    assert main(["report", str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder / 'page.html'}\n"
    assert "CIFAR-10 from few images" in (folder / "page.html").read_text(encoding="utf-8")


def test_a_study_is_kept_with_remarks(folder, tmp_path, capsys):
    (tmp_path / "said.md").write_text("LAP has {{mean: ntk; 640}} %.")
    stem, remarks = tmp_path / "kept", str(tmp_path / "said.md")
    assert main(["report", str(folder), "--benchmark", str(stem), "--remarks", remarks]) == 0
    made = capsys.readouterr().out.split()
    assert [path.removeprefix(f"{stem}.") for path in made] == ["csv", "json", "yaml", "md", "png"]
    assert "LAP has 39.7 ± 2.7 %." in (tmp_path / "kept.md").read_text(encoding="utf-8")


def test_what_is_kept_is_enough(stem, capsys):
    assert main(["report", "--benchmark", str(stem)]) == 0
    assert capsys.readouterr().out == f"{stem}.md\n{stem}.png\n"
    kept = (FOLDER / "cifar10_lap.md").read_text(encoding="utf-8")
    made = stem.with_suffix(".md").read_text(encoding="utf-8")
    assert made.split("![")[1] == kept.split("![")[1]


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ([], "FOLDER is missing: what a study wrote into"),
        (["results/x", "--remarks", "r.md"], "--remarks needs --benchmark STEM"),
        (["results/nowhere"], "record.json is missing. Run the study into this folder first"),
        (["--benchmark", "nowhere/x"], "x.json is missing"),
        (["results/x", "results/y", "--benchmark", "z"], "--benchmark keeps one study"),
        (["nowhere/x", "nowhere/y"], "x.json is missing"),
    ],
)
def test_a_wrong_request_is_told_in_one_line(request_, said, capsys):
    assert main(["report", *request_]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
