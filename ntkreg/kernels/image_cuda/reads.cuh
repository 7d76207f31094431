// Weights of read-outs along an axis of n pixels, whole numbers; what they are divided by is the
// host's.
struct GAP {
  static constexpr bool EVEN = true;
  DEVICE static I weight(I, I, int) { return I(1); }
};
struct FLATTEN {
  static constexpr bool EVEN = false;
  DEVICE static I weight(I p, I q, int) { return select(p == q, I(1), I(0)); }
};
template <int C> struct LAP {
  static constexpr bool EVEN = false;
  DEVICE static I weight(I p, I q, int n) {
    const I low = select(p < q, p, q), high = select(p < q, q, p);
    const I top = select(low + I(C) < I(n - 1), low + I(C), I(n - 1));
    const I bottom = select(high > I(C), high - I(C), I(0));
    return select(top >= bottom, top - bottom + I(1), I(0));
  }
};
DEVICE I within(I weight, I p, I q, int n) { return select(p < I(n) && q < I(n), weight, I(0)); }

// A READ: a lane's rows in float32, lanes and tiles in float64, into the sum of the tile's place.
template <class L, class R, int GROUP, int FIELDS, int N>
DEVICE void read(const F (&t)[FIELDS][N], const Tile<GROUP>& at, double* sums) {
  const I lane = select(at.lane < I(L::COLUMNS), at.lane, I(0));
  const I q = wrapped(lane + at.column * I(L::STEP), L::COLUMNS);
  const I across = select(at.lane < I(L::W), within(R::weight(lane, q, L::W), lane, q, L::W), I(0));
  F sum[FIELDS];
  UNROLLED
  for (int f = 0; f < FIELDS; ++f) sum[f] = F(0.f);
  UNROLLED
  for (int i = 0; i < L::H; ++i) {
    if (R::EVEN && L::H == L::ROWS) {
      UNROLLED
      for (int f = 0; f < FIELDS; ++f) sum[f] = sum[f] + t[f][i];
    } else {
      const I r = wrapped(I(i) + at.row * I(L::STEP), L::ROWS);
      const F down = F(within(R::weight(I(i), r, L::H), I(i), r, L::H));
      UNROLLED
      for (int f = 0; f < FIELDS; ++f) sum[f] = fused(down, t[f][i], sum[f]);
    }
  }
  const B counts = across > I(0);
  UNROLLED
  for (int f = 0; f < FIELDS; ++f) {
    D total = select(counts, widened(sum[f]) * D(across), D(0.0));
    UNROLLED
    for (int o = GROUP / 2; o; o /= 2) total = total + from_after<GROUP>(total, o);
    const B first = at.there() && at.lane == I(0);
    const I place = at.place() + I(f * PLACES);
    store(sums, place, load(sums, place) + total, first);
  }
}

// From a field that poolings left in shared memory, which is cleared for what comes next.
template <class L, int GROUP, int FIELDS, int N>
DEVICE void pooled(F (&t)[FIELDS][N], const Tile<GROUP>& at, float* field, int size) {
  const B here = at.there() && at.lane < I(L::W);
  const I lane = select(here, at.lane, I(0)) + at.from();
  UNROLLED
  for (int f = 0; f < FIELDS; ++f) {
    UNROLLED
    for (int i = 0; i < L::H; ++i) {
      const I place = lane + I(f * size + i * L::COLUMNS);
      t[f][i] = select(here, load(field, place), F(0.f));
      store(field, place, F(0.f), here);
    }
  }
}

// A POOL of SIDE x SIDE pixels, from tiles at level L to those at level M of the next stage. Rows
// and columns of offset d belong to pairs of windows e = d / SIDE apart or e + 1: two places
// each (`to` of rows, `into` of columns, -1 where nothing is read). Neighbouring lanes that go to
// one entry are summed first; the first of them adds it. Done in turns, of which no two tiles add
// to one entry.
template <class L, class M, int SIDE, int GROUP, int FIELDS, int N>
DEVICE void pool(const F (&t)[FIELDS][N], const Tile<GROUP>& at, int turn, float* field, int size) {
  const I rest_row = at.row - at.row / I(SIDE) * I(SIDE), each_row = at.row / I(SIDE);
  const I rest = at.column - at.column / I(SIDE) * I(SIDE), each = at.column / I(SIDE);
  const I coarse = at.lane / I(SIDE), part = at.lane - coarse * I(SIDE);
  // One window all around: e + 1 is e.
  const B single = I(M::COLUMNS) == I(1);
  const B next = !single && part + rest >= I(SIDE);
  const I into = select(next, at.into(1), at.into(0));
  const I q = wrapped(coarse + each + select(next, I(1), I(0)), M::COLUMNS);
  const B inside = coarse < I(M::W) && wrapped(q, M::COLUMNS) < I(M::W);
  const B leads = part == I(0) || (next && part + rest == I(SIDE));
  const B first = at.there() && at.turn() == I(turn) && inside && into >= I(0) && leads;
  F take[SIDE];
  UNROLLED
  for (int a = 1; a < SIDE; ++a)
    take[a] = select(
        part + I(a) < I(SIDE) && (single || (part + I(a) + rest >= I(SIDE)) == next), F(1.f), F(0.f));
  const bool both = anywhere(rest_row > I(0));
  UNROLLED
  for (int i = 0; i < M::H; ++i) {
    UNROLLED
    for (int half = 0; half < 2; ++half) {
      if (half && !both) continue;
      const I to = at.to(half);
      const I row = wrapped(I(i + half) + each_row, M::ROWS);
      const B goes = rest_row + I(1) > I(half) && row < I(M::H);
      const B here = first && to >= I(0) && goes;
      const I place = select(here, to + into + coarse, I(0)) + I(i * M::COLUMNS);
      UNROLLED
      for (int f = 0; f < FIELDS; ++f) {
        F v = F(0.f);
        UNROLLED
        for (int a = 0; a < SIDE; ++a)
          v = add_where((I(a) + rest_row >= I(SIDE)) == (I(half) > I(0)), v, t[f][SIDE * i + a]);
        F sum = v;
        UNROLLED
        for (int a = 1; a < SIDE; ++a) sum = fused(take[a], from_after<GROUP>(v, a), sum);
        store(field, place + I(f * size), load(field, place + I(f * size)) + sum, here);
      }
    }
  }
}
