import pytest

from ntkreg.errors import SpecError
from ntkreg.report.shared.remarks import filled, in_words, listed, quoted


def ask(other, name, words):
    return f"<{other}|{name}|{','.join(words)}>"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no figure", "no figure"),
        ("{{mean}} %", "<|mean|> %"),
        ("at {{mean: ntk; 640}}.", "at <|mean|ntk,640>."),
        ("{{cifar10_lap/mean: LAP flip; 1}}", "<cifar10_lap|mean|LAP flip,1>"),
        ("{{a}}{{b-c: d}}", "<|a|><|b-c|d>"),
        ("{{mean:\nntk}}", "<|mean|ntk>"),
    ],
)
def test_placeholders_are_filled_and_nothing_else(text, said):
    assert filled(text, ask) == said


@pytest.mark.parametrize("text", ["{{mean", "mean}}", "{{two words}}", "{{../x/mean: 1}}", "{{}}"])
def test_braces_that_are_no_placeholder_are_refused(text):
    with pytest.raises(SpecError, match=r"is no placeholder. Write {{quantity}}"):
        filled(f"before {text} after", ask)


def mean(study, get, n, depth=""):
    return f"{study} {get} {n} {depth}".strip()


def test_a_quantity_is_asked_with_its_words():
    assert quoted({"mean": mean}, "study", "mean", ["ntk", "10"]) == "study ntk 10"
    assert quoted({"mean": mean}, "study", "mean", ["ntk", "10", "3"]) == "study ntk 10 3"


def test_unknown_quantities_and_wrong_words_are_told():
    with pytest.raises(SpecError, match=r"unknown quantity 'median'. Known: mean."):
        quoted({"mean": mean}, "study", "median", [])
    with pytest.raises(SpecError, match=r"'mean' takes get; n; depth; got ntk."):
        quoted({"mean": mean}, "study", "mean", ["ntk"])


def test_lists_and_numbers_in_words():
    assert (listed([10]), listed([10, 20]), listed(range(3))) == ("10", "10 and 20", "0, 1 and 2")
    assert (in_words(0), in_words(12), in_words(99)) == ("none", "twelve", "99")
