import errno
import json
import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ntkreg import NuclearNormCompletion
from ntkreg.errors import DataError, DivergenceError
from ntkreg.storage import held_alone
from ntkreg.studies.complete import study as study_module
from ntkreg.studies.complete.paths import DEPTHS, SHARES, PathSpec, count_steps, follow
from ntkreg.studies.complete.plan import plan_complete
from ntkreg.studies.complete.runs import RunSpec, complete, run_specs
from ntkreg.studies.complete.study import run_complete, specs_of
from ntkreg.studies.complete.task import load_task


@pytest.fixture(scope="module")
def rows(complete_folder):
    return pd.read_csv(complete_folder / "rows.csv").fillna({"optimizer": ""})


def test_every_run_is_there_once(complete_config, rows):
    # Two instances: two numbers of entries by nuclear norm and two depths; the smaller start at
    # the reference for two depths; adam for one; long steps for depth 2 from both starts.
    assert len(rows) == 2 * (2 * 3 + 2 + 1 + 2)
    keys = ["rank", "n_seen", "instance", "depth", "init_scale", "optimizer"]
    assert not rows.duplicated(keys).any()
    assert len(set(run_specs(load_task(complete_config)))) == len(rows)
    deep = rows[rows.depth > 0]
    assert (deep.loss[deep.outcome == "reached"] <= 1e-4).all()
    assert (rows.outcome == "reached").mean() > 0.5
    assert (rows.steps > 0).all()


def test_a_stopped_study_goes_on_to_the_same_rows(
    complete_config, complete_folder, rows, tmp_path, monkeypatch
):
    done, do = [], study_module.do

    def counting(task, spec):
        if len(done) == 5:
            raise KeyboardInterrupt
        done.append(spec)
        return do(task, spec)

    monkeypatch.setattr(study_module, "do", counting)
    with pytest.raises(KeyboardInterrupt):
        run_complete(complete_config, tmp_path, n_jobs=1, progress=False)
    assert not (tmp_path / "rows.csv").exists()
    journal = tmp_path / "finished.jsonl"
    assert len(journal.read_text().splitlines()) == 5
    with journal.open("a") as stream:
        stream.write('{"key": "cut o')  # a kill in the midst of a line
    monkeypatch.setattr(study_module, "do", do)
    again = run_complete(complete_config, tmp_path, n_jobs=1, progress=False)
    pd.testing.assert_frame_equal(
        again.drop(columns="seconds"), rows.drop(columns="seconds"), check_dtype=False
    )
    for name in ("paths", "deviations", "spectra"):
        assert (tmp_path / f"{name}.csv").read_bytes() == (
            complete_folder / f"{name}.csv"
        ).read_bytes()
    # Nothing is done any more, and less is asked of what is there.
    monkeypatch.setattr(study_module, "do", None)
    less = run_complete(replace(complete_config, n_instances=1), tmp_path, progress=False)
    assert len(less) == len(rows) / 2


def test_a_full_disk_keeps_what_is_finished(complete_config, tmp_path, monkeypatch):
    write, written = os.fsync, []

    def full(descriptor):
        written.append(descriptor)
        if len(written) > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        run_complete(complete_config, tmp_path, n_jobs=1, progress=False)
    assert len((tmp_path / "finished.jsonl").read_text().splitlines()) >= 3
    with pytest.raises(NotADirectoryError):
        run_complete(complete_config, tmp_path / "finished.jsonl" / "x", progress=False)


def test_a_folder_has_one_study_at_a_time(complete_config, tmp_path):
    with (
        held_alone(tmp_path / "finished.jsonl"),
        pytest.raises(BlockingIOError, match="another process is working on it"),
    ):
        run_complete(complete_config, tmp_path, progress=False)


def as_piece(line, **changes):
    """Return a line of a journal with other values in its piece; None takes one away."""
    entry = json.loads(line)
    piece = {k: v for k, v in (entry["piece"] | changes).items() if v is not None}
    return json.dumps(entry | {"piece": piece})


@pytest.mark.parametrize(
    "damage",
    [
        lambda run, path: '{"piece": 3}',
        lambda run, path: "not JSON",
        lambda run, path: '{"key": "x"}',
        lambda run, path: "[" * 10_000,
        lambda run, path: '{"key": "x", "piece": ' + "[" * 200 + "]" * 200 + "}",
        lambda run, path: '{"key": "' + "x" * 2_000_000 + '"}',
        lambda run, path: as_piece(run, depth=7),
        lambda run, path: as_piece(run, error="<b>0</b>"),
        lambda run, path: as_piece(run, error=[1.0]),
        lambda run, path: as_piece(run, error=10**400),
        lambda run, path: as_piece(run, error=True),
        lambda run, path: as_piece(run, error=None),
        lambda run, path: as_piece(run, more=1.0),
        lambda run, path: as_piece(run, outcome="<b>"),
        lambda run, path: as_piece(run, loss=7).replace("7", "1e999"),
        lambda run, path: as_piece(path, points=3),
        lambda run, path: as_piece(path, points=[[0.0, 1.0, [1.0], [1.0]]]),
        lambda run, path: as_piece(path, points=[[0.0, 1.0, [1.0] * 10, ["x"] * 10]]),
    ],
)
def test_a_strangers_journal_is_told(complete_config, complete_folder, tmp_path, damage):
    lines = (complete_folder / "finished.jsonl").read_text().splitlines()
    run, path = (next(v for v in lines if ('"points"' in v) == is_path) for is_path in (0, 1))
    (tmp_path / "finished.jsonl").write_text(f"{damage(run, path)}\n")
    with pytest.raises(DataError, match=r"finished.jsonl, line 1.*Delete this file"):
        run_complete(complete_config, tmp_path, progress=False)


def test_pieces_that_nobody_asks_for_are_passed_over(complete_config, complete_folder, tmp_path):
    content = (complete_folder / "finished.jsonl").read_text()
    (tmp_path / "finished.jsonl").write_text('{"key": "x", "piece": {"error": "y"}}\n' + content)
    rows = run_complete(complete_config, tmp_path, progress=False)
    assert rows.error.dtype == float
    (tmp_path / "rows.csv").unlink()
    (tmp_path / "finished.jsonl").unlink()
    os.truncate(os.open(tmp_path / "finished.jsonl", os.O_CREAT | os.O_RDWR), 10**9)
    with pytest.raises(DataError, match=r"larger than .*Delete this file"):
        run_complete(complete_config, tmp_path, progress=False)


def test_a_run_that_diverges_is_a_row(complete_config, monkeypatch):
    def diverge(self, *args, **kwargs):
        raise DivergenceError("at rate 3")

    monkeypatch.setattr("ntkreg.factorization.DeepMatrixFactorization.fit", diverge)
    row = complete(load_task(complete_config), RunSpec(1, 50, 0, 2, 1e-2, "sgd"))
    assert row["outcome"] == "diverged"
    assert np.isnan(row["error"])
    assert row["seconds"] >= 0


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


def test_a_plan_counts_runs_and_seconds_and_makes_nothing(complete_config, tmp_path, monkeypatch):
    place = "ntkreg.studies.complete.plan.seconds_to_start"
    monkeypatch.setattr(place, lambda work, n_jobs, n_pieces: 100 * n_jobs + n_pieces)
    [plan] = plan_complete(complete_config, tmp_path / "x", n_jobs=2)
    assert plan.counts == {"completions": 22, "paths": 8}
    parts = {"nuclear norm", "depth 2", "depth 3", "paths", "starting processes"}
    assert set(plan.seconds) == parts | {"waiting for the last"}
    assert plan.seconds["starting processes"] == 100 * 2 + 22 + 8
    assert all(plan.seconds[name] > 0 for name in parts)
    assert plan.seconds["waiting for the last"] >= 0
    assert not (tmp_path / "x").exists()


def test_the_longest_paths_begin(complete_config):
    specs = specs_of(load_task(complete_config))
    shares = [spec.share for spec in specs if isinstance(spec, PathSpec)]
    assert shares == [spec.share for spec in specs[: len(shares)]] == sorted(shares)


def test_steps_of_a_path_are_counted_as_it_takes_them(complete_config):
    task = load_task(complete_config)
    for depth in (1, 2):
        spec = PathSpec(0, depth, SHARES[0])
        assert count_steps(task, spec, 60.0) == follow(task, spec)["steps"]
    assert count_steps(task, spec, 0.0) is None


FORMATS = {
    "u.data": "{}\t{}\t{}\t881250949",
    "ratings.dat": "{}::{}::{}::978300760",
    "ratings.csv": "{},{},{},964982703",
}
"""MovieLens' files: of 100,000 ratings, of a million, and those of today, under a heading."""


def write_ratings(folder, name):
    """Write ratings of 15 users by 12 items, four of five seen, as MovieLens would."""
    rng = np.random.default_rng(0)
    truth = np.clip(np.round(3 + rng.normal(size=(15, 1)) * rng.normal(size=12)), 1, 5)
    lines = [
        FORMATS[name].format(u + 1, 10 * i + 1, f"{truth[u, i]:g}")
        for u in range(15) for i in range(12) if rng.random() < 0.8
    ]  # fmt: skip
    if name.endswith("csv"):
        lines.insert(0, "userId,movieId,rating,timestamp")
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def ratings_file(tmp_path):
    return write_ratings(tmp_path, "u.data")


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
    rows = run_complete(config, tmp_path / "out", n_jobs=1, progress=False)
    assert set(rows.n_seen) == {n - len(out)}
    assert (rows.error < 5).all()
    # The error is that of the ratings held out, cut off at the bounds.
    task = load_task(config)
    given = task.instance(0, task.n_seen[0], 0)
    model = NuclearNormCompletion(bounds=(1, 5))
    model.fit(given.rows, given.cols, given.values, shape=given.shape)
    i, j, values = given.held_out
    expected = np.mean((model.predict(i, j) - values) ** 2)
    assert rows.error[rows.depth == 0].item() == pytest.approx(expected)


def test_each_of_movielens_formats_is_the_same_task(complete_config, tmp_path):
    found = []
    for name in FORMATS:
        config = replace(
            complete_config, matrix=str(write_ratings(tmp_path, name)), ranks=None, n_seen=None,
            bounds=(1, 5), reference_rank=None, reference_seen=None, size=20,
        )  # fmt: skip
        task = load_task(config)
        given = task.instance(0, task.n_seen[0], 0)
        assert (task.source, task.shape) == (name, (15, 12))
        found.append([*given.held_out, given.rows, given.cols, given.values])
        assert len(given.values) + len(given.held_out[0]) == len(task.ratings.values)
        assert set(given.values) <= {1, 2, 3, 4, 5}
    for other in found[1:]:
        for ours, theirs in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_more_is_not_seen_than_there_is(complete_config, ratings_file):
    config = replace(
        complete_config, matrix=str(ratings_file), ranks=None, n_seen=(10_000,),
        reference_rank=None, reference_seen=None,
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"n_seen must be at most the \d+ ratings .* got 10000"):
        load_task(config)
