import os

import pytest

from ntkreg.data.tables import read_table
from ntkreg.errors import DataError

COLUMNS = {"get": "text", "n": "int", "accuracy": "float"}


def written(tmp_path, text):
    path = tmp_path / "rows.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_columns_come_back(tmp_path):
    table = read_table(written(tmp_path, "get,n,accuracy,more\nntk,10,1\nntk,20,\n"), COLUMNS)
    assert table["get"].tolist() == ["ntk", "ntk"]
    assert table.n.tolist() == [10, 20]
    assert len(read_table(written(tmp_path, "get,n,accuracy\n"), COLUMNS)) == 0


def test_quotes_enclose_a_field(tmp_path):
    text = '\ufeff"get",n,"accuracy"\r\n"a, ""b""",10,1\r\n"",20,""\r\n"x""",30,2'
    table = read_table(written(tmp_path, text), COLUMNS)
    assert table["get"].tolist()[::2] == ['a, "b"', 'x"']
    assert table.n.tolist() == [10, 20, 30]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read as CSV"),
        ("\n\n", "cannot be read as CSV"),
        (b"\xff\xfe\x00", "cannot be read as CSV"),
        ("get,n\nntk,1\n", "has no column accuracy"),
        ("get,n,accuracy\nntk,1,2\nntk,1,2,3,4\n", "cannot be read as CSV"),
        ('get,n,accuracy\n"ntk,1,2\n', "cannot be read as CSV"),
        ('"a\n,b",' * 600 + "\n", "line 1: a quote that does not enclose"),
        ('x","\n' + '","\n' * 1200, "line 1: a quote that does not enclose"),
        ('a,b\n"' + '\n","' * 1200 + '"\n', "line 2: a quote that does not enclose"),
        ("get,n,accuracy\n1,1,2\n", "column get must hold text"),
        ("get,n,accuracy\nntk,x,2\n", "column n must hold integers"),
        ("get,n,accuracy\nntk,1.5,2\n", "column n must hold integers"),
        ("get,n,accuracy\nntk,,2\n", "column n must hold integers"),
        ("get,n,accuracy\nntk,True,2\n", "column n must hold integers"),
        ("get,n,accuracy\nntk,1,high\n", "column accuracy must hold numbers"),
        ("get,n,accuracy\nntk,1,1+2j\n", "column accuracy must hold numbers"),
        ("a," * 2000 + "\n", "over 1,000 columns"),
        ("get,n,accuracy\n" + "1," * 2000 + "\n", "over 1,000 columns"),
        ("get,n,accuracy\n" + "ntk,1" + "0" * 400 + ",2\n", "column n must hold integers"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_such_table_is_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=rf"rows\.csv: .*{message}"):
        read_table(written(tmp_path, text), COLUMNS)


def test_a_table_beyond_bounds_or_a_pipe_is_not_read(tmp_path):
    path = written(tmp_path, "a\n")
    with open(path, "r+b") as file:
        file.truncate(300_000_000)  # sparse: takes no disk
    with pytest.raises(DataError, match="larger than 256,000,000 bytes"):
        read_table(path)
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataError, match="not a plain file"):
        read_table(tmp_path / "pipe.csv")
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "nothing.csv")
