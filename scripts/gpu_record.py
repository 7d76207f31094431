"""What gpu_check.py leaves: rows, a record of how they came, and their page."""

import argparse
import csv
import json
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["command_of", "machine", "make_page", "read", "write", "write_rows"]


def read(stem: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Sections that were run before, which are kept but for those that are run again."""
    if not stem.with_suffix(".json").exists():
        return {"page": "cuda", "sections": {}}, []
    try:
        report = json.loads(stem.with_suffix(".json").read_text())
        with stem.with_suffix(".csv").open(newline="") as file:
            return {"page": "cuda", "sections": dict(report["sections"])}, list(
                csv.DictReader(file)
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SystemExit(
            f"{stem}.json and .csv are not what this script left there ({error}). Move them away, "
            "or give another --output."
        ) from error


def command_of(options: argparse.Namespace, sections: list[str]) -> str:
    """Return what was typed, without the folders of this machine."""
    words = ["--seconds", f"{options.seconds:g}"]
    words += ["--only", *options.only] if options.only != sections else []
    words += ["--data", "FILE"] if options.data else []
    words += ["--neural-tangents", "FOLDER"] if options.neural_tangents else []
    words += ["--emulated"] if options.emulated else []
    return shlex.join(["python", "scripts/gpu_check.py", *words])


def write(path: Path, value: Any) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(value, indent=1))
    draft.replace(path)


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    columns = list(dict.fromkeys(["section", "case", *(key for row in rows for key in row)]))
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def machine(emulated: bool) -> str:
    """The card and versions, asked in a process of its own: the parent never holds the card."""
    if emulated:
        return f"no card: emulated on {platform.processor() or platform.machine()}"
    asked = (
        "import cupy, numpy; p = cupy.cuda.runtime.getDeviceProperties(0);"
        "print(p['name'].decode(), p['multiProcessorCount'], 'multiprocessors, CuPy',"
        "cupy.__version__, ', CUDA', cupy.cuda.runtime.runtimeGetVersion(),"
        "', driver', cupy.cuda.runtime.driverGetVersion(), ', numpy', numpy.__version__)"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True)
    return f"{done.stdout.strip() or 'unknown card'}; Python {platform.python_version()}"


def make_page(stem: Path) -> None:
    """Write the Markdown table, where pandas and matplotlib are there to do it."""
    try:
        from bench_page import remake
    except ImportError as error:
        print(f"{error}: run python scripts/bench_page.py cuda where pandas and matplotlib are")
    else:
        remake(stem)
