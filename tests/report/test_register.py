"""Pages of every study by its record, the same under the settings of any user."""

import hashlib
import json
import re
import shutil
import subprocess
import sys

import matplotlib
import pytest

from ntkreg.errors import DataError, SpecError
from ntkreg.report.register import REPORTS, remake_benchmark, write_benchmark, write_page
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
SLOW = ("Landscape",)
"""Studies of a minute, however small."""


@pytest.fixture(scope="module")
def network_folder(tmp_path_factory, corners):
    folder = tmp_path_factory.mktemp("network")
    network = {"recipe": "cntk", "depth": 1, "readout": "flatten"}
    sizes = {"pool": 8, "n_test": 8, "n_samples": (4, 8), "n_draws": (2, 1)}
    training = {"width": 2, "n_steps": 2, "n_epochs": 1, "batch_size": 4, "n_networks": 1}
    config = FewSamplesNetworkConfig(str(corners), network, learning_rate=1e-2, **sizes, **training)
    run_few_samples_network(config, folder)
    return folder


@pytest.fixture(
    params=[pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in sorted(FOLDERS)]
)
def folder(request, tmp_path):
    return shutil.copytree(request.getfixturevalue(FOLDERS[request.param]), tmp_path / "study")


# Every page is made by the other tests, too; these are enough to see that settings are held off.
_QUICK = ("Comparison", "Compare", "Quickstart")
each_page = pytest.mark.parametrize(
    "folder",
    [n if n in _QUICK else pytest.param(n, marks=pytest.mark.slow) for n in sorted(FOLDERS)],
    indirect=True,
)


def digests(paths):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_every_study_has_a_report():
    assert set(FOLDERS) == set(REPORTS)


@each_page
def test_pages_are_the_same_bytes_under_the_settings_of_any_user(folder, tmp_path):
    name = json.loads((folder / "record.json").read_text())["study"]

    def made(where):
        (tmp_path / where).mkdir()
        kept = [] if name == "Quickstart" else write_benchmark(folder, tmp_path / where / "kept")
        return digests([write_page(folder), *sorted((folder / "figures").glob("*.png")), *kept])

    plain = made("plain")
    (tmp_path / "matplotlibrc").write_text(HOSTILE)
    with matplotlib.rc_context(fname=tmp_path / "matplotlibrc"):
        assert made("hostile") == plain
        # The user's own figures look as before.
        assert (matplotlib.rcParams["font.size"], matplotlib.rcParams["text.usetex"]) == (40, True)


def test_a_page_needs_nothing_but_itself(folder):
    text = write_page(folder).read_text(encoding="utf-8")
    sources = re.findall(r'(?:src|href)\s*=\s*"([^"]*)"', text)
    assert sources
    assert all(s.startswith("data:image/png;base64,iVBO") for s in sources)
    for fetched in ("http:", "https:", "<script", "<link", "@import", "url("):
        assert fetched not in text


def test_what_is_kept_makes_the_same_page_without_the_folder(folder, tmp_path):
    stem = tmp_path / "a.b"
    if json.loads((folder / "record.json").read_text())["study"] == "Quickstart":
        with pytest.raises(SpecError, match=r"only page.html is made; leave out --benchmark"):
            write_benchmark(folder, stem)
        return
    written = digests(write_benchmark(folder, stem))
    shutil.rmtree(folder)
    made = remake_benchmark(stem)
    assert [path.name for path in made] == ["a.b.md", "a.b.png"]
    assert digests(made).items() <= written.items()


def test_tables_that_were_kept_under_the_name_before_do_not_stay(few_samples_folder, tmp_path):
    stale, other = tmp_path / "kept.summary.csv", tmp_path / "kept.v2.summary.csv"
    for path in (stale, other):
        path.write_text("n\n1\n")
    write_benchmark(few_samples_folder, tmp_path / "kept")
    assert (stale.exists(), other.exists()) == (False, True)


def test_a_study_without_a_page_is_told(tmp_path):
    record = {"study": "Fit", "config_hash": "", "command": "", "environment": {}}
    (tmp_path / "record.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match=r"a study 'Fit' has no page. Known: Quickstart, FewS"):
        write_page(tmp_path)


def test_remarks_that_ask_for_what_there_is_not_leave_the_page_as_it_was(
    few_samples_folder, tmp_path
):
    stem = tmp_path / "kept"
    write_benchmark(few_samples_folder, stem)
    before = (tmp_path / "kept.md").read_text(encoding="utf-8")
    (tmp_path / "remarks").mkdir()
    for wrong in ("{{nothing}}", "{{other/mean: ntk; 10}}", "{{mean: ntk; 11}}"):
        (tmp_path / "remarks" / "kept.md").write_text(wrong)
        with pytest.raises(ValueError, match=r"nothing|other.json|11"):
            remake_benchmark(stem)
    assert (tmp_path / "kept.md").read_text(encoding="utf-8") == before


def test_pages_compute_no_kernels():
    code = (
        "import sys, ntkreg.report.register\n"
        "rooms = ('kernels', 'gram', 'solvers', 'estimators', 'finite')\n"
        "loaded = [r for r in rooms if f'ntkreg.{r}' in sys.modules]\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
