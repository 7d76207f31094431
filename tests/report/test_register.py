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

SLOW = ("Landscape",)
"""Studies of a minute, however small."""
STUDIES = [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in sorted(REPORTS)]


@pytest.fixture(params=STUDIES)
def folder(request, page_of, tmp_path):
    return shutil.copytree(page_of(request.param).parent, tmp_path / "study")


# Every page is made by the other tests, too; these are enough to see that settings are held off.
_QUICK = ("Comparison", "Compare", "Quickstart")
each_page = pytest.mark.parametrize(
    "folder",
    [n if n in _QUICK else pytest.param(n, marks=pytest.mark.slow) for n in sorted(REPORTS)],
    indirect=True,
)


def digests(paths):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@each_page
def test_pages_are_the_same_bytes_under_the_settings_of_any_user(folder, tmp_path):
    name = json.loads((folder / "record.json").read_text())["study"]

    def made(where, page):
        (tmp_path / where).mkdir()
        kept = [] if name == "Quickstart" else write_benchmark(folder, tmp_path / where / "kept")
        return digests([page, *sorted((folder / "figures").glob("*.png")), *kept])

    plain = made("plain", folder / "page.html")
    (tmp_path / "matplotlibrc").write_text(HOSTILE)
    with matplotlib.rc_context(fname=tmp_path / "matplotlibrc"):
        assert made("hostile", write_page(folder)) == plain
        # The user's own figures look as before.
        assert (matplotlib.rcParams["font.size"], matplotlib.rcParams["text.usetex"]) == (40, True)


@pytest.mark.parametrize("name", STUDIES)
def test_a_page_needs_nothing_but_itself(name, page_of):
    text = page_of(name).read_text(encoding="utf-8")
    sources = re.findall(r'(?:src|href)\s*=\s*"([^"]*)"', text)
    assert sources
    assert all(s.startswith("data:image/png;base64,iVBO") for s in sources)
    for fetched in ("http:", "https:", "<script", "<link", "@import", "url("):
        assert fetched not in text


@pytest.mark.usefixtures("blank_pictures")  # of whole pages, which are not made again
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
