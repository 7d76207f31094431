"""Verdicts agree, disagree and stay undecided where the rows say so."""

import numpy as np
import pandas as pd
import pytest

from ntkreg.studies.landscape.config import LandscapeConfig
from ntkreg.studies.landscape.statements import STATEMENTS
from ntkreg.studies.landscape.verdicts import make_verdicts

CONFIG = LandscapeConfig("gaussian", n_train=16, depths=(1,), widths=(8, 16, 32), n_seeds=4)
SPREAD = np.array([0.9, 1.0, 1.1, 1.0])


def grid(quantity, by_width, level=0.0, spread=SPREAD):
    return [
        ("grid", "", 1, width, level, seed, quantity, value * s)
        for width, value in by_width.items()
        for seed, s in enumerate(spread)
    ]


def asked(part, subject, quantity, values):
    return [(part, subject, 0, 0, 0.0, k, quantity, v) for k, v in enumerate(values)]


def verdicts(lines):
    names = ["part", "subject", "depth", "width", "level", "seed", "quantity", "value"]
    return make_verdicts(CONFIG, pd.DataFrame(lines, columns=names), {1: 2.0})


def said(table, statement, words):
    own = table[(table.statement == statement) & table.quantity.str.contains(words)]
    assert len(own) == 1
    return own.verdict.item()


@pytest.mark.parametrize(
    ("wide", "verdict"), [(0.1, "agrees"), (10.0, "disagrees"), (1.02, "undecided")]
)
def test_a_trend_is_judged_by_its_interval(wide, verdict):
    lines = grid("barrier_matched", {8: 1.0, 16: 5.0, 32: wide})
    assert said(verdicts(lines), "matched", "widest") == verdict
    lines = grid("test_loss", {8: 1.0, 16: 5.0, 32: wide})
    assert said(verdicts(lines), "test", "widest") == verdict
    lines = grid("lambda_max", {8: 2.0 + 1.0, 16: 2.5, 32: 2.0 + wide}, 0.001, np.ones(4))
    # Without any spread the interval is a point, and a point decides.
    assert said(verdicts(lines), "kernel", "distance") == ("agrees" if wide < 1 else "disagrees")


def test_two_levels_are_compared_network_by_network():
    starts = np.array([1.0, 10.0, 100.0, 1000.0])  # far apart from each other, not from themselves
    lines = grid("negative_share", {16: 1.0, 32: 1.0}, 0.5, starts)
    lines += grid("negative_share", {16: 0.5, 32: 0.5}, 0.001, starts * SPREAD)
    table = verdicts(lines)
    own = table[table.statement == "negative"]
    assert own.verdict.tolist() == ["agrees", "agrees"]
    assert own.estimate.to_numpy() == pytest.approx(0.5 * np.exp(np.log(SPREAD).mean()))


def test_a_width_that_one_seed_reached_says_nothing():
    lines = grid("batch_gap", {8: 1.0}, 0.5) + grid("batch_gap", {32: 9.0}, 0.5, SPREAD[:1])
    assert said(verdicts(lines), "batches", "widest") == "undecided"


def test_exact_statements_know_no_spread():
    exact = np.ones(4)
    full = grid("rank_share", {16: 1.0, 32: 1.0}, 0.0, exact)
    full += grid("last_layer_residual", {16: 1e-16, 32: 0.0}, 0.0, exact)
    table = verdicts(full)
    assert table[table.statement == "rank"].verdict.tolist() == ["agrees", "agrees"]
    less = grid("rank_share", {16: 1.0}, 0.0, [1, 1, 1, 15 / 16])
    assert said(verdicts(less), "rank", "rank share") == "disagrees"


def test_questions_beside_the_grid_are_judged():
    lines = asked("skips", "skip", "lambda_max", SPREAD)
    lines += asked("skips", "erf", "lambda_max", 20 * SPREAD)
    lines += asked("linear networks", "no bottleneck", "reached", [1, 1, 1, 0])
    lines += asked("conflicts", "width 8", "loss_over_floor", 1.2 * SPREAD)
    lines += asked("wide layer", "the last", "rank_share", [1, 1, 1, 1])
    lines += asked("wide layer", "the first", "rank_share", [0.25, 0.25, 0.25, 0.25])
    lines += asked("basins", "basins", "hits", [90, 50, 30, 20, 5, 3, 1])
    lines += asked("basins", "basins", "hessian_norm", [1, 2, 3, 4, 5, 6, 7])
    table = verdicts(lines)
    assert said(table, "skip", "curvature") == "agrees"
    own = table[(table.statement == "linear") & (table.subject == "no bottleneck")]
    assert own.verdict.item() == "disagrees"
    assert said(table, "conflicts", "leave") == "agrees"
    assert table[table.statement == "wide layer"].verdict.tolist() == ["agrees", "agrees"]
    assert said(table, "basins", "correlation") == "agrees"


def test_every_row_has_a_statement_and_every_statement_a_row():
    table = verdicts(grid("test_loss", {8: 1.0, 16: 1.0, 32: 1.0}))
    known = set(STATEMENTS)
    assert set(table.statement) <= known
    assert known - set(table.statement) <= {"conflicts", "depth", "kernel", "rank"}
