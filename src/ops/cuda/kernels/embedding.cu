// Rows of a table by token.

// x [tokens, d] = w[token]. A block for every token.
extern "C" __global__ void embed(const unsigned *tokens, const float *w, float *x, count d) {
    const float *row = w + tokens[blockIdx.x] * d;
    for (count i = threadIdx.x; i < d; i += blockDim.x) x[blockIdx.x * d + i] = row[i];
}

// dw[token] += the sum of dx over the token's places, in their order. A block for every token that occurs: `words` are
// these tokens, and the places of word b are places[starts[b]] to places[starts[b + 1]].
extern "C" __global__ void embed_backward(const unsigned *words, const unsigned *starts, const unsigned *places,
                                          const float *d_x, float *d_w, count d) {
    float *row = d_w + words[blockIdx.x] * d;
    for (count i = threadIdx.x; i < d; i += blockDim.x) {
        float sum = row[i];
        for (unsigned k = starts[blockIdx.x]; k < starts[blockIdx.x + 1]; k++) sum += d_x[places[k] * d + i];
        row[i] = sum;
    }
}
