"""The last section of every page: how its figures came about."""

from ntkreg.report.shared.document import Code, Section
from ntkreg.report.shared.read import StudyFolder

__all__ = ["provenance"]


def provenance(study: StudyFolder, *before: str) -> Section:
    """Return command (after those to run `before` it), configuration with its hash, versions."""
    record = study.record()
    versions = "\n".join(f"{name}: {value}" for name, value in record["environment"].items())
    label = f"Configuration (hash {record['config_hash'][:12]})"
    return Section(
        "How this was made",
        (
            Code("Command", "\n".join([*before, record["command"]]), "sh"),
            Code(label if record["config_hash"] else "Configuration", study.config_text(), "yaml"),
            Code("Versions and machine", versions),
        ),
    )
