"""Kill processes that fill kernel folders, damage what they left, and compare every bit at the end.

    python scripts/fault_run.py
    python scripts/fault_run.py --kills 5 --output results/faults     # a trial

A process dies by SIGKILL at a random moment, alone or as one of several shards; in between, tiles
are cut short, lose a bit or are deleted, journals lose their end, a disk is full, and others ask
for the same folder. After each, tiles that were finished and that nobody damaged must be there as
they were; each complete Gram must have the bits of one computed in memory.
"""

import argparse
import errno
import os
import random
import signal
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from bench_page import BENCHMARKS, keep

from ntkreg import cntk, compute_gram, fully_connected
from ntkreg.errors import StoreMismatchError
from ntkreg.gram.layout import Layout
from ntkreg.gram.manifest import read_manifest
from ntkreg.gram.manifest_schema import layout_of
from ntkreg.gram.tile_files import TileFiles

LONGEST = 0.5
"""Seconds after its start by which a process is killed."""

_rng = np.random.default_rng(0)
DENSE = _rng.normal(size=(5000, 20)).astype(np.float32)
IMAGES = _rng.normal(size=(400, 6, 6, 1)).astype(np.float32)
DEEP = {"get": ("nngp", "ntk"), "depths": (1, 3)}
CASES = {
    "symmetric, two kernels at two depths": (fully_connected(3), DENSE[:2500], None, DEEP),
    "rows x columns": (fully_connected(3), DENSE[:2500], DENSE[2500:], {}),
    "extended from the first 2500 rows": (fully_connected(3), DENSE, None, {"extend": True}),
    "images, unit diagonal": (cntk(2), IMAGES, None, {"normalize": "unit_diagonal"}),
}


class Run:
    """Folders filled under faults, and what came of each fault."""

    def __init__(self, seed: int, place: Path) -> None:
        self.random, self.place = random.Random(seed), place
        self.rows: list[dict] = []
        self.damaged: set[tuple[int, int]] = set()

    def fill(self, name: str, kills: int) -> int:
        """Fill a new folder until it is complete or so many processes died; return how many."""
        self.name = name
        self.network, self.X, self.Z, self.options = CASES[name]
        self.folder = self.place / f"kernel{len(self.rows)}"
        if self.options.get("extend"):
            compute_gram(self.network, self.X[:2500], folder=self.folder, n_jobs=1)
        died = 0
        while died < kills:
            before = self.whole()
            shards = self.random.choice([None, None, 2, 3])
            hurt = self.work(shards)
            self.note("killed" if shards is None else f"killed, of {shards} shards", before, hurt)
            died += hurt
            if not hurt:
                break
            self.random.choice([self.damage, self.damage, self.full_disk, self.others])()
        return died

    def work(self, shards: int | None) -> int:
        """Let processes work; kill one of them, or all, unless all end before."""
        parts = [None] if shards is None else [f"{k + 1}/{shards}" for k in range(shards)]
        children = [self.fork(lambda part=part: self.compute(shard=part)) for part in parts]
        victims = self.random.choice([children, children[:1]])
        time.sleep(self.random.uniform(0, LONGEST))
        for child in victims:
            os.kill(child, signal.SIGKILL)
        ends = {child: os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children}
        assert set(ends.values()) <= {0, -signal.SIGKILL}, ends
        return sum(end == -signal.SIGKILL for end in ends.values())

    def compute(self, **options) -> dict[str, np.ndarray]:
        """Fill the folder in this process."""
        options = {**self.options, "n_jobs": 2, "progress": False, **options}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged tiles are computed again
            return compute_gram(self.network, self.X, self.Z, folder=self.folder, **options).values

    def fork(self, work: Callable[[], object]) -> int:
        """Start a process that ends when its work does, with what is imported here."""
        child = os.fork()
        if child == 0:
            try:
                work()
            except BaseException as error:
                print(f"{type(error).__name__}: {error}", flush=True)
                os._exit(1)
            os._exit(0)
        return child

    def layout(self) -> Layout:
        """Return what the folder says that it holds."""
        return layout_of(read_manifest(self.folder))

    def whole(self) -> set[tuple[int, int]]:
        """Return the tiles that are there as they were computed."""
        if read_manifest(self.folder) is None:
            return set()
        files = TileFiles(self.folder, self.layout())
        return {tile for tile in files.checksums if files.is_whole(*tile)}

    def note(self, fault: str, before: set, died: int = 0, refused: int = 0, hurt: int = 0) -> None:
        """Keep what a fault came to; `before` are tiles that it must not have touched."""
        after = self.whole()
        # Tiles that the old edge cut off are computed again when a folder has grown.
        grown = after and self.options.get("extend") and self.layout().n == len(self.X)
        cut = {tile for tile in before if 2500 // self.layout().tile in tile} if grown else set()
        row = {
            "folder": self.folder.name,
            "case": self.name,
            "fault": fault,
            "processes killed": died,
            "tiles damaged": hurt,
            "refused": refused,
            "tiles before": len(before),
            "tiles after": len(after),
            "tiles lost": len(before - after - cut),
        }
        self.rows.append(row)
        print(*row.values(), sep=", ", flush=True)

    def damage(self) -> None:
        """Damage some finished tiles, or the end of a journal: the next process must find out."""
        before = sorted(self.whole())
        how = self.random.choice(["cut short", "a bit flipped", "deleted", "journal cut short"])
        chosen = self.random.sample(before, min(len(before), self.random.randint(1, 5)))
        if how == "journal cut short":
            journals = [self.folder / "tiles.txt", *self.folder.glob("shards/*.txt")]
            journal = self.random.choice([path for path in journals if path.exists()] or [None])
            if journal is None or journal.stat().st_size < 100:
                return
            os.truncate(journal, journal.stat().st_size - self.random.randint(1, 80))
            chosen = sorted(set(before) - self.whole())
        for i, j in chosen if how != "journal cut short" else ():
            path = self.folder / "values.zarr" / "c" / "0" / "0" / str(i) / str(j)
            held = bytearray(path.read_bytes())
            if how == "deleted":
                path.unlink()
            elif how == "cut short":
                os.truncate(path, self.random.randrange(len(held)))
            else:
                rows, columns = self.layout().extent(i, j)
                row, column = self.random.randrange(rows), self.random.randrange(columns)
                at = row * self.layout().tile + column
                held[4 * at + self.random.randrange(4)] ^= 1 << self.random.randrange(8)
                path.write_bytes(held)
        self.note(how, set(before) - set(chosen), hurt=len(set(before) - self.whole()))

    def full_disk(self) -> None:
        """Let a process find its disk full after some tiles; it must end with a clear error."""
        before, left = self.whole(), [self.random.randint(1, 40)]

        def work() -> None:
            write = TileFiles.write

            def filling_up(files: TileFiles, *arguments) -> None:
                left[0] -= 1
                if left[0] < 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                write(files, *arguments)

            TileFiles.write = filling_up
            try:
                self.compute()
            except OSError as error:
                if error.errno != errno.ENOSPC or "are kept" not in str(error):
                    raise

        child = self.fork(work)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        self.note("disk full", before)

    def others(self) -> None:
        """Ask for the folder while another process works on it, and for another network's Gram."""
        before, refused = self.whole(), 0
        child = self.fork(self.compute)
        time.sleep(0.1)
        try:
            self.compute()
        except BlockingIOError:
            refused += 1
        os.kill(child, signal.SIGKILL)
        died = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        try:
            compute_gram(self.network.replace(depth=7), self.X, self.Z, folder=self.folder)
        except StoreMismatchError:
            refused += 1
        self.note("second writer, wrong network", before, died=int(died), refused=refused)

    def finish(self) -> None:
        """Complete the folder and compare it with the Gram in memory, bit by bit."""
        before, found = self.whole(), self.compute()
        options = {k: v for k, v in self.options.items() if k != "extend"}
        wanted = compute_gram(self.network, self.X, self.Z, n_jobs=1, **options).values
        self.note("none, completed", before)
        wrong = sum(
            int(np.sum(np.asarray(found[name]).view(np.uint32) != values.view(np.uint32)))
            for name, values in wanted.items()
        )
        self.rows[-1] |= {"values": sum(v.size for v in wanted.values()), "wrong values": wrong}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100, help="processes to kill")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=BENCHMARKS)
    arguments = parser.parse_args()
    start, died = time.perf_counter(), 0
    with tempfile.TemporaryDirectory() as place:
        run = Run(arguments.seed, Path(place))
        names = list(CASES)
        while died < arguments.kills:
            name = names[len({row["folder"] for row in run.rows}) % len(names)]
            run.fill(name, min(arguments.kills - died, 30))
            run.finish()
            died = sum(row["processes killed"] for row in run.rows)
    record = {
        "command": f"python scripts/fault_run.py --kills {arguments.kills} --seed {arguments.seed}",
        "minutes": round((time.perf_counter() - start) / 60, 1),
    }
    print(keep(arguments.output / "faults", "faults", pd.DataFrame(run.rows), 12, **record))


if __name__ == "__main__":
    main()
