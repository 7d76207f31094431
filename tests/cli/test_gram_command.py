"""`ntkreg gram`, its shards, and `ntkreg gram status`."""

import numpy as np
import pytest

from ntkreg import NTKClassifier, cntk, open_gram
from ntkreg.cli import main
from ntkreg.data import ChannelStandardizer, load_digits_split
from ntkreg.gram import store

CONFIG = """\
data: digits
architecture: {recipe: fully_connected, depth: 2}
get: [ntk, nngp]
depths: [1, 2]
n_train: 60
n_test: 20
preprocessing: none
"""


@pytest.fixture
def gram_config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(CONFIG)
    return "small.yaml"


def test_kernels_are_kept_described_and_resumed(gram_config, capsys, monkeypatch):
    assert main(["gram", gram_config]) == 0
    text = capsys.readouterr().out
    assert "NNGP and NTK of fully_connected(depth=2" in text
    assert "60 x 60, symmetric, 2 variants" in text
    assert "20 x 60, 2 variants" in text
    assert "(100.0%)" in text
    assert "results/small/kernel" in text
    assert open_gram("results/small/kernel").values["ntk"].shape == (2, 60, 60)
    monkeypatch.setattr(store, "compute_tile", None)
    assert main(["gram", gram_config, "--resume"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["gram", "status", "results/small"]) == 0
    described = capsys.readouterr().out
    assert described.count("1 of 1") == 2
    assert main(["gram", "status", "results/small/kernel"]) == 0
    assert capsys.readouterr().out in described


def test_shards_compute_it_together(gram_config, capsys):
    keys = ["--n_train", "300", "--tile", "1", "--n_test", "0"]
    assert main(["gram", gram_config, *keys, "--shard", "1/2"]) == 0
    text = capsys.readouterr().out
    assert "tiles   2 of 3 (66.7%)" in text
    assert "nobody is at work" in text
    assert main(["gram", gram_config, *keys, "--shard", "2/2", "--resume"]) == 0
    assert "tiles   3 of 3 (100.0%)" in capsys.readouterr().out
    assert main(["gram", gram_config, *keys]) == 0


def test_a_cluster_computes_it(gram_config, capsys):
    distributed = pytest.importorskip("distributed")
    options = {"threads_per_worker": 1, "processes": False, "dashboard_address": ":0"}
    with distributed.LocalCluster(n_workers=1, **options) as cluster:
        address = cluster.scheduler_address
        assert main(["gram", gram_config, "--scheduler", address]) == 0
    assert "(100.0%)" in capsys.readouterr().out
    there = np.asarray(open_gram("results/small/kernel").values["ntk"])
    assert main(["gram", gram_config, "--output", "results/here"]) == 0
    assert np.array_equal(there, np.asarray(open_gram("results/here/kernel").values["ntk"]))
    assert main(["gram", gram_config, "--output", "results/none", "--scheduler", ""]) == 2
    assert "client must be" in capsys.readouterr().err


def test_a_kernel_grows(gram_config, capsys):
    assert main(["gram", gram_config]) == 0
    assert main(["gram", gram_config, "--n_train", "70"]) == 2
    assert "extend=True to add the rows" in capsys.readouterr().err
    assert main(["gram", gram_config, "--n_train", "70", "--extend"]) == 0
    assert open_gram("results/small/test_kernel").values["ntk"].shape == (2, 20, 70)


def test_the_status_of_a_damaged_kernel_hides_no_other(gram_config, tmp_path, capsys):
    assert main(["gram", gram_config]) == 0
    manifest = tmp_path / "results/small/kernel/manifest.json"
    manifest.write_text(manifest.read_text()[:-9])
    capsys.readouterr()
    assert main(["gram", "status", "results/small"]) == 2
    said = capsys.readouterr()
    assert said.out.startswith("NNGP and NTK")
    assert "20 x 60" in said.out
    assert "results/small/kernel/manifest.json: not sound JSON" in said.err


def test_what_is_not_there_is_not_gone_on_with(gram_config, capsys, tmp_path):
    assert main(["gram", gram_config, "--resume", "--output", "results/smal"]) == 2
    assert "gram: --resume goes on with a kernel that is there" in capsys.readouterr().err
    assert main(["gram", "status", "results"]) == 2
    assert "there is no kernel folder at" in capsys.readouterr().err
    assert main(["gram", "status"]) == 2
    assert main(["gram", gram_config, "--shard", "3/2"]) == 2
    assert 'shard must be a text such as "2/8"' in capsys.readouterr().err


def test_a_config_called_status_is_given_as_a_path(gram_config, tmp_path, capsys):
    (tmp_path / "status").write_text(CONFIG)
    assert main(["gram", "./status", "--n_test", "0"]) == 0
    assert open_gram("results/status/kernel").values["ntk"].shape == (2, 60, 60)


def test_estimators_find_what_the_command_has_computed(gram_config, monkeypatch):
    images = ["--architecture", "{recipe: cntk, depth: 2}", "--preprocessing", "channel"]
    keys = ["--n_train", "20", "--n_test", "8", "--dtype", "float32"]
    assert main(["gram", gram_config, *images, *keys]) == 0
    monkeypatch.setattr(store, "compute_tile", None)
    data = load_digits_split()
    scaler = ChannelStandardizer()
    model = NTKClassifier(cntk(2), dtype="float32", store="results/small")
    model.fit(scaler.fit_transform(data.X_train[:20]), data.y_train[:20])
    found = model.decision_function(scaler.transform(data.X_test[:8]))
    wanted = model.set_params(store=None).decision_function(scaler.transform(data.X_test[:8]))
    assert np.array_equal(found, wanted)
    assert main(["gram", gram_config, "--print_config"]) == 0


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("get", "[]", "get must be a list of ntk, nngp or both"),
        ("get", "[ntk, ntk]", "get must be a list of ntk, nngp or both"),
        ("n_test", "-1", "n_test must be an integer >= 0"),
        ("tile", "0", "tile must be an integer >= 1"),
        ("n_train", "100000", "n_train must be at most"),
        ("depths", "[0]", "depths"),
    ],
)
def test_keys_that_make_no_sense_are_refused(gram_config, capsys, key, value, message):
    assert main(["gram", gram_config, f"--{key}", value]) == 2
    assert message in capsys.readouterr().err
