// The image engine's loop in C++, as a yardstick for the compiled Python one: CONV3_RELU
// layers and a global average over all packed tiles of one pair of images at a time.
// Build: g++ -O3 -march=native -ffast-math -fno-finite-math-only -shared -fPIC
#include <algorithm>
#include <cmath>
#include <cstring>
#include <thread>
#include <vector>

namespace {

constexpr int kA = 7, kC = 6;  // coefficients of the dual's polynomials in float32

struct Tables {  // of one image: (channels, size), (layers, size), (layers, size)
  const float *pixels, *inverse, *norm;
};

inline float horner(const float *c, int n, float u) {
  float r = c[n - 1];
  for (int k = n - 2; k >= 0; --k) r = r * u + c[k];
  return r;
}

void rotate(const float *in, float *out, int k, int d, int h, int w) {
  for (int r = 0; r < k * h; ++r, in += w, out += w) {
    std::memcpy(out, in + d, sizeof(float) * (w - d));
    std::memcpy(out + w - d, in, sizeof(float) * d);
  }
}

void row_sums(const float *__restrict f, float *__restrict out, const float *__restrict left,
              const float *__restrict right, int n) {
  for (int p = 0; p < n; ++p) out[p] = left[p] * f[p - 1] + f[p] + right[p] * f[p + 1];
}

void conv3_relu(const float *__restrict sums, const float *__restrict tangents,
                float *__restrict s, float *__restrict t, const float *__restrict xi,
                const float *__restrict xn, const float *__restrict zi,
                const float *__restrict zn, const float *a, const float *c, float half, int w,
                int n) {
  for (int p = 0; p < n; ++p) {
    const float cov = sums[p - w] + sums[p] + sums[p + w];
    const float tan = tangents[p - w] + tangents[p] + tangents[p + w] + cov;
    const float lambda = cov * (xi[p] * zi[p]);
    const float u = std::max(1.0f - std::fabs(lambda), 0.0f);
    const float root = std::sqrt(u);
    const float g = half - root * horner(a, kA, u);
    const float k1 = u * root * horner(c, kC, u) + std::max(lambda, 0.0f);
    s[p] = xn[p] * zn[p] * k1;
    t[p] = tan * (half + (lambda >= 0.0f ? g : -g));
  }
}

struct Workspace {
  std::vector<float> s, t, sums, tangents, left, right, zp, zi, zn;
  Workspace(int size, int w, int layers, int channels)
      : s(size + 2 * w), t(s), sums(s), tangents(s), left(size), right(size),
        zp(channels * size), zi(layers * size), zn(layers * size) {}
};

void pair(const Tables &x, const Tables &z, int h, int w, int layers, int channels,
          const float *a, const float *c, float half, Workspace &ws, double *out) {
  const int size = h * w;
  float *s = ws.s.data() + w, *t = ws.t.data() + w;
  float *sums = ws.sums.data() + w, *tangents = ws.tangents.data() + w;
  out[0] = out[1] = 0;
  for (int d = 0; d < w; ++d) {
    rotate(z.pixels, ws.zp.data(), channels, d, h, w);
    rotate(z.inverse, ws.zi.data(), layers, d, h, w);
    rotate(z.norm, ws.zn.data(), layers, d, h, w);
    for (int p = 0; p < size; ++p) {
      const int j = p % w;
      ws.left[p] = j != 0 && j != w - d;
      ws.right[p] = j != w - 1 && j != w - d - 1;
    }
    for (int e = 1 - h; e < h; ++e) {
      const int at = std::max(-e, 0) * w, zt = std::max(e, 0) * w, n = (h - std::abs(e)) * w;
      for (int p = 0; p < n; ++p) s[p] = t[p] = 0;
      for (int k = 0; k < channels; ++k)
        for (int p = 0; p < n; ++p)
          s[p] += x.pixels[k * size + at + p] * ws.zp[k * size + zt + p];
      std::fill(sums + n, sums + n + w, 0.0f);
      std::fill(tangents + n, tangents + n + w, 0.0f);
      for (int l = 0; l < layers; ++l) {
        row_sums(s, sums, ws.left.data(), ws.right.data(), n);
        row_sums(t, tangents, ws.left.data(), ws.right.data(), n);
        conv3_relu(sums, tangents, s, t, x.inverse + l * size + at, x.norm + l * size + at,
                   ws.zi.data() + l * size + zt, ws.zn.data() + l * size + zt, a, c, half, w, n);
      }
      float nngp = 0, ntk = 0;
      for (int p = 0; p < n; ++p) nngp += s[p], ntk += t[p];
      out[0] += nngp;
      out[1] += ntk;
    }
  }
}

}  // namespace

// All pairs of n and m images on `threads` threads; out (n, m, 2): sums over all pixel pairs.
extern "C" void cross(const float *xp, const float *xi, const float *xn, const float *zp,
                      const float *zi, const float *zn, int n, int m, int h, int w, int layers,
                      int channels, int stride, const float *a, const float *c, float half,
                      int threads, double *out) {
  const int size = h * w;
  std::vector<std::thread> pool;
  for (int k = 0; k < threads; ++k)
    pool.emplace_back([=] {
      Workspace ws(size, w, layers, channels);
      for (int q = k; q < n * m; q += threads) {
        const int i = q / m, j = q % m;
        const Tables x{xp + i * channels * size, xi + i * stride, xn + i * stride};
        const Tables z{zp + j * channels * size, zi + j * stride, zn + j * stride};
        pair(x, z, h, w, layers, channels, a, c, half, ws, out + 2 * q);
      }
    });
  for (auto &thread : pool) thread.join();
}
