"""What a kernel costs on a cluster, beside closed forms and a cluster that fails at random."""

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ntkreg import fully_connected, plan_gram
from ntkreg.cli import main
from ntkreg.errors import PlanError, SpecError
from ntkreg.gram import plan as gram_plan
from ntkreg.gram.layout import Layout
from ntkreg.gram.tiles import iter_tiles
from ntkreg.studies.shared.cluster_plan import (
    Cluster,
    KernelWork,
    plan_of_cluster,
    plan_on_cluster,
)
from ntkreg.studies.shared.config import read_config
from ntkreg.studies.shared.solve_plan import plan_solve

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"

QUIET = {"start_seconds": 0, "restart_seconds": 0}
"""A cluster that is there and never fails."""


def _work(n=1000, m=None, tile=100, **sizes):
    sizes = {"value_bytes": 4, "input_bytes": 1000, **sizes}
    return KernelWork(n, m or n, m is None, tile, **sizes)


@pytest.mark.parametrize(("n", "m"), [(1000, None), (930, None), (17, None), (250, 1030)])
def test_tiles_and_pairs_are_those_of_a_gram(n, m):
    work = _work(n, m)
    layout = Layout(("ntk",), None, n, m or n, m is None, np.dtype("f4"), 100)
    pairs = [tile.pairs(m is None) for tile in iter_tiles(layout, 100)]
    assert work.tile_pairs().tolist() == pairs
    assert work.tiles == len(pairs)
    assert work.pairs == sum(pairs)


def test_one_core_takes_the_pairs_at_its_rate_and_many_the_same_time_divided():
    one = plan_on_cluster(_work(), Cluster(1, 1, core_rate=50, **QUIET))
    assert one.computing == pytest.approx(500_500 / 50)
    many = plan_on_cluster(_work(10_000, tile=50), Cluster(5, 4, core_rate=50, **QUIET))
    assert many.computing == pytest.approx(10_000 * 10_001 / 2 / 50 / 20, rel=0.01)
    assert many.efficiency == pytest.approx(1, abs=0.02)


def test_the_last_round_counts():
    # Six tiles of 100 x 200 columns: two rounds on four cores, and as long on five.
    work = _work(200, 300)
    four, five, six = (
        plan_on_cluster(work, Cluster(1, k, core_rate=1, **QUIET)) for k in (4, 5, 6)
    )
    assert four.computing == five.computing == 2 * 100 * 100
    assert six.computing == 100 * 100
    # On a diagonal, half a tile: the whole one between ends last.
    assert plan_on_cluster(_work(200), Cluster(1, 2, core_rate=1, **QUIET)).computing == 100 * 101


def test_very_many_tiles_go_on_from_those_that_are_followed(monkeypatch):
    work, cluster = _work(2000, 1000), Cluster(7, 3, core_rate=10, hours_between_failures=5)
    followed = plan_on_cluster(work, cluster)
    monkeypatch.setattr("ntkreg.studies.shared.cluster_plan._MOST_FOLLOWED", 10)
    assert plan_on_cluster(work, cluster).seconds == pytest.approx(followed.seconds)
    assert plan_on_cluster(work, cluster).redone == pytest.approx(followed.redone)


def test_failures_cost_what_a_cluster_that_fails_at_random_loses():
    tile, mean, restart, times = 60.0, 90.0, 20.0, 40_000
    rng = np.random.default_rng(0)
    spent = np.full(times, tile)
    left = np.arange(times)
    while len(left):  # begun anew after each failure that comes before its end
        until = rng.exponential(mean, len(left))
        failed = until < tile
        left = left[failed]
        spent[left] += until[failed] + restart
    cluster = Cluster(
        1, 1, core_rate=1, hours_between_failures=mean / 3600, restart_seconds=restart
    )
    plan = plan_on_cluster(_work(6, 10, tile=10), cluster)
    error = spent.std() / times**0.5
    assert abs(plan.computing - spent.mean()) < 4 * error
    assert plan.redone == pytest.approx(plan.computing - tile)


def test_inputs_go_along_a_tree_and_values_into_the_store_meanwhile():
    cluster = Cluster(128, 1, core_rate=1e6, network_bandwidth=10, store_bandwidth=7, **QUIET)
    plan = plan_on_cluster(_work(), cluster)
    assert plan.sending == 8 * 1000 / 10
    assert plan.storing == 55 * 100**2 * 4 / 7
    assert plan.seconds == plan.sending + plan.storing
    assert "which the store holds up" in str(plan)
    assert "smaller tiles would occupy more" in str(plan)
    assert plan.hours == pytest.approx(128 * plan.seconds / 3600)


def test_gpus_compute_where_there_are_some():
    plan = plan_on_cluster(
        _work(tile=10), Cluster(2, 64, gpus=4, gpu_rate=100, core_rate=1, **QUIET)
    )
    assert (plan.workers, plan.kind) == (8, "GPU")
    assert plan.computing == pytest.approx(500_500 / 100 / 8, rel=0.05)
    with pytest.raises(SpecError, match="gpu_rate is missing"):
        Cluster(2, 64, gpus=4)


def test_a_solve_takes_what_it_took_in_the_benchmark():
    rows = pd.read_csv(BENCHMARKS / "scale.csv")
    rows = rows.pivot_table(index=["stage", "n"], columns="figure", values="value")
    checked = 0
    for (stage, n), row in rows.iterrows():
        names = {"Cholesky, read from the store": None, "conjugate gradients, block": 0.0}
        if stage not in names or n < 20_000:
            continue
        plan = plan_solve(n, 2 * n**2, flops=2e10, bandwidth=1e10, memory=names[stage])
        assert plan.name == stage.split(",")[0].removesuffix(" block")
        assert plan.seconds == pytest.approx(row["CPU seconds"], rel=0.25)
        if plan.name != "Cholesky":
            assert plan.passes == pytest.approx(row.iterations + 1 + row.pivots / 512, rel=0.15)
        checked += 1
    assert checked == 3


def test_a_factor_is_taken_while_it_fits_and_a_store_is_read_as_far_as_memory_keeps_none():
    sizes = {"flops": 1e12, "bandwidth": 1e9}
    assert plan_solve(10_000, 2e8, memory=8.9e8, **sizes).name == "Cholesky"
    less = plan_solve(10_000, 2e8, memory=8.8e8, **sizes)
    assert (less.name, less.fits) == ("conjugate gradients", True)
    big, huge = 4e5, 4e11
    kept, read = (plan_solve(int(big), huge, memory=m, **sizes) for m in (1e12, 1e11))
    assert read.seconds - kept.seconds > 0.5 * read.passes * (huge - 1e11) / 1e9
    none = plan_solve(int(big), huge, memory=1e6, **sizes)
    assert not none.fits
    assert "impossible on one machine" in str(none)


def test_a_kernel_for_a_cluster_need_not_fit_here(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ntkreg.gram.plan.free_disk", lambda folder: 10)
    (tmp_path / "small.yaml").write_text(
        "{data: digits, architecture: {recipe: fully_connected, depth: 1}, get: [ntk], "
        "n_train: 60, n_test: 20}"
    )
    (tmp_path / "cluster.yaml").write_text("{machines: 3, cores: 2, core_rate: 10}")
    command = ["plan", "small.yaml", "--study", "gram"]
    assert main(command) == 2
    assert "disk" in capsys.readouterr().err
    assert main([*command, "--cluster", "cluster.yaml"]) == 0
    assert capsys.readouterr().out.count("solve   about") == 1  # none of test x training rows


def test_a_plan_for_this_machine_has_what_a_cluster_needs(monkeypatch):
    monkeypatch.setattr(gram_plan, "seconds_to_begin", lambda *given: 5.0)
    X = np.ones((70, 5), np.float32)
    plan = plan_gram(fully_connected(1), X, get=("nngp", "ntk"), folder="unused", tile=32)
    work = KernelWork.of(plan)
    assert work == (70, 70, True, plan.tile, 8, X.nbytes)
    assert (work.pairs, work.tiles, work.stored_bytes) == (plan.pairs, plan.tiles, plan.disk_bytes)
    found = plan_of_cluster(plan, Cluster(1, 1, **QUIET))
    assert plan.seconds > plan.starting == 5  # which workers have each for itself
    working = plan.seconds - plan.starting
    assert found.busy == pytest.approx(working * min(plan.n_jobs, plan.tiles))


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"machines": 0}, "machines must be an integer >= 1; got 0"),
        ({"cores": 2.5}, "cores must be"),
        ({"core_rate": 0}, "core_rate must be above 0"),
        ({"store_bandwidth": "fast"}, "store_bandwidth must be a finite number"),
        ({"hours_between_failures": float("nan")}, "hours_between_failures must be"),
        ({"restart_seconds": -1}, "restart_seconds must be"),
        ({"memory": True}, "memory must be"),
        ({"core_flops": 0}, "core_flops must be above 0"),
        ({"speed": 3}, "unknown key 'speed'"),
    ],
)
def test_a_wrong_description_is_refused_by_its_key(tmp_path, wrong, word):
    text = "\n".join(
        f"{key}: {value}" for key, value in {"machines": 2, "cores": 4, **wrong}.items()
    )
    (tmp_path / "cluster.yaml").write_text(text.replace("nan", ".nan"))
    with pytest.raises(SpecError, match=word):
        read_config(Cluster, tmp_path / "cluster.yaml")


BOMB = "a: &a [1,2,3,4,5,6,7,8,9]\n" + "".join(
    f"{key}: &{key} [{','.join(9 * ['*' + before])}]\n"
    for before, key in itertools.pairwise("abcdefghi")
)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "key 'machines' is missing"),
        ("machines: 2", "key 'cores' is missing"),
        ("{machines: 1e30, cores: 1}", "machines must be an integer >= 1; got 1e+30"),
        ("{machines: -3, cores: 1}", "machines must be an integer >= 1; got -3"),
        ("{machines: [1], cores: 1}", "machines must be"),
        ("[machines]", "expected a mapping"),
        ("machines: !!python/object/apply:os.system [ls]", "cluster.yaml"),
        (BOMB, "aliases written out"),
    ],
)
def test_a_strangers_description_is_read_with_care(tmp_path, text, word):
    (tmp_path / "cluster.yaml").write_text(text)
    with pytest.raises(SpecError, match=re.escape(word)):
        read_config(Cluster, tmp_path / "cluster.yaml")


def test_extreme_descriptions_still_give_numbers():
    never = Cluster(1, 1, core_rate=50, hours_between_failures=1e308)
    assert plan_on_cluster(_work(), never).redone == 0
    vast = Cluster(2**62, 2**62, core_rate=1e300, network_bandwidth=1e-300, memory=1e300)
    assert "core-hours" in str(plan_on_cluster(_work(), vast))


def test_tiles_that_would_never_end_and_unknown_rates_are_refused():
    with pytest.raises(PlanError, match=r"a tile takes .* fails every .* Use a smaller tile"):
        plan_on_cluster(_work(), Cluster(1, 1, core_rate=1, hours_between_failures=0.01))
    with pytest.raises(SpecError, match="core_rate is missing"):
        plan_on_cluster(_work(), Cluster(1, 1))


def test_the_command_plans_on_a_cluster_too(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(
        "{data: digits, architecture: {recipe: fully_connected, depth: 1}, get: [ntk], "
        "n_train: 60, n_test: 20}"
    )
    (tmp_path / "cluster.yaml").write_text("{machines: 3, cores: 2, core_rate: 10}")
    command = ["plan", "small.yaml", "--study", "gram", "--cluster"]
    assert main([*command, "cluster.yaml"]) == 0
    text = capsys.readouterr().out
    assert text.count("on      6 cores: ") == 2
    assert "core-hours" in text
    assert main([*command, "none.yaml"]) == 2
    assert "none.yaml" in capsys.readouterr().err
