"""CUDA source of a program: a fixed header (``*.cuh``) and a generated body; equal layers loop."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ntkreg.architecture import Flatten, GlobalAvgPool, Layer, LocalAvgPool, Relu
from ntkreg.kernels.compiled.arc_cosine import relu_dual
from ntkreg.kernels.image_cuda.axes import LANES
from ntkreg.kernels.image_cuda.lowering import DUALS, Step
from ntkreg.kernels.image_cuda.program import PLACES, CardProgram

__all__ = ["body_of", "front", "source_of"]


def body_of(card: CardProgram) -> str:
    """Return the generated part."""
    return _Body(card).text()


def source_of(card: CardProgram, words: str) -> str:
    """Return all text: the machine's words (`front()`, or others), the header, the body."""
    sizes = {"WARPS": card.warps, "BLOCKS": card.blocks, "COPIES": card.copies}
    defined = [f"#define {name} {size}" for name, size in sizes.items()]
    return "\n".join([*defined, words, _header(), body_of(card)])


def front() -> str:
    """Return the words of the card, on which all else is written."""
    return _text("device.cuh")


def _header() -> str:
    """Return the fixed part, with ReLU's constants."""
    dual = relu_dual("float32", 1.0)
    numbers = {
        "PLACES": str(PLACES),
        "TINY": _number(float(dual.tiny)),
        "ARC": ", ".join(_number(float(v)) for v in dual.a),
        "REST": ", ".join(_number(float(v)) for v in dual.c),
    }
    defined = [f"#define {name} {value}" for name, value in numbers.items()]
    return "\n".join([*defined, *(_text(name) for name in ("duals.cuh", "tiles.cuh", "reads.cuh"))])


def _text(name: str) -> str:
    return (Path(__file__).parent / name).read_text()


def _number(value: float) -> str:
    text = f"{np.float32(value):.9g}"
    return (text if any(c in text for c in ".en") else f"{text}.0") + "f"


def _mask(flags: Sequence[bool]) -> int:
    return sum(1 << k for k, flag in enumerate(flags) if flag)


class _Body:
    """Writes stages and the kernel."""

    def __init__(self, card: CardProgram) -> None:
        self.card = card
        self.numbers: list[str] = []
        self.table = 1  # number of the next layer's item; 0 are pixels

    def text(self) -> str:
        card = self.card
        stages = [self._stage(k) for k in range(len(card.axes))]
        count = max(len(self.numbers), 1)
        phases = [f"{{{p.stage}, {p.start}, {p.stop}}}" for p in card.schedule.phases]
        numbers = ",\n  ".join(self.numbers or ["{0.f, 1.f, 0.f, 1.f}"])
        return "\n".join(
            [
                "// bias, unit, parameter and rescaling of every layer; shares of sums.",
                f"CONSTANT Number NUMBERS[{count}] = {{\n  {numbers}}};",
                "",
                "// Stage, first tile and behind the last, one phase after the other.",
                f"CONSTANT int PHASES[{len(phases)}][3] = {{\n  {', '.join(phases)}}};",
                "",
                *stages,
                self._kernel(),
            ]
        )

    def _stage(self, k: int) -> str:
        card = self.card
        (rows, columns), stage = card.axes[k], card.program.stages[k]
        group, fields = card.groups(k), card.fields
        levels = [
            f"  typedef Level<{h}, {w}, {n}, {m}, {step}> L{number};"
            for number, (h, w, n, m, step) in enumerate(
                zip(rows.sizes, columns.sizes, rows.moduli, columns.moduli, rows.steps, strict=True)
            )
        ]
        tiles = [f"t{r}[{fields}][{card.rows(k)}]" for r in range(stage.registers)]
        lines = [
            f"DEVICE void stage_{k}(const int* tiles, int first, int last, const float* near_x, "
            "const float* near_z,",
            "                    const float* far_x, const float* far_z, double* sums, "
            "float* fields) {",
            *levels,
            f"  for (int begin = first; begin < last; begin += {LANES // group} * WARPS) {{",
            f"    const Tile<{group}> at(tiles, first, begin, last);",
            f"    F {', '.join(tiles)};",
            *self._begin(k, group),
        ]
        for run in _runs(self._keyed(k)):
            lines += self._run(k, run)
        if stage.pool:
            lines += self._pool(k, group)
        return "\n".join([*lines, "  }", "}", ""])

    def _begin(self, k: int, group: int) -> list[str]:
        card = self.card
        if k:
            offset, size = sum(card.field_sizes[:k]), card.schedule.sizes[k]
            lines = [f"    pooled<L0>(t0, at, fields + {offset}, {size});"]
            return lines
        x, z = self._place(0)
        lines = [f"    pixels<L0, {card.channels}>(t0[0], at, {x}, {z});"]
        if any(step.kind == "start" for step in card.steps[0]):
            lines.append("    no_tangents(t0);")
        return lines

    def _place(self, number: int) -> tuple[str, str]:
        """Where an item's numbers begin."""
        item, near = self.card.items[number], self.card.near
        if item.near:
            x, z = item.x_start - near[0].x_start, item.z_start - near[0].z_start
            return f"near_x + {x}", f"near_z + {z}"
        return f"far_x + {item.x_start}", f"far_z + {item.z_start}"

    def _keyed(self, k: int) -> list[tuple[Any, Step, int]]:
        """Steps with what must be equal in a loop, and their table's number."""
        keyed = []
        for step in self.card.steps[k]:
            if step.kind == "start":
                continue
            item = self.table if step.has_tables else 0
            self.table += step.has_tables
            near = self.card.items[item].near if step.has_tables else True
            o = replace(step.operation, factor=1.0, bias=0.0, trained=(), slot=0)
            key = (step.kind, o, step.trained, step.out, step.first, step.tangent, near,
                   step.bias != 0, step.number == 0 and step.first)  # fmt: skip
            keyed.append((key, step, item))
        return keyed

    def _run(self, k: int, run: "_Run") -> list[str]:
        """Lines of a loop, or of steps that come once."""
        first, lines = len(self.numbers), []
        for _, step, _ in run.all:
            self.numbers.append(_numbers_of(step))
        for place, (_, step, item) in enumerate(run.period):
            later = run.all[place + len(run.period)] if run.times > 1 else None
            rescales = any(s.rescale != 1 for _, s, _ in run.all[place :: len(run.period)])
            at = f"NUMBERS[{first + place}{f' + {len(run.period)} * k' if later else ''}]"
            lines += self._step(k, step, item, later, at, rescales)
        if run.times == 1:
            return [f"    {line}" for line in lines]
        head = f"    ROLLED for (int k = 0; k < {run.times}; ++k) {{"
        return [head, *(f"      {line}" for line in lines), "    }"]

    def _step(
        self, k: int, step: Step, item: int, later: Any, number: str, rescales: bool
    ) -> list[str]:
        o, fields, rows = step.operation, self.card.fields, self.card.rows(k)
        here = f"t{o.register}"
        if step.kind == "copy":
            return [f"copy_tile(t{o.other}, {here});"]
        if step.kind == "add":
            return [f"add_tile({here}, t{o.other}, {number}.unit);"]
        if step.kind == "shift":
            return [f"shift({here}, {1 + step.tangent}, {number}.unit);"]
        if step.kind == "read":
            slots = f"{o.slot}{_more(later and later[1].operation.slot - o.slot)}"
            readout = _readout(self.card.program.readouts[o.readout])
            place = f"sums + ({slots}) * {fields * PLACES}"
            return [f"read<L{o.level}, {readout}, {self.card.groups(k)}>({here}, at, {place});"]
        window = (
            f"Window<{self.card.groups(k)}, L{o.level_in}, L{o.level}, {o.window}, {o.stride}, "
            f"{o.origin[0]}, {o.origin[1]}, {_flag(o.circular)}>"
        )
        dual = DUALS[type(o.activation)]
        positive = isinstance(o.activation, Relu) and o.positive
        layer = (
            f"Layer<{window},\n            {'POSITIVE_' * positive}{dual}, {_mask(step.trained)}, "
            f"{_mask(step.out)}, {_flag(step.bias != 0)}, {_flag(step.first)}, {fields}, {rows}>"
        )
        x, z = self._place(item) if item else ("near_x", "near_z")
        if item and later:
            one, other = self.card.items[item], self.card.items[later[2]]
            x += _more(other.x_start - one.x_start)
            z += _more(other.z_start - one.z_start)
        lines = [f"{layer}::run({here}, at, {x}, {z}, {number});"]
        if rescales:
            lines.append(f"if ({number}.rescale != 1.f) rescale({here}, {number}.rescale);")
        return lines

    def _pool(self, k: int, group: int) -> list[str]:
        card, side = self.card, self.card.program.stages[k].pool
        end = card.program.stages[k].levels.index(card.program.stages[k].end)
        rows, columns = card.axes[k + 1]
        level = (rows.sizes[0], columns.sizes[0], rows.moduli[0], columns.moduli[0], rows.steps[0])
        offset, size = sum(card.field_sizes[: k + 1]), card.schedule.sizes[k + 1]
        return [
            f"    typedef Level<{', '.join(map(str, level))}> After;",
            "    // No two warps add to one entry in a turn.",
            f"    const int end = begin + {LANES // group} * WARPS;",
            "    const int stop = tiles[8 * ((end < last ? end : last) - 1) + 2];",
            "    for (int turn = tiles[8 * begin + 2]; turn <= stop; ++turn) {",
            "      if (anywhere(at.turn() == I(turn)))",
            f"        pool<L{end}, After, {side}, {group}>(t0, at, turn, fields + {offset},",
            f"          {size});",
            "      barrier();",
            "    }",
        ]

    def _kernel(self) -> str:
        card = self.card
        x_size, z_size = card.image_sizes
        near = card.near
        x, z = (near[0].x_start, near[0].z_start) if near else (0, 0)
        x_near, z_near = (near[-1].x_stop - x, near[-1].z_stop - z) if near else (0, 0)
        sums, fields = 2 * card.results * PLACES, sum(card.field_sizes)
        branches = " ".join(
            f"{'else ' if k else ''}if (stage == {k}) stage_{k}(tiles, first, last, near_x, "
            "near_z, far_x, far_z, sums, fields);"
            for k in range(len(card.axes))
        ).replace("; else", ";\n    else")
        return f"""KERNEL image_pairs(const float* xs, const float* zs, const int* pairs,
                        int n_pairs, const int* tiles, double* out) {{
  float* memory = shared_memory();
  double* sums = (double*)memory;
  float* fields = memory + {sums};
  float* near_x = fields + {fields};
  float* near_z = near_x + {x_near};
  // A block a pair, whose number costs no register, as that of a loop would.
  const float* far_x = xs + (size_t)pairs[2 * block_number()] * {x_size};
  const float* far_z = zs + (size_t)pairs[2 * block_number() + 1] * {z_size};
  copy(near_x, far_x + {x}, {x_near});
  copy(near_z, far_z + {z}, {z_near});
  clear(memory, {sums + fields});
  barrier();
  for (int phase = 0; phase < {len(card.schedule.phases)}; ++phase) {{
    const int stage = PHASES[phase][0], first = PHASES[phase][1], last = PHASES[phase][2];
    {branches}
    barrier();
  }}
  for (int k = first_thread(); k < {card.results}; k += all_threads()) {{
    double total = 0;
    for (int place = 0; place < PLACES; ++place) total += sums[k * PLACES + place];
    out[(size_t)k * n_pairs + block_number()] = total;
  }}
}}
"""


def _numbers_of(step: Step) -> str:
    unit = 1.0 if step.in_tables and step.kind == "layer" else step.unit
    each = (step.bias, unit, step.parameter, step.rescale)
    return "{" + ", ".join(map(_number, each)) + "}"


def _more(difference: int | None) -> str:
    return f" + {difference} * k" if difference else ""


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _readout(readout: Layer) -> str:
    match readout:
        case Flatten():
            return "FLATTEN"
        case GlobalAvgPool():
            return "GAP"
        case LocalAvgPool(c):
            return f"LAP<{c}>"
    raise NotImplementedError(repr(readout))


@dataclass(frozen=True)
class _Run:
    """Steps that repeat: `times` periods of them."""

    all: list[tuple[Any, Step, int]]
    times: int

    @property
    def period(self) -> list[tuple[Any, Step, int]]:
        return self.all[: len(self.all) // self.times]


_LONGEST = 8
"""Steps of the longest period looked for: a residual block has six."""


def _runs(keyed: list[tuple[Any, Step, int]]) -> list[_Run]:
    """Cut steps into runs, each as long as it can be, of short periods."""
    runs, at = [], 0
    while at < len(keyed):
        best = _Run(keyed[at : at + 1], 1)
        for period in range(1, _LONGEST + 1):
            times = 1
            while _repeats(keyed, at, period, times):
                times += 1
            if times > 1 and times * period > len(best.all):
                best = _Run(keyed[at : at + times * period], times)
        runs.append(best)
        at += len(best.all)
    return runs


def _repeats(keyed: list[tuple[Any, Step, int]], at: int, period: int, times: int) -> bool:
    """Whether the period comes once more, tables and slots by equal distances."""
    start = at + times * period
    if start + period > len(keyed):
        return False
    for k in range(period):
        one, other = keyed[start + k - period], keyed[start + k]
        if one[0] != other[0]:
            return False
        first, second = keyed[at + k], keyed[at + period + k]
        for number in (lambda e: e[2], lambda e: e[1].operation.slot):
            if number(other) - number(one) != number(second) - number(first):
                return False
    return True
