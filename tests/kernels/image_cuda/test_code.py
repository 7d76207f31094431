"""What NVIDIA's compiler makes of device code: registers, spills, instructions. Needs no card."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

import cuda_report

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (cuda_report.tool("nvcc") and cuda_report.tool("cuobjdump")),
        reason='no nvcc and cuobjdump: pip install "ntkreg[cuda-code]"',
    ),
]

RESIDUAL, TANGENTS = "resnet(4, groups=1), residual", "cntk(10), two tangents"


def code(name, arch):
    networks, side = cuda_report.NETWORKS[name]
    return cuda_report.compile_as_run(cuda_report.program_of(networks, side, arch), arch)


@pytest.mark.parametrize("arch", [80, 90, 100])
def test_the_hot_loop_spills_nothing(arch):
    program, made = code("cntk(10), 3 x 3 + ReLU", arch)
    assert made.spilled == 0
    assert program.warps == 16
    if arch == 90:
        assert 30 < made.per_row <= 40


@pytest.mark.parametrize("name", [RESIDUAL, TANGENTS])
def test_residual_blocks_and_two_tangents_spill_nothing_at_8_warps(name):
    program, made = code(name, 90)
    assert program.warps == 8
    assert made.spilled == 0


@pytest.mark.parametrize("arch", cuda_report.CAPACITIES)
@pytest.mark.parametrize("name", cuda_report.NETWORKS)
def test_no_standard_network_spills(name, arch):
    assert code(name, arch)[1].spilled == 0


@pytest.mark.parametrize(
    ("name", "arch"),
    [
        ("myrtle(5)", 80),
        ("myrtle(7)", 80),
        ("myrtle(5)", 90),
        ("myrtle(7)", 90),
        ("myrtle(10)", 90),
    ],
)
def test_poolings_keep_16_warps(name, arch):
    # myrtle(10) has 8 on sm_80: with 16 it would spill.
    assert code(name, arch)[0].warps == 16


def test_tables_of_21_layers_lie_near():
    program, made = code("cntk(21)", 90)
    assert (program.copies, program.warps, made.spilled) == (1, 16, 0)
    assert all(item.near for item in program.items)


def test_loops_are_found_in_listings():
    listing = """
        /*0000*/  MOV R1, c[0x0][0x28] ;
        /*0010*/  MUFU.SQRT R2, R3 ;
        /*0020*/  FADD R2, R2, R2 ;
        /*0030*/  MUFU.SQRT R4, R3 ;
        /*0040*/  @P0 BRA 0x10 ;
        /*0050*/  @P1 BRA 0x0 ;
        /*0060*/  EXIT ;"""
    assert cuda_report._per_row(listing) == 2.0
