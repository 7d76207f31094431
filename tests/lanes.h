// The words of device.cuh on a CPU: a number is that of 32 lanes, which go in lockstep. Warps are
// threads, one after another between barriers only as far as barriers say.
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

template <class T> struct Lanes {
  T v[32];
  Lanes() {}
  template <class S> explicit Lanes(S a) { for (int k = 0; k < 32; ++k) v[k] = T(a); }
  template <class S> explicit Lanes(const Lanes<S>& a) { for (int k = 0; k < 32; ++k) v[k] = T(a.v[k]); }
};
typedef Lanes<float> F;
typedef Lanes<double> D;
typedef Lanes<int> I;
typedef Lanes<bool> B;
struct Four { float v[4]; };
#define DEVICE inline
#define CONSTANT static const
#define UNROLLED
#define ROLLED
#define CHANNEL_LOOP
#define KERNEL static void

#define EACH(T, OP)                                                        \
  static inline Lanes<T> operator OP(const Lanes<T>& a, const Lanes<T>& b) { \
    Lanes<T> r;                                                            \
    for (int k = 0; k < 32; ++k) r.v[k] = a.v[k] OP b.v[k];                \
    return r;                                                              \
  }
#define COMPARE(T, OP)                                                     \
  static inline B operator OP(const Lanes<T>& a, const Lanes<T>& b) {      \
    B r;                                                                   \
    for (int k = 0; k < 32; ++k) r.v[k] = a.v[k] OP b.v[k];                \
    return r;                                                              \
  }
EACH(float, +) EACH(float, -) EACH(float, *)
EACH(double, +) EACH(double, *)
EACH(int, +) EACH(int, -) EACH(int, *) EACH(int, /)
EACH(bool, &&) EACH(bool, ||)
COMPARE(float, <) COMPARE(float, >)
COMPARE(int, <) COMPARE(int, >) COMPARE(int, <=) COMPARE(int, >=) COMPARE(int, ==) COMPARE(int, !=)
static inline B operator==(const B& a, const B& b) { B r; for (int k = 0; k < 32; ++k) r.v[k] = a.v[k] == b.v[k]; return r; }
static inline B operator==(const B& a, bool b) { return a == B(b); }
static inline B operator!(const B& a) { B r; for (int k = 0; k < 32; ++k) r.v[k] = !a.v[k]; return r; }
static inline F operator-(const F& a) { F r; for (int k = 0; k < 32; ++k) r.v[k] = -a.v[k]; return r; }

#define LANE_BY_LANE(NAME, TEXT)                                           \
  static inline F NAME { F r; for (int k = 0; k < 32; ++k) r.v[k] = (TEXT); return r; }
LANE_BY_LANE(fused(const F& a, const F& b, const F& c), std::fma(a.v[k], b.v[k], c.v[k]))
LANE_BY_LANE(root(const F& a), std::sqrt(a.v[k]))
LANE_BY_LANE(inverse(const F& a), 1.f / a.v[k])
LANE_BY_LANE(least(const F& a, const F& b), std::fmin(a.v[k], b.v[k]))
LANE_BY_LANE(most(const F& a, const F& b), std::fmax(a.v[k], b.v[k]))
LANE_BY_LANE(one_less(const F& a, const F& b), std::fmin(std::fmax(std::fma(-a.v[k], b.v[k], 1.f), 0.f), 1.f))
LANE_BY_LANE(absolute(const F& a), std::fabs(a.v[k]))
LANE_BY_LANE(with_sign(const F& a, const F& b), std::copysign(a.v[k], b.v[k]))
LANE_BY_LANE(exponential(const F& a), std::exp(a.v[k]))
LANE_BY_LANE(hyperbolic_sine(const F& a), std::sinh(a.v[k]))
LANE_BY_LANE(angle(const F& a, const F& b), std::atan2(a.v[k], b.v[k]))
LANE_BY_LANE(add_where(const B& w, const F& a, const F& b), w.v[k] ? a.v[k] + b.v[k] : a.v[k])
static inline I anew(const I& v) { return v; }
static inline D widened(const F& a) { return D(a); }
template <class T> static inline Lanes<T> select(const B& w, const Lanes<T>& a, const Lanes<T>& b) {
  Lanes<T> r;
  for (int k = 0; k < 32; ++k) r.v[k] = w.v[k] ? a.v[k] : b.v[k];
  return r;
}
static inline bool anywhere(const B& w) { for (int k = 0; k < 32; ++k) if (w.v[k]) return true; return false; }

template <int WIDTH, class T> static inline Lanes<T> from_lane(const Lanes<T>& v, const I& lane) {
  Lanes<T> r;
  for (int k = 0; k < 32; ++k) r.v[k] = v.v[k / WIDTH * WIDTH + (lane.v[k] & (WIDTH - 1))];
  return r;
}
template <int WIDTH, class T> static inline Lanes<T> from_before(const Lanes<T>& v, int n) {
  Lanes<T> r;
  for (int k = 0; k < 32; ++k) r.v[k] = k % WIDTH >= n ? v.v[k - n] : v.v[k];
  return r;
}
template <int WIDTH, class T> static inline Lanes<T> from_after(const Lanes<T>& v, int n) {
  Lanes<T> r;
  for (int k = 0; k < 32; ++k) r.v[k] = k % WIDTH + n < WIDTH ? v.v[k + n] : v.v[k];
  return r;
}



template <class T> static inline Lanes<T> load(const T* from, const I& at) {
  Lanes<T> r;
  for (int k = 0; k < 32; ++k) r.v[k] = from[at.v[k]];
  return r;
}
static inline F load_behind(const float* from, const I& bytes) {
  F r;
  for (int k = 0; k < 32; ++k) r.v[k] = *(const float*)((const char*)from + bytes.v[k]);
  return r;
}
static inline I less_where_equal(const I& v, int by, const I& a, const I& b) {
  I r;
  for (int k = 0; k < 32; ++k) r.v[k] = a.v[k] == b.v[k] ? v.v[k] - by : v.v[k];
  return r;
}
template <class T> static inline void store(T* to, const I& at, const Lanes<T>& v, const B& where) {
  for (int k = 0; k < 32; ++k) if (where.v[k]) to[at.v[k]] = v.v[k];
}

static thread_local int this_warp;
static int this_block;
static std::vector<float>* shared_numbers;
static std::mutex at_barrier;
static std::condition_variable released;
static int waiting, round_number;
DEVICE I lane_number() { I r; for (int k = 0; k < 32; ++k) r.v[k] = k; return r; }
DEVICE int warp_number() { return this_warp; }
DEVICE int block_number() { return this_block; }
DEVICE int first_thread() { return this_warp; }
DEVICE int all_threads() { return WARPS; }
DEVICE float* shared_memory() { return shared_numbers->data(); }
DEVICE void barrier() {
  if (WARPS == 1) return;
  std::unique_lock<std::mutex> lock(at_barrier);
  const int mine = round_number;
  if (++waiting == WARPS) {
    waiting = 0;
    ++round_number;
    released.notify_all();
  } else released.wait(lock, [&] { return round_number != mine; });
}

static void image_pairs(const float*, const float*, const int*, int, const int*, double*);

// One block after the other, of which every warp is a thread. NaN stands in memory that nobody has
// written.
extern "C" void run_blocks(int blocks, int shared_bytes, const float* xs, const float* zs, const int* pairs,
                          int n_pairs, const int* tiles, double* out) {
  for (this_block = 0; this_block < blocks; ++this_block) {
    std::vector<float> memory(shared_bytes / 4, NAN);
    shared_numbers = &memory;
    std::vector<std::thread> warps;
    auto run = [&](int warp) {
      this_warp = warp;
      image_pairs(xs, zs, pairs, n_pairs, tiles, out);
    };
    for (int k = 1; k < WARPS; ++k) warps.emplace_back(run, k);
    run(0);
    for (auto& warp : warps) warp.join();
  }
}
