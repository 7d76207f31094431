"""Who gets the metadata of a fit that chooses: scorer and splitter, as scikit-learn routes it."""

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.metrics import get_scorer
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

__all__ = ["Routed", "route", "router_of"]


@dataclass(frozen=True, eq=False)
class Routed:
    """Metadata of one fit.

    Attributes
    ----------
    split : dict
        What the splitter gets.
    score : dict or None
        What the scorer gets; None for the weights alone, where it takes any.
    sample_weight : array-like, float or None
        As given to `fit`.
    """

    split: dict[str, Any]
    score: dict[str, Any] | None
    sample_weight: Any

    def score_params(self, scorer: Any, weights: np.ndarray | None) -> dict[str, Any]:
        """Return what a scorer gets, `weights` being what the fit makes of its sample weights."""
        if self.score is None:
            takes = "sample_weight" in inspect.signature(scorer).parameters
            return {"sample_weight": weights} if weights is not None and takes else {}
        given = self.sample_weight
        return {
            name: weights if given is not None and value is given else value
            for name, value in self.score.items()
        }


def route(model: Any, sample_weight: Any, groups: Any, params: dict[str, Any]) -> Routed:
    """Return who gets what of the metadata that `fit` was given.

    Raises
    ------
    ValueError
        Others than weights and groups, and scikit-learn's routing is not enabled; or it is, and a
        scorer or splitter does not say whether it wants them (`UnsetMetadataPassedError`). Groups
        without a splitter.
    TypeError
        Nobody asks for them.
    """
    if not _enabled():
        if params:
            raise ValueError(
                f"{type(model).__name__}: fit got {', '.join(params)}, which only scikit-learn's "
                "metadata routing passes on. Call sklearn.set_config(enable_metadata_routing=True) "
                "first, or leave it out."
            )
        if groups is not None and model.cv is None:
            raise ValueError(
                f"{type(model).__name__}: groups has no effect with cv=None, where samples are "
                "left out one by one, if at all. Use a splitter that keeps groups together, such "
                "as cv=GroupKFold(), or leave groups out."
            )
        return Routed({"groups": groups}, None, sample_weight)
    given = {"sample_weight": sample_weight, "groups": groups}
    params |= {name: value for name, value in given.items() if value is not None}
    routed = process_routing(model, "fit", **params)
    return Routed(dict(routed.splitter.split), dict(routed.scorer.score), sample_weight)


def router_of(model: Any) -> MetadataRouter:
    """Return who may ask for metadata: the estimator itself, its scorer and its splitter."""
    return (
        MetadataRouter(owner=model)
        .add_self_request(model)
        .add(
            scorer=_scorer(model),
            method_mapping=MethodMapping().add(caller="fit", callee="score"),
        )
        .add(
            splitter=model.cv,
            method_mapping=MethodMapping().add(caller="fit", callee="split"),
        )
    )


def _scorer(model: Any) -> Any:
    """Return the scorer; without a `scoring` scores are weighted as the fit is."""
    if model.scoring is not None:
        return get_scorer(model.scoring)
    default = get_scorer(model._default_scoring)
    return default.set_score_request(sample_weight=True) if _enabled() else default


def _enabled() -> bool:
    return bool(get_config()["enable_metadata_routing"])
