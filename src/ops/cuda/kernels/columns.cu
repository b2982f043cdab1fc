// Sums over rows, in two steps: parts of the rows first, then the parts in their order.

// parts [n_parts, columns]: x [rows, columns] summed over `together` rows at a time. A block's second index is the part.
extern "C" __global__ void column_parts(const float *x, float *parts, count rows, count columns, count together) {
    count column = blockIdx.x * blockDim.x + threadIdx.x, part = blockIdx.y;
    if (column >= columns) return;
    count end = min((part + 1) * together, rows);
    float sum = 0.0f;
    for (count row = part * together; row < end; row++) sum += x[row * columns + column];
    parts[part * columns + column] = sum;
}

// sum [n] += parts [n_parts, n]
extern "C" __global__ void add_parts(float *sum, const float *parts, count n_parts, count n) {
    EACH(i, n) {
        float total = 0.0f;
        for (count part = 0; part < n_parts; part++) total += parts[part * n + i];
        sum[i] += total;
    }
}

// out = the mean of x [n]. One block of 256.
extern "C" __global__ void mean(float *out, const float *x, count n) {
    double sum = 0.0;
    for (count i = threadIdx.x; i < n; i += 256) sum += x[i];
    sum = block_sum_double(sum);
    if (threadIdx.x == 0) *out = (float)(sum / n);
}
