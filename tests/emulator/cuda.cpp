// libcuda.so.1 for machines without a GPU: the functions of NVIDIA's driver that `indhead` calls, on the processor.
//
// Device memory is the processor's. Each buffer ends where a page begins that cannot be touched, is full of NaN when it
// is new, and what is around it is looked at when it is freed: a kernel that writes or reads where it should not is
// found. Everything is done when the call returns. It is strict where the driver is: without a context on the calling
// thread, or out of the memory that the card says it has, calls fail.
//
//     INDHEAD_EMULATOR_MEMORY=8589934592    bytes that the card has
//     INDHEAD_EMULATOR_ORDER=forward        or backward or shuffled: in which order threads and blocks run
//     INDHEAD_EMULATOR_CACHE=…              the folder of compiled kernels
//     INDHEAD_EMULATOR_DIES=1000            the card fails after so many kernels
//     INDHEAD_EMULATOR_TIMES=1              at the end, a table of kernels: launches, threads, seconds
//     INDHEAD_EMULATOR_KEEP=1               the cache keeps the sources of kernels, too
#include "block.h"
#include "module.h"
#include <csignal>
#include <ctime>
#include <map>
#include <mutex>

#define API extern "C" __attribute__((visibility("default"))) int
typedef unsigned long long Pointer; // of the device
enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_DEVICE = 101, INVALID_CONTEXT = 201,
       INVALID_PTX = 218, FILE_NOT_FOUND = 301, INVALID_HANDLE = 400, NOT_FOUND = 500, ILLEGAL_ADDRESS = 700, OUT_OF_RESOURCES = 701, NOT_SUPPORTED = 801 };

static std::recursive_mutex mutex;
typedef std::lock_guard<std::recursive_mutex> Lock;
static thread_local void *context;
static int the_context;
static size_t launches;
// A card that has failed fails at whatever is asked of it.
static bool dead() {
    const char *dies = getenv("INDHEAD_EMULATOR_DIES");
    return dies && launches > strtoull(dies, nullptr, 10);
}
#define WITH_CONTEXT \
    Lock lock(mutex); \
    if (!context) return INVALID_CONTEXT; \
    if (dead()) return ILLEGAL_ADDRESS

// ---- Memory

struct Buffer {
    char *mapping;
    size_t mapped, size; // `mapped` without the page at the end
};
static std::map<Pointer, Buffer> buffers; // by their beginnings
static size_t in_use;
static const unsigned char AROUND = 0xA5;

static size_t memory_of_card() {
    const char *given = getenv("INDHEAD_EMULATOR_MEMORY");
    return given ? strtoull(given, nullptr, 10) : 8ull << 30;
}

static int allocate(Pointer *place, size_t size) {
    size_t rounded = (size + 15) & ~15ull, mapped = (rounded + 64 + PAGE - 1) / PAGE * PAGE;
    if (size > memory_of_card() || in_use + size > memory_of_card()) return OUT_OF_MEMORY;
    char *mapping = (char *)mmap(nullptr, mapped + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) return OUT_OF_MEMORY;
    if (mprotect(mapping + mapped, PAGE, PROT_NONE)) fail("a buffer of %zu bytes: the system has no more mappings", size);
    char *begin = mapping + mapped - rounded;
    memset(mapping, AROUND, (size_t)(begin - mapping));
    memset(begin, 0xFF, size);
    memset(begin + size, AROUND, rounded - size);
    *place = (Pointer)begin;
    buffers[*place] = {mapping, mapped, size};
    in_use += size;
    return SUCCESS;
}

static int release(Pointer place) {
    auto found = buffers.find(place);
    if (found == buffers.end()) return INVALID_VALUE;
    Buffer it = found->second;
    char *begin = (char *)place, *end = begin + it.size;
    for (char *at = it.mapping; at < it.mapping + it.mapped; at++)
        if ((at < begin || at >= end) && *at != (char)AROUND)
            fail("something was written %zd bytes %s a buffer of %zu bytes", at < begin ? begin - at : at - end,
                 at < begin ? "before" : "after the end of", it.size);
    munmap(it.mapping, it.mapped + PAGE);
    in_use -= it.size;
    buffers.erase(found);
    return SUCCESS;
}

// Is all of it in one buffer?
static bool is_device(Pointer place, size_t size) {
    auto after = buffers.upper_bound(place);
    if (after == buffers.begin()) return false;
    auto it = std::prev(after);
    return place - it->first <= it->second.size && size <= it->second.size - (place - it->first);
}

API cuMemAlloc_v2(Pointer *place, size_t size) {
    WITH_CONTEXT;
    return size == 0 ? (int)INVALID_VALUE : allocate(place, size);
}
API cuMemAllocAsync(Pointer *place, size_t size, void *) {
    WITH_CONTEXT;
    return allocate(place, size);
}
API cuMemFree_v2(Pointer place) {
    WITH_CONTEXT;
    return place ? release(place) : (int)SUCCESS;
}
API cuMemFreeAsync(Pointer place, void *) {
    WITH_CONTEXT;
    return release(place);
}
API cuMemGetInfo_v2(size_t *free, size_t *total) {
    WITH_CONTEXT;
    *total = memory_of_card(), *free = *total - in_use;
    return SUCCESS;
}
API cuMemsetD8_v2(Pointer to, unsigned char value, size_t size) {
    WITH_CONTEXT;
    if (!is_device(to, size)) return INVALID_VALUE;
    memset((void *)to, value, size);
    return SUCCESS;
}
API cuMemsetD8Async(Pointer to, unsigned char value, size_t size, void *) { return cuMemsetD8_v2(to, value, size); }
API cuMemcpyHtoD_v2(Pointer to, const void *from, size_t size) {
    WITH_CONTEXT;
    if (!is_device(to, size)) return INVALID_VALUE;
    memcpy((void *)to, from, size);
    return SUCCESS;
}
API cuMemcpyHtoDAsync_v2(Pointer to, const void *from, size_t size, void *) { return cuMemcpyHtoD_v2(to, from, size); }
API cuMemcpyDtoH_v2(void *to, Pointer from, size_t size) {
    WITH_CONTEXT;
    if (!is_device(from, size)) return INVALID_VALUE;
    memcpy(to, (void *)from, size);
    return SUCCESS;
}
API cuMemcpyDtoHAsync_v2(void *to, Pointer from, size_t size, void *) { return cuMemcpyDtoH_v2(to, from, size); }
API cuMemcpyDtoD_v2(Pointer to, Pointer from, size_t size) {
    WITH_CONTEXT;
    if (!is_device(to, size) || !is_device(from, size)) return INVALID_VALUE;
    memmove((void *)to, (void *)from, size);
    return SUCCESS;
}
API cuMemcpyDtoDAsync_v2(Pointer to, Pointer from, size_t size, void *) { return cuMemcpyDtoD_v2(to, from, size); }
API cuImportExternalMemory(void **, const void *) { return NOT_SUPPORTED; }
API cuDestroyExternalMemory(void *) { return NOT_SUPPORTED; }
API cuExternalMemoryGetMappedBuffer(Pointer *, void *, const void *) { return NOT_SUPPORTED; }

// A touch beside a buffer ends the program, as it would; before that it is told what it was.
static struct sigaction before;
static void trapped(int) {
    char text[256];
    if (run_.state) {
        int length = snprintf(text, sizeof text, "emulator: kernel %s, thread %d: a misaligned access, or __trap()\n", run_.kernel, run_.current);
        (void)!write(2, text, (size_t)std::min(length, (int)sizeof text - 1));
    }
    signal(SIGILL, SIG_DFL);
}
static void touched(int, siginfo_t *what, void *) {
    Pointer place = (Pointer)what->si_addr;
    char text[512];
    int length = 0;
    auto after = buffers.upper_bound(place);
    if (after != buffers.begin()) {
        auto &[begin, it] = *std::prev(after);
        Pointer end = begin + it.size, page = (Pointer)it.mapping + it.mapped;
        if (place >= page && place < page + PAGE) {
            length = snprintf(text, sizeof text, "emulator: something touches memory %llu bytes after the end of a buffer of %zu bytes",
                              place - end, it.size);
            if (State *state = run_.state)
                length += snprintf(text + length, sizeof text - (size_t)length,
                                   ": kernel %s, block (%u, %u, %u) of (%u, %u, %u), thread (%u, %u, %u) of (%u, %u, %u)",
                                   run_.kernel, state->block.x, state->block.y, state->block.z, state->grid_dim.x,
                                   state->grid_dim.y, state->grid_dim.z, state->thread.x, state->thread.y, state->thread.z,
                                   state->block_dim.x, state->block_dim.y, state->block_dim.z);
        }
    }
    if (!length && run_.state)
        length = snprintf(text, sizeof text, "emulator: kernel %s touches memory at %#llx, where no buffer is, or has no room on its stack (thread %d)",
                          run_.kernel, place, run_.current);
    if (length) {
        text[std::min(length, (int)sizeof text - 1)] = '\n';
        (void)!write(2, text, (size_t)std::min(length, (int)sizeof text - 1) + 1);
        signal(SIGSEGV, SIG_DFL);
    } else {
        sigaction(SIGSEGV, &before, nullptr);
    }
}

// ---- The card, contexts, streams and events

API cuInit(unsigned) {
    Lock lock(mutex);
    static bool done = false;
    if (!done) {
        struct sigaction action = {};
        action.sa_sigaction = touched;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        sigaction(SIGSEGV, &action, &before);
        action.sa_handler = trapped;
        action.sa_flags = SA_ONSTACK;
        sigaction(SIGILL, &action, nullptr);
        done = true;
    }
    return SUCCESS;
}
API cuDriverGetVersion(int *version) { return *version = 12090, SUCCESS; }
API cuDeviceGetCount(int *count) { return *count = 1, SUCCESS; }
API cuDeviceGet(int *device, int number) { return number ? (int)INVALID_DEVICE : (*device = 0, (int)SUCCESS); }
API cuDeviceGetName(char *name, int size, int) {
    snprintf(name, (size_t)size, "emulated on the processor");
    return SUCCESS;
}
API cuDeviceTotalMem_v2(size_t *size, int) { return *size = memory_of_card(), SUCCESS; }
API cuDeviceGetAttribute(int *value, int attribute, int) {
    static const std::map<int, int> known = {
        {1, MOST}, {2, 1024}, {3, 1024}, {4, 64}, {5, 0x7FFFFFFF}, {6, 65535}, {7, 65535}, // sizes of blocks and grids
        {8, 48 << 10}, {97, 163 << 10}, {81, 164 << 10}, // shared memory of a block; if asked for; of a multiprocessor
        {9, 64 << 10}, {10, 32}, {12, 65536}, {13, 1410000}, {16, 108}, {36, 1215000}, {37, 5120}, {38, 40 << 20}, {39, 2048},
        {41, 1}, {75, 8}, {76, 0}, {106, 32}, {115, 1}, // compute capability, blocks of a multiprocessor, memory pools
    };
    auto found = known.find(attribute);
    *value = found == known.end() ? 0 : found->second;
    return SUCCESS;
}
API cuDevicePrimaryCtxRetain(void **it, int) { return *it = &the_context, SUCCESS; }
API cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
API cuCtxSetCurrent(void *it) { return context = it, SUCCESS; }
API cuCtxGetCurrent(void **it) { return *it = context, SUCCESS; }
API cuCtxSynchronize() { return SUCCESS; }

API cuStreamCreate(void **stream, unsigned) {
    WITH_CONTEXT;
    return *stream = malloc(1), SUCCESS;
}
API cuStreamDestroy_v2(void *stream) { return free(stream), SUCCESS; }
API cuStreamSynchronize(void *) { return context ? SUCCESS : INVALID_CONTEXT; }
API cuStreamWaitEvent(void *, void *, unsigned) { return context ? SUCCESS : INVALID_CONTEXT; }
API cuEventCreate(void **event, unsigned) {
    WITH_CONTEXT;
    return *event = calloc(1, sizeof(timespec)), SUCCESS;
}
API cuEventRecord(void *event, void *) { return clock_gettime(CLOCK_MONOTONIC, (timespec *)event), SUCCESS; }
API cuEventSynchronize(void *) { return SUCCESS; }
API cuEventElapsedTime(float *milliseconds, void *from, void *to) {
    timespec *a = (timespec *)from, *b = (timespec *)to;
    *milliseconds = (float)((double)(b->tv_sec - a->tv_sec) * 1e3 + (double)(b->tv_nsec - a->tv_nsec) * 1e-6);
    return SUCCESS;
}
API cuEventDestroy_v2(void *event) { return free(event), SUCCESS; }
API cuProfilerStart() { return SUCCESS; }
API cuProfilerStop() { return SUCCESS; }

static const char *name_of(int code) {
    switch (code) {
    case SUCCESS: return "CUDA_SUCCESS";
    case INVALID_VALUE: return "CUDA_ERROR_INVALID_VALUE";
    case OUT_OF_MEMORY: return "CUDA_ERROR_OUT_OF_MEMORY";
    case INVALID_DEVICE: return "CUDA_ERROR_INVALID_DEVICE";
    case INVALID_CONTEXT: return "CUDA_ERROR_INVALID_CONTEXT";
    case INVALID_PTX: return "CUDA_ERROR_INVALID_PTX";
    case FILE_NOT_FOUND: return "CUDA_ERROR_FILE_NOT_FOUND";
    case INVALID_HANDLE: return "CUDA_ERROR_INVALID_HANDLE";
    case NOT_FOUND: return "CUDA_ERROR_NOT_FOUND";
    case OUT_OF_RESOURCES: return "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES";
    case NOT_SUPPORTED: return "CUDA_ERROR_NOT_SUPPORTED";
    }
    return "CUDA_ERROR_UNKNOWN";
}
API cuGetErrorName(int code, const char **name) { return *name = name_of(code), SUCCESS; }
API cuGetErrorString(int code, const char **text) { return *text = name_of(code), SUCCESS; }

// ---- Modules and kernels

struct Function {
    std::string name;
    void (*call)(void **);
    int (*look)(void **, void (*)(int, const void *)); // shows pointers; gives the most threads of a block
    State *state;
    int most_shared = 48 << 10;
};
struct Module {
    void *library;
    State *state;
    std::map<std::string, Function> functions;
};

API cuModuleLoadData(Module **module, const void *image) {
    WITH_CONTEXT;
    std::string text = (const char *)image, log;
    if (text.compare(0, strlen(EMULATED), EMULATED) != 0) {
        fprintf(stderr, "emulator: a module is not of the emulator's compilers: the program was built with another CUDA\n");
        return INVALID_PTX;
    }
    std::string path = build_module(text, log);
    if (path.empty()) {
        fprintf(stderr, "emulator: a module does not compile:\n%s", log.c_str());
        return INVALID_PTX;
    }
    void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) fail("%s", dlerror());
    auto state = (State * (*)()) dlsym(library, "emulated_module");
    *module = new Module{library, state(), {}};
    return SUCCESS;
}
API cuModuleLoad(Module **module, const char *path) {
    if (access(path, R_OK)) return FILE_NOT_FOUND;
    return cuModuleLoadData(module, read_file(path).c_str());
}
API cuModuleUnload(Module *module) {
    WITH_CONTEXT;
    dlclose(module->library);
    delete module;
    return SUCCESS;
}
API cuModuleGetFunction(Function **function, Module *module, const char *name) {
    WITH_CONTEXT;
    Function it = {name, nullptr, nullptr, module->state};
    (void *&)it.call = dlsym(module->library, (std::string("emulated_kernel_") + name).c_str());
    (void *&)it.look = dlsym(module->library, (std::string("emulated_look_") + name).c_str());
    if (!it.call || !it.look) return NOT_FOUND;
    *function = &module->functions.try_emplace(name, it).first->second;
    return SUCCESS;
}
API cuFuncSetAttribute(Function *function, int attribute, int value) {
    if (attribute != 8) return SUCCESS; // the most of dynamic shared memory
    if (value < 0 || value > 163 << 10) return INVALID_VALUE;
    return function->most_shared = value, SUCCESS;
}

// A kernel can read the card's memory, and nothing of the processor's.
static const char *looked_at;
static void look(int number, const void *pointer) {
    if (pointer && !is_device((Pointer)pointer, 0))
        fail("parameter %d of kernel %s, %p, points to no memory of the card", number + 1, looked_at, pointer);
}
// For cuBLAS.
API emulator_is_device(const void *pointer, size_t size) {
    Lock lock(mutex);
    return is_device((Pointer)pointer, size);
}

// What kernels took, for who asks.
struct Times {
    struct Row { unsigned long long launches, threads; double seconds; };
    std::map<std::string, Row> rows;
    const bool asked = getenv("INDHEAD_EMULATOR_TIMES");
    ~Times() {
        for (auto &[name, row] : rows)
            fprintf(stderr, "%-40s %10llu launches %14llu threads %10.3f s\n", name.c_str(), row.launches, row.threads, row.seconds);
    }
};
static double now() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

API cuLaunchKernel(Function *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
                   unsigned block_z, unsigned shared, void *, void **parameters, void **extra) {
    WITH_CONTEXT;
    launches++;
    if (!function) return INVALID_HANDLE;
    if (extra) return NOT_SUPPORTED;
    bool fits = grid_x && grid_y && grid_z && block_x && block_y && block_z && grid_x <= 0x7FFFFFFF && grid_y <= 65535 &&
                grid_z <= 65535 && block_z <= 64 && (unsigned long long)block_x * block_y * block_z <= MOST;
    if (!fits || shared > (unsigned)function->most_shared) {
        fprintf(stderr, "emulator: kernel %s cannot run in (%u, %u, %u) blocks of (%u, %u, %u) threads with %u bytes of shared memory\n",
                function->name.c_str(), grid_x, grid_y, grid_z, block_x, block_y, block_z, shared);
        return INVALID_VALUE;
    }
    looked_at = function->name.c_str();
    int most_threads = function->look(parameters, look);
    if (block_x * block_y * block_z > (unsigned)most_threads) {
        fprintf(stderr, "emulator: kernel %s has bounds of %d threads, and was to run with %u\n", looked_at, most_threads,
                block_x * block_y * block_z);
        return OUT_OF_RESOURCES;
    }
    // Shared memory ends where it may not be touched, too.
    static const size_t most = 256 << 10;
    static char *arena = [] {
        char *place = (char *)mmap(nullptr, most + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (place == MAP_FAILED || mprotect(place + most, PAGE, PROT_NONE)) fail("there is no memory");
        return place;
    }();
    State *state = function->state;
    state->grid_dim = {grid_x, grid_y, grid_z}, state->block_dim = {block_x, block_y, block_z};
    state->dynamic_shared = arena + most - (shared + 15) / 16 * 16;
    static Times times;
    double start = times.asked ? now() : 0;
    run_grid(function->name.c_str(), function->call, parameters, state, shared);
    if (times.asked) {
        auto &row = times.rows[function->name];
        row.launches++, row.seconds += now() - start;
        row.threads += 1ull * grid_x * grid_y * grid_z * block_x * block_y * block_z;
    }
    return SUCCESS;
}

// How many blocks fit is the card's affair; these are numbers that it could have said.
API cuOccupancyAvailableDynamicSMemPerBlock(size_t *size, Function *function, int, int) {
    return *size = (size_t)function->most_shared, SUCCESS;
}
API cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, Function *, int size, size_t) {
    return size <= 0 || size > MOST ? (int)INVALID_VALUE : (*blocks = std::min(32, 2048 / size), (int)SUCCESS);
}
API cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, Function *function, int size, size_t shared, unsigned) {
    return cuOccupancyMaxActiveBlocksPerMultiprocessor(blocks, function, size, shared);
}
API cuOccupancyMaxPotentialBlockSize(int *grid, int *block, Function *, void *, size_t, int limit) {
    return *grid = 2 * 108, *block = limit > 0 && limit < MOST ? limit : MOST, SUCCESS;
}
API cuOccupancyMaxPotentialBlockSizeWithFlags(int *grid, int *block, Function *function, void *of, size_t shared, int limit, unsigned) {
    return cuOccupancyMaxPotentialBlockSize(grid, block, function, of, shared, limit);
}
API cuOccupancyMaxActiveClusters(int *, Function *, const void *) { return NOT_SUPPORTED; }
API cuOccupancyMaxPotentialClusterSize(int *, Function *, const void *) { return NOT_SUPPORTED; }
