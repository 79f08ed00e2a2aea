// Attention over lists of neighbours on the CPU, forward and backward, behind a plain C interface.
//
// A node's scores, weights and sums are made together, block by block of its neighbours, while they
// are in cache; nothing of the size of the edges is ever stored. The softmax is the online one
// (Milakov and Gimelshein, arXiv 1805.02867), and the backward pass makes the weights again from
// the logarithm of each row's sum, as FlashAttention does (Dao et al., arXiv 2205.14135, app. B).
//
// Numbers are stored as T and added up as Wide<T>: float for float and bfloat16, double for double.
// Each node is the work of one thread, so results don't depend on the number of threads.
//
// setup.py compiles this file and rows.cpp once for each instruction set. Loops are written for the
// compiler to vectorise, which may add up in any order (-fassociative-math) but keeps NaN and
// infinity. No header of torch or Python is needed, so one build serves all their versions.

#include "numbers.h"

#include <algorithm>
#include <limits>
#include <vector>

namespace {

constexpr int BLOCK = 64;  // neighbours whose weights are held at a time
constexpr int LANES = 16;  // weights are padded to this many, the widest vector of floats
constexpr int NODES_AT_ONCE = 64;  // a thread's share: few, for nodes that see all others
constexpr int NODES_AHEAD = 4;     // this many nodes later, rows that are fetched now are needed

template <class W>
void exponentials(W* x, int count) {
    for (int start = 0; start < count; start += LANES) {
        for (int lane = 0; lane < LANES; ++lane) x[start + lane] = exponential(x[start + lane]);
    }
}

// For each node, a list of others: those that it sees, or those that see it.
struct Lists {
    const std::int32_t* nodes;
    const std::int32_t* offsets;
};

// All that the passes read and write; the same structure stands in compiled.py. The forward pass
// leaves the gradients alone.
template <class T>
struct Attention {
    std::int64_t num_nodes, num_heads, num_channels, num_threads;
    Lists seen, seen_by;
    Rows<const T> query, key, value;
    Rows<T> out;
    Wide<T>* log_sum;        // (nodes, heads): the logarithm of the sum of exp(score)
    Rows<const T> gradient;  // with respect to out
    Wide<T>* correction;     // (nodes, heads): d, see below
    Rows<T> query_gradient, key_gradient, value_gradient;
};

// The heads of a node. CHANNELS is known to the compiler for usual sizes, and 0 for any other.
template <int CHANNELS>
struct Heads {
    int count;
    int any_channels;
    int channels() const { return CHANNELS ? CHANNELS : any_channels; }
    int width() const { return count * channels(); }
};

// What a thread needs for the node at hand.
template <class W>
struct Buffers {
    using Array = std::vector<W>;
    Array own[2], sums[2];  // (heads, channels)
    Array largest, total;   // (heads)
    Array weights, slopes;  // (block, heads); whole vectors of weights are worked on

    Buffers(std::int64_t heads, std::int64_t channels)
        : own{Array(heads * channels), Array(heads * channels)},
          sums{Array(heads * channels), Array(heads * channels)}, largest(heads), total(heads),
          weights(BLOCK * heads + LANES), slopes(BLOCK * heads) {}
};

// products[e, h] = own[h] . rows[nodes[e], h]
template <class T, class W, int CHANNELS>
void dot_products(Heads<CHANNELS> heads, const W* own, Rows<T> rows, const std::int32_t* nodes,
                  int num_nodes, W* __restrict products) {
    const int channels = heads.channels();
    for (int e = 0; e < num_nodes; ++e) {
        const T* row = rows[nodes[e]];
        for (int h = 0; h < heads.count; ++h) {
            W sum = 0;
            for (int c = 0; c < channels; ++c) {
                sum += own[h * channels + c] * load(row[h * channels + c]);
            }
            products[e * heads.count + h] = sum;
        }
    }
}

// sums[h] += sum over e of weights[e, h] * rows[nodes[e], h]
template <class T, class W, int CHANNELS>
void add_weighted(Heads<CHANNELS> heads, const W* weights, Rows<T> rows, const std::int32_t* nodes,
                  int num_nodes, W* sums) {
    const int channels = heads.channels();
    for (int h = 0; h < heads.count; ++h) {
        W* __restrict const sum = sums + h * channels;
        for (int e = 0; e < num_nodes; ++e) {
            const W weight = weights[e * heads.count + h];
            const T* row = rows[nodes[e]] + h * channels;
#pragma omp simd
            for (int c = 0; c < channels; ++c) sum[c] += weight * load(row[c]);
        }
    }
}

template <class T, class W>
void widen(const T* row, int width, W factor, W* __restrict wide) {
    for (int c = 0; c < width; ++c) wide[c] = factor * load(row[c]);
}

template <class T, class W>
void narrow(const W* wide, int width, W factor, T* __restrict row) {
    for (int c = 0; c < width; ++c) store(row[c], factor * wide[c]);
}

// Calls work(nodes, count) for a node's list, a block of at most BLOCK of its nodes at a time.
template <class Work>
void for_blocks(const Lists& lists, std::int64_t node, Work work) {
    const std::int32_t end = lists.offsets[node + 1];
    for (std::int32_t first = lists.offsets[node]; first < end; first += BLOCK) {
        work(lists.nodes + first, std::min(BLOCK, end - first));
    }
}

// Fetches rows of the nodes in a later node's list, those of its own number and above: of the
// others, most are in cache, as nodes lie along a curve and are worked on in its order.
template <class... AnyRows>
[[gnu::always_inline]] inline void fetch_ahead(const Lists& lists, std::int64_t num_nodes, std::int64_t node, int width,
                 AnyRows... rows) {
    const auto later = node + NODES_AHEAD;
    if (later >= num_nodes) return;
    for (auto e = lists.offsets[later]; e < lists.offsets[later + 1]; ++e) {
        const auto other = lists.nodes[e];
        if (other >= later) (fetch(rows[other], width), ...);
    }
}

// Turns the scores of a block into weights relative to the largest score so far, and brings what
// was added up before to the same measure.
template <class W, int CHANNELS>
void online_softmax(Heads<CHANNELS> heads, int num_nodes, Buffers<W>& b) {
    const int count = heads.count, channels = heads.channels();
    W* const weights = b.weights.data();
    for (int h = 0; h < count; ++h) {
        W largest = b.largest[h];
        for (int e = 0; e < num_nodes; ++e) largest = std::max(largest, weights[e * count + h]);
        if (b.total[h] > 0) {
            const W shrink = std::exp(b.largest[h] - largest);
            b.total[h] *= shrink;
            for (int c = 0; c < channels; ++c) b.sums[0][h * channels + c] *= shrink;
        }
        b.largest[h] = largest;
    }
    for (int e = 0; e < num_nodes; ++e) {
        for (int h = 0; h < count; ++h) weights[e * count + h] -= b.largest[h];
    }
    exponentials(weights, num_nodes * count);
    for (int e = 0; e < num_nodes; ++e) {
        for (int h = 0; h < count; ++h) b.total[h] += weights[e * count + h];
    }
}

// out_i = sum over the seen j of exp(q_i . k_j / sqrt(c) - log_sum_i) v_j
template <class T, class W, int CHANNELS>
void forward(const Attention<T>& a, Heads<CHANNELS> heads, std::int64_t node, Buffers<W>& b) {
    const int channels = heads.channels();
    fetch_ahead(a.seen, a.num_nodes, node, heads.width(), a.key, a.value);
    widen(a.query[node], heads.width(), 1 / std::sqrt(W(channels)), b.own[0].data());
    std::fill_n(b.sums[0].data(), heads.width(), W(0));
    std::fill_n(b.total.data(), heads.count, W(0));
    std::fill_n(b.largest.data(), heads.count, -std::numeric_limits<W>::infinity());
    for_blocks(a.seen, node, [&](const std::int32_t* nodes, int count) {
        dot_products(heads, b.own[0].data(), a.key, nodes, count, b.weights.data());
        online_softmax(heads, count, b);
        add_weighted(heads, b.weights.data(), a.value, nodes, count, b.sums[0].data());
    });
    const bool alone = a.seen.offsets[node] == a.seen.offsets[node + 1];
    for (int h = 0; h < heads.count; ++h) {
        const W* const sum = b.sums[0].data() + h * channels;
        narrow(sum, channels, alone ? W(0) : 1 / b.total[h], a.out[node] + h * channels);
        a.log_sum[node * heads.count + h] = alone ? W(0) : b.largest[h] + std::log(b.total[h]);
    }
}

// The backward pass, with g the gradient with respect to the output o:
//   w_ij = exp(q_i . k_j / sqrt(c) - log_sum_i)     the weights, made again
//   d_i  = g_i . o_i                                because the weights of i sum to 1
//   s_ij = w_ij (g_i . v_j - d_i) / sqrt(c)         the gradient with respect to q_i . k_j
//   dq_i = sum_j s_ij k_j,  dk_j = sum_i s_ij q_i,  dv_j = sum_i w_ij g_i

// Turns a block's scores into w_ij, and g_i . v_j into s_ij without the root of c. Each edge's
// receiving node, i, is receiver(e).
template <class T, class W, class Receiver>
void differentiate_softmax(const Attention<T>& a, int num_edges, Receiver receiver,
                           Buffers<W>& b) {
    const int count = static_cast<int>(a.num_heads);
    W *const weights = b.weights.data(), *const slopes = b.slopes.data();
    for (int e = 0; e < num_edges; ++e) {
        const W* const log_sum = a.log_sum + receiver(e) * count;
        for (int h = 0; h < count; ++h) weights[e * count + h] -= log_sum[h];
    }
    exponentials(weights, num_edges * count);
    for (int e = 0; e < num_edges; ++e) {
        const W* const d = a.correction + receiver(e) * count;
        for (int h = 0; h < count; ++h) {
            slopes[e * count + h] = weights[e * count + h] * (slopes[e * count + h] - d[h]);
        }
    }
}

// dq_i and d_i, over the nodes j that i sees.
template <class T, class W, int CHANNELS>
void query_gradient(const Attention<T>& a, Heads<CHANNELS> heads, std::int64_t i, Buffers<W>& b) {
    const int width = heads.width();
    const W scale = 1 / std::sqrt(W(heads.channels()));
    fetch_ahead(a.seen, a.num_nodes, i, width, a.key, a.value);
    W *const q = b.own[0].data(), *const g = b.own[1].data(), *const dq = b.sums[0].data();
    widen(a.query[i], width, scale, q);
    widen(a.gradient[i], width, W(1), g);
    std::fill_n(dq, width, W(0));
    const auto itself = static_cast<std::int32_t>(i);
    dot_products(heads, g, a.out, &itself, 1, a.correction + i * heads.count);
    for_blocks(a.seen, i, [&](const std::int32_t* seen, int num_seen) {
        dot_products(heads, q, a.key, seen, num_seen, b.weights.data());
        dot_products(heads, g, a.value, seen, num_seen, b.slopes.data());
        differentiate_softmax(a, num_seen, [&](int) { return i; }, b);
        add_weighted(heads, b.slopes.data(), a.key, seen, num_seen, dq);
    });
    narrow(dq, width, scale, a.query_gradient[i]);
}

// dk_j and dv_j, over the nodes i that see j.
template <class T, class W, int CHANNELS>
void key_value_gradient(const Attention<T>& a, Heads<CHANNELS> heads, std::int64_t j,
                        Buffers<W>& b) {
    const int width = heads.width();
    const W scale = 1 / std::sqrt(W(heads.channels()));
    fetch_ahead(a.seen_by, a.num_nodes, j, width, a.query, a.gradient);
    W *const k = b.own[0].data(), *const v = b.own[1].data();
    W *const dk = b.sums[0].data(), *const dv = b.sums[1].data();
    widen(a.key[j], width, scale, k);
    widen(a.value[j], width, W(1), v);
    std::fill_n(dk, width, W(0));
    std::fill_n(dv, width, W(0));
    for_blocks(a.seen_by, j, [&](const std::int32_t* seeing, int num_seeing) {
        dot_products(heads, k, a.query, seeing, num_seeing, b.weights.data());
        dot_products(heads, v, a.gradient, seeing, num_seeing, b.slopes.data());
        const auto receiver = [&](int e) { return std::int64_t{seeing[e]}; };
        differentiate_softmax(a, num_seeing, receiver, b);
        add_weighted(heads, b.slopes.data(), a.query, seeing, num_seeing, dk);
        add_weighted(heads, b.weights.data(), a.gradient, seeing, num_seeing, dv);
    });
    narrow(dk, width, scale, a.key_gradient[j]);
    narrow(dv, width, W(1), a.value_gradient[j]);
}

// Calls work(heads, node, buffers) for every node, each thread with buffers of its own.
template <class T, class Work>
void for_nodes(const Attention<T>& a, Work work) {
    const auto shares = (a.num_nodes + NODES_AT_ONCE - 1) / NODES_AT_ONCE;
    const auto threads = std::max(std::int64_t{1}, std::min(a.num_threads, shares));
    const auto loop = [&](auto heads) {
#pragma omp parallel num_threads(static_cast<int>(threads))
        {
            Buffers<Wide<T>> buffers(a.num_heads, a.num_channels);
#pragma omp for schedule(dynamic, NODES_AT_ONCE)
            for (std::int64_t node = 0; node < a.num_nodes; ++node) work(heads, node, buffers);
        }
    };
    const int count = static_cast<int>(a.num_heads), channels = static_cast<int>(a.num_channels);
    switch (channels) {
        case 8: return loop(Heads<8>{count, channels});
        case 16: return loop(Heads<16>{count, channels});
        case 32: return loop(Heads<32>{count, channels});
        case 64: return loop(Heads<64>{count, channels});
        default: return loop(Heads<0>{count, channels});
    }
}

template <class T>
void all_forward(const Attention<T>& a) {
    for_nodes(a, [&](auto heads, std::int64_t i, auto& buffers) { forward(a, heads, i, buffers); });
}

template <class T>
void all_backward(const Attention<T>& a) {
    for_nodes(a, [&](auto heads, std::int64_t i, auto& buffers) {
        query_gradient(a, heads, i, buffers);
    });
    for_nodes(a, [&](auto heads, std::int64_t j, auto& buffers) {
        key_value_gradient(a, heads, j, buffers);
    });
}

}  // namespace

// Counts the changes of this interface: compiled.py refuses a library that was built before one.
EXPORT int kernels_interface() { return 4; }

EXPORT void neighbour_attention_float32(const Attention<float>* a) { all_forward(*a); }
EXPORT void neighbour_attention_float64(const Attention<double>* a) { all_forward(*a); }
EXPORT void neighbour_attention_bfloat16(const Attention<bfloat16>* a) { all_forward(*a); }
EXPORT void neighbour_attention_backward_float32(const Attention<float>* a) { all_backward(*a); }
EXPORT void neighbour_attention_backward_float64(const Attention<double>* a) { all_backward(*a); }
EXPORT void neighbour_attention_backward_bfloat16(const Attention<bfloat16>* a) {
    all_backward(*a);
}
