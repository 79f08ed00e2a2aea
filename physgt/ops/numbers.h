// Numbers as the kernels store them and as they compute with them, and the export of a kernel.

#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#ifdef _WIN32
#define EXPORT extern "C" __declspec(dllexport)
#else
#define EXPORT extern "C" __attribute__((visibility("default")))
#endif

struct bfloat16 {
    std::uint16_t bits;
};

template <class T>
using Wide = std::conditional_t<std::is_same_v<T, double>, double, float>;

template <class To, class From>
inline To bit_cast(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}

inline float load(float x) { return x; }
inline double load(double x) { return x; }
inline float load(bfloat16 x) { return bit_cast<float>(std::uint32_t{x.bits} << 16); }

inline void store(float& to, float x) { to = x; }
inline void store(double& to, double x) { to = x; }
inline void store(bfloat16& to, float x) {  // to nearest, ties to even; what isn't a number stays so
    const std::uint32_t bits = bit_cast<std::uint32_t>(x);
    const std::uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    to.bits = static_cast<std::uint16_t>(x == x ? rounded : 0x7fc0);
}

// exp(x) = 2^n 2^f with an integer n and |f| <= 1/2; the polynomial for 2^f is Cephes' (Moshier,
// exp2f). Unlike the library's, it vectorises. The rounding of t leaves a relative error of
// |x| 6e-8, and x is at most 0 here, so weights, at most 1, are right to 1e-7. Below 2^-126, the
// least normal number, it gives that.
inline float exponential(float x) {
    const float t = (x < -87.33f ? -87.33f : x) * 1.44269504f;  // so written, a NaN stays one
    const auto n = static_cast<std::int32_t>(t + (t < 0 ? -0.5f : 0.5f));
    const float f = t - static_cast<float>(n);
    float p = 1.535336188319500e-4f;
    p = p * f + 1.339887440266574e-3f;
    p = p * f + 9.618437357674640e-3f;
    p = p * f + 5.550332471162809e-2f;
    p = p * f + 2.402264791363012e-1f;
    p = p * f + 6.931472028550421e-1f;
    p = p * f + 1.0f;
    return p * bit_cast<float>(static_cast<std::uint32_t>(n + 127) << 23);
}
inline double exponential(double x) { return std::exp(x); }

// Rows of a tensor, each contiguous; they may lie apart.
template <class T>
struct Rows {
    T* data;
    std::int64_t stride;
    T* operator[](std::int64_t row) const { return data + row * stride; }
};

// Asks the second level of cache for numbers that are needed soon. A processor foresees rows that
// follow each other, but not those that a list names. Not inlined, GCC takes it for a function
// without effect and drops it.
template <class T>
[[gnu::always_inline]] inline void fetch(const T* numbers, std::int64_t count) {
#ifdef __GNUC__
    constexpr std::int64_t LINE = 64 / sizeof(T);
    for (std::int64_t i = 0; i < count; i += LINE) __builtin_prefetch(numbers + i, 0, 2);
#endif
}
