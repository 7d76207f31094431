"""The register of backends: one line makes one; what is missing is named."""

import sys
from dataclasses import dataclass

import numpy as np
import pytest
from backend_conformance import BackendConformance

from ntkreg import cntk, kernel
from ntkreg.architecture import Architecture
from ntkreg.errors import BackendError, SpecError
from ntkreg.kernels import make_engine
from ntkreg.kernels.backends import BACKENDS, Backend
from ntkreg.kernels.image.explain import explain_image
from ntkreg.kernels.image.pairs import ImagePairs
from ntkreg.kernels.reference import ReferenceEngine

X = np.random.default_rng(0).normal(size=(3, 5, 4, 2))


@dataclass(frozen=True)
class ToyPairs(ImagePairs):
    """Pairs computed by the plain reference, up to each network's read-out."""

    name = "ToyPairs"
    block = columns_at_once = 4

    def explain(self):
        return explain_image(self.runnable.program, self.runnable.geometries)

    def run(self, x, z, wanted):
        images = [self._pixels(inputs) for inputs in (x, z)]
        program = self.runnable.program
        out = np.full((1 + program.n_tangents, program.n_reads, len(x), len(z)), np.nan)
        for network, end in zip(self.runnable.networks, program.ends, strict=True):
            layers = network.layers[: len(network.layers) - len(end.tail)]
            head = (images[0].shape[1:], np.dtype(float), ("nngp", "ntk"), 1)
            values = ReferenceEngine(*head, (Architecture(layers),)).cross(*images)[:, 0]
            out[[0, 1 + end.tangent], end.read] = values
        out[..., ~wanted] = np.nan  # an engine must not need them
        return out

    def _pixels(self, inputs):
        """Images, from the table of their pixels over sqrt(channels) with zeros around them."""
        rows = inputs.as_x[0].pixels
        height, width = self.runnable.height + 2, self.runnable.width + 2
        pixels = rows.reshape(len(rows), height, width, -1)[:, 1:-1, 1:-1]
        return pixels.astype(float) * np.sqrt(pixels.shape[-1])


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    monkeypatch.setitem(BACKENDS, "toy", Backend(f"{__name__}:ToyPairs"))


class TestToy(BackendConformance):
    backend = "toy"


def test_a_registered_backend_is_among_the_choices_that_errors_name():
    with pytest.raises(
        SpecError, match='backend must be None or "jax" or "cuda" or "toy"; got \'tpu\''
    ):
        kernel(cntk(2), X, backend="tpu")


def test_a_missing_package_is_named_with_the_backend_and_what_to_install(monkeypatch):
    monkeypatch.setitem(
        BACKENDS, "toy", Backend("nowhere:Toy", needs="absent", install="absent>=2")
    )
    message = r'backend="toy" needs the package absent, which.*pip install "absent>=2"'
    with pytest.raises(BackendError, match=message):
        make_engine(cntk(2), X.shape[1:], dtype=float, backend="toy")


def test_a_missing_jax_is_named_and_not_neural_tangents(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(BackendError) as caught:
        kernel(cntk(2), X, backend="jax")
    assert 'backend="jax" needs the package jax' in str(caught.value)
    assert 'pip install "jax>=0.8"' in str(caught.value)
    assert "neural" not in str(caught.value)
