"""What NVIDIA's compiler makes of the CUDA engine's code, without a card.

python scripts/cuda_report.py          # benchmarks/cuda_code.md and .csv, in some minutes

Registers, spills, and instructions a row of 32 entries and layer, of standard networks on several
cards' architectures. Needs nvcc and cuobjdump, on PATH or from PyPI:
pip install "ntkreg[cuda-code]".
"""

import argparse
import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ntkreg import cntk, myrtle, resnet
from ntkreg.architecture import Architecture, Conv, GlobalAvgPool, Relu
from ntkreg.kernels.image.compiler import compile_image_network
from ntkreg.kernels.image_cuda.cards import OPTIONS
from ntkreg.kernels.image_cuda.program import CardProgram
from ntkreg.kernels.image_cuda.source import front, source_of


def windows(layer: Conv) -> Architecture:
    return Architecture((*(layer, Relu()) * 5, GlobalAvgPool()))


NETWORKS: dict[str, tuple[Sequence[Architecture], int]] = {
    "cntk(10), 3 x 3 + ReLU": ([cntk(10)], 32),
    "cntk(21)": ([cntk(21)], 32),
    "cntk(10, 'lap', half_width=4)": ([cntk(10, "lap", half_width=4)], 32),
    "resnet(4, groups=1), residual": ([resnet(4, groups=1)], 32),
    "cntk(10), two tangents": ([cntk(10), cntk(10, train_first=False)], 32),
    "myrtle(5)": ([myrtle(5)], 32),
    "myrtle(7)": ([myrtle(7)], 32),
    "myrtle(10)": ([myrtle(10)], 32),
    "5 windows of 5 x 5": ([windows(Conv(5))], 32),
    "5 windows of 3 x 3, CIRCULAR": ([windows(Conv(padding="CIRCULAR"))], 32),
    "cntk(5), 8 x 8": ([cntk(5)], 8),
}
"""Networks of one pass, and pixels of a side."""

CAPACITIES = {80: 166912, 90: 232448, 100: 232448}
"""Bytes of shared memory that a block may have, of A100, H100 and B200."""


@dataclass(frozen=True)
class Code:
    """What was compiled: registers a thread, bytes spilled, instructions of the hottest loop.

    `per_row` is that loop's instructions for each square root in it: a row of a ReLU layer has one.
    0 where no loop has any.
    """

    registers: int
    spilled: int
    per_row: float


def tool(name: str) -> str | None:
    """Return the path of a tool of CUDA's: on PATH, or in a package from PyPI."""
    found = shutil.which(name)
    spec = importlib.util.find_spec("nvidia")
    places = [Path(p) for p in (spec.submodule_search_locations or [])] if spec else []
    each = (path for place in places for path in place.glob(f"*/bin/{name}"))
    return next((str(path) for path in each), found)


def program_of(networks: Sequence[Architecture], side: int, arch: int) -> CardProgram:
    program = compile_image_network(networks, side, side)
    return CardProgram(program, 3 if side > 8 else 1, CAPACITIES[arch])


def compile_code(program: CardProgram, arch: int) -> Code:
    """Compile a program for an architecture, and count."""
    nvcc, cuobjdump = tool("nvcc"), tool("cuobjdump")
    if nvcc is None or cuobjdump is None:
        raise SystemExit('needs nvcc and cuobjdump: pip install "ntkreg[cuda-code]"')
    with tempfile.TemporaryDirectory() as folder:
        source, binary = Path(folder, "program.cu"), Path(folder, "program.cubin")
        source.write_text(source_of(program, front()))
        command = [nvcc, *OPTIONS, f"-arch=sm_{arch}", "-cubin", "-Xptxas", "-v"]
        told = _output([*command, "-o", str(binary), str(source)])
        registers = int(re.search(r"Used (\d+) registers", told)[1])
        spilled = sum(int(n) for n in re.findall(r"(\d+) bytes spill", told))
        return Code(registers, spilled, _per_row(_output([cuobjdump, "-sass", str(binary)])))


def compile_as_run(program: CardProgram, arch: int) -> tuple[CardProgram, Code]:
    """Compile as a card does: for fewer warps where registers would be spilled."""
    code, fewer = compile_code(program, arch), program.with_more_registers()
    return (fewer, compile_code(fewer, arch)) if code.spilled and fewer else (program, code)


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}:\n{done.stderr}")
    return done.stdout + done.stderr


def _per_row(sass: str) -> float:
    """Instructions of the innermost loop with most square roots, for each of them."""
    best = (0, 0)
    for loop in _loops(sass):
        roots = sum("MUFU.SQRT" in text or "MUFU.RSQ" in text for text in loop)
        best = max(best, (roots, len(loop)))
    return best[1] / best[0] if best[0] else 0.0


def _loops(sass: str) -> Iterator[list[str]]:
    """Every loop without another loop in it, from its first instruction to the jump back."""
    code = [(int(m[1], 16), m[2]) for m in re.finditer(r"/\*([0-9a-f]{4,5})\*/ +(.*?);", sass)]
    place = {address: k for k, (address, _) in enumerate(code)}
    jumps = []
    for k, (address, text) in enumerate(code):
        to = re.search(r"\bBRA\b.*?(0x[0-9a-f]+)", text)
        if to and int(to[1], 16) < address:
            jumps.append((place[int(to[1], 16)], k))
    for first, last in jumps:
        if not any(first <= a and b < last for a, b in jumps if (a, b) != (first, last)):
            yield [text for _, text in code[first : last + 1]]


def report(names: Sequence[str], archs: Sequence[int]) -> pd.DataFrame:
    rows = []
    for name in names:
        networks, side = NETWORKS[name]
        for arch in archs:
            program, code = compile_as_run(program_of(networks, side, arch), arch)
            rows.append(
                {
                    "network": name,
                    "architecture": f"sm_{arch}",
                    "warps": program.warps,
                    "blocks": program.blocks,
                    "registers": code.registers,
                    "spilled bytes": code.spilled,
                    "instructions a row and layer": round(code.per_row, 1),
                    "shared memory (bytes)": program.shared_bytes,
                    "tables from afar": sum(not item.near for item in program.items),
                    "tables": len(program.items),
                }
            )
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    from bench_page import BENCHMARKS, keep

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", nargs="*", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--archs", nargs="*", type=int, default=list(CAPACITIES))
    parser.add_argument("--output", type=Path, default=BENCHMARKS)
    arguments = parser.parse_args()
    rows = report(arguments.only, arguments.archs)
    compiler = _output([str(tool("nvcc")), "--version"]).strip().splitlines()[-1]
    command = "python scripts/cuda_report.py"
    stem = arguments.output / "cuda_code"
    print(keep(stem, "cuda_code", rows, 4, command=command, compiler=compiler))


if __name__ == "__main__":
    main()
