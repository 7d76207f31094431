"""The commands. Each imports what it needs when it runs."""

import contextlib
from collections.abc import Callable, Sequence
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
from ntkreg.cli.report_command import report
from ntkreg.cli.studies import STORE, STUDIES
from ntkreg.cli.study import Study
from ntkreg.cli.which_study import study_asked_for

__all__ = ["plan", "predict", "report", "run_study", "warm"]

_PLAN = """\
Say what a study will cost: how many kernel values, networks and steps, and about how many
seconds and bytes on this machine. Nothing is computed but a short calibration; what cannot
fit is refused, with what would. Which study CONFIG is for shows in its keys.

With --explain (fit, few-samples) also what will run, operation by operation. S is the NNGP,
T the NTK:
  LAYER  sums S and T over windows, scales them, adds S to T if the layer is trained,
         then maps both by the dual of the activation that follows
  COPY, ADD  begin and end a residual block; POOL ends a stage; READ sums up a depth

With --cluster (the same studies) also what each kernel would cost on many machines, by a model:
an indication. FILE is YAML with machines and cores (of each), and if you like gpus, core_rate
and gpu_rate (pairs a second), network_bandwidth and store_bandwidth (bytes a second),
hours_between_failures (of one machine), restart_seconds, start_seconds; for the solve, on one
machine, core_flops (float64 operations a second) and memory (bytes). Here nothing has to fit."""

_PLAN_EXAMPLES = """\
  ntkreg plan configs/digits_fit.yaml
  ntkreg plan configs/digits_fit.yaml --explain --architecture '{recipe: myrtle}'
  ntkreg plan configs/digits_fit.yaml --n_train 1000 --architecture.depth 20
  ntkreg plan configs/digits_gram.yaml --cluster configs/clusters/hundred_machines.yaml
  ntkreg plan configs/cifar10_few_samples.yaml
  ntkreg plan configs/widths_mnist.yaml          # networks and their training
  ntkreg plan --study quickstart --n_splits 10   # which needs no CONFIG"""


def run_study(study: Study, arguments: Sequence[str]) -> None:
    """Run a study after its configuration, make its page and say what came out."""
    if arguments and arguments[0] in study.words:
        return study.word(arguments[0])(arguments[1:])
    usage = "CONFIG [--KEY VALUE ...]" if study.needs_config else "[CONFIG] [--KEY VALUE ...]"
    parser = make_parser(study.name, usage, study.about, study.examples)
    for option in study.options:
        how = {"metavar": option.metavar} if option.metavar else {"action": "store_true"}
        add_option(parser, f"--{option.name}", help=option.help, **how)
    add_config(parser, study.config, config_required=study.needs_config)
    parser.absent[f"--{STORE.name}"] = study.no_store
    given = parse(parser, arguments)
    config: Any = resolve(study.config, given)
    if "print_config" in given:
        return print_config(config)
    output = prepare_folder(output_folder(given, study.folder))
    # All of them before the work: what cannot be imported is told before hours are spent.
    run, write_report, ending = study.run, study.write_report, study.ending
    threads = {"n_jobs": given.get("n_jobs")} if study.takes_n_jobs else {}
    options = {name: given[name] for name, *_ in study.options if name in given}
    result = run(config, output, **threads, **options)
    if write_report is not None:
        write_report(output)
    print(ending(config, output, result))
    for label, path in study.files:
        print(f"{label:<6} {output / path}")
    return None


def predict(arguments: Sequence[str]) -> None:
    """Predict with a saved model."""
    parser = make_parser(
        "predict",
        "MODEL_FOLDER --data DATA [--key KEY] [--output FILE] [--store FOLDER]",
        "Predict with a model that `ntkreg fit` saved; writes a CSV file, one row an input.",
        "  ntkreg predict results/digits_fit --data digits\n"
        "  ntkreg predict results/cifar --data images.npz --key x_new --output new.csv",
    )
    parser.add_argument("MODEL_FOLDER", help="what `ntkreg fit` wrote, or the model/ in it")
    add_option(parser, "--data", help="digits, an .npz file, or CIFAR-10's official files")
    add_option(parser, "--key", help="array of the .npz file, or x_train; default x_test")
    add_option(parser, "--output", help="CSV file to write; default predictions.csv")
    add_option(parser, f"--{STORE.name}", metavar=STORE.metavar, help=STORE.help)
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
        store=given.get("store"),
    )
    print(sentence(results | {"n_test": results["n"]}))
    print(f"rows   {output}")


def plan(arguments: Sequence[str]) -> None:
    """Say what a study will cost after its configuration; refuse what cannot fit."""
    study = study_asked_for(arguments)
    parser = make_parser("plan", "CONFIG [--study NAME] [--KEY VALUE ...]", _PLAN, _PLAN_EXAMPLES)
    add_option(parser, "--study", metavar="NAME", help="whose CONFIG it is, where its keys leave "
               f"that open: {', '.join(STUDIES)}")  # fmt: skip
    parser.absent[f"--{STORE.name}"] = "a plan counts every kernel, whatever a store holds of it"
    if study is None or study.explains:
        add_option(parser, "--explain", action="store_true", help="print what will run, too")
        add_option(
            parser, "--cluster", metavar="FILE", help="say what it costs on this cluster, too"
        )
    if study is None:
        parser.add_argument("CONFIG", help="YAML file of a study; with it, --help has its keys")
        parse(parser, arguments)
        parser.error("CONFIG is missing.")
    add_config(parser, study.config, config_required=study.needs_config)
    given = parse(parser, arguments)
    config: Any = resolve(study.config, given)
    if "print_config" in given:
        return print_config(config)
    on_cluster = _cluster_planner(given["cluster"]) if "cluster" in given else None
    from ntkreg.gram.plan import planned_for_elsewhere
    from ntkreg.studies.shared.plan import KernelPlan

    # Around the loop too: parts are planned one by one, as they are asked for.
    with contextlib.nullcontext() if on_cluster is None else planned_for_elsewhere():
        parts = study.plan(config, output_folder(given, study.folder), n_jobs=given.get("n_jobs"))
        for number, part in enumerate(parts):
            if number == 0 and "explain" in given:  # one network, one program
                print(f"{part.gram.program}\n")
            print(part)
            if on_cluster is not None and isinstance(part, KernelPlan):
                print(f"{on_cluster(part.gram)}\n")


def _cluster_planner(source: str) -> Callable[[Any], Any]:
    """Return what plans a kernel on the cluster that a YAML file describes, read now."""
    from ntkreg.studies.shared.cluster_plan import Cluster, plan_of_cluster
    from ntkreg.studies.shared.config import read_config

    cluster = read_config(Cluster, source)
    return lambda plan: plan_of_cluster(plan, cluster)


def warm(arguments: Sequence[str]) -> None:
    """Compile ahead what first kernels would wait for."""
    parser = make_parser(
        "warm",
        "",
        "Compile the loops of common networks now: cntk with every read-out and activation,\n"
        "myrtle, resnet, fully_connected, in float32 and float64. Their machine code is kept in\n"
        "the first of NUMBA_CACHE_DIR, the package's own folders and the user's cache that can be\n"
        "written, so this helps once on a machine; a first kernel compiles what it needs anyway.",
        "  ntkreg warm\n"
        "  NUMBA_CACHE_DIR=/scratch/ntkreg ntkreg warm    # for the jobs of a cluster",
        takes_n_jobs=False,
    )
    parse(parser, arguments)
    from ntkreg.kernels.warm import warm as compile_networks

    print(f"{compile_networks()} networks are compiled.")
