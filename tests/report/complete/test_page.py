import re

import pandas as pd
import pytest
from spoilt_study import MARKUP, spoilt

from ntkreg.report.complete.figures import wall_figure
from ntkreg.report.complete.page import write_complete_report
from ntkreg.report.complete.tables import optimiser_table, sentences, window_table
from ntkreg.studies.complete.statements import STATEMENTS


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
    both = optimiser_table(rows[(rows.depth == 2) & (rows.n_seen == 100)])
    assert set(both[""]) == {"gd, depth 2", "adam, depth 2"}


def test_a_sentence_a_statement(complete_folder):
    said = sentences(pd.read_csv(complete_folder / "verdicts.csv"))
    assert len(said) == len(STATEMENTS)
    assert re.search(r"depth 4 \d", said[-1])


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
