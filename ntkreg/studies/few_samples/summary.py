"""What follows from the rows of the few-samples study, and the published figures beside it."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import pandas as pd

from ntkreg.studies.shared.published import (
    CIFAR2_DEPTHS,
    CIFAR2_SOURCE,
    FEW_SAMPLES_CIFAR10,
    FEW_SAMPLES_SOURCE,
    FIRST_2000_CIFAR10,
    FIRST_2000_SOURCE,
    PublishedRow,
)
from ntkreg.studies.shared.statistics import compare_with_published, summarize_draws

__all__ = [
    "READINGS",
    "comparison_of",
    "exact_accuracies",
    "published_on",
    "published_table",
    "summaries",
    "summary_of",
]

READINGS = {"convolutions": 0, "read-out counted": -1}
"""Hidden layers of a published "CNTK-d" less d: whether d counts the dense read-out is not
documented of the few-samples table. Others say it, and are read in the first way, their labels
counted as such."""


def summaries(
    rows: pd.DataFrame, config: Mapping[str, Any], n_test: int
) -> dict[str, pd.DataFrame]:
    """Return the tables ``summary``, ``comparison`` and ``published``.

    Parameters
    ----------
    rows : DataFrame
        Columns get, depth, n, draw, accuracy.
    config : mapping
        The resolved configuration; without `architecture` (of studies before it could be
        chosen) the network is a CNTK.
    n_test : int
        Test images.

    Notes
    -----
    The comparison has both readings: column reading, "convolutions" (d hidden layers) and
    "read-out counted" (d - 1 hidden layers); of the first images, whose table says what it
    counts, the first. Of other networks than CNTKs it has no lines.
    """
    summary = summary_of(rows, config, n_test)
    return {
        "summary": summary,
        "comparison": comparison_of(summary, config),
        "published": published_table(config),
    }


def summary_of(rows: pd.DataFrame, config: Mapping[str, Any], n_test: int) -> pd.DataFrame:
    """Return the table ``summary`` (`summaries`)."""
    pool = config["pool"] if _drawn(config) else None
    return summarize_draws(rows, pool=pool, n_test=n_test)


def comparison_of(summary: pd.DataFrame, config: Mapping[str, Any]) -> pd.DataFrame:
    """Return the table ``comparison`` of a summary (`summaries`)."""
    # Of few samples only CNTKs were published at several depths.
    known = published_on(config)[0] if _is_cntk(config) and config.get("classes") is None else ()
    return pd.concat(
        [
            compare_with_published(summary, known, offset=offset).assign(reading=name)
            for name, offset in READINGS.items()
            if _drawn(config) or offset == 0
        ]
    )


def published_table(config: Mapping[str, Any]) -> pd.DataFrame:
    """Return the table ``published`` of a configuration (`summaries`)."""
    published, source = published_on(config)
    columns = [field.name for field in fields(PublishedRow)]
    return pd.DataFrame(map(asdict, published), columns=columns).assign(source=source)


def exact_accuracies(rows: pd.DataFrame, n_test: int) -> pd.DataFrame:
    """Return rows that were stored with six digits with the accuracies that they had.

    An accuracy is a number of right answers out of n_test.
    """
    right = (rows.accuracy * n_test / 100).round()
    return rows.assign(accuracy=100 * (right / n_test))


def published_on(config: Mapping[str, Any]) -> tuple[tuple[PublishedRow, ...], str]:
    """Return published figures on the same classes and draws, taking the data for CIFAR-10's.

    Parameters
    ----------
    config : mapping
        As in `summaries`.
    """
    classes = config.get("classes")
    if classes is None and config.get("seed", 0) is None:
        rows = FIRST_2000_CIFAR10.get(config["architecture"].get("readout"), ())
        return (rows, FIRST_2000_SOURCE) if rows and _is_cntk(config) else ((), "")
    if classes is None:
        return FEW_SAMPLES_CIFAR10, FEW_SAMPLES_SOURCE
    if set(classes) == {0, 1}:
        return CIFAR2_DEPTHS, CIFAR2_SOURCE
    return (), ""


def _drawn(config: Mapping[str, Any]) -> bool:
    """Whether images are drawn; else they are the first."""
    return config.get("seed", 0) is not None


def _is_cntk(config: Mapping[str, Any]) -> bool:
    return config.get("architecture", {"recipe": "cntk"}).get("recipe") == "cntk"
