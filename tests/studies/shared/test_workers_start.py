"""What a plan says of the start of processes is the time of starting some."""

from ntkreg.errors import SpecError
from ntkreg.studies.shared.workers import seconds_to_start


def test_one_process_is_there_already():
    assert seconds_to_start(SpecError, 1, 10) < 0.05
    assert seconds_to_start(SpecError, 4, 1) < 0.05


def test_others_are_started():
    assert seconds_to_start(SpecError, 2, 10) > 0.05
