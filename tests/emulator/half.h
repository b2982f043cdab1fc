// `__half`, as cuda_fp16.h has it.
#pragma once

static inline unsigned short emulated_half_from(float x) {
    unsigned bits = __float_as_uint(x), sign = bits >> 16 & 0x8000, size = bits & 0x7FFFFFFF;
    if (size > 0x7F800000) return 0x7FFF;
    if (size >= 0x47800000) return sign | 0x7C00;
    // Below the smallest normal: with 0.5 added, f32 counts in half's smallest steps.
    if (size < 0x38800000) return sign | (__float_as_uint(__uint_as_float(size) + 0.5f) - 0x3F000000);
    return sign | ((size + 0xFFF + (size >> 13 & 1) - 0x38000000) >> 13);
}
static inline float emulated_half_to(unsigned short half) {
    unsigned sign = (half & 0x8000u) << 16, size = half & 0x7FFF;
    if (size >= 0x7C00) return __uint_as_float(sign | 0x7F800000 | (size & 0x3FF) << 13);
    if (size < 0x400) return __uint_as_float(sign | __float_as_uint((float)size * 0x1p-24f));
    return __uint_as_float(sign | ((size << 13) + 0x38000000));
}

#define SMALL __half
#define SMALL2 __half2
#define SMALL_FROM emulated_half_from
#define SMALL_TO emulated_half_to
#include "small_float.h"
#undef SMALL
#undef SMALL2
#undef SMALL_FROM
#undef SMALL_TO
typedef __half half;
typedef __half2 half2;

static inline __half __float2half(float x) { return x; }
static inline __half __float2half_rn(float x) { return x; }
static inline __half __double2half(double x) { return x; }
static inline float __half2float(__half x) { return x; }
static inline __half __int2half_rn(int x) { return x; }
static inline int __half2int_rn(__half x) { return (int)lrintf(x); }
static inline int __half2int_rz(__half x) { return (int)(float)x; }
static inline unsigned short __half_as_ushort(__half x) { return x.bits; }
static inline short __half_as_short(__half x) { return (short)x.bits; }
static inline __half __ushort_as_half(unsigned short bits) { return emulated_bits<__half>(bits); }
static inline __half __short_as_half(short bits) { return emulated_bits<__half>(bits); }
static inline __half2 __halves2half2(__half x, __half y) { return {x, y}; }
static inline __half2 make_half2(__half x, __half y) { return {x, y}; }
static inline __half2 __half2half2(__half x) { return {x, x}; }
static inline __half2 __float2half2_rn(float x) { return {x, x}; }
static inline __half2 __floats2half2_rn(float x, float y) { return {x, y}; }
static inline __half2 __float22half2_rn(float2 x) { return {x.x, x.y}; }
static inline float2 __half22float2(__half2 x) { return {x.x, x.y}; }
static inline __half __low2half(__half2 x) { return x.x; }
static inline __half __high2half(__half2 x) { return x.y; }
#if __CUDA_ARCH__ >= 600
EMULATED_ATOMIC(atomicAdd, __half2, old + value)
#endif
#if __CUDA_ARCH__ >= 700
EMULATED_ATOMIC(atomicAdd, __half, old + value)
#endif
