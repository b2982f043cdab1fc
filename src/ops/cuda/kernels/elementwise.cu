// Number by number: the residual connection, activations, positions, and matrices for products.

// Rows [rows, columns] to rows of `stride` numbers, zeros at their ends.
extern "C" __global__ void to_matrix(const float *from, real *to, count rows, count columns, count stride) {
    EACH(i, rows * stride) {
        count column = i % stride;
        put(to + i, column < columns ? from[i / stride * columns + column] : 0.0f);
    }
}

// sum += scale * part, where rows of the part have `stride` numbers; scale is a number on the device, or none.
extern "C" __global__ void add_matrix(float *sum, const float *part, const float *scale, count rows, count columns,
                                      count stride) {
    float by = scale ? *scale : 1.0f;
    EACH(i, rows * columns) sum[i] += by * part[i / columns * stride + i % columns];
}

// y = a + b
extern "C" __global__ void add(float *y, const float *a, const float *b, count n) {
    EACH(i, n) y[i] = a[i] + b[i];
}

// y [rows, columns] += b [columns]
extern "C" __global__ void add_to_rows(float *y, const float *b, count n, count columns) {
    EACH(i, n) y[i] += b[i % columns];
}

// sum += by * part
extern "C" __global__ void accumulate(float *sum, const float *part, float by, count n) {
    EACH(i, n) sum[i] += by * part[i];
}

// y [batch, sequence] = x + w [sequence]
extern "C" __global__ void add_positions(float *y, const float *x, const float *w, count n, count sequence) {
    EACH(i, n) y[i] = x[i] + w[i % sequence];
}

// dw [sequence] += the sum of dy [batch, sequence] over the batch
extern "C" __global__ void add_positions_backward(float *d_w, const float *d_y, count batch, count sequence) {
    EACH(i, sequence) {
        float sum = d_w[i];
        for (count b = 0; b < batch; b++) sum += d_y[b * sequence + i];
        d_w[i] = sum;
    }
}

extern "C" __global__ void relu(float *y, const float *x, count n) {
    EACH(i, n) y[i] = x[i] > 0.0f ? x[i] : 0.0f;
}

extern "C" __global__ void relu_backward(float *d_x, const float *x, const float *d_y, count n) {
    EACH(i, n) d_x[i] += x[i] > 0.0f ? d_y[i] : 0.0f;
}

extern "C" __global__ void gelu(float *y, const float *x, count n) {
    EACH(i, n) y[i] = 0.5f * x[i] * erfcf(-0.70710678f * x[i]);
}

extern "C" __global__ void gelu_backward(float *d_x, const float *x, const float *d_y, count n) {
    EACH(i, n) {
        float below = 0.5f * erfcf(-0.70710678f * x[i]), density = 0.39894228f * expf(-0.5f * x[i] * x[i]);
        d_x[i] += d_y[i] * (below + x[i] * density);
    }
}
