// The loss of rows of logits, whose `stride` is d_vocab or more. A block for every row.
//
// losses [rows] = logsumexp(logits) - logits[target]; where there is g: g = weight (softmax(logits) - onehot(target)), zero
// beyond d_vocab. g may be where the logits are.
extern "C" __global__ void cross_entropy(const float *logits, real *g, float *losses, const unsigned *targets,
                                         float weight, count d_vocab, count stride) {
    count row = blockIdx.x, target = targets[row];
    logits += row * stride;
    float most = __int_as_float(0xff800000), sum = 0.0f;
    for (count i = threadIdx.x; i < d_vocab; i += blockDim.x) {
        float x = logits[i];
        // One pass: what was summed is brought down when something greater comes.
        if (x > most) {
            sum *= expf(most - x);
            most = x;
        }
        sum += expf(x - most);
    }
    float greatest = block_greatest(most);
    sum = block_sum(sum > 0.0f ? sum * expf(most - greatest) : sum);
    if (threadIdx.x == 0) losses[row] = greatest + logf(sum) - logits[target];
    if (!g) return;
    __syncthreads(); // the target's logit has been read
    g += row * stride;
    float share = weight / sum;
    for (count i = threadIdx.x; i < stride; i += blockDim.x) {
        float x = i < d_vocab ? share * expf(logits[i] - greatest) - (i == target ? weight : 0.0f) : 0.0f;
        put(g + i, x);
    }
}
