"""`KernelSpec` says which kernel: equal, hashed and pickled as a value, checked when made."""

import dataclasses
import pickle

import numpy as np
import pytest

from ntkreg import cntk, fully_connected, kernel
from ntkreg.errors import ShapeError, SpecError
from ntkreg.gram import kernel_of
from ntkreg.kernels import FIELDS, KernelSpec, StaxNetwork, engine_for, make_engine
from ntkreg.kernels.spec import OPTIONS, PRECISIONS, STORED

NET = cntk(3, readout="gap")
X = np.random.default_rng(0).normal(size=(5, 6, 7, 2)).astype(np.float32)


def everything(**changed):
    options = {"get": ("ntk", "nngp"), "depths": (1, 3), "dtype": "mixed", "backend": None}
    options |= {"normalize": "unit_diagonal", "symmetry": "flip"}
    return KernelSpec(NET, **{**options, **changed})


def test_a_spec_of_everything_pickles_to_its_equal():
    spec = everything()
    again = pickle.loads(pickle.dumps(spec))
    assert again == spec
    assert hash(again) == hash(spec)
    assert again.networks == (NET.replace(depth=1), NET)


@pytest.mark.parametrize(
    "changed",
    [
        {"get": "ntk"},
        {"get": ("nngp", "ntk")},
        {"depths": (1, 2)},
        {"depths": None},
        {"dtype": None},
        {"normalize": None},
        {"symmetry": None},
        {"backend": "jax"},
    ],
    ids=str,
)
def test_specs_that_say_something_else_are_not_equal(changed):
    assert everything(**changed) != everything()


def test_the_same_asked_in_other_words_is_the_same():
    asked = KernelSpec(NET, get=["ntk"], depths=[1, 3], dtype=np.float32)
    assert asked == KernelSpec(
        cntk(3, readout="gap"),
        get=("ntk",),
        variants=({"depth": 1}, {"depth": 3}),
        dtype=np.dtype("f4"),
    )
    assert (asked.get, asked.dtype) == (("ntk",), "float32")
    assert asked.variants == ({"depth": 1}, {"depth": 3})
    assert dataclasses.replace(asked, get="nngp").variants == asked.variants


def test_it_cannot_be_changed_nor_can_what_it_was_made_of():
    changes = {"depth": 2}
    spec = KernelSpec(NET, variants=[changes])
    changes["depth"] = 9
    assert spec.networks == (NET.replace(depth=2),)
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.symmetry = "flip"


def test_a_stax_function_is_wrapped_and_stands_for_itself():
    def kernel_fn(x, z, get):
        return x @ z.T

    spec = KernelSpec(kernel_fn)
    assert spec.network == StaxNetwork(kernel_fn)
    assert spec.networks == (spec.network,)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"network": "cntk"}, SpecError, r"network must be an Architecture.* got 'cntk'. Call"),
        ({"get": "nntk"}, SpecError, 'get must be "nngp", "ntk" or both in a tuple; got \'nntk\'.'),
        ({"get": ("ntk", "ntk")}, SpecError, r"get must be .* got \('ntk', 'ntk'\)."),
        ({"depths": ()}, SpecError, r"depths must be distinct integers, at least one; got \(\)."),
        ({"depths": (1,), "variants": [{}]}, SpecError, "depths and variants were both given"),
        ({"variants": [{"width": 3}]}, SpecError, r"variants\[0\]: cntk has no option 'width'"),
        ({"network": cntk(2, frozen=3)}, SpecError, "cntk: frozen=3 is more than the 2 hidden"),
        (
            {"normalize": "rows"},
            SpecError,
            "normalize must be None or \"unit_diagonal\"; got 'rows'.",
        ),
        ({"normalize": 1}, SpecError, 'normalize must be None or "unit_diagonal"; got 1.'),
        ({"symmetry": "flips"}, SpecError, "symmetry must be None or \"flip\"; got 'flips'."),
        ({"symmetry": X}, SpecError, 'symmetry must be None or "flip"; got array'),
        ({"backend": "tpu"}, SpecError, 'backend must be None or "jax" or "cuda"; got'),
        (
            {"network": fully_connected(2), "backend": "jax"},
            SpecError,
            'backend="jax" runs networks that read images, .* got fully_connected.*backend=None',
        ),
        ({"dtype": "float16"}, ValueError, 'dtype must be float32 or float64, or "mixed"; got'),
        ({"dtype": "widest"}, ValueError, 'dtype must be float32 or float64, or "mixed"; got'),
        (
            {"network": fully_connected(2), "dtype": "mixed"},
            SpecError,
            r'dtype="mixed" is for networks that read images, .* got fully_connected.*Use float64',
        ),
    ],
    ids=str,
)
def test_what_makes_no_kernel_is_refused_when_it_is_made(options, error, message):
    with pytest.raises(error, match=message) as refusal:
        KernelSpec(**{"network": NET, **options})
    assert refusal.type is error


def test_inputs_that_have_no_such_kernel_are_refused():
    flips = KernelSpec(fully_connected(2), symmetry="flip")
    with pytest.raises(SpecError, match=r'symmetry="flip" needs .* of shape \(48,\). Use symmetry'):
        flips.check_shape((48,))
    valid = KernelSpec(cntk(3, padding="VALID"), depths=(1, 3))
    valid.check_shape((7, 7, 2))
    with pytest.raises(ShapeError):
        valid.check_shape((6, 7, 2))


def test_a_dtype_comes_from_the_widest_inputs_unless_it_was_asked_for():
    wide = np.zeros((2, 3))
    assert KernelSpec(NET).with_dtype_of(X).dtype == "float32"
    assert KernelSpec(NET).with_dtype_of(X, wide).dtype == "float64"
    assert everything().with_dtype_of(wide) == everything()


def test_values_of_a_spec_are_those_of_its_keywords():
    spec = everything(depths=(1, 2))
    asked = {"get": ("ntk", "nngp"), "depths": (1, 2), "dtype": "mixed"}
    ours = kernel(NET, X, X[:2], normalize="unit_diagonal", symmetry="flip", **asked)
    for one, other in zip(kernel_of(spec, X, X[:2]), ours, strict=True):
        np.testing.assert_array_equal(one, other)
    engine = engine_for(spec, X.shape[1:])
    assert engine == make_engine(
        NET, X.shape[1:], fields=("ntk", "nngp"), depths=(1, 2), dtype="mixed", symmetry="flip"
    )
    assert engine.fields == ("ntk", "nngp")
    assert spec.fields == FIELDS


def test_options_have_their_default_first_among_their_choices():
    spec = KernelSpec(NET)
    assert spec.options == {name: next(iter(choices)) for name, choices in OPTIONS.items()}
    assert set(STORED) < set(OPTIONS)
    for name in filter(None, PRECISIONS):
        assert KernelSpec(NET, dtype=name).dtype == name
