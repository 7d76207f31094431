"""Pickles that would cost memory, time or the process out of proportion to their size."""

import pickle
import resource
import struct
import time
import tracemalloc

import numpy as np
import pytest

from ntkreg.data.unpickle import load_plain_pickle
from ntkreg.errors import DataError

ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
BYTES = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R\x89U\x08AAAAAAAAtb."


def long(n_bytes):
    return b"\x8b" + struct.pack("<i", n_bytes) + b"\x01" * n_bytes


def laughs():
    lists = (b"]q" + bytes([i + 1]) + b"(" + (b"h" + bytes([i])) * 10 + b"e" for i in range(9))
    return b"\x80\x02]q\x00(Ne" + b"".join(lists) + b"."


CASES = {
    "memo entry far away": b"\x80\x02Nr\xff\xff\xff\x1f.",
    "memo entry far away, as text": b"\x80\x02Np536870911\n.",
    "bytes that do not come": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 32) + b".",
    "text that does not come": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 32) + b".",
    "bytearray that does not come": b"\x80\x05\x96" + struct.pack("<Q", 1 << 32) + b".",
    "string that does not come": b"T" + struct.pack("<i", 2**31 - 1) + b".",
    "string of negative length": b"T" + struct.pack("<i", -5) + b".",
    "short bytes that do not come": b"B" + struct.pack("<I", 2**32 - 1) + b".",
    "integer that does not come": b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b".",
    "integer of negative length": b"\x80\x02\x8b" + struct.pack("<i", -1) + b".",
    "frame that does not come": b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + b"N.",
    "tuples in tuples as a key": b"\x80\x02})" + b"\x85" * 1_000_000 + b"Ns.",
    "fewer tuples in tuples as a key": b"\x80\x02})" + b"\x85" * 19_000 + b"Ns.",
    "keys that hash alike": pickle.dumps({i * (2**61 - 1): 0 for i in range(1, 1000)}),
    "keys that hash alike, one by one": pickle.dumps({i * (2**61 - 1): 0 for i in range(200)}, 0),
    "keys behind objects that are taken back": b"\x80\x02" + b"(cnumpy\ndtype\nU\x02u1o0" * 999
    + b"}(" + b"".join(b"K%cN" % i for i in range(200)) + b"u.",
    "keys behind marks that are taken back": b"\x80\x02" + b"(0" * 999
    + b"}(" + b"".join(b"K%cN" % i for i in range(200)) + b"u.",
    "too many lists": b"(" + b"]" * 3_000_000 + b"l.",
    "lists in lists": b"]" * 200_000 + b"a" * 199_999 + b".",
    "lists of lists of one list": laughs(),
    "one text as bytes many times": b"\x80\x02(X" + struct.pack("<I", 1_000_000) + b"x" * 1_000_000
    + b"q\x00" + b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R" * 4000 + b"l.",
    "shape of huge numbers": b"\x80\x02" + ARRAY + b"(K\x01(" + long(400_000) + b"2" * 9 + b"t"
    + BYTES,
    "shape of many numbers": b"\x80\x02" + ARRAY + b"(K\x01(" + b"K\x7f" * 400_000 + b"t" + BYTES,
    "shape that is no tuple": b"\x80\x02" + ARRAY + b"(K\x01N" + BYTES,
    "shape below zero": b"\x80\x02" + ARRAY
    + b"(K\x01J\xff\xff\xff\xffJ\xf8\xff\xff\xff\x86" + BYTES,
    "name of a megabyte": b"c" + b"a" * 1_000_000 + b"\nb\n.",
    "dtype of a megabyte": b"cnumpy\ndtype\nU\x01x\x85R." .replace(
        b"U\x01x", b"T" + struct.pack("<i", 1_000_000) + b"x" * 1_000_000),
    "digits without end": b"I" + b"1" * 100_000 + b"\n.",
    "long digits without end": b"L" + b"1" * 100_000 + b"L\n.",
    "persistent name": b"Pabc\n.",
    "extension": b"\x80\x02\x82\x01.",
    "new object": b"\x80\x02cnumpy\ndtype\n)\x81.",
    "instance": b"(ios\nsystem\n.",
    "object": b"(cos\nsystem\nX\x02\x00\x00\x00lso.",
    "frozen set": b"\x80\x04(\x91.",
    "buffer from elsewhere": b"\x80\x05\x97.",
    "array without arguments": b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n)R.",
    "dtype of nothing": b"\x80\x02cnumpy\ndtype\nN\x85R.",
    "change of a function": b"\x80\x02cnumpy\ndtype\n}b.",
    "protocol of the future": b"\x80\x63N.",
    "memo without entry": b"h\x05.",
    "empty stack": b"0.",
    "only a mark": b"(.",
    "only the end": b".",
    "nothing": b"",
}  # fmt: skip


@pytest.mark.parametrize("content", CASES.values(), ids=CASES)
def test_a_bad_pickle_is_refused_at_once_and_takes_no_memory(content):
    # Addresses are bounded too: what is allocated but never touched counts elsewhere.
    limits = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as statm:
        now = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + 600_000_000, limits[1]))
    start = time.process_time()
    try:
        with pytest.raises(DataError, match=r"^batch: (not a sound|this) pickle") as caught:
            load_plain_pickle(content, "batch")
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    assert time.process_time() - start < 5
    assert "MemoryError" not in str(caught.value)  # refused before it is tried
    assert len(str(caught.value)) < 500


def batch(protocol=2):
    rng = np.random.default_rng(0)
    return pickle.dumps(
        {
            b"labels": [1, 2, 3],
            b"data": rng.integers(0, 256, (3, 12), dtype=np.uint8),
            b"filenames": [b"a.png", b"b.png", b"a.png"],
        },
        protocol=protocol,
    )


def test_an_array_named_many_times_takes_its_bytes_once():
    content = (
        b"\x80\x05(cnumpy.core.numeric\n_frombuffer\n(\x96" + struct.pack("<Q", 100_000)
        + b"x" * 100_000 + b"cnumpy\ndtype\nU\x02u1\x85RJ" + struct.pack("<i", 100_000)
        + b"\x85U\x01CtRq\x00" + b"h\x00" * 1000 + b"l."
    )  # fmt: skip
    tracemalloc.start()
    try:
        assert len(load_plain_pickle(content, "batch")) == 1001
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("protocol", range(6))
def test_a_list_of_many_values_is_read(protocol):
    content = pickle.dumps([b"image_%d.png" % (i % 7_000) for i in range(9_000)], protocol)
    assert load_plain_pickle(content, "batch")[8_999] == b"image_1999.png"


def _damage(content, rng):
    content = bytearray(content)
    for at in rng.integers(0, len(content), rng.integers(1, 5)):
        match rng.integers(0, 3):
            case 0:
                content[at % len(content)] = rng.integers(0, 256)
            case 1:
                del content[at % len(content)]
            case _:
                content[at % len(content) : at % len(content)] = rng.bytes(rng.integers(1, 6))
    return bytes(content)


@pytest.mark.parametrize(
    "n", [pytest.param(300, id="few"), pytest.param(10_000, id="many", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("protocol", [2, 5])
def test_random_damage_is_an_error_or_plain_data_and_takes_no_memory(n, protocol):
    rng, sound = np.random.default_rng(protocol), batch(protocol)
    tracemalloc.start()
    try:
        for _ in range(n):
            content = _damage(sound, rng)
            try:
                found = load_plain_pickle(content, "batch")
            except DataError:
                continue
            assert isinstance(found, dict | list | str | bytes | int | float | np.ndarray | None)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
