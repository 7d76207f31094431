"""The user's matplotlibrc changes no page."""

import hashlib
import importlib
import pkgutil
import shutil

import matplotlib
import pytest

import ntkreg.report
from ntkreg.studies.few_samples_network.config import FewSamplesNetworkConfig
from ntkreg.studies.few_samples_network.study import run_few_samples_network

HOSTILE = """\
text.usetex: True
font.size: 40
font.family: monospace
figure.dpi: 10
figure.facecolor: black
savefig.dpi: 20
savefig.bbox: tight
savefig.facecolor: red
savefig.transparent: True
axes.prop_cycle: cycler('color', ['yellow', 'pink'])
axes.grid: True
axes.spines.top: False
axes.formatter.use_mathtext: True
axes.unicode_minus: False
lines.linewidth: 9
legend.fontsize: 4
image.interpolation: bicubic
xtick.labelsize: 30
figure.constrained_layout.h_pad: 0.9
"""


@pytest.fixture(scope="module")
def few_samples_network_folder(tmp_path_factory, corners):
    folder = tmp_path_factory.mktemp("network")
    network = {"recipe": "cntk", "depth": 1, "readout": "flatten"}
    sizes = {"pool": 8, "n_test": 8, "n_samples": (4, 8), "n_draws": (2, 1)}
    training = {"width": 2, "n_steps": 2, "n_epochs": 1, "batch_size": 4, "n_networks": 1}
    config = FewSamplesNetworkConfig(str(corners), network, learning_rate=1e-2, **sizes, **training)
    run_few_samples_network(config, folder)
    return folder


def writers():
    """Return every function of the package that makes a page, by name."""
    found = {}
    for module in pkgutil.iter_modules(ntkreg.report.__path__, "ntkreg.report."):
        values = vars(importlib.import_module(module.name)).items()
        own = {name: v for name, v in values if getattr(v, "__module__", "") == module.name}
        found |= {name: f for name, f in own.items() if name.startswith("write_")}
    return found


def test_every_writer_of_pages_is_known():
    assert len(writers()) == 13


@pytest.mark.parametrize("name", sorted(writers()))
def test_pages_are_the_same_bytes_under_the_settings_of_any_user(name, tmp_path, request):
    write = writers()[name]
    study = (
        name.removeprefix("write_").rpartition("_")[0].replace("few_samples_compare", "comparison")
    )
    folder = request.getfixturevalue(f"{study}_folder")

    def digests(where):
        copy = shutil.copytree(folder, where / "study")
        made = write(copy) if name.endswith("_report") else write(copy, where / "kept")
        paths = [made] if name.endswith("_report") else list(made)
        paths += sorted((copy / "figures").glob("*.png"))
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    plain = digests(tmp_path / "plain")
    (tmp_path / "matplotlibrc").write_text(HOSTILE)
    with matplotlib.rc_context(fname=tmp_path / "matplotlibrc"):
        assert digests(tmp_path / "hostile") == plain
        # The user's own figures look as before.
        assert (matplotlib.rcParams["font.size"], matplotlib.rcParams["text.usetex"]) == (40, True)
