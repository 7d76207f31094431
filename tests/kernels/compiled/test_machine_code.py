"""Machine code on disk is found, believed only if sound, and never an error."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numba.core.caching import FunctionCache

from ntkreg.kernels.compiled import flags, machine_code
from ntkreg.kernels.compiled.flags import checked_while_compiling
from ntkreg.kernels.compiled.machine_code import LoopCache

SOURCE = """\
from ntkreg.kernels.compiled.flags import compiled, counting_nothing

@counting_nothing
def half(x):
    return x / 2

@compiled
def loop(x):
    return half(x) {}
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Return a folder with a module of loops, one for numba's files, and the user's cache."""
    (tmp_path / "loops.py").write_text(SOURCE.format("+ 1"))
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path / "kept"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    monkeypatch.setattr(machine_code, "_warned", False)
    return tmp_path


def fresh(place):
    """Return the loops as a new process would see them."""
    spec = importlib.util.spec_from_file_location("loops", place / "loops.py")
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


def found(loop):
    """Return how many signatures came from a file."""
    return sum(loop.stats.cache_hits.values())


def file_of(place, name, end):
    [path] = place.glob(f"kept/*/loops.{name}-*{end}")
    return path


@contextmanager
def mounted(folder, *options):
    """Mount something on a folder, or skip; links and modes do not stop the super-user."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", *options, str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this process may not mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_code_is_compiled_once_and_found_in_the_next_process(place):
    assert fresh(place).loop(3.0) == 2.5
    loop = fresh(place).loop
    assert loop(3.0) == 2.5
    assert found(loop) == 1
    assert isinstance(loop._cache, LoopCache)


@pytest.mark.parametrize("end", [".nbi", ".1.nbc"])
@pytest.mark.parametrize("length", [0, 1, 10, 100, -500, -1])
def test_a_file_cut_short_is_replaced(place, end, length):
    fresh(place).loop(3.0)
    path = file_of(place, "loop", end)
    path.write_bytes(path.read_bytes()[:length])
    replaced(place)


@pytest.mark.parametrize("end", [".nbi", ".1.nbc"])
@pytest.mark.parametrize("seed", range(6))
def test_a_file_of_random_bytes_is_replaced(place, end, seed):
    fresh(place).loop(3.0)
    path = file_of(place, "loop", end)
    path.write_bytes(np.random.default_rng(seed).bytes(300 * seed + 3))
    replaced(place)


@pytest.mark.parametrize("part", [0.2, 0.5, 0.8])
def test_one_wrong_bit_of_machine_code_never_runs(place, part):
    fresh(place).loop(3.0)
    path = file_of(place, "loop", ".1.nbc")
    content = bytearray(path.read_bytes())
    content[int(part * len(content))] ^= 16
    path.write_bytes(bytes(content))
    replaced(place)


def replaced(place):
    loop = fresh(place).loop
    assert loop(3.0) == 2.5
    assert found(loop) == 0
    loop = fresh(place).loop
    assert loop(3.0) == 2.5
    assert found(loop) == 1


def test_code_of_an_older_source_is_never_taken_for_the_new(place):
    """As where a process was killed between writing the index and the code."""
    fresh(place).loop(3.0)
    path = file_of(place, "loop", ".1.nbc")
    old = path.read_bytes()
    (place / "loops.py").write_text(SOURCE.format("+ 1000"))
    assert fresh(place).loop(3.0) == 1001.5
    path.write_bytes(old)
    loop = fresh(place).loop
    assert loop(3.0) == 1001.5
    assert found(loop) == 0


ENCLOSED = """
def around(inner):
    @compiled
    def run(x):
        return inner(x)
    return run

@counting_nothing
def twice(x):
    return x + x

halved, doubled = around(half), around(twice)
"""


def test_loops_that_enclose_others_are_told_apart_and_found_in_the_next_process(place):
    (place / "loops.py").write_text(SOURCE.format("") + ENCLOSED)
    for hits in (0, 1):
        loops = fresh(place)
        assert (loops.halved(3.0), loops.doubled(3.0)) == (1.5, 6.0)
        assert (found(loops.halved), found(loops.doubled)) == (hits, hits)


@pytest.fixture
def room(place, monkeypatch):
    """Make the folder one whose sources all count, and return another file in it."""
    monkeypatch.setattr(machine_code, "_ROOMS", [place])
    monkeypatch.setattr(machine_code, "_sources", machine_code._sources.__wrapped__)
    (place / "other.py").write_text("ONE = 1\n")
    fresh(place).loop(3.0)
    return place / "other.py"


def test_another_source_that_changed_makes_code_stale(room):
    room.write_text("ONE = 2\n")
    loop = fresh(room.parent).loop
    assert loop(3.0) == 2.5
    assert found(loop) == 0


def test_sources_written_anew_with_the_same_bytes_find_their_code(room):
    for path in (room, room.parent / "loops.py"):
        os.utime(path, (1, 1))
    loop = fresh(room.parent).loop
    assert loop(3.0) == 2.5
    assert found(loop) == 1


def test_loops_import_nothing_that_their_code_could_depend_on_from_outside_these_sources():
    inside = ("ntkreg.kernels.compiled", "ntkreg.kernels.dense", "ntkreg.kernels.image")
    outside = set()
    for folder in machine_code._ROOMS:
        for path in folder.rglob("*.py"):
            source = path.read_text()
            if "kernels.compiled.flags import" in source:
                names = re.findall(r"^from (ntkreg[\w.]*) import", source, re.MULTILINE)
                outside |= {name for name in names if not name.startswith(inside)}
    assert outside == {"ntkreg.architecture", "ntkreg.errors"}  # classes of layers, and an error


def test_code_of_one_signature_is_never_taken_for_another_s(place):
    """As where two processes numbered their first files alike at the same time."""
    loop = fresh(place).loop
    loop(3.0), loop(np.float32(3))
    one, two = file_of(place, "loop", ".1.nbc"), file_of(place, "loop", ".2.nbc")
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)
    loop = fresh(place).loop
    assert (loop(3.0), loop(np.float32(5))) == (2.5, 3.5)
    assert found(loop) == 0


def test_processes_may_write_into_one_folder_at_once(place):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import numpy as np; from loops import loop\n"
        "kinds = [np.int8, np.int16, np.int32, np.int64, np.float32, np.float64]\n"
        "assert [loop(k(6)) for k in kinds[::int(sys.argv[2])]] == [4] * 6\n"
        "print(sum(loop.stats.cache_hits.values()))"
    )

    def start(step):
        return subprocess.Popen(
            [sys.executable, "-c", code, str(place), step],
            env=os.environ | {"NUMBA_CACHE_DIR": str(place / "kept")},
            stdout=subprocess.PIPE,
            text=True,
        )

    runs = [start(step) for step in ("1", "-1", "1")]
    for run in runs:
        run.communicate()
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert not list(place.glob("kept/*/*.tmp.*"))
    start("1").communicate()  # compiles again what one of them wrote over
    assert start("1").communicate()[0] == "6\n"


def test_where_nothing_can_be_written_loops_run_and_one_warning_says_what_to_do(place):
    for name in ("kept", "user", "__pycache__"):
        (place / name).write_text("no folder")
    loops = fresh(place)
    with pytest.warns(RuntimeWarning, match="Set NUMBA_CACHE_DIR to a folder that can") as told:
        assert loops.loop(3.0) == 2.5
    assert loops.loop(np.float32(3)) == 2.5
    assert len(told) == 1  # though `half` could not be kept either


@pytest.mark.parametrize("filled", [True, False])
def test_a_read_only_folder_is_read(place, filled):
    if filled:
        fresh(place).loop(3.0)
    with mounted(place, "--bind", str(place)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(place)], check=True)
        loop = fresh(place).loop
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            assert loop(3.0) == 2.5
        assert found(loop) == filled
        assert [w.category for w in told] == ([] if filled else [RuntimeWarning])


def test_what_a_read_only_folder_lacks_goes_into_the_next(place):
    (place / "kept").write_text("no folder")
    fresh(place).loop(3.0)
    loop = fresh(place).loop
    assert loop(3.0) == 2.5
    assert found(loop) == 1
    assert Path(loop.stats.cache_path) == place / "__pycache__"


def test_a_full_disk_is_a_warning_and_is_used_once_it_has_room(place):
    with mounted(place / "kept", "-t", "tmpfs", "-o", "size=64k", "tmpfs"):
        loops = fresh(place)
        (place / "kept/junk").write_bytes(bytes(60 * 1024))
        with pytest.warns(RuntimeWarning, match=r"kept.*No space left.*NUMBA_CACHE_DIR") as told:
            assert loops.loop(3.0) == 2.5
        assert len(told) == 1
        assert not list(place.glob("kept/*/*.tmp.*"))
        (place / "kept/junk").unlink()
        replaced(place)


def test_other_errors_of_a_disk_are_warnings_too(place, monkeypatch):
    def refused(*arguments):
        raise OSError(122, "Disk quota exceeded")

    monkeypatch.setattr("numba.core.caching.os.replace", refused)
    with pytest.warns(RuntimeWarning, match="Disk quota exceeded"):
        assert fresh(place).loop(3.0) == 2.5


@pytest.mark.parametrize("passes", [0, 1, 7, 20, 40])
def test_compiling_can_be_ended_before_any_pass_and_done_again(place, passes):
    left = passes

    def check():
        nonlocal left
        left -= 1
        if left < 0:
            raise InterruptedError

    loop = fresh(place).loop
    with pytest.raises(InterruptedError), checked_while_compiling(check):
        loop(3.0)
    assert not loop.overloads
    assert loop(3.0) == 2.5
    assert fresh(place).loop(3.0) == 2.5


def test_a_numba_whose_inside_has_changed_keeps_code_in_its_own_way(place, monkeypatch):
    monkeypatch.setitem(sys.modules, "ntkreg.kernels.compiled.machine_code", None)
    loop = fresh(place).loop
    assert type(loop._cache) is FunctionCache
    assert loop(3.0) == 2.5


def test_loops_that_numba_is_told_not_to_compile_are_left_alone(monkeypatch):
    monkeypatch.setattr("numba.core.config.DISABLE_JIT", 1)
    assert flags.compiled(lambda x: x)(3) == 3
