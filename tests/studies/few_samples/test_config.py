from dataclasses import asdict
from pathlib import Path

import pytest

from ntkreg.architecture import Conv, Erf, GlobalAvgPool, Relu, Residual, cntk, myrtle, resnet
from ntkreg.architecture.network import Architecture
from ntkreg.errors import SpecError
from ntkreg.studies.few_samples.config import FewSamplesConfig, hidden_layers, network_of
from ntkreg.studies.few_samples.summary import published_on
from ntkreg.studies.shared.config import make_config, read_config

CONFIGS = Path(__file__).resolve().parents[3] / "configs"

CNTK = {"recipe": "cntk", "depth": 5}


@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("cifar10_few_samples", cntk(14, "gap", train_first=False, train_last=False)),
        ("cifar10_lap", cntk(8, "lap", half_width=4)),
        ("cifar10_myrtle5", myrtle(5)),
        ("cifar10_myrtle7", myrtle(7)),
        ("cifar10_myrtle10", myrtle(10)),
        ("cifar2_depths", cntk(20, "gap", train_first=False, train_last=False)),
    ],
)
def test_committed_configurations_are_the_networks_they_name(name, network):
    assert network_of(read_config(FewSamplesConfig, CONFIGS / f"{name}.yaml")) == network


def test_kernels_on_the_same_draws_differ_in_the_kernel_alone():
    names = ("lap", "myrtle5", "myrtle7", "myrtle10")
    configs = [read_config(FewSamplesConfig, CONFIGS / f"cifar10_{n}.yaml") for n in names]
    for key in ("data", "classes", "pool", "n_test", "n_samples", "n_draws", "seed"):
        assert len({getattr(c, key) for c in configs}) == 1, key
    assert all(c.pool >= 2 * max(c.n_samples) for c in configs)


def test_some_depths_of_a_network_are_computed_no_deeper_than_needed():
    config = make_config(
        FewSamplesConfig, {"data": "x.npz", "architecture": CNTK, "depths": [4, 2]}
    )
    assert network_of(config) == cntk(4)
    assert config.architecture["depth"] == 5


@pytest.mark.parametrize(
    ("architecture", "depths", "message"),
    [
        (CNTK, [3, 6], r"at most architecture.depth \(5\); got 6. Raise"),
        ({"recipe": "myrtle", "depth": 10}, [5, 7], "depths must be null for myrtle; got"),
        ({"recipe": "resnet"}, [1], "depths must be null for resnet"),
        ({"layers": ["Conv", "Relu", "GlobalAvgPool", "Dense"]}, [1], "given layer by layer"),
    ],
)
def test_depths_that_no_one_pass_gives_are_refused(architecture, depths, message):
    values = {"data": "x.npz", "architecture": architecture, "depths": depths}
    with pytest.raises(SpecError, match=message):
        make_config(FewSamplesConfig, values)


def test_hidden_layers_are_counted_along_the_longer_branch():
    assert hidden_layers(cntk(7, "lap")) == 7
    assert [hidden_layers(myrtle(d)) for d in (5, 7, 10)] == [4, 6, 9]
    assert hidden_layers(resnet(2, groups=1)) == 4
    long_shortcut = Residual((Relu(), Conv()), (Erf(), Conv(), Relu(), Conv()))
    assert hidden_layers(Architecture((Conv(), long_shortcut, GlobalAvgPool()))) == 2


def test_without_a_seed_there_is_one_draw():
    values = {"data": "x.npz", "architecture": CNTK, "seed": None}
    with pytest.raises(SpecError, match="n_draws must be 1 where seed is null; got 20"):
        make_config(FewSamplesConfig, values)
    assert make_config(FewSamplesConfig, values | {"n_draws": 1}).seed is None


@pytest.mark.parametrize(("name", "readout"), [("gap_2k", "gap"), ("flatten_2k", "flatten")])
def test_configurations_of_2000_images_are_those_of_the_published_table(name, readout):
    config = read_config(FewSamplesConfig, CONFIGS / f"cifar10_{name}.yaml")
    rows, source = published_on(asdict(config))
    assert "Table 1" in source
    assert {row.depth for row in rows} >= set(config.depths)
    trained = readout == "flatten"  # of CNTK-GAP neither the first nor the last layer is
    network = cntk(max(config.depths), readout, train_first=trained, train_last=trained)
    assert network_of(config) == network
