"""What the width study measures, and the slopes that theory and earlier runs give."""

from dataclasses import dataclass

__all__ = ["EXPECTATIONS", "QUANTITIES", "Expectation", "Quantity"]


@dataclass(frozen=True)
class Quantity:
    """One measured quantity.

    Attributes
    ----------
    key : str
        Column of ``rows.csv``, or from stored kernels (bias, fluctuation); what it is
        called in words is `ntkreg.report.widths.tables.LABELS`.
    reduce : {"geometric", "mean"}
        The mean over starts that a width's point is. Norms of differences have long
        tails: their geometric mean falls with the same power of the width, and far fewer
        starts tell it.
    at_start : bool
        Whether it is known without training.
    """

    key: str
    reduce: str = "geometric"
    at_start: bool = False


QUANTITIES: dict[str, Quantity] = {
    q.key: q
    for q in (
        Quantity("nngp_frobenius", at_start=True),
        Quantity("nngp_operator", at_start=True),
        Quantity("nngp_fluctuation", at_start=True),
        Quantity("nngp_bias", at_start=True),
        Quantity("ntk_frobenius", at_start=True),
        Quantity("ntk_operator", at_start=True),
        Quantity("ntk_fluctuation", at_start=True),
        Quantity("ntk_bias", at_start=True),
        Quantity("ntk_drift"),
        Quantity("feature_drift"),
        Quantity("weights_input"),
        Quantity("weights_hidden"),
        Quantity("weights_output"),
        Quantity("weights_all"),
        Quantity("linear_gap"),
        Quantity("prediction_gap"),
        Quantity("train_loss", "mean"),
        Quantity("train_error", "mean"),
        Quantity("test_loss", "mean"),
        Quantity("test_error", "mean"),
        Quantity("rank_start", "mean", True),
        Quantity("rank_end", "mean"),
    )
}
"""Every quantity by its key, in the order of tables. Errors and changes are relative."""


@dataclass(frozen=True)
class Expectation:
    """The slope that a quantity should have against width, both on log axes.

    Attributes
    ----------
    quantity, parametrization : str
    slope : float
    kind : {"value", "bound"}
        Whether the slope is this one, or at most this one.
    source : str
    least_depth, most_depth : int
        Hidden layers for which it holds.
    """

    quantity: str
    parametrization: str
    slope: float
    kind: str
    source: str
    least_depth: int = 1
    most_depth: int = 1_000_000


_MEANS = "means over independent units; Lee et al. 2019 (1902.06720)"
_BIAS = "Hanin and Nica 2019 (1909.05989); Dyer and Gur-Ari 2019 (1909.11304)"
_LEE = "Lee et al. 2019 (1902.06720), theorem 2.1"
_SEEN = "seen by Lee et al. 2019 (1902.06720); Dyer and Gur-Ari 2019 (1909.11304)"
_MUP = "Yang and Hu 2021 (2011.14522)"

EXPECTATIONS: tuple[Expectation, ...] = (
    *(
        Expectation(f"{kernel}_{norm}", "ntk", -0.5, "value", _MEANS)
        for kernel in ("nngp", "ntk")
        for norm in ("frobenius", "operator", "fluctuation")
    ),
    # With one hidden layer kernels are means of independent terms: no bias.
    Expectation("nngp_bias", "ntk", -1.0, "value", _BIAS, least_depth=2),
    Expectation("ntk_bias", "ntk", -1.0, "value", _BIAS, least_depth=2),
    Expectation("ntk_drift", "ntk", -0.5, "bound", _LEE),
    Expectation("ntk_drift", "ntk", -1.0, "value", _SEEN),
    Expectation("feature_drift", "ntk", -0.5, "bound", _LEE),
    Expectation("weights_input", "ntk", -0.5, "value", _SEEN),
    Expectation("weights_hidden", "ntk", -1.0, "value", _SEEN, least_depth=2),
    Expectation("weights_output", "ntk", -0.5, "value", _SEEN),
    # With more layers -1 as well, once the width is far above the number of inputs: until
    # then the norm of all weights is that of the input layer.
    Expectation("weights_all", "ntk", -0.5, "value", _SEEN, most_depth=1),
    Expectation("linear_gap", "ntk", -0.5, "bound", _LEE),
    Expectation("prediction_gap", "ntk", -1.0, "value", "kernel fluctuation, squared"),
    Expectation("ntk_drift", "mup", 0.0, "value", _MUP),
    Expectation("feature_drift", "mup", 0.0, "value", _MUP),
    Expectation("weights_input", "mup", 0.0, "value", _MUP),
    Expectation("weights_hidden", "mup", -0.5, "value", _MUP, least_depth=2),
    Expectation("weights_output", "mup", 0.0, "value", _MUP),
    Expectation("linear_gap", "mup", 0.0, "value", _MUP),
)
"""What the verdicts are held against."""
