import numpy as np
import pytest

from ntkreg.studies.few_samples import FewSamplesConfig, run_few_samples
from ntkreg.studies.precision import PrecisionConfig, run_precision
from ntkreg.studies.quickstart import QuickstartConfig, run_quickstart


@pytest.fixture(scope="session")
def quickstart_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quickstart")
    run_quickstart(QuickstartConfig(60, (20, 30), 2, 1, 1, n_hardest=3, n_shown=20), folder)
    return folder


@pytest.fixture(scope="session")
def few_samples_folder(tmp_path_factory):
    """A study on noise with ten classes, at sizes and depths that have published rows."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("few_samples")
    x, y = rng.integers(0, 256, size=(90, 3, 3, 1), dtype=np.uint8), np.arange(90) % 10
    np.savez(folder / "noise.npz", x_train=x[:60], y_train=y[:60], x_test=x[60:], y_test=y[60:])
    config = FewSamplesConfig(
        str(folder / "noise.npz"), 50, 30, (10, 20), 3, (4, 5), "flatten", alpha=1e-3
    )
    run_few_samples(config, folder / "out")
    return folder / "out"


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
