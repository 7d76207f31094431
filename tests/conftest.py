"""What all tests share: helpers, XLA's machine code between runs, studies that were run once.

The helpers in tests/ (agreement, oracles) are importable from every test.
"""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

MOST_KEPT = 2**28
"""Bytes of XLA's machine code from which its folder is emptied before a run."""


def pytest_configure(config):
    """Keep what XLA compiles in pytest's own cache, for later runs, workers and subprocesses.

    Compiling is most of what tests of finite networks cost. `pytest --cache-clear` forgets it.
    """
    if not hasattr(config, "cache"):  # -p no:cacheprovider
        return
    folder = config.cache.mkdir("xla")
    alone = not hasattr(config, "workerinput")  # pytest-xdist's workers are not started yet
    if alone and sum(entry.stat().st_size for entry in os.scandir(folder)) > MOST_KEPT:
        shutil.rmtree(folder, ignore_errors=True)
    settings = {
        "COMPILATION_CACHE_DIR": str(folder),
        "PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    for name, value in settings.items():
        os.environ.setdefault(f"JAX_{name}", value)


@pytest.fixture
def blank_pictures(monkeypatch):
    """Make pages whose figures are made, and not drawn: most of a page's time.

    For tests of their text; tests/report/ draws every figure.
    """
    from matplotlib.figure import Figure

    from ntkreg.report.shared import page

    blank = page.png(Figure((0.1, 0.1)))
    monkeypatch.setattr(page, "png", lambda figure: blank)


@pytest.fixture(scope="session")
def corners(tmp_path_factory):
    """Return an archive of noisy 4 x 4 images whose class, 0 to 3, is the brighter corner."""
    rng = np.random.default_rng(0)

    def draw(n):
        y = np.arange(n) % 4
        x = rng.integers(0, 200, size=(n, 2, 2, 2, 2))
        x[np.arange(n), y // 2, :, y % 2] += 55
        return x.reshape(n, 4, 4).astype(np.uint8), y

    path = tmp_path_factory.mktemp("corners") / "corners.npz"
    (x_train, y_train), (x_test, y_test) = draw(60), draw(24)
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return path


@pytest.fixture(scope="session")
def optimizers_config(corners):
    """Return an optimiser study of a few seconds."""
    from ntkreg.studies.optimizers.config import OptimizersConfig

    return OptimizersConfig(
        str(corners),
        positive=(0, 3),
        n_train=20,
        n_test=24,
        depth=1,
        widths=(8, 32),
        seeds=(0, 3),
        optimizers=("gradient_descent", "adam"),
        batch_size=5,
        batch_sizes=(5,),
        batch_rates=(0.05, 0.2),
        levels=(0.2, 0.05),
        max_steps=2000,
    )


@pytest.fixture(scope="session")
def widths_config():
    """Settings of a study of a few seconds, with every kind of row but one hidden layer."""
    from ntkreg.studies.widths.study import WidthsConfig

    return WidthsConfig(
        "digits",
        (1, 3, 5, 7, 9),
        {"recipe": "fully_connected"},
        depths=(2,),
        widths=(8, 16, 32),
        n_seeds=(3,),
        n_starts=(5,),
        n_train=16,
        n_test=20,
        n_steps=8,
        rate=0.3,
    )


@pytest.fixture(scope="session")
def optimizers_folder(optimizers_config, tmp_path_factory):
    """Return what that study leaves behind."""
    from ntkreg.studies.optimizers.study import run_optimizers

    folder = tmp_path_factory.mktemp("optimizers")
    run_optimizers(optimizers_config, folder, progress=False)
    return folder


@pytest.fixture(scope="session")
def widths_folder(widths_config, tmp_path_factory):
    """Return the folder of that study, finished. Tests that change it take a copy."""
    from ntkreg.studies.widths.study import run_widths

    folder = tmp_path_factory.mktemp("widths")
    run_widths(widths_config, folder)
    return folder


@pytest.fixture(scope="session")
def complete_config():
    """Settings of a completion study of a few seconds, with every kind of row."""
    from ntkreg.studies.complete.config import CompleteConfig

    return CompleteConfig(
        "low-rank",
        size=12,
        ranks=(1,),
        n_seen=(50, 100),
        depths=(2, 3),
        init_scales=(1e-2, 1e-3),
        optimizers=("gd", "adam", "gd_long"),
        optimizer_depths=(2,),
        n_instances=2,
        n_paths=1,
        tol=1e-4,
        max_steps=400,
    )


@pytest.fixture(scope="session")
def complete_folder(complete_config, tmp_path_factory):
    """Return what that study leaves behind. Tests that change it take a copy."""
    from ntkreg.studies.complete.study import run_complete

    folder = tmp_path_factory.mktemp("complete")
    run_complete(complete_config, folder, n_jobs=1, progress=False)
    return folder


@pytest.fixture(scope="session")
def landscape_config():
    """Settings of a landscape study of a minute, with every kind of row."""
    from ntkreg.studies.landscape.config import LandscapeConfig

    return LandscapeConfig(
        "gaussian",
        n_features=3,
        n_train=12,
        n_test=16,
        depths=(1,),
        widths=(4, 8, 16),
        n_seeds=4,
        levels=(0.5, 0.1),
        max_steps=300,
        sgd_steps=50,
        curve_steps=20,
        skip_depth=3,
        skip_width=4,
        n_basin_starts=20,
        basin_width=2,
    )


@pytest.fixture(scope="session")
def landscape_folder(landscape_config, tmp_path_factory):
    """Return what that study leaves behind. Tests that change it take a copy."""
    from ntkreg.studies.landscape.study import run_landscape

    folder = tmp_path_factory.mktemp("landscape")
    run_landscape(landscape_config, folder, n_jobs=1, progress=False)
    return folder
