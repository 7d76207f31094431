"""Which study a configuration is for: the one whose keys it has, or the one that is named."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, fields

from ntkreg.cli.studies import STUDIES
from ntkreg.cli.study import Study
from ntkreg.errors import SpecError
from ntkreg.studies.shared.config import read_mapping, shortened

__all__ = ["study_asked_for"]

_FLAGS = ("--", "--debug", "--explain", "--help", "--print_config", "-h")
"""Options that take no value; all others take one."""

_OF_ALL = ("cluster", "n_jobs", "output", "study")
"""Options that are keys of no configuration."""


def study_asked_for(arguments: Sequence[str]) -> Study | None:
    """Return the study that ``--study`` names, else the one that CONFIG and options suit.

    Of a request that suits none exactly, the nearest: its own parser says what is wrong. None
    where there is neither a name nor a CONFIG.

    Raises
    ------
    FileNotFoundError
    SpecError
        An unknown name; a file that is no mapping; keys that suit several studies, or none of
        them more than the others.
    """
    words, options = _read(arguments)
    if "study" in options:
        return _named(options["study"])
    if not words:
        return None
    return _suited(words[0], {*read_mapping(words[0]), *(set(options) - set(_OF_ALL))})


def _read(arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return the words that belong to no option, and options' values by their keys."""
    words, options, key = [], {}, ""
    for word in arguments:
        if key:
            options[key], key = word, ""
        elif word.startswith("-") and word not in _FLAGS:
            name, has_value, value = word.partition("=")
            key = name.lstrip("-").split(".")[0]
            if has_value:
                options[key], key = value, ""
        elif word not in _FLAGS:
            words.append(word)
    return words, options


def _named(name: str) -> Study:
    if name not in STUDIES:
        near = difflib.get_close_matches(name, STUDIES, n=1, cutoff=0.4)
        hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(STUDIES)}."
        raise SpecError(f"plan: --study must name a study; got {shortened(name)}. {hint}")
    return STUDIES[name]


def _suited(source: str, keys: set[str]) -> Study:
    wrong = {name: _wrong(study, keys) for name, study in STUDIES.items()}
    least = min(map(len, wrong.values()))
    nearest = {name: what for name, what in wrong.items() if len(what) == least}
    if len(nearest) == 1:
        return STUDIES[next(iter(nearest))]
    if not least:
        raise SpecError(
            f"plan: the keys of {source} suit {_listed(nearest, 'and')}. "
            f"Say which with --study {_listed(nearest, 'or')}."
        )
    told = "; ".join(f"{name}: {', '.join(what)}" for name, what in nearest.items())
    raise SpecError(
        f"plan: the keys of {source} suit no study. What is wrong for the nearest: {told}. "
        f"Say which with --study, or correct the keys."
    )


def _wrong(study: Study, keys: set[str]) -> list[str]:
    """Return what keeps keys from being those of a study."""
    known = {field.name: field.default is MISSING for field in fields(study.config)}
    unknown = [f"unknown {shortened(key)}" for key in sorted(keys - set(known), key=str)]
    return unknown + [f"no {key}" for key, needed in known.items() if needed and key not in keys]


def _listed(names: Iterable[str], last: str) -> str:
    *most, end = names
    return f"{', '.join(most)} {last} {end}"
