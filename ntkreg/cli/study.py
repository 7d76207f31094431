"""A study as a command: what is said about it, and where its parts are."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

__all__ = ["Option", "Study"]


class Option(NamedTuple):
    """An option of a study's command that is no key of its configuration, but said to `run`.

    Attributes
    ----------
    name : str
        Without dashes; that of the parameter of `run`.
    help : str
    metavar : str or None
        What it takes; None: nothing, it is True where it is given.
    """

    name: str
    help: str
    metavar: str | None = None


class Study(NamedTuple):  # a dataclass would make `ntkreg --help` wait for its import
    """One study. Its parts go by its name and are imported when they are asked for.

    ``few-samples`` has `FewSamplesConfig` in ``ntkreg/studies/few_samples/config.py``,
    `run_few_samples` in ``study.py`` and `plan_few_samples` in ``plan.py`` beside it,
    `write_few_samples_report` in ``ntkreg/report/few_samples/page.py``, and what is printed
    at its end in `ntkreg.cli.results`.

    Attributes
    ----------
    name : str
        Of the command.
    summary : str
        Its line in ``ntkreg --help``.
    about, examples : str
        Description and examples of its own help.
    files : tuple of (str, str)
        What is named at its end: label, and path in the output folder. A study with a "page"
        has a report.
    needs_config : bool
        Whether CONFIG must be given.
    takes_n_jobs : bool
        Whether `run` asks for a number of threads.
    explains : bool
        Whether ``ntkreg plan --explain`` can print what its kernels run.
    options : tuple of Option
        What its command takes beside the keys of CONFIG.
    no_store : str
        Why it has no ``--store``, where it has none.
    words : mapping of str to str
        Commands of its own, such as ``status``, that stand where CONFIG would: each with the
        function it is, ``module:name``. A CONFIG of that name is given as a path.
    """

    name: str
    summary: str
    about: str
    examples: str
    files: tuple[tuple[str, str], ...] = (("page", "page.html"), ("rows", "rows.csv"))
    needs_config: bool = True
    takes_n_jobs: bool = True
    explains: bool = False
    options: tuple[Option, ...] = ()
    no_store: str = "this study computes no kernel of an infinitely wide network"
    words: Mapping[str, str] = {}

    @property
    def folder(self) -> str:
        """Name of its modules' folder, and of its results' where there is no CONFIG."""
        return self.name.replace("-", "_")

    @property
    def config(self) -> type:
        """Its configuration, a frozen dataclass."""
        name = self.name.title().replace("-", "")
        return self._part("studies", "config", f"{name}Config")

    @property
    def run(self) -> Callable[..., Any]:
        """What does the work: ``run(config, output, n_jobs=...)``."""
        return self._part("studies", "study", f"run_{self.folder}")

    @property
    def plan(self) -> Callable[..., Any]:
        """What says the cost: ``plan(config, output, n_jobs=...)`` yields parts to print."""
        return self._part("studies", "plan", f"plan_{self.folder}")

    @property
    def write_report(self) -> Callable[..., Any] | None:
        """What makes the page from the output folder, if there is one."""
        if "page" not in dict(self.files):
            return None
        return self._part("report", "page", f"write_{self.folder}_report")

    @property
    def ending(self) -> Callable[..., str]:
        """What is printed at its end: ``ending(config, output, result)``."""
        return getattr(import_module("ntkreg.cli.results"), self.folder)

    def word(self, name: str) -> Callable[[Sequence[str]], None]:
        """Return one of its own commands: what runs with the arguments after it."""
        module, _, function = self.words[name].partition(":")
        return getattr(import_module(module), function)

    def _part(self, room: str, module: str, name: str) -> Any:
        return getattr(import_module(f"ntkreg.{room}.{self.folder}.{module}"), name)
