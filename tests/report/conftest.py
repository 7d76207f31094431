import numpy as np
import pytest

from ntkreg.studies.few_samples import FewSamplesConfig, run_few_samples
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
        str(folder / "noise.npz"),
        {"recipe": "cntk", "depth": 5, "readout": "flatten"},
        depths=(4, 5),
        pool=50,
        n_test=30,
        n_samples=(10, 20),
        n_draws=3,
        alpha=1e-3,
    )
    run_few_samples(config, folder / "out")
    return folder / "out"
