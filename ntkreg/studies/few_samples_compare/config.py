"""Settings of the comparison of few-samples runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ntkreg.errors import SpecError
from ntkreg.studies.shared.config import check_choice

__all__ = ["FIELDS", "FewSamplesCompareConfig"]

FIELDS = ("ntk", "nngp")


@dataclass(frozen=True)
class FewSamplesCompareConfig:
    """Settings of `run_few_samples_compare`; every key of the YAML file.

    Attributes
    ----------
    kernels : mapping
        Name of each network: the folder of its few-samples run. Two or more.
    get : tuple of {"ntk", "nngp"}
        Which kernels of each network.
    """

    recorded_as: ClassVar[str] = "Comparison"

    kernels: dict[str, str]
    get: tuple[str, ...] = FIELDS

    def __post_init__(self) -> None:
        if not isinstance(self.kernels, dict) or len(self.kernels) < 2:
            raise SpecError(
                "kernels must map two or more names to folders of few-samples runs; "
                f"got {self.kernels!r}."
            )
        for name, folder in self.kernels.items():
            if not isinstance(folder, str) or not folder:
                raise SpecError(f"kernels: {name} must have a folder; got {folder!r}.")
        get = (self.get,) if isinstance(self.get, str) else self.get
        if not isinstance(get, Sequence) or not get or len(set(get)) < len(get):
            raise SpecError(f"get must be ntk, nngp or both in a list; got {self.get!r}.")
        for field in get:
            check_choice("get", field, FIELDS)
        object.__setattr__(self, "get", tuple(get))
