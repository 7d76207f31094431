"""Rivals from packages that ntkreg does not need: of the extra ``rivals``.

xRFM loads and fits without a download. TabPFN is not here: its weights come from a hub when it is
first used, and a study must run from what is installed.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ntkreg.errors import SpecError

__all__ = ["check_installed", "fit_and_predict_xrfm"]

_PACKAGES = {"xrfm": "xrfm"}
"""By kind of model."""

_ITERATIONS = 5
"""Of the recursion, of which xRFM keeps the best: its own default."""

_HELD_OUT = 0.2
"""Share of the training rows on which it chooses that: its own default for a leaf."""


def check_installed(kinds: Sequence[str]) -> None:
    """Raise `SpecError` where a kind of model needs a package that is not there."""
    for kind in kinds:
        package = _PACKAGES.get(kind)
        if package is not None and importlib.util.find_spec(package) is None:
            raise SpecError(
                f"models: kind {kind} needs the package {package}, which is not installed: "
                "pip install 'ntkreg[rivals]', or leave it out."
            )


def fit_and_predict_xrfm(
    setting: Mapping[str, Any], rows: tuple[np.ndarray, np.ndarray], X: np.ndarray, seed: int
) -> np.ndarray:
    """Train a recursive feature machine and return its classes of other rows.

    A fifth of the training rows, drawn by the seed, decides when its recursion stops; one row of
    each class at least is trained on.

    Parameters
    ----------
    setting : mapping
        bandwidth, reg, diag.
    rows : ndarray of shape (n, d), (n,)
        Training rows and their classes.
    X : ndarray of shape (m, d)
    seed : int

    Returns
    -------
    ndarray of shape (m,)

    References
    ----------
    Beaglehole et al. 2025, "xRFM: accurate, scalable, and interpretable feature learning models
    for tabular data" (arXiv 2508.10053).
    """
    check_installed(["xrfm"])
    import torch  # type: ignore[import-not-found, unused-ignore]
    from xrfm import xRFM  # type: ignore[import-not-found, unused-ignore]

    known, given = rows
    classes, first, codes = np.unique(given, return_index=True, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(known))
    free = order[~np.isin(order, first)]
    judged = free[: max(1, round(_HELD_OUT * len(known)))]
    if not len(judged):
        judged = first  # a row of each class, and no other
    trained = np.setdiff1d(order, judged) if len(free) else first
    parameters = {
        "model": {
            "kernel": "l2",
            "exponent": 1.0,
            "bandwidth": setting["bandwidth"],
            "diag": setting["diag"],
            "bandwidth_mode": "constant",
        },
        "fit": {
            "reg": setting["reg"],
            "iters": _ITERATIONS,
            "get_agop_best_model": False,
            "return_best_params": True,
            "early_stop_rfm": True,
        },
    }
    torch.manual_seed(seed)
    model = xRFM(
        parameters,
        device="cpu",
        tuning_metric="accuracy",
        n_threads=1,
        random_state=seed,
        verbose=False,
    )
    part = known.astype(np.float32)
    labels = codes.astype(np.int64)
    model.fit(part[trained], labels[trained], part[judged], labels[judged])
    return classes[np.asarray(model.predict(X.astype(np.float32))).ravel().astype(int)]
