// libcublas.so.12 for machines without a GPU: the functions of cuBLAS that `indhead` calls, on the processor.
//
// Matrices are column-major, as cuBLAS has them. Sums are in f32 (f64 for f64), from the first product to the last, so
// a result is the same every time. What a GPU would round before it multiplies (TF32, bf16) is rounded here.
#define __CUDA_ARCH__ 800
#include "device.h"
#include "half.h"
#include "bfloat16.h"
#include <cstdlib>
#include <dlfcn.h>
#include <vector>

#define API extern "C" __attribute__((visibility("default"))) int
enum { SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };
enum { F32 = 0, F64 = 1, F16 = 2, BF16 = 14 };
enum { IN_16F = 64, IN_16F_PEDANTIC, IN_32F = 68, IN_32F_PEDANTIC, IN_64F, IN_64F_PEDANTIC, FAST_16F = 74, FAST_BF16, FAST_TF32 = 77 };
enum Rounding { NONE, TO_TF32, TO_BF16, TO_F16 };

struct Handle {
    int math_mode;
};

// To the nearest with 10 bits after the point, of two the even.
static float to_tf32(float x) {
    unsigned bits = __float_as_uint(x);
    if ((bits & 0x7F800000) == 0x7F800000) return x;
    return __uint_as_float((bits + 0xFFF + (bits >> 13 & 1)) & ~0x1FFFu);
}
static float rounded(float x, Rounding rounding) {
    switch (rounding) {
    case TO_TF32: return to_tf32(x);
    case TO_BF16: return __nv_bfloat16(x);
    case TO_F16: return __half(x);
    default: return x;
    }
}

// Of `rows` times `depth` elements, blocks of WIDE rows, each with its columns one after another; zeros fill the last.
template <int WIDE, class N, class T>
static void pack(std::vector<N> &to, const T *from, bool transposed, long rows, long depth, long leading, Rounding rounding) {
    long blocks = (rows + WIDE - 1) / WIDE;
    to.assign((size_t)(blocks * depth * WIDE), N(0));
    long by_row = transposed ? leading : 1, by_column = transposed ? 1 : leading;
    for (long b = 0; b < blocks; b++) {
        N *block = to.data() + b * depth * WIDE;
        long wide = std::min((long)WIDE, rows - b * WIDE);
        const T *first = from + b * WIDE * by_row;
        for (long k = 0; k < depth; k++)
            for (long i = 0; i < wide; i++) {
                N x = (N)first[i * by_row + k * by_column];
                if constexpr (sizeof(N) == 4) x = rounding == NONE ? x : rounded(x, rounding);
                block[k * WIDE + i] = x;
            }
    }
}

template <int M, int N, class T>
static inline void multiply(const T *__restrict__ a, const T *__restrict__ b, long depth, T (&__restrict__ sums)[N][M]) {
    T own[N][M] = {};
    for (long k = 0; k < depth; k++, a += M, b += N)
        for (int j = 0; j < N; j++)
            for (int i = 0; i < M; i++) own[j][i] += a[i] * b[j];
    memcpy(sums, own, sizeof sums);
}

template <class N, class In, class Out>
static void gemm(bool at, bool bt, long m, long n, long k, N alpha, const In *a, long lda, const In *b, long ldb, N beta, Out *c,
                 long ldc, Rounding rounding) {
    const int M = 8, W = 4;
    static thread_local std::vector<N> left, right;
    if (k > 0 && alpha != 0) {
        pack<M>(left, a, at, m, k, lda, rounding);
        pack<W>(right, b, !bt, n, k, ldb, rounding);
    }
    for (long j = 0; j < n; j += W)
        for (long i = 0; i < m; i += M) {
            N sums[W][M] = {};
            if (k > 0 && alpha != 0) multiply<M, W>(left.data() + i * k, right.data() + j * k, k, sums);
            for (long q = j; q < std::min(j + W, n); q++)
                for (long p = i; p < std::min(i + M, m); p++) {
                    N x = alpha * sums[q - j][p - i];
                    Out &place = c[p + q * ldc];
                    place = Out(beta == 0 ? x : x + beta * (N)place);
                }
        }
}

static bool valid(int at, int bt, int m, int n, int k, int lda, int ldb, int ldc) {
    auto one = [](int x) { return x > 1 ? x : 1; };
    return at >= 0 && at <= 2 && bt >= 0 && bt <= 2 && m >= 0 && n >= 0 && k >= 0 && lda >= one(at ? k : m) &&
           ldb >= one(bt ? n : k) && ldc >= one(m);
}

struct Problem {
    int at, bt, m, n, k;
    const void *alpha, *beta;
    const void *a, *b;
    void *c;
    int lda, ldb, ldc;
    long long by_a, by_b, by_c;
    int count;
    Rounding rounding;
};

// Is a matrix (each of `count`) where the card's memory is? The emulated driver knows.
template <class T> static bool there(const char *name, const T *it, long rows, long columns, long leading, long long by, long long count) {
    static auto is_device = [] {
        void *driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
        return driver ? (int (*)(const void *, size_t))dlsym(driver, "emulator_is_device") : nullptr;
    }();
    if (!is_device || rows == 0 || columns == 0 || count == 0) return true;
    size_t size = (size_t)(by * (count - 1) + leading * (columns - 1) + rows) * sizeof(T);
    if (is_device(it, size)) return true;
    fprintf(stderr, "emulator: cuBLAS: the matrix %s of %ld x %ld (%lld of them) at %p reaches beyond a buffer of the card's, or is in none\n",
            name, rows, columns, count, (const void *)it);
    return false;
}

template <class N, class In, class Out, class Scale = N> static int all(const Problem &p) {
    if (!valid(p.at, p.bt, p.m, p.n, p.k, p.lda, p.ldb, p.ldc) || p.count < 0) return INVALID_VALUE;
    if (!there("C", (Out *)p.c, p.m, p.n, p.ldc, p.by_c, p.count) ||
        !there("A", (const In *)p.a, p.at ? p.k : p.m, p.at ? p.m : p.k, p.lda, p.by_a, p.count) ||
        !there("B", (const In *)p.b, p.bt ? p.n : p.k, p.bt ? p.k : p.n, p.ldb, p.by_b, p.count))
        return EXECUTION_FAILED;
    for (long long i = 0; i < p.count; i++)
        gemm<N, In, Out>(p.at, p.bt, p.m, p.n, p.k, (N) * (const Scale *)p.alpha, (const In *)p.a + i * p.by_a, p.lda,
                         (const In *)p.b + i * p.by_b, p.ldb, (N) * (const Scale *)p.beta, (Out *)p.c + i * p.by_c, p.ldc, p.rounding);
    return SUCCESS;
}

// What a mode of the handle's makes of f32.
static Rounding of_mode(Handle *handle) { return (handle->math_mode & 15) == 3 ? TO_TF32 : NONE; }

static int by_types(Handle *handle, Problem p, int a, int b, int c, int compute) {
    if (!handle) return NOT_INITIALIZED;
    if (a != b) return NOT_SUPPORTED;
    auto types = [&](int in, int out) { return a == in && c == out; };
    p.rounding = NONE;
    switch (compute) {
    case FAST_16F: case FAST_BF16: case FAST_TF32:
        p.rounding = compute == FAST_16F ? TO_F16 : compute == FAST_BF16 ? TO_BF16 : TO_TF32;
        return types(F32, F32) ? all<float, float, float>(p) : (int)NOT_SUPPORTED;
    case IN_32F:
        if (types(F32, F32)) p.rounding = of_mode(handle);
        [[fallthrough]];
    case IN_32F_PEDANTIC:
        if (types(F32, F32)) return all<float, float, float>(p);
        if (types(BF16, F32)) return all<float, __nv_bfloat16, float>(p);
        if (types(BF16, BF16)) return all<float, __nv_bfloat16, __nv_bfloat16>(p);
        if (types(F16, F32)) return all<float, __half, float>(p);
        if (types(F16, F16)) return all<float, __half, __half>(p);
        return NOT_SUPPORTED;
    case IN_16F: case IN_16F_PEDANTIC:
        return types(F16, F16) ? all<float, __half, __half, __half>(p) : (int)NOT_SUPPORTED;
    case IN_64F: case IN_64F_PEDANTIC:
        return types(F64, F64) ? all<double, double, double>(p) : (int)NOT_SUPPORTED;
    }
    return NOT_SUPPORTED;
}

API cublasCreate_v2(Handle **handle) { return *handle = new Handle{0}, SUCCESS; }
API cublasDestroy_v2(Handle *handle) { return delete handle, SUCCESS; }
API cublasSetStream_v2(Handle *handle, void *) { return handle ? SUCCESS : NOT_INITIALIZED; }
API cublasSetWorkspace_v2(Handle *handle, void *, size_t) { return handle ? SUCCESS : NOT_INITIALIZED; }
API cublasGetVersion_v2(Handle *, int *version) { return *version = 120901, SUCCESS; }
API cublasSetMathMode(Handle *handle, int mode) {
    if (!handle) return NOT_INITIALIZED;
    int kind = mode & 15;
    if (kind > 3 || mode & ~(15 | 16)) return INVALID_VALUE;
    return handle->math_mode = mode, SUCCESS;
}
API cublasGetMathMode(Handle *handle, int *mode) { return *mode = handle->math_mode, SUCCESS; }

#define GEMM(name, T, type, compute) \
    API cublas##name##gemm_v2(Handle *handle, int at, int bt, int m, int n, int k, const T *alpha, const T *a, int lda, \
                              const T *b, int ldb, const T *beta, T *c, int ldc) { \
        return by_types(handle, {at, bt, m, n, k, alpha, beta, a, b, c, lda, ldb, ldc, 0, 0, 0, 1, NONE}, type, type, type, compute); \
    } \
    API cublas##name##gemmStridedBatched(Handle *handle, int at, int bt, int m, int n, int k, const T *alpha, const T *a, int lda, \
                                         long long by_a, const T *b, int ldb, long long by_b, const T *beta, T *c, int ldc, \
                                         long long by_c, int count) { \
        return by_types(handle, {at, bt, m, n, k, alpha, beta, a, b, c, lda, ldb, ldc, by_a, by_b, by_c, count, NONE}, type, \
                        type, type, compute); \
    } \
    API cublas##name##gemv_v2(Handle *handle, int transposed, int m, int n, const T *alpha, const T *a, int lda, const T *x, \
                              int by_x, const T *beta, T *y, int by_y) { \
        if (!handle) return NOT_INITIALIZED; \
        if (transposed < 0 || transposed > 2 || m < 0 || n < 0 || lda < (m > 1 ? m : 1) || !by_x || !by_y) return INVALID_VALUE; \
        long rows = transposed ? n : m, depth = transposed ? m : n; \
        for (long i = 0; i < rows; i++) { \
            T sum = 0; \
            for (long j = 0; j < depth; j++) \
                sum += (transposed ? a[j + i * lda] : a[i + j * lda]) * x[(by_x > 0 ? j : j - depth + 1) * by_x]; \
            T &place = y[(by_y > 0 ? i : i - rows + 1) * by_y]; \
            place = *beta == 0 ? *alpha * sum : *alpha * sum + *beta * place; \
        } \
        return SUCCESS; \
    }
GEMM(S, float, F32, IN_32F)
GEMM(D, double, F64, IN_64F)

API cublasGemmEx(Handle *handle, int at, int bt, int m, int n, int k, const void *alpha, const void *a, int type_a, int lda,
                 const void *b, int type_b, int ldb, const void *beta, void *c, int type_c, int ldc, int compute, int) {
    return by_types(handle, {at, bt, m, n, k, alpha, beta, a, b, c, lda, ldb, ldc, 0, 0, 0, 1, NONE}, type_a, type_b, type_c, compute);
}
API cublasGemmStridedBatchedEx(Handle *handle, int at, int bt, int m, int n, int k, const void *alpha, const void *a, int type_a,
                               int lda, long long by_a, const void *b, int type_b, int ldb, long long by_b, const void *beta,
                               void *c, int type_c, int ldc, long long by_c, int count, int compute, int) {
    return by_types(handle, {at, bt, m, n, k, alpha, beta, a, b, c, lda, ldb, ldc, by_a, by_b, by_c, count, NONE}, type_a, type_b,
                    type_c, compute);
}
