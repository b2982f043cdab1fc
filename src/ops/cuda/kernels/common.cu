// What every kernel file begins with. Rows are contiguous (row-major); every sum is made in one order, whatever the card:
// there are no atomics.
//
// `real` is what matrix products take, set when a file is compiled: float, or with REAL_BF16 sixteen bits of one.

// Of numbers in a buffer: below 2^31, so that they can be counted on by strides.
typedef unsigned count;
typedef unsigned short bf16;

__device__ inline float value(float x) { return x; }
__device__ inline float value(bf16 x) { return __uint_as_float((unsigned)x << 16); }

__device__ inline void put(float *to, float x) { *to = x; }

// To the nearest, ties to even; what is no number stays none.
__device__ inline void put(bf16 *to, float x) {
    unsigned bits = __float_as_uint(x);
    *to = x != x ? 0x7fff : (bf16)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#ifdef REAL_BF16
typedef bf16 real;
#else
typedef float real;
#endif

// Numbers are dealt to threads in turn.
#define EACH(i, n)                                                                                                     \
    for (count i = blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += gridDim.x * blockDim.x)

// The sum over a block's threads, for each of them. A block has whole warps.
__device__ inline float block_sum(float x) {
    __shared__ float parts[32];
    for (int by = 16; by > 0; by /= 2) x += __shfl_xor_sync(0xffffffffu, x, by);
    __syncthreads(); // what was there may still be read
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;
    __syncthreads();
    x = threadIdx.x % 32 < blockDim.x / 32 ? parts[threadIdx.x % 32] : 0.0f;
    for (int by = 16; by > 0; by /= 2) x += __shfl_xor_sync(0xffffffffu, x, by);
    return x;
}

// The greatest, in the same way.
__device__ inline float block_greatest(float x) {
    __shared__ float parts[32];
    for (int by = 16; by > 0; by /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, by));
    __syncthreads();
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;
    __syncthreads();
    x = threadIdx.x % 32 < blockDim.x / 32 ? parts[threadIdx.x % 32] : __int_as_float(0xff800000);
    for (int by = 16; by > 0; by /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, by));
    return x;
}

// The sum in double precision, for the first thread of a block of 256.
__device__ inline double block_sum_double(double x) {
    __shared__ double parts[256];
    parts[threadIdx.x] = x;
    __syncthreads();
    for (int by = 128; by > 0; by /= 2) {
        if (threadIdx.x < by) parts[threadIdx.x] += parts[threadIdx.x + by];
        __syncthreads();
    }
    return parts[0];
}
