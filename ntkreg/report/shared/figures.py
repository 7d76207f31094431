"""What figures of all studies share; no global matplotlib state."""

from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

__all__ = ["COLOURS", "plain_log_x"]

# Okabe and Ito's palette: told apart by colour-blind readers too. Brown in place of its yellow.
COLOURS = (
    *("#0072B2", "#009E73", "#D55E00", "#CC79A7"),
    *("#444444", "#E69F00", "#56B4E9", "#8C564B"),
)


def plain_log_x(axes, values) -> None:
    """Make x logarithmic, with the values themselves as its only ticks."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(values))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
