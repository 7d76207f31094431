import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import toy_engine

from ntkreg import compute_gram, fully_connected
from ntkreg.gram import hold, store
from ntkreg.gram.tile_files import TileFiles

X = np.random.default_rng(0).standard_normal((30, 3))
NET = fully_connected(depth=2)
TILES = 8 * 9 // 2  # of 4 x 4 in the upper triangle of 30 x 30

# What a child process runs: 36 tiles of half a second on two threads, nine seconds in all.
# A job in the background of a shell inherits an ignored SIGINT: the child listens anew.
CHILD = """
import signal
import sys
import numpy as np
import toy_engine
from ntkreg import compute_gram, fully_connected
signal.signal(signal.SIGINT, signal.default_int_handler)
toy_engine.install(setattr, pause=0.5)
X = np.random.default_rng(0).standard_normal((30, 3))
try:
    compute_gram(fully_connected(depth=2), X, folder=sys.argv[1], tile=4, n_jobs=2, progress=False)
except KeyboardInterrupt:
    sys.exit("stopped")
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "K"


@pytest.fixture(autouse=True)
def _toy(monkeypatch):
    toy_engine.install(monkeypatch.setattr)


def _compute(folder, **options):
    return np.asarray(compute_gram(NET, X, folder=folder, tile=4, **options).values["ntk"])


def _wanted():
    return compute_gram(NET, X).values["ntk"]


def _finished(folder):
    path = folder / "tiles.txt"
    return path.read_text().count("\n") if path.exists() else 0


def _count_computed(monkeypatch):
    """Return a list that grows by one with each tile computed from now on."""
    computed, compute_tile = [], store.compute_tile

    def counted(work, tile, *rest):
        computed.append((tile.i, tile.j))
        return compute_tile(work, tile, *rest)

    monkeypatch.setattr(store, "compute_tile", counted)
    return computed


@contextlib.contextmanager
def _child(folder, finished):
    """Run CHILD until it has finished some tiles."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        for _ in range(600):
            if _finished(folder) >= finished or child.poll() is not None:
                break
            time.sleep(0.05)
        assert child.poll() is None, child.communicate()[1]
        yield child
    finally:
        child.kill()
        child.communicate()


def test_a_run_killed_with_9_resumes_to_the_same_bits(folder, monkeypatch):
    with _child(folder, finished=5) as child:
        child.send_signal(signal.SIGKILL)
        child.wait(timeout=30)
    kept = _finished(folder)
    assert 5 <= kept < TILES
    computed = _count_computed(monkeypatch)
    assert np.array_equal(_compute(folder), _wanted())
    assert len(computed) == TILES - kept


def test_ctrl_c_stops_soon_without_noise_and_resumes(folder, monkeypatch):
    with _child(folder, finished=3) as child:
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)
        assert child.returncode == 1
        assert (out, err) == ("", "stopped\n")
    kept = _finished(folder)
    assert 3 <= kept < TILES
    computed = _count_computed(monkeypatch)
    assert np.array_equal(_compute(folder), _wanted())
    assert len(computed) == TILES - kept


def test_a_second_process_is_told_that_the_folder_is_in_use(folder):
    with (
        _child(folder, finished=1),
        pytest.raises(BlockingIOError, match="another process is working on it"),
    ):
        _compute(folder)


def test_a_run_killed_before_its_manifest_leaves_a_usable_folder(folder):
    folder.mkdir()
    (folder / "lock").touch()
    (folder / "manifest.json.tmp").write_text('{"for')
    assert np.array_equal(_compute(folder), _wanted())


def test_a_run_killed_before_its_array_leaves_a_usable_folder(folder):
    _compute(folder)
    (folder / "values.zarr" / "zarr.json").write_text('{"zarr_fo')
    (folder / "tiles.txt").unlink()
    assert np.array_equal(_compute(folder), _wanted())


def _flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[37] ^= 1
    path.write_bytes(data)


def _tear(path):
    path.write_bytes(path.read_bytes()[:50])


@pytest.mark.parametrize("damage", [_flip_a_bit, _tear, Path.unlink])
def test_a_damaged_tile_is_noticed_and_computed_again(folder, monkeypatch, damage):
    _compute(folder)
    damage(folder / "values.zarr" / "c" / "0" / "0" / "2" / "7")  # a ragged tile
    computed = _count_computed(monkeypatch)
    with pytest.warns(RuntimeWarning, match=f"1 of {TILES} tiles .* computed again"):
        repaired = _compute(folder)
    assert np.array_equal(repaired, _wanted())
    assert computed == [(2, 7)]
    assert np.array_equal(_compute(folder), _wanted())
    assert len(computed) == 1


def test_a_torn_line_of_the_journal_costs_one_tile(folder, monkeypatch):
    _compute(folder)
    journal = folder / "tiles.txt"
    journal.write_bytes(journal.read_bytes()[:-20])
    computed = _count_computed(monkeypatch)
    assert np.array_equal(_compute(folder), _wanted())
    assert len(computed) == 1
    assert np.array_equal(_compute(folder), _wanted())
    assert len(computed) == 1


def test_a_tile_without_its_line_in_the_journal_does_not_count(folder, monkeypatch):
    _compute(folder)
    journal = folder / "tiles.txt"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:-1]) + "no journal line\n")
    computed = _count_computed(monkeypatch)
    _compute(folder)
    assert computed == [tuple(map(int, lines[-1].split()[:2]))]


def test_a_folder_keeps_its_tile(folder):
    _compute(folder)
    again = compute_gram(NET, X, folder=folder, tile=16).values["ntk"]
    assert np.array_equal(np.asarray(again), _wanted())


def test_a_full_disk_is_a_clear_error_and_keeps_what_is_done(folder, monkeypatch):
    write, written = TileFiles.write, []

    def full_after_ten(self, *arguments):
        if len(written) >= 10:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(1)
        write(self, *arguments)

    monkeypatch.setattr(TileFiles, "write", full_after_ten)
    with pytest.raises(
        OSError, match=r"cannot write to folder .*No space left.*are kept"
    ) as caught:
        _compute(folder)
    assert caught.value.errno == errno.ENOSPC
    monkeypatch.setattr(TileFiles, "write", write)
    computed = _count_computed(monkeypatch)
    assert np.array_equal(_compute(folder), _wanted())
    assert len(computed) == TILES - 10


def test_a_small_disk_that_fills_up_is_a_clear_error(tmp_path, monkeypatch):
    """On a real file system of 64 kB, where this process may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this process may not mount a small file system")
    try:
        monkeypatch.setattr("ntkreg.gram.plan.free_disk", lambda folder: 10**9)
        with pytest.raises(OSError, match="No space left on device"):
            _compute(disk / "K")
        assert 0 < _finished(disk / "K") < TILES
        subprocess.run(["mount", "-o", "remount,size=9m", str(disk)], check=True)
        assert np.array_equal(_compute(disk / "K"), _wanted())
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_read_only_folder_is_a_clear_error(folder, monkeypatch):
    # Root may write anywhere, so the refusal comes from a stand-in for opening the lock.
    def refused(path, *rest):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(hold, "open_regular", refused)
    with pytest.raises(PermissionError, match=r"cannot write to folder .*Permission denied"):
        _compute(folder)


def test_a_complete_folder_can_be_read_where_nothing_can_be_written(folder, monkeypatch):
    _compute(folder)
    monkeypatch.setattr(store, "hold", None)
    assert np.array_equal(_compute(folder), _wanted())


def test_a_failing_worker_leaves_a_folder_that_resumes(folder, monkeypatch):
    toy_engine.install(monkeypatch.setattr, limit=np.sort(X.max(axis=1))[-2])
    with pytest.raises(FloatingPointError, match="above its limit"):
        _compute(folder, n_jobs=1)
    kept = _finished(folder)
    toy_engine.install(monkeypatch.setattr)
    computed = _count_computed(monkeypatch)
    assert np.array_equal(_compute(folder), _wanted())
    assert len(computed) == TILES - kept
