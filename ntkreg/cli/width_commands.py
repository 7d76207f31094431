"""The commands of the width study. Each imports what it needs when it runs."""

from ntkreg.cli.options import (
    add_config,
    make_parser,
    output_folder,
    parse,
    prepare_folder,
    print_config,
    resolve,
)

__all__ = ["plan_widths", "widths"]


def widths(arguments: list[str]) -> None:
    """Run the width-scaling study and make its page."""
    from ntkreg.studies.widths.config import WidthsConfig

    parser = make_parser(
        "widths",
        "CONFIG [--KEY VALUE ...]",
        "Draw and train networks of many widths, starts and depths, lazily (ntk) and learning\n"
        "features (mup), and hold them against the theory of infinite width: kernels at the\n"
        "start, how far kernels and weights move, the gap to linearised training, ensembles.\n"
        "The page has a slope with a 95 % interval and a verdict for each. Every network is\n"
        "stored when it is done: a run that was stopped goes on, more widths or starts are\n"
        "added to what is there.",
        "  ntkreg widths configs/widths_mnist.yaml\n"
        "  ntkreg plan configs/widths_mnist.yaml          # networks, seconds, bytes\n"
        "  ntkreg widths configs/widths_mnist.yaml --widths '[16,32,64,128]' --n_seeds '[8]' \\\n"
        "      --n_starts '[32]' --output results/trial   # a trial in minutes\n"
        "  ntkreg widths configs/widths_mnist.yaml --data digits --positive '[1,3,5,7,9]'",
    )
    add_config(parser, WidthsConfig)
    given = parse(parser, arguments)
    config = resolve(WidthsConfig, given)
    if "print_config" in given:
        return print_config(config)
    from ntkreg.report.shared.tables import text_table
    from ntkreg.report.widths.page import write_widths_report
    from ntkreg.report.widths.tables import verdict_table
    from ntkreg.studies.widths.study import run_widths

    output = prepare_folder(output_folder(given, "widths"))
    slopes = run_widths(config, output, n_jobs=given.get("n_jobs"))
    page = write_widths_report(output)
    print("Slopes against width, both on log axes, with 95 % intervals:\n")
    print(text_table(verdict_table(slopes).drop(columns="source")))
    print(f"\npage   {page}\nrows   {output / 'rows.csv'}")


def plan_widths(arguments: list[str]) -> None:
    """Say what a width study costs."""
    from ntkreg.studies.widths.config import WidthsConfig

    parser = make_parser(
        "plan",
        "CONFIG [--KEY VALUE ...]",
        "Say how many networks a configuration of `ntkreg widths` draws and trains, and about\n"
        "how many seconds and bytes that takes on this machine. Nothing is run but a short\n"
        "calibration.",
        "  ntkreg plan configs/widths_mnist.yaml\n"
        "  ntkreg plan configs/widths_mnist.yaml --widths '[16,64,256]' --n_seeds '[8]'",
    )
    add_config(parser, WidthsConfig)
    given = parse(parser, arguments)
    config = resolve(WidthsConfig, given)
    if "print_config" in given:
        return print_config(config)
    from ntkreg.studies.widths import plan as width_plan

    print(width_plan.plan_widths(config))
