// What attention does beside its matrix products. Inside, heads lie apart: [sequence, head, position, d_head]; outside they
// lie side by side: [sequence, position, head * d_head].

struct Heads {
    count position, heads, d_head;
};

// Where a number that lies apart lies side by side.
__device__ inline count beside(count i, Heads s) {
    count e = i % s.d_head, t = i / s.d_head % s.position, h = i / s.d_head / s.position % s.heads;
    count sequence = i / s.d_head / s.position / s.heads;
    return ((sequence * s.position + t) * s.heads + h) * s.d_head + e;
}

__device__ inline float share_of(const float *smear, count head) { return 1.0f / (1.0f + expf(-smear[head])); }

// A key with some of the one before it, where keys are smeared: i lies apart.
__device__ inline float smeared(const float *x, count i, Heads s, const float *smear) {
    count at = beside(i, s);
    if (!smear || i / s.d_head % s.position == 0) return x[at];
    float share = share_of(smear, i / s.d_head / s.position % s.heads);
    return share * x[at] + (1.0f - share) * x[at - s.heads * s.d_head];
}

// Heads apart, smeared if there is `smear` [heads], turned if there are `cosines` and `sines` [position, d_head / 2].
extern "C" __global__ void apart(const float *x, real *to, count n, Heads s, const float *smear, const float *cosines,
                                 const float *sines) {
    EACH(i, n) {
        float own = smeared(x, i, s, smear);
        if (cosines) {
            count e = i % s.d_head, t = i / s.d_head % s.position, half = s.d_head / 2, angle = t * half + e % half;
            float other = smeared(x, e < half ? i + half : i - half, s, smear);
            own = own * cosines[angle] + (e < half ? -other : other) * sines[angle];
        }
        put(to + i, own);
    }
}

// y = heads side by side
extern "C" __global__ void together(const float *x, float *y, count n, Heads s) {
    EACH(i, n) y[beside(i, s)] = x[i];
}

// A gradient turned back, in place: a thread has both of a pair.
extern "C" __global__ void turn_back(float *d, count n, Heads s, const float *cosines, const float *sines) {
    count half = s.d_head / 2;
    EACH(i, n / 2) {
        count e = i % half, row = i / half, angle = row % s.position * half + e;
        float *first = d + row * s.d_head + e, *second = first + half, a = *first, b = *second;
        *first = a * cosines[angle] + b * sines[angle];
        *second = b * cosines[angle] - a * sines[angle];
    }
}

// dx [sequence, position, head * d_head] += the gradient of heads apart, through the smearing
extern "C" __global__ void apart_backward(const float *d, float *d_x, count n, Heads s, const float *smear) {
    EACH(i, n) {
        float own = d[i];
        if (smear) {
            count t = i / s.d_head % s.position;
            float share = share_of(smear, i / s.d_head / s.position % s.heads);
            if (t > 0) own *= share;
            if (t + 1 < s.position) own += (1.0f - share) * d[i + s.d_head];
        }
        d_x[beside(i, s)] += own;
    }
}

// da [heads] += σ'(a) Σ d · (key - the one before). A block for every head.
extern "C" __global__ void smear_backward(const float *d, const float *x, float *d_a, count sequences, Heads s,
                                          const float *smear) {
    count head = blockIdx.x, rows = s.position * s.d_head;
    float sum = 0.0f;
    for (count k = threadIdx.x; k < sequences * rows; k += blockDim.x) {
        count i = (k / rows * s.heads + head) * rows + k % rows, at = beside(i, s);
        if (k % rows >= s.d_head) sum += d[i] * (x[at] - x[at - s.heads * s.d_head]);
    }
    sum = block_sum(sum);
    float share = share_of(smear, head);
    if (threadIdx.x == 0) d_a[head] += share * (1.0f - share) * sum;
}

// Some queries of every head, from `first` on, and the keys that the last of them sees: [sequence, head, rows, keys].
struct Block {
    count first, rows, keys;
};

// Scores of a block to its pattern, zero behind the query: to `pattern`, which may be where the scores are, and to `kept`
// [sequence, head, position, position], if it is wanted. `bias` [heads, n_ctx], by distance, or none. A block of threads
// for every query.
extern "C" __global__ void attend(const float *scores, real *pattern, float *kept, const float *bias, count heads,
                                  count position, count n_ctx, Block s) {
    count row = blockIdx.x, query = s.first + row % s.rows, head = row / s.rows;
    scores += row * s.keys, pattern += row * s.keys;
    if (bias) bias += head % heads * n_ctx + query;
    if (kept) kept += (head * position + query) * position;
    float most = __int_as_float(0xff800000), sum = 0.0f;
    for (count key = threadIdx.x; key <= query; key += blockDim.x) {
        most = fmaxf(most, scores[key] + (bias ? *(bias - key) : 0.0f));
    }
    most = block_greatest(most);
    for (count key = threadIdx.x; key <= query; key += blockDim.x) {
        sum += expf(scores[key] + (bias ? *(bias - key) : 0.0f) - most);
    }
    float share = 1.0f / block_sum(sum);
    for (count key = threadIdx.x; key < s.keys; key += blockDim.x) {
        float p = key > query ? 0.0f : expf(scores[key] + (bias ? *(bias - key) : 0.0f) - most) * share;
        put(pattern + key, p);
        if (kept) kept[key] = p;
    }
}

// dP of a block, and its pattern P, to dS = P (dP - Σ P dP), where P was. A block of threads for every query.
extern "C" __global__ void attend_backward(const float *d_pattern, real *pattern, Block s) {
    count row = blockIdx.x, query = s.first + row % s.rows;
    d_pattern += row * s.keys, pattern += row * s.keys;
    float sum = 0.0f;
    for (count key = threadIdx.x; key <= query; key += blockDim.x) sum += value(pattern[key]) * d_pattern[key];
    sum = block_sum(sum);
    for (count key = threadIdx.x; key < s.keys; key += blockDim.x) {
        put(pattern + key, key > query ? 0.0f : value(pattern[key]) * (d_pattern[key] - sum));
    }
}

// parts [n_parts, heads, keys] of the bias's gradient: dS of a block summed along its diagonals, over `together` of the
// sequences' queries at a time. A block of threads has the head for its second index, and the part for its third.
extern "C" __global__ void bias_parts(const real *d_scores, float *parts, count sequences, count heads, Block s,
                                      count together) {
    count distance = blockIdx.x * blockDim.x + threadIdx.x, head = blockIdx.y, part = blockIdx.z;
    if (distance >= s.keys) return;
    count end = min((part + 1) * together, sequences * s.rows);
    float sum = 0.0f;
    for (count row = part * together; row < end; row++) {
        count of_block = row % s.rows, query = s.first + of_block;
        if (query >= distance) {
            sum += value(d_scores[((row / s.rows * heads + head) * s.rows + of_block) * s.keys + query - distance]);
        }
    }
    parts[(part * heads + head) * s.keys + distance] = sum;
}

// d_bias [heads, n_ctx] += parts [n_parts, heads, keys]
extern "C" __global__ void add_bias_parts(float *d_bias, const float *parts, count n_parts, count heads, count keys,
                                          count n_ctx) {
    EACH(i, heads * keys) {
        float total = 0.0f;
        for (count part = 0; part < n_parts; part++) total += parts[part * heads * keys + i];
        d_bias[i / keys * n_ctx + i % keys] += total;
    }
}
