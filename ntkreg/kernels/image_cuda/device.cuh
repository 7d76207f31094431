// A lane's numbers on the card. Everything else is written on these types and functions, so that
// the same text also compiles for a CPU, with 32 lanes in the place of one.
typedef float F;
typedef double D;
typedef int I;
typedef bool B;
typedef float4 Four;
#define DEVICE __device__ __forceinline__
#define CONSTANT __constant__
#define KERNEL extern "C" __global__ void __launch_bounds__(WARPS * 32, BLOCKS)
#define UNROLLED _Pragma("unroll")
#define ROLLED _Pragma("unroll 1")
#define CHANNEL_LOOP _Pragma("unroll (CHANNELS > 4 ? 1 : CHANNELS)")

DEVICE I lane_number() { return threadIdx.x & 31; }
DEVICE int warp_number() { return threadIdx.x >> 5; }
DEVICE int block_number() { return blockIdx.x; }
DEVICE int first_thread() { return threadIdx.x; }
DEVICE int all_threads() { return WARPS * 32; }
DEVICE void barrier() { __syncthreads(); }
DEVICE float* shared_memory() { extern __shared__ float4 memory[]; return (float*)memory; }

DEVICE F fused(F a, F b, F c) { return fmaf(a, b, c); }
DEVICE F root(F v) { F r; asm("sqrt.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(v)); return r; }
DEVICE F inverse(F v) { F r; asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(v)); return r; }
// 1 - a b within [0, 1]; 0 where that is no number.
DEVICE F one_less(F a, F b) {
  F r;
  asm("fma.rn.ftz.sat.f32 %0, %1, %2, 0f3F800000;" : "=f"(r) : "f"(-a), "f"(b));
  return r;
}
DEVICE F least(F a, F b) { return fminf(a, b); }
DEVICE F most(F a, F b) { return fmaxf(a, b); }
DEVICE F absolute(F a) { return fabsf(a); }
DEVICE F with_sign(F a, F b) { return copysignf(a, b); }
DEVICE F exponential(F a) { return expf(a); }
DEVICE F hyperbolic_sine(F a) { return sinhf(a); }
DEVICE F angle(F sine, F cosine) { return atan2f(sine, cosine); }
// The same number, from the lane itself, which no compiler sees through: the masks of all rows,
// made ahead of a loop over layers, would take more registers than there are.
DEVICE I anew(I v) { return __shfl_xor_sync(~0u, v, 0); }
DEVICE D widened(F a) { return a; }
template <class T> DEVICE T select(B where, T a, T b) { return where ? a : b; }
DEVICE F add_where(B where, F a, F b) { return where ? a + b : a; }
DEVICE bool anywhere(B where) { return __any_sync(~0u, where); }

// From another lane of a group of WIDTH lanes.
template <int WIDTH, class T> DEVICE T from_lane(T v, I lane) {
  return __shfl_sync(~0u, v, lane, WIDTH);
}
template <int WIDTH, class T> DEVICE T from_before(T v, int k) {
  return __shfl_up_sync(~0u, v, k, WIDTH);
}
template <int WIDTH, class T> DEVICE T from_after(T v, int k) {
  return __shfl_down_sync(~0u, v, k, WIDTH);
}

template <class T> DEVICE T load(const T* from, I at) { return from[at]; }
template <class T> DEVICE void store(T* to, I at, T v, B where) { if (where) to[at] = v; }
// A number so many bytes behind: one that changes from row to row is part of the address as it is.
DEVICE F load_behind(const float* from, I bytes) { return *(const float*)((const char*)from + bytes); }
// v, less by k where a == b: one instruction beside the comparison, which others share.
DEVICE I less_where_equal(I v, int k, I a, I b) {
  asm("{\n.reg .pred p;\nsetp.eq.s32 p, %2, %3;\n@p sub.s32 %0, %0, %1;\n}"
      : "+r"(v) : "r"(k), "r"(a), "r"(b));
  return v;
}
