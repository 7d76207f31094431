"""What the page of a few-samples study without draws says: the first n images, one set of them."""

import pandas as pd

from ntkreg.report.shared.read import StudyFolder
from ntkreg.report.shared.tables import steps_table

__all__ = ["LEGEND", "answers", "drawn", "tables"]

LEGEND = (
    "Accuracy in percent, errors in points. The training images are the first n, not drawn, so "
    "every error is that of the test images alone (binomial; paired for steps): other training "
    "images would give other figures, and the published ones, too, are of one set of them. The "
    "interval is that of ours less published, with the binomial error of 10,000 test images for "
    "the latter. Steps hold at 95 % for all steps of one kernel together (Student, Bonferroni). "
    "Where 0 lies inside, no difference is claimed."
)


def drawn(study: StudyFolder) -> bool:
    """Return whether training images were drawn; without a seed they are the first."""
    return study.config().get("seed", 0) is not None


def answers(study: StudyFolder) -> list[str]:
    """Say how many published figures lie outside the interval, and which."""
    comparison = study.table("comparison")
    ours = comparison[comparison["get"] == "ntk"]
    if not len(ours):
        return ["No published figure is held against this kernel."]
    outside = ours[ours.verdict == "outside"]
    where = ", ".join(f"{r.published} ({r.difference:+.1f})" for r in outside.itertuples())
    return [
        f"{len(outside)} of {len(ours)} published NTK figures differ from ours by more than the "
        f"95 % interval of the test images{': ' + where if where else ''}. They share their "
        "test images, so that they are right or wrong together."
    ]


def tables(study: StudyFolder) -> list[tuple[str, pd.DataFrame]]:
    """Return accuracy beside the published and by steps in depth, under their titles."""
    found = []
    for get in ("ntk", "nngp"):
        title = f"{get.upper()} of the first images"
        found.append((title, _accuracies(study.table("summary"), study.table("comparison"), get)))
        steps = study.table("steps")
        if len(steps):
            # What is published is the NTK's.
            own = steps if get == "ntk" else steps.assign(published=float("nan"))
            table = steps_table(own, get).drop(columns="paired draw std")
            found.append((f"{get.upper()}, each depth less the one before", table))
    return found


def _accuracies(summary: pd.DataFrame, comparison: pd.DataFrame, get: str) -> pd.DataFrame:
    """Return accuracy by hidden layers; of the NTK beside what was published of it."""
    ours = summary[summary["get"] == get].sort_values(["n", "depth"])
    table = pd.DataFrame(
        {
            "n": ours.n,
            "hidden layers": ours.depth,
            "accuracy": ours["mean"].map("{:.2f}".format),
            "test error": ours.test_error.map("{:.2f}".format),
        }
    )
    known = comparison[comparison["get"] == get]
    if get == "nngp" or not len(known):
        return table
    beside = pd.DataFrame(
        {
            "n": known.n,
            "hidden layers": known.depth,
            "published row": known.published,
            "published": known.published_mean.map("{:.2f}".format),
            "difference": known.difference.map("{:+.2f}".format),
            "95 % interval": known.low.map("{:+.2f}".format)
            + " .. "
            + known.high.map("{:+.2f}".format),
            "0 lies": known.verdict,
        }
    )
    return table.merge(beside, how="left", on=["n", "hidden layers"]).fillna("")
