"""What a comparison of few-samples runs needs: the runs."""

from collections.abc import Iterator
from pathlib import Path

from ntkreg.studies.few_samples_compare.config import FewSamplesCompareConfig

__all__ = ["plan_few_samples_compare"]


def plan_few_samples_compare(
    config: FewSamplesCompareConfig, output: str | Path, *, n_jobs: int | None = None
) -> Iterator[str]:
    """Yield which runs are compared, and which of them are not there yet.

    Parameters
    ----------
    config : FewSamplesCompareConfig
    output, n_jobs
        As every study's plan takes them; no kernel is computed, and tables are small.
    """
    missing = [f for f in config.kernels.values() if not (Path(f) / "rows.csv").exists()]
    yield f"work    {len(config.kernels)} runs of `ntkreg few-samples` compared, no kernels"
    if missing:
        yield f"missing {', '.join(missing)}: run `ntkreg few-samples` into each first"
    yield "time    seconds"
