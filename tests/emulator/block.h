// Runs the threads of a block, one at a time, in an order that can be chosen: what a kernel gives may not depend on it,
// and does if a barrier is missing.
//
// A thread begins when its turn comes, on the stack of the one before it if that one has ended; so a kernel without
// barriers is a loop. A thread that waits gives way. Where all wait and none can go on, the program ends and says so.
#pragma once
#include "fiber.h"
#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

struct Dim { unsigned x, y, z; };
struct Pair { unsigned x, y; };
// As in device.h.
enum { SYNC, SHUFFLE, BALLOT, MATCH, ADD, MIN_SIGNED, MIN, MAX_SIGNED, MAX, AND, OR, XOR };
struct State {
    Dim thread, block, block_dim, grid_dim;
    void *dynamic_shared;
    Pair (*wait)(int line, int predicate);
    unsigned long long (*collect)(int line, int operation, unsigned mask, unsigned long long value, int source);
    int shared_count;
    struct { void *place; size_t size; } shared[256];
};

static const int MOST = 1024;
enum : unsigned char { NEW, READY, AT_BARRIER, AT_WARP, DONE };

// Of the block that runs, of which there is one at a time.
static struct {
    const char *kernel;
    void (*function)(void **);
    void **parameters;
    State *state;
    unsigned char is[MOST]; // what each thread does
    struct { int line, operation, source; unsigned mask; unsigned long long value, result; Fiber *fiber; } thread[MOST];
    int order[MOST], threads, at, current; // `order[at]` has its turn
    bool went_on; // has any thread, since the order began anew?
    int live, arrived, counted;
    unsigned live_lanes[MOST / 32], waiting_lanes[MOST / 32]; // a bit for each
    Context caller;
    std::vector<Fiber *> idle;
} run_;

[[noreturn]] static void fail(const char *format, ...) {
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    State *state = run_.state;
    if (state)
        fprintf(stderr, "emulator: kernel %s, block (%u, %u, %u), thread %d: %s\n", run_.kernel, state->block.x,
                state->block.y, state->block.z, run_.current, text);
    else
        fprintf(stderr, "emulator: %s\n", text);
    fflush(stderr);
    abort();
}

static void place_thread(int t) {
    Dim &size = run_.state->block_dim, &thread = run_.state->thread;
    run_.current = t;
    thread = {(unsigned)t, 0, 0};
    if (size.y == 1 && size.z == 1) return;
    unsigned row = (unsigned)t / size.x;
    thread = {(unsigned)t - row * size.x, row % size.y, row / size.y};
}

static void fiber_main();
[[noreturn]] static void nobody_goes_on();

// Whose turn it is: the next in order that has not begun or need not wait any longer, which becomes the current one.
// One that has not begun takes `spare`, if it is given.
static Fiber *turn(Fiber *spare) {
    for (;;) {
        if (++run_.at == run_.threads) {
            if (!run_.went_on) nobody_goes_on();
            run_.at = 0, run_.went_on = false;
        }
        int t = run_.order[run_.at], soon = run_.order[run_.at + 2 < run_.threads ? run_.at + 2 : 0];
        if (Fiber *fiber = run_.thread[soon].fiber) prefetch(fiber->context);
        if (run_.is[t] > READY) continue;
        run_.went_on = true;
        place_thread(t);
        Fiber *&fiber = run_.thread[t].fiber;
        if (run_.is[t] == READY) return fiber;
        if (spare) return fiber = spare;
        if (run_.idle.empty()) return fiber = new_fiber(fiber_main);
        fiber = run_.idle.back();
        run_.idle.pop_back();
        return fiber;
    }
}

static void give_way() {
    Fiber *own = run_.thread[run_.current].fiber, *next = turn(nullptr);
    if (next != own) go(own->context, next->context);
}

// The barrier opens once all threads are there that have not ended.
static void open_barrier() {
    if (run_.arrived == 0 || run_.arrived != run_.live) return;
    int line = -1;
    for (int t = 0; t < run_.threads; t++) {
        if (run_.is[t] != AT_BARRIER) continue;
        if (line >= 0 && run_.thread[t].line != line)
            fail("threads wait at two barriers: lines %d and %d", line, run_.thread[t].line);
        line = run_.thread[t].line;
        run_.thread[t].result = (unsigned long long)run_.live << 32 | (unsigned)run_.counted;
        run_.is[t] = READY;
    }
    run_.arrived = run_.counted = 0;
}

static Pair wait_for_block(int line, int predicate) {
    int t = run_.current;
    run_.is[t] = AT_BARRIER;
    run_.thread[t].line = line;
    run_.arrived++;
    run_.counted += predicate;
    open_barrier();
    give_way();
    unsigned long long result = run_.thread[t].result;
    return {(unsigned)result, (unsigned)(result >> 32)};
}

// If all lanes of the mask of `t` are there, each gets its result.
static void open_warp(int t) {
    int first = t & ~31;
    unsigned mask = run_.thread[t].mask & run_.live_lanes[first / 32];
    if (mask & ~run_.waiting_lanes[first / 32]) return;
    int operation = run_.thread[t].operation;
    unsigned long long all = 0;
    bool begun = false;
    for (unsigned rest = mask; rest; rest &= rest - 1) {
        int lane = first + __builtin_ctz(rest);
        auto &it = run_.thread[lane];
        if (it.mask != run_.thread[t].mask || it.operation != operation) return;
        unsigned long long value = it.value, old = begun ? all : value;
        switch (operation) {
        case BALLOT: all |= value << (lane - first); break;
        case ADD: all = begun ? all + value : value; break;
        case MIN: all = std::min(old, value); break;
        case MAX: all = std::max(old, value); break;
        case MIN_SIGNED: all = (unsigned long long)std::min((long long)old, (long long)value); break;
        case MAX_SIGNED: all = (unsigned long long)std::max((long long)old, (long long)value); break;
        case AND: all = old & value; break;
        case OR: all = old | value; break;
        case XOR: all = begun ? all ^ value : value; break;
        }
        begun = true;
    }
    for (unsigned rest = mask; rest; rest &= rest - 1) {
        int lane = first + __builtin_ctz(rest);
        auto &it = run_.thread[lane];
        it.result = all;
        if (operation == SHUFFLE) {
            if (!(mask >> it.source & 1)) fail("lane %d reads lane %d, which is not there (line %d)", lane - first, it.source, it.line);
            it.result = run_.thread[first + it.source].value;
        } else if (operation == MATCH) {
            for (unsigned others = mask; others; others &= others - 1)
                if (run_.thread[first + __builtin_ctz(others)].value == it.value) it.result |= others & -others;
        }
        run_.is[lane] = READY;
    }
    run_.waiting_lanes[first / 32] &= ~mask;
}

static unsigned long long wait_for_warp(int line, int operation, unsigned mask, unsigned long long value, int source) {
    int t = run_.current;
    if (!(mask >> t % 32 & 1)) fail("its lane is not in the mask %08x (line %d)", mask, line);
    run_.is[t] = AT_WARP;
    run_.waiting_lanes[t / 32] |= 1u << t % 32;
    auto &it = run_.thread[t];
    it.line = line, it.operation = operation, it.mask = mask, it.value = value, it.source = source;
    open_warp(t);
    give_way();
    return it.result;
}

static void ended() {
    int t = run_.current, first = t & ~31;
    run_.is[t] = DONE;
    run_.live--;
    run_.live_lanes[first / 32] &= ~(1u << t % 32);
    open_barrier();
    for (unsigned rest = run_.waiting_lanes[first / 32]; rest; rest &= rest - 1)
        if (run_.is[first + __builtin_ctz(rest)] == AT_WARP) open_warp(first + __builtin_ctz(rest));
}

static void fiber_main() {
    for (;;) {
        Fiber *own = run_.thread[run_.current].fiber;
        run_.function(run_.parameters);
        ended();
        Fiber *next = run_.live ? turn(own) : nullptr;
        if (next == own) continue;
        run_.idle.push_back(own);
        go(own->context, next ? next->context : run_.caller);
    }
}

[[noreturn]] static void nobody_goes_on() {
    std::string text;
    for (int kind : {AT_BARRIER, AT_WARP}) {
        int count = 0, line = 0;
        for (int t = 0; t < run_.threads; t++)
            if (run_.is[t] == kind) count++, line = run_.thread[t].line;
        if (count)
            text += " " + std::to_string(count) + (kind == AT_BARRIER ? " at a barrier of the block" : " at one of a warp") +
                    " (line " + std::to_string(line) + ");";
    }
    fail("of %d threads that live, none can go on:%s", run_.live, text.c_str());
}

// Runs one block, whose place `state` says.
static void run_block() {
    int n = run_.threads;
    memset(run_.is, NEW, (size_t)n);
    run_.live = n, run_.arrived = run_.counted = 0;
    for (int w = 0; w * 32 < n; w++) {
        run_.live_lanes[w] = n - w * 32 >= 32 ? ~0u : (1u << (n - w * 32)) - 1;
        run_.waiting_lanes[w] = 0;
    }
    run_.at = -1, run_.went_on = false;
    go(run_.caller, turn(nullptr)->context);
}

// Numbers to shuffle by, the same every time.
static unsigned next_number(unsigned long long &seed) {
    seed = seed * 6364136223846793005 + 1442695040888963407;
    return (unsigned)(seed >> 33);
}

// Runs a kernel: its blocks one after another.
static void run_grid(const char *kernel, void (*function)(void **), void **parameters, State *state, size_t shared_size) {
    const char *asked = getenv("INDHEAD_EMULATOR_ORDER");
    std::string order = asked && *asked ? asked : "forward";
    if (order != "forward" && order != "backward" && order != "shuffled")
        fail("INDHEAD_EMULATOR_ORDER is forward, backward or shuffled, and not %s", order.c_str());
    run_.kernel = kernel, run_.function = function, run_.parameters = parameters, run_.state = state;
    run_.threads = (int)(state->block_dim.x * state->block_dim.y * state->block_dim.z);
    state->wait = wait_for_block, state->collect = wait_for_warp;
    std::iota(run_.order, run_.order + run_.threads, 0);
    unsigned long long seed = 1, blocks = 1ull * state->grid_dim.x * state->grid_dim.y * state->grid_dim.z, step = 1;
    if (order == "backward") std::reverse(run_.order, run_.order + run_.threads);
    if (order == "shuffled") {
        for (int i = run_.threads - 1; i > 0; i--) std::swap(run_.order[i], run_.order[next_number(seed) % (unsigned)(i + 1)]);
        // Every block once: by steps that have no divisor in common with their number.
        for (step = blocks / 2 + 1; std::gcd(step, blocks) != 1;) step++;
    }
    for (unsigned long long i = 0; i < blocks; i++) {
        unsigned long long b = order == "backward" ? blocks - 1 - i : (unsigned long long)((unsigned __int128)i * step % blocks);
        state->block = {(unsigned)(b % state->grid_dim.x), (unsigned)(b / state->grid_dim.x % state->grid_dim.y),
                        (unsigned)(b / state->grid_dim.x / state->grid_dim.y)};
        for (int s = 0; s < state->shared_count; s++) memset(state->shared[s].place, 0xFF, state->shared[s].size);
        if (shared_size) memset(state->dynamic_shared, 0xFF, shared_size);
        run_block();
    }
    run_.state = nullptr;
}
