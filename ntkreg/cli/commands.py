"""The commands. Each imports what it needs when it runs."""

from collections.abc import Mapping
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
from ntkreg.cli.width_commands import plan_widths, widths

__all__ = [
    "few_samples",
    "few_samples_compare",
    "few_samples_network",
    "fit",
    "optimizers",
    "plan",
    "precision",
    "predict",
    "quickstart",
    "widths",
]


def quickstart(arguments: list[str]) -> None:
    """Run the comparison on digits, print its table, make its page."""
    from ntkreg.studies.quickstart.config import QuickstartConfig

    parser = make_parser(
        "quickstart",
        "[CONFIG] [--KEY VALUE ...]",
        "NTK and NNGP of dense and convolutional networks of infinite width against an\n"
        "RBF-SVM, on the same splits of scikit-learn's 8 x 8 digits. Nothing is downloaded.",
        "  ntkreg quickstart                   # table, and results/quickstart/page.html\n"
        "  ntkreg quickstart --n_splits 10 --conv_depth 8\n"
        "  ntkreg quickstart --n_images 300 --n_train '[50,100]'",
    )
    add_config(parser, QuickstartConfig, config_required=False)
    given = parse(parser, arguments)
    config = resolve(QuickstartConfig, given)
    if "print_config" in given:
        return print_config(config)
    from ntkreg.report.quickstart.page import write_quickstart_report
    from ntkreg.report.shared.tables import accuracy_table, text_table
    from ntkreg.studies.quickstart.study import run_quickstart

    output = prepare_folder(output_folder(given, "quickstart"))
    rows = run_quickstart(config, output, n_jobs=given.get("n_jobs"))
    page = write_quickstart_report(output)
    print("Accuracy on images held out, %, mean ± standard deviation over splits:\n")
    print(text_table(accuracy_table(rows)))
    print(f"\npage   {page}\nrows   {output / 'rows.csv'}")


def fit(arguments: list[str]) -> None:
    """Fit, test and save one model."""
    from ntkreg.studies.fit.config import FitConfig

    parser = make_parser(
        "fit",
        "CONFIG [--KEY VALUE ...]",
        "Fit one model, test it and save it, with its configuration, beside the results.",
        "  ntkreg fit configs/digits_fit.yaml\n"
        "  ntkreg fit configs/digits_fit.yaml --alpha 1e-3 --output results/ridge3\n"
        "  ntkreg fit configs/digits_fit.yaml --architecture.depth 3\n"
        "  ntkreg fit configs/digits_fit.yaml --architecture '{recipe: fully_connected}'\n"
        "  ntkreg fit configs/digits_fit.yaml --data my_images.npz --store_kernel true",
    )
    add_config(parser, FitConfig)
    given = parse(parser, arguments)
    config = resolve(FitConfig, given)
    if "print_config" in given:
        return print_config(config)
    output = prepare_folder(output_folder(given, "fit"))
    from ntkreg.studies.fit.study import run_fit

    results = run_fit(config, output, n_jobs=given.get("n_jobs"))
    print(_sentence(results))
    print(
        f"condition {results['condition']:.2g}, ridge {results['alpha']:.2g}; "
        f"fit {results['fit_seconds']:.1f} s, test {results['test_seconds']:.1f} s"
    )
    print(f"model  {output / 'model'}\nresult {output / 'record.json'}")


def predict(arguments: list[str]) -> None:
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
    from ntkreg.studies.fit.study import run_predict

    results = run_predict(
        given["MODEL_FOLDER"],
        given["data"],
        output,
        key=given.get("key", "x_test"),
        n_jobs=given.get("n_jobs"),
    )
    print(_sentence(results | {"n_test": results["n"]}))
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


def few_samples(arguments: list[str]) -> None:
    """Run the few-samples study and make its page."""
    from ntkreg.studies.few_samples.config import FewSamplesConfig

    parser = make_parser(
        "few-samples",
        "CONFIG [--KEY VALUE ...]",
        "Accuracy of kernels of convolutional networks from 10 to 640 images, in the setting of\n"
        "Arora et al. 2020. Kernels are stored as they come: a run that was stopped goes on.",
        "  ntkreg few-samples configs/cifar10_few_samples.yaml\n"
        "  ntkreg few-samples configs/cifar10_few_samples.yaml --pool 40 --n_test 20 \\\n"
        "      --n_samples '[10,20]' --depths '[4,5]'         # a trial in a minute\n"
        "  ntkreg few-samples configs/cifar10_myrtle5.yaml --data my_images.npz\n"
        "  ntkreg few-samples configs/cifar10_lap.yaml --symmetry flip --output results/flip",
    )
    add_config(parser, FewSamplesConfig)
    given = parse(parser, arguments)
    config = resolve(FewSamplesConfig, given)
    if "print_config" in given:
        return print_config(config)
    from ntkreg.report.few_samples.page import write_few_samples_report
    from ntkreg.report.shared.read import StudyFolder
    from ntkreg.report.shared.tables import depth_table, text_table
    from ntkreg.studies.few_samples.study import run_few_samples

    output = prepare_folder(output_folder(given, "few_samples"))
    run_few_samples(config, output, n_jobs=given.get("n_jobs"))
    page = write_few_samples_report(output)
    print("NTK: accuracy, %, mean ± standard deviation over draws:\n")
    print(text_table(depth_table(StudyFolder(output).table("summary"), "ntk")))
    print(f"\npage   {page}\nrows   {output / 'rows.csv'}")


def few_samples_compare(arguments: list[str]) -> None:
    """Say which of several few-samples runs' kernels is best at each n; make the page."""
    from ntkreg.studies.few_samples_compare.config import FewSamplesCompareConfig

    parser = make_parser(
        "few-samples-compare",
        "CONFIG [--KEY VALUE ...]",
        "Which kernel is best at each number of training images, and which cannot be told\n"
        "from it: finished runs of `ntkreg few-samples` on the same draws, compared draw by\n"
        "draw and test image by test image. No kernel is computed.",
        "  ntkreg few-samples-compare configs/cifar10_best_kernel.yaml\n"
        "  ntkreg few-samples-compare configs/cifar10_best_kernel.yaml --get '[ntk]'\n"
        "  ntkreg few-samples-compare configs/cifar10_best_kernel.yaml \\\n"
        "      --kernels '{mine: results/mine}'               # one more beside the file's",
    )
    add_config(parser, FewSamplesCompareConfig)
    given = parse(parser, arguments)
    config = resolve(FewSamplesCompareConfig, given)
    if "print_config" in given:
        return print_config(config)
    from ntkreg.report.few_samples_compare.page import best_table, write_few_samples_compare_report
    from ntkreg.report.shared.tables import text_table
    from ntkreg.studies.few_samples_compare.study import run_few_samples_compare

    output = prepare_folder(output_folder(given, "few_samples_compare"))
    comparison = run_few_samples_compare(config, output)
    page = write_few_samples_compare_report(output)
    print("Best kernel at each n, accuracy, % ± error of the mean:\n")
    print(text_table(best_table(comparison)))
    print(f"\npage   {page}\nrows   {output / 'rows.csv'}")


def precision(arguments: list[str]) -> None:
    """Run the precision study and make its page."""
    from ntkreg.studies.precision.config import PrecisionConfig

    parser = make_parser(
        "precision",
        "CONFIG [--KEY VALUE ...]",
        "What kernels in float32 and mixed precision do to eigenvalues, residuals, predictions\n"
        "and accuracy, against float64, on images that repeat, nearly repeat or are distinct.\n"
        "Kernels are stored as they come: a run that was stopped goes on.",
        "  ntkreg precision configs/cifar10_precision.yaml\n"
        "  ntkreg precision configs/cifar10_precision.yaml --n_train 10 --n_copies 2 --n_test 16\n"
        "  ntkreg precision configs/cifar10_precision.yaml --data my_images.npz",
    )
    add_config(parser, PrecisionConfig)
    given = parse(parser, arguments)
    config = resolve(PrecisionConfig, given)
    if "print_config" in given:
        return print_config(config)
    from ntkreg.report.precision.page import safe_table, write_precision_report
    from ntkreg.report.shared.read import StudyFolder
    from ntkreg.report.shared.tables import text_table
    from ntkreg.studies.precision.study import run_precision

    output = prepare_folder(output_folder(given, "precision"))
    run_precision(config, output, n_jobs=given.get("n_jobs"))
    page = write_precision_report(output)
    print(
        "Least ridge, in mean diagonals, from which on errors of the kernel change no quadratic\n"
        f"form of what is solved by more than {config.tolerance:g} of it:\n"
    )
    print(text_table(safe_table(StudyFolder(output).table("safe"))))
    print(f"\npage   {page}\nrows   {output / 'rows.csv'}")


def few_samples_network(arguments: list[str]) -> None:
    """Train networks of finite width on the draws of the few-samples study."""
    from ntkreg.studies.few_samples_network.config import FewSamplesNetworkConfig

    parser = make_parser(
        "few-samples-network",
        "CONFIG [--KEY VALUE ...]",
        "Accuracy of trained networks of finite width on the draws of `ntkreg few-samples`,\n"
        "beside a kernel's rows. Every draw is stored: a run that was stopped goes on.",
        "  ntkreg few-samples-network configs/cifar10_few_samples_cnn.yaml\n"
        "  ntkreg few-samples-network configs/cifar10_few_samples_cnn.yaml \\\n"
        "      --n_samples '[10,20]' --n_draws '[3]'          # a trial in a few minutes",
    )
    add_config(parser, FewSamplesNetworkConfig)
    given = parse(parser, arguments)
    config = resolve(FewSamplesNetworkConfig, given)
    if "print_config" in given:
        return print_config(config)
    from ntkreg.report.few_samples_network.page import (
        network_table,
        write_few_samples_network_report,
    )
    from ntkreg.report.shared.read import StudyFolder
    from ntkreg.report.shared.tables import text_table
    from ntkreg.studies.few_samples_network.study import run_few_samples_network

    output = prepare_folder(output_folder(given, "few_samples_network"))
    run_few_samples_network(config, output)
    page = write_few_samples_network_report(output)
    print("Accuracy, %, mean ± standard deviation over draws:\n")
    print(text_table(network_table(StudyFolder(output).table("beside"))))
    print(f"\npage   {page}\nrows   {output / 'rows.csv'}")


def optimizers(arguments: list[str]) -> None:
    """Run the optimiser study and make its page."""
    from ntkreg.studies.optimizers.config import OptimizersConfig

    parser = make_parser(
        "optimizers",
        "CONFIG [--KEY VALUE ...]",
        "Eight optimisers from one start on one task: do they follow the kernel trajectory, how\n"
        "far apart do they end, what do noise, stopping, ridge and random labels do. Every run\n"
        "is kept as it ends: a study that was stopped goes on.",
        "  ntkreg optimizers configs/optimizers_mnist.yaml\n"
        "  ntkreg optimizers configs/optimizers_mnist.yaml --widths '[32,64]' --width 64 \\\n"
        "      --n_train 50 --batch_sizes '[5,20]' --seeds '[0,1]'  # a trial in two minutes\n"
        "  ntkreg optimizers configs/optimizers_mnist.yaml --rates '{adam: 0.1}'",
    )
    add_config(parser, OptimizersConfig)
    given = parse(parser, arguments)
    config = resolve(OptimizersConfig, given)
    if "print_config" in given:
        return print_config(config)
    from ntkreg.report.optimizers.page import write_optimizers_report
    from ntkreg.report.optimizers.tables import sentences
    from ntkreg.report.shared.read import StudyFolder
    from ntkreg.studies.optimizers.study import run_optimizers

    output = prepare_folder(output_folder(given, "optimizers"))
    run_optimizers(config, output, n_jobs=given.get("n_jobs"))
    page = write_optimizers_report(output)
    study = StudyFolder(output)
    runs = study.table("runs")
    print("\n".join(sentences(study.table("verdicts"), runs[runs.width == config.width])))
    print(f"\npage   {page}\nrows   {output / 'runs.csv'}")


def _sentence(results: Mapping[str, Any]) -> str:
    n = f"{results['n_test']} inputs"
    if "accuracy" in results:
        return f"accuracy {results['accuracy']:.2f} % of {n}"
    if "rmse" in results:
        return f"R2 {results['r2']:.4f}, root mean squared error {results['rmse']:.4g} on {n}"
    return f"{n} predicted" if results["n_test"] else "no test inputs"
