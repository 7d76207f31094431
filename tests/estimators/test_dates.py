"""Dates and spans of time are no numbers, in whatever table they come."""

import datetime

import numpy as np
import pandas as pd
import pytest

import ntkreg
from ntkreg.arrays import refuse_dates
from ntkreg.data import ChannelStandardizer

DAYS = np.arange("2026-01-01", "2026-01-07", dtype="datetime64[D]")
SPANS = DAYS - DAYS[0]
ESTIMATORS = (
    "NTKClassifierCV",
    "NTKFeatures",
    "NTKNystroem",
    "NTKRegressor",
    "NTKTransformer",
    "FiniteNetworkRegressor",
    "StreamingRidge",
)
Y = [0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_refuses_dates(name):
    with pytest.raises(TypeError, match=rf"{name}: X must hold real numbers; got dtype datetime64"):
        getattr(ntkreg, name)().fit(np.column_stack([DAYS, DAYS]), Y)


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(DAYS),
        pd.Series(DAYS).dt.tz_localize("UTC"),
        pd.Series(SPANS),
        pd.Series(pd.period_range("2026-01", periods=6, freq="M")),
    ],
    ids=lambda column: str(column.dtype),
)
def test_a_table_is_refused_by_the_name_of_its_column(column):
    table = pd.DataFrame({"size": np.arange(6.0), "when": column})
    with pytest.raises(TypeError, match=r"got dtype .* in column 'when'\. Turn dates into numbers"):
        ntkreg.NTKRegressor().fit(table, Y)


def test_so_are_tables_of_polars_lists_and_what_comes_to_predict():
    polars = pytest.importorskip("polars")
    for column in (DAYS, SPANS.astype("timedelta64[ms]"), [datetime.time(1)] * 6):
        table = polars.DataFrame({"size": np.arange(6.0), "when": column})
        with pytest.raises(TypeError, match="in column 'when'"):
            refuse_dates("X", table)
    model = ntkreg.NTKRegressor().fit(np.eye(6), Y)
    with pytest.raises(TypeError, match="timedelta64"):
        model.predict(np.column_stack([SPANS] * 6))
    with pytest.raises(TypeError, match="ChannelStandardizer: X must hold real numbers"):
        ChannelStandardizer().fit([[day] for day in DAYS])
