"""A cluster of two workers that are threads of this process."""

import pytest


@pytest.fixture(scope="module")
def local():
    """Return a cluster of two workers that are threads of this process."""
    distributed = pytest.importorskip("distributed")
    options = {"threads_per_worker": 1, "processes": False, "dashboard_address": ":0"}
    with distributed.LocalCluster(n_workers=2, **options) as made:
        yield made


@pytest.fixture(scope="module")
def client(local):
    with pytest.importorskip("distributed").Client(local) as made:
        yield made
