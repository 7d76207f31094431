"""Every measured figure in a sentence about benchmarks is recomputed from committed rows."""

from collections.abc import Callable, Iterator

import pandas as pd
import pytest
import sentences_of_accuracy as accuracy
import sentences_of_studies as studies
from benchmark_pages import FOLDER, measured, remarks, rows, sections, table, words

from ntkreg.report.widths.page import ENSEMBLES, FIGURES, METHOD
from ntkreg.report.widths.tables import verdict_table
from ntkreg.studies.widths.tables import slope_table, spread_points

WIDTHS = ("mnist", "cifar10", "conv8", "conv16")

PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "cifar10_best_kernel.md": accuracy.best_kernel,
    "cifar10_few_samples.md": accuracy.published("cifar10_few_samples", 640),
    "cifar10_few_samples_cnn.md": accuracy.networks,
    "cifar10_lap.md": accuracy.published("cifar10_lap", 1280),
    "cifar10_lap_flip.md": accuracy.published("cifar10_lap_flip", 1280),
    "cifar10_lap_zca.md": accuracy.published("cifar10_lap_zca", 1280),
    "cifar10_lap_zca_flip.md": accuracy.published("cifar10_lap_zca_flip", 1280),
    "cifar10_myrtle5_flip.md": accuracy.flips_of_myrtle5,
    "cifar10_precision.md": accuracy.precision,
    "cifar2_depths.md": accuracy.depths_of_two_classes,
    "empirical.md": studies.empirical,
    "kernels.md": studies.kernels,
    "optimizers_mnist.md": studies.optimizers,
    **{f"widths_{name}.md": studies.widths(name) for name in WIDTHS},
    "README.md": studies.readme,
    "ARCHITECTURE.md": studies.architecture,
}
"""Documents that quote measured figures, and the sentences as the rows have them."""

README = ("ntkreg", "Kernels", "Precision", "How fast, how right")
"""Its sections that quote them."""


@pytest.mark.parametrize("page", PAGES)
def test_sentences_are_what_the_rows_hold(page):
    text, wanted = words(page), list(PAGES[page]())
    assert wanted
    for sentence in wanted:
        assert " ".join(sentence.split()) in text, f"{page} does not say: {sentence}"


@pytest.mark.parametrize("page", [*(p.name for p in sorted(FOLDER.glob("*.md"))), "README.md"])
def test_no_measured_figure_stands_outside_such_a_sentence(page):
    text = sections(page, *README) if page == "README.md" else remarks(page)
    for sentence in PAGES.get(page, lambda: [])():
        text = text.replace(" ".join(sentence.split()), "")
    assert not measured(text), text


@pytest.mark.parametrize("name", WIDTHS)
def test_pages_of_the_width_study_hold_their_rows(name):
    slopes = slope_table(pd.DataFrame(spread_points(rows(f"widths_{name}"))))
    page = table(f"widths_{name}.md", "Slopes against width")
    for line in verdict_table(slopes).astype(str).to_numpy().tolist():
        assert line in page  # what needs stored kernels, bias and fluctuation, is not in the csv
    for kind in ("md", "html"):
        text = (FOLDER / f"widths_{name}.{kind}").read_text(encoding="utf-8")
        for sentence in (METHOD, ENSEMBLES, FIGURES[1][3]):
            assert sentence in text


@pytest.mark.parametrize(
    ("claim", "least", "median", "greatest", "verdict"),
    [
        (">= 2.5", 2.24, 2.34, 3.0, "missed"),
        (">= 2.5", 2.24, 2.6, 3.0, "holds at the median only"),
        ("<= 267 (result 61, 10 % of it, 200)", 127, 127, 127, "holds"),
        ("0.75..1.25", 1.15, 1.19, 1.29, "holds at the median only"),
        ("0.75..1.25", 0.6, 0.7, 0.8, "missed"),
        ("< 2", 0.8, 2.1, 2.2, "missed"),
        ("", 1, 2, 3, ""),
    ],
)
def test_a_claim_is_judged_by_its_median_and_every_round(claim, least, median, greatest, verdict):
    assert studies.bench_page.verdict(claim, median, least, greatest) == verdict
