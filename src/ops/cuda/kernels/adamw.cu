// The optimizer's step, and what clipping needs.

struct Step {
    float rate, root, eps, beta1, beta2, rest1, rest2, kept, scale;
};

extern "C" __global__ void adamw(float *p, float *m, float *v, const float *d, count n, Step s) {
    EACH(i, n) {
        float g = d[i] * s.scale;
        m[i] = m[i] * s.beta1 + g * s.rest1;
        v[i] = v[i] * s.beta2 + g * g * s.rest2;
        p[i] = p[i] * s.kept - s.rate * m[i] / (sqrtf(v[i]) * s.root + s.eps);
    }
}

// parts [blocks]: the sums of squares of what each block of 256 was dealt.
extern "C" __global__ void squares(const float *x, double *parts, count n) {
    double sum = 0.0;
    EACH(i, n) sum += (double)x[i] * x[i];
    sum = block_sum_double(sum);
    if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}
