"""Verdicts on rows that are made up, so that what must come out is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ntkreg.studies.complete.config import CompleteConfig
from ntkreg.studies.complete.statements import STATEMENTS
from ntkreg.studies.complete.verdicts import make_verdicts

CONFIG = CompleteConfig(
    "low-rank", size=30, ranks=(2,), n_seen=(100, 200, 300), depths=(2, 3), n_instances=4,
    init_scales=(1e-3, 1e-6), optimizers=("gd", "adam"), optimizer_depths=(3,),
)  # fmt: skip
WIGGLE = np.array([0.95, 1.02, 1.0, 1.04])


def made_rows(**factors):
    """Return rows in which depth 3 loses at 100 seen, wins at 200, and is undecided at 300."""
    errors = {(100, 0): 1, (100, 3): 3, (200, 0): 1, (200, 3): 0.01, (300, 0): 1, (300, 3): 1}
    rows = []

    def add(n_seen, depth, scale, optimizer, **values):
        for i, wiggle in enumerate(WIGGLE):
            base = {"error": 1.0, "effective_rank": 2.0, "nuclear_norm": 10.0,
                    "schatten_2/3": 20.0, "schatten_1/2": 40.0} | values  # fmt: skip
            own = {k: v * (wiggle if depth else 1 / wiggle) for k, v in base.items()}
            rows.append({"rank": 2, "n_seen": n_seen, "instance": i, "depth": depth,
                         "init_scale": scale, "optimizer": optimizer,
                         "outcome": "reached", **own})  # fmt: skip

    for n_seen in (100, 200, 300):
        add(n_seen, 0, 0.0, "", error=errors[n_seen, 0])
        add(n_seen, 2, 1e-3, "gd", nuclear_norm=12.0)
        norms = {"nuclear_norm": 14 if n_seen == 100 else 8, "schatten_2/3": 10}
        add(n_seen, 3, 1e-3, "gd", error=errors[n_seen, 3], **norms)
    add(200, 2, 1e-6, "gd", effective_rank=1.0, nuclear_norm=11.9)
    add(200, 3, 1e-6, "gd", error=0.001)
    add(200, 3, 1e-3, "adam", error=0.5)
    return pd.DataFrame(rows)


def verdict_of(found, statement, subject, quantity):
    own = found[(found.statement == statement) & found.subject.str.contains(subject)]
    [verdict] = own[own.quantity.str.contains(quantity)].verdict
    return verdict


def test_every_statement_is_judged_by_its_interval():
    found = make_verdicts(CONFIG, made_rows(), pd.DataFrame())
    assert set(found.statement) == set(STATEMENTS) - {"equation"}
    window = "error of depth 3"
    assert verdict_of(found, "window", "100 seen", window) == "the nuclear norm is nearer"
    assert verdict_of(found, "window", "200 seen", window) == "depth is nearer"
    assert verdict_of(found, "window", "300 seen", window) == "undecided"
    assert verdict_of(found, "window", "all", "depth 3") == (
        "wins from 200 to 200 seen, loses below"
    )
    assert verdict_of(found, "window", "all", "depth 2") == "undecided"
    assert verdict_of(found, "depth 2", "1e-06", "nuclear norm over") == (
        "above the least: not its solution"
    )
    assert verdict_of(found, "start", "depth 2", "effective rank") == "lower rank"
    assert verdict_of(found, "start", "depth 3", "effective rank") == "undecided"
    assert verdict_of(found, "optimisers", "adam", "error") == "elsewhere: higher"
    norms = found[found.statement == "quasi-norms"].groupby("quantity").verdict.unique()
    assert norms["nuclear norm of the deeper over the other's"] == ["does not order"]
    assert norms["schatten 1/2 of the deeper over the other's"] == ["undecided"]
    assert (found.n == 4).all()
    inside = (found.low <= found.estimate) & (found.estimate <= found.high)
    assert inside.all()


def test_runs_that_did_not_come_to_their_loss_are_left_out():
    rows = made_rows()
    rows.loc[(rows.optimizer == "adam") & (rows.instance == 1), "outcome"] = "not reached"
    window = (rows.depth == 3) & (rows.n_seen == 200) & (rows.optimizer == "gd")
    rows.loc[window, "outcome"] = "not reached"
    found = make_verdicts(CONFIG, rows, pd.DataFrame())
    window = found[(found.statement == "window") & found.quantity.str.contains("depth 3")]
    assert window.n.tolist() == [4, 0, 4, 4]
    assert window.verdict.tolist()[1:] == ["undecided", "undecided", "undecided"]
    rows.loc[rows.optimizer == "gd", "outcome"] = "reached"
    found = make_verdicts(CONFIG, rows, pd.DataFrame()).set_index("subject")
    assert found.loc["adam, depth 3"].n.tolist() == [3, 3]


def test_ratios_are_of_the_same_instance():
    found = make_verdicts(CONFIG, made_rows(), pd.DataFrame())
    row = found[(found.subject == "adam, depth 3") & found.quantity.str.startswith("error")].iloc[0]
    assert row.estimate == pytest.approx(50)
    assert row.high - row.low < 1e-6  # what instances share cancels


def test_one_instance_decides_nothing():
    rows = made_rows()
    found = make_verdicts(replace(CONFIG, n_instances=1), rows[rows.instance == 0], pd.DataFrame())
    assert found.low.isna().all()
    assert not found.verdict.str.contains("nearer|lower|above|elsewhere|does not").any()


@pytest.mark.parametrize(("ratio", "verdict"), [(0.5, "followed"), (1.5, "not followed")])
def test_an_equation_is_followed_where_halved_steps_bring_it_nearer(ratio, verdict):
    lines = [
        {"instance": i, "depth": d, "share": s, "deviation": 0.01 * d * (1 if s == 0.1 else r)}
        for i in range(3)
        for d in (1, 2)
        for s, r in ((0.1, 1), (0.05, ratio * (1 + 0.01 * i)))
    ]
    found = make_verdicts(CONFIG, made_rows(), pd.DataFrame(lines))
    own = found[found.statement == "equation"].set_index("subject")
    assert own.loc["all depths"].verdict.startswith(verdict)
    assert own.loc["depth 2"].estimate == pytest.approx(0.02 * ratio * 1.01)
