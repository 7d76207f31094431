"""Configurations as frozen dataclasses: read from YAML, checked, hashed.

A study declares its configuration as a frozen dataclass whose ``__post_init__`` uses
the checks below, so that every error names the key, what came and what is allowed.
"""

import dataclasses
import difflib
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar

import yaml

from ntkreg.errors import SpecError

__all__ = [
    "PREPROCESSINGS",
    "check_choice",
    "check_flag",
    "check_int",
    "check_ints",
    "check_number",
    "check_positive",
    "config_hash",
    "config_to_dict",
    "make_config",
    "read_config",
    "read_mapping",
]

C = TypeVar("C")

PREPROCESSINGS = ("channel", "zca", "none")
"""What `preprocessing` may be in every study (`ntkreg.studies.preprocessing`)."""


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
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such configuration file.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(values, dict | None):
        raise SpecError(f"{path}: expected a mapping of keys to values; got {values!r}.")
    return values or {}


def make_config(cls: type[C], values: Mapping[str, Any], source: str = "") -> C:
    """Build a configuration from a mapping; unknown and missing keys are errors."""
    where = f"{source}: " if source else ""
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1, cutoff=0.4)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(fields)}."
            raise SpecError(f"{where}unknown key {key!r}. {hint}")
    for name, field in fields.items():
        if name not in values and field.default is dataclasses.MISSING:
            raise SpecError(f"{where}key {name!r} is missing and has no default.")
    try:
        return cls(**values)
    except SpecError as error:
        raise SpecError(f"{where}{error}") from None


def config_to_dict(config: Any) -> dict[str, Any]:
    """Return a configuration as dictionaries, lists, strings and numbers."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def config_hash(config: Any) -> str:
    """SHA-256 of a configuration: the same values give the same one in every process."""
    text = json.dumps([type(config).__name__, config_to_dict(config)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def check_int(key: str, value: Any, least: int) -> int:
    """Return `value` as int, or raise unless it is an integer >= `least`."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise SpecError(f"{key} must be an integer >= {least}; got {value!r}.")
    return int(value)


def check_ints(key: str, value: Any, least: int) -> tuple[int, ...]:
    """Return `value` as a tuple of distinct integers >= `least`, at least one."""
    if isinstance(value, str) or not isinstance(value, Sequence) or not value:
        raise SpecError(f"{key} must be a list of integers >= {least}; got {value!r}.")
    numbers = tuple(check_int(f"{key}[{i}]", v, least) for i, v in enumerate(value))
    if len(set(numbers)) < len(numbers):
        raise SpecError(f"{key} must be distinct; got {list(numbers)}.")
    return numbers


def check_number(key: str, value: Any, least: float) -> float:
    """Return `value` as float, or raise unless it is finite and >= `least`."""
    ok = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not ok or value < least:
        # PyYAML reads 1e-6 as text: YAML 1.1 wants a dot in the mantissa.
        hint = " Write 1.0e-6, not 1e-6, in YAML." if isinstance(value, str) else ""
        raise SpecError(f"{key} must be a finite number >= {least:g}; got {value!r}.{hint}")
    return float(value)


def check_positive(key: str, value: Any) -> float:
    """Return `value` as float, or raise unless it is finite and > 0."""
    number = check_number(key, value, 0)
    if number == 0:
        raise SpecError(f"{key} must be above 0; got {value!r}.")
    return number


def check_flag(key: str, value: Any) -> bool:
    """Return `value`, or raise unless it is true or false."""
    if not isinstance(value, bool):
        raise SpecError(f"{key} must be true or false; got {value!r}.")
    return value


def check_choice(key: str, value: Any, choices: Sequence[Any]) -> Any:
    """Return `value`, or raise unless it is one of `choices`."""
    if value not in choices:
        known = ", ".join("null" if c is None else str(c) for c in choices)
        raise SpecError(f"{key} must be one of {known}; got {value!r}.")
    return value
