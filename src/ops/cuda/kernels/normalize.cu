// Layer norm, and root-mean-square norm where there is no bias. A block for every row of d numbers.

// statistics [rows, 2]: the mean (zero without a bias), and the inverse of the root.
extern "C" __global__ void normalize(const float *x, const float *gain, const float *bias, float *y, float *statistics,
                                     count d, float eps) {
    count row = blockIdx.x;
    x += row * d, y += row * d;
    float mean = 0.0f, squares = 0.0f;
    if (bias) {
        for (count i = threadIdx.x; i < d; i += blockDim.x) mean += x[i];
        mean = block_sum(mean) / d;
    }
    for (count i = threadIdx.x; i < d; i += blockDim.x) squares += (x[i] - mean) * (x[i] - mean);
    float inverse = 1.0f / sqrtf(block_sum(squares) / d + eps);
    for (count i = threadIdx.x; i < d; i += blockDim.x) {
        y[i] = (x[i] - mean) * inverse * gain[i] + (bias ? bias[i] : 0.0f);
    }
    if (threadIdx.x == 0) statistics[2 * row] = mean, statistics[2 * row + 1] = inverse;
}

// With n the normalised row and g = dy gain: dx += (g - mean g - n mean(g n)) inverse; `centred` or without mean g.
extern "C" __global__ void normalize_backward(const float *x, const float *gain, const float *statistics,
                                              const float *d_y, float *d_x, count d, int centred) {
    count row = blockIdx.x;
    x += row * d, d_y += row * d, d_x += row * d;
    float mean = statistics[2 * row], inverse = statistics[2 * row + 1], centre = 0.0f, slope = 0.0f;
    for (count i = threadIdx.x; i < d; i += blockDim.x) {
        float g = d_y[i] * gain[i];
        centre += g;
        slope += g * (x[i] - mean) * inverse;
    }
    centre = centred ? block_sum(centre) / d : 0.0f;
    slope = block_sum(slope) / d;
    for (count i = threadIdx.x; i < d; i += blockDim.x) {
        float n = (x[i] - mean) * inverse;
        d_x[i] += (d_y[i] * gain[i] - centre - n * slope) * inverse;
    }
}

// parts [n_parts, d] of dgain, the sums of dy n over `together` rows at a time. A block's second index is the part.
extern "C" __global__ void gain_parts(const float *x, const float *statistics, const float *d_y, float *parts,
                                      count rows, count d, count together) {
    count column = blockIdx.x * blockDim.x + threadIdx.x, part = blockIdx.y;
    if (column >= d) return;
    count end = min((part + 1) * together, rows);
    float sum = 0.0f;
    for (count row = part * together; row < end; row++) {
        float n = (x[row * d + column] - statistics[2 * row]) * statistics[2 * row + 1];
        sum += d_y[row * d + column] * n;
    }
    parts[part * d + column] = sum;
}
