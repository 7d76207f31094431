"""What every study leaves beside its rows: configuration, hash, versions, machine."""

import importlib.metadata
import os
import platform
import sys
from pathlib import Path
from typing import Any

import yaml

import ntkreg
from ntkreg.storage import write_json, write_text
from ntkreg.studies.shared.config import config_hash, config_to_dict

__all__ = ["environment", "write_record"]

_LIBRARIES = ("numpy", "scipy", "scikit-learn", "numba", "pandas", "jax", "jaxlib", "optax")


def environment() -> dict[str, Any]:
    """Return versions and machine: what a reader needs to judge or repeat a figure."""
    return {
        "ntkreg": ntkreg.__version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in _LIBRARIES},
        "platform": platform.platform(),
        "processor": _processor(),
        "cpus": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:  # not every study needs every library
        return None


def write_record(folder: Path, config: Any, **extra: Any) -> None:
    """Write ``config.yaml`` and ``record.json`` (hash, command, versions, `extra`).

    Parameters
    ----------
    folder : Path
        Exists.
    config : frozen dataclass
    extra : JSON values
        Whatever the study wants to keep: timings, provenance of the data, sizes.
    """
    text = yaml.safe_dump(config_to_dict(config), sort_keys=False, default_flow_style=None)
    write_text(folder / "config.yaml", text)
    record = {
        "study": config.recorded_as,
        "config_hash": config_hash(config),
        "command": _command(),
        "environment": environment(),
        **extra,
    }
    write_json(folder / "record.json", record)


def _command() -> str:
    """Return the command line without the folders of this machine's interpreter."""
    program = Path(sys.argv[0])
    name = f"python -m {program.parent.name}" if program.name == "__main__.py" else program.name
    return " ".join([name, *sys.argv[1:]])


def _processor() -> str:
    """Return the processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((s.split(":", 1)[1].strip() for s in lines if s.startswith("model name")), "")
