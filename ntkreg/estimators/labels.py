"""Labels of any kind as numbers, and as targets of a regression."""

from typing import Any

import numpy as np

__all__ = ["code_labels", "encode_labels"]


def encode_labels(
    who: str, y: np.ndarray, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted classes and, for each label, the position of its class.

    Raises
    ------
    ValueError
        Fewer than two classes with positive weight.
    """
    classes, codes = np.unique(y, return_inverse=True)
    weighted: Any = np.unique(codes if weights is None else codes[weights > 0])
    if len(weighted) < 2:
        positive = "" if weights is None else " with positive weight"
        raise ValueError(
            f"{who}: y must hold samples of at least two classes{positive}; "
            f"got 1 class: {classes[weighted].tolist()[0]!r}."
        )
    return classes, codes


def code_labels(codes: np.ndarray, n_classes: int) -> np.ndarray:
    """Return e_c - 1/k, (n, k); for two classes its second column, (n,)."""
    coded = np.eye(n_classes)[codes] - 1 / n_classes
    return coded[:, 1] if n_classes == 2 else coded
