"""What ntkreg raises and warns: few classes, so that callers can catch what they mean."""

__all__ = [
    "BackendError",
    "DataError",
    "DivergenceError",
    "NotPSDError",
    "PlanError",
    "PrecisionWarning",
    "ShapeError",
    "SpecError",
    "StoreMismatchError",
]


class SpecError(ValueError):
    """A network description, configuration or parameter that makes no sense."""


class ShapeError(ValueError):
    """Arrays whose shapes do not fit each other or the network."""


class DataError(ValueError):
    """A data file that is corrupt, truncated, unsafe or of another format."""


class PlanError(MemoryError):
    """Work that cannot fit in this machine's memory or disk, refused before it starts."""


class StoreMismatchError(ValueError):
    """A kernel folder or checkpoint of another network, other data or other settings."""


class BackendError(ImportError):
    """An optional library that is missing or does not work here."""


class NotPSDError(ArithmeticError):
    """A Gram matrix that is not positive definite at this ridge."""


class DivergenceError(ArithmeticError):
    """Training whose loss grows without bound or is no number any more."""


class PrecisionWarning(UserWarning):
    """A result that is right only to fewer digits than its dtype suggests."""
