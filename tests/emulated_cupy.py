"""A module in the place of CuPy that runs device code on the CPU, by the C++ compiler on PATH.

The code's words for the card (`device.cuh`) give way to those for 32 lanes in lockstep (`lanes.h`);
everything else is compiled as it stands. Only what `ntkreg.kernels.image_cuda.cards` calls is here.
"""

import ctypes
import hashlib
import shutil
import subprocess
import threading
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from ntkreg.kernels.image_cuda.source import front

COMPILER = shutil.which("g++") or shutil.which("c++") or shutil.which("clang++")
NO_COMPILER = "no C++ compiler on PATH: device code is not run"

_LANES = Path(__file__).parent / "lanes.h"
_FLAGS = ("-std=c++17", "-O1", "-march=native", "-ffp-contract=off", "-fPIC", "-shared", "-pthread")
_MOST_KEPT = 100
_ONE_RUN = threading.Lock()  # a library's blocks are numbered by one variable


class _Runtime(RuntimeError):
    """CUDARuntimeError."""


class _Memory(MemoryError):
    """OutOfMemoryError."""


class _Compile(Exception):
    """CompileException."""


class EmulatedCupy:
    """The module; `calls` counts launches, `launched` keeps the card of each.

    Parameters
    ----------
    folder : Path
        Where compiled programs are kept, by hashes of their sources.
    warps : int
        Of a block, whatever the program says.
    devices, capacity, free : int
        Cards, bytes of shared memory of a block, free bytes.
    """

    float64 = np.float64
    asarray = staticmethod(np.array)
    asnumpy = staticmethod(np.array)

    def __init__(self, folder, *, warps=1, devices=1, capacity=232448, free=2**33, blocks=132):
        self.folder, self.warps, self.free = Path(folder), warps, free
        self.launched, self.synchronized, self.current = [], 0, threading.local()
        self.before_launch, self.spilled = (lambda: None), (lambda code: 0)
        about = {"name": b"Emulated", "multiProcessorCount": blocks,
                 "sharedMemPerBlockOptin": capacity}  # fmt: skip
        self.cuda = SimpleNamespace(
            runtime=SimpleNamespace(
                CUDARuntimeError=_Runtime,
                getDeviceCount=lambda: devices,
                getDeviceProperties=lambda number: {**about, "uuid": bytes([number])},
                memGetInfo=lambda: (self.free, 2**34),
            ),
            driver=SimpleNamespace(CUDADriverError=_Runtime),
            memory=SimpleNamespace(OutOfMemoryError=_Memory),
            compiler=SimpleNamespace(CompileException=_Compile),
            Device=lambda number: _Device(self, number),
        )

    def get_default_memory_pool(self):
        return SimpleNamespace(free_bytes=lambda: 0)

    def empty(self, shape, dtype):
        if np.prod(shape) * np.dtype(dtype).itemsize > self.free:
            raise _Memory("out of memory")
        return np.full(shape, np.nan, dtype)

    def RawModule(self, *, code, options):
        assert "-fmad=false" in options
        library, spilled = compiled(code, self.warps, self.folder), self.spilled(code)
        return SimpleNamespace(get_function=lambda name: _Kernel(self, library, spilled))


class _Device(nullcontext):
    def __init__(self, cupy, number):
        super().__init__()
        self.cupy, self.number = cupy, number

    def __enter__(self):
        self.cupy.current.card = self.number

    def synchronize(self):
        self.cupy.synchronized += 1


class _Kernel:
    max_dynamic_shared_size_bytes = 48 * 1024

    def __init__(self, cupy, library, spilled):
        self.cupy, self.library, self.local_size_bytes = cupy, library, spilled

    def __call__(self, grid, block, arguments, *, shared_mem):
        assert shared_mem <= self.max_dynamic_shared_size_bytes
        assert grid[0] >= 1
        self.cupy.before_launch()
        self.cupy.launched.append(self.cupy.current.card)
        x, z, pairs, n, tiles, out = arguments
        for array, dtype in zip((x, z, pairs, tiles, out), "ffiid", strict=True):
            assert array.dtype == dtype
            assert array.flags.c_contiguous
        assert pairs.min() >= 0
        assert (pairs.max(0) < (len(x), len(z))).all()
        each = [a.ctypes.data_as(ctypes.c_void_p) for a in (x, z, pairs, tiles, out)]
        n = ctypes.c_int(int(n))
        with _ONE_RUN:
            self.library.run_blocks(grid[0], shared_mem, *each[:3], n, *each[3:])


def compiled(code, warps, folder):
    """Return the library of a device program with so many warps."""
    assert front() in code
    first, rest = code.split("\n", 1)
    assert first.startswith("#define WARPS ")
    text = f"#define WARPS {warps}\n" + rest.replace(front(), _LANES.read_text())
    name = hashlib.sha256("\n".join([*_FLAGS, COMPILER, text]).encode()).hexdigest()[:20]
    library = folder / f"{name}.so"
    if not library.exists():
        kept = sorted(folder.glob("*.so"), key=lambda path: path.stat().st_mtime)
        for path in kept[:-_MOST_KEPT]:
            path.unlink(missing_ok=True)
        draft = folder / f"{name}.{id(text)}.draft"
        command = [COMPILER, *_FLAGS, "-x", "c++", "-", "-o", str(draft)]
        made = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
        if made.returncode:
            raise _Compile(made.stderr[:4000])
        draft.rename(library)
    return ctypes.CDLL(str(library))
