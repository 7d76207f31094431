"""Steps that a plan expects, beside those that the runs of `benchmarks/` took."""

import pytest
import yaml
from benchmark_pages import FOLDER, rows

from ntkreg.studies.complete.config import CompleteConfig
from ntkreg.studies.complete.runs import RunSpec, run_specs
from ntkreg.studies.complete.steps import expected_steps
from ntkreg.studies.complete.task import load_task

KINDS = ["rank", "n_seen", "instance", "depth", "init_scale", "optimizer"]


@pytest.mark.parametrize("stem", ["completion", "completion_rank10"])
def test_expected_steps_add_up_to_those_of_the_rows_that_are_kept(stem):
    settings = yaml.safe_load((FOLDER / f"{stem}.yaml").read_text(encoding="utf-8"))
    task = load_task(CompleteConfig(**settings))
    table = rows(stem).fillna({"optimizer": ""})
    specs = [RunSpec(*line) for line in table[KINDS].itertuples(index=False)]
    assert set(specs) == set(run_specs(task))
    table["expected"] = [expected_steps(task, spec) for spec in specs]
    sums = table.groupby("depth")[["steps", "expected"]].sum()
    assert sums.eval("expected / steps").between(2 / 3, 1.5).all()
    assert 0.8 < sums.expected.sum() / sums.steps.sum() < 1.25
