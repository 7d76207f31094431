import dataclasses
from pathlib import Path

import numpy as np
import pytest
import yaml

from ntkreg.cli import main, results
from ntkreg.cli.main import COMMANDS
from ntkreg.cli.studies import STUDIES

STUDIES_FOLDER = Path(main.__code__.co_filename).parents[1] / "studies"


def test_every_folder_of_studies_is_a_command():
    folders = {p.parent.name for p in STUDIES_FOLDER.glob("*/study.py")}
    assert {study.folder for study in STUDIES.values()} == folders
    assert set(STUDIES) < set(COMMANDS)


@pytest.mark.parametrize("study", STUDIES.values(), ids=list(STUDIES))
def test_every_part_of_a_study_goes_by_its_name(study):
    assert dataclasses.is_dataclass(study.config)
    assert study.config.__name__.lower() == study.name.replace("-", "") + "config"
    assert study.run.__name__ == f"run_{study.folder}"
    assert study.ending is getattr(results, study.folder)
    if study.name in ("fit", "gram"):  # a model and kernels: no question, no page
        assert study.write_report is None
    else:
        assert study.write_report.__name__ == f"write_{study.folder}_report"


def test_a_study_of_networks_prints_its_table_and_its_files_once(tmp_path, capsys):
    rng = np.random.default_rng(0)
    path, out = tmp_path / "tiny.npz", tmp_path / "out"
    x, y = rng.integers(0, 256, (40, 4, 4, 3)).astype(np.uint8), np.arange(40) % 2
    np.savez(path, x_train=x, y_train=y, x_test=x[:10], y_test=y[:10])
    config = tmp_path / "network.yaml"
    keys = {"data": str(path), "architecture": {"recipe": "cntk", "depth": 1}, "pool": 8,
            "n_test": 10, "n_samples": [4], "n_draws": [2], "width": 3, "n_steps": 2}  # fmt: skip
    config.write_text(yaml.safe_dump(keys))
    assert main(["few-samples-network", str(config), "--output", str(out)]) == 0
    text = capsys.readouterr().out
    heading, *_, page, rows = text.splitlines()
    assert text.count("page.html") == 1
    assert heading == "Accuracy, %, mean ± standard deviation over draws:"
    assert [page, rows] == [f"page   {out / 'page.html'}", f"rows   {out / 'rows.csv'}"]
    assert all((out / name).exists() for name in ("page.html", "rows.csv"))
