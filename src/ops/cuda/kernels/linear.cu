// The weights of heads as one matrix.

// w [heads, d_model, d_head] to [d_model, heads * d_head]
extern "C" __global__ void heads_to_matrix(const float *w, real *to, count heads, count d_model, count d_head) {
    EACH(i, heads * d_model * d_head) {
        count e = i % d_head, head = i / d_head % heads, row = i / d_head / heads;
        put(to + i, w[(head * d_model + row) * d_head + e]);
    }
}

// dw += d_matrix, each laid out as above
extern "C" __global__ void add_matrix_to_heads(float *d_w, const float *d_matrix, count heads, count d_model,
                                               count d_head) {
    EACH(i, heads * d_model * d_head) {
        count e = i % d_head, head = i / d_head % heads, row = i / d_head / heads;
        d_w[(head * d_model + row) * d_head + e] += d_matrix[i];
    }
}
