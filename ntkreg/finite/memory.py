"""Memory that networks of finite width would take, compared with what is free before they do."""

import jax

from ntkreg.errors import PlanError
from ntkreg.machine import free_memory, readable

__all__ = ["check_memory"]

_SHARE = 0.9
"""Part of the free memory that one call may take."""


def check_memory(who: str, what: str, n_bytes: int, remedy: str) -> None:
    """Raise `PlanError` if bytes are more than JAX's default device has left.

    Parameters
    ----------
    who, what, remedy : str
        Who asks, what takes the bytes (with its sizes), and what would help.
    n_bytes : int
        A Python integer: it cannot overflow, however wide the network.
    """
    free = _free()
    if free is not None and n_bytes > _SHARE * free:
        raise PlanError(
            f"{who}: {what} need {readable(n_bytes)} of memory; {readable(_SHARE * free)} can be "
            f"used. {remedy}"
        )


def _free() -> int | None:
    if jax.default_backend() == "cpu":
        return free_memory()
    stats = jax.local_devices()[0].memory_stats() or {}
    limit = stats.get("bytes_limit")
    return None if limit is None else limit - stats.get("bytes_in_use", 0)
