// Tiles: the entries (p, p + d) of one offset d, a column a lane, rows in registers.
//
// Offsets are those of packed tiles: p' = (p + d) mod N, so that the tile of d holds the pairs of
// d and those of d - N. What must not count is left out: sums over windows skip the seam between
// the two, and pixels that are in no image (where N > n, or where a lane has no column).

// h x w pixels of tiles with moduli ROWS and COLUMNS; an offset at the stage's end is STEP here.
template <int H_, int W_, int ROWS_, int COLUMNS_, int STEP_> struct Level {
  static constexpr int H = H_, W = W_, ROWS = ROWS_, COLUMNS = COLUMNS_, STEP = STEP_;
};

DEVICE I wrapped(I v, int n) { return select(v >= I(n), v - I(n), v); }
DEVICE I before(I v, int n) { return select(v < I(0), v + I(n), v); }

// What is asked for seldom is made anew each time: registers are few.
template <int GROUP> struct Tile {
  I row, column;  // offset, at the stage's end
  I lane;         // number of the column
  I number;       // among all tiles, `first` to `last` those of this phase
  int first, last;
  const int* tiles;

  DEVICE Tile(const int* tiles_, int first_, int begin, int last_)
      : first(first_), last(last_), tiles(tiles_) {
    const I all = lane_number(), group = all / I(GROUP);
    lane = anew(all - group * I(GROUP));  // else the thread's number stays in a register, too
    number = I(begin + warp_number() * (32 / GROUP)) + group;
    row = of(0), column = of(1);
  }
  // Whether there is a tile for these lanes at all.
  DEVICE B there() const { return number < I(last); }
  // Which sum of a read-out it adds to: one lane's alone, as long as WARPS divides 16, and the same
  // for any WARPS.
  DEVICE I place() const {
    const I k = number - I(first);
    return k - k / I(PLACES * 8 / GROUP) * I(PLACES * 8 / GROUP);
  }
  // Of poolings, see below.
  DEVICE I turn() const { return of(2); }
  DEVICE I from() const { return of(3); }
  DEVICE I to(int next) const { return of(4 + next); }
  DEVICE I into(int next) const { return of(6 + next); }
  DEVICE I of(int k) const {
    return load(tiles, select(number < I(last), number, I(last - 1)) * I(8) + I(k));
  }
};

// The numbers of a layer, or pixels of a channel, of both images, row after row. Where z's rows are
// there once (COPIES), the one behind the last is the first.
template <class L, int GROUP> struct Table {
  static constexpr int BYTES = sizeof(float);
  const float *x, *z;
  I x_bytes, z_bytes;
  DEVICE Table(const Tile<GROUP>& t, const float* x_, const float* z_) : x(x_), z(z_) {
    const I lane = select(t.lane < I(L::COLUMNS), t.lane, I(0));
    const I q = wrapped(lane + t.column * I(L::STEP), L::COLUMNS);
    x_bytes = lane * I(BYTES);
    z_bytes = (t.row * I(L::STEP * L::COLUMNS) + q) * I(BYTES);
  }
  DEVICE F of_x(int i) const { return load_behind(x + i * L::COLUMNS, x_bytes); }
  DEVICE F of_z(int i) const { return load_behind(z + i * L::COLUMNS, z_bytes); }
  // Before row i + 1 is read; `last` is the row that goes with z's last.
  DEVICE void next(int i, I last) {
    if (COPIES == 1)
      z_bytes = less_where_equal(z_bytes, L::ROWS * L::COLUMNS * BYTES, I(i), last);
  }
  DEVICE static I last(const Tile<GROUP>& t) { return I(L::ROWS - 1) - t.row * I(L::STEP); }
};

DEVICE void copy(float* to, const float* from, int n) {
  for (int k = first_thread(); k < n / 4; k += all_threads())
    ((Four*)to)[k] = ((const Four*)from)[k];
}
DEVICE void clear(float* to, int n) {
  for (int k = first_thread(); k < n; k += all_threads()) to[k] = 0.f;
}

// Products of pixels, summed over channels.
template <class L, int CHANNELS, int GROUP, int N>
DEVICE void pixels(F (&s)[N], const Tile<GROUP>& t, const float* x, const float* z) {
  UNROLLED
  for (int i = 0; i < L::H; ++i) s[i] = F(0.f);
  CHANNEL_LOOP
  for (int c = 0; c < CHANNELS; ++c) {
    Table<L, GROUP> of(t, x + c * L::H * L::COLUMNS, z + c * COPIES * L::ROWS * L::COLUMNS);
    const I last = of.last(t);
    UNROLLED
    for (int i = 0; i < L::H; ++i) {
      s[i] = fused(of.of_x(i), of.of_z(i), s[i]);
      of.next(i, last);
    }
  }
}

template <int FIELDS, int N> DEVICE void no_tangents(F (&t)[FIELDS][N]) {
  UNROLLED
  for (int f = 1; f < FIELDS; ++f) {
    UNROLLED
    for (int i = 0; i < N; ++i) t[f][i] = F(0.f);
  }
}

// Windows of WINDOW pixels, STRIDE apart, the first TOP and LEFT before the image.
template <int GROUP_, class IN_, class OUT_, int WINDOW, int STRIDE, int TOP, int LEFT,
          bool CIRCULAR>
struct Window {
  static constexpr int GROUP = GROUP_;
  typedef IN_ In;
  typedef OUT_ Out;
  static constexpr bool POINT = WINDOW == 1 && STRIDE == 1;
  static constexpr bool NEAR = WINDOW == 3 && STRIDE == 1 && TOP == 1 && !CIRCULAR;
  static constexpr bool WHOLE = In::H == Out::ROWS;
  F mask[WINDOW];
  I source[WINDOW];
  I row;      // offset
  I seam;     // of rows i and i + 1, one behind the seam on z
  I seam_up;  // the row whose upper neighbour is behind it

  // First and last p' whose window has its pixel k in the image.
  DEVICE static constexpr int low(int k, int origin) {
    return k >= origin ? 0 : (origin - k + STRIDE - 1) / STRIDE;
  }
  DEVICE static constexpr int high(int k, int origin, int pixels) {
    return (pixels - 1 + origin - k) < 0 ? -1 : (pixels - 1 + origin - k) / STRIDE;
  }

  DEVICE Window(const Tile<GROUP>& t) {
    row = t.row * I(Out::STEP);
    seam = anew(before(I(Out::H - 1) - row, Out::ROWS));
    seam_up = anew(before(I(0) - row, Out::ROWS));
    const I lane = select(t.lane < I(Out::COLUMNS), t.lane, I(0));
    const I q = wrapped(lane + t.column * I(Out::STEP), Out::COLUMNS);
    UNROLLED
    for (int k = 0; k < WINDOW; ++k) {
      const I p = t.lane * I(STRIDE) + I(k - LEFT), other = q * I(STRIDE) + I(k - LEFT);
      const B inside = p >= I(0) && p < I(In::W) && other >= I(0) && other < I(In::W);
      mask[k] = select(inside, F(1.f), F(0.f));
      const I around = p + I(WINDOW * In::W);
      source[k] = CIRCULAR ? around - around / I(In::W) * I(In::W) : select(inside, p, I(0));
    }
  }

  // Sum of one row's windows, from sums over rows.
  DEVICE F along(F v) const {
    if (POINT) return v;
    F sum = STRIDE == 1 && !CIRCULAR ? v : F(0.f);
    UNROLLED
    for (int k = 0; k < WINDOW; ++k) {
      if (CIRCULAR) sum = sum + from_lane<GROUP>(v, source[k]);
      else if (STRIDE > 1) sum = fused(mask[k], from_lane<GROUP>(v, source[k]), sum);
      else if (k < LEFT) sum = fused(mask[k], from_before<GROUP>(v, LEFT - k), sum);
      else if (k > LEFT) sum = fused(mask[k], from_after<GROUP>(v, k - LEFT), sum);
    }
    return sum;
  }

  // Sum over the rows of a window, any window.
  template <int N> DEVICE F down(const F (&t)[N], int i) const {
    F sum = F(0.f);
    UNROLLED
    for (int k = 0; k < WINDOW; ++k) {
      int from = STRIDE * i + k - TOP;
      if (CIRCULAR) from = (from + WINDOW * In::H) % In::H;
      if (from < 0 || from >= In::H) continue;
      bool all = true;
      B cut = I(0) > I(0);
      if (!CIRCULAR) {
        UNROLLED
        for (int q = 0; q < low(k, TOP); ++q) {
          all = false;
          cut = cut || before(I(q) - row, Out::ROWS) == I(i);
        }
        UNROLLED
        for (int q = high(k, TOP, In::H) + 1; q < Out::H; ++q) {
          all = false;
          cut = cut || before(I(q) - row, Out::ROWS) == I(i);
        }
      }
      sum = all ? sum + t[from] : add_where(!cut, sum, t[from]);
    }
    return sum;
  }
};

// A LAYER: sums over windows, a bias, the dual of PHI. Bits of TRAINED: fields that the layer's own
// covariance is part of; of OUT: those that carry the next layer's S, too. FIRST: no tangent yet.
template <class C, class PHI, int TRAINED, int OUT, bool BIASED, bool FIRST, int FIELDS, int N>
struct Layer {
  static constexpr int GROUP = C::GROUP;
  typedef Table<typename C::Out, GROUP> Numbers;
  DEVICE static void finish(F (&v)[FIELDS], const C& window, Numbers& table,
                            const Number& number, int i, I last) {
    UNROLLED
    for (int f = 0; f < (FIRST ? 1 : FIELDS); ++f) v[f] = window.along(v[f]);
    if (BIASED) v[0] = v[0] + F(number.bias);
    UNROLLED
    for (int f = 1; f < FIELDS; ++f) {
      const bool trained = TRAINED >> (f - 1) & 1;
      if (FIRST) v[f] = trained ? v[0] : F(0.f);
      else if (BIASED && trained) v[f] = v[f] + F(number.bias);
    }
    F slope;
    if (activate(PHI(), v[0], table, number, i, slope)) {
      UNROLLED
      for (int f = 1; f < FIELDS; ++f)
        v[f] = OUT >> (f - 1) & 1 ? fused(v[f], slope, v[0]) : v[f] * slope;
    } else {
      UNROLLED
      for (int f = 1; f < FIELDS; ++f)
        if (OUT >> (f - 1) & 1) v[f] = v[f] + v[0];
    }
    table.next(i, last);
  }
  template <class P> DEVICE static bool activate(P, F& v, const Numbers& table,
                                                 const Number& number, int i, F& slope) {
    F value;
    P::dual(v, table.of_x(i), table.of_z(i), number, value, slope);
    v = value;
    return true;
  }
  DEVICE static bool activate(IDENTITY, F&, const Numbers&, const Number&, int, F&) {
    return false;
  }

  DEVICE static void run(F (&t)[FIELDS][N], const Tile<GROUP>& at, const float* x, const float* z,
                         const Number& number) {
    const C window(at);
    Numbers table(at, x, z);
    // The same row, but with a name of its own only where there must be one: registers are few.
    const I last = C::NEAR && C::Out::H == C::Out::ROWS ? window.seam : table.last(at);
    const int sums = FIRST ? 1 : FIELDS;
    F v[FIELDS];
    if (C::POINT) {
      UNROLLED
      for (int i = 0; i < C::Out::H; ++i) {
        UNROLLED
        for (int f = 0; f < sums; ++f) v[f] = t[f][i];
        finish(v, window, table, number, i, last);
        UNROLLED
        for (int f = 0; f < FIELDS; ++f) t[f][i] = v[f];
      }
    } else if (C::NEAR) {
      // A row and the one above are added before the row above is overwritten.
      F upper[FIELDS];
      UNROLLED
      for (int f = 0; f < sums; ++f) upper[f] = t[f][0];
      UNROLLED
      for (int i = 0; i < C::Out::H; ++i) {
        const F joined = select(I(i) != window.seam, F(1.f), F(0.f));
        const F next_joined =
            C::WHOLE ? joined : select(I(i + 1) != window.seam_up, F(1.f), F(0.f));
        UNROLLED
        for (int f = 0; f < sums; ++f) {
          v[f] = upper[f];
          if (i + 1 < C::In::H) {
            v[f] = fused(joined, t[f][i + 1], v[f]);
            upper[f] = fused(next_joined, t[f][i], t[f][i + 1]);
          }
        }
        finish(v, window, table, number, i, last);
        UNROLLED
        for (int f = 0; f < FIELDS; ++f) t[f][i] = v[f];
      }
    } else {
      F next[FIELDS][C::Out::H];
      UNROLLED
      for (int i = 0; i < C::Out::H; ++i) {
        UNROLLED
        for (int f = 0; f < sums; ++f) v[f] = window.down(t[f], i);
        finish(v, window, table, number, i, last);
        UNROLLED
        for (int f = 0; f < FIELDS; ++f) next[f][i] = v[f];
      }
      UNROLLED
      for (int f = 0; f < FIELDS; ++f) {
        UNROLLED
        for (int i = 0; i < C::Out::H; ++i) t[f][i] = next[f][i];
      }
    }
  }
};

template <int FIELDS, int N> DEVICE void rescale(F (&t)[FIELDS][N], float by) {
  UNROLLED
  for (int f = 0; f < FIELDS; ++f) {
    UNROLLED
    for (int i = 0; i < N; ++i) t[f][i] = t[f][i] * F(by);
  }
}

template <int FIELDS, int N> DEVICE void copy_tile(F (&to)[FIELDS][N], const F (&from)[FIELDS][N]) {
  UNROLLED
  for (int f = 0; f < FIELDS; ++f) {
    UNROLLED
    for (int i = 0; i < N; ++i) to[f][i] = from[f][i];
  }
}

// ADD, of tiles in different units.
template <int FIELDS, int N>
DEVICE void add_tile(F (&to)[FIELDS][N], const F (&from)[FIELDS][N], float share) {
  UNROLLED
  for (int f = 0; f < FIELDS; ++f) {
    UNROLLED
    for (int i = 0; i < N; ++i) to[f][i] = fused(from[f][i], F(share), to[f][i]);
  }
}

// A tangent field with or without S in it.
template <int FIELDS, int N> DEVICE void shift(F (&t)[FIELDS][N], int field, float share) {
  UNROLLED
  for (int i = 0; i < N; ++i) t[field][i] = fused(t[0][i], F(share), t[field][i]);
}
