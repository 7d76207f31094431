"""A tile program in words: what will run on which tiles, and where the work is."""

from collections.abc import Sequence
from itertools import groupby

from ntkreg.architecture import Identity
from ntkreg.kernels.image.geometry import Geometry, layer_entries
from ntkreg.kernels.image.program import ImageProgram, Op, Operation, Stage

__all__ = ["explain_image"]


def explain_image(program: ImageProgram, geometries: Sequence[Geometry]) -> str:
    """Return the program of an image network as text, a line an operation.

    Parameters
    ----------
    program : ImageProgram
    geometries : sequence of Geometry
        Of its stages.

    Returns
    -------
    str
        For every stage the pixels at its input, its tiles, their entries there (pairs of pixels),
        and its share of the work: of all entries that pass a LAYER, which take nearly all the
        time. Equal operations in a row stand on one line.
    """
    stages = list(zip(program.stages, geometries, strict=True))
    work = [layer_entries(stage, geometry) for stage, geometry in stages]
    lines = _describe_tangents(program)
    for k, (stage, geometry) in enumerate(stages):
        lines += ["", _heading(k, stages, geometry, work)]
        described = [_describe(o, stage, program) for o in stage.operations]
        for line, equal in groupby(described):
            times = len(list(equal))
            lines.append(f"  {line}" + (f"   ({times} times)" if times > 1 else ""))
        if stage.pool:
            side = f"{stage.pool} x {stage.pool}"
            lines.append(f"  POOL   {side}: every entry is added to one of the next stage")
    return "\n".join([*lines, "", *_describe_ends(program)])


def _describe_tangents(program: ImageProgram) -> list[str]:
    """Say which networks each T belongs to, if there are several."""
    whose: dict[int, list[str]] = {}
    for k, end in enumerate(program.ends):
        whose.setdefault(end.tangent, []).append(str(k + 1))
    each = (
        f"T{k + 1} of network{'s' if len(of) > 1 else ''} {', '.join(of)}"
        for k, of in sorted(whose.items())
    )
    several = "S is one for all networks, T one for each choice of trained layers:"
    return [several, f"{'; '.join(each)}."] if len(whose) > 1 else []


def _describe_trained(trained: tuple[float, ...]) -> list[str]:
    if not any(trained):
        return []
    fields = [f"T{k + 1}" for k, flag in enumerate(trained) if flag]
    return [("T" if all(trained) else ", ".join(fields)) + " + S"]


def _describe_ends(program: ImageProgram) -> list[str]:
    after = [", ".join(map(repr, end.tail)) or "nothing" for end in program.ends]
    if len(set(after)) == 1:
        return [f"After the read-out, on the sums alone: {after[0]}"]
    numbered = (f"  network {k + 1}: {layers}" for k, layers in enumerate(after))
    return ["After the read-out, on the sums alone:", *numbered]


def _heading(
    k: int, stages: Sequence[tuple[Stage, Geometry]], geometry: Geometry, work: Sequence[int]
) -> str:
    first = stages[k][0].levels[0]
    rows, columns = geometry.rows.length.shape[1], geometry.columns.length.shape[1]
    share = f", {work[k] / sum(work):.1%} of the work" if sum(work) else ""
    return (
        f"stage {k + 1} of {len(stages)}: {first.h} x {first.w} pixels, {rows * columns:,} tiles "
        f"({rows} x {columns} offsets), {geometry.entries:,} entries{share}"
    )


def _describe(o: Operation, stage: Stage, program: ImageProgram) -> str:
    if o.op == Op.COPY:
        return f"COPY   tile {o.register} to tile {o.other}"
    if o.op == Op.ADD:
        return f"ADD    tile {o.other} to tile {o.register}"
    if o.op == Op.READ:
        whose = [str(k + 1) for k, end in enumerate(program.ends) if end.read == o.slot]
        several = "s" if len(whose) > 1 else ""
        of = f" of network{several} {', '.join(whose)}" if len(program.ends) > 1 else ""
        return f"READ   the sums{of}, weights of {program.readouts[o.readout]!r}"
    before, after = stage.levels[o.level_in], stage.levels[o.level]
    parts = [] if stage.registers == 1 else [f"tile {o.register}"]
    if o.factor != 1 or o.window > 1 or o.stride > 1 or o.bias or any(o.trained):
        windows = f"S, T: sums over {o.window} x {o.window}"
        windows += f" every {o.stride}" if o.stride > 1 else ""
        windows += ", wrapped" if o.circular else ""
        parts += [f"{windows}, x {o.factor:.4g}"]
        parts += [f"S + {o.bias:.4g}"] if o.bias else []
        parts += _describe_trained(o.trained)
    parts += [] if isinstance(o.activation, Identity) else [f"dual of {o.activation!r}"]
    size = f" -> {after.h} x {after.w}" if after != before else ""
    return "LAYER  " + ", ".join(parts) + size
