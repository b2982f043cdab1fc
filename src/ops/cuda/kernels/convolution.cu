// Causal convolution: the positions that an output sees, side by side, are the rows of a matrix.

// to [batch * position, kernel * d]: at tap j the input `kernel - 1 - j` positions before, zero before the beginning.
extern "C" __global__ void unfold(const float *x, real *to, count n, count position, count d, count kernel) {
    EACH(i, n * kernel) {
        count column = i % d, j = i / d % kernel, row = i / d / kernel, back = kernel - 1 - j;
        put(to + i, row % position >= back ? x[(row - back) * d + column] : 0.0f);
    }
}

// dx [batch, position, d] += what every later position's tap gives back
extern "C" __global__ void unfold_backward(float *d_x, const float *d_unfolded, count n, count position, count d,
                                           count kernel) {
    EACH(i, n) {
        count column = i % d, row = i / d;
        float sum = d_x[i];
        for (count j = kernel; j-- > 0;) {
            count ahead = kernel - 1 - j;
            if (row % position + ahead < position) sum += d_unfolded[((row + ahead) * kernel + j) * d + column];
        }
        d_x[i] = sum;
    }
}

// w [d_out, d_in, kernel] to [kernel * d_in, d_out]
extern "C" __global__ void taps_to_matrix(const float *w, real *to, count d_out, count d_in, count kernel) {
    EACH(i, d_out * d_in * kernel) {
        count out = i % d_out, in = i / d_out % d_in, j = i / d_out / d_in;
        put(to + i, w[(out * d_in + in) * kernel + j]);
    }
}

// dw += d_matrix, each laid out as above
extern "C" __global__ void add_matrix_to_taps(float *d_w, const float *d_matrix, count d_out, count d_in,
                                              count kernel) {
    EACH(i, d_out * d_in * kernel) {
        count out = i % d_out, in = i / d_out % d_in, j = i / d_out / d_in;
        d_w[(out * d_in + in) * kernel + j] += d_matrix[i];
    }
}

// Every feature by itself: y = Σ_j w [d, kernel] x + b
extern "C" __global__ void depthwise(float *y, const float *x, const float *w, const float *b, count n, count position,
                                     count d, count kernel) {
    EACH(i, n) {
        count column = i % d, row = i / d;
        float sum = b[column];
        for (count j = 0; j < kernel; j++) {
            count back = kernel - 1 - j;
            if (row % position >= back) sum += w[column * kernel + j] * x[(row - back) * d + column];
        }
        y[i] = sum;
    }
}

extern "C" __global__ void depthwise_backward(float *d_x, const float *d_y, const float *w, count n, count position,
                                              count d, count kernel) {
    EACH(i, n) {
        count column = i % d, row = i / d;
        float sum = d_x[i];
        for (count j = kernel; j-- > 0;) {
            count ahead = kernel - 1 - j;
            if (row % position + ahead < position) sum += w[column * kernel + j] * d_y[(row + ahead) * d + column];
        }
        d_x[i] = sum;
    }
}

// parts [n_parts, d * kernel] of dw, over `together` rows at a time. A block's second index is the part.
extern "C" __global__ void depthwise_parts(const float *x, const float *d_y, float *parts, count rows, count position,
                                           count d, count kernel, count together) {
    count i = blockIdx.x * blockDim.x + threadIdx.x, part = blockIdx.y;
    if (i >= d * kernel) return;
    count column = i % d, j = i / d, back = kernel - 1 - j, end = min((part + 1) * together, rows);
    float sum = 0.0f;
    for (count row = part * together; row < end; row++) {
        if (row % position >= back) sum += x[(row - back) * d + column] * d_y[row * d + column];
    }
    parts[part * d * kernel + column * kernel + j] = sum;
}
