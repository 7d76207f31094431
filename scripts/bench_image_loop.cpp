// The image engine's loop in C++, as a yardstick for the compiled Python one: 3 x 3
// convolutions with ReLU and a global average over all offsets, one image x with 16 images z
// (one a lane) at a time, fed with the engine's own tables.
// Build: g++ -O3 -march=native -ffast-math -fno-finite-math-only -shared -fPIC
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace {

constexpr int kLanes = 16;
constexpr int kA = 7, kC = 5;  // coefficients of the dual's polynomials in float32

struct Dual {
  float a[kA], c[kC], half, tiny;
};

inline float horner(const float *c, int n, float u) {
  float r = c[n - 1];
  for (int k = n - 2; k >= 0; --k) r = r * u + c[k];
  return r;
}

float *cache_lines(size_t n) {
  return static_cast<float *>(std::aligned_alloc(64, (n * sizeof(float) + 63) / 64 * 64));
}

// Sums over three neighbours of n pixels of a row.
void sum_row(const float *__restrict s, const float *__restrict t, float *__restrict out_s,
             float *__restrict out_t, int n) {
  for (int i = 0; i < n * kLanes; ++i) {
    out_s[i] = s[i - kLanes] + s[i] + s[i + kLanes];
    out_t[i] = t[i - kLanes] + t[i] + t[i + kLanes];
  }
}

// A row of the next layer, and meanwhile the sums of a row further down.
void conv_relu_row(const float *__restrict s0, const float *__restrict s1,
                   const float *__restrict s2, const float *__restrict t0,
                   const float *__restrict t1, const float *__restrict t2,
                   const float *__restrict xa, const float *__restrict xb,
                   const float *__restrict za, const float *__restrict zb, const Dual &dual,
                   float factor, float *__restrict s, float *__restrict t,
                   const float *__restrict ahead_s, const float *__restrict ahead_t,
                   float *__restrict next_s, float *__restrict next_t, int n) {
  for (int p = 0; p < n; ++p)
    for (int l = 0; l < kLanes; ++l) {
      const int i = p * kLanes + l;
      const float cov = factor * (s0[i] + s1[i] + s2[i]);
      const float tan = factor * (t0[i] + t1[i] + t2[i]) + cov;
      const float lambda = cov * (xa[p] * za[i]);
      const float u = 1.0f - std::fabs(lambda);
      const float root = u > dual.tiny ? std::sqrt(u) : 0.0f;
      const float g = dual.half - root * horner(dual.a, kA, u);
      const float k1 = u * root * horner(dual.c, kC, u) + std::max(lambda, 0.0f);
      s[i] = xb[p] * zb[i] * k1;
      t[i] = tan * (dual.half + std::copysign(g, lambda));
      next_s[i] = ahead_s[i - kLanes] + ahead_s[i] + ahead_s[i + kLanes];
      next_t[i] = ahead_t[i - kLanes] + ahead_t[i] + ahead_t[i + kLanes];
    }
}

// One image x with one group of images z; out: sums over all pairs of pixels, by lane.
void group(const float *xp, const float *xa, const float *xb, const float *zp, const float *za,
           const float *zb, int h, int w, int layers, int channels, float factor,
           const Dual &dual, float *space, double *out_s, double *out_t) {
  const int pitch = (w + 2) * kLanes, size = h * w;
  const size_t field = size_t(h) * pitch + 256;
  float *s = space, *t = s + field, *ring_s = t + field, *ring_t = ring_s + 5 * pitch + 256;
  for (int dy = 1 - h; dy < h; ++dy)
    for (int dx = 1 - w; dx < w; ++dx) {
      const int rows = h - std::abs(dy), n = w - std::abs(dx);
      const int x0 = std::max(-dy, 0) * w + std::max(-dx, 0);
      const int z0 = std::max(dy, 0) * w + std::max(dx, 0);
      for (int r = 0; r < rows; ++r) {
        float *row = s + r * pitch;
        std::memset(row, 0, sizeof(float) * (n + 2) * kLanes);
        std::memset(t + r * pitch, 0, sizeof(float) * (n + 2) * kLanes);
        for (int c = 0; c < channels; ++c) {
          const float *x = xp + c * size + x0 + r * w;
          const float *z = zp + (size_t(c) * size + z0 + r * w) * kLanes;
          for (int p = 0; p < n; ++p)
            for (int l = 0; l < kLanes; ++l) row[(p + 1) * kLanes + l] += x[p] * z[p * kLanes + l];
        }
      }
      for (int m = 0; m < layers; ++m) {
        std::memset(ring_s, 0, sizeof(float) * 5 * pitch);
        std::memset(ring_t, 0, sizeof(float) * 5 * pitch);
        for (int r = 0; r < std::min(rows, 2); ++r)
          sum_row(s + r * pitch + kLanes, t + r * pitch + kLanes, ring_s + (r + 1) * pitch,
                  ring_t + (r + 1) * pitch, n);
        for (int r = 0; r < rows; ++r) {
          const bool more = r + 2 < rows;
          const int slot = (r + 3) % 4, ahead = (more ? r + 2 : r) * pitch + kLanes;
          if (!more) {
            std::memset(ring_s + slot * pitch, 0, sizeof(float) * n * kLanes);
            std::memset(ring_t + slot * pitch, 0, sizeof(float) * n * kLanes);
          }
          const int to = (more ? slot : 4) * pitch;
          const int a = r % 4 * pitch, b = (r + 1) % 4 * pitch, c = (r + 2) % 4 * pitch;
          const int x = m * size + x0 + r * w, z = (m * size + z0 + r * w) * kLanes;
          conv_relu_row(ring_s + a, ring_s + b, ring_s + c, ring_t + a, ring_t + b, ring_t + c,
                        xa + x, xb + x, za + z, zb + z, dual, factor, s + r * pitch + kLanes,
                        t + r * pitch + kLanes, s + ahead, t + ahead, ring_s + to, ring_t + to, n);
        }
      }
      for (int l = 0; l < kLanes; ++l) {
        float sum_s = 0, sum_t = 0;
        for (int r = 0; r < rows; ++r)
          for (int p = 1; p <= n; ++p) {
            sum_s += s[r * pitch + p * kLanes + l];
            sum_t += t[r * pitch + p * kLanes + l];
          }
        out_s[l] += sum_s;
        out_t[l] += sum_t;
      }
    }
}

}  // namespace

// All pairs of n images x and `groups` groups of z on `threads` threads; out (2, n, groups, 16).
extern "C" void cross(const float *xp, const float *xa, const float *xb, const float *zp,
                      const float *za, const float *zb, int n, int groups, int h, int w,
                      int layers, int channels, float factor, const float *constants, int threads,
                      double *out) {
  Dual dual;
  std::memcpy(&dual, constants, sizeof(dual));
  const size_t size = size_t(h) * w;
  std::vector<std::thread> pool;
  for (int k = 0; k < threads; ++k)
    pool.emplace_back([=] {
      float *space = cache_lines(2 * (h * (w + 2) * kLanes + 256) + 2 * (5 * (w + 2) * kLanes + 256));
      for (int q = k; q < n * groups; q += threads) {
        const size_t i = q % n, g = q / n;
        group(xp + i * channels * size, xa + i * layers * size, xb + i * layers * size,
              zp + g * channels * size * kLanes, za + g * layers * size * kLanes,
              zb + g * layers * size * kLanes, h, w, layers, channels, factor, dual, space,
              out + (i * groups + g) * kLanes, out + (n * groups + i * groups + g) * kLanes);
      }
      std::free(space);
    });
  for (auto &thread : pool) thread.join();
}
