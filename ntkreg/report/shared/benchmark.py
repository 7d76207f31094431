"""What a study leaves in `benchmarks/`: Markdown beside its rows and a picture."""

from pathlib import Path
from typing import Any

__all__ = ["files_of", "provenance"]


def files_of(stem: str | Path, *suffixes: str) -> tuple[Path, ...]:
    """Return the paths ``stem`` + suffix; a dot in the stem's name stays."""
    stem = Path(stem)
    return tuple(stem.parent / f"{stem.name}{suffix}" for suffix in suffixes)


def provenance(record: dict[str, Any], config_text: str, *before: str) -> str:
    """Return configuration, command (and those to run `before` it), versions, as Markdown."""
    versions = "\n".join(f"{key}: {value}" for key, value in record["environment"].items())
    commands = "\n".join([*before, record["command"]])
    return (
        f"## Configuration\n\n```yaml\n{config_text}```\n\n"
        f"```sh\n{commands}\n```\n\n```\n{versions}\n```\n"
    )
