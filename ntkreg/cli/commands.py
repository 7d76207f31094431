"""The commands. Each imports what it needs when it runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ntkreg.cli.options import (
    add_config,
    add_option,
    make_parser,
    output_folder,
    parse,
    prepare_folder,
    print_config,
    resolve,
)
from ntkreg.cli.study import Study

__all__ = ["plan", "predict", "run_study"]


def run_study(study: Study, arguments: Sequence[str]) -> None:
    """Run a study after its configuration, make its page and say what came out."""
    usage = "CONFIG [--KEY VALUE ...]" if study.needs_config else "[CONFIG] [--KEY VALUE ...]"
    parser = make_parser(study.name, usage, study.about, study.examples)
    add_config(parser, study.config, config_required=study.needs_config)
    given = parse(parser, arguments)
    config: Any = resolve(study.config, given)
    if "print_config" in given:
        return print_config(config)
    output = prepare_folder(output_folder(given, study.folder))
    # All of them before the work: what cannot be imported is told before hours are spent.
    run, write_report, ending = study.run, study.write_report, study.ending
    threads = {"n_jobs": given.get("n_jobs")} if study.takes_n_jobs else {}
    result = run(config, output, **threads)
    if write_report is not None:
        write_report(output)
    print(ending(config, output, result))
    for label, path in study.files:
        print(f"{label:<6} {output / path}")


def predict(arguments: Sequence[str]) -> None:
    """Predict with a saved model."""
    parser = make_parser(
        "predict",
        "MODEL_FOLDER --data DATA [--key KEY] [--output FILE]",
        "Predict with a model that `ntkreg fit` saved; writes a CSV file, one row an input.",
        "  ntkreg predict results/digits_fit --data digits\n"
        "  ntkreg predict results/cifar --data images.npz --key x_new --output new.csv",
    )
    parser.add_argument("MODEL_FOLDER", help="what `ntkreg fit` wrote, or the model/ in it")
    add_option(parser, "--data", help="digits, an .npz file, or CIFAR-10's official files")
    add_option(parser, "--key", help="array of the .npz file, or x_train; default x_test")
    add_option(parser, "--output", help="CSV file to write; default predictions.csv")
    given = parse(parser, arguments)
    if "data" not in given:
        parser.error("--data is missing: digits, an .npz file, or CIFAR-10's official files.")
    output = Path(given.get("output", "predictions.csv"))
    if output.is_dir() or (output.parent.exists() and not output.parent.is_dir()):
        parser.error(f"--output must be a CSV file to write; got {output}.")
    prepare_folder(output.parent)
    from ntkreg.cli.results import sentence
    from ntkreg.studies.fit.study import run_predict

    results = run_predict(
        given["MODEL_FOLDER"],
        given["data"],
        output,
        key=given.get("key", "x_test"),
        n_jobs=given.get("n_jobs"),
    )
    print(sentence(results | {"n_test": results["n"]}))
    print(f"rows   {output}")


def plan(arguments: list[str]) -> None:
    """Say what a configuration's kernels cost; refuse what cannot fit."""
    from ntkreg.studies.few_samples.config import FewSamplesConfig
    from ntkreg.studies.fit.config import FitConfig
    from ntkreg.studies.shared.config import read_mapping

    # Which study a file is for shows in its keys; --help is about `fit`.
    options = ["", *arguments]
    files = [
        word
        for before, word in zip(options, arguments, strict=False)
        if word.endswith((".yaml", ".yml")) and before != "--output"
    ]
    if any({"widths", "positive"} & set(read_mapping(f)) for f in files):
        return plan_widths(arguments)
    is_fit = not any({"depths", "pool", "n_samples"} & set(read_mapping(f)) for f in files)
    parser = make_parser(
        "plan",
        "CONFIG [--explain] [--KEY VALUE ...]",
        "Say how many kernel values a configuration of `ntkreg fit` or `ntkreg few-samples`\n"
        "needs, and about how many seconds and bytes on this machine. Nothing is computed\n"
        "but a short calibration; what cannot fit is refused, with what would.\n"
        "\n"
        "With --explain also what will run, operation by operation. S is the NNGP, T the NTK:\n"
        "  LAYER  sums S and T over windows, scales them, adds S to T if the layer is trained,\n"
        "         then maps both by the dual of the activation that follows\n"
        "  COPY, ADD  begin and end a residual block; POOL ends a stage; READ sums up a depth",
        "  ntkreg plan configs/digits_fit.yaml\n"
        "  ntkreg plan configs/digits_fit.yaml --explain --architecture '{recipe: myrtle}'\n"
        "  ntkreg plan configs/digits_fit.yaml --n_train 1000 --architecture.depth 20\n"
        "  ntkreg plan configs/cifar10_few_samples.yaml\n"
        "  ntkreg plan configs/widths_mnist.yaml          # networks and their training",
    )
    add_option(parser, "--explain", action="store_true", help="print what will run, too")
    add_config(parser, FitConfig if is_fit else FewSamplesConfig)
    given = parse(parser, arguments)
    config: Any = resolve(FitConfig if is_fit else FewSamplesConfig, given)
    if "print_config" in given:
        return print_config(config)
    from ntkreg.studies.plan import plan_few_samples, plan_fit

    plans = (plan_fit if is_fit else plan_few_samples)(
        config, output_folder(given, "plan"), n_jobs=given.get("n_jobs")
    )
    for number, (title, cost) in enumerate(plans):
        if number == 0 and "explain" in given:  # one network, one program
            print(f"{cost.program}\n")
        print(f"{title}\n{cost}\n")


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
