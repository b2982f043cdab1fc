// What `__half` and `__nv_bfloat16` have in common: included once for each, with SMALL and SMALL2 its names,
// SMALL_FROM and SMALL_TO its conversions from and to f32. Arithmetic is f32's, rounded once more, which gives what
// rounding once would.

struct SMALL {
    unsigned short bits;
    SMALL() = default;
    SMALL(float x) : bits(SMALL_FROM(x)) {}
    SMALL(double x) : bits(SMALL_FROM(emulated_to_odd(x))) {}
    template <class N, class = std::enable_if_t<std::is_integral_v<N>>> SMALL(N x) : SMALL((double)x) {}
    operator float() const { return SMALL_TO(bits); }
    SMALL &operator+=(SMALL b) { return *this = SMALL((float)*this + (float)b); }
    SMALL &operator-=(SMALL b) { return *this = SMALL((float)*this - (float)b); }
    SMALL &operator*=(SMALL b) { return *this = SMALL((float)*this * (float)b); }
    SMALL &operator/=(SMALL b) { return *this = SMALL((float)*this / (float)b); }
};
struct alignas(4) SMALL2 {
    SMALL x, y;
};

static inline SMALL operator+(SMALL a, SMALL b) { return a += b; }
static inline SMALL operator-(SMALL a, SMALL b) { return a -= b; }
static inline SMALL operator*(SMALL a, SMALL b) { return a *= b; }
static inline SMALL operator/(SMALL a, SMALL b) { return a /= b; }
static inline SMALL operator+(SMALL a) { return a; }
static inline SMALL operator-(SMALL a) { a.bits ^= 0x8000; return a; }
#define EMULATED_COMPARISON(name, op) \
    static inline bool operator op(SMALL a, SMALL b) { return (float)a op (float)b; } \
    static inline bool name(SMALL a, SMALL b) { return (float)a op (float)b; }
EMULATED_COMPARISON(__heq, ==)
EMULATED_COMPARISON(__hne, !=)
EMULATED_COMPARISON(__hlt, <)
EMULATED_COMPARISON(__hle, <=)
EMULATED_COMPARISON(__hgt, >)
EMULATED_COMPARISON(__hge, >=)
#undef EMULATED_COMPARISON

static inline bool __hisnan(SMALL a) { return isnan((float)a); }
static inline int __hisinf(SMALL a) { return isinf((float)a) ? ((float)a < 0 ? -1 : 1) : 0; }
static inline SMALL __hadd(SMALL a, SMALL b) { return a + b; }
static inline SMALL __hsub(SMALL a, SMALL b) { return a - b; }
static inline SMALL __hmul(SMALL a, SMALL b) { return a * b; }
static inline SMALL __hdiv(SMALL a, SMALL b) { return a / b; }
static inline SMALL __hneg(SMALL a) { return -a; }
static inline SMALL __habs(SMALL a) { a.bits &= 0x7FFF; return a; }
static inline SMALL __hfma(SMALL a, SMALL b, SMALL c) { return SMALL((double)(float)a * (float)b + (float)c); }
static inline SMALL __hmax(SMALL a, SMALL b) { return SMALL(fmaxf(a, b)); }
static inline SMALL __hmin(SMALL a, SMALL b) { return SMALL(fminf(a, b)); }
#if __CUDA_ARCH__ >= 800
static inline SMALL __hmax_nan(SMALL a, SMALL b) { return __hisnan(a) ? a : __hisnan(b) ? b : __hmax(a, b); }
static inline SMALL __hmin_nan(SMALL a, SMALL b) { return __hisnan(a) ? a : __hisnan(b) ? b : __hmin(a, b); }
#endif
#define EMULATED_FUNCTION(name, value) static inline SMALL name(SMALL a) { float x = a; return SMALL(value); }
EMULATED_FUNCTION(hexp, expf(x))
EMULATED_FUNCTION(hexp2, exp2f(x))
EMULATED_FUNCTION(hexp10, exp10f(x))
EMULATED_FUNCTION(hlog, logf(x))
EMULATED_FUNCTION(hlog2, log2f(x))
EMULATED_FUNCTION(hlog10, log10f(x))
EMULATED_FUNCTION(hsqrt, sqrtf(x))
EMULATED_FUNCTION(hrsqrt, rsqrtf(x))
EMULATED_FUNCTION(hrcp, 1.0f / x)
EMULATED_FUNCTION(hsin, sinf(x))
EMULATED_FUNCTION(hcos, cosf(x))
EMULATED_FUNCTION(hfloor, floorf(x))
EMULATED_FUNCTION(hceil, ceilf(x))
EMULATED_FUNCTION(hrint, rintf(x))
EMULATED_FUNCTION(htrunc, truncf(x))
#undef EMULATED_FUNCTION

static inline SMALL2 operator+(SMALL2 a, SMALL2 b) { return {a.x + b.x, a.y + b.y}; }
static inline SMALL2 operator-(SMALL2 a, SMALL2 b) { return {a.x - b.x, a.y - b.y}; }
static inline SMALL2 operator*(SMALL2 a, SMALL2 b) { return {a.x * b.x, a.y * b.y}; }
static inline SMALL2 operator/(SMALL2 a, SMALL2 b) { return {a.x / b.x, a.y / b.y}; }
static inline SMALL2 __hadd2(SMALL2 a, SMALL2 b) { return a + b; }
static inline SMALL2 __hsub2(SMALL2 a, SMALL2 b) { return a - b; }
static inline SMALL2 __hmul2(SMALL2 a, SMALL2 b) { return a * b; }
static inline SMALL2 __hfma2(SMALL2 a, SMALL2 b, SMALL2 c) { return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)}; }
static inline SMALL2 __hmax2(SMALL2 a, SMALL2 b) { return {__hmax(a.x, b.x), __hmax(a.y, b.y)}; }
static inline SMALL2 __hmin2(SMALL2 a, SMALL2 b) { return {__hmin(a.x, b.x), __hmin(a.y, b.y)}; }
static inline float __low2float(SMALL2 a) { return a.x; }
static inline float __high2float(SMALL2 a) { return a.y; }
