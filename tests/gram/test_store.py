import json
import pickle
import sys
from dataclasses import replace

import numpy as np
import pytest
import toy_engine

from ntkreg import cntk, compute_gram, fully_connected, plan_gram
from ntkreg.architecture import Architecture, LeakyRelu, from_dict
from ntkreg.errors import SpecError, StoreMismatchError
from ntkreg.gram import manifest as manifest_module
from ntkreg.kernels.stax.bridge import StaxNetwork

X = np.random.default_rng(0).standard_normal((19, 3))
NET = fully_connected(depth=2)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "deep" / "K"


def _chunks(folder):
    return sorted(p for p in (folder / "values.zarr" / "c").rglob("*") if p.is_file())


@pytest.mark.parametrize("several", [{}, {"depths": (1, 2)}, {"variants": [{"train_last": False}]}])
@pytest.mark.parametrize("normalize", [None, "unit_diagonal"])
@pytest.mark.parametrize("Z", [None, X[:11] + 1])
def test_a_folder_holds_the_bits_of_the_gram_in_memory(monkeypatch, folder, Z, normalize, several):
    toy_engine.install(monkeypatch.setattr)
    options = {"get": ("nngp", "ntk"), "normalize": normalize, **several}
    wanted = compute_gram(NET, X, Z, **options)
    for _ in range(2):  # computed, then only read
        got = compute_gram(NET, X, Z, **options, folder=folder, tile=8)
        for field, values in wanted.values.items():
            assert got.values[field].shape == values.shape
            assert np.array_equal(np.asarray(got.values[field]), values)
    assert (got.dtype, got.fingerprint, got.symmetric) == (
        wanted.dtype,
        wanted.fingerprint,
        wanted.symmetric,
    )


def test_real_engines_store_the_same_bits_in_float32(folder):
    inputs = X[:, :2].reshape(19, 2, 1, 1).astype(np.float32)
    passes = [{}, {"readout": "flatten"}, {"train_first": False}]
    for i, (network, variants) in enumerate(((NET, None), (cntk(2), None), (cntk(2), passes))):
        gram = compute_gram(network, inputs, variants=variants, folder=folder / str(i))
        assert gram.values["ntk"].dtype == np.float32
        wanted = compute_gram(network, inputs, variants=variants).values["ntk"]
        assert np.array_equal(np.asarray(gram.values["ntk"]), wanted)


def test_only_one_triangle_of_a_symmetric_gram_is_on_disk(monkeypatch, folder):
    toy_engine.install(monkeypatch.setattr)
    compute_gram(NET, X, folder=folder, tile=8)
    assert len(_chunks(folder)) == 6  # of 3 x 3


def test_parts_can_be_read_without_the_rest(monkeypatch, folder):
    toy_engine.install(monkeypatch.setattr)
    K = compute_gram(NET, X).values["ntk"]
    values = compute_gram(NET, X, folder=folder, tile=8).values["ntk"]
    assert len(values) == 19
    assert values.ndim == 2
    for rows in (slice(None), slice(3, 17), slice(16, 19), slice(5, 5)):
        for columns in (slice(None), slice(0, 9), slice(-2, None)):
            assert np.array_equal(values.read(rows, columns), K[rows, columns])
    assert np.asarray(values, dtype=np.float32).dtype == np.float32
    assert np.array_equal(np.asarray(pickle.loads(pickle.dumps(values))), K)
    with pytest.raises(ValueError, match="always makes a copy"):
        np.asarray(values, copy=False)
    with pytest.raises(ValueError, match="step"):
        values.read(slice(None, None, 2))


def test_the_manifest_says_what_the_folder_holds(folder):
    compute_gram(NET, X, folder=folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    network = {k: v for k, v in manifest["network"].items() if k != "fingerprint"}
    assert from_dict(network) == NET
    assert manifest["network"]["fingerprint"] == NET.fingerprint
    assert manifest["X"]["shape"] == [19, 3]
    assert manifest["Z"] is None
    assert manifest["versions"]["numpy"] == np.__version__


@pytest.mark.parametrize(
    ("network", "inputs", "options", "named"),
    [
        (NET.replace(depth=3), X, {}, r"network\.depth: stored 2, asked 3"),
        (cntk(2), X.reshape(-1, 1, 3, 1), {}, r"network\.recipe: stored 'fully_connected', asked"),
        (NET, X + 1, {}, r"X\.sha256: stored '\w{64}', asked"),
        (NET, X[:18], {}, r"X\.shape: stored \[19, 3\], asked \[18, 3\]"),
        (NET, X, {"Z": X}, r"Z: stored None, asked None|Z\.shape: stored None, asked \[19, 3\]"),
        (NET, X, {"dtype": np.float32}, "dtype: stored 'float64', asked 'float32'"),
        (NET, X, {"get": "nngp"}, r"fields: stored \['ntk'\], asked \['nngp'\]"),
        (NET, X, {"depths": (1, 2)}, r"depths: stored None, asked \[1, 2\]"),
        (NET, X, {"normalize": "unit_diagonal"}, "normalize: stored None, asked 'unit_diagonal'"),
    ],
)
def test_a_folder_of_another_gram_is_refused_with_the_difference(
    folder, network, inputs, options, named
):
    compute_gram(NET, X, folder=folder)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    with pytest.raises(StoreMismatchError, match=named):
        compute_gram(network, inputs, folder=folder, **options)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_variants_are_in_the_manifest_depths_alone_as_depths(folder):
    def manifest(name, **several):
        compute_gram(NET, X, folder=folder / name, **several)
        found = json.loads((folder / name / "manifest.json").read_text())
        return found["depths"], found["variants"]

    assert manifest("none") == (None, None)
    assert manifest("depths", depths=(1, 2)) == ([1, 2], None)
    assert manifest("depths", variants=[{"depth": 1}, {"depth": np.int64(2)}]) == ([1, 2], None)
    changed = [{"activation": "erf"}, {"activation": LeakyRelu(0.2), "depth": 1}, {}]
    described = [{"activation": "erf"}, {"activation": {"LeakyRelu": {"slope": 0.2}}, "depth": 1}]
    assert manifest("options", variants=changed) == (None, [*described, {}])


def test_a_folder_of_other_variants_is_refused(folder):
    compute_gram(NET, X, folder=folder, variants=[{}, {"train_last": False}])
    for several, named in (
        ({"variants": [{}, {"train_first": False}]}, r"variants: stored .*'train_last'.*asked"),
        ({"depths": (2,)}, r"depths: stored None, asked \[2\]"),
        ({}, r"variants: stored .*, asked None"),
    ):
        with pytest.raises(StoreMismatchError, match=named):
            compute_gram(NET, X, folder=folder, **several)


def test_equal_layers_whose_variants_differ_are_told_apart(folder):
    # The same network at depth 2, and none of its layers is trained at depth 4 of the second.
    one, other = fully_connected(2, frozen=2), fully_connected(2, frozen=4)
    assert one == other
    compute_gram(one, X, folder=folder, depths=(2, 4))
    with pytest.raises(StoreMismatchError, match="networks: stored"):
        compute_gram(other, X, folder=folder, depths=(2, 4))


@pytest.mark.parametrize("depths", [None, (1, 2)])
def test_a_folder_from_before_there_were_variants_is_read(folder, depths):
    wanted = np.asarray(compute_gram(NET, X, folder=folder, depths=depths).values["ntk"])
    manifest = json.loads((folder / "manifest.json").read_text())
    for key in ("variants", "networks"):
        del manifest[key]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    got = compute_gram(NET, X, folder=folder, depths=depths).values["ntk"]
    assert np.array_equal(np.asarray(got), wanted)
    with pytest.raises(StoreMismatchError, match="variants: stored None, asked"):
        compute_gram(NET, X, folder=folder, variants=[{}, {"train_last": False}])


def test_the_same_layers_under_another_name_are_the_same_network(folder):
    compute_gram(NET, X, folder=folder)
    compute_gram(Architecture(NET.layers), X, folder=folder)


def test_a_folder_of_other_things_is_refused_and_left_alone(folder):
    folder.mkdir(parents=True)
    (folder / "thesis.tex").write_text("dear")
    with pytest.raises(StoreMismatchError, match=r"not empty and holds no kernel"):
        compute_gram(NET, X, folder=folder)
    assert [p.name for p in folder.iterdir()] == ["thesis.tex"]
    for call in (compute_gram, plan_gram):
        with pytest.raises(StoreMismatchError, match=f"{call.__name__}: folder .* is a file"):
            call(NET, X, folder=folder / "thesis.tex")
        (folder.parent / call.__name__).symlink_to(folder / "unmounted")
        with pytest.raises(StoreMismatchError, match=r"is a link to a place that is not there"):
            call(NET, X, folder=folder.parent / call.__name__)


@pytest.mark.parametrize("name", ["", b"K", 5, True, "K\0", 1.5])
def test_a_folder_that_is_no_path_is_refused(name):
    for call in (compute_gram, plan_gram):
        with pytest.raises(SpecError, match=rf"{call.__name__}: folder must be a path, .* got"):
            call(NET, X, folder=name)


@pytest.mark.parametrize("name", ["thesis.tex/K", "k" * 300])
def test_a_folder_that_cannot_be_is_a_clear_error(tmp_path, name):
    (tmp_path / "thesis.tex").write_text("dear")
    for call in (compute_gram, plan_gram):
        with pytest.raises(OSError, match=f"{call.__name__}: cannot use folder .*Give another"):
            call(NET, X, folder=tmp_path / name)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_folder_where_the_system_keeps_no_files_is_a_clear_error():
    with pytest.raises(OSError, match=r"cannot write to folder /proc/K: .*give another folder"):
        compute_gram(NET, X, folder="/proc/K")
    with pytest.raises(StoreMismatchError, match="folder /proc is not empty and holds no kernel"):
        compute_gram(NET, X, folder="/proc")


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8, np.int8])
def test_integers_of_numpy_are_integers(monkeypatch, folder, kind):
    toy_engine.install(monkeypatch.setattr)
    options = {"tile": kind(8), "n_jobs": kind(2)}
    wanted = compute_gram(NET, X, **options).values["ntk"]
    gram = compute_gram(NET, X, folder=folder, depths=[kind(1), kind(2)], **options)
    assert np.array_equal(np.asarray(gram.values["ntk"])[1], wanted)
    assert json.loads((folder / "manifest.json").read_text())["tile"] == 8
    plan = plan_gram(NET, X, folder=folder, **options)
    times = {"seconds": plan.seconds, "starting": plan.starting}
    assert plan == replace(plan_gram(NET, X, folder=folder, tile=8, n_jobs=2), **times)
    assert type(plan.tile) is type(plan.disk_bytes) is int


def test_more_tiles_than_a_folder_can_hold_are_refused(monkeypatch, folder):
    toy_engine.install(monkeypatch.setattr)
    with pytest.raises(SpecError, match=r"tile=4 would make 4,501,500 files .* Give a larger tile"):
        plan_gram(NET, np.ones((12000, 1)), folder=folder, tile=4)
    plan_gram(NET, np.ones((12000, 1)), folder=folder, tile=8)


@pytest.mark.parametrize("get", [None, [["ntk"]], 3, (), ["ntk", "ntk"], "both", np.array([1.0])])
def test_what_is_no_field_is_refused(get):
    with pytest.raises(SpecError, match='get must be "nngp", "ntk" or both'):
        compute_gram(NET, X, get=get)


@pytest.mark.parametrize(
    ("text", "match"), [("{", "not sound JSON"), ("{}", "not the manifest"), ("[]", "not")]
)
def test_a_broken_manifest_is_refused(folder, text, match):
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(text)
    with pytest.raises(StoreMismatchError, match=match):
        compute_gram(NET, X, folder=folder)


def test_versions_must_agree_to_go_on_but_not_to_read(monkeypatch, folder):
    toy_engine.install(monkeypatch.setattr)
    compute_gram(NET, X, folder=folder, tile=8)
    monkeypatch.setattr(manifest_module.np, "__version__", "99.0")
    compute_gram(NET, X, folder=folder)
    _chunks(folder)[0].unlink()
    with pytest.raises(StoreMismatchError, match=r"versions\.numpy: stored .*, asked '99\.0'"):
        compute_gram(NET, X, folder=folder)


def test_a_stax_kernel_needs_a_name_for_a_folder(folder):
    def nameless(x1, x2, get):
        raise AssertionError("must not be called")

    with pytest.raises(SpecError, match=r"StaxNetwork\(kernel_fn, name="):
        compute_gram(nameless, X, folder=folder)
    assert not folder.exists()


def test_a_named_stax_kernel_is_known_by_its_name(monkeypatch, folder):
    toy_engine.install(monkeypatch.setattr)
    compute_gram(StaxNetwork(print, name="one"), X, folder=folder)
    compute_gram(StaxNetwork(print, name="one"), X, folder=folder)
    with pytest.raises(StoreMismatchError, match="stored 'stax:one', asked 'stax:two'"):
        compute_gram(StaxNetwork(print, name="two"), X, folder=folder)


def test_passes_that_were_cut_short_go_on_to_the_same_bits(folder):
    inputs = np.random.default_rng(1).normal(size=(300, 3, 3, 1))
    options = {"variants": [{"train_first": False}, {"readout": "flatten"}, {}], "tile": 128}
    wanted = compute_gram(cntk(2), inputs, folder=folder, **options).values["ntk"].read()
    journal = folder / "tiles.txt"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:2]) + lines[2][:9])
    for chunk in _chunks(folder)[3:]:
        chunk.unlink()
    got = compute_gram(cntk(2), inputs, folder=folder, **options).values["ntk"]
    assert len(journal.read_text().splitlines()) == len(lines) == 6
    assert np.array_equal(got.read(), wanted)
