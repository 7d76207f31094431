import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small_sets import SMALL, write_set

from ntkreg.report.register import write_benchmark, write_page
from ntkreg.report.shared import page as shared_page
from ntkreg.studies.compare.study import CompareConfig, run_compare
from ntkreg.studies.few_samples.study import FewSamplesConfig, run_few_samples, write_summary
from ntkreg.studies.few_samples_compare.study import (
    FewSamplesCompareConfig,
    run_few_samples_compare,
)
from ntkreg.studies.few_samples_network.config import FewSamplesNetworkConfig
from ntkreg.studies.few_samples_network.study import run_few_samples_network
from ntkreg.studies.precision.study import PrecisionConfig, run_precision
from ntkreg.studies.quickstart.study import QuickstartConfig, run_quickstart

FOLDERS = {
    "Quickstart": "quickstart_folder",
    "FewSamples": "few_samples_folder",
    "Comparison": "comparison_folder",
    "FewSamplesNetwork": "network_folder",
    "Precision": "precision_folder",
    "Optimizers": "optimizers_folder",
    "Widths": "widths_folder",
    "Compare": "compare_folder",
    "Complete": "complete_folder",
    "Landscape": "landscape_folder",
}


@pytest.fixture(scope="session")
def page_of(request, tmp_path_factory):
    """Return a function from the name of a study to its page, made once in a copy of its folder."""
    made, png = {}, shared_page.png  # before a test has blank pictures: later ones read this page

    def page(name):
        if name not in made:
            folder = request.getfixturevalue(FOLDERS[name])
            copy = shutil.copytree(folder, tmp_path_factory.mktemp(name) / "study")
            with pytest.MonkeyPatch.context() as drawn:
                drawn.setattr(shared_page, "png", png)
                made[name] = write_page(copy)
        return made[name]

    return page


@pytest.fixture
def keep_as(tmp_path):
    """Return a function that keeps a study under a name, with remarks, and gives its stem."""

    def keep(folder, name, remarks=""):
        stem = tmp_path / name
        (tmp_path / "remarks").mkdir(exist_ok=True)
        (tmp_path / "remarks" / f"{name}.md").write_text(remarks)
        made = write_benchmark(folder, stem)
        assert all(path.name.startswith(f"{name}.") and path.exists() for path in made)
        return lambda suffix: stem.parent / f"{name}.{suffix}"

    return keep


@pytest.fixture(scope="session")
def quickstart_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quickstart")
    run_quickstart(QuickstartConfig(60, (20, 30), 2, 1, 1, n_hardest=3, n_shown=20), folder)
    return folder


@pytest.fixture(scope="session")
def few_samples_config(tmp_path_factory):
    """A study on noise with ten classes, at sizes and depths that have published rows."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("noise")
    x, y = rng.integers(0, 256, size=(90, 4, 4, 1), dtype=np.uint8), np.arange(90) % 10
    np.savez(folder / "noise.npz", x_train=x[:60], y_train=y[:60], x_test=x[60:], y_test=y[60:])
    return FewSamplesConfig(
        str(folder / "noise.npz"),
        {"recipe": "cntk", "depth": 5, "readout": "flatten"},
        depths=(4, 5),
        pool=50,
        n_test=30,
        n_samples=(10, 20),
        n_draws=3,
        alpha=1e-3,
    )


@pytest.fixture(scope="session")
def few_samples_folder(few_samples_config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("few_samples")
    run_few_samples(few_samples_config, folder)
    return folder


@pytest.fixture(scope="session")
def unpublished_folder(few_samples_config, tmp_path_factory):
    """A network that has no published rows, on the same draws."""
    folder = tmp_path_factory.mktemp("unpublished")
    layers = {"layers": ["Conv", "Relu", "Flatten", "Dense"]}
    run_few_samples(replace(few_samples_config, architecture=layers, depths=None), folder)
    return folder


@pytest.fixture(scope="session")
def two_classes_folder(few_samples_config, tmp_path_factory):
    """The first two classes, at depths of the published table."""
    folder = tmp_path_factory.mktemp("two_classes")
    sizes = {"pool": 10, "n_test": None, "n_samples": (2, 4), "depths": (2, 3, 5)}
    network = few_samples_config.architecture | {"readout": "gap"}
    config = replace(few_samples_config, architecture=network, classes=(0, 1), **sizes)
    run_few_samples(config, folder)
    return folder


@pytest.fixture(scope="session")
def first_images_folder(few_samples_config, tmp_path_factory):
    """The first images, whose number is given as that of the published table."""
    folder = tmp_path_factory.mktemp("first_images")
    sizes = {"pool": 20, "n_samples": (20,), "n_draws": 1, "depths": (2, 3)}
    config = replace(few_samples_config, seed=None, **sizes)
    rows = run_few_samples(config, folder).assign(n=2000)
    write_summary(rows, config, config.n_test, folder)
    pd.read_csv(folder / "steps.csv").assign(n=2000).to_csv(folder / "steps.csv", index=False)
    return folder


@pytest.fixture(scope="session")
def comparison_folder(few_samples_folder, unpublished_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison")
    kernels = {"CNTK-5": str(few_samples_folder), "one layer": str(unpublished_folder)}
    run_few_samples_compare(FewSamplesCompareConfig(kernels), folder)
    return folder


@pytest.fixture(scope="session")
def network_folder(tmp_path_factory, corners):
    folder = tmp_path_factory.mktemp("network")
    network = {"recipe": "cntk", "depth": 1, "readout": "flatten"}
    sizes = {"pool": 8, "n_test": 8, "n_samples": (4, 8), "n_draws": (2, 1)}
    training = {"width": 2, "n_steps": 2, "n_epochs": 1, "batch_size": 4, "n_networks": 1}
    config = FewSamplesNetworkConfig(str(corners), network, learning_rate=1e-2, **sizes, **training)
    run_few_samples_network(config, folder)
    return folder


@pytest.fixture(scope="session")
def precision_folder(tmp_path_factory):
    """A study on noise: one network that has a mixed kernel, one that has none."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("precision")
    x, y = rng.integers(0, 256, size=(40, 3, 3, 1), dtype=np.uint8), np.arange(40) % 2
    np.savez(folder / "noise.npz", x_train=x[:20], y_train=y[:20], x_test=x[20:], y_test=y[20:])
    networks = {
        "dense": {"recipe": "fully_connected", "depth": 1},
        "flat": {"recipe": "cntk", "depth": 1, "readout": "flatten"},
    }
    config = PrecisionConfig(str(folder / "noise.npz"), networks, 6, 2, 1, 8, (0.0, 1e-4))
    run_precision(config, folder / "out", progress=False)
    return folder / "out"


@pytest.fixture(scope="session")
def compare_folder(tmp_path_factory):
    """Six data sets, on one of which models fail."""
    folder = tmp_path_factory.mktemp("compare")
    (folder / "data").mkdir()
    for i in range(6):
        write_set(folder / "data" / f"set {i}.npz", n=40, classes=2 + i % 2, seed=i)
    write_set(folder / "data" / "one class.npz", y=np.zeros(40, int))
    config = CompareConfig(str(folder / "data"), SMALL, budget=4, n_trees=3)
    run_compare(config, folder / "out", n_jobs=1, progress=False)
    return folder / "out"
