import errno
import io
import json
import os

import numpy as np
import pandas as pd
import pytest

from ntkreg import storage
from ntkreg.errors import DataError, SpecError
from ntkreg.storage import (
    check_name,
    differences,
    draft_of,
    open_regular,
    read_bytes,
    replacing,
    write_arrays,
    write_json,
    write_table,
    write_text,
)

WRITERS = {
    "text": lambda path: write_text(path, "new"),
    "json": lambda path: write_json(path, {"new": 1}),
    "arrays": lambda path: write_arrays(path, {"new": np.arange(3)}),
    "table": lambda path: write_table(path, pd.DataFrame({"new": [1]})),
}


@pytest.fixture(params=WRITERS)
def write(request):
    return WRITERS[request.param]


def test_what_is_written_comes_back(tmp_path):
    path = tmp_path / "file"
    write_text(path, "größe")
    assert path.read_text(encoding="utf-8") == "größe"
    write_json(path, {"a": [1, None, "x"]})
    assert json.loads(path.read_text()) == {"a": [1, None, "x"]}
    write_table(path, pd.DataFrame({"a": [0.1], "b": ["x,y"]}), float_format="%.6g")
    assert path.read_text() == 'a,b\n0.1,"x,y"\n'
    for compressed in (False, True):
        write_arrays(path, {"a b": [1, 2], "s": "text"}, compressed=compressed)
        with np.load(path) as found:
            assert found["a b"].tolist() == [1, 2]
            assert found["s"] == "text"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_planted_link_is_replaced_and_its_target_left_alone(tmp_path, write):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path = tmp_path / "out"
    path.symlink_to(victim)
    draft_of(path).symlink_to(victim)
    write(path)
    assert victim.read_text() == "precious"
    assert not path.is_symlink()
    assert path.stat().st_size > 0
    assert not draft_of(path).exists()


def test_a_hard_link_is_not_written_through(tmp_path, write):
    victim, path = tmp_path / "victim", tmp_path / "out"
    victim.write_text("precious")
    os.link(victim, path)
    os.link(victim, draft_of(path))
    write(path)
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("after", [0, 1])
def test_a_full_disk_leaves_the_old_file_and_no_draft(tmp_path, write, monkeypatch, after):
    path = tmp_path / "out"
    path.write_text("old")

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, ("fsync", "replace")[after], full)
    with pytest.raises(OSError, match="No space"):
        write(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_block_leaves_the_old_file(tmp_path):
    path = tmp_path / "out"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as file:  # noqa: PT012
        file.write(b"half")
        assert path.read_text() == "old"
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_mix(tmp_path):
    path = tmp_path / "out"
    other = replacing(path)
    with pytest.raises(DataError, match="another process"), replacing(path) as file:  # noqa: PT012
        file.write(b"ours")
        other.__enter__().write(b"half of theirs")
    assert not path.exists()
    other.__exit__(None, None, None)
    assert path.read_bytes() == b"half of theirs"


def test_objects_are_not_pickled(tmp_path):
    with pytest.raises(ValueError, match="array 'a' holds objects"):
        write_arrays(tmp_path / "a.npz", {"a": np.array([{}])})
    assert not list(tmp_path.iterdir())


def test_an_archive_holds_what_was_given_and_no_more(tmp_path):
    write_arrays(tmp_path / "a.npz", {"a": np.ones(2)})
    with np.load(tmp_path / "a.npz") as archive:
        assert archive.files == ["a"]


def test_pipes_and_devices_are_neither_replaced_nor_read(tmp_path, write):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    link = tmp_path / "link"
    link.symlink_to(os.devnull)
    for path in (pipe, link):
        with pytest.raises(DataError, match="pipe or a device"):
            write(path)
        with pytest.raises(DataError, match="plain file"):
            read_bytes(path, 10)
    assert pipe.is_fifo()
    assert link.is_symlink()


def test_a_folder_is_no_file(tmp_path, write):
    inner = tmp_path / "folder"
    inner.mkdir()
    with pytest.raises(OSError, match="folder"):
        write(inner)
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]
    with pytest.raises(DataError, match="not a plain file"):
        read_bytes(inner, 10)


def test_reading_is_bounded_and_follows_links_only_where_asked(tmp_path):
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"12345")
    link.symlink_to(path)
    assert read_bytes(path, 5) == read_bytes(link, 5) == b"12345"
    with pytest.raises(DataError, match="larger than 4 bytes"):
        read_bytes(path, 4)
    with pytest.raises(DataError, match="a symbolic link"):
        read_bytes(link, 5, links=False)
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "nothing", 5)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        read_bytes(link, 5)


def test_links_that_point_at_each_other_are_refused(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.symlink_to(b)
    b.symlink_to(a)
    with pytest.raises(DataError, match="symbolic link"):
        read_bytes(a, 5)


@pytest.mark.parametrize("mode", ["rb", "r+b", "ab"])
def test_only_appending_makes_a_file_and_none_goes_through_a_link(tmp_path, mode):
    path, link = tmp_path / "file", tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(DataError, match="a symbolic link"):
        open_regular(link, mode)
    assert not path.exists()
    if mode != "ab":
        with pytest.raises(FileNotFoundError):
            open_regular(path, mode)
        path.write_bytes(b"x")
    with open_regular(path, mode) as file:
        assert isinstance(file, io.BufferedIOBase)
    assert path.exists()


def test_differences_name_what_differs_with_both_values():
    stored = {"a": 1, "b": {"c": [1, 2], "d": 2}, "only": True, "free": 1}
    asked = {"a": 1, "b": {"c": [1, 3], "d": 2}, "new": "x", "free": 2}
    assert differences(stored, asked, left_out=("free",)) == [
        "b.c: stored [1, 2], asked [1, 3]",
        "new: stored None, asked 'x'",
        "only: stored True, asked None",
    ]
    assert differences(stored, stored) == []


@pytest.mark.parametrize(
    "name", ["cntk", "CNTK 14 + GAP (flip), c=2", "a.b", "_x", "0", "x" * 100, "con_x", "lpt"]
)
def test_names_of_files(name):
    assert check_name("networks", name) == name


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "../x", "a/b", "/etc/passwd", "a\\b", "C:x", ".hidden", "a\0", "a\nb", "a ",
        " a", "a.", "-rf", "~", "$HOME", "a*", "a?", "a|b", "a\u202eb", "é", "x" * 101, "con",
        "NUL.txt", "com1", "Lpt9.a", "aux .x", None, 3, 1.5, b"a", ["a"], True,
    ],
)  # fmt: skip
def test_names_that_a_file_system_could_take_for_more_are_refused(name):
    with pytest.raises(SpecError, match="networks must be a name of letters") as caught:
        check_name("networks", name)
    assert len(str(caught.value)) < 300


def test_a_system_without_folder_sync_still_writes(tmp_path, monkeypatch):
    real = os.fsync

    def fsync(descriptor):
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EINVAL, "Invalid argument")
        real(descriptor)

    monkeypatch.setattr(storage.os, "fsync", fsync)
    write_text(tmp_path / "a", "x")
    assert (tmp_path / "a").read_text() == "x"
