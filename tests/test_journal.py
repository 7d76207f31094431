import pickle
import threading

import pytest

from ntkreg.errors import DataError
from ntkreg.journal import Journal


def test_lines_come_back_and_a_torn_one_does_not(tmp_path):
    journal = Journal(tmp_path / "j", 100)
    assert journal.read() == []
    journal.append(b"one")
    journal.append(b"two")
    with open(journal.path, "ab") as file:
        file.write(b"thr")
    assert journal.read() == [b"one", b"two"]
    journal.trim()
    journal.append(b"three")
    assert journal.path.read_bytes() == b"one\ntwo\nthree\n"


def test_a_torn_line_that_was_not_trimmed_spoils_only_the_next(tmp_path):
    journal = Journal(tmp_path / "j", 100)
    journal.path.write_bytes(b"one\ntw")
    journal.append(b"three")
    assert journal.read() == [b"one", b"twthree"]


def test_threads_add_whole_lines(tmp_path):
    journal = pickle.loads(pickle.dumps(Journal(tmp_path / "j", 10_000)))
    lines = [f"{k}" * 20 for k in range(8)]
    threads = [threading.Thread(target=journal.append, args=(line.encode(),)) for line in lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(journal.read()) == sorted(line.encode() for line in lines)


def test_longer_files_and_links_are_refused(tmp_path):
    journal = Journal(tmp_path / "j", 10)
    journal.path.write_bytes(b"more than ten bytes\n")
    with pytest.raises(DataError, match="larger than 10 bytes"):
        journal.read()
    link = Journal(tmp_path / "link", 100)
    link.path.symlink_to(journal.path)
    with pytest.raises((DataError, OSError)):
        link.append(b"line")
    assert journal.path.read_bytes() == b"more than ten bytes\n"


def test_trimming_what_is_not_there_makes_nothing(tmp_path):
    Journal(tmp_path / "j", 10).trim()
    assert list(tmp_path.iterdir()) == []
