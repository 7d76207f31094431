import re

import pandas as pd
import pytest
from spoilt_study import MARKUP, spoilt

from ntkreg.errors import SpecError
from ntkreg.report.complete.figures import start_figure, wall_figure
from ntkreg.report.complete.page import write_complete_report
from ntkreg.report.complete.quoted import QUANTITIES
from ntkreg.report.complete.statements import sentences, statement_table
from ntkreg.report.complete.tables import ending_table, window_table
from ntkreg.report.shared.read import StudyFolder
from ntkreg.report.shared.remarks import quoted
from ntkreg.studies.complete.statements import STATEMENTS


@pytest.mark.usefixtures("blank_pictures")
def test_the_page_has_every_statement_with_its_figures(complete_folder, tmp_path):
    text = write_complete_report(spoilt(complete_folder, tmp_path / "c")).read_text()
    for statement in STATEMENTS.values():
        assert f"<h2>{statement}" in text
    assert text.count("data:image/png;base64") == 5
    assert MARKUP not in text


def test_tables_say_what_the_rows_hold(complete_folder):
    rows = pd.read_csv(complete_folder / "rows.csv").fillna({"optimizer": ""})
    plain = rows[rows.optimizer.isin(["", "gd"]) & rows.init_scale.isin([0, 1e-2])]
    table = window_table(plain)
    assert list(table.columns) == ["rank", "seen", "nuclear norm", "depth 2", "depth 3"]
    own = plain[(plain.n_seen == 50) & (plain.depth == 2)].error
    assert table.loc[table.seen == "50", "depth 2"].item().startswith(f"{own.min():.2g} .. ")
    at = rows[(rows.n_seen == 100) & (rows.depth < 3)]
    ends = ending_table(at)
    names = ["nuclear norm", *(f"{how}, depth 2 from 0.01" for how in ("gd", "adam", "gd long"))]
    assert set(ends[""]) == {*names, "gd, depth 2 from 0.001", "gd long, depth 2 from 0.001"}
    reached = at[(at.init_scale == 1e-3) & (at.optimizer == "gd")].outcome == "reached"
    [said] = ends[ends[""] == "gd, depth 2 from 0.001"].reached
    assert said == f"{reached.sum()} of 2"


def test_starts_are_drawn_of_runs_that_came_to_their_loss(complete_folder):
    rows = pd.read_csv(complete_folder / "rows.csv").fillna({"optimizer": ""})
    starts = rows[(rows.n_seen == 100) & rows.optimizer.isin(["", "gd"])].assign(outcome="reached")
    starts.loc[(starts.depth == 3) & (starts.init_scale == 1e-3), "outcome"] = "not reached"
    errors, ranks = start_figure(starts).axes
    lines = {c.get_label(): c.lines[0].get_xdata() for c in errors.containers}
    assert [len(lines[f"depth {d}"]) for d in (2, 3)] == [2, 1]
    assert ranks.get_ylim()[0] == 0


def test_remarks_quote_what_the_rows_hold(complete_folder):
    study = StudyFolder(complete_folder)
    rows = study.table("rows")
    own = rows[(rows.n_seen == 100) & (rows.depth == 2) & (rows.init_scale == 1e-3)]
    for optimizer in ("gd", "gd_long"):
        found = own[own.optimizer == optimizer]
        words = ["1", "100", "2", "1e-3", optimizer]
        said = f"{found.error.min():.2g} to {found.error.max():.2g}"
        assert quoted(QUANTITIES, study, "errors", words) == said
        missed = f"{(found.outcome != 'reached').sum()} of 2"
        assert quoted(QUANTITIES, study, "missed", words) == missed
    with pytest.raises(SpecError, match="errors"):
        quoted(QUANTITIES, study, "errors", ["1", "7", "2"])


def test_a_sentence_a_statement(complete_folder):
    said = sentences(pd.read_csv(complete_folder / "verdicts.csv"))
    assert len(said) == len(STATEMENTS)
    assert re.search(r"depth 4 \d", said[-1])


def row(statement, subject, quantity, interval, verdict=""):
    low, high = interval
    return {
        "statement": statement, "subject": subject, "quantity": quantity, "n": 5,
        "estimate": (low * high) ** 0.5, "low": low, "high": high, "verdict": verdict,
    }  # fmt: skip


BEST = "depth 3 against the nuclear norm, where it is best"
RANK, ERROR = "effective rank from 1e-06 over that from 0.001", "error over that of gradient"
NORM = "nuclear norm over the least"


@pytest.mark.parametrize(
    ("rows", "verdict", "subject"),
    [
        ([row("window", "all", BEST, (0.1, 0.2), "wins from 2 to 3 seen, loses below")],
         "holds; wins from 2 to 3 seen, loses below", "all"),
        ([row("window", "all", BEST, (0.1, 0.2), "wins from 2 to 3 seen; no loss below it is d")],
         "undecided; wins from 2 to 3 seen; no loss below it is d", "all"),
        ([row("window", "all", BEST, (2, 3), "no window")], "does not hold", "all"),
        ([row("depth 2", "start 0.001", NORM, (0.9, 1.1)),
          row("depth 2", "start 1e-06", NORM, (1.01, 1.02))],
         "holds; the conjecture is refuted", "start 1e-06"),
        ([row("depth 2", "start 0.001", NORM, (1.01, 1.02)),
          row("depth 2", "start 1e-06", NORM, (0.99, 1.02))], "undecided", "start 1e-06"),
        ([row("start", "depth 2", RANK, (0.5, 0.6)), row("start", "depth 3", RANK, (0.9, 0.99))],
         "holds; in every row", "depth 3"),
        ([row("start", "depth 2", RANK, (0.5, 0.6)), row("start", "depth 3", RANK, (0.9, 1.1))],
         "undecided; holds at depth 2", "depth 3"),
        ([row("start", "depth 2", RANK, (0.5, 0.6)), row("start", "depth 3", RANK, (1.1, 1.2))],
         "does not hold; against it: depth 3; for it: depth 2", "depth 3"),
        ([row("optimisers", "adam, depth 2", ERROR, (2, 3)),
          row("optimisers", "adagrad, depth 2", ERROR, (0.1, 0.2)),
          row("optimisers", "sgd, depth 2", ERROR, (0.9, 1.2))], "holds; in every row", "adagrad"),
        ([row("optimisers", "adam, depth 2", ERROR, (0.9, 3))], "undecided", "adam"),
        ([row("equation", "depth 2", "relative deviation", (0.01, 0.02), "measured"),
          row("equation", "all depths", "deviation at half", (0.4, 0.6))],
         "holds; relative deviations: depth 2 0.014", "all depths"),
        ([row("equation", "all depths", "deviation at half", (1.2, 1.6))],
         "does not hold", "all depths"),
    ],
)  # fmt: skip
def test_a_statement_has_the_verdict_of_its_parts(rows, verdict, subject):
    [line] = statement_table(pd.DataFrame(rows)).to_dict("records")
    assert line["verdict"] == verdict
    assert line["decided by"].startswith(subject)


@pytest.mark.parametrize("depths", [(1, 2, 3, 4), (2, 3)])
def test_the_picture_on_the_wall_has_a_panel_a_depth_and_one_more(complete_folder, depths):
    paths = pd.read_csv(complete_folder / "paths.csv")
    spectra = pd.read_csv(complete_folder / "spectra.csv")
    figure = wall_figure(paths[paths.depth.isin(depths)], spectra)
    assert [a.get_title() for a in figure.axes] == [
        *(f"depth {d}" for d in depths), "least nuclear norm"
    ]  # fmt: skip
    bars = [bar.get_height() for bar in figure.axes[-1].patches]
    assert bars == pytest.approx(spectra.nuclear[:10].tolist())
