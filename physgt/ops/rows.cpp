// What is computed row by row between matrix products, in one pass over memory each: an edge's
// activation from its own product and those of its two nodes, sums of rows over nodes, the root
// mean square norm, and the gate of a gated MLP. All with their gradients.
//
// As in kernels.cpp, numbers are stored as T and computed with as Wide<T>, and loops are written
// for the compiler to vectorise.

#include "numbers.h"

#include <algorithm>
#include <limits>

namespace {

constexpr int ROWS_AT_ONCE = 128;  // at least, a thread's share; and what shares a sum of rms_norm

constexpr float FAR = 5.5f;  // beyond it the normal distribution is 0 or 1, in single precision

// The normal distribution function, for |x| <= FAR: 1/2 + x P(x^2) / Q(x^2), fitted for the least
// absolute error, 8e-9 of the fit and 6e-8 of the arithmetic.
inline float normal_distribution(float x) {
    const float u = x * x;
    float p = 2.2749379549e-08f;
    p = p * u + 6.3521271911e-06f;
    p = p * u + 1.6882640361e-04f;
    p = p * u + 4.6772651211e-03f;
    p = p * u + 3.3852712918e-02f;
    p = p * u + 3.9894223463e-01f;
    float q = 1.1975050541e-06f;
    q = q * u + 7.3647759401e-05f;
    q = q * u + 1.8844489391e-03f;
    q = q * u + 2.8645910614e-02f;
    q = q * u + 2.5152208574e-01f;
    q = q * u + 1.0f;
    return 0.5f + x * p / q;
}
inline double normal_distribution(double x) { return 0.5 * std::erfc(-0.7071067811865476 * x); }

// So written, a NaN stays one.
inline float near(float x) { return x < -FAR ? -FAR : x > FAR ? FAR : x; }
inline double near(double x) { return x; }

struct Relu {
    template <class W>
    static W value(W x) {
        return x < 0 ? W(0) : x;  // so written, a NaN stays one
    }
    template <class W>
    static W slope(W x) {
        return x <= 0 ? W(0) : W(1);
    }
};

struct Silu {
    template <class W>
    static W sigmoid(W x) {
        const W e = exponential(-std::abs(x));
        return (x < 0 ? e : W(1)) / (1 + e);
    }
    template <class W>
    static W value(W x) {
        return x * sigmoid(x);
    }
    template <class W>
    static W slope(W x) {
        const W s = sigmoid(x);
        return s * (1 + x * (1 - s));
    }
};

struct Gelu {
    template <class W>
    static W value(W x) {
        const W y = near(x);
        return (x > y ? x : y) * normal_distribution(y);
    }
    template <class W>
    static W slope(W x) {
        const W density = W(0.3989422804014327) * exponential(W(-0.5) * x * x);
        return normal_distribution(near(x)) + x * density;
    }
};

// Calls work(first, end) for shares of the rows, on several threads where there is enough to do.
template <class Work>
void for_shares(std::int64_t num_rows, std::int64_t num_threads, Work work) {
    const auto shares = (num_rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE;
    const auto threads = std::max(std::int64_t{1}, std::min(num_threads, shares));
#pragma omp parallel for num_threads(static_cast<int>(threads)) schedule(static)
    for (std::int64_t share = 0; share < shares; ++share) {
        const auto first = share * ROWS_AT_ONCE;
        work(first, std::min(first + ROWS_AT_ONCE, num_rows));
    }
}

// The structures stand in compiled_rows.py, too. Forward passes leave gradients alone.

struct Size {
    std::int64_t rows, channels, threads;
};

template <class T>
struct Edges {
    Size size;
    const std::int64_t *senders, *receivers;
    Rows<const T> product;         // a row an edge
    Rows<const T> sent, received;  // a row a node
    Rows<const T> gradient;        // with respect to the activation
    Rows<T> out;                   // the activation, or the gradient with respect to the product
};

template <class Function, class T>
void edge_activation(const Edges<T>& a) {
    for_shares(a.size.rows, a.size.threads, [&](std::int64_t first, std::int64_t end) {
        for (auto e = first; e < end; ++e) {
            const T* const product = a.product[e];
            const T* const sent = a.sent[a.senders[e]];
            const T* const received = a.received[a.receivers[e]];
            T* const out = a.out[e];
#pragma omp simd
            for (std::int64_t c = 0; c < a.size.channels; ++c) {
                const auto total = load(product[c]) + load(sent[c]) + load(received[c]);
                store(out[c], Function::value(total));
            }
        }
    });
}

template <class Function, class T>
void edge_activation_backward(const Edges<T>& a) {
    for_shares(a.size.rows, a.size.threads, [&](std::int64_t first, std::int64_t end) {
        for (auto e = first; e < end; ++e) {
            const T* const product = a.product[e];
            const T* const sent = a.sent[a.senders[e]];
            const T* const received = a.received[a.receivers[e]];
            const T* const gradient = a.gradient[e];
            T* const out = a.out[e];
#pragma omp simd
            for (std::int64_t c = 0; c < a.size.channels; ++c) {
                const auto total = load(product[c]) + load(sent[c]) + load(received[c]);
                store(out[c], load(gradient[c]) * Function::slope(total));
            }
        }
    });
}

template <class T>
struct Sums {
    Size size;
    const std::int64_t* index;
    Rows<const T> rows;
    Rows<Wide<T>> sums;
};

// sums[index[e]] += rows[e]. Rows may share a sum, so threads share out the channels.
template <class T>
void add_rows(const Sums<T>& a) {
    const auto widest = (a.size.channels + 15) / 16;
    const auto threads = std::max(std::int64_t{1}, std::min(a.size.threads, widest));
    const auto share = (widest + threads - 1) / threads * 16;
#pragma omp parallel for num_threads(static_cast<int>(threads)) schedule(static)
    for (std::int64_t thread = 0; thread < threads; ++thread) {
        const auto first = thread * share, end = std::min(first + share, a.size.channels);
        for (std::int64_t e = 0; e < a.size.rows; ++e) {
            const T* const row = a.rows[e];
            Wide<T>* const sum = a.sums[a.index[e]];
#pragma omp simd
            for (auto c = first; c < end; ++c) sum[c] += load(row[c]);
        }
    }
}

template <class T>
struct Norm {
    Size size;
    Rows<const T> x;
    const T* scale;
    Rows<const T> gradient;    // with respect to the norm
    Rows<T> out;               // the norm, or the gradient with respect to x
    Wide<T>* scale_gradients;  // (shares, channels): a sum for each ROWS_AT_ONCE rows
};

template <class T>
Wide<T> root_mean_square(const T* x, std::int64_t channels) {
    Wide<T> sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t c = 0; c < channels; ++c) sum += load(x[c]) * load(x[c]);
    return std::sqrt(sum / static_cast<Wide<T>>(channels));
}

constexpr double SMALL = 1e-8;  // that layers.RMSNorm adds to the root mean square

// out = scale * x / (rms + SMALL)
template <class T>
void rms_norm(const Norm<T>& a) {
    for_shares(a.size.rows, a.size.threads, [&](std::int64_t first, std::int64_t end) {
        for (auto i = first; i < end; ++i) {
            const T* const x = a.x[i];
            T* const out = a.out[i];
            const auto factor = 1 / (root_mean_square(x, a.size.channels) + Wide<T>(SMALL));
#pragma omp simd
            for (std::int64_t c = 0; c < a.size.channels; ++c) {
                store(out[c], load(a.scale[c]) * (load(x[c]) * factor));
            }
        }
    });
}

// With f = 1 / (rms + SMALL): dx = f scale g - x f^2 (sum of scale g x) / (channels rms).
template <class T>
void rms_norm_backward(const Norm<T>& a) {
    using W = Wide<T>;
    const auto channels = a.size.channels;
    for_shares(a.size.rows, a.size.threads, [&](std::int64_t first, std::int64_t end) {
        W* const scale_gradient = a.scale_gradients + first / ROWS_AT_ONCE * channels;
        std::fill_n(scale_gradient, channels, W(0));
        for (auto i = first; i < end; ++i) {
            const T *const x = a.x[i], *const g = a.gradient[i];
            T* const out = a.out[i];
            const W rms = root_mean_square(x, channels), factor = 1 / (rms + W(SMALL));
            W along = 0;
#pragma omp simd reduction(+ : along)
            for (std::int64_t c = 0; c < channels; ++c) {
                along += load(a.scale[c]) * load(g[c]) * load(x[c]);
            }
            // Where all of x is 0, so is its root mean square's gradient, as torch has it.
            const W slope = rms > 0 ? along * factor * factor / (static_cast<W>(channels) * rms) : W(0);
#pragma omp simd
            for (std::int64_t c = 0; c < channels; ++c) {
                scale_gradient[c] += load(g[c]) * load(x[c]) * factor;
                store(out[c], load(a.scale[c]) * load(g[c]) * factor - load(x[c]) * slope);
            }
        }
    });
}

template <class T>
struct LayerNorm {
    Size size;
    double epsilon;  // added to the variance
    Rows<const T> x;
    const Wide<T>*weight, *bias;
    Rows<T> out;
};

// out = weight * (x - mean) / sqrt(variance + epsilon) + bias
template <class T>
void layer_norm(const LayerNorm<T>& a) {
    using W = Wide<T>;
    const auto channels = a.size.channels;
    for_shares(a.size.rows, a.size.threads, [&](std::int64_t first, std::int64_t end) {
        for (auto i = first; i < end; ++i) {
            const T* const x = a.x[i];
            T* const out = a.out[i];
            W sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
            for (std::int64_t c = 0; c < channels; ++c) sum += load(x[c]);
            const W mean = sum / static_cast<W>(channels);
#pragma omp simd reduction(+ : squares)
            for (std::int64_t c = 0; c < channels; ++c) {
                squares += (load(x[c]) - mean) * (load(x[c]) - mean);
            }
            const W variance = squares / static_cast<W>(channels) + W(a.epsilon);
            // Where squares are too large for a number, zeros would hide that a rollout diverges.
            const W factor = variance <= std::numeric_limits<W>::max()
                                 ? 1 / std::sqrt(variance)
                                 : std::numeric_limits<W>::quiet_NaN();
#pragma omp simd
            for (std::int64_t c = 0; c < channels; ++c) {
                store(out[c], a.weight[c] * ((load(x[c]) - mean) * factor) + a.bias[c]);
            }
        }
    });
}

template <class T>
struct Gate {
    Size size;
    Rows<const T> gate, value;
    Rows<const T> gradient;  // with respect to GELU(gate) * value
    Rows<T> out;             // that, or the gradient with respect to the gate
    Rows<T> value_gradient;
};

template <class T>
void gelu_gate(const Gate<T>& a) {
    for_shares(a.size.rows, a.size.threads, [&](std::int64_t first, std::int64_t end) {
        for (auto i = first; i < end; ++i) {
            const T *const gate = a.gate[i], *const value = a.value[i];
            T* const out = a.out[i];
#pragma omp simd
            for (std::int64_t c = 0; c < a.size.channels; ++c) {
                store(out[c], Gelu::value(load(gate[c])) * load(value[c]));
            }
        }
    });
}

template <class T>
void gelu_gate_backward(const Gate<T>& a) {
    for_shares(a.size.rows, a.size.threads, [&](std::int64_t first, std::int64_t end) {
        for (auto i = first; i < end; ++i) {
            const T *const gate = a.gate[i], *const value = a.value[i], *const g = a.gradient[i];
            T *const out = a.out[i], *const value_gradient = a.value_gradient[i];
#pragma omp simd
            for (std::int64_t c = 0; c < a.size.channels; ++c) {
                const auto x = load(gate[c]);
                store(out[c], Gelu::slope(x) * load(value[c]) * load(g[c]));
                store(value_gradient[c], Gelu::value(x) * load(g[c]));
            }
        }
    });
}

}  // namespace

#define EXPORT_FOR(T, dtype)                                                                   \
    EXPORT void edge_relu_##dtype(const Edges<T>* a) { edge_activation<Relu>(*a); }            \
    EXPORT void edge_silu_##dtype(const Edges<T>* a) { edge_activation<Silu>(*a); }            \
    EXPORT void edge_gelu_##dtype(const Edges<T>* a) { edge_activation<Gelu>(*a); }            \
    EXPORT void edge_relu_backward_##dtype(const Edges<T>* a) {                                \
        edge_activation_backward<Relu>(*a);                                                    \
    }                                                                                          \
    EXPORT void edge_silu_backward_##dtype(const Edges<T>* a) {                                \
        edge_activation_backward<Silu>(*a);                                                    \
    }                                                                                          \
    EXPORT void edge_gelu_backward_##dtype(const Edges<T>* a) {                                \
        edge_activation_backward<Gelu>(*a);                                                    \
    }                                                                                          \
    EXPORT void add_rows_##dtype(const Sums<T>* a) { add_rows(*a); }                           \
    EXPORT void rms_norm_##dtype(const Norm<T>* a) { rms_norm(*a); }                           \
    EXPORT void rms_norm_backward_##dtype(const Norm<T>* a) { rms_norm_backward(*a); }         \
    EXPORT void layer_norm_##dtype(const LayerNorm<T>* a) { layer_norm(*a); }                  \
    EXPORT void gelu_gate_##dtype(const Gate<T>* a) { gelu_gate(*a); }                         \
    EXPORT void gelu_gate_backward_##dtype(const Gate<T>* a) { gelu_gate_backward(*a); }

EXPORT_FOR(float, float32)
EXPORT_FOR(double, float64)
EXPORT_FOR(bfloat16, bfloat16)
