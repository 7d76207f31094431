"""Every measured figure in a sentence of the documents is recomputed from committed rows."""

import pytest
import sentences_of_documents as documents
from benchmark_pages import measured, sections, words

DOCUMENTS = {
    "README.md": documents.readme,
    "ntkreg/kernels/image/ENGINE.md": documents.engine,
    "docs/estimators.md": documents.guide,
}
"""Documents that quote measured figures, and the sentences as the rows have them."""

README = ("ntkreg", "Kernels", "Precision", "How fast, how right")
"""Its sections that quote them."""


@pytest.mark.parametrize("page", DOCUMENTS)
def test_sentences_are_what_the_rows_hold(page):
    text, wanted = words(page), list(DOCUMENTS[page]())
    assert wanted
    for sentence in wanted:
        assert " ".join(sentence.split()) in text, f"{page} does not say: {sentence}"


def test_no_measured_figure_stands_outside_such_a_sentence():
    text = sections("README.md", *README)
    for sentence in documents.readme():
        text = text.replace(" ".join(sentence.split()), "")
    assert not measured(text), text
