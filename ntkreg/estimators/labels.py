"""Labels of any kind as numbers, and as targets of a regression."""

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils.multiclass import type_of_target

from ntkreg.arrays import refuse_masked
from ntkreg.errors import ShapeError

__all__ = [
    "check_kind",
    "code_labels",
    "decode_labels",
    "encode_labels",
    "read_labels",
    "weigh_classes",
]

_KINDS = {"b": "numbers", "i": "numbers", "u": "numbers", "f": "numbers", "U": "text", "T": "text"}

_BEYOND_INTEGERS = 2.0**63


def read_labels(who: str, y: Any) -> np.ndarray:
    """Return labels, (n,) or (n, 1), of one kind: numbers, text, or whatever NumPy compares.

    Raises
    ------
    ValueError
        Labels of several kinds, missing or continuous; a table (`ShapeError`).
    """
    refuse_masked(f"{who}: y", y)
    y = np.asarray(y)
    if y.ndim not in (1, 2) or y.size != len(y):
        raise ShapeError(f"{who}: y must hold one label a sample; got shape {y.shape}.")
    if y.dtype == object:
        y = _of_one_kind(who, y)
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise ValueError(f"{who}: y contains NaN or infinity; leave out samples without a label.")
    if y.dtype.kind == "f" and len(y) and _continuous(y):
        odd = y[(y != np.round(y)) | (np.abs(y) >= _BEYOND_INTEGERS)]
        raise ValueError(
            f"{who}: Unknown label type: y must hold classes; got continuous values such as "
            f"{float(odd[0])!r}. Use a regressor, or turn them into classes."
        )
    return y


def _continuous(y: np.ndarray) -> bool:
    with np.errstate(invalid="ignore"):  # it compares with integers, which hold no huge numbers
        return type_of_target(y).startswith("continuous")


def check_kind(who: str, y: np.ndarray, classes: np.ndarray) -> None:
    """Raise ValueError where labels are of another kind than those seen in fit."""
    if (asked := _kind(classes)) != (got := _kind(y)):
        raise ValueError(
            f"{who}: y must hold labels of the kind seen in fit, {asked} such as "
            f"{classes[:1].tolist()[0]!r}; got {got} such as {y.ravel()[:1].tolist()[0]!r}."
        )


def _kind(y: np.ndarray) -> str:
    return "text" if y.dtype == object else _KINDS.get(y.dtype.kind, f"{y.dtype.name} values")


def _of_one_kind(who: str, y: np.ndarray) -> np.ndarray:
    """Return objects as numbers if all are, else as they are: text."""
    kinds: dict[str, Any] = {}
    for label in y.ravel().tolist():
        if _is_missing(label):
            raise ValueError(f"{who}: y contains {label!r}; leave out samples without a label.")
        kinds.setdefault("text" if isinstance(label, str) else "numbers", label)
    if len(kinds) > 1:
        shown = " and ".join(repr(label) for label in kinds.values())
        raise ValueError(
            f"{who}: y must hold labels of one kind, all numbers or all text; got {shown}."
        )
    if "text" in kinds:
        return y
    numbers = np.array(y.tolist())
    if numbers.shape != y.shape or numbers.dtype.kind not in "biuf":
        raise ValueError(f"{who}: y must hold numbers or text; got {y.flat[0]!r}.")
    return numbers


def _is_missing(label: Any) -> bool:
    try:
        return label is None or bool(label != label)  # NaN, NaT
    except (TypeError, ValueError):  # pandas.NA is neither equal nor not
        return True


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


def weigh_classes(
    who: str,
    class_weight: Any,
    classes: np.ndarray,
    codes: np.ndarray,
    weights: np.ndarray | None,
) -> np.ndarray | None:
    """Return the samples' weights times those of their classes, None for none.

    "balanced" gives each class the same sum of weights, and all of them the sum they had: a
    weight of 2 counts as the sample given twice here too.

    Raises
    ------
    ValueError
        Weights that are negative or not finite, of labels that are no classes, or positive
        for fewer than two of them.
    """
    if class_weight is None:
        return weights
    own = np.ones(len(codes)) if weights is None else weights
    of_class = np.ones(len(classes))
    if isinstance(class_weight, Mapping):
        known = {label: i for i, label in enumerate(classes.tolist())}
        strange = [label for label in class_weight if label not in known]
        # Of a fold a class may be absent; that a label is misspelt shows in one without a weight.
        if strange and not set(known) <= set(class_weight):
            raise ValueError(
                f"{who}: class_weight names {strange[0]!r}, which is no class of y, and leaves out "
                f"{next(label for label in known if label not in class_weight)!r}. Name the "
                "classes as y does."
            )
        for label, weight in class_weight.items():
            if not isinstance(weight, Real) or not 0 <= float(weight) < math.inf:
                raise ValueError(
                    f"{who}: class_weight must hold finite numbers >= 0; got {weight!r} for "
                    f"class {label!r}."
                )
            if label in known:
                of_class[known[label]] = weight
    else:
        shares = own / own.max()  # sums of huge ones overflow
        counts = np.bincount(codes, shares, minlength=len(classes))
        there = counts > 0
        of_class[there] = shares.sum() / (there.sum() * counts[there])
    weighted = own * of_class[codes]
    if (np.bincount(codes, weighted > 0) > 0).sum() < 2:
        raise ValueError(
            f"{who}: class_weight must leave samples of at least two classes a positive weight; "
            f"got {class_weight!r}."
        )
    return weighted


def code_labels(codes: np.ndarray, n_classes: int) -> np.ndarray:
    """Return e_c - 1/k, (n, k); for two classes its second column, (n,)."""
    coded = np.eye(n_classes)[codes] - 1 / n_classes
    return coded[:, 1] if n_classes == 2 else coded


def decode_labels(scores: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the labels (...) that scores (..., k) are for, the first of those with equal scores.

    Of two classes there may be the second's score alone, (..., 1); zero is for the first.
    """
    if scores.shape[-1] == 1:
        return classes[(scores[..., 0] > 0).astype(int)]
    return classes[scores.argmax(axis=-1)]
