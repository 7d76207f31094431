"""Tables and verdict sentences of the optimiser study, from its files."""

import pandas as pd

from ntkreg.report.shared.tables import with_spread
from ntkreg.studies.shared.statistics import mean_and_spread

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
    measured = ["learning_rate", "steps", "train_loss", "test_error", "moved", "kernel_drift"]
    # Of those that ended at the loss; an optimiser of which none did has a line of its own.
    own = own.assign(**{name: own[name].where(own.outcome == "reached") for name in measured})
    means = mean_and_spread(own, ["optimizer"], ["rate", *measured])
    n = own.groupby("optimizer").size()
    lines = [
        {
            "optimiser": optimizer.replace("_", " "),
            "reached": f"{row['steps', 'count']:.0f} of {n[optimizer]}",
            "rate": f"{row['rate', 'mean']:g}",
            "learning rate": f"{row['learning_rate', 'mean']:.2g}",
            "steps": f"{row['steps', 'mean']:.0f}",
            "training loss": f"{row['train_loss', 'mean']:.4f}",
            "test error, %": _spread(row["test_error"], ".1f"),
            "parameters moved": _spread(row["moved"], ".4f"),
            "kernel drift": _spread(row["kernel_drift"], ".3f"),
        }
        for optimizer, row in means.iterrows()
    ]
    return pd.DataFrame(lines)


def gap_table(gaps: pd.DataFrame) -> pd.DataFrame:
    """Return the gap to the kernel trajectory (`gap_means`), mean ± std, by width."""
    lines = []
    for optimizer, own in gaps.groupby("optimizer", sort=False):
        cells = {f"width {row['width']}": _spread(row, ".3f") for _, row in own.iterrows()}
        lines.append({"optimiser": optimizer.replace("_", " "), **cells})
    return pd.DataFrame(lines).fillna("")


def noise_table(batches: pd.DataFrame) -> pd.DataFrame:
    """Return sgd's test error, mean ± std over seeds, by batch size and rate."""
    ended = batches.assign(test_error=batches.test_error.where(batches.outcome == "reached"))
    means = mean_and_spread(ended, ["batch_size", "rate"], ["test_error"]).test_error
    n = ended.groupby(["batch_size", "rate"]).size()
    lines: dict[int, dict[str, str]] = {}
    for (size, rate), row in means.sort_index().iterrows():
        left = "" if row["count"] == n[size, rate] else f" ({row['count']:.0f} of {n[size, rate]})"
        line = lines.setdefault(size, {"batch size": f"{size}"})
        line[f"rate {rate:g}"] = _spread(row, ".1f") + left
    return pd.DataFrame(lines.values())


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
    starts = mean_and_spread(own, ["labels", "seed"], ["test_error"])["test_error"]["mean"]
    means = mean_and_spread(starts.reset_index(), ["labels"], ["mean"])["mean"]
    error = {labels: _spread(row, ".1f") for labels, row in means.iterrows()}
    return [
        f"Labels: with training losses between {own.train_loss.min():.4f} and "
        f"{own.train_loss.max():.4f} the test error, ± its standard deviation over starts, is "
        f"{error.get('correct', 'unknown')} % on correct and {error.get('random', 'unknown')} % on "
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


def _spread(found: "pd.Series", form: str) -> str:
    return with_spread(found["mean"], found["std"], form)
