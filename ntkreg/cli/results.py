"""What the command of a study prints at its end: one function a study, named as its folder.

Each gets the configuration, the output folder and what the study's run returned.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ntkreg.report.shared.read import StudyFolder
from ntkreg.report.shared.tables import text_table

__all__ = [
    "compare",
    "complete",
    "few_samples",
    "few_samples_compare",
    "few_samples_network",
    "fit",
    "gram",
    "landscape",
    "optimizers",
    "precision",
    "quickstart",
    "sentence",
    "widths",
]


def quickstart(config: Any, output: Path, rows: Any) -> str:
    """Accuracies."""
    from ntkreg.report.shared.tables import accuracy_table

    heading = "Accuracy on images held out, %, mean ± standard deviation over splits"
    return _below(heading, accuracy_table(rows))


def fit(config: Any, output: Path, results: Mapping[str, Any]) -> str:
    """Accuracy or R2, condition and times."""
    return (
        f"{sentence(results)}\n"
        f"condition {results['condition']:.2g}, ridge {results['alpha']:.2g}; "
        f"fit {results['fit_seconds']:.1f} s, test {results['test_seconds']:.1f} s"
    )


def gram(config: Any, output: Path, found: Mapping[str, Any]) -> str:
    """What each folder holds now."""
    return "\n".join(f"{status}\n" for status in found.values())


def few_samples(config: Any, output: Path, rows: Any) -> str:
    """Accuracies of the NTK."""
    from ntkreg.report.shared.tables import depth_table

    heading = "NTK: accuracy, %, mean ± standard deviation over draws"
    return _below(heading, depth_table(StudyFolder(output).table("summary"), "ntk"))


def few_samples_compare(config: Any, output: Path, comparison: Any) -> str:
    """Which kernel is best."""
    from ntkreg.report.few_samples_compare.page import best_table

    heading = "Best kernel at each n, accuracy, % ± error of the mean"
    return _below(heading, best_table(comparison))


def precision(config: Any, output: Path, rows: Any) -> str:
    """Ridges from which on a dtype is safe."""
    from ntkreg.report.precision.page import safe_table

    heading = (
        "Least ridge, in mean diagonals, from which on errors of the kernel change no quadratic\n"
        f"form of what is solved by more than {config.tolerance:g} of it"
    )
    return _below(heading, safe_table(StudyFolder(output).table("safe")))


def few_samples_network(config: Any, output: Path, rows: Any) -> str:
    """Accuracies beside the kernel's."""
    from ntkreg.report.few_samples_network.page import network_table

    heading = "Accuracy, %, mean ± standard deviation over draws"
    return _below(heading, network_table(StudyFolder(output).table("beside")))


def optimizers(config: Any, output: Path, rows: Any) -> str:
    """Verdicts."""
    from ntkreg.report.optimizers.tables import sentences

    study = StudyFolder(output)
    runs = study.table("runs")
    said = sentences(study.table("verdicts"), runs[runs.width == config.width])
    return "\n".join([*said, ""])


def widths(config: Any, output: Path, slopes: Any) -> str:
    """Slopes and verdicts."""
    from ntkreg.report.widths.tables import verdict_table

    heading = "Slopes against width, both on log axes, with 95 % intervals"
    return _below(heading, verdict_table(slopes).drop(columns="source"))


def compare(config: Any, output: Path, rows: Any) -> str:
    """Ranks, and which models are told apart."""
    from ntkreg.report.compare.page import summary_table, verdicts

    study = StudyFolder(output)
    said = verdicts(study.table("friedman"), study.table("tests"))
    table = text_table(summary_table(study.table("summary"))[["model", "accuracy", "rank"]])
    return "\n".join([table, "", *said, ""])


def complete(config: Any, output: Path, rows: Any) -> str:
    """What was found on each statement."""
    from ntkreg.report.complete.statements import sentences

    return "\n".join([*sentences(StudyFolder(output).table("verdicts")), ""])


def landscape(config: Any, output: Path, rows: Any) -> str:
    """What was found on each statement."""
    from ntkreg.report.landscape.tables import count_sentence, sentences

    verdicts = StudyFolder(output).table("verdicts")
    return "\n".join([*sentences(verdicts), "", count_sentence(verdicts), ""])


def sentence(results: Mapping[str, Any]) -> str:
    """Return what a model scored, or that there was nothing to score it with."""
    n = f"{results['n_test']} inputs"
    if "accuracy" in results:
        return f"accuracy {results['accuracy']:.2f} % of {n}"
    if "rmse" in results:
        return f"R2 {results['r2']:.4f}, root mean squared error {results['rmse']:.4g} on {n}"
    return f"{n} predicted" if results["n_test"] else "no test inputs"


def _below(heading: str, table: Any) -> str:
    return f"{heading}:\n\n{text_table(table)}\n"
