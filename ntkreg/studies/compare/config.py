"""Settings of the comparison of models on many data sets."""

from dataclasses import dataclass
from typing import Any, ClassVar

from ntkreg.errors import SpecError
from ntkreg.storage import check_name
from ntkreg.studies.compare.models import Model, as_model
from ntkreg.studies.shared.config import (
    check_choice,
    check_int,
    check_ints,
    check_source,
    config_to_dict,
    shortened,
)

__all__ = ["PROTOCOLS", "SCALES", "CompareConfig"]

PROTOCOLS = ("shared tuning", "nested tuning")
SCALES = ("published", "mean_diagonal")


@dataclass(frozen=True)
class CompareConfig:
    """Settings of `run_compare`; every key of the YAML file.

    Attributes
    ----------
    data : str
        Folder of data sets, an npz or CSV file each: X and y, perhaps with tune_train, tune_val,
        fold0_train, fold0_test, ...; or x_train, y_train, x_test, y_test.
    models : mapping
        Name: {kind: ..., setting: [values to try]}, or its kind alone. Kinds: ntk, nngp, cntk,
        rbf, laplacian, polynomial, arc_cosine, random_forest, gradient_boosting, and xrfm
        (with the extra ``rivals``; not TabPFN, whose weights are a download). The first model is
        the one that the others are compared with split by split.
    budget : int
        Settings that every model is tuned over, the same number for each.
    protocol : {"shared tuning", "nested tuning"}
        "shared tuning": settings are chosen once a data set, on the tuning split of its file, and
        data are taken as they come, as in Arora et al. 2020; that tuning sees rows of the test
        folds. "nested tuning": chosen within each training part by two-fold cross-validation;
        tables are standardised by the training rows alone.
    data_sets : tuple of str or None
        Names of those to take; null for all.
    most_rows : int or None
        Larger data sets are left out; null for none.
    n_splits : int
        Where a file has no folds ("nested tuning"): parts of a stratified cross-validation, or
        draws out of its training rows.
    n_train : tuple of int or None
        Where a file parts its training and test rows: rows of a draw, the same number of each
        class; a data set for each. null: all of them, once.
    n_test : int or None
        There, the first so many of the test rows; null for all.
    kernel_scale : {"published", "mean_diagonal"}
        What C counts. "published": the kernels as they are, NTK and NNGP with a first layer of
        X X^T, not divided by the columns, and half of each layer's covariance, as in the code of
        Arora et al. 2020. "mean_diagonal": each kernel divided by its mean over the diagonal.
    n_trees : int
        Of a random forest; of gradient boosting, rounds.
    n_geometry : int
        Training rows on which kernels themselves are compared, at most.
    seed : int
    """

    recorded_as: ClassVar[str] = "Compare"

    data: str
    models: dict[str, Any]
    budget: int = 30
    protocol: str = "nested tuning"
    data_sets: tuple[str, ...] | None = None
    most_rows: int | None = None
    n_splits: int = 5
    n_train: tuple[int, ...] | None = None
    n_test: int | None = None
    kernel_scale: str = "mean_diagonal"
    n_trees: int = 100
    n_geometry: int = 256
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", check_source("data", self.data, "the path of a folder"))
        check_int("budget", self.budget, 1)
        if not isinstance(self.models, dict) or not self.models:
            raise SpecError(
                "models must map names to kinds, such as {NTK: ntk, RBF: {kind: rbf, C: [1, 10]}}; "
                f"got {shortened(self.models)}."
            )
        models = [as_model(check_name("models", name), m) for name, m in self.models.items()]
        for model in models:
            if len(model.settings()) != self.budget:
                raise SpecError(
                    f"models: {model.name} has {len(model.settings())} combinations of settings, "
                    f"and budget is {self.budget}: every model is tuned over as many. Change its "
                    "lists, or budget and the lists of all."
                )
        # With all of their settings, so that the stored configuration says them.
        plain = {
            m.name: {"kind": m.kind, **{k: list(v) for k, v in m.grid.items()}} for m in models
        }
        object.__setattr__(self, "models", plain)
        check_choice("protocol", self.protocol, PROTOCOLS)
        check_choice("kernel_scale", self.kernel_scale, SCALES)
        if self.data_sets is not None:
            object.__setattr__(self, "data_sets", _names(self.data_sets))
        for key, value in (("most_rows", self.most_rows), ("n_test", self.n_test)):
            if value is not None:
                check_int(key, value, 1)
        if self.n_train is not None:
            object.__setattr__(self, "n_train", check_ints("n_train", self.n_train, 2))
        check_int("n_splits", self.n_splits, 2)
        check_int("n_trees", self.n_trees, 1)
        check_int("n_geometry", self.n_geometry, 2)
        check_int("seed", self.seed, 0)

    def each_model(self) -> tuple[Model, ...]:
        """Return the models, in their order."""
        return tuple(as_model(name, given) for name, given in self.models.items())

    def of_one_piece(self) -> dict[str, Any]:
        """Return the keys that a result depends on beside its data set and model."""
        lists = ("data", "models", "budget", "data_sets", "most_rows")
        return {k: v for k, v in config_to_dict(self).items() if k not in lists}


def _names(names: Any) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, list | tuple) or not names:
        raise SpecError(f"data_sets must be a list of names; got {shortened(names)}.")
    checked = tuple(check_name(f"data_sets[{i}]", name) for i, name in enumerate(names))
    if len(set(checked)) < len(checked):
        raise SpecError(f"data_sets must be distinct; got {list(checked)}.")
    return checked
