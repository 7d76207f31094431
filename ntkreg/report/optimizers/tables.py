"""Tables and verdict sentences of the optimiser study, from its files."""

import pandas as pd

__all__ = ["ends_table", "gap_table", "noise_table", "sentences", "verdict_table"]


LABELS = ("correct", "random")


def verdict_table(verdicts: pd.DataFrame, question: str) -> pd.DataFrame:
    """Return the statements on one question with their intervals."""
    own = verdicts[verdicts.question == question]
    return pd.DataFrame(
        {
            "": own.subject.str.replace("_", " "),
            "quantity": own.quantity,
            "estimate": own.estimate.map("{:.4g}".format),
            "95 % interval": [_interval(row) for row in own.itertuples()],
            "verdict": own.verdict,
        }
    )


def ends_table(runs: pd.DataFrame, labels: str) -> pd.DataFrame:
    """Return how the runs on some labels ended, mean ± std over seeds."""
    own = runs[runs.labels == labels]
    lines = []
    for optimizer, group in own.groupby("optimizer", sort=False):
        ended = group[group.outcome == "reached"]
        lines.append(
            {
                "optimiser": optimizer.replace("_", " "),
                "reached": f"{len(ended)} of {len(group)}",
                "rate": f"{group.rate.iloc[0]:g}",
                "learning rate": f"{ended.learning_rate.mean():.2g}",
                "steps": f"{ended.steps.mean():.0f}",
                "training loss": f"{ended.train_loss.mean():.4f}",
                "test error, %": _spread(ended.test_error, "{:.1f}"),
                "parameters moved": _spread(ended.moved, "{:.4f}"),
                "kernel drift": _spread(ended.kernel_drift, "{:.3f}"),
            }
        )
    return pd.DataFrame(lines)


def gap_table(levels: pd.DataFrame) -> pd.DataFrame:
    """Return the gap to the kernel trajectory at the last level, mean ± std, by width."""
    last = levels[levels.level == levels.level.min()]
    lines = []
    for optimizer, own in last.groupby("optimizer", sort=False):
        cells = {
            f"width {width}": _spread(group.kernel_gap, "{:.3f}")
            for width, group in own.groupby("width")
        }
        lines.append({"optimiser": optimizer.replace("_", " "), **cells})
    return pd.DataFrame(lines).fillna("")


def noise_table(batches: pd.DataFrame) -> pd.DataFrame:
    """Return sgd's test error, mean ± std over seeds, by batch size and rate."""
    lines = []
    for size, own in batches.groupby("batch_size"):
        line = {"batch size": f"{size}"}
        for rate, group in own.groupby("rate"):
            ended = group[group.outcome == "reached"]
            left = "" if len(ended) == len(group) else f" ({len(ended)} of {len(group)})"
            line[f"rate {rate:g}"] = _spread(ended.test_error, "{:.1f}") + left
        lines.append(line)
    return pd.DataFrame(lines)


def sentences(verdicts: pd.DataFrame, runs: pd.DataFrame) -> list[str]:
    """Return one sentence a question: what its intervals decide.

    Parameters
    ----------
    verdicts : DataFrame
    runs : DataFrame
        Of the one width at which all but the kernel trajectory is asked.
    """
    return [
        *_trajectory(verdicts),
        *_end_points(verdicts),
        *_noise(verdicts),
        *_stopping(verdicts),
        *_labels(verdicts, runs),
    ]


def _trajectory(verdicts: pd.DataFrame) -> list[str]:
    slopes = verdicts[verdicts.quantity == "slope of the gap against width"]
    groups = {
        "stay within theory's bound for the kernel trajectory, width^(-1/2)": "within the bound",
        "fall slower": "slower than the bound",
        "are undecided": "undecided",
    }
    parts = [
        f"{_listed(slopes[slopes.verdict == verdict])} {words}"
        for words, verdict in groups.items()
        if (slopes.verdict == verdict).any()
    ]
    behind = verdicts[verdicts.verdict == "falls behind with width"].subject
    widest = verdicts[verdicts.quantity.str.startswith("gap over") & verdicts.subject.isin(behind)]
    end = "."
    if len(widest):
        end = (
            "; gradient descent's gap falls faster than that of the following, whose gap at the "
            f"largest width is so many times as large: {_listed(widest, '{:.2f}')}."
        )
    return ["Kernel trajectory, slope of the gap to it against width: " + "; ".join(parts) + end]


def _end_points(verdicts: pd.DataFrame) -> list[str]:
    own = verdicts[verdicts.quantity == "moved over that of gradient descent"]
    far = own[own.verdict == "parameters moved farther"]
    if far.empty:
        return ["End points: no optimiser's parameters are shown to move farther than gradient "
                "descent's."]  # fmt: skip
    return [
        "End points: at the same training loss parameters moved farther than gradient "
        f"descent's, by these factors: {_listed(far, '{:.3f}')}."
    ]


def _noise(verdicts: pd.DataFrame) -> list[str]:
    own = verdicts[verdicts.question == "noise of sgd"].set_index("quantity")
    function = own.loc["slope of function against noise scale"]
    test = own.loc["slope of test loss against noise scale"]
    return [
        "Noise of sgd: the learnt function's distance from gradient descent's goes with the "
        f"noise scale to the power {function.estimate:.2f} ({_interval(function)}), the test "
        f"loss to the power {test.estimate:.3f} ({_interval(test)}; {test.verdict})."
    ]


def _stopping(verdicts: pd.DataFrame) -> list[str]:
    quantity = "least test loss when stopped over that with ridge"
    own = verdicts[verdicts.quantity == quantity].set_index("subject")
    distance = verdicts[verdicts.quantity.str.startswith("greatest distance")].set_index("subject")
    parts = [
        f"{name}: best stopped over best ridge {row.estimate:.3f} ({_interval(row)}; "
        f"{row.verdict}), greatest distance from the predictions at ridge n / t "
        f"{distance.loc[name].estimate:.3f} ({_interval(distance.loc[name])})"
        for name, row in own.iterrows()
    ]
    return ["Stopping and ridge, test loss with flipped labels: " + "; ".join(parts) + "."]


def _labels(verdicts: pd.DataFrame, runs: pd.DataFrame) -> list[str]:
    gaps = verdicts[verdicts.quantity == "test error, random less correct labels, points"]
    worse = gaps[gaps.verdict == "random labels are worse"]
    own = runs[(runs.outcome == "reached") & runs.labels.isin(LABELS)]
    starts = own.groupby(["labels", "seed"]).test_error.mean()
    error = {labels: _spread(starts.get(labels, starts[:0]), "{:.1f}") for labels in LABELS}
    return [
        f"Labels: with training losses between {own.train_loss.min():.4f} and "
        f"{own.train_loss.max():.4f} the test error, ± its standard deviation over starts, is "
        f"{error['correct'] or 'unknown'} % on correct and {error['random'] or 'unknown'} % on "
        f"random labels; the difference is above 0 for {len(worse)} of {len(gaps)} optimisers. "
        "Training loss does "
        + ("not predict generalisation here." if len(worse) else "not show it here.")
    ]


def _listed(rows: pd.DataFrame, form: str = "{:+.2f}") -> str:
    return ", ".join(
        f"{r.subject.replace('_', ' ')} ({form.format(r.estimate)})" for r in rows.itertuples()
    )


def _interval(row: "pd.Series") -> str:
    return f"{row.low:.4g} .. {row.high:.4g}"


def _spread(values: "pd.Series", form: str) -> str:
    if not len(values):
        return ""
    text = form.format(values.mean())
    return f"{text} ± {form.format(values.std(ddof=1))}" if len(values) > 1 else text
