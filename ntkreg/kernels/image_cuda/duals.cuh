// The duals of activations, from the covariance of an entry and a number of either argument: one
// for each pixel and layer, made of its variance. Formulas and papers: kernels/image/loops.
//
// Fields are carried in units of their own (lowering.py): for RELU, LEAKY_RELU and NORMALIZED
// the tables hold them, so that no layer multiplies by its factor; the others get `unit`.

template <int DEGREE> DEVICE F horner(const float (&c)[DEGREE + 1], F u) {
  F v = F(c[DEGREE]);
  UNROLLED
  for (int k = DEGREE - 1; k >= 0; --k) v = fused(v, u, F(c[k]));
  return v;
}

// kappa0 and kappa1 of Cho and Saul 2009 by one root, with u = 1 - |c|: acos(1 - u) / pi is
// root(u) A(u), and kappa1 = u root(u) C(u) + max(c, 0). A correlation within its own rounding of
// 1 is taken as 1: kappa0 has infinite slope there, and equal images must get equal kernels.
DEVICE F root_above(F u) { return select(u > F(TINY), root(u), F(0.f)); }
DEVICE F arc(F u) {
  const float a[] = {ARC};
  return horner<6>(a, u);
}
DEVICE F rest(F u) {
  const float c[] = {REST};
  return horner<4>(c, u);
}

struct Number { float bias, unit, parameter, rescale; };

// After a first ReLU no covariance is negative. No variance: x is infinite, the value 0.
struct POSITIVE_RELU {
  DEVICE static void dual(F cov, F x, F z, const Number&, F& value, F& slope) {
    const F rr = x * z, u = one_less(cov, rr), t = root_above(u);
    slope = fused(-t, arc(u), F(1.f));
    value = fused(-u, fused(-t, rest(u), F(1.f)), F(1.f)) * inverse(rr);
  }
};

DEVICE void kappas(F cov, F rr, F& kappa0, F& kappa1) {
  const F c = least(most(cov * rr, F(-1.f)), F(1.f)), u = F(1.f) - absolute(c), t = root_above(u);
  kappa0 = F(0.5f) + with_sign(fused(-t, arc(u), F(0.5f)), c);
  kappa1 = fused(u * t, rest(u), most(c, F(0.f)));
}

struct RELU {
  DEVICE static void dual(F cov, F x, F z, const Number&, F& value, F& slope) {
    F kappa1;
    kappas(cov, x * z, slope, kappa1);
    value = kappa1 * inverse(x * z);
  }
};

struct LEAKY_RELU {
  DEVICE static void dual(F cov, F x, F z, const Number& n, F& value, F& slope) {
    const float share = 0.5f * (1.f - n.parameter) * (1.f - n.parameter);
    F kappa0, kappa1;
    kappas(cov, x * z, kappa0, kappa1);
    value = fused(F(share), kappa1 * inverse(x * z), F(n.parameter) * cov);
    slope = fused(F(share), kappa0, F(n.parameter));
  }
};

struct NORMALIZED_GAUSSIAN {
  DEVICE static void dual(F cov, F x, F z, const Number& n, F& value, F& slope) {
    const F rr = x * z, c = least(most(cov * rr, F(-1.f)), F(1.f));
    const F e = exponential(F(n.parameter) * (c - F(1.f)));
    value = e * inverse(rr);
    slope = F(n.parameter) * e;
  }
};

// arcsin c and 1 - c^2, not below what Cauchy and Schwarz allow.
DEVICE F arcsine(F c, F w, F& square) {
  const F u = most(F(1.f) - absolute(c), w - F(0.5f) * (w * w));
  square = u * (F(2.f) - u);
  return angle(c, root(square));
}

struct ERF {
  DEVICE static void dual(F cov, F x, F z, const Number& n, F& value, F& slope) {
    const F w = x * z;
    F square;
    value = F(0.636619772f) * arcsine(F(2.f * n.unit) * cov * w, w, square);
    slope = F(1.273239545f * n.unit) * (w * inverse(root(square)));
  }
};

// Tables: the variances.
struct GELU {
  DEVICE static void dual(F cov, F x, F z, const Number& n, F& value, F& slope) {
    const F w = inverse(root(F(1.f) + x) * root(F(1.f) + z)), both = x * z * w, s = F(n.unit) * cov;
    const F c = s * w;
    F square;
    const F a = arcsine(c, w, square), g = root(square), over = w * inverse(g);
    const F left = most(F(1.f) + w * w - both * w, F(2.f) * w);
    const F sum = s * a + c * c * over + both * g;
    const F more = a + c * inverse(g) * (over * over + left);
    value = F(0.25f) * s + F(0.159154943f) * sum;
    slope = F(n.unit) * (F(0.25f) + F(0.159154943f) * more);
  }
};

// Tables: half the variances.
DEVICE void sines(F s, F x, F z, F& sine, F& cosine) {
  const F size = absolute(s), both = x + z;
  const F up = exponential(least(size - both, F(0.f))), down = exponential(-size - both);
  // Where s is small the two nearly cancel.
  const F small = exponential(-both) * hyperbolic_sine(least(size, F(1.f)));
  sine = with_sign(select(size < F(1.f), small, F(0.5f) * (up - down)), s);
  cosine = F(0.5f) * (up + down);
}

struct SIN {
  DEVICE static void dual(F cov, F x, F z, const Number& n, F& value, F& slope) {
    sines(F(n.unit) * cov, x, z, value, slope);
    slope = F(n.unit) * slope;
  }
};

struct COS {
  DEVICE static void dual(F cov, F x, F z, const Number& n, F& value, F& slope) {
    sines(F(n.unit) * cov, x, z, slope, value);
    slope = F(n.unit) * slope;
  }
};

// Tables: gamma times the variances.
struct GAUSSIAN {
  DEVICE static void dual(F cov, F x, F z, const Number& n, F& value, F& slope) {
    const float twice = 2.f * n.parameter;
    value = exponential(least(F(twice * n.unit) * cov - (x + z), F(0.f)));
    slope = F(twice * n.unit) * value;
  }
};

struct IDENTITY {};
