"""Which study has which report: pages, and what is kept of them, from a folder alone."""

from functools import cache
from pathlib import Path

import pandas as pd

from ntkreg.errors import DataError
from ntkreg.report.compare import page as models
from ntkreg.report.compare import quoted as models_quoted
from ntkreg.report.complete import page as complete
from ntkreg.report.complete import quoted as complete_quoted
from ntkreg.report.few_samples import page as few_samples
from ntkreg.report.few_samples import quoted as few_samples_quoted
from ntkreg.report.few_samples_compare import page as compare
from ntkreg.report.few_samples_compare import quoted as compare_quoted
from ntkreg.report.few_samples_network import page as network
from ntkreg.report.few_samples_network import quoted as network_quoted
from ntkreg.report.landscape import page as landscape
from ntkreg.report.landscape import quoted as landscape_quoted
from ntkreg.report.optimizers import page as optimizers
from ntkreg.report.optimizers import quoted as optimizers_quoted
from ntkreg.report.precision import page as precision
from ntkreg.report.precision import quoted as precision_quoted
from ntkreg.report.quickstart import page as quickstart
from ntkreg.report.shared.kept import KeptStudy, Report, keep, remake
from ntkreg.report.shared.read import StudyFolder
from ntkreg.report.shared.remarks import filled, quoted
from ntkreg.report.widths import page as widths
from ntkreg.report.widths import quoted as widths_quoted
from ntkreg.studies.few_samples.summary import (
    comparison_of,
    exact_accuracies,
    published_table,
    summary_of,
)
from ntkreg.studies.few_samples_network.beside import beside_kernel
from ntkreg.studies.precision.errors import safe_alphas
from ntkreg.studies.widths.tables import spread_points

__all__ = ["REPORTS", "remake_benchmark", "write_benchmark", "write_page"]


def write_page(folder: str | Path) -> Path:
    """Write ``page.html`` of a finished study again, and return its path.

    Raises
    ------
    DataError
        The folder is not that of a finished study.
    """
    return _report_of(StudyFolder(folder)).write_page(Path(folder))


def write_benchmark(
    folder: str | Path, stem: str | Path, remarks: str | Path | None = None
) -> list[Path]:
    """Keep a finished study as STEM (`ntkreg.report.shared.kept`) and make its page.

    Parameters
    ----------
    folder : path
        Of the study.
    stem : path without suffix
    remarks : path or None
        As of `remake_benchmark`.

    Returns
    -------
    list of Path
        Of the files made.
    """
    study, stem = StudyFolder(folder), Path(stem)
    return [*keep(study, _report_of(study), stem), *remake_benchmark(stem, remarks)]


def remake_benchmark(stem: str | Path, remarks: str | Path | None = None) -> list[Path]:
    """Make the page of a study that is kept, of its files and remarks alone.

    Parameters
    ----------
    stem : path without suffix
    remarks : path or None
        Markdown with placeholders (`ntkreg.report.shared.remarks`); None for
        remarks/NAME.md beside the stem, if there is one.

    Raises
    ------
    DataError, SpecError
        A file is missing; a placeholder asks for what there is not.
    """
    stem = Path(stem)
    usual = stem.parent / "remarks" / f"{stem.name}.md"
    path = Path(remarks) if remarks is not None else usual if usual.exists() else None
    text = "" if path is None else path.read_text(encoding="utf-8")

    @cache  # what many remarks ask for follows from the rows once
    def kept(name: str) -> tuple[KeptStudy, Report]:
        where = stem.with_name(name)
        report = _report_of(KeptStudy(where, {}))
        return KeptStudy(where, report.derived), report

    def ask(other: str, name: str, words: list[str]) -> str:
        study, report = kept(other or stem.name)
        return quoted(report.quantities, study, name, words)

    return remake(*kept(stem.name), filled(text, ask))


def _report_of(study: StudyFolder) -> Report:
    name = study.record().get("study")
    if name not in REPORTS:
        raise DataError(
            f"report: {study.path}: a study {name!r} has no page. Known: {', '.join(REPORTS)}."
        )
    return REPORTS[name]


def _summary(study: StudyFolder) -> pd.DataFrame:
    n_test = study.record()["n_test"]
    rows = exact_accuracies(study.table("rows"), n_test)
    return summary_of(rows, study.config(), n_test)


def _beside(study: KeptStudy) -> pd.DataFrame:
    """Return networks beside the kernel whose rows are kept, too."""
    config = study.config()
    if config["kernel_rows"] is None:
        return beside_kernel(study.table("rows"))
    kernel = study.sibling(Path(config["kernel_rows"]).stem).table("rows")
    chosen = kernel[(kernel["get"] == "ntk") & (kernel.depth == config["kernel_depth"])]
    return beside_kernel(study.table("rows"), chosen[["n", "draw", "accuracy"]])


def _every_run(study: StudyFolder) -> pd.DataFrame:
    runs, batches = study.table("runs"), study.table("batches")
    return pd.concat([runs.assign(part="optimisers"), batches.assign(part="noise")])


def _runs(part: str):
    def derive(study: StudyFolder) -> pd.DataFrame:
        rows = study.table("rows")
        return rows[rows.part == part].drop(columns="part").dropna(axis=1, how="all")

    return derive


REPORTS: dict[str, Report] = {
    "Quickstart": Report(quickstart.document, quickstart.write_quickstart_report, rows=None),
    "FewSamples": Report(
        few_samples.document,
        few_samples.write_few_samples_report,
        derived={
            "summary": _summary,
            "comparison": lambda study: comparison_of(_summary(study), study.config()),
            "published": lambda study: published_table(study.config()),
        },
        quantities=few_samples_quoted.QUANTITIES,
    ),
    "Comparison": Report(
        compare.document,
        compare.write_few_samples_compare_report,
        quantities=compare_quoted.QUANTITIES,
    ),
    "FewSamplesNetwork": Report(
        network.document,
        network.write_few_samples_network_report,
        derived={"beside": _beside},
        quantities=network_quoted.QUANTITIES,
    ),
    "Precision": Report(
        precision.document,
        precision.write_precision_report,
        derived={
            "safe": lambda study: safe_alphas(study.table("rows"), study.record()["tolerance"])
        },
        quantities=precision_quoted.QUANTITIES,
    ),
    "Optimizers": Report(
        optimizers.document,
        optimizers.write_optimizers_report,
        rows=_every_run,
        derived={"runs": _runs("optimisers"), "batches": _runs("noise")},
        quantities=optimizers_quoted.QUANTITIES,
    ),
    "Widths": Report(
        widths.document,
        widths.write_widths_report,
        derived={"summary": lambda study: pd.DataFrame(spread_points(study.table("rows")))},
        quantities=widths_quoted.QUANTITIES,
        whole_page=True,
    ),
    "Compare": Report(
        models.document,
        models.write_compare_report,
        quantities=models_quoted.QUANTITIES,
    ),
    "Complete": Report(
        complete.document,
        complete.write_complete_report,
        quantities=complete_quoted.QUANTITIES,
        whole_page=True,
    ),
    "Landscape": Report(
        landscape.document,
        landscape.write_landscape_report,
        quantities=landscape_quoted.QUANTITIES,
        whole_page=True,
    ),
}
"""By the name that a study has in its ``record.json``."""
