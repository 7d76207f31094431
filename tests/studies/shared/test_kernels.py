"""Kernels that runs of studies, and estimators, share in a folder."""

import errno
import inspect
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from small_sets import SMALL, write_set

from ntkreg import NTKClassifier, NTKNystroem, fully_connected
from ntkreg.cli import main
from ntkreg.cli.studies import STUDIES
from ntkreg.gram import gram, store
from ntkreg.studies.compare.study import CompareConfig, run_compare
from ntkreg.studies.few_samples.study import FewSamplesConfig, run_few_samples
from ntkreg.studies.fit.study import FitConfig, run_fit
from ntkreg.studies.landscape.config import LandscapeConfig
from ntkreg.studies.landscape.questions.data import draw_clusters
from ntkreg.studies.landscape.task import load_task as load_landscape
from ntkreg.studies.optimizers.study import OptimizersConfig, _Study, load_task
from ntkreg.studies.precision.study import PrecisionConfig, run_precision
from ntkreg.studies.quickstart.study import QuickstartConfig, run_quickstart
from ntkreg.studies.widths.config import WidthsConfig
from ntkreg.studies.widths.task import load_width_data, make_task

DENSE = {"recipe": "fully_connected", "depth": 2}


@pytest.fixture
def computed(monkeypatch):
    """Return a list that grows by each tile computed from now on, in folders and in memory."""
    found, compute_tile = [], store.compute_tile

    def counted(work, tile, *rest):
        found.append(work.shape)
        return compute_tile(work, tile, *rest)

    monkeypatch.setattr(store, "compute_tile", counted)
    monkeypatch.setattr(gram, "compute_tile", counted)
    return found


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (40, 3, 3, 1)).astype(np.uint8), np.arange(40) % 2
    path = tmp_path_factory.mktemp("images") / "tiny.npz"
    np.savez(path, x_train=x[:24], y_train=y[:24], x_test=x[24:], y_test=y[24:])
    return str(path)


def _few_samples(images, output, place):
    config = FewSamplesConfig(images, DENSE, pool=12, n_test=8, n_samples=(4,), n_draws=2)
    return run_few_samples(config, output, store=place)


def _fit(images, output, place):
    found = run_fit(FitConfig(images, DENSE, store_kernel=True), output, store=place)
    return [found[key] for key in ("accuracy", "condition", "residual")]


def _precision(images, output, place):
    config = PrecisionConfig(images, {"dense": DENSE}, n_train=8, n_copies=2, n_test=8)
    return run_precision(config, output, store=place)


def _quickstart(images, output, place):
    config = QuickstartConfig(n_images=40, n_train=(20,), n_splits=1, n_shown=10, conv_depth=1)
    return run_quickstart(config, output, store=place)


def _compare(images, output, place):
    data = output.parent / "sets"
    data.mkdir(exist_ok=True)
    write_set(data / "one.npz")
    models = {name: SMALL[name] for name in ("NTK", "RBF")}
    run_compare(CompareConfig(str(data), models, budget=4), output, n_jobs=1, store=place)
    return (output / "accuracies.csv").read_text()


def _widths(images, output, place):
    keys = {"positive": [1], "architecture": {"recipe": "fully_connected"}, "n_train": 8,
            "n_test": 4, "widths": [4, 8, 16]}  # fmt: skip
    config = WidthsConfig(data=images, **keys)
    return make_task(config, load_width_data(config), 1, "ntk", place).ntk


def _optimizers(images, output, place):
    config = OptimizersConfig(images, (1,), n_train=8, n_test=4, batch_size=2, batch_sizes=(2,))
    rows = _Study(config, load_task(config), output).stop_rows(1, place)
    return [next(rows)]


def _landscape(images, output, place):
    task = load_landscape(LandscapeConfig("gaussian", n_features=3, n_train=8, n_test=4), place)
    return [task.kernel_eigenvalues, task.kernel_test_losses, draw_clusters(task, 0.1, 0)]


RUNS = {
    "quickstart": _quickstart,
    "fit": _fit,
    "few-samples": _few_samples,
    "precision": _precision,
    "optimizers": _optimizers,
    "widths": _widths,
    "compare": _compare,
    "landscape": _landscape,
}
"""What computes analytic kernels in each study that has a store."""


SLOW = [pytest.param(n, marks=pytest.mark.slow) if n == "quickstart" else n for n in RUNS]
"""Its grid search takes a second."""


@pytest.mark.parametrize("study", SLOW)
def test_a_second_run_finds_every_kernel(study, images, tmp_path, computed, monkeypatch):
    start = SimpleNamespace(path=lambda y: None)  # a network of finite width: nothing is asked
    monkeypatch.setattr(_Study, "start", lambda *given: start)
    first = RUNS[study](images, tmp_path / "a", tmp_path / "kernels")
    assert computed
    assert list((tmp_path / "kernels").glob("**/manifest.json"))
    assert not list((tmp_path / "a").glob("**/manifest.json"))
    del computed[:]
    second = RUNS[study](images, tmp_path / "b", tmp_path / "kernels")
    assert not computed
    assert _text(first) == _text(second)


def _text(found):
    return found.to_csv() if hasattr(found, "to_csv") else repr(found)


def test_a_run_is_a_store_and_kernels_have_the_bits_of_one_without(images, tmp_path, computed):
    alone = _few_samples(images, tmp_path / "alone", None)
    del computed[:]
    shared = _few_samples(images, tmp_path / "other", tmp_path / "alone")
    assert (_text(alone), computed) == (_text(shared), [])


def test_every_study_of_analytic_kernels_says_that_it_has_a_store():
    told = {s.name for s in STUDIES.values() if "store" in [o.name for o in s.options]}
    taken = {n for n, s in STUDIES.items() if "store" in inspect.signature(s.run).parameters}
    assert told == taken == set(RUNS)


def test_a_command_and_estimators_share_kernels(images, tmp_path, computed, capsys):
    config, place = tmp_path / "fit.yaml", tmp_path / "kernels"
    config.write_text(
        yaml.safe_dump({"data": images, "architecture": DENSE, "preprocessing": "none"})
    )
    arguments = ["fit", str(config), "--output", str(tmp_path / "fit"), "--store"]
    assert main([*arguments, str(place)]) == 0
    del computed[:]
    with np.load(images) as data:
        X = data["x_train"].astype(np.float32)
        NTKClassifier(fully_connected(2), store=place).fit(X, data["y_train"])
    assert not computed
    assert main(["gram", "status", str(place)]) == 0
    assert capsys.readouterr().out.count("NTK of fully_connected(depth=2)") == 2
    model = ["predict", str(tmp_path / "fit"), "--data", images, "--output", str(tmp_path / "p")]
    for key, is_there in (("x_test", True), ("x_train", False)):
        del computed[:]
        assert main([*model, "--key", key, "--store", str(place)]) == 0
        assert bool(computed) is not is_there
    predicted = (tmp_path / "p").read_bytes()
    assert main([*model, "--key", "x_train"]) == 0
    assert (tmp_path / "p").read_bytes() == predicted
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    wrongs = {config: "is a file", "": "folder must be a path", tmp_path / "link": "is a link to"}
    for wrong, why in wrongs.items():
        assert main([*arguments, str(wrong)]) == 2
        assert why in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("few-samples-network", "computes no kernel"),
        ("gram", "--output is such a folder"),
        ("plan", "counts every kernel"),
    ],
)
def test_a_command_without_a_store_says_why(capsys, command, why):
    config = Path(__file__).parents[3] / "configs" / "digits_gram.yaml"
    assert main([command, str(config), "--store", "kernels"]) == 2
    assert f"{command}: there is no --store here: " in (said := capsys.readouterr().err)
    assert why in said


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        (KeyboardInterrupt(), 130, "interrupted. What is already stored is kept; the same command"),
        (OSError(errno.EROFS, "read-only"), 2, "cannot write to folder {}: read-only. Finished"),
    ],
)
def test_a_command_that_is_cut_short_goes_on_in_its_store(
    images, tmp_path, computed, monkeypatch, capsys, fault, status, words
):
    keys = {"data": images, "architecture": DENSE, "pool": 12, "n_test": 8, "n_samples": [4]}
    config, place = tmp_path / "few.yaml", tmp_path / "kernels"
    config.write_text(yaml.safe_dump(keys | {"n_draws": 2}))
    command = ["few-samples", str(config), "--output", str(tmp_path / "out"), "--store", str(place)]
    write = store.TileFiles.write

    def write_the_first(files, *tile):
        if (files.layout.n, files.layout.m) == (8, 12):
            raise fault
        write(files, *tile)

    monkeypatch.setattr(store.TileFiles, "write", write_the_first)
    assert main(command) == status
    said = capsys.readouterr().err
    [begun] = [each for each in place.iterdir() if not (each / "tiles.txt").exists()]
    assert words.format(begun) in said
    assert said.count("\n") == 1
    monkeypatch.setattr(store.TileFiles, "write", write)
    del computed[:]
    found = _few_samples(images, tmp_path / "out", place)
    assert len(computed) == 1  # of test images with the pool's, whose own was there
    assert _text(found) == _text(_few_samples(images, tmp_path / "alone", None))


@pytest.mark.parametrize("landmarks", ["uniform", "rpcholesky"])
def test_features_of_landmarks_are_found_again(tmp_path, computed, landmarks):
    X = np.random.default_rng(0).standard_normal((60, 4))
    model = NTKNystroem(n_components=10, landmarks=landmarks, random_state=0)
    wanted = model.fit(X).transform(X)
    model.set_params(store=tmp_path)
    for _ in range(2):
        del computed[:]
        assert np.array_equal(model.fit(X).transform(X), wanted)
    assert not computed
