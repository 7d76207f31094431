"""Tables of the width study: verdicts, points, ensembles."""

import math

import pandas as pd

__all__ = ["LABELS", "count_verdicts", "limit_table", "point_table", "verdict_table"]

LABELS = {
    "nngp_frobenius": "NNGP error at the start, Frobenius",
    "nngp_operator": "NNGP error at the start, operator norm",
    "nngp_fluctuation": "NNGP fluctuation at the start",
    "nngp_bias": "NNGP bias at the start",
    "ntk_frobenius": "NTK error at the start, Frobenius",
    "ntk_operator": "NTK error at the start, operator norm",
    "ntk_fluctuation": "NTK fluctuation at the start",
    "ntk_bias": "NTK bias at the start",
    "ntk_drift": "change of the NTK in training",
    "feature_drift": "change of the features' kernel",
    "weights_input": "change of weights, input layer",
    "weights_hidden": "change of weights, hidden layers",
    "weights_output": "change of weights, read-out",
    "weights_all": "change of weights, all layers",
    "linear_gap": "largest gap to linearised training",
    "prediction_gap": "squared gap to the kernel's prediction",
    "train_loss": "training mean squared error",
    "train_error": "training error, %",
    "test_loss": "test mean squared error",
    "test_error": "test error, %",
    "rank_start": "effective rank of features, start",
    "rank_end": "effective rank of features, trained",
}
"""What figures and tables call each quantity; in the order of tables."""

FORMULAS = {
    "ntk": "NTK-GP after this training",
    "nngp": "NNGP, posterior",
    "nngp stopped": "NNGP, stopped where nearest to the NTK-GP",
}


def verdict_table(slopes: pd.DataFrame) -> pd.DataFrame:
    """Return each slope beside the expected one, with its verdict.

    Parameters
    ----------
    slopes : DataFrame
        ``slopes.csv`` of the study.
    """
    order = {key: i for i, key in enumerate(LABELS)}
    lines = sorted(
        slopes.itertuples(),
        key=lambda r: (r.parametrization != "ntk", order.get(r.quantity, 99), r.kind, r.depth),
    )
    return pd.DataFrame(
        [
            {
                "quantity": LABELS.get(r.quantity, r.quantity),
                "parametrisation": r.parametrization,
                "hidden layers": r.depth,
                "verdict": r.verdict,
                "expected": f"{'≤ ' if r.kind == 'bound' else ''}{r.expected:g}",
                "slope": _number(r.slope, ".2f"),
                "95 % interval": _interval(r.low, r.high, ".2f"),
                "widths": _widths(r) + (", c = 0" if r.n_widths and r.correction == 0 else ""),
                "source": r.source,
            }
            for r in lines
        ]
    )


def limit_table(limits: pd.DataFrame) -> pd.DataFrame:
    """Return ensembles at infinite width beside the formulas; ``limits.csv`` of the study."""
    what = {
        "mean": "distance² of means / variance",
        "variance": "variance / formula's",
    }
    return pd.DataFrame(
        [
            {
                "ensemble against": FORMULAS.get(r.formula, r.formula),
                "hidden layers": r.depth,
                "moment": what.get(r.moment, r.moment),
                "verdict": r.verdict or "not claimed",
                "expected": {"value": "", "differs": "not "}.get(r.kind, "near ")
                + f"{r.expected:g}",
                "limit": _number(r.limit, ".3f"),
                "95 % interval": _interval(r.low, r.high, ".3f"),
                "widths": _widths(r),
            }
            for r in limits.itertuples()
        ]
    )


def point_table(summary: pd.DataFrame, quantities: list[str]) -> pd.DataFrame:
    """Return "mean ± std over starts" of quantities by depth, parametrisation and width."""
    chosen = summary[summary.quantity.isin(quantities)]
    cells = chosen.assign(cell=[f"{r.value:.3g} ± {r.std:.2g}" for r in chosen.itertuples()])
    index = ["parametrization", "depth", "width"]
    table = cells.pivot(index=index, columns="quantity", values="cell")
    table = table[[q for q in quantities if q in table]].rename(columns=LABELS).fillna("diverged")
    return table.rename_axis(["parametrisation", "hidden layers", "width"]).reset_index()


def count_verdicts(verdicts: pd.Series) -> str:
    """Return how many rows of a table agree, disagree and are undecided, as a sentence."""
    n = verdicts[verdicts != ""].value_counts()
    agrees, against, open_ = (int(n.get(v, 0)) for v in ("agrees", "disagrees", "undecided"))
    return (
        f"{agrees + against} of {agrees + against + open_} rows are decided: "
        f"{agrees} agree with theory, {against} disagree; {open_} are undecided."
    )


def _number(value: float, form: str) -> str:
    return "none" if math.isnan(value) else f"{value:{form}}"


def _interval(low: float, high: float, form: str) -> str:
    return "none" if math.isnan(low) else f"{low:{form}} .. {high:{form}}"


def _widths(row) -> str:
    return f"{row.first_width}..{row.last_width}" if row.n_widths else "too few resolved"
