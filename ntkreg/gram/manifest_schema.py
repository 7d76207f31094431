"""What a manifest may say: every key's kind and range, whoever wrote it."""

import re
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from ntkreg.gram.layout import MOST_TILES, Layout
from ntkreg.kernels import FIELDS
from ntkreg.kernels.spec import LATER, OPTIONS, STORED

__all__ = ["FORMAT", "complaints", "layout_of"]

FORMAT = "ntkreg kernel, 1"

_MOST = 1 << 40
"""Rows, columns, sides of tiles and sizes of inputs: beyond any machine, within 64 bits."""

_SHOWN = 5
"""Most complaints that one error lists."""

_LATER = ("variants", "networks", *LATER, "machine", "other_machines")
"""Keys that older folders do not have; they read as None."""


def complaints(manifest: dict[str, Any]) -> list[str]:
    """Return what is wrong with a manifest, one line each; empty if it is sound."""
    known = {"format", *_CHECKS}
    wrong = [f"unknown key {key!r}"[:100] for key in manifest if key not in known]
    wrong += [f"no key {key!r}" for key in _CHECKS if key not in {*manifest, *_LATER}]
    wrong += [
        f"{key} must be {must}; got {manifest[key]!r:.100}"
        for key, (fits, must) in _CHECKS.items()
        if key in manifest
        and not (fits(manifest[key]) or (key in _LATER and manifest[key] is None))
    ]
    wrong = wrong or _contradictions(manifest)
    return wrong if len(wrong) <= _SHOWN else [*wrong[:_SHOWN], f"and {len(wrong) - _SHOWN} more"]


def layout_of(manifest: dict[str, Any]) -> Layout:
    """Return shape, dtype and tiles of the values that a sound manifest is about."""
    X, Z = manifest["X"], manifest["Z"]
    several = manifest["depths"] or manifest.get("variants")
    dtype = manifest["dtype"]
    return Layout(
        fields=tuple(manifest["fields"]),
        n_variants=len(several) if several else None,
        n=X["shape"][0],
        m=(X if Z is None else Z)["shape"][0],
        symmetric=Z is None,
        dtype=np.dtype("float64" if dtype == "mixed" else dtype),
        tile=manifest["tile"],
    )


def _contradictions(manifest: dict[str, Any]) -> list[str]:
    """Return which keys contradict each other, though each alone is sound."""
    X, Z, networks = manifest["X"], manifest["Z"], manifest.get("networks")
    wrong = []
    if manifest["depths"] and manifest.get("variants"):
        wrong.append("depths and variants are both given")
    layout = layout_of(manifest)
    if networks is not None and len(networks) != layout.n_variants:
        wrong.append(f"{len(networks)} networks, but {layout.n_variants} variants")
    if Z is not None and Z["shape"][1:] != X["shape"][1:]:
        wrong.append(f"shapes of X and Z do not fit: {X['shape']}, {Z['shape']}"[:100])
    if layout.tiles > MOST_TILES:
        wrong.append(f"{layout.tiles:,} tiles, more than the {MOST_TILES:,} that a folder can have")
    return wrong


def _is_count(value: Any) -> bool:
    return type(value) is int and 1 <= value <= _MOST


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 1000


def _is_list(of: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and len(value) > 0 and all(map(of, value))


def _is_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _is_one_of(choices: Collection[str | None]) -> tuple[Callable[[Any], bool], str]:
    """Return the check of an option and what it must be."""
    names = ("null" if choice is None else choice for choice in choices)
    return lambda value: value in choices, " or ".join(names)


def _is_data(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"shape", "dtype", "sha256"}
        and _is_list(_is_count)(value["shape"])
        and _is_text(value["dtype"])
        and isinstance(value["sha256"], str)
        and re.fullmatch("[0-9a-f]{64}", value["sha256"]) is not None
    )


_DATA = "shape, dtype and sha256 of inputs"
_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "network": (
        lambda v: isinstance(v, dict) and _is_text(v.get("fingerprint")),
        "a network with its fingerprint",
    ),
    "X": (_is_data, _DATA),
    "Z": (lambda v: v is None or _is_data(v), f"null or {_DATA}"),
    "dtype": (lambda v: v in ("float32", "float64", "mixed"), "float32, float64 or mixed"),
    "fields": (
        lambda v: v in ([*FIELDS], *([name] for name in FIELDS)),
        f"a list of {' and '.join(FIELDS)}, or of one of them",
    ),
    "depths": (
        lambda v: v is None or _is_list(lambda k: type(k) is int and 0 <= k <= _MOST)(v),
        "null or a list of integers",
    ),
    "variants": (_is_list(lambda v: isinstance(v, dict)), "null or a list of options"),
    "networks": (_is_list(_is_text), "null or a list of fingerprints"),
    **{name: _is_one_of(OPTIONS[name]) for name in STORED},
    "engine": (_is_text, "a name"),
    "tile": (_is_count, f"an integer of 1 to {_MOST:,}"),
    "versions": (_is_texts, "versions by name"),
    "machine": (_is_texts, "texts by name"),
    "other_machines": (_is_list(_is_texts), "a list of machines"),
}
