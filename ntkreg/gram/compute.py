"""`kernel`, `compute_gram` and `plan_gram`: their keywords become one `KernelSpec` here."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ntkreg.gram.filling import Filling
from ntkreg.gram.gram import Gram, gram_of, kernel_of
from ntkreg.gram.plan import GramPlan, plan_of
from ntkreg.kernels import KernelSpec

__all__ = ["Gram", "compute_gram", "kernel", "plan_gram"]


def kernel(
    network: Any,
    X: Any,
    Z: Any = None,
    *,
    get: str | Sequence[str] = "ntk",
    depths: Sequence[int] | None = None,
    variants: Sequence[Mapping[str, Any]] | None = None,
    dtype: Any = None,
    diag: bool = False,
    normalize: str | None = None,
    symmetry: str | None = None,
    backend: str | None = None,
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> Any:
    r"""Return the exact NTK and/or NNGP kernel matrix of an infinitely wide network.

    NTK parametrisation; read-out, biases and trained layers as the network says; values
    are those of neural-tangents for the same network.

    Parameters
    ----------
    network : Architecture or neural-tangents kernel_fn
    X : array-like of shape (n, d) or (n, h, w, c)
    Z : array-like of shape (m, d) or (m, h, w, c), or None
        None for X with itself: half the work, exactly symmetric.
    get : {"ntk", "nngp"} or tuple of them, default="ntk"
    depths : sequence of int or None
        Several depths of the network: short for ``variants=[{"depth": d} for d in depths]``.
    variants : sequence of mappings or None
        Several networks at once: for each the options in which it differs from `network`, made
        by a recipe such as `cntk`; ``{}`` is the network itself. Depths, read-outs, half widths of
        local pooling and `train_last` come from one pass over the inputs, at the cost of the
        costliest of them, each choice of `train_first` or `frozen` of a ReLU network at about 0.3
        of it more; others, as `activation` or `window`, in a pass of their own. Values are those
        of each network alone.
    dtype : float32, float64, "mixed" or None
        None: float64 stays float64, float32 and uint8 give float32; the wider of X and Z.
        "mixed", for networks that read images: float32 arithmetic in the layers, read-outs
        and values in float64; the time of float32, the memory of float64.
    diag : bool, default=False
        Only K(x, x) of each row of X, as `n` values; Z must be None.
    normalize : {None, "unit_diagonal"}
        Divide by sqrt(K(x, x) K(z, z)); inputs with K(x, x) = 0 keep zeros.
    symmetry : {None, "flip"}
        "flip", for images: K averaged over the mirror image of one argument,
        (K(x, z) + K(x, F z)) / 2, where the network commutes with F
        (`ntkreg.architecture.commutes_with_flip`), else over both arguments. Twice the
        time, else four times. Ridge regression with it at alpha predicts what training on
        images and flips predicts at 2 alpha; `ntkreg.kernels.flip` derives it. With
        `normalize` the average is what gets a unit diagonal.
    backend : {None, "jax", "cuda"}
        None: compiled loops for the CPU. For networks that read images the same programs, to
        values that differ by rounding: "jax", through JAX on its default device (on a CPU the
        compiled loops are faster); "cuda", on NVIDIA cards, float32 and "mixed", images of up to
        32 x 32 pixels.
    n_jobs : int or None
        Threads; -1 for every CPU this process may use; None too, unless OMP_NUM_THREADS or
        LOKY_MAX_CPU_COUNT say less, as in the processes of a grid search. Changes no bit.
    progress : bool or None
        Progress bar; None for one on terminals if the work takes over two seconds.

    Returns
    -------
    ndarray of shape (n, m), or a tuple of them in the order of `get`
        With `variants` or `depths`, (n_variants, n, m); with `diag`, (n,) or (n_variants, n).

    Raises
    ------
    ShapeError, TypeError, ValueError
        Inputs of the wrong shape or type, or not finite.
    SpecError
        Unknown options, depths or variants of a network without a recipe, flips without images.
    PlanError
        The matrix does not fit into memory; `compute_gram` can put it in a folder.

    Notes
    -----
    Peak memory is the result and a few blocks a thread. Thread-safe.

    References
    ----------
    Jacot et al. 2018 (arXiv 1806.07572); Arora et al. 2019 (arXiv 1904.11955).

    Examples
    --------
    >>> import numpy as np
    >>> from ntkreg import fully_connected, kernel
    >>> X = np.sqrt(2) * np.eye(2)
    >>> nngp, ntk = kernel(fully_connected(depth=1), X, get=("nngp", "ntk"))
    >>> np.diag(nngp), np.diag(ntk)  # the NTK's diagonal is depth + 1 times the NNGP's
    (array([1., 1.]), array([2., 2.]))
    >>> kernel(fully_connected(), X, variants=[{"depth": 1}, {"train_last": False}]).shape
    (2, 2, 2)
    """
    spec = KernelSpec(
        network,
        get=get,
        depths=depths,
        variants=variants,
        dtype=dtype,
        normalize=normalize,
        symmetry=symmetry,
        backend=backend,
    )
    return kernel_of(spec, X, Z, diag=diag, n_jobs=n_jobs, progress=progress)


def compute_gram(
    network: Any,
    X: Any,
    Z: Any = None,
    *,
    get: str | Sequence[str] = "ntk",
    depths: Sequence[int] | None = None,
    variants: Sequence[Mapping[str, Any]] | None = None,
    dtype: Any = None,
    normalize: str | None = None,
    symmetry: str | None = None,
    backend: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    progress: bool | None = None,
    tile: int | None = None,
    other_machine: bool = False,
    extend: bool = False,
    shard: str | None = None,
    client: Any = None,
) -> Gram:
    """Compute a Gram matrix tile by tile, in memory or into a folder.

    Parameters
    ----------
    network, X, Z, get, depths, variants, dtype, normalize, symmetry, backend, n_jobs, progress
        As in `kernel`.
    folder : path or None
        Where to keep the tiles. A run that was stopped or killed goes on where it was, to
        the same bits; a complete folder is only read. A folder that belongs to another
        network, other data or other settings is refused. What one backend or device has
        begun only the same goes on with, on the same kind of CPU; a complete folder is read
        under any.
    tile : int or None
        Side of a tile in inputs, rounded up to whole blocks of the engine; changes no bit.
        A folder that exists keeps the tile it was begun with.
    other_machine : bool, default=False
        Go on with a folder that a machine with another CPU or BLAS has begun. The new tiles
        then agree with the old to rounding, not to the bit; the manifest says so.
    extend : bool, default=False
        The folder may hold the Gram of the first rows of X (and of Z): it grows to all of them,
        and whole tiles that are there are kept. Tiles that the old edge cut off are computed
        again; bits are those of all computed at once.
    shard : str or None
        "2/8": compute only the second of eight parts of the tiles, while seven other processes,
        on this machine or on others that see the folder, compute theirs. What others have not
        finished is NaN in the values returned; once all are, a call without `shard` reads it.
    client : distributed.Client, str or None
        A cluster of dask.distributed, or the address of its scheduler: its workers compute.
        Values come here, but for tiles of a folder that a worker sees under the same path: it
        writes them itself. Workers must have the same versions and, unless `other_machine`, the
        same CPU as the first of them; then bits are those of one machine. Workers may join, and
        die: only their tiles in work are computed again. `n_jobs` has no effect; each thread of a
        worker computes one tile at a time. Needs ``ntkreg[distributed]``.

    Returns
    -------
    Gram
        With a folder, its values are read from there when used: ``np.asarray(values)``,
        or ``values.read(rows, columns)`` for a part. They stay those of this folder when
        the process goes elsewhere; a tile deleted or damaged since is a `DataError` when read.

    Raises
    ------
    PlanError
        It cannot fit into memory or onto the disk; says what would.
    StoreMismatchError
        The folder holds something else, says what differs; or it was begun on another
        machine, or changed by something else than `compute_gram`.
    OSError
        The folder cannot be written (full, read-only, gone), or another process is at work on it.
    ConnectionError, RuntimeError
        No scheduler answers, or it is gone; workers keep dying of the same tiles.
    BackendError
        dask.distributed is not installed.
    KeyboardInterrupt
        On Ctrl-C, once the blocks in work are done; finished tiles stay in the folder.
    ShapeError, TypeError, ValueError, SpecError
        As `kernel`.

    Notes
    -----
    Peak memory beyond the inputs: see `plan_gram`. BLAS is held to one thread meanwhile,
    in the whole process. A folder holds manifest.json (network, hashes of the data,
    settings, versions, machine), values.zarr (an uncompressed Zarr array of format 3,
    n_fields, n_variants, n, m; only the upper triangle of tiles if symmetric) and tiles.txt
    (SHA-256 of each finished tile; shards have a file each in shards/). `open_gram` reads it
    without network and inputs.

    Examples
    --------
    >>> import numpy as np
    >>> from ntkreg import compute_gram, fully_connected
    >>> gram = compute_gram(fully_connected(2), np.eye(3), get=("nngp", "ntk"))
    >>> gram.values["ntk"].shape, gram.symmetric
    ((3, 3), True)
    """
    spec = KernelSpec(
        network,
        get=get,
        depths=depths,
        variants=variants,
        dtype=dtype,
        normalize=normalize,
        symmetry=symmetry,
        backend=backend,
    )
    return gram_of(
        spec,
        X,
        Z,
        folder=folder,
        n_jobs=n_jobs,
        progress=progress,
        tile=tile,
        how=Filling(other_machine=other_machine, extend=extend, shard=shard, client=client),
    )


def plan_gram(
    network: Any,
    X: Any,
    Z: Any = None,
    *,
    get: str | Sequence[str] = "ntk",
    depths: Sequence[int] | None = None,
    variants: Sequence[Mapping[str, Any]] | None = None,
    dtype: Any = None,
    normalize: str | None = None,
    symmetry: str | None = None,
    backend: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    tile: int | None = None,
) -> GramPlan:
    """Say what `compute_gram` with the same arguments would cost, without computing it.

    Parameters
    ----------
    network, X, Z, get, depths, variants, dtype, normalize, symmetry, backend
        As in `compute_gram`.
    folder, n_jobs, tile
        As in `compute_gram`.

    Returns
    -------
    GramPlan
        ``print`` it, or read its fields.

    Raises
    ------
    PlanError
        The work cannot fit into the free memory or, with a folder, onto its disk; the
        message says what would.
    StoreMismatchError
        The folder is a damaged one, or holds tiles that do not suit this Gram.
    ShapeError, TypeError, ValueError
        As `compute_gram`.

    Notes
    -----
    Times a few kernel values after a first call, which may compile: under a second
    beyond compilation for all but the largest networks (two pairs are the least). The
    estimate assumes that threads do not slow each other down.

    Examples
    --------
    >>> import numpy as np
    >>> from ntkreg import fully_connected, plan_gram
    >>> plan = plan_gram(fully_connected(2), np.eye(4), np.eye(5, 4))
    >>> plan.pairs, plan.result_bytes
    (20, 160)
    """
    spec = KernelSpec(
        network,
        get=get,
        depths=depths,
        variants=variants,
        dtype=dtype,
        normalize=normalize,
        symmetry=symmetry,
        backend=backend,
    )
    return plan_of(spec, X, Z, folder=folder, n_jobs=n_jobs, tile=tile)
