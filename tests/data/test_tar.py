"""Archives that would cost time or memory out of proportion to their size."""

import gzip
import os
import tarfile
import time
import tracemalloc

import pytest

from ntkreg.data import load_cifar10
from ntkreg.errors import DataError


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_a_header_that_unpacks_to_more_than_any_batch_is_refused(tmp_path, kind):
    path = tmp_path / "bomb.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as stream:
        info = tarfile.TarInfo("x")
        info.type, info.size = kind, 8_000_000_000
        stream.write(info.tobuf(tarfile.GNU_FORMAT))
        stream.write(bytes(1_000_000))
    with pytest.raises(DataError, match="a header of 8,000,000,000 bytes"):
        load_cifar10(path)


def _headers(path, kind, content, count):
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, len(content)
    header = info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)
    with gzip.open(path, "wb", compresslevel=1) as stream:
        for _ in range(count):
            stream.write(header)


@pytest.mark.parametrize(
    ("kind", "size", "count", "message"),
    [
        (tarfile.XHDTYPE, 20_000, 1, "a header of 20,480 bytes"),
        (tarfile.XGLTYPE, 1_500, 400, "over 512,000 bytes of headers"),
        (tarfile.GNUTYPE_LONGNAME, 1_000_000, 20, "a header of 1,000,448 bytes"),
        (tarfile.GNUTYPE_LONGNAME, 4_000, 200, "over 512,000 bytes of headers"),
        (tarfile.REGTYPE, 0, 2_000, "over 512,000 bytes of headers"),
    ],
)
def test_headers_cost_neither_time_nor_memory(tmp_path, kind, size, count, message):
    path = tmp_path / "bomb.tar.gz"
    _headers(path, kind, b"1" * size, count)
    tracemalloc.start()
    start = time.process_time()
    try:
        with pytest.raises(DataError, match=message):
            load_cifar10(path)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert time.process_time() - start < 5


def test_an_archive_that_unpacks_without_end_is_refused(tmp_path):
    path = tmp_path / "bomb.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as stream:
        info = tarfile.TarInfo("x")
        info.size = 1 << 40
        stream.write(info.tobuf(tarfile.GNU_FORMAT))
    with pytest.raises(DataError, match="more than 2,000,000,000 bytes"):
        load_cifar10(path)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "cifar.tar.gz")
    with pytest.raises(DataError, match="not a plain file"):
        load_cifar10(tmp_path / "cifar.tar.gz")
