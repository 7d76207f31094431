"""The page of `ntkreg compare`."""

from pathlib import Path

import pandas as pd

from ntkreg.report.compare.figures import comparison_figure, sets_figure
from ntkreg.report.shared.document import Document, Picture, Points, Section, Table, Text
from ntkreg.report.shared.page import write_html
from ntkreg.report.shared.provenance import provenance
from ntkreg.report.shared.read import StudyFolder
from ntkreg.report.shared.tables import with_spread

__all__ = ["document", "summary_table", "verdicts", "write_compare_report"]

TITLE = "Models on many data sets"

PROTOCOLS = {
    "shared tuning": (
        "Settings are chosen once a data set, on the tuning split of its file, and tested on the "
        "file's folds; data are taken as they come. So tuning sees rows that are tested on, the "
        "folds overlap, and whatever standardised the columns saw all rows: accuracies are "
        "somewhat too high, for every model alike."
    ),
    "nested tuning": (
        "Settings are chosen within each training part, by two-fold cross-validation; columns (of "
        "images channels) are standardised by the training part alone. No model sees a row that "
        "it is tested on."
    ),
}

SUMMARY = (
    "Over the data sets on which every model has an accuracy. 'accuracy': mean over data sets of "
    "the mean over splits, %, with its 95 % interval over data sets; 'split std': deviation over "
    "splits of one data set, root mean square over data sets; 'rank': mean rank, 1 the best, ties "
    "shared; 'P90', 'P95': % of data sets with at least so much of the best accuracy; 'PMA': mean "
    "% of the best. The best is that of the models here, so these are not to be held against "
    "published ones of other models. 'time' and 'memory': tuning and testing on all data sets, one "
    "thread, and the most that one data set took beyond the data. 'ended early': fits that were "
    "stopped after so many steps as stand below."
)

PAIRS = (
    "'difference': first less second, mean over the data sets that both have, points, with its "
    "95 % Student interval over data sets, one pair at a time; p: Wilcoxon's signed-rank test, "
    "'Holm': corrected for all pairs together. Told apart where that is below 0.05."
)

KERNELS = (
    "Medians over data sets, of each kernel as it was tuned for the first split, on at most "
    "{n_geometry} of its training rows, centred. 'target alignment': with the kernel that is 1 for "
    "two rows of one class, else 0; 'effective dimension': sum of l / (l + a) over eigenvalues l, "
    "a a hundredth of their mean; 'participation': (sum l)^2 / sum l^2; 'decay': p of l_k ~ k^-p."
)

CAPTION = (
    "Above: mean ranks; a bar joins models of which no two are told apart (Wilcoxon, Holm). Below: "
    "how alike the tuned kernels are on the same training rows, how fast their eigenvalues fall "
    "(median over data sets, band: quartiles; as far as nine in ten sets have rows for)."
)


def document(study: StudyFolder) -> Document:
    """Return the page of a comparison."""
    record, config = study.record(), study.config()
    summary, tests = study.table("summary"), study.table("tests")
    answers = tuple(Text(s, "lead") for s in verdicts(study.table("friedman"), tests))
    setting = (
        f"{record['n_sets']} data sets, {record['n_models']} models, each tuned over "
        f"{config['budget']} settings. {PROTOCOLS[config['protocol']]}"
    )
    alike, spectra = study.table("alike"), study.table("spectra")
    picture = Picture(
        "ranks",
        lambda: comparison_figure(summary, study.table("groups"), alike, spectra),
        CAPTION,
        "mean ranks, alignment of kernels, eigenvalues",
        kept=True,
    )
    accuracies = study.table("accuracies")
    sections = [
        Section("", (*answers, Text(setting), picture)),
        Section("Models", (Table(summary_table(summary)), Text(SUMMARY, "small"))),
        Section("Every two models", (Table(_tests_table(tests)), Text(PAIRS, "small"))),
    ]
    if len(spectra):
        shapes = _shapes_table(study.table("shapes"))
        said = KERNELS.format(n_geometry=config["n_geometry"])
        blocks = (Table(shapes), Text(said, "small"), Table(_alike_table(alike)))
        sections += [Section("Kernels", blocks)]
    less = Picture("sets", lambda: sets_figure(accuracies), "Points below the best.", "data sets")
    sections += [
        Section("Settings", (Table(_settings_table(config)), Text(_machines(record), "small"))),
        Section("Data sets", (Table(_sets_table(accuracies, study.table("sets"))), less)),
    ]
    works = study.table("works")
    failed = works[works.status != "done"]
    if len(failed):
        told = tuple(f"{r.set}, {r.model}: {r.status}" for r in failed.itertuples())
        sections += [Section("What failed", (Points(told),))]
    return Document(TITLE, (*sections, provenance(study)))


def write_compare_report(folder: str | Path) -> Path:
    """Make ``page.html`` from the files of a comparison; return its path.

    Raises
    ------
    DataError
        If a file of the study is missing or cannot be read.
    """
    study = StudyFolder(folder)
    return write_html(study.path, document(study))


def verdicts(friedman: pd.DataFrame, tests: pd.DataFrame) -> list[str]:
    """Say whether models differ at all, and which two of them."""
    [overall] = friedman.itertuples()
    told = tests[tests.verdict != "not told apart"]
    said = [
        f"Of {len(tests)} pairs of models, {len(told)} are told apart on {overall.n_sets} data "
        "sets by Wilcoxon's test after Holm's correction."
    ]
    if overall.p == overall.p:
        what = "differ" if overall.p < 0.05 else "are not told apart"
        said.insert(0, f"By Friedman's test the models' ranks {what} (p = {overall.p:.2g}).")
    for better, group in told.groupby("verdict", sort=False):
        others = "; ".join(
            f"{r.second if r.first == better else r.first} "
            f"({r.difference if r.first == better else -r.difference:+.2f}, p = {r.p_holm:.2g})"
            for r in group.itertuples()
        )
        said.append(f"{better} ranks above: {others}.")
    return said


def summary_table(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the models, the best rank first."""
    rows = summary.sort_values("rank")
    megabytes = (rows.peak_bytes / 1e6).map("{:,.0f} MB".format).where(rows.peak_bytes.notna(), "")
    return pd.DataFrame(
        {
            "model": rows.model,
            "accuracy": _with_interval(rows.accuracy, rows.low, rows.high),
            "split std": rows.split_std.map("{:.1f}".format),
            "rank": rows["rank"].map("{:.2f}".format),
            "P90": rows.p90.map("{:.1f}".format),
            "P95": rows.p95.map("{:.1f}".format),
            "PMA": rows.pma.map("{:.2f}".format),
            "best on": rows.best,
            "time": rows.seconds.map("{:,.0f} s".format),
            "memory": megabytes,
            "ended early": rows.unfinished.map("{:.0f}".format),
            "failed": rows.failed,
        }
    )


def _tests_table(tests: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "first": tests["first"],
            "second": tests["second"],
            "data sets": tests.n_sets,
            "won - tied - lost": [f"{r.wins} - {r.ties} - {r.losses}" for r in tests.itertuples()],
            "difference": _with_interval(tests.difference, tests.low, tests.high, "{:+.2f}"),
            "p": tests.p.map("{:.2g}".format),
            "Holm": tests.p_holm.map("{:.2g}".format),
            "better": tests.verdict,
        }
    )


def _shapes_table(shapes: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "kernel": shapes.model,
            "data sets": shapes.n_sets,
            "target alignment": shapes.target_alignment.map("{:.3f}".format),
            "effective dimension": shapes.effective_dimension.map("{:.1f}".format),
            "participation": shapes.participation.map("{:.1f}".format),
            "decay": shapes.decay.map("{:.2f}".format),
        }
    )


def _alike_table(alike: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "first": alike["first"],
            "second": alike["second"],
            "data sets": alike.n_sets,
            "mean CKA": alike["mean"].map("{:.3f}".format),
            "median (quartiles)": _with_interval(
                alike["median"], alike.lower, alike.upper, "{:.3f}"
            ),
            "least": alike.least.map("{:.3f}".format),
        }
    )


def _settings_table(config: dict) -> pd.DataFrame:
    """Return what each model was tuned over."""
    lines = []
    for name, given in config["models"].items():
        grid = {key: values for key, values in given.items() if key != "kind"}
        said = "; ".join(f"{key}: {', '.join(map(str, v))}" for key, v in grid.items())
        lines.append({"model": name, "kind": given["kind"], "settings": said})
    return pd.DataFrame(lines)


def _machines(record: dict) -> str:
    return (
        "network: [hidden layers, first ones not trained]; kernels are those of support vector "
        f"machines, ended after {record['svm_steps']:,} steps for each pair of classes. gamma "
        "counts in 1/d of rbf and 1/sqrt(d) of laplacian, exp(-gamma |x - z| / sqrt(d)), d the "
        "columns; polynomial is (x z / d + coef0)^degree."
    )


def _sets_table(accuracies: pd.DataFrame, sets: pd.DataFrame) -> pd.DataFrame:
    """Return every data set with mean ± deviation over splits of every model, * for the best."""
    cells = accuracies.assign(
        cell=[
            with_spread(r.mean, r.std) + ("*" if str(r.best) == "True" else "")
            for r in accuracies.itertuples()
        ]
    )
    table = cells.pivot(index="set", columns="model", values="cell").fillna("failed")
    table = table[list(dict.fromkeys(accuracies.model))]
    known = sets.set_index("set").loc[table.index, ["rows", "inputs", "classes"]]
    return known.join(table).rename_axis("data set").reset_index()


def _with_interval(
    values: pd.Series, low: pd.Series, high: pd.Series, form: str = "{:.2f}"
) -> list[str]:
    """Return "value (low .. high)", or the value alone where nothing is known of its error."""
    return [
        form.format(v) + ("" if pd.isna(a) else f" ({form.format(a)} .. {form.format(b)})")
        for v, a, b in zip(values, low, high, strict=True)
    ]
