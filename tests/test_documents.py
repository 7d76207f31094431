"""What README.md and CONTRIBUTING.md show works as it is written."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ntkreg.kernels import make_engine

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"```python\n# (\S+?)(?:, (new|before|after)(?: `([^\n]*)`)?)?\n(.*?)```", re.S)


def _insert(path, where, line, code):
    if where == "new":
        path.write_text(code)
        return
    lines = path.read_text().splitlines(keepends=True)
    at = lines.index(line + "\n")
    assert lines.count(line + "\n") == 1, f"{path.name} has {line!r} more than once"
    lines.insert(at + (where == "after"), code)
    path.write_text("".join(lines))


def test_the_readmes_networks_are_networks_that_the_engines_run():
    section = (ROOT / "README.md").read_text().split("## Networks\n")[1]
    code = re.search(r"```python\n(.*?)```", section, re.S)[1]
    imports, lines = code.split("\n\n")
    names = {}
    exec(imports, names)
    for line in lines.splitlines():
        network = eval(line, names)
        shape = (12, 12, 3) if network.reads == "image" else (5,)
        assert make_engine(network, shape, dtype="float32").explain()


@pytest.mark.slow
def test_the_readmes_python_runs_from_top_to_bottom(tmp_path):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    assert len(blocks) == text.count("```python") >= 8
    code = "\n".join(blocks)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    accuracy, *_ = run.stdout.splitlines()
    assert float(accuracy) > 0.9
    assert (tmp_path / "results" / "mine" / "model.json").exists()


def test_the_readmes_costs_are_those_that_were_measured():
    measured = (ROOT / "benchmarks" / "sizes.md").read_text(encoding="utf-8")
    [table] = re.findall(r"(?:^\|.*\n)+", measured, re.M)
    assert table in (ROOT / "README.md").read_text(encoding="utf-8")


def test_no_other_document_shows_python_that_nothing_runs():
    documents = [path for room in (".", "benchmarks", "docs") for path in ROOT.glob(f"{room}/*.md")]
    texts = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in documents}
    assert len(texts) > 20
    with_python = [name for name, text in texts.items() if "```python" in text]
    assert sorted(with_python) == ["CONTRIBUTING.md", "README.md", "docs/matrix_completion.md"]
    with_doctests = [name for name, text in texts.items() if ">>> " in text]
    guides = ["cluster_plan", "estimators", "scale", "solvers"]  # by test_guide.py
    assert sorted(with_doctests) == [f"docs/{name}.md" for name in guides]


@pytest.mark.slow
def test_the_worked_example_of_an_activation_works_as_it_is_written(tmp_path):
    shutil.copytree(
        ROOT / "ntkreg", tmp_path / "ntkreg", ignore=shutil.ignore_patterns("__pycache__")
    )
    blocks = BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text())
    assert [where for _, where, *_ in blocks].count("new") == 1
    assert blocks[-1][0] == "check"
    for path, where, line, code in blocks[:-1]:
        _insert(tmp_path / path, where, line, code)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    environment["NUMBA_CACHE_DIR"] = str(tmp_path / "machine_code")
    check = f"{blocks[-1][3]}import ntkreg\nprint(ntkreg.__file__)\n"
    run = subprocess.run(
        [sys.executable, "-c", check], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == str(tmp_path / "ntkreg" / "__init__.py")
