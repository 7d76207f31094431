"""The client of a cluster: which one is meant, whether it has workers, and that it is gone."""

import contextlib
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from ntkreg.errors import BackendError, SpecError
from ntkreg.gram.manifest import ways

__all__ = ["PATIENCE", "check_client", "connected", "gone_is_said", "say_none", "ways_of_workers"]

PATIENCE = 30.0
"""Seconds until a connection counts as lost."""


def check_client(client: Any) -> Any:
    """Return a cluster's client, the address of a scheduler, or None; raise `SpecError` else."""
    if client is None or (isinstance(client, str) and client):
        return client
    distributed = sys.modules.get("distributed")
    if distributed and isinstance(client, distributed.Client) and not client.asynchronous:
        return client
    raise SpecError(
        "compute_gram: client must be a distributed.Client that is not asynchronous, or the "
        f'address of a scheduler, such as "tcp://host:8786"; got {client!r}.'
    )


@contextlib.contextmanager
def connected(client: Any) -> Iterator[Any]:
    """Give a client for what `check_client` lets through; one made for an address is closed.

    Raises
    ------
    BackendError
        dask.distributed is not there.
    ConnectionError
        No scheduler answers.
    """
    if not isinstance(client, str):
        yield client
        return
    try:
        from distributed import Client
    except ImportError:
        raise BackendError(
            "compute_gram: a cluster needs dask.distributed: pip install 'ntkreg[distributed]'."
        ) from None
    try:
        own = Client(client, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"compute_gram: no scheduler answers at {client!r}: {error}. Start one (`dask "
            "scheduler`), or correct the address."
        ) from error
    with own:
        yield own


def ways_of_workers(client: Any) -> dict[str, Any]:
    """Return versions and machine of a worker, waiting for the first."""
    with gone_is_said(client):
        if not client.nthreads():
            say_none(client)
            client.wait_for_workers(1)
        return client.submit(ways, pure=False).result()


@contextlib.contextmanager
def gone_is_said(client: Any) -> Iterator[None]:
    """Say of any error that the scheduler is gone, if it is."""
    try:
        yield
    except Exception as error:
        if client.status == "running":
            raise
        raise ConnectionError(
            f"compute_gram: the scheduler is gone: {error}. Finished tiles are kept in a folder: "
            "start the cluster, and make the same call again."
        ) from error


def say_none(client: Any) -> None:
    """Warn that a cluster has no workers just now."""
    address = client.scheduler.address if client.scheduler else "the scheduler"
    warnings.warn(
        f"compute_gram: {address} has no workers; waiting for some (`dask worker {address}`).",
        RuntimeWarning,
        stacklevel=2,
    )
