import pandas as pd
import pytest

from ntkreg.errors import DataError
from ntkreg.report.landscape.tables import count_sentence
from ntkreg.studies.landscape.statements import STATEMENTS


def test_rows_are_counted_by_verdict_and_a_strange_one_is_an_error():
    key = next(iter(STATEMENTS))
    verdicts = pd.DataFrame({"statement": [key] * 3, "verdict": ["agrees", "agrees", "measured"]})
    assert count_sentence(verdicts) == "Of 3 rows 2 agree, 0 disagree, 0 undecided, 1 measured."
    for name in ("statement", "verdict"):
        damaged = verdicts.assign(**{name: [verdicts[name][0], "y", verdicts[name][2]]})
        with pytest.raises(DataError, match=f"verdicts.csv: {name} must be one of .* found 'y'"):
            count_sentence(damaged)
