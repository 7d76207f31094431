"""YAML and JSON that may be a stranger's: plain data, bounded in size, depth and expansion."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import yaml

from ntkreg.errors import DataError, SpecError
from ntkreg.storage import read_bytes

__all__ = ["parse_json", "parse_yaml", "read_json", "read_yaml"]

MOST_BYTES = 1 << 20
"""Bytes of a document; the longest of our own, a manifest of a hundred networks, has a tenth."""

_MOST_DEPTH = 50
_MOST_NODES = 100_000

# YAML 1.1 reads 1e-3 as text, since it wants a dot and a sign; YAML 1.2 and people do not.
_NUMBER = re.compile(r"[-+]?(?:[0-9][0-9_]*)(?:\.[0-9_]*)?[eE][-+]?[0-9]+")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML's safe loader that reads 1e-3 as a number and refuses a key given twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        first: dict[Any, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            # A merge key, <<, may stand beside others of its kind.
            if name in first and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    problem=f"key {name!r} is given twice, in line {first[name]} and in line {line}"
                )
            if name is not None:
                first[name] = line
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER, list("-+0123456789"))


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
        named), over 1 MiB, or nested or repeated by aliases beyond any sensible document.

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
        # Events come without recursion, so that depth is known before anything recurses.
        _check_depth(yaml.parse(text, Loader=_Loader), refuse)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _check_expansion(node, refuse)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError, TypeError) as error:
        if isinstance(error, SpecError):
            raise
        refuse(error)


def parse_json(text: str | bytes, source: str) -> Any:
    """Return the plain data of a JSON text.

    Raises
    ------
    DataError
        Not JSON or not UTF-8, over 1 MiB, nested too deeply, or with a key twice.
    """
    if len(text) > MOST_BYTES:
        raise DataError(f"{source}: {len(text):,} bytes, more than a file of this kind has.")
    try:
        return json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise DataError(f"{source}: not sound JSON: nested too deeply.") from None
    except ValueError as error:
        raise DataError(f"{source}: not sound JSON ({error}).") from None


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


def read_json(path: Path, *, links: bool = True) -> Any:
    """Return the plain data of a JSON file, as `parse_json` does; `links` as in `read_bytes`.

    Raises
    ------
    FileNotFoundError
    DataError
    """
    return parse_json(read_bytes(path, MOST_BYTES, links=links), str(path))


def _check_depth(events: Any, refuse: Callable[[Any], NoReturn]) -> None:
    depth = 0
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MOST_DEPTH:
                refuse(f"nested over {_MOST_DEPTH} deep.")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _check_expansion(root: Any, refuse: Callable[[Any], NoReturn]) -> None:
    """Count nodes as if each alias were written out: a few lines can stand for billions."""
    counted: dict[int, int] = {}
    open_nodes: set[int] = set()

    def count(node: Any) -> int:
        if isinstance(node, yaml.ScalarNode):
            return 1
        if id(node) in open_nodes:
            refuse(f"line {node.start_mark.line + 1}: an alias of what it stands in.")
        if id(node) not in counted:
            open_nodes.add(id(node))
            pairs = isinstance(node, yaml.MappingNode)
            children = [c for pair in node.value for c in pair] if pairs else node.value
            counted[id(node)] = 1 + sum(count(child) for child in children)
            open_nodes.discard(id(node))
        if counted[id(node)] > _MOST_NODES:
            refuse(f"over {_MOST_NODES:,} values, aliases written out.")
        return counted[id(node)]

    count(root)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {twice!r} is given twice")
    return values
