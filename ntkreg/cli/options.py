"""Options made from a configuration's dataclass, and the configuration made from them.

Every key of a dataclass becomes an option whose help is the key's entry in the class's
docstring. The YAML file comes first, the command line is laid over it.
"""

import argparse
import dataclasses
import difflib
import inspect
import itertools
import re
import tempfile
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from jsonargparse import ArgumentParser, DefaultHelpFormatter, get_loader, set_loader

from ntkreg.documents import parse_yaml
from ntkreg.errors import SpecError
from ntkreg.studies.shared.config import config_hash, config_to_dict, make_config, read_mapping

__all__ = [
    "Parser",
    "add_config",
    "add_option",
    "attribute_docs",
    "lay_over",
    "make_parser",
    "output_folder",
    "parse",
    "prepare_folder",
    "print_config",
    "resolve",
]

C = TypeVar("C")

KINDS = {
    int: "an integer",
    float: "a number",
    bool: "true or false",
    str: "text",
    tuple: "a list such as '[10,20]'",
    dict: "a mapping such as '{depth: 5}'",
    types.NoneType: "null",
}
"""What options of these types take; a configuration has no others."""


_YAML = "ntkreg"
"""Name under which jsonargparse knows the reader of option values below."""


def _read_value(text: str) -> Any:
    """Return the value that an option's text stands for, as in CONFIG; or the text itself."""
    value = parse_yaml(text, "value")
    # What jsonargparse makes of '{a, b}' and of 'a:', which are text here.
    return get_loader("yaml")(text) if isinstance(value, dict) else value


class _Formatter(argparse.RawDescriptionHelpFormatter, DefaultHelpFormatter):
    """Keeps the line breaks of description and examples."""


class Parser(ArgumentParser):
    """jsonargparse's parser that raises `SpecError` with a hint instead of exiting.

    Attributes
    ----------
    kinds : dict of str to str
        What each key of a configuration takes, for errors.
    absent : dict of str to str
        Options of other commands that this one has not, and why, for errors.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, parser_mode=_YAML, **settings)
        self.kinds: dict[str, str] = {}
        self.absent: dict[str, str] = {}

    def error(self, message: str, ex: Exception | None = None) -> typing.NoReturn:
        """Raise `SpecError`; an unknown option comes with the nearest known one."""
        unknown = re.match(r"unrecognized arguments: (\S+)", message)
        if unknown and unknown[1].startswith("-"):
            name = re.split(r"[=.]", unknown[1])[0]
            known = [o for action in self._actions for o in action.option_strings]
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]}?" if near else f"See `{self.prog} --help`."
            message = f"unknown option {name}. {hint}"
            if name in self.absent:
                message = f"there is no {name} here: {self.absent[name]}. Leave it out."
        wrong = re.match(r'Parser key "([^"]*)":.*(?:Given|Got) value: (.*)', message, re.DOTALL)
        if wrong and wrong[1] in self.kinds:
            value = wrong[2].strip()
            message = f"--{wrong[1]} must be {self.kinds[wrong[1]]}; got {value[:200]}."
            message += _why_not(value)
        raise SpecError(f"{self.prog.removeprefix('ntkreg ')}: {message}")


def make_parser(
    command: str, usage: str, description: str, examples: str, *, takes_n_jobs: bool = True
) -> Parser:
    """Return a parser for one command, with the options that all commands have."""
    parser = Parser(
        prog=f"ntkreg {command}",
        usage=f"ntkreg {command} {usage}".rstrip(),
        description=description,
        epilog=f"examples:\n{examples}",
        formatter_class=_Formatter,
        allow_abbrev=False,
        default_env=False,
    )
    if takes_n_jobs:
        add_option(parser, "--n_jobs", type=int, help="threads; default one a core")
        parser.kinds["n_jobs"] = _readable(int)
    # main() takes --debug out of the arguments; it is here for --help.
    add_option(parser, "--debug", action="store_true", help="errors with their traceback")
    return parser


def add_option(parser: Any, name: str, **settings: Any) -> None:
    """Add an option without a default: only what was given comes out of `parse`."""
    parser.add_argument(name, default=argparse.SUPPRESS, **settings)


def add_config(parser: Parser, cls: type, *, config_required: bool = True) -> None:
    """Add CONFIG, --output, --print_config and an option for each key of `cls`."""
    parser.add_argument(
        "CONFIG",
        nargs=None if config_required else "?",
        help="YAML file; its keys are the options below",
    )
    add_option(parser, "--output", help="folder to write into; default results/NAME of CONFIG")
    add_option(
        parser,
        "--print_config",
        nargs="?",  # jsonargparse hands this option an empty value
        metavar="",
        help="print the configuration, command line over file, and its hash; do nothing else",
    )
    group = parser.add_argument_group("keys of CONFIG, the command line wins over the file")
    hints, docs = typing.get_type_hints(cls), attribute_docs(cls)
    for field in dataclasses.fields(cls):
        required = field.default is dataclasses.MISSING
        default = "" if required else f" (default: {_as_yaml(field.default)})"
        parser.kinds[field.name] = _readable(hints[field.name])
        add_option(
            group,
            f"--{field.name}",
            metavar="VALUE",
            type=hints[field.name],
            help=(docs.get(field.name, "") + default),
        )


def parse(parser: Parser, arguments: Sequence[str]) -> dict[str, Any]:
    """Return the arguments that were given, by name, and nothing else."""
    try:
        found = parser.parse_args(list(arguments), defaults=False).as_dict()
    except OverflowError as error:
        parser.error(f"a number is too large ({error}).")
    # jsonargparse has None for a CONFIG that may be left out, as if it had been given.
    return {name: value for name, value in found.items() if (name, value) != ("CONFIG", None)}


def resolve(cls: type[C], given: Mapping[str, Any]) -> C:
    """Return the configuration of parsed arguments: CONFIG, and the options over it.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    SpecError
        Unknown or missing keys, or values that `cls` refuses.
    """
    path = given.get("CONFIG")
    names = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
    options = {key: given[key] for key in names if key in given}
    base = {} if path is None else read_mapping(path)
    sources = [*([path] if path else []), *(["the options given"] if options else [])]
    return make_config(cls, lay_over(base, options), source=" with ".join(sources))


def lay_over(base: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `options` over it, mappings key by key.

    A mapping that names its recipe or its layers is a whole network and replaces the other:
    arguments of one recipe mean nothing to the next.

    Examples
    --------
    >>> base = {"alpha": 1, "architecture": {"recipe": "cntk", "depth": 5}}
    >>> lay_over(base, {"architecture": {"depth": 3}})
    {'alpha': 1, 'architecture': {'recipe': 'cntk', 'depth': 3}}
    >>> lay_over(base, {"architecture": {"recipe": "fully_connected"}})
    {'alpha': 1, 'architecture': {'recipe': 'fully_connected'}}
    """
    merged = dict(base)
    for key, value in options.items():
        below = base.get(key)
        partial = isinstance(value, dict) and not {"recipe", "layers"} & set(value)
        merged[key] = {**below, **value} if partial and isinstance(below, dict) else value
    return merged


def _as_yaml(value: Any) -> str:
    value = list(value) if isinstance(value, tuple) else value
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("...\n").strip()


def print_config(config: Any) -> None:
    """Print a configuration as YAML that can be given back as CONFIG, with its hash."""
    print(f"# SHA-256 {config_hash(config)}")
    print(yaml.safe_dump(config_to_dict(config), sort_keys=False), end="")


def output_folder(given: Mapping[str, Any], name: str) -> Path:
    """Return --output, or results/ and the name of CONFIG, else of the command; not made yet."""
    if "output" in given:
        if not given["output"] or "\0" in given["output"]:
            raise SpecError(f"--output must be a folder to write into; got {given['output']!r}.")
        return Path(given["output"])
    return Path("results") / (Path(given["CONFIG"]).stem if "CONFIG" in given else name)


def prepare_folder(folder: Path) -> Path:
    """Make a folder and try to write into it, before work that would be lost otherwise."""
    if folder.exists() and not folder.is_dir():
        raise SpecError(f"--output must be a folder to write into; {folder} is a file.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Of a name of its own: other commands may look at the same folder now.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from None
    return folder


def _why_not(value: str) -> str:
    """Say what is wrong with a list or a mapping; of other values their kind says it."""
    try:
        if value.startswith(("[", "{")):
            parse_yaml(value, "It is")
    except SpecError as error:
        return " " + str(error).replace("It is: ", "It is ")[:300]
    return ""


def _readable(hint: Any) -> str:
    """Say what an option of this type takes."""
    if isinstance(hint, types.UnionType):
        return " or ".join(_readable(part) for part in typing.get_args(hint))
    return KINDS[typing.get_origin(hint) or hint]


def attribute_docs(cls: type) -> dict[str, str]:
    """Return the entries of numpydoc sections "Attributes" by name, bases' among them.

    Choices such as ``{"gap", "flatten"}`` are part of the text.
    """
    docs: dict[str, str] = {}
    texts = (inspect.cleandoc(base.__doc__ or "") for base in reversed(cls.__mro__))
    sections = (text.partition("Attributes\n----------\n")[2] for text in texts)
    entries = (re.split(r"^(?=\w)", section, flags=re.MULTILINE) for section in sections)
    for entry in filter(None, itertools.chain.from_iterable(entries)):
        head, _, body = entry.partition("\n")
        names, _, kind = head.partition(" : ")
        text = " ".join(body.split())
        if kind.startswith("{"):
            choices = kind.replace("None", "null").replace('"', "")
            text = f"{text} One of {choices}.".strip()
        docs |= {name.strip(): text or kind for name in names.split(",")}
    return docs


set_loader(_YAML, _read_value, exceptions=(SpecError,))
