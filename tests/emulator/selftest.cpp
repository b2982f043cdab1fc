// Does the emulator do what a GPU would, and does it find what it is there to find? Run by selftest.sh.
#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <sys/wait.h>
#include <tuple>
#include <unistd.h>
#include <vector>

typedef unsigned long long Pointer;
extern "C" {
int cuInit(unsigned), cuDevicePrimaryCtxRetain(void **, int), cuCtxSetCurrent(void *), cuMemAlloc_v2(Pointer *, size_t),
    cuMemAllocAsync(Pointer *, size_t, void *), cuMemFree_v2(Pointer), cuMemGetInfo_v2(size_t *, size_t *),
    cuMemcpyHtoD_v2(Pointer, const void *, size_t), cuMemcpyDtoH_v2(void *, Pointer, size_t), cuModuleLoadData(void **, const void *),
    cuModuleUnload(void *), cuModuleGetFunction(void **, void *, const char *),
    cuLaunchKernel(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **);
int nvrtcCreateProgram(void **, const char *, const char *, int, const char *const *, const char *const *),
    nvrtcCompileProgram(void *, int, const char *const *), nvrtcDestroyProgram(void **), nvrtcGetPTXSize(void *, size_t *),
    nvrtcGetPTX(void *, char *), nvrtcGetProgramLogSize(void *, size_t *), nvrtcGetProgramLog(void *, char *);
int cublasCreate_v2(void **), cublasSetMathMode(void *, int),
    cublasSgemm_v2(void *, int, int, int, int, int, const float *, const float *, int, const float *, int, const float *, float *, int),
    cublasSgemv_v2(void *, int, int, int, const float *, const float *, int, const float *, int, const float *, float *, int),
    cublasGemmStridedBatchedEx(void *, int, int, int, int, int, const void *, const void *, int, int, long long, const void *, int,
                               int, long long, const void *, void *, int, int, long long, int, int, int);
}

static int failures = 0, checks = 0;
#define CHECK(condition) check((condition), #condition, __LINE__)
static void check(bool holds, const char *what, int line) {
    checks++;
    if (!holds) failures++, printf("selftest.cpp:%d: this does not hold: %s\n", line, what);
}
static void must(int code, const char *what) {
    if (code) printf("%s: code %d\n", what, code), exit(2);
}
#define MUST(call) must(call, #call)

static std::string ptx_of(const std::string &source, std::vector<const char *> options, int &code, std::string &log) {
    void *program;
    MUST(nvrtcCreateProgram(&program, source.c_str(), nullptr, 0, nullptr, nullptr));
    std::string include = "--include-path=" + std::string(getenv("CUDA_PATH")) + "/include";
    options.push_back(include.c_str());
    code = nvrtcCompileProgram(program, (int)options.size(), options.data());
    size_t size;
    MUST(nvrtcGetProgramLogSize(program, &size));
    log.resize(size);
    MUST(nvrtcGetProgramLog(program, log.data()));
    MUST(nvrtcGetPTXSize(program, &size));
    std::string text(size, 0);
    MUST(nvrtcGetPTX(program, text.data()));
    MUST(nvrtcDestroyProgram(&program));
    return text;
}

struct Kernels {
    void *module;
    Kernels(const std::string &source) {
        int code;
        std::string log, text = ptx_of(source, {"--gpu-architecture=compute_80", "--std=c++17"}, code, log);
        if (code) printf("%s\n", log.c_str()), exit(2);
        MUST(cuModuleLoadData(&module, text.c_str()));
    }
    ~Kernels() { cuModuleUnload(module); }
    template <class... P> int launch(const char *name, unsigned grid, unsigned block, unsigned shared, P... parameters) {
        void *function, *pointers[] = {&parameters...};
        MUST(cuModuleGetFunction(&function, module, name));
        return cuLaunchKernel(function, grid, 1, 1, block, 1, 1, shared, nullptr, pointers, nullptr);
    }
};

template <class T> struct Array {
    Pointer place;
    size_t size;
    Array(const std::vector<T> &values) : size(values.size()) {
        MUST(cuMemAlloc_v2(&place, size * sizeof(T)));
        MUST(cuMemcpyHtoD_v2(place, values.data(), size * sizeof(T)));
    }
    ~Array() { cuMemFree_v2(place); }
    std::vector<T> get() {
        std::vector<T> values(size);
        MUST(cuMemcpyDtoH_v2(values.data(), place, size * sizeof(T)));
        return values;
    }
};

// Runs it in a process of its own: how that ends, and what it says.
static int apart(const std::function<void()> &what, std::string &said) {
    int ends[2];
    if (pipe(ends)) exit(2);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 2);
        what();
        _exit(0);
    }
    close(ends[1]);
    char part[1024];
    said.clear();
    for (ssize_t n; (n = read(ends[0], part, sizeof part)) > 0;) said.append(part, (size_t)n);
    close(ends[0]);
    int status;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}
static bool has(const std::string &text, const char *part) { return text.find(part) != std::string::npos; }

static const char *const ORDERS[] = {"forward", "backward", "shuffled"};
static const char *const SOURCE = R"(
#include "cuda_fp16.h"
#include "cuda_bf16.h"
extern __shared__ __align__(16) unsigned char raw[];
template <class A, class B> struct Two { A a; B b; };
struct Four { unsigned char a; double b; int c; };
template <class T> __device__ T block_sum(T x) {
    __shared__ T parts[256];
    parts[threadIdx.x] = x;
    __syncthreads();
    for (int by = blockDim.x / 2; by > 0; by /= 2) {
        if (threadIdx.x < by) parts[threadIdx.x] += parts[threadIdx.x + by];
        __syncthreads();
    }
    return parts[0];
}
extern "C" __global__ void __launch_bounds__(256) sums(const float *__restrict__ in, float *out) {
    float sum = block_sum(in[blockIdx.x * blockDim.x + threadIdx.x]);
    if (threadIdx.x == 0) out[blockIdx.x] = sum;
}
extern "C" __global__ void dynamic(const int *in, int *out) {
    extern __shared__ int turned[];
    __shared__ int one, more[2];
    turned[threadIdx.x] = in[threadIdx.x];
    if (threadIdx.x == 5) one = 7, more[1] = 10;
    __syncthreads();
    out[threadIdx.x] = turned[blockDim.x - 1 - threadIdx.x] + one + more[1];
}
extern "C" __global__ void declared(int *out) {
    __shared__ __align__(16) float tile[sizeof(int) > 2 ? 3 : 1][4 << 1], *row;
    __shared__ Two<Two<int, float>, double> pair[2], other;
    extern __shared__ __align__(16) Two<int, Two<int, int>> typed[];
    volatile __shared__ int last;
    tile[2][7] = 1, pair[1].a.b = 20, other.b = 300, row = tile[2], last = 4000, ((int *)(raw + 4))[0] = 50000;
    *out = (int)(row[7] + pair[1].a.b + other.b) + last + typed[0].b.a;
    static_assert(sizeof(tile) == 96 && sizeof(pair) == 32, "they are what they were");
}
extern "C" __global__ void unset(int *out) {
    extern __shared__ int turned[];
    __shared__ int still[3];
    out[2 * blockIdx.x] = turned[0], out[2 * blockIdx.x + 1] = still[2];
    still[2] = turned[0] = 1;
}
extern "C" __global__ void warps(unsigned *out) {
    unsigned t = threadIdx.x, all = 0xffffffff;
    unsigned *mine = out + 11 * t;
    float sum = t;
    for (int by = 16; by > 0; by /= 2) sum += __shfl_down_sync(all, sum, by);
    mine[0] = (unsigned)__shfl_sync(all, sum, 0);
    mine[1] = __shfl_xor_sync(all, t, 3);
    mine[2] = __shfl_up_sync(all, t, 1, 8);
    mine[3] = __ballot_sync(all, t % 3 == 0);
    mine[4] = __any_sync(all, t == 33);
    mine[5] = __all_sync(all, t != 33);
    mine[6] = __reduce_max_sync(all, -(int)t);
    mine[7] = __reduce_add_sync(all, t);
    mine[10] = __shfl_down_sync(all, t, 3, 16);
    mine[8] = __match_any_sync(all, t / 4);
    if (t % 32 < 16) {
        __syncwarp(0xffff);
        mine[9] = __shfl_xor_sync(0xffffu, t, 1);
    } else {
        mine[9] = __reduce_min_sync(0xffff0000, t);
    }
}
extern "C" __global__ void atomics(float *sum, int *most, unsigned *swapped, int *counts) {
    atomicAdd(sum, 1.0f);
    atomicMax(most, (int)(threadIdx.x * 7 % 64));
    unsigned old, seen = *swapped;
    do old = seen; while ((seen = atomicCAS(swapped, old, old + 2)) != old);
    int even = __syncthreads_count(threadIdx.x % 2 == 0);
    int one = __syncthreads_or(threadIdx.x == 3), all = __syncthreads_and(threadIdx.x < 49);
    if (threadIdx.x == 0) counts[blockIdx.x] = even + 1000 * __popc(255) + (one ? 100 : 0) + (all ? 200 : 0);
}
extern "C" __global__ void by_value(Four four, double *out, dim3 more) { *out = four.a + four.b * four.c + more.z; }
extern "C" __global__ void places(unsigned *out) {
    unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    out[block * (blockDim.x * blockDim.y * blockDim.z) + thread] = blockIdx.z * 100 + threadIdx.y * 10 + threadIdx.x;
}
extern "C" __global__ void wrong_end(float *out) { out[threadIdx.x + 1] = 0; }
extern "C" __global__ void wrong_begin(float *out) { out[-1] = 0; }
extern "C" __global__ void wrong_shared(float *out) {
    extern __shared__ float some[];
    some[threadIdx.x + 4] = 1;
    *out = some[0];
}
extern "C" __global__ void no_barrier(int *out) {
    __shared__ int them[64];
    them[threadIdx.x] = threadIdx.x;
    out[threadIdx.x] = them[63 - threadIdx.x];
}
extern "C" __global__ void half_a_barrier(int *out) {
    if (threadIdx.x < 10) __syncthreads();
    else __syncwarp();
    __syncthreads();
}
extern "C" __global__ void half_a_warp(int *out) {
    if (threadIdx.x < 10) __syncthreads();
    else out[threadIdx.x] = __shfl_sync(0xffffffff, 1, 2);
}
extern "C" __global__ void __launch_bounds__(32 * (2), 1) bounded(float *out) { *out = blockDim.x; }
extern "C" __global__ void misaligned(float *out) { *(float2 *)(out + 1) = make_float2(1, 2); }
extern "C" __global__ void some_leave(int *out) {
    if (threadIdx.x % 2) return;
    __syncthreads();
    out[threadIdx.x] = 1;
}
extern "C" __global__ void rounds(const float *in, float *half, float *bf16, int n) {
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        half[i] = __half2float(__float2half(in[i]));
        bf16[i] = __bfloat162float(__float2bfloat16_rn(in[i]));
    }
}
)";

static void kernels() {
    Kernels k(SOURCE);
    for (const char *order : ORDERS) {
        setenv("INDHEAD_EMULATOR_ORDER", order, 1);
        std::vector<float> in(5 * 256);
        for (size_t i = 0; i < in.size(); i++) in[i] = (float)(i % 97);
        Array<float> from(in), sums(std::vector<float>(5));
        MUST(k.launch("sums", 5, 256, 0, from.place, sums.place));
        for (int b = 0; b < 5; b++) {
            float sum = 0;
            for (int i = 0; i < 256; i++) sum += in[(size_t)b * 256 + i];
            CHECK(sums.get()[b] == sum);
        }

        Array<int> numbers(std::vector<int>{1, 2, 3, 4, 5, 6, 7, 8}), turned(std::vector<int>(8));
        MUST(k.launch("dynamic", 1, 8, 32, numbers.place, turned.place));
        CHECK(turned.get() == (std::vector<int>{25, 24, 23, 22, 21, 20, 19, 18}));
        Array<int> declared(std::vector<int>(1));
        MUST(k.launch("declared", 1, 1, 12, declared.place));
        CHECK(declared.get()[0] == 54321);
        Array<int> unset(std::vector<int>(6));
        MUST(k.launch("unset", 3, 1, 8, unset.place));
        CHECK(unset.get() == std::vector<int>(6, -1));

        Array<unsigned> warps(std::vector<unsigned>(64 * 11));
        MUST(k.launch("warps", 1, 64, 0, warps.place));
        auto lanes = warps.get();
        for (unsigned t = 0; t < 64; t++) {
            const unsigned *mine = &lanes[11 * t], first = t & ~31u;
            unsigned sum = first ? 32 * 32 + 496 : 496, thirds = 0;
            for (unsigned i = 0; i < 32; i++) thirds |= (unsigned)((first + i) % 3 == 0) << i;
            CHECK(mine[0] == sum && mine[7] == sum);
            CHECK(mine[1] == (t ^ 3) && mine[2] == (t % 8 ? t - 1 : t));
            CHECK(mine[3] == thirds && mine[4] == (first == 32) && mine[5] == (first == 0));
            CHECK(mine[6] == (unsigned)-(int)first);
            CHECK(mine[8] == 15u << t % 32 / 4 * 4);
            CHECK(mine[10] == (t % 16 < 13 ? t + 3 : t));
            CHECK(mine[9] == (t % 32 < 16 ? t ^ 1 : first + 16));
        }

        Array<float> sum(std::vector<float>{0.5f});
        Array<int> most(std::vector<int>{-1}), counts(std::vector<int>(3));
        Array<unsigned> swapped(std::vector<unsigned>{1});
        MUST(k.launch("atomics", 3, 50, 0, sum.place, most.place, swapped.place, counts.place));
        CHECK(sum.get()[0] == 150.5f && most.get()[0] == 63 && swapped.get()[0] == 301 && counts.get()[2] == 8125);

        struct { unsigned char a; double b; int c; } four = {3, 0.25, -8};
        struct { unsigned x, y, z; } more = {1, 2, 100};
        Array<double> value(std::vector<double>{0});
        MUST(k.launch("by_value", 1, 1, 0, four, value.place, more));
        CHECK(value.get()[0] == 101);

        Array<unsigned> places(std::vector<unsigned>(2 * 3 * 4 * 24));
        void *function, *pointers[] = {&places.place};
        MUST(cuModuleGetFunction(&function, k.module, "places"));
        MUST(cuLaunchKernel(function, 2, 3, 4, 4, 3, 2, 0, nullptr, pointers, nullptr));
        auto at = places.get();
        for (unsigned i = 0; i < at.size(); i++) CHECK(at[i] == i / 24 / 6 * 100 + i % 24 / 4 % 3 * 10 + i % 4);

        Array<int> left(std::vector<int>(64));
        MUST(k.launch("some_leave", 1, 64, 0, left.place));
        CHECK(left.get()[62] == 1 && left.get()[61] == 0);
    }

    // To the nearest, of two the even: what f64 arithmetic says.
    std::vector<float> in = {0.f, -0.f, 1.f, 65504.f, 65519.f, 65520.f, 1e-8f, 6e-8f, 2.98e-8f, INFINITY, -INFINITY, 3e38f};
    uint32_t state = 1;
    for (int i = 0; i < 20000; i++) {
        state = state * 1664525 + 1013904223;
        uint32_t bits = (state & 0x80FFFFFF) | (100 + state / 7 % 45) << 23;
        float x;
        memcpy(&x, &bits, 4);
        in.push_back(x);
    }
    auto nearest = [](float x, int digits, int least, double most) {
        if (x == 0 || std::isinf(x)) return x;
        int exponent;
        frexp((double)x, &exponent);
        double unit = ldexp(1, std::max(exponent - digits, least)), y = nearbyint(x / unit) * unit;
        return fabs(y) > most ? (float)copysign(INFINITY, x) : (float)y;
    };
    Array<float> from(in), half(std::vector<float>(in.size())), bf16(std::vector<float>(in.size()));
    MUST(k.launch("rounds", 1, 32, 0, from.place, half.place, bf16.place, (int)in.size()));
    auto halves = half.get(), bf16s = bf16.get();
    bool same = true;
    for (size_t i = 0; i < in.size(); i++)
        same &= halves[i] == nearest(in[i], 11, -24, 65504) && bf16s[i] == nearest(in[i], 8, -133, 3.3895314e38);
    CHECK(same);
}

// What else kernels write of small floats and vectors.
static const char *const SMALL = R"(
#include "cuda_fp16.h"
#include "cuda_bf16.h"
extern "C" __global__ void small(__nv_bfloat16 *a, __nv_bfloat162 *b, __half *c, float *out, const float4 *v) {
    __nv_bfloat162 x = __hfma2(__floats2bfloat162_rn(1.0f, 2.5f), __float22bfloat162_rn(make_float2(3, 4)), b[threadIdx.x]);
    atomicAdd(a, __hadd(__low2bfloat16(x), __float2bfloat16(0.5f)));
    uint4 bits = *reinterpret_cast<const uint4 *>(v);
    __half h = __float2half_rn(3.0f);
    h += c[0], c[0] = h * __half(2.0) - c[1] / h;
    if (c[0] > h) c[1] = 0.0f;
    out[0] = __high2float(x), out[1] = __bfloat162float(__shfl_sync(1u, __ushort_as_bfloat16(0x3f80), 0));
    out[2] = __uint_as_float(bits.y) + __fdividef(1.0f, 4.0f) + rsqrtf(4.0f) + max(1u, blockDim.x) + __ldg(&v->z);
}
)";
static void small_floats() {
    Kernels k(SMALL);
    Array<uint16_t> a({0x3F80}), b({0x3F80, 0x4000}), c({0x3C00, 0x4000});
    Array<float> out({0, 0, 0}), v({1, 2, 3, 4});
    MUST(k.launch("small", 1, 1, 0, a.place, b.place, c.place, out.place, v.place));
    CHECK(a.get()[0] == 0x40B0 && out.get() == (std::vector<float>{12, 1, 6.75f})); // 1 + 3 + 1 + 0.5
    CHECK(c.get()[0] == 0x4780 && c.get()[1] == 0);                                  // 4 * 2 - 2 / 4
}

static void what_is_to_be_found() {
    Kernels k(SOURCE);
    std::string said;
    Array<float> floats(std::vector<float>(8));
    CHECK(apart([&] { k.launch("wrong_end", 1, 8, 0, floats.place); }, said) == SIGSEGV);
    CHECK(has(said, "0 bytes after the end of a buffer of 32 bytes: kernel wrong_end, block (0, 0, 0) of (1, 1, 1), thread (7, 0, 0)"));
    CHECK(apart([&] { k.launch("wrong_end", 1, 7, 0, floats.place); }, said) == 0);
    auto freed = [&](const char *name, size_t size) {
        return apart([&] {
            Pointer place;
            MUST(cuMemAlloc_v2(&place, size));
            k.launch(name, 1, 1, 0, place);
            cuMemFree_v2(place);
        }, said);
    };
    CHECK(freed("wrong_begin", 32) == SIGABRT && has(said, "written 4 bytes before a buffer of 32 bytes"));
    CHECK(freed("wrong_end", 4) == SIGABRT && has(said, "written 2 bytes after the end of a buffer of 4 bytes") == false);
    CHECK(has(said, "after the end of a buffer of 4 bytes"));
    CHECK(freed("wrong_end", 8) == 0);
    CHECK(apart([&] { k.launch("wrong_shared", 1, 1, 16, floats.place); }, said) == SIGSEGV);
    CHECK(apart([&] { k.launch("wrong_shared", 1, 1, 32, floats.place); }, said) == 0);

    std::vector<int> of_order[3];
    for (int o = 0; o < 3; o++) {
        setenv("INDHEAD_EMULATOR_ORDER", ORDERS[o], 1);
        Array<int> out(std::vector<int>(64));
        MUST(k.launch("no_barrier", 1, 64, 0, out.place));
        of_order[o] = out.get();
    }
    CHECK(of_order[0] != of_order[1] && of_order[0] != of_order[2]);

    CHECK(apart([&] { k.launch("half_a_barrier", 1, 32, 0, floats.place); }, said) == SIGABRT);
    CHECK(has(said, "kernel half_a_barrier"));
    CHECK(apart([&] { k.launch("half_a_warp", 1, 32, 0, floats.place); }, said) == SIGABRT);
    CHECK(has(said, "of 32 threads that live, none can go on: 10 at a barrier"));
    CHECK(apart([&] { k.launch("bounded", 1, 64, 0, floats.place); }, said) == 0);
    CHECK(k.launch("bounded", 1, 65, 0, floats.place) == 701);
    float host[8];
    CHECK(apart([&] { k.launch("bounded", 1, 1, 0, &host[0]); }, said) == SIGABRT && has(said, "parameter 1 of kernel bounded"));
    CHECK(apart([&] { k.launch("misaligned", 1, 1, 0, floats.place); }, said) == SIGILL && has(said, "kernel misaligned"));
    CHECK(apart([&] { setenv("INDHEAD_EMULATOR_ORDER", "sideways", 1), k.launch("no_barrier", 1, 1, 0, floats.place); }, said) == SIGABRT);
    setenv("INDHEAD_EMULATOR_ORDER", "forward", 1);
    CHECK(k.launch("some_leave", 1, 1025, 0, floats.place) == 1 && k.launch("some_leave", 0, 1, 0, floats.place) == 1);
    CHECK(k.launch("some_leave", 1, 1, 49153, floats.place) == 1);

    std::string log;
    int code;
    ptx_of("extern \"C\" __global__ void broken(float *x) { x[0] = nothing; }", {}, code, log);
    CHECK(code == 6 && has(log, "nothing") && has(log, "default_program"));
    ptx_of("#include <math.h>\n", {}, code, log);
    CHECK(code == 6 && has(log, "math.h: No such file"));
    ptx_of("__device__ float x = INFINITY;", {}, code, log);
    CHECK(code == 6);
    ptx_of("__device__ uint32_t x;", {}, code, log);
    CHECK(code == 6);
    ptx_of("typedef unsigned uint32_t;\n#define INFINITY 7\n__device__ uint32_t x = INFINITY;", {}, code, log);
    CHECK(code == 0);
    ptx_of("extern \"C\" __global__ void large() { __shared__ float them[12289]; them[0] = 0; }", {}, code, log);
    CHECK(code == 6 && has(log, "48 KiB"));
    ptx_of("", {"--no-such-option"}, code, log);
    CHECK(code == 5 && has(log, "--no-such-option"));
    ptx_of("#if __CUDA_ARCH__ != 900 || WORD != 3\n#error other\n#endif", {"-arch=sm_90", "-DWORD=3"}, code, log);
    CHECK(code == 0);
    ptx_of("#if __CUDA_ARCH__ != 520\n#error other\n#endif", {}, code, log);
    CHECK(code == 0);
    void *module;
    CHECK(apart([&] { if (cuModuleLoadData(&module, "//\n// Generated by NVIDIA NVVM Compiler\n") != 218) abort(); }, said) == 0);
}

static void memory() {
    size_t before, after, total;
    MUST(cuMemGetInfo_v2(&before, &total));
    CHECK(before == total && total == 1 << 20);
    Pointer place, other;
    CHECK(cuMemAlloc_v2(&place, 0) == 1 && cuMemAllocAsync(&place, 0, nullptr) == 0);
    MUST(cuMemFree_v2(place));
    CHECK(cuMemAlloc_v2(&place, (1 << 20) + 1) == 2);
    MUST(cuMemAlloc_v2(&place, 1000));
    CHECK(place % 16 == 0);
    MUST(cuMemGetInfo_v2(&after, &total));
    CHECK(after == total - 1000 && cuMemAlloc_v2(&other, total - 999) == 2);
    uint32_t some[250];
    MUST(cuMemcpyDtoH_v2(some, place, 1000));
    CHECK(some[0] == ~0u && some[249] == ~0u);
    CHECK(cuMemcpyDtoH_v2(some, place + 4, 1000) == 1 && cuMemcpyHtoD_v2(place - 4, some, 4) == 1);
    MUST(cuMemFree_v2(place));
    CHECK(cuMemFree_v2(place) == 1);
    MUST(cuMemGetInfo_v2(&after, &total));
    CHECK(after == before);
}

static double number(uint32_t &state) {
    state = state * 1664525 + 1013904223;
    return (double)(state >> 16) / 32768 - 1;
}

static void gemm() {
    void *blas;
    MUST(cublasCreate_v2(&blas));
    uint32_t state = 7;
    auto bf16 = [](float x) {
        uint32_t bits;
        memcpy(&bits, &x, 4);
        return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
    };
    auto of_bf16 = [](uint16_t x) {
        uint32_t bits = (uint32_t)x << 16;
        float y;
        memcpy(&y, &bits, 4);
        return y;
    };
    // Both transposed or not, sizes around those of its blocks, with room between columns and between matrices.
    for (int at = 0; at < 2; at++)
        for (int bt = 0; bt < 2; bt++)
            for (auto [m, n, k] : {std::tuple{1, 1, 1}, {8, 4, 3}, {9, 5, 17}, {31, 18, 40}, {3, 7, 0}}) {
                int lda = (at ? k : m) + 2, ldb = (bt ? n : k) + 3, ldc = m + 1, count = 3;
                long sa = (long)lda * (at ? m : k) + 5, sb = (long)ldb * (bt ? k : n) + 1, sc = (long)ldc * n + 2;
                std::vector<float> a((size_t)(sa * count)), b((size_t)(sb * count)), c((size_t)(sc * count));
                for (auto *v : {&a, &b, &c})
                    for (float &x : *v) x = (float)number(state);
                std::vector<uint16_t> small_a, small_b;
                for (float x : a) small_a.push_back(bf16(x));
                for (float x : b) small_b.push_back(bf16(x));
                Array<float> on_a(a), on_b(b), on_c(c);
                Array<uint16_t> on_small_a(small_a), on_small_b(small_b);
                for (int how = 0; how < 4; how++) { // f32, f32 without C, TF32, bf16 in and f32 out
                    float alpha = 0.75f, beta = how == 1 ? 0.0f : -0.5f;
                    Array<float> on_card(how == 1 ? std::vector<float>(c.size(), NAN) : c);
                    int type = how == 3 ? 14 : 0;
                    const void *pa = (const void *)(how == 3 ? on_small_a.place : on_a.place);
                    const void *pb = (const void *)(how == 3 ? on_small_b.place : on_b.place);
                    MUST(cublasGemmStridedBatchedEx(blas, at, bt, m, n, k, &alpha, pa, type, lda, sa, pb, type, ldb, sb, &beta,
                                                    (void *)on_card.place, 0, ldc, sc, count, how == 2 ? 77 : 68, -1));
                    std::vector<float> got = on_card.get();
                    double worst = 0, other = 0;
                    for (int i = 0; i < count; i++)
                        for (int q = 0; q < n; q++)
                            for (int p = 0; p < m; p++) {
                                double sum = 0, exact = 0;
                                for (int r = 0; r < k; r++) {
                                    size_t ia = (size_t)(i * sa + (at ? r + (long)p * lda : p + (long)r * lda));
                                    size_t ib = (size_t)(i * sb + (bt ? q + (long)r * ldb : r + (long)q * ldb));
                                    sum += how == 3 ? (double)of_bf16(small_a[ia]) * of_bf16(small_b[ib]) : (double)a[ia] * b[ib];
                                    exact += (double)a[ia] * b[ib];
                                }
                                size_t ic = (size_t)(i * sc + p + (long)q * ldc);
                                double off = fabs(alpha * sum + (beta == 0 ? 0 : beta * c[ic]) - got[ic]);
                                worst = std::isnan(off) ? INFINITY : std::max(worst, off);
                                other = std::max(other, fabs(alpha * exact + (beta == 0 ? 0 : beta * c[ic]) - got[ic]));
                            }
                    if (how == 2) CHECK(worst < 0.02 && (k < 17 || worst > 1e-5));
                    else CHECK(worst < 1e-5);
                    if (how == 3 && k >= 17) CHECK(other > 1e-4);
                    bool untouched = true;
                    for (int i = 0; i < count; i++)
                        for (int q = 0; q < n; q++) {
                            float x = got[(size_t)(i * sc + m + (long)q * ldc)];
                            untouched &= how == 1 ? std::isnan(x) : x == c[(size_t)(i * sc + m + (long)q * ldc)];
                        }
                    CHECK(untouched);
                }
                float one = 1, zero = 0;
                auto small = [&](int a_, int b_, int c_) {
                    return cublasSgemm_v2(blas, at, bt, m, n, k, &one, (float *)on_a.place, a_, (float *)on_b.place, b_, &zero,
                                          (float *)on_c.place, c_);
                };
                if (at ? k > 1 : m > 1) CHECK(small((at ? k : m) - 1, ldb, ldc) == 7);
                if (bt ? n > 1 : k > 1) CHECK(small(lda, (bt ? n : k) - 1, ldc) == 7);
                if (m > 1) CHECK(small(lda, ldb, m - 1) == 7);
                CHECK(small(lda, ldb, ldc) == 0);
            }
    // The mode makes TF32 of f32; matrices are on the card, all of them.
    float x = 1 + 1.0f / 4096, one = 1, zero = 0;
    Array<float> on_x({x}), on_one({1}), on_y({0});
    auto product = [&](int depth) {
        return cublasSgemm_v2(blas, 0, 0, 1, 1, depth, &one, (float *)on_x.place, 1, (float *)on_one.place, depth, &zero, (float *)on_y.place, 1);
    };
    MUST(product(1));
    CHECK(on_y.get()[0] == x);
    MUST(cublasSetMathMode(blas, 3));
    MUST(product(1));
    CHECK(on_y.get()[0] == 1);
    std::string said;
    CHECK(apart([&] { if (product(2) == 13) abort(); }, said) == SIGABRT && has(said, "the matrix A of 1 x 2"));
    float a[6] = {1, 2, 3, 4, 5, 6}, v[3] = {1, 10, 100}, w[3] = {NAN, NAN, NAN};
    MUST(cublasSgemv_v2(blas, 0, 2, 3, &one, a, 2, v, 1, &zero, w, 1));
    CHECK(w[0] == 531 && w[1] == 642 && std::isnan(w[2]));
    MUST(cublasSgemv_v2(blas, 1, 2, 3, &one, a, 2, v, 1, &zero, w, 1));
    CHECK(w[0] == 21 && w[1] == 43 && w[2] == 65);
}

int main() {
    setenv("INDHEAD_EMULATOR_MEMORY", "1048576", 1);
    Pointer place;
    MUST(cuInit(0));
    CHECK(cuMemAlloc_v2(&place, 4) == 201);
    void *context;
    MUST(cuDevicePrimaryCtxRetain(&context, 0));
    MUST(cuCtxSetCurrent(context));
    memory();
    kernels();
    small_floats();
    what_is_to_be_found();
    gemm();
    printf("%d checks, %d do not hold\n", checks, failures);
    return failures ? 1 : 0;
}
