"""The client of a cluster: which one is meant, whether it has workers, and that it is gone."""

import contextlib
import itertools
import socket
import sys
import warnings
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from ntkreg.errors import BackendError, SpecError, StoreMismatchError
from ntkreg.gram.manifest import ways
from ntkreg.version import VERSION

__all__ = [
    "PATIENCE",
    "check_client",
    "connected",
    "gone_is_said",
    "say_none",
    "say_others",
    "ways_of_workers",
]

PATIENCE = 30.0
"""Seconds until a connection counts as lost."""

_LONGEST = 1 << 30
"""Bytes that no scheduler's first words have."""

_TRIED, _REACHED = 20, 1.0
"""Workers to which a connection is tried, and the seconds that one may take."""


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
        _check_speaks_dask(client)
        own = Client(client, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"compute_gram: no scheduler answers at {client!r}: {error}. Start one (`dask "
            "scheduler`), or correct the address; where it wants TLS, pass client=a "
            "distributed.Client with its security."
        ) from error
    with own:
        _wait_for_workers(own)
        if own.direct_to_workers is None:  # nobody says in Dask's configuration
            own.direct_to_workers = _are_reached(own.nthreads())
        yield own


def _check_speaks_dask(address: str) -> None:
    """Raise where something answers that is no scheduler.

    A client would wait for its first words for ever, or take them for the length of a message.
    """
    from distributed import Security
    from distributed.comm.registry import get_backend

    place = urlsplit(address if "://" in address else f"tcp://{address}")
    get_backend(place.scheme)
    if place.scheme == "tls" and not Security().get_connection_args("client").get("ssl_context"):
        raise ValueError("Dask's configuration has no certificates for TLS")
    if place.scheme != "tcp" or place.port is None:
        return
    with contextlib.ExitStack() as open_:
        try:
            talk = socket.create_connection((place.hostname, place.port), PATIENCE)
        except OSError:
            return  # nothing yet; a client tries again for a while
        open_.enter_context(talk)
        try:
            first = talk.recv(8)  # a scheduler begins: the length of what it says, little-endian
        except TimeoutError:
            raise TimeoutError("it takes connections, but says nothing, as if for TLS") from None
        if int.from_bytes(first.ljust(8, b"\xff"), "little") > _LONGEST:
            raise ValueError(f"it speaks another protocol, {first!r}")


def ways_of_workers(client: Any) -> dict[str, Any]:
    """Return versions and machine of a worker, waiting for the first.

    Raises
    ------
    StoreMismatchError
        Workers have another ntkreg than this process, or none.
    """
    _wait_for_workers(client)
    with gone_is_said(client):
        # Before any task: one that cannot be unpickled ends its worker, without a word here.
        if others := _of_other_versions(client):
            raise StoreMismatchError(f"compute_gram: {others}")
        asked = client.submit(ways, pure=False)
        while True:
            try:
                return asked.result(timeout=PATIENCE)
            except TimeoutError:  # workers busy with other work, or gone
                if not client.nthreads():
                    say_none(client)


def say_others(client: Any) -> None:
    """Warn of workers that have joined and cannot take part."""
    if others := _of_other_versions(client):
        warnings.warn(
            f"compute_gram: {others} Until then each task that one gets ends it.",
            RuntimeWarning,
            stacklevel=2,
        )


def _of_other_versions(client: Any) -> str:
    """Return which workers have another ntkreg, or none, and what to do; empty for none."""
    about = client.get_versions(packages=["ntkreg"])["workers"]
    found = {address: each["packages"]["ntkreg"] for address, each in about.items()}
    ours = VERSION
    others = [f"{at} has {has or 'none'}" for at, has in found.items() if has != ours]
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    if not others:
        return ""
    return (
        f"all workers need this process's ntkreg {ours}: {', '.join(others[:3])}{more}. Install it "
        "there, and start them again."
    )


def _wait_for_workers(client: Any) -> None:
    """Wait until there is one."""
    with gone_is_said(client):
        if not client.nthreads():
            say_none(client)
            client.wait_for_workers(1)


def _are_reached(workers: Iterable[str]) -> bool:
    """Return whether workers can be connected to from here; values need no scheduler then."""
    for address in itertools.islice(workers, _TRIED):
        try:
            host = urlsplit(address)
            socket.create_connection((host.hostname, host.port), _REACHED).close()
        except (OSError, ValueError):
            return False
    return True


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
