import numpy as np
import pandas as pd
import pytest

from ntkreg.report.shared.tables import (
    accuracy_table,
    depth_table,
    html_table,
    markdown_table,
    text_table,
)


@pytest.fixture
def rows():
    return pd.DataFrame(
        {
            "method": ["z", "z", "a", "a", "z", "z", "a", "a"],
            "n_train": [10] * 4 + [20] * 4,
            "split": [0, 1] * 4,
            "accuracy": [50.0, 52.0, 60.0, 60.0, 70.0, 74.0, 80.0, 90.0],
        }
    )


def test_accuracy_table_has_mean_and_std_in_the_order_of_the_rows(rows):
    table = accuracy_table(rows)
    # Standard deviations with ddof 1: of (50, 52) sqrt 2, of (80, 90) sqrt 50.
    assert table.to_numpy().tolist() == [
        ["z", "51.0 ± 1.4", "72.0 ± 2.8"],
        ["a", "60.0 ± 0.0", "85.0 ± 7.1"],
    ]
    assert list(table.columns) == ["method", "n = 10", "n = 20"]


def test_one_split_has_no_spread(rows):
    table = accuracy_table(rows[rows.split == 0])
    assert table["n = 10"].tolist() == ["50.0", "60.0"]


def test_a_single_draw_has_no_spread_at_any_depth():
    summary = pd.DataFrame(
        {
            "get": ["ntk", "ntk", "nngp"],
            "depth": [4, 4, 4],
            "n": [10, 20, 10],
            "mean": [14.83, 41.8, 1.0],
            "draw_std": [3.96, np.nan, 1.0],
        }
    )
    assert depth_table(summary, "ntk").to_numpy().tolist() == [[4, "14.8 ± 4.0", "41.8"]]


def test_the_same_table_as_text_markdown_and_html():
    table = pd.DataFrame({"a < b": ["x", "y"], "n": [1, 2]})
    assert text_table(table).splitlines()[1].split() == ["x", "1"]
    assert markdown_table(table) == "| a < b | n |\n| --- | --- |\n| x | 1 |\n| y | 2 |\n"
    assert "<th>a &lt; b</th><th>n</th>" in html_table(table)
    assert html_table(table).count("<tr>") == 3
    assert "<td>x &lt; y</td>" in html_table(table.replace("x", "x < y"))


def test_columns_keep_their_own_kind_of_number():
    table = pd.DataFrame({"n": [1, 2], "x": [0.5, np.nan]})
    assert "| 1 | 0.5 |" in markdown_table(table)


def test_a_column_of_sentences_is_wrapped_and_others_are_not():
    lines = html_table(pd.DataFrame({"n": [1, 2], "why": ["words " * 20, "none"]})).splitlines()
    assert lines[1].startswith('<tbody><tr><td>1</td><td class="long">words')
    assert lines[2] == '<tr><td>2</td><td class="long">none</td></tr>'


def test_a_table_without_rows_has_its_head():
    assert html_table(pd.DataFrame({"n": []})).count("<tr>") == 1
