// What a kernel sees of CUDA: `cuda.cpp` puts this before a module's text and compiles both for the processor.
//
// A thread asks `emulated` where it is; the driver writes that before it lets a thread go on, and is called wherever
// threads wait for each other. `__global__` and `__shared__` are no macros: `module.h` rewrites them.
#pragma once
#include <cassert>
#include <climits>
#include <cmath>
#include <math.h>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <type_traits>
#include <utility>

#define __device__
#define __host__
#define __constant__ static
#define __launch_bounds__(...)
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(n) __attribute__((aligned(n)))
#define __grid_constant__

// Small vectors, aligned as on a GPU, where a load of all of one wants that.
#define EMULATED_VECTORS(name, T, align2, align4) \
    struct name##1 { T x; }; \
    struct alignas(align2) name##2 { T x, y; }; \
    struct name##3 { T x, y, z; }; \
    struct alignas(align4) name##4 { T x, y, z, w; }; \
    static inline name##1 make_##name##1(T x) { return {x}; } \
    static inline name##2 make_##name##2(T x, T y) { return {x, y}; } \
    static inline name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; } \
    static inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
EMULATED_VECTORS(char, signed char, 2, 4)
EMULATED_VECTORS(uchar, unsigned char, 2, 4)
EMULATED_VECTORS(short, short, 4, 8)
EMULATED_VECTORS(ushort, unsigned short, 4, 8)
EMULATED_VECTORS(int, int, 8, 16)
EMULATED_VECTORS(uint, unsigned, 8, 16)
EMULATED_VECTORS(longlong, long long, 16, 16)
EMULATED_VECTORS(ulonglong, unsigned long long, 16, 16)
EMULATED_VECTORS(float, float, 8, 16)
EMULATED_VECTORS(double, double, 16, 16)

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

// Between a module and the driver; cuda.cpp has the same.
enum { EMULATED_SYNC, EMULATED_SHUFFLE, EMULATED_BALLOT, EMULATED_MATCH, EMULATED_ADD, EMULATED_MIN_SIGNED,
       EMULATED_MIN, EMULATED_MAX_SIGNED, EMULATED_MAX, EMULATED_AND, EMULATED_OR, EMULATED_XOR };
struct emulated_state {
    dim3 thread, block, block_dim, grid_dim;
    void *dynamic_shared;
    // Waits for the block; gives for how many threads `predicate` held, and how many there were.
    uint2 (*wait)(int line, int predicate);
    // Waits for a warp's lanes in `mask`, and gives what the operation gives this lane.
    unsigned long long (*collect)(int line, int operation, unsigned mask, unsigned long long value, int source);
    // Where the module's shared variables are, as far as threads came by: they are spoilt before a block begins.
    int shared_count;
    struct { void *place; size_t size; } shared[256];
};
static emulated_state emulated;
extern "C" __attribute__((visibility("default"))) emulated_state *emulated_module() { return &emulated; }

template <size_t size> static __attribute__((noinline)) bool emulated_shared(void *place) {
    static_assert(size <= 48 << 10, "a block has at most 48 KiB of shared memory");
    memset(place, 0xFF, size);
    if (emulated.shared_count < 256) emulated.shared[emulated.shared_count++] = {place, size};
    return true;
}

// `extern __shared__ T name[]` outside of functions.
template <class T> struct emulated_dynamic {
    operator T *() const { return (T *)emulated.dynamic_shared; }
};

// Calls a kernel with what its parameters' addresses hold.
template <class... P, size_t... I>
static inline void emulated_call(void (*kernel)(P...), void **p, std::index_sequence<I...>) {
    kernel(*(P *)p[I]...);
}
template <class... P> static inline void emulated_call(void (*kernel)(P...), void **p) {
    emulated_call(kernel, p, std::index_sequence_for<P...>());
}

// Shows the driver the pointers among a kernel's parameters.
template <class... P, size_t... I>
static inline void emulated_look(void (*kernel)(P...), void **p, void (*look)(int, const void *), std::index_sequence<I...>) {
    ([&] { if constexpr (std::is_pointer_v<P>) look((int)I, *(const void **)p[I]); }(), ...);
}
template <class... P> static inline void emulated_look(void (*kernel)(P...), void **p, void (*look)(int, const void *)) {
    emulated_look(kernel, p, look, std::index_sequence_for<P...>());
}

#define threadIdx emulated.thread
#define blockIdx emulated.block
#define blockDim emulated.block_dim
#define gridDim emulated.grid_dim
#define warpSize 32

// Threads that wait for each other.
#define __syncthreads() ((void)emulated.wait(__LINE__, 0))
#define __syncthreads_count(p) ((int)emulated.wait(__LINE__, !!(p)).x)
#define __syncthreads_or(p) ((int)(emulated.wait(__LINE__, !!(p)).x != 0))
#define __syncthreads_and(p) ((int)(emulated.wait(__LINE__, !(p)).x == 0))
static inline void emulated_syncwarp(int line, unsigned mask = ~0u) { emulated.collect(line, EMULATED_SYNC, mask, 0, 0); }
#define __syncwarp(...) emulated_syncwarp(__LINE__ __VA_OPT__(,) __VA_ARGS__)
static inline void __threadfence() {}
static inline void __threadfence_block() {}
static inline void __threadfence_system() {}

static inline int emulated_lane() {
    return (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % 32;
}
template <class T> static inline T emulated_shuffle(int line, unsigned mask, T value, int source) {
    static_assert(sizeof(T) <= 8, "what is shuffled has at most 8 bytes");
    unsigned long long bits = 0;
    memcpy(&bits, &value, sizeof value);
    bits = emulated.collect(line, EMULATED_SHUFFLE, mask, bits, source);
    memcpy(&value, &bits, sizeof value);
    return value;
}
// Within parts of a warp, `width` lanes long; a lane whose source is outside of its part keeps what it has.
template <class T> static inline T emulated_shfl(int line, unsigned mask, T value, int lane, int width = 32) {
    return emulated_shuffle(line, mask, value, (emulated_lane() & ~(width - 1)) + (lane & (width - 1)));
}
template <class T> static inline T emulated_shfl_up(int line, unsigned mask, T value, unsigned by, int width = 32) {
    int lane = emulated_lane(), first = lane & ~(width - 1);
    return emulated_shuffle(line, mask, value, lane - (int)by < first ? lane : lane - (int)by);
}
template <class T> static inline T emulated_shfl_down(int line, unsigned mask, T value, unsigned by, int width = 32) {
    int lane = emulated_lane(), last = lane | (width - 1);
    return emulated_shuffle(line, mask, value, lane + (int)by > last ? lane : lane + (int)by);
}
template <class T> static inline T emulated_shfl_xor(int line, unsigned mask, T value, int by, int width = 32) {
    int lane = emulated_lane(), last = lane | (width - 1);
    return emulated_shuffle(line, mask, value, (lane ^ by) > last ? lane : lane ^ by);
}
#define __shfl_sync(...) emulated_shfl(__LINE__, __VA_ARGS__)
#define __shfl_up_sync(...) emulated_shfl_up(__LINE__, __VA_ARGS__)
#define __shfl_down_sync(...) emulated_shfl_down(__LINE__, __VA_ARGS__)
#define __shfl_xor_sync(...) emulated_shfl_xor(__LINE__, __VA_ARGS__)
#define __ballot_sync(mask, p) ((unsigned)emulated.collect(__LINE__, EMULATED_BALLOT, mask, !!(p), 0))
#define __any_sync(mask, p) ((int)(__ballot_sync(mask, p) != 0))
#define __all_sync(mask, p) ((int)(__ballot_sync(mask, !(p)) == 0))
template <class T> static inline unsigned emulated_match(int line, unsigned mask, T value) {
    unsigned long long bits = 0;
    memcpy(&bits, &value, sizeof value);
    return (unsigned)emulated.collect(line, EMULATED_MATCH, mask, bits, 0);
}
#if __CUDA_ARCH__ >= 700
#define __match_any_sync(mask, value) emulated_match(__LINE__, mask, value)
#endif
#if __CUDA_ARCH__ >= 800
template <class T> static inline T emulated_reduce(int line, int for_signed, int operation, unsigned mask, T value) {
    static_assert(sizeof(T) == 4, "reductions are of int and unsigned");
    return (T)emulated.collect(line, T(-1) < T(0) ? for_signed : operation, mask, (unsigned long long)(long long)value, 0);
}
#define __reduce_add_sync(mask, v) emulated_reduce(__LINE__, EMULATED_ADD, EMULATED_ADD, mask, v)
#define __reduce_min_sync(mask, v) emulated_reduce(__LINE__, EMULATED_MIN_SIGNED, EMULATED_MIN, mask, v)
#define __reduce_max_sync(mask, v) emulated_reduce(__LINE__, EMULATED_MAX_SIGNED, EMULATED_MAX, mask, v)
#define __reduce_and_sync(mask, v) emulated_reduce(__LINE__, EMULATED_AND, EMULATED_AND, mask, v)
#define __reduce_or_sync(mask, v) emulated_reduce(__LINE__, EMULATED_OR, EMULATED_OR, mask, v)
#define __reduce_xor_sync(mask, v) emulated_reduce(__LINE__, EMULATED_XOR, EMULATED_XOR, mask, v)
#endif

// One thread runs at a time, and gives way only where it waits: a plain change is atomic.
template <class T, class F> static inline T emulated_atomic(T *place, F change) {
    T old = *place;
    *place = change(old);
    return old;
}
#define EMULATED_ATOMIC(name, T, change) \
    static inline T name(T *place, T value) { return emulated_atomic(place, [=](T old) -> T { return change; }); }
#define EMULATED_ATOMICS_OF_INTEGERS(T) \
    EMULATED_ATOMIC(atomicAdd, T, old + value) \
    EMULATED_ATOMIC(atomicExch, T, value) \
    EMULATED_ATOMIC(atomicMin, T, old < value ? old : value) \
    EMULATED_ATOMIC(atomicMax, T, old > value ? old : value) \
    EMULATED_ATOMIC(atomicAnd, T, old & value) \
    EMULATED_ATOMIC(atomicOr, T, old | value) \
    EMULATED_ATOMIC(atomicXor, T, old ^ value)
EMULATED_ATOMICS_OF_INTEGERS(int)
EMULATED_ATOMICS_OF_INTEGERS(unsigned)
EMULATED_ATOMICS_OF_INTEGERS(unsigned long long)
EMULATED_ATOMIC(atomicMin, long long, old < value ? old : value)
EMULATED_ATOMIC(atomicMax, long long, old > value ? old : value)
EMULATED_ATOMIC(atomicSub, int, old - value)
EMULATED_ATOMIC(atomicSub, unsigned, old - value)
EMULATED_ATOMIC(atomicInc, unsigned, old >= value ? 0 : old + 1)
EMULATED_ATOMIC(atomicDec, unsigned, old == 0 || old > value ? value : old - 1)
EMULATED_ATOMIC(atomicAdd, float, old + value)
EMULATED_ATOMIC(atomicExch, float, value)
#if __CUDA_ARCH__ >= 600
EMULATED_ATOMIC(atomicAdd, double, old + value)
#endif
#define EMULATED_CAS(T) \
    static inline T atomicCAS(T *place, T compare, T value) { \
        return emulated_atomic(place, [=](T old) -> T { return old == compare ? value : old; }); \
    }
EMULATED_CAS(int)
EMULATED_CAS(unsigned)
EMULATED_CAS(unsigned long long)
#if __CUDA_ARCH__ >= 700
EMULATED_CAS(unsigned short)
#endif

// Bits and what they say.
template <class To, class From> static inline To emulated_bits(From from) {
    static_assert(sizeof(To) == sizeof(From), "");
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}
static inline int __float_as_int(float x) { return emulated_bits<int>(x); }
static inline unsigned __float_as_uint(float x) { return emulated_bits<unsigned>(x); }
static inline float __int_as_float(int x) { return emulated_bits<float>(x); }
static inline float __uint_as_float(unsigned x) { return emulated_bits<float>(x); }
static inline long long __double_as_longlong(double x) { return emulated_bits<long long>(x); }
static inline double __longlong_as_double(long long x) { return emulated_bits<double>(x); }
// f64 in f32, rounded so that rounding it once more gives what rounding the f64 would.
static inline float emulated_to_odd(double x) {
    float near = (float)x;
    if ((double)near == x || isnan(near) || isinf(x)) return near;
    unsigned bits = __float_as_uint(near);
    if (fabs((double)near) > fabs(x)) bits--;
    return __uint_as_float(bits | 1);
}
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
static inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int __ffsll(long long x) { return __builtin_ffsll(x); }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 32); }
static inline int __mulhi(int a, int b) { return (int)((long long)a * b >> 32); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}

// Loads and stores that say how long something is needed.
template <class T> static inline T __ldg(const T *p) { return *p; }
template <class T> static inline T __ldcs(const T *p) { return *p; }
template <class T> static inline T __ldcg(const T *p) { return *p; }
template <class T> static inline T __ldca(const T *p) { return *p; }
template <class T> static inline void __stcs(T *p, T value) { *p = value; }
template <class T> static inline void __stcg(T *p, T value) { *p = value; }
template <class T> static inline void __stwt(T *p, T value) { *p = value; }

// The larger and the smaller, for the types that CUDA has them for.
#define EMULATED_MIN_MAX(T, A, B) \
    static inline T max(A a, B b) { return (T)a < (T)b ? (T)b : (T)a; } \
    static inline T min(A a, B b) { return (T)b < (T)a ? (T)b : (T)a; }
#define EMULATED_MIN_MAX_OF(T, U) EMULATED_MIN_MAX(T, T, T) EMULATED_MIN_MAX(U, U, U) EMULATED_MIN_MAX(U, T, U) \
    EMULATED_MIN_MAX(U, U, T)
EMULATED_MIN_MAX_OF(int, unsigned)
EMULATED_MIN_MAX_OF(long, unsigned long)
EMULATED_MIN_MAX_OF(long long, unsigned long long)
static inline float max(float a, float b) { return fmaxf(a, b); }
static inline float min(float a, float b) { return fminf(a, b); }
static inline double max(double a, double b) { return fmax(a, b); }
static inline double min(double a, double b) { return fmin(a, b); }
static inline double max(float a, double b) { return fmax(a, b); }
static inline double min(float a, double b) { return fmin(a, b); }
static inline double max(double a, float b) { return fmax(a, b); }
static inline double min(double a, float b) { return fmin(a, b); }

// Arithmetic with its rounding said, and quick forms, which are as exact here as the others. Macros where the C
// library has these names for itself.
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
static inline double rsqrt(double x) { return 1.0 / ::sqrt(x); }
static inline float rsqrt(float x) { return rsqrtf(x); }
static inline float normcdff(float x) { return 0.5f * erfcf(-x * 0.70710678f); }
static inline float __saturatef(float x) { return fminf(fmaxf(x, 0.0f), 1.0f); }
#define __expf(x) expf(x)
#define __exp10f(x) exp10f(x)
#define __logf(x) logf(x)
#define __log2f(x) log2f(x)
#define __log10f(x) log10f(x)
#define __sinf(x) sinf(x)
#define __cosf(x) cosf(x)
#define __tanf(x) tanf(x)
#define __powf(x, y) powf(x, y)
#define __sincosf(x, s, c) sincosf(x, s, c)
#define __fdividef(x, y) ((float)(x) / (float)(y))
#define __frcp_rn(x) (1.0f / (float)(x))
#define __fsqrt_rn(x) sqrtf(x)
#define __frsqrt_rn(x) ((float)(1.0 / ::sqrt((double)(float)(x))))
#define __fadd_rn(x, y) ((float)(x) + (float)(y))
#define __fsub_rn(x, y) ((float)(x) - (float)(y))
#define __fmul_rn(x, y) ((float)(x) * (float)(y))
#define __fdiv_rn(x, y) ((float)(x) / (float)(y))
#define __fmaf_rn(x, y, z) fmaf(x, y, z)
#define __dadd_rn(x, y) ((double)(x) + (double)(y))
#define __dmul_rn(x, y) ((double)(x) * (double)(y))
#define __fma_rn(x, y, z) ::fma((double)(x), (double)(y), (double)(z))
#define __tanhf(x) tanhf(x)
static inline int __float2int_rn(float x) { return (int)lrintf(x); }
static inline int __float2int_rz(float x) { return (int)x; }
static inline int __float2int_rd(float x) { return (int)floorf(x); }
static inline int __float2int_ru(float x) { return (int)ceilf(x); }
static inline unsigned __float2uint_rn(float x) { return (unsigned)llrintf(x); }
static inline unsigned __float2uint_rz(float x) { return (unsigned)x; }
static inline float __int2float_rn(int x) { return (float)x; }
static inline float __uint2float_rn(unsigned x) { return (float)x; }
static inline float __double2float_rn(double x) { return (float)x; }

static inline void __trap() { __builtin_trap(); }

// What NVRTC does not have by itself, since it has no headers: a program may define these.
#ifdef __CUDACC_RTC__
#undef INFINITY
#undef NAN
#undef HUGE_VALF
#undef M_PI
#undef M_SQRT2
#undef M_SQRT1_2
#undef M_2_SQRTPI
#undef INT_MAX
#undef INT_MIN
#undef UINT_MAX
#define int8_t not_in_nvrtc_int8_t
#define int16_t not_in_nvrtc_int16_t
#define int32_t not_in_nvrtc_int32_t
#define int64_t not_in_nvrtc_int64_t
#define uint8_t not_in_nvrtc_uint8_t
#define uint16_t not_in_nvrtc_uint16_t
#define uint32_t not_in_nvrtc_uint32_t
#define uint64_t not_in_nvrtc_uint64_t
#endif
