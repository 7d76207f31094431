"""The command that makes pages of finished studies."""

from collections.abc import Sequence

from ntkreg.cli.options import add_option, make_parser, parse

__all__ = ["report"]


def report(arguments: Sequence[str]) -> None:
    """Make a finished study's page again, or keep it among the benchmarks."""
    parser = make_parser(
        "report",
        "[FOLDER] [LANDSCAPE] [--benchmark STEM] [--remarks FILE]",
        "Make page.html in the folder of a finished study again, from its files alone.\n"
        "\n"
        "With --benchmark keep the study: STEM.csv (rows), STEM.NAME.csv (tables that do not\n"
        "follow from them), STEM.json and STEM.yaml (record and configuration), and of these\n"
        "STEM.md and STEM.png. Without FOLDER these two are made again of what is kept.\n"
        "\n"
        "Remarks are Markdown that stands after the page's own sentences. Their figures come\n"
        "from the rows: {{mean: ntk; 640}} is the quantity `mean` asked with two words, and\n"
        "{{cifar10_lap/mean: ntk; 640}} that of a study kept beside; each study's quantities\n"
        "are in ntkreg/report/STUDY/quoted.py.\n"
        "\n"
        "A width study and then a landscape study, folders or STEMs that are kept: the page\n"
        "narrow_to_wide.html that joins them, beside that of the width study.",
        "  ntkreg report results/few_lap\n"
        "  ntkreg report results/few_lap --benchmark benchmarks/cifar10_lap\n"
        "  ntkreg report --benchmark benchmarks/cifar10_lap\n"
        "  ntkreg report results/widths_mnist results/landscape",
        takes_n_jobs=False,
    )
    parser.add_argument("FOLDER", nargs="?", help="what a study wrote into")
    parser.add_argument("LANDSCAPE", nargs="?", help="a landscape study beside a width study")
    add_option(parser, "--benchmark", help="path without suffix of the files to write")
    add_option(
        parser,
        "--remarks",
        help="Markdown file; default remarks/NAME.md beside STEM, if there is one",
    )
    given = {name: value for name, value in parse(parser, arguments).items() if value is not None}
    if not {"FOLDER", "benchmark"} & set(given):
        parser.error("FOLDER is missing: what a study wrote into.")
    if "remarks" in given and "benchmark" not in given:
        parser.error("--remarks needs --benchmark STEM: page.html has none.")
    if {"LANDSCAPE", "benchmark"} <= set(given):
        parser.error("--benchmark keeps one study; leave it out to join two.")
    from ntkreg.report import register

    if "LANDSCAPE" in given:
        made = register.write_joined(given["FOLDER"], given["LANDSCAPE"])
    elif "benchmark" not in given:
        made = [register.write_page(given["FOLDER"])]
    elif "FOLDER" in given:
        made = register.write_benchmark(given["FOLDER"], given["benchmark"], given.get("remarks"))
    else:
        made = register.remake_benchmark(given["benchmark"], given.get("remarks"))
    for path in made:
        print(path)
