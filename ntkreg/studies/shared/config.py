"""Configurations as frozen dataclasses: read from YAML, checked, hashed.

A study declares its configuration as a frozen dataclass whose ``__post_init__`` uses
the checks below, so that every error names the key, what came and what is allowed. Its
``recorded_as`` is the study's name in stored records and hashes, whatever the class is called.
"""

import dataclasses
import difflib
import hashlib
import json
import math
import sys
from collections.abc import Collection, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ntkreg.documents import read_yaml
from ntkreg.errors import SpecError
from ntkreg.kernels.spec import OPTIONS, KernelOptions
from ntkreg.storage import plain_number

__all__ = [
    "PREPROCESSINGS",
    "check_choice",
    "check_flag",
    "check_int",
    "check_ints",
    "check_number",
    "check_options",
    "check_positive",
    "check_source",
    "config_hash",
    "config_to_dict",
    "make_config",
    "read_config",
    "read_mapping",
    "shortened",
]

_MOST = 2**63 - 1

C = TypeVar("C")

PREPROCESSINGS = ("channel", "zca", "none")
"""What `preprocessing` may be in every study (`ntkreg.studies.shared.preprocessing`)."""


def read_config(cls: type[C], path: str | Path, overrides: Mapping[str, Any] | None = None) -> C:
    """Read a configuration from a YAML file, with `overrides` laid over it.

    Parameters
    ----------
    cls : frozen dataclass
    path : path of the YAML file
        One mapping from keys to values; an empty file means all defaults.
    overrides : mapping or None
        Keys that win over the file's.

    Raises
    ------
    SpecError
        Not YAML, not a mapping, an unknown key (the nearest known one is suggested), or a
        value that `cls` refuses.
    """
    return make_config(cls, {**read_mapping(path), **(overrides or {})}, source=str(path))


def read_mapping(path: str | Path) -> dict[str, Any]:
    """Return a YAML file's mapping as it stands; an empty file has no keys.

    Raises
    ------
    FileNotFoundError
    SpecError
        Not YAML, or not a mapping.
    """
    try:
        values = read_yaml(Path(path))
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such configuration file.") from None
    if not isinstance(values, dict | None):
        raise SpecError(f"{path}: expected a mapping of keys to values; got {shortened(values)}.")
    return values or {}


def make_config(cls: type[C], values: Mapping[str, Any], source: str = "") -> C:
    """Build a configuration from a mapping; unknown and missing keys are errors."""
    where = f"{source}: " if source else ""
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1, cutoff=0.4)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(fields)}."
            raise SpecError(f"{where}unknown key {shortened(key)}. {hint}")
    for name, field in fields.items():
        if name not in values and field.default is dataclasses.MISSING:
            raise SpecError(f"{where}key {name!r} is missing and has no default.")
    try:
        return cls(**values)
    except SpecError as error:
        raise SpecError(f"{where}{error}") from None


def config_to_dict(config: Any) -> dict[str, Any]:
    """Return a configuration as dictionaries, lists, strings and numbers."""
    return json.loads(json.dumps(dataclasses.asdict(config), default=plain_number))


def config_hash(config: Any) -> str:
    """SHA-256 of a configuration: the same values give the same one in every process."""
    text = json.dumps([f"{config.recorded_as}Config", config_to_dict(config)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def check_source(key: str, value: Any, what: str = "the path of an npz file") -> str:
    """Return a path as text, or raise unless `value` is text or a path."""
    if not isinstance(value, str | Path) or not str(value) or "\0" in str(value):
        raise SpecError(f"{key} must be {what}; got {shortened(value)}.")
    return str(value)


def check_int(key: str, value: Any, least: int) -> int:
    """Return `value` as int, or raise unless it is an integer from `least` to 2^63 - 1."""
    ok = isinstance(value, Integral) and not isinstance(value, bool)
    if not ok or not least <= value <= _MOST:
        raise SpecError(f"{key} must be an integer >= {least}; got {shortened(value)}.")
    return int(value)


def check_ints(key: str, value: Any, least: int) -> tuple[int, ...]:
    """Return `value` as a tuple of distinct integers >= `least`, at least one."""
    value = value.tolist() if isinstance(value, np.ndarray) else value
    if isinstance(value, str) or not isinstance(value, Sequence) or not value:
        raise SpecError(f"{key} must be a list of integers >= {least}; got {shortened(value)}.")
    numbers = tuple(check_int(f"{key}[{i}]", v, least) for i, v in enumerate(value))
    if len(set(numbers)) < len(numbers):
        raise SpecError(f"{key} must be distinct; got {list(numbers)}.")
    return numbers


def check_number(key: str, value: Any, least: float) -> float:
    """Return `value` as float, or raise unless it is finite and >= `least`."""
    ok = isinstance(value, Real) and not isinstance(value, bool)
    if isinstance(value, Integral):  # compared, not converted: it can be larger than any float
        ok = ok and abs(int(value)) <= sys.float_info.max
    if not ok or not math.isfinite(value) or value < least:
        hint = f" Write {key}: 1e-6 without quotes." if isinstance(value, str) else ""
        raise SpecError(
            f"{key} must be a finite number >= {least:g}; got {shortened(value)}.{hint}"
        )
    return float(value)


def check_positive(key: str, value: Any) -> float:
    """Return `value` as float, or raise unless it is finite and > 0."""
    number = check_number(key, value, 0)
    if number == 0:
        raise SpecError(f"{key} must be above 0; got {value!r}.")
    return number


def check_flag(key: str, value: Any) -> bool:
    """Return `value`, or raise unless it is true or false."""
    if not isinstance(value, bool | np.bool_):
        raise SpecError(f"{key} must be true or false; got {shortened(value)}.")
    return bool(value)


def check_choice(key: str, value: Any, choices: Collection[Any]) -> Any:
    """Return `value`, or raise unless it is one of `choices`."""
    if isinstance(value, np.ndarray) or value not in choices:
        known = ", ".join("null" if c is None else str(c) for c in choices)
        raise SpecError(f"{key} must be one of {known}; got {shortened(value)}.")
    return value


def check_options(config: KernelOptions) -> None:
    """Raise unless each of the kernel's options is one of those that it can be."""
    for name, choices in OPTIONS.items():
        check_choice(name, getattr(config, name), choices)


def shortened(value: Any) -> str:
    """Return a value as errors show it: what a stranger wrote may be a megabyte long."""
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python writes
        return "a number of thousands of digits"
    return text if len(text) <= 200 else f"{text[:197]}..."
