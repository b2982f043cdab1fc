// `__nv_bfloat16`, as cuda_bf16.h has it.
#pragma once

static inline unsigned short emulated_bfloat16_from(float x) {
    unsigned bits = __float_as_uint(x);
    return isnan(x) ? 0x7FFF : (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
}
static inline float emulated_bfloat16_to(unsigned short bits) { return __uint_as_float((unsigned)bits << 16); }

#define SMALL __nv_bfloat16
#define SMALL2 __nv_bfloat162
#define SMALL_FROM emulated_bfloat16_from
#define SMALL_TO emulated_bfloat16_to
#include "small_float.h"
#undef SMALL
#undef SMALL2
#undef SMALL_FROM
#undef SMALL_TO
typedef __nv_bfloat16 nv_bfloat16;
typedef __nv_bfloat162 nv_bfloat162;

static inline __nv_bfloat16 __float2bfloat16(float x) { return x; }
static inline __nv_bfloat16 __float2bfloat16_rn(float x) { return x; }
static inline __nv_bfloat16 __double2bfloat16(double x) { return x; }
static inline float __bfloat162float(__nv_bfloat16 x) { return x; }
static inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 x) { return x.bits; }
static inline short __bfloat16_as_short(__nv_bfloat16 x) { return (short)x.bits; }
static inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short bits) { return emulated_bits<__nv_bfloat16>(bits); }
static inline __nv_bfloat16 __short_as_bfloat16(short bits) { return emulated_bits<__nv_bfloat16>(bits); }
static inline __nv_bfloat162 __halves2bfloat162(__nv_bfloat16 x, __nv_bfloat16 y) { return {x, y}; }
static inline __nv_bfloat162 make_bfloat162(__nv_bfloat16 x, __nv_bfloat16 y) { return {x, y}; }
static inline __nv_bfloat162 __bfloat162bfloat162(__nv_bfloat16 x) { return {x, x}; }
static inline __nv_bfloat162 __float2bfloat162_rn(float x) { return {x, x}; }
static inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y) { return {x, y}; }
static inline __nv_bfloat162 __float22bfloat162_rn(float2 x) { return {x.x, x.y}; }
static inline float2 __bfloat1622float2(__nv_bfloat162 x) { return {x.x, x.y}; }
static inline __nv_bfloat16 __low2bfloat16(__nv_bfloat162 x) { return x.x; }
static inline __nv_bfloat16 __high2bfloat16(__nv_bfloat162 x) { return x.y; }
#if __CUDA_ARCH__ >= 800
EMULATED_ATOMIC(atomicAdd, __nv_bfloat16, old + value)
EMULATED_ATOMIC(atomicAdd, __nv_bfloat162, old + value)
#endif
