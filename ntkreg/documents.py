"""YAML and JSON that may be a stranger's: plain data, bounded in size, depth and expansion."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import yaml

from ntkreg.errors import DataError, SpecError
from ntkreg.storage import read_bytes

__all__ = ["Entries", "parse_json", "parse_yaml", "read_json", "read_json_mapping", "read_yaml"]

MOST_BYTES = 1 << 20
"""Bytes of a document; the longest of our own, a manifest of a hundred networks, has a tenth."""

_MOST_DEPTH = 50
_MOST_NODES = 100_000
_LONGEST_NUMBER = 100
_MOST_NUMBER_KEYS = 1000
"""Numbers can be chosen to hash alike, and a mapping of those takes quadratic time."""

_TOO_MANY = f"over {_MOST_NODES:,} values, aliases written out."
_TOO_DEEP = "{}: not sound JSON: nested too deeply."

_TAG = "tag:yaml.org,2002:"

# YAML 1.1 reads 1e-3 as text, since it wants a dot and a sign, 010 as 8 and 1:30 as 90. People
# mean the first as a number; nobody knows what they mean by the others, which stay text.
_NUMBERS = {
    f"{_TAG}int": re.compile(r"[-+]?(?:0|[1-9][0-9_]*|0b[01_]+|0x[0-9a-fA-F_]+)\Z"),
    f"{_TAG}float": re.compile(
        r"[-+]?(?:(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"
        r"|[0-9][0-9_]*[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))\Z|\.(?:nan|NaN|NAN)\Z"
    ),
}
_PLAIN = _NUMBERS.keys() | {
    f"{_TAG}{kind}" for kind in ("str", "bool", "null", "map", "seq", "merge")
}


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML's safe loader with our forms of numbers, and 2020-01-01 as text."""

    yaml_implicit_resolvers: ClassVar = {
        first: [
            (tag, _NUMBERS.get(tag, form)) for tag, form in resolvers if tag != f"{_TAG}timestamp"
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, OverflowError):  # of a scalar, such as !!bool maybe
            raise yaml.constructor.ConstructorError(
                problem=f"{node.value[:80]!r} is no {node.tag.removeprefix(_TAG)}",
                problem_mark=node.start_mark,
            ) from None


def parse_yaml(text: str, source: str) -> Any:
    """Return the plain data of one YAML document; None if it is empty.

    Parameters
    ----------
    text : str
    source : str
        What errors call it.

    Raises
    ------
    SpecError
        Not YAML, tags that would make objects, a key twice in one mapping (both lines are
        named), over 1 MiB, or numbers, depth, values or aliases beyond any sensible document.

    Examples
    --------
    >>> parse_yaml("{alpha: 1e-3, depth: 5}", "text")
    {'alpha': 0.001, 'depth': 5}
    """

    def refuse(why: Any) -> NoReturn:
        raise SpecError(f"{source}: not valid YAML: {why}") from None

    if len(text) > MOST_BYTES:
        refuse(f"{len(text):,} characters, more than a configuration can need.")
    try:
        # Events come without recursion: size and depth are known before anything recurses.
        _check_events(yaml.parse(text, Loader=_Loader), refuse)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _check_nodes(node, refuse)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError, TypeError) as error:
        if isinstance(error, SpecError):
            raise
        refuse(error)


def parse_json(text: str | bytes, source: str, *, limit: int = MOST_BYTES) -> Any:
    """Return the plain data of a JSON text.

    Parameters
    ----------
    text : str or bytes
    source : str
        What errors call it.
    limit : int
        Bytes, or characters, that a sound text never exceeds.

    Raises
    ------
    DataError
        Not JSON or not UTF-8, over `limit`, nested too deeply, or with a key twice.
    """
    if len(text) > limit:
        raise DataError(f"{source}: {len(text):,} bytes, more than a file of this kind has.")
    try:
        value = json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise DataError(_TOO_DEEP.format(source)) from None
    except ValueError as error:
        raise DataError(f"{source}: not sound JSON ({error}).") from None
    if _is_deeper(value, _MOST_DEPTH):
        raise DataError(_TOO_DEEP.format(source))
    return value


def read_yaml(path: Path) -> Any:
    """Return the plain data of a YAML file, as `parse_yaml` does.

    Raises
    ------
    FileNotFoundError
    SpecError
    """
    try:
        text = read_bytes(path, MOST_BYTES).decode()
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: not valid YAML: {error}") from None
    except DataError as error:
        raise SpecError(str(error)) from None
    return parse_yaml(text, str(path))


def read_json(path: Path, *, links: bool = True, limit: int = MOST_BYTES) -> Any:
    """Return the plain data of a JSON file, as `parse_json` does; `links` as in `read_bytes`.

    Raises
    ------
    FileNotFoundError
    DataError
    """
    return parse_json(read_bytes(path, limit, links=links), str(path), limit=limit)


class Entries(dict[str, Any]):
    """A JSON object of a file, in which an entry that is not there is a `DataError`."""

    def __init__(self, path: Path, entries: dict[str, Any]) -> None:
        super().__init__(
            (name, Entries(path, value) if isinstance(value, dict) else value)
            for name, value in entries.items()
        )
        self._path = path

    def __missing__(self, name: str) -> NoReturn:
        raise DataError(f"{self._path}: has no entry {name!r}.")


def read_json_mapping(path: Path, *, links: bool = True, limit: int = MOST_BYTES) -> Entries:
    """Return what `read_json` does, or refuse anything but one mapping.

    Raises
    ------
    FileNotFoundError
    DataError
        From the result too, where an entry is asked for that is not there.
    """
    value = read_json(path, links=links, limit=limit)
    if not isinstance(value, dict):
        raise DataError(f"{path}: must hold one JSON object; found a {type(value).__name__}.")
    return Entries(path, value)


def _check_events(events: Any, refuse: Callable[[Any], NoReturn]) -> None:
    depth = n_nodes = 0
    for event in events:
        n_nodes += isinstance(event, yaml.NodeEvent)
        if n_nodes > _MOST_NODES:
            refuse(_TOO_MANY)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MOST_DEPTH:
                refuse(f"nested over {_MOST_DEPTH} deep.")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _check_nodes(root: Any, refuse: Callable[[Any], NoReturn]) -> None:
    """Look at every node, and count them as if aliases were written out.

    A few lines of aliases of aliases can stand for billions of values.
    """
    counted: dict[int, int] = {}
    open_nodes: set[int] = set()
    n_number_keys = 0

    def count(node: Any) -> int:
        nonlocal n_number_keys
        line = node.start_mark.line + 1
        if node.tag not in _PLAIN:
            refuse(f"line {line}: {node.tag.removeprefix(_TAG)!r} is no plain value.")
        if isinstance(node, yaml.ScalarNode):
            if node.tag in _NUMBERS and len(node.value) > _LONGEST_NUMBER:
                refuse(f"line {line}: a number of {len(node.value):,} characters.")
            if node.tag in _NUMBERS and not any(f.match(node.value) for f in _NUMBERS.values()):
                refuse(f"line {line}: {node.value!r} is no {node.tag.removeprefix(_TAG)}.")
            return 1
        if id(node) in open_nodes:
            refuse(f"line {line}: an alias of what it stands in.")
        if id(node) not in counted:
            open_nodes.add(id(node))
            children = node.value
            if isinstance(node, yaml.MappingNode):
                _check_keys(node, refuse)
                n_number_keys += sum(key.tag in _NUMBERS for key, _ in node.value)
                if n_number_keys > _MOST_NUMBER_KEYS:
                    refuse(f"line {line}: over {_MOST_NUMBER_KEYS:,} keys that are numbers.")
                children = [child for pair in node.value for child in pair]
            counted[id(node)] = 1 + sum(count(child) for child in children)
            open_nodes.discard(id(node))
        if counted[id(node)] > _MOST_NODES:
            refuse(_TOO_MANY)
        return counted[id(node)]

    count(root)


def _check_keys(node: Any, refuse: Callable[[Any], NoReturn]) -> None:
    """Refuse a key that a mapping gives twice: PyYAML would take the last in silence."""
    lines: dict[tuple[str, str], int] = {}
    for key, _ in node.value:
        # Merge keys, <<, may stand beside each other; lists as keys are refused later.
        if isinstance(key, yaml.ScalarNode) and key.tag != f"{_TAG}merge":
            line = key.start_mark.line + 1
            name = (key.tag, key.value)
            if name in lines:
                refuse(f"key {key.value!r} is given twice, in line {lines[name]} and line {line}.")
            lines[name] = line


def _is_deeper(value: Any, depth: int) -> bool:
    """Whether lists and mappings lie over `depth` deep in each other."""
    level = [value]
    for _ in range(depth + 1):
        containers = [v for v in level if isinstance(v, list | dict)]
        level = [c for v in containers for c in (v.values() if isinstance(v, dict) else v)]
    return bool(containers)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"key {twice!r} is given twice")
    return values
