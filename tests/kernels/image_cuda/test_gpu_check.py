"""`scripts/gpu_check.py`: all sections without a card, and the page of what a card found."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from emulated_cupy import COMPILER, NO_COMPILER

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

import bench_page
import gpu_check

SCRIPTS = Path(gpu_check.__file__).parent
NOT_THERE = ("zarr", "jsonargparse", "matplotlib")
"""What a machine with a card need not have."""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return a function that runs the script and returns its record and its rows."""
    if COMPILER is None:
        pytest.skip(NO_COMPILER)
    folder = tmp_path_factory.mktemp("check")
    for name in NOT_THERE:
        (folder / f"{name}.py").write_text(f"raise ImportError('no {name}')")
    rng = np.random.default_rng(0)
    sets = {"train": 12, "test": 4}
    data = {f"x_{s}": rng.integers(0, 256, (n, 8, 8, 3), np.uint8) for s, n in sets.items()}
    data |= {f"y_{s}": np.arange(n, dtype=np.uint8) % 2 for s, n in sets.items()}
    np.savez(folder / "part.npz", **data)

    def call(*options):
        environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{SCRIPTS.parent}"}
        command = [sys.executable, SCRIPTS / "gpu_check.py", "--emulated", "--output", folder]
        command += ["--studies", folder]
        subprocess.run([*command, *options], check=True, cwd=folder, env=environment)
        rows = pd.read_csv(folder / "cuda.csv")
        return json.loads((folder / "cuda.json").read_text()), rows, folder

    return call


@pytest.mark.slow
def test_every_section_runs_without_a_card_and_what_it_need_not_have(run):
    record, rows, folder = run("--data", "part.npz", "--seconds", "400")
    assert {s["status"] for s in record["sections"].values()} == {"ended with 0"}
    assert list(rows.section.unique()) == list(gpu_check.SECTIONS)
    assert not (folder / "cuda.md").exists()
    of = {name: part.dropna(axis=1, how="all") for name, part in rows.groupby("section")}
    assert (of["agreement"][["nngp", "ntk"]] < 1e-5).all(axis=None)
    assert set(of["agreement"].same_bits) == set(of["resume"].same_bits) == {True}
    assert set(of["resume"].killed) == {True}
    assert (of["rates"].of_bound > 0).all()
    assert len(of["accuracy"]) == 2
    assert (of["peers"].ratio > 0).all()  # neither peer was left out
    text = bench_page.remake(folder / "cuda")
    assert all(f"## {name}" in text for name in gpu_check.SECTIONS)


@pytest.mark.slow
def test_a_section_ends_at_its_deadline_and_is_said_to(run):
    record, _, _ = run("--only", "agreement", "rates", "--seconds", "2.2")
    statuses = [record["sections"][name]["status"] for name in ("agreement", "rates")]
    assert statuses == ["deadline", "no time left"]


def test_sections_that_are_not_run_again_are_kept(tmp_path, monkeypatch):
    rows = [{"section": "rates", "case": "10 conv, GAP"}, {"section": "peers", "case": "old"}]
    gpu_check.write_rows(tmp_path / "cuda.csv", rows)
    kept = {"about": "Kept.", "command": "python x", "machine": "a card", "date": "2026-11-27"}
    kept |= {"status": "ended with 0", "seconds": 1.5}
    record = {"page": "cuda", "sections": {"rates": kept, "peers": kept}}
    gpu_check.write(tmp_path / "cuda.json", record)
    monkeypatch.setattr(gpu_check, "machine", lambda emulated: "another card")
    command = ["--only", "peers", "--seconds", "0.5", "--data", __file__, "--output", str(tmp_path)]
    gpu_check.main(command)
    sections = json.loads((tmp_path / "cuda.json").read_text())["sections"]
    assert sections["rates"] == kept
    assert sections["peers"]["machine"] == "another card"
    words = "python scripts/gpu_check.py --seconds 0.5 --only peers --data FILE"
    assert sections["peers"]["command"] == words
    assert list(pd.read_csv(tmp_path / "cuda.csv").section) == ["rates"]


def test_a_record_of_a_card_becomes_a_page(tmp_path):
    rows = [{"section": "rates", "case": "10 conv, GAP", "pairs_a_second": 66941.4}]
    gpu_check.write_rows(tmp_path / "cuda.csv", rows)
    ways = {"command": "python x", "machine": "a card", "date": "2026-11-27"}
    about = {"about": "Pairs a second.", "status": "ended with 0", "seconds": 61.5, **ways}
    late = {"about": "Peers.", "status": "deadline", "seconds": 80.1, **ways}
    late |= {"command": "python y", "remark": "Of another day."}
    sections = {"rates": about, "peers": late}
    gpu_check.write(tmp_path / "cuda.json", {"page": "cuda", "sections": sections})
    text = bench_page.remake(tmp_path / "cuda")
    assert "rates: `python x`, 2026-11-27. a card." in text
    assert "peers: `python y`" in text
    assert "Of another day." in text
    assert "| case | pairs_a_second |" in text
    assert "| 10 conv, GAP | 66,941 |" in text
    assert "Peers. (deadline, 80.1 s)" in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--seconds", "nan"), "--seconds must be a number above 0; got nan"),
        (("--data", "no.npz"), "--data must be a file; got no.npz"),
        (("--neural-tangents", "no"), "--neural-tangents must be a folder; got no"),
        (("--only", "peer"), "invalid choice: 'peer'"),
        (("--output", __file__), "--output must be a folder; got"),
        (("--studies", __file__), "--studies must be a folder; got"),
    ],
)
def test_wrong_options_are_said(options, said, capsys):
    with pytest.raises(SystemExit):
        gpu_check.main([*options])
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("words", ['{"page": 3', "[]", '{"sections": 3}', '{"sections": {}}'])
def test_a_record_that_is_another_s_is_left_alone(words, tmp_path):
    (tmp_path / "cuda.json").write_text(words)
    with pytest.raises(SystemExit, match=r"cuda.json and .csv are not what this script left"):
        gpu_check.main(["--only", "peers", "--output", str(tmp_path)])
    assert (tmp_path / "cuda.json").read_text() == words
