"""`gram_status`: what a kernel folder holds and how far it is, from its own files alone."""

import itertools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ntkreg.architecture import from_dict
from ntkreg.errors import DataError, SpecError
from ntkreg.gram.hold import is_held
from ntkreg.gram.layout import Layout
from ntkreg.gram.manifest import MANIFEST, check_folder, read_manifest
from ntkreg.gram.manifest_schema import layout_of
from ntkreg.gram.paths import VALUES
from ntkreg.gram.plan import readable_time
from ntkreg.gram.tile_files import TileFiles
from ntkreg.gram.tiles import iter_tiles
from ntkreg.machine import readable, stored_bytes

__all__ = ["GramStatus", "gram_status"]

_LATEST = 200
"""Tiles, written last, whose times say how fast the work goes."""

_PAUSE = 20
"""A gap between two tiles of so many times the next smaller one is a pause, as between two runs."""

_FEW = 4
"""Gaps that must be left beside a pause: threads that end together leave a long one as well."""

_AT_WORK = {
    True: "a process is at work",
    False: "nobody is at work",
    None: "whether anybody is at work cannot be told here",
}


@dataclass(frozen=True)
class GramStatus:
    """What a kernel folder holds.

    Attributes
    ----------
    folder : Path
    network : str
        As its maker says.
    layout : Layout
        Shape, dtype and tiles.
    options : dict
        Normalisation and symmetry, where there are any.
    done : int
        Tiles that are finished, of ``layout.tiles``.
    pairs, pairs_done : int
        Pairs of inputs in all tiles, and in those that are finished.
    stored_bytes : int
        On the disk now.
    rate : float or None
        Pairs a second at the latest tiles, pauses left out; None while there are too few.
    at_work : bool or None
        Whether a process works on it now; None where nobody can say.
    made_by : str
        Engine, versions and machine.
    """

    folder: Path
    network: str
    layout: Layout
    options: dict[str, Any]
    done: int
    pairs: int
    pairs_done: int
    stored_bytes: int
    rate: float | None
    at_work: bool | None
    made_by: str

    @property
    def complete(self) -> bool:
        """Whether every tile is finished."""
        return self.done == self.layout.tiles

    @property
    def seconds_left(self) -> float | None:
        """What the rest will take at `rate`; None where that is not known."""
        if self.complete:
            return 0.0
        return None if self.rate is None else (self.pairs - self.pairs_done) / self.rate

    def __str__(self) -> str:
        layout = self.layout
        several = f", {layout.n_variants} variants" if layout.n_variants else ""
        half = ", symmetric" if layout.symmetric else ""
        said = "".join(f", {name} {value}" for name, value in self.options.items())
        whole = readable(layout.tiles * layout.file_bytes)
        lines = [
            f"{' and '.join(name.upper() for name in layout.fields)} of {self.network}",
            f"size    {layout.n} x {layout.m}{half}{several}, {layout.dtype}{said}",
            f"tiles   {self.done:,} of {layout.tiles:,} ({self.done / layout.tiles:.1%}), side "
            f"{layout.tile}",
            f"disk    {readable(self.stored_bytes)} of {whole} in {self.folder}",
        ]
        if self.rate is not None:
            lines.append(f"rate    {self.rate:,.3g} pairs a second at the latest tiles")
        if not self.complete:
            left = self.seconds_left
            time_left = "not known yet" if left is None else f"about {readable_time(left)}"
            open_pairs = self.pairs - self.pairs_done
            lines.append(f"left    {open_pairs:,} pairs, {time_left}; {_AT_WORK[self.at_work]}")
        return "\n".join([*lines, f"made by {self.made_by}"])


def gram_status(folder: str | os.PathLike[str]) -> GramStatus:
    """Say what a kernel folder holds, how far it is, and how long the rest will take.

    Parameters
    ----------
    folder : path
        One that `ntkreg.compute_gram` fills, or has filled, whoever made it. It is only read.

    Returns
    -------
    GramStatus
        ``print`` it, or read its fields.

    Raises
    ------
    FileNotFoundError
        There is no kernel folder.
    StoreMismatchError, DataError, PlanError, OSError, SpecError
        As `ntkreg.open_gram`.

    Notes
    -----
    Tiles count as their journal says: those damaged since show when they are read. The rate comes
    from when the files of the latest tiles were written, which a copy may not keep.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from ntkreg import compute_gram, fully_connected, gram_status
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = compute_gram(fully_connected(2), np.eye(3), folder=folder)
    ...     gram_status(folder).complete
    True
    """
    path = check_folder(folder, "gram_status")
    manifest = read_manifest(path)
    if manifest is None:
        raise FileNotFoundError(
            f"gram_status: there is no kernel folder at {path} (no {MANIFEST})."
        )
    layout = layout_of(manifest)
    files = TileFiles(path, layout)
    pairs = {(t.i, t.j): t.pairs(layout.symmetric) for t in iter_tiles(layout, layout.tile)}
    latest = [(when, pairs[tile]) for when, tile in files.recent(_LATEST)]
    versions = " ".join(f"{name} {of}" for name, of in manifest["versions"].items())
    machines = [manifest.get("machine") or {}, *(manifest.get("other_machines") or [])]
    cpus = " and ".join(dict.fromkeys(each.get("cpu", "an unknown CPU") for each in machines))
    return GramStatus(
        folder=path,
        network=_printable(_network(manifest["network"])),
        layout=layout,
        options={n: manifest[n] for n in ("normalize", "symmetry") if manifest.get(n)},
        done=len(files.checksums),
        pairs=sum(pairs.values()),
        pairs_done=sum(pairs[tile] for tile in files.checksums),
        stored_bytes=stored_bytes(path / VALUES),
        rate=_rate(latest),
        at_work=is_held(path),
        made_by=_printable(f"{manifest['engine']}, {versions}, on {cpus}"),
    )


def _rate(latest: list[tuple[float, int]]) -> float | None:
    """Return pairs a second from times in order and the pairs that were done then."""
    gaps = [(later[0] - sooner[0], later[1]) for sooner, later in itertools.pairwise(latest)]
    counted = sorted(gaps, reverse=True)
    # More of them than one in a hundred are no pauses, but what threads take that end together.
    for k in range(1 + len(gaps) // 100, 0, -1):
        if k < len(counted) and counted[k - 1][0] > _PAUSE * counted[k][0]:
            counted = counted[k:] if len(counted) - k >= _FEW else []
            break
    seconds = sum(gap for gap, _ in counted)
    return sum(pairs for _, pairs in counted) / seconds if seconds > 0 else None


def _network(described: dict[str, Any]) -> str:
    """Return a network as it prints; of one that is none of ours its name or fingerprint."""
    try:
        layers = {k: v for k, v in described.items() if k != "fingerprint"}
        return repr(from_dict(layers))
    except (SpecError, DataError, TypeError, ValueError):
        return str(described.get("name") or f"network {described['fingerprint'][:12]}")


def _printable(text: str) -> str:
    """Return text whose characters do nothing to a terminal, and not too many of them."""
    return "".join(c if c.isprintable() else "?" for c in text[:1000])
