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
NETWORK = ntkreg.fully_connected(1)


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


STAMPS = [pd.Timestamp(day) for day in DAYS]


@pytest.mark.parametrize("name", ["NTKFeatures", "NTKNystroem", "NTKTransformer", "StreamingRidge"])
@pytest.mark.parametrize(
    "values",
    [STAMPS, DAYS.tolist(), list(DAYS), list(SPANS), SPANS.tolist(), [pd.NaT] * 6],
    ids=lambda values: type(values[0]).__name__,
)
def test_dates_among_objects_are_found(name, values):
    model = getattr(ntkreg, name)()
    rows = [[1.0, value] for value in values]
    # NumPy makes one of both dtypes.
    forms = [np.array(rows, dtype=object), pd.DataFrame({"size": np.arange(6.0), "when": values})]
    forms.append(pd.DataFrame({"size": np.arange(6.0), "when": pd.Categorical(values)}))
    forms.append(forms[1].astype(object))
    forms += [rows] if not isinstance(values[0], np.generic) else []
    for X in forms:
        with pytest.raises(TypeError, match=rf"^{name}: X must hold real numbers; got"):
            model.fit(X, Y)
        if hasattr(model, "partial_fit"):
            with pytest.raises(TypeError, match=rf"^{name}: X must hold real numbers; got"):
                model.partial_fit(X, Y)


def test_kernels_refuse_tables_of_dates():
    polars = pytest.importorskip("polars")
    arrow = pytest.importorskip("pyarrow")
    columns = {"size": np.arange(6.0), "when": DAYS.astype("datetime64[ms]")}
    for table in (polars.DataFrame(columns), arrow.table(columns)):
        for call in (ntkreg.NeuralTangentKernel(1), lambda X: ntkreg.kernel(NETWORK, X)):
            with pytest.raises(TypeError, match=r"must hold real numbers; got dtype .*'when'"):
                call(table)
    numbers = polars.DataFrame({"size": np.arange(6.0), "weight": np.ones(6)})
    assert ntkreg.kernel(NETWORK, numbers).shape == (6, 6)
    assert ntkreg.NTKFeatures(NETWORK).fit(np.array([[1, 2.5]] * 6, dtype=object)).n_features_in_


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
