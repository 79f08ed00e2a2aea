// Attention in which every query sees every key, forward and backward, on the CPU: PhysGTO's,
// between many nodes and few tokens.
//
// A panel of queries and a block of keys at a time: their scores, weights and sums stay in the
// first two levels of cache. The softmax is online, and made again on the way back, as in
// kernels.cpp. A tile of a product is small enough for its sums to stay in registers, and its loops
// are plain enough for the compiler to see that: 90 % of the peak with AVX-512.

#include "numbers.h"

#include <algorithm>
#include <limits>
#include <vector>

namespace {

constexpr int BLOCK = 128;    // keys at a time
constexpr int PANEL = 32;     // queries at a time
constexpr int PANELS = 8;     // for which a block of keys is laid out once
constexpr int LANES = 16;     // channels are padded to this many, the widest vector of floats
constexpr int TILE_ROWS = 8;  // rows are padded to this many

// The same structure stands in full_attention.py. The forward pass leaves gradients alone.
template <class T>
struct FullAttention {
    std::int64_t num_queries, num_keys, num_heads, num_channels, num_threads;
    Rows<const T> query, key, value;
    Rows<T> out;
    Wide<T>* log_sum;        // (heads, queries): the logarithm of the sum of exp(score)
    Rows<const T> gradient;  // with respect to out
    Rows<T> query_gradient, key_gradient, value_gradient;

    int width() const { return static_cast<int>((num_channels + LANES - 1) / LANES * LANES); }
};

int padded(int rows) { return (rows + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS; }

// Some rows of one head, as wide numbers, padded with zeros.
template <class T, class W>
void gather(const FullAttention<T>& a, Rows<const T> rows, std::int64_t head, std::int64_t first,
            int count, W factor, W* __restrict out) {
    const int channels = static_cast<int>(a.num_channels), width = a.width();
    std::fill_n(out, padded(count) * width, W(0));
    for (int i = 0; i < count; ++i) {
        const T* const row = rows[first + i] + head * channels;
        for (int c = 0; c < channels; ++c) out[i * width + c] = factor * load(row[c]);
    }
}

template <class T, class W>
void scatter(const FullAttention<T>& a, const W* in, std::int64_t head, std::int64_t first,
             int count, W factor, Rows<T> rows) {
    const int channels = static_cast<int>(a.num_channels), width = a.width();
    for (int i = 0; i < count; ++i) {
        T* const row = rows[first + i] + head * channels;
        for (int c = 0; c < channels; ++c) store(row[c], factor * in[i * width + c]);
    }
}

// columns (width, BLOCK) of rows (count, width)
template <class W>
void transpose(const W* __restrict rows, int count, int width, W* __restrict columns) {
    for (int c = 0; c < width; ++c) {
        for (int i = 0; i < count; ++i) columns[c * BLOCK + i] = rows[i * width + c];
    }
}

// products (rows, BLOCK) = x (rows, width) columns (width, BLOCK), of the first num_columns
template <class W>
void multiply(const W* __restrict x, int num_rows, int width, const W* __restrict columns,
              int num_columns, W* __restrict products) {
    constexpr int ROWS = 4, COLUMNS = 2 * LANES;
    for (int i = 0; i < num_rows; i += ROWS) {
        for (int j = 0; j < num_columns; j += COLUMNS) {
            W tile[ROWS][COLUMNS] = {};
            for (int c = 0; c < width; ++c) {
                const W* const column = columns + c * BLOCK + j;
                for (int r = 0; r < ROWS; ++r) {
                    const W factor = x[(i + r) * width + c];
#pragma omp simd
                    for (int k = 0; k < COLUMNS; ++k) tile[r][k] += factor * column[k];
                }
            }
            for (int r = 0; r < ROWS; ++r) {
                for (int k = 0; k < COLUMNS; ++k) products[(i + r) * BLOCK + j + k] = tile[r][k];
            }
        }
    }
}

// sums (rows, width) += weights (rows, count) terms (count, width), weights with these strides
template <class W>
void add_weighted(const W* __restrict weights, int along_rows, int along_terms, int num_rows,
                  const W* __restrict terms, int count, int width, W* __restrict sums) {
    for (int i = 0; i < num_rows; i += TILE_ROWS) {
        for (int c = 0; c < width; c += LANES) {
            W tile[TILE_ROWS][LANES];
            for (int r = 0; r < TILE_ROWS; ++r) {
                for (int k = 0; k < LANES; ++k) tile[r][k] = sums[(i + r) * width + c + k];
            }
            for (int j = 0; j < count; ++j) {
                const W* const term = terms + j * width + c;
                for (int r = 0; r < TILE_ROWS; ++r) {
                    const W weight = weights[(i + r) * along_rows + j * along_terms];
#pragma omp simd
                    for (int k = 0; k < LANES; ++k) tile[r][k] += weight * term[k];
                }
            }
            for (int r = 0; r < TILE_ROWS; ++r) {
                for (int k = 0; k < LANES; ++k) sums[(i + r) * width + c + k] = tile[r][k];
            }
        }
    }
}

// Scores of a query -> weights relative to the largest score so far; what was summed up before is
// brought to the same measure.
template <class W>
void online_softmax(W* __restrict scores, int num_keys, int width, W& largest, W& total, W* sums) {
    W highest = largest, sum = 0;
#pragma omp simd reduction(max : highest)
    for (int j = 0; j < num_keys; ++j) highest = scores[j] > highest ? scores[j] : highest;
#pragma omp simd reduction(+ : sum)
    for (int j = 0; j < num_keys; ++j) {
        scores[j] = exponential(scores[j] - highest);
        sum += scores[j];
    }
    if (highest != largest) {
        const W shrink = exponential(largest - highest);
        for (int c = 0; c < width; ++c) sums[c] *= shrink;
        total *= shrink;
        largest = highest;
    }
    total += sum;
}

// out_i = sum over all j of exp(q_i . k_j / sqrt(c) - log_sum_i) v_j, for some queries of a head
template <class T>
void forward(const FullAttention<T>& a, std::int64_t head, std::int64_t first, int num_queries) {
    using W = Wide<T>;
    const int width = a.width();
    const W scale = 1 / std::sqrt(static_cast<W>(a.num_channels));
    std::vector<W> query(padded(num_queries) * width), sums(query.size());
    std::vector<W> largest(num_queries, -std::numeric_limits<W>::infinity()), total(num_queries);
    std::vector<W> key(BLOCK * width), columns(BLOCK * width), value(BLOCK * width);
    std::vector<W> scores(PANEL * BLOCK);
    gather(a, a.query, head, first, num_queries, scale, query.data());
    for (std::int64_t start = 0; start < a.num_keys; start += BLOCK) {
        const int count = static_cast<int>(std::min<std::int64_t>(BLOCK, a.num_keys - start));
        gather(a, a.key, head, start, count, W(1), key.data());
        gather(a, a.value, head, start, count, W(1), value.data());
        transpose(key.data(), count, width, columns.data());
        for (int panel = 0; panel < num_queries; panel += PANEL) {
            const int rows = std::min(PANEL, num_queries - panel);
            W* const panel_sums = sums.data() + panel * width;
            multiply(query.data() + panel * width, padded(rows), width, columns.data(), count,
                     scores.data());
            for (int i = 0; i < rows; ++i) {
                online_softmax(scores.data() + i * BLOCK, count, width, largest[panel + i],
                               total[panel + i], panel_sums + i * width);
            }
            add_weighted(scores.data(), BLOCK, 1, padded(rows), value.data(), count, width,
                         panel_sums);
        }
    }
    for (int i = 0; i < num_queries; ++i) {
        scatter(a, sums.data() + i * width, head, first + i, 1, 1 / total[i], a.out);
        a.log_sum[head * a.num_queries + first + i] = largest[i] + std::log(total[i]);
    }
}

// With the names of kernels.cpp: w from log_sum, s = w (g . v - g . o), and from these
// dq = s k / sqrt(c), dk = s^T q / sqrt(c), dv = w^T g, of all of one head.
template <class T>
void backward(const FullAttention<T>& a, std::int64_t head) {
    using W = Wide<T>;
    const int width = a.width(), block = BLOCK * width, panel = PANEL * width;
    const W scale = 1 / std::sqrt(static_cast<W>(a.num_channels));
    const auto panels = (a.num_queries + PANEL - 1) / PANEL;
    std::vector<W> dq(panels * panel);
    std::vector<W> q(panel), g(panel), o(panel), k(block), v(block), dk(block), dv(block);
    std::vector<W> k_columns(block), v_columns(block), weights(PANEL * BLOCK), slopes(PANEL * BLOCK);
    for (std::int64_t start = 0; start < a.num_keys; start += BLOCK) {
        const int count = static_cast<int>(std::min<std::int64_t>(BLOCK, a.num_keys - start));
        gather(a, a.key, head, start, count, W(1), k.data());
        gather(a, a.value, head, start, count, W(1), v.data());
        transpose(k.data(), count, width, k_columns.data());
        transpose(v.data(), count, width, v_columns.data());
        std::fill(dk.begin(), dk.end(), W(0));
        std::fill(dv.begin(), dv.end(), W(0));
        for (std::int64_t first = 0; first < a.num_queries; first += PANEL) {
            const int rows = static_cast<int>(std::min<std::int64_t>(PANEL, a.num_queries - first));
            gather(a, a.query, head, first, rows, scale, q.data());
            gather(a, a.gradient, head, first, rows, W(1), g.data());
            gather<T, W>(a, {a.out.data, a.out.stride}, head, first, rows, W(1), o.data());
            multiply(q.data(), padded(rows), width, k_columns.data(), count, weights.data());
            multiply(g.data(), padded(rows), width, v_columns.data(), count, slopes.data());
            for (int i = 0; i < rows; ++i) {
                const W log_sum = a.log_sum[head * a.num_queries + first + i];
                W correction = 0;
                for (int c = 0; c < width; ++c) correction += g[i * width + c] * o[i * width + c];
                W *const w = weights.data() + i * BLOCK, *const s = slopes.data() + i * BLOCK;
#pragma omp simd
                for (int j = 0; j < count; ++j) {
                    w[j] = exponential(w[j] - log_sum);
                    s[j] = w[j] * (s[j] - correction);
                }
            }
            add_weighted(slopes.data(), BLOCK, 1, padded(rows), k.data(), count, width,
                         dq.data() + first * width);
            add_weighted(slopes.data(), 1, BLOCK, padded(count), q.data(), rows, width, dk.data());
            add_weighted(weights.data(), 1, BLOCK, padded(count), g.data(), rows, width, dv.data());
        }
        scatter(a, dk.data(), head, start, count, W(1), a.key_gradient);
        scatter(a, dv.data(), head, start, count, W(1), a.value_gradient);
    }
    for (std::int64_t first = 0; first < a.num_queries; first += PANEL) {
        const int rows = static_cast<int>(std::min<std::int64_t>(PANEL, a.num_queries - first));
        scatter(a, dq.data() + first * width, head, first, rows, scale, a.query_gradient);
    }
}

template <class T>
void all_forward(const FullAttention<T>& a) {
    const bool enough = a.num_heads * a.num_queries >= a.num_threads * PANEL * PANELS;
    const std::int64_t share = enough ? PANEL * PANELS : PANEL;
    const auto shares = (a.num_queries + share - 1) / share, tasks = a.num_heads * shares;
    const auto threads = std::max(std::int64_t{1}, std::min(a.num_threads, tasks));
#pragma omp parallel for num_threads(static_cast<int>(threads)) schedule(dynamic)
    for (std::int64_t task = 0; task < tasks; ++task) {
        const auto first = task % shares * share;
        forward(a, task / shares, first, static_cast<int>(std::min(share, a.num_queries - first)));
    }
}

template <class T>
void all_backward(const FullAttention<T>& a) {
    const auto threads = std::max(std::int64_t{1}, std::min(a.num_threads, a.num_heads));
#pragma omp parallel for num_threads(static_cast<int>(threads)) schedule(dynamic)
    for (std::int64_t head = 0; head < a.num_heads; ++head) backward(a, head);
}

}  // namespace

#define EXPORT_FOR(T, dtype)                                                                     \
    EXPORT void full_attention_##dtype(const FullAttention<T>* a) { all_forward(*a); }           \
    EXPORT void full_attention_backward_##dtype(const FullAttention<T>* a) { all_backward(*a); }

EXPORT_FOR(float, float32)
EXPORT_FOR(double, float64)
EXPORT_FOR(bfloat16, bfloat16)
