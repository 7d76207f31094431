from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ntkreg.errors import DataError
from ntkreg.studies.complete import study as study_module
from ntkreg.studies.complete.paths import DEPTHS, SHARES
from ntkreg.studies.complete.plan import plan_complete
from ntkreg.studies.complete.runs import run_specs
from ntkreg.studies.complete.study import run_complete
from ntkreg.studies.complete.task import load_task


@pytest.fixture(scope="module")
def rows(complete_folder):
    return pd.read_csv(complete_folder / "rows.csv").fillna({"optimizer": ""})


def test_every_run_is_there_once(complete_config, rows):
    # Two instances: two numbers of entries by nuclear norm and two depths; the smaller start at
    # the reference for two depths; adam for one.
    assert len(rows) == 2 * (2 * 3 + 2 + 1)
    keys = ["rank", "n_seen", "instance", "depth", "init_scale", "optimizer"]
    assert not rows.duplicated(keys).any()
    assert len(set(run_specs(load_task(complete_config)))) == len(rows)
    deep = rows[rows.depth > 0]
    assert (deep.loss[deep.outcome == "reached"] <= 1e-4).all()
    assert (rows.outcome == "reached").mean() > 0.5
    assert (rows.steps > 0).all()


def test_a_killed_study_goes_on_to_the_same_rows(
    complete_config, complete_folder, rows, tmp_path, monkeypatch
):
    done, complete = [], study_module.complete

    def counting(task, spec):
        if len(done) == 5:
            raise KeyboardInterrupt
        done.append(spec)
        return complete(task, spec)

    monkeypatch.setattr(study_module, "complete", counting)
    with pytest.raises(KeyboardInterrupt):
        run_complete(complete_config, tmp_path, n_jobs=1, progress=False)
    assert not (tmp_path / "rows.csv").exists()
    journal = tmp_path / "finished.jsonl"
    assert len(journal.read_text().splitlines()) == 5
    with journal.open("a") as stream:
        stream.write('{"key": "cut o')  # a kill in the midst of a line
    monkeypatch.setattr(study_module, "complete", complete)
    again = run_complete(complete_config, tmp_path, n_jobs=1, progress=False)
    pd.testing.assert_frame_equal(
        again.drop(columns="seconds"), rows.drop(columns="seconds"), check_dtype=False
    )
    for name in ("paths", "deviations", "spectra"):
        assert (tmp_path / f"{name}.csv").read_bytes() == (
            complete_folder / f"{name}.csv"
        ).read_bytes()
    # Nothing is done any more, and less is asked of what is there.
    monkeypatch.setattr(study_module, "complete", None)
    less = run_complete(replace(complete_config, n_instances=1), tmp_path, progress=False)
    assert len(less) == len(rows) / 2


@pytest.mark.parametrize("damage", ['{"piece": 3}', "not JSON", '{"key": "x"}'])
def test_a_damaged_journal_is_told(complete_config, tmp_path, damage):
    (tmp_path / "finished.jsonl").write_text(f"{damage}\n")
    with pytest.raises(DataError, match=r"finished.jsonl, line 1.*Delete this file"):
        run_complete(complete_config, tmp_path, progress=False)


def test_matrices_are_of_their_rank_and_fewer_entries_are_some_of_more(complete_config):
    task = load_task(complete_config)
    few, many = task.instance(1, 50, 0), task.instance(1, 100, 0)
    truth = np.empty((12, 12))
    truth[few.held_out[:2]] = few.held_out[2]
    assert np.linalg.matrix_rank(truth) == 1
    assert np.mean(truth**2) == pytest.approx(1)
    np.testing.assert_array_equal(few.rows, many.rows[:50])
    np.testing.assert_array_equal(truth[many.rows, many.cols], many.values)
    other = task.instance(1, 50, 1)
    assert not np.array_equal(other.values, few.values)


def test_paths_lie_on_their_equation_the_nearer_the_smaller_the_step(complete_folder):
    found = pd.read_csv(complete_folder / "deviations.csv")
    by_share = found.pivot(index="depth", columns="share", values="deviation")
    assert set(by_share.index) == set(DEPTHS)
    assert (by_share[SHARES[1]] < 0.9 * by_share[SHARES[0]]).all()
    assert (by_share[SHARES[1]] < 0.1).all()
    paths = pd.read_csv(complete_folder / "paths.csv")
    for depth, own in paths.groupby("depth"):
        off = np.abs(own.sigma_1 - own.equation_1).max() / own.sigma_1.max()
        assert off <= by_share.loc[depth, SHARES[1]] * 1.001
        assert own.sigma_1.iloc[-1] > 10 * own.sigma_1.iloc[0]


def test_a_plan_counts_runs_and_seconds_and_makes_nothing(complete_config, tmp_path):
    [plan] = plan_complete(complete_config, tmp_path / "x")
    assert plan.counts == {"completions": 18, "paths": 8}
    assert set(plan.seconds) == {"nuclear norm", "depth 2", "depth 3", "paths"}
    assert all(seconds > 0 for seconds in plan.seconds.values())
    assert not (tmp_path / "x").exists()


@pytest.fixture
def ratings_file(tmp_path):
    rng = np.random.default_rng(0)
    truth = np.clip(np.round(3 + rng.normal(size=(15, 1)) * rng.normal(size=12)), 1, 5)
    lines = [
        f"{u + 1}\t{i + 1}\t{truth[u, i]:g}\t0"
        for u in range(15) for i in range(12) if rng.random() < 0.8
    ]  # fmt: skip
    path = tmp_path / "u.data"
    path.write_text("\n".join(lines))
    return path


def test_ratings_are_judged_on_what_is_held_out(complete_config, ratings_file, tmp_path):
    config = replace(
        complete_config, matrix=str(ratings_file), ranks=None, n_seen=None, bounds=(1, 5),
        reference_rank=None, reference_seen=None, held_out=0.2, n_paths=0, tol=0.05, size=20,
        n_instances=1,
    )  # fmt: skip
    given = load_task(config).instance(0, 10, 0)
    seen = set(zip(given.rows, given.cols, strict=True))
    out = set(zip(*given.held_out[:2], strict=True))
    assert not seen & out
    n = len(ratings_file.read_text().splitlines())
    assert len(out) == round(0.2 * n)
    rows = run_complete(config, tmp_path / "out", progress=False)
    assert set(rows.n_seen) == {n - len(out)}
    assert (rows.error < 5).all()


def test_more_is_not_seen_than_there_is(complete_config, ratings_file):
    config = replace(
        complete_config, matrix=str(ratings_file), ranks=None, n_seen=(10_000,),
        reference_rank=None, reference_seen=None,
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"n_seen must be at most the \d+ ratings .* got 10000"):
        load_task(config)
