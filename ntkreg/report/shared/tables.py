"""Tables of a study: as frames of text, then plain, Markdown or HTML."""

import html

import pandas as pd

from ntkreg.studies.shared.statistics import mean_and_spread

__all__ = [
    "accuracy_table",
    "comparison_table",
    "depth_table",
    "errors_table",
    "html_table",
    "markdown_table",
    "steps_table",
    "text_table",
    "with_spread",
]

_LONG = 48
"""Characters of a cell, above which its column is read as sentences."""


def with_spread(mean: float, std: float, form: str = ".1f") -> str:
    """Return "mean ± std", or the mean alone where there is no spread (NaN: a single draw)."""
    if pd.isna(mean):
        return ""
    return f"{mean:{form}}" if pd.isna(std) else f"{mean:{form}} ± {std:{form}}"


def accuracy_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return methods by training-set size, "mean ± std" over splits, in the rows' order.

    Parameters
    ----------
    rows : DataFrame
        Columns method, n_train, split, accuracy (percent).
    """
    found = mean_and_spread(rows, ["method", "n_train"], ["accuracy"]).accuracy
    cells = pd.Series(map(with_spread, found["mean"], found["std"]), index=found.index)
    table = cells.unstack("n_train").loc[rows.method.unique()]
    table.columns = [f"n = {n}" for n in table.columns]
    return table.rename_axis("method").reset_index()


def comparison_table(comparison: pd.DataFrame, reading: str) -> pd.DataFrame:
    """Return our NTK beside the published rows, with every part of the error.

    Parameters
    ----------
    comparison : DataFrame
        ``comparison.csv`` of the few-samples study.
    reading : {"convolutions", "read-out counted"}
        What the published label counts.
    """
    chosen = comparison[(comparison["get"] == "ntk") & (comparison.reading == reading)]
    lines = [
        {
            "n": row.n,
            "published row": row.published,
            "published": f"{row.published_mean:.2f} ± {row.published_std:.2f}"
            + ("*" if row.std_borrowed else ""),
            "hidden layers": row.depth,
            "ours": f"{row.mean:.2f}",
            "draw std": f"{row.draw_std:.2f}",
            "corrected std": f"{row.corrected_std:.2f}",
            "test error": f"{row.test_error:.2f}",
            "error of mean": f"{row.mean_error:.2f}",
            "difference": f"{row.difference:+.2f}",
            "95 % interval": f"{row.low:+.2f} .. {row.high:+.2f}",
            "0 lies": row.verdict,
        }
        for row in chosen.sort_values(["n", "depth"]).itertuples()
    ]
    return pd.DataFrame(lines)


def depth_table(summary: pd.DataFrame, get: str) -> pd.DataFrame:
    """Return "mean ± draw std" by training images and hidden layers, for one kernel."""
    chosen = summary[summary["get"] == get]
    cells = chosen.assign(cell=[with_spread(r.mean, r.draw_std) for r in chosen.itertuples()])
    table = cells.pivot(index="depth", columns="n", values="cell")
    table.columns = [f"n = {n}" for n in table.columns]
    return table.rename_axis("hidden layers").reset_index()


def errors_table(summary: pd.DataFrame, get: str) -> pd.DataFrame:
    """Return accuracy by training images and hidden layers, with every part of its error."""
    parts = {
        "draw std": "draw_std",
        "corrected std": "corrected_std",
        "test error": "test_error",
        "error of mean": "mean_error",
    }
    chosen = summary[summary["get"] == get].sort_values(["n", "depth"])
    return pd.DataFrame(
        {
            "n": chosen.n,
            "hidden layers": chosen.depth,
            "accuracy": chosen["mean"].map("{:.2f}".format),
        }
        | {title: chosen[name].map("{:.2f}".format) for title, name in parts.items()}
    )


def steps_table(steps: pd.DataFrame, get: str) -> pd.DataFrame:
    """Return what each depth adds to the one before, paired, with its 95 % interval.

    Parameters
    ----------
    steps : DataFrame
        ``steps.csv`` of the few-samples study.
    get : {"ntk", "nngp"}
    """
    chosen = steps[steps["get"] == get]
    points, signed = "{:.2f}".format, "{:+.2f}".format
    columns = {
        "n": chosen.n,
        "hidden layers": [
            f"{a} to {b}" for a, b in zip(chosen.depth_before, chosen.depth, strict=True)
        ],
        "difference": chosen.difference.map(signed),
        "95 % interval": chosen.low.map(signed) + " .. " + chosen.high.map(signed),
        "verdict": chosen.verdict,
        "paired draw std": chosen.paired_draw_std.map(points),
        "paired test error": chosen.paired_test_error.map(points),
    }
    if chosen.published.notna().any():
        columns["published difference"] = chosen.published.map(signed)
    return pd.DataFrame(columns)


def text_table(table: pd.DataFrame) -> str:
    """Return a table as aligned plain text."""
    return table.to_string(index=False)


def markdown_table(table: pd.DataFrame) -> str:
    """Return a table in GitHub's Markdown."""
    lines = [
        list(table.columns),
        ["---"] * len(table.columns),
        *table.astype(object).to_numpy().tolist(),
    ]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def html_table(table: pd.DataFrame) -> str:
    """Return a table in HTML; every cell is escaped, and columns of sentences are wrapped."""
    columns = [[html.escape(str(cell)) for cell in column] for _, column in table.items()]
    kinds = [' class="long"' if max(map(len, c), default=0) > _LONG else "" for c in columns]
    names = [html.escape(str(name)) for name in table]
    head = "".join(f"<th{kind}>{name}</th>" for kind, name in zip(kinds, names, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f"<td{kind}>{c}</td>" for kind, c in zip(kinds, line, strict=True))
        + "</tr>\n"
        for line in zip(*columns, strict=True)
    )
    table = f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"
    return f'<div class="scroll">{table}</div>'
