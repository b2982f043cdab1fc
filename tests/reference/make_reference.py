"""Reference values for indhead's models: a small PyTorch implementation, written from the design alone.

    python make_reference.py [--out FOLDER] [--noise]

For every case below it writes `<case>.toml` (the architecture in the language of the spec) and
`<case>.safetensors` (weights, tokens, and what must come out of them; README.md lists the tensors).
Everything is computed in float64 and stored as float32; the weights are rounded to float32 first, so
the stored ones are exactly those used. The same versions give the same bytes. `--noise` writes nothing
and prints how far the same computation in float32 strays: a guide for tolerances.

Shapes: B batch, T positions, D d_model, H n_heads, K d_head, M d_mlp, V d_vocab.
"""

import argparse
import math
import platform
import tomllib
import zlib
from pathlib import Path

import numpy as np
import safetensors
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

D_VOCAB, BATCH, STEPS = 13, 3, 10
LEARNING_RATE, BETAS, EPS, WEIGHT_DECAY, CLIP_NORM = 1e-2, (0.9, 0.95), 1e-8, 0.1, 1.0
NORM_EPS, ROTARY_BASE = 1e-5, 10000.0


# ---------------------------------------------------------------- the cases


def attention(n_heads=2, d_head=4, smeared_keys=False, **positions):
    return dict(kind="attention", n_heads=n_heads, d_head=d_head, smeared_keys=smeared_keys, **positions)


def conv1d(kernel_size, depthwise):
    return dict(kind="conv1d", kernel_size=kernel_size, depthwise=depthwise)


def mlp(activation, d_mlp=16):
    return dict(kind="mlp", d_mlp=d_mlp, activation=activation)


def architecture(positions, *blocks, normalization="layer", tied_embeddings=False):
    return dict(d_model=8, n_ctx=12, positions=positions, normalization=normalization,
                tied_embeddings=tied_embeddings, blocks=list(blocks))


CASES = {
    "conv_attn": architecture("shortformer", conv1d(3, depthwise=False), attention()),
    "conv_attn_depthwise": architecture("none", conv1d(2, depthwise=True), attention()),
    "attn_attn_relative": architecture("relative_bias", attention(), attention()),
    "attn_attn_learned": architecture("learned", attention(), attention()),
    "attn_attn_rotary": architecture("rotary", attention(), attention()),
    "attn_smeared": architecture("rotary", attention(smeared_keys=True)),
    "attn_override": architecture("none", attention(positions="relative_bias"), attention()),
    "attn_mlp": architecture("learned", attention(), mlp("gelu"), attention(), mlp("relu"), normalization="rms"),
    "no_norm_tied": architecture("learned", attention(), attention(), normalization="none", tied_embeddings=True),
    "wide_heads": architecture("shortformer", attention(d_head=6), attention(d_head=6)),
}


def to_toml(arch, d_vocab=D_VOCAB):
    def line(key, value):
        return f"{key} = " + (f'"{value}"' if isinstance(value, str) else str(value).lower())

    parts = ["[architecture]", *(line(k, v) for k, v in arch.items() if k != "blocks")]
    for block in arch["blocks"]:
        parts += ["", "[[architecture.blocks]]", *(line(k, v) for k, v in block.items())]
    return "\n".join([*parts, "", "[tokenizer]", 'kind = "ids"', f"d_vocab = {d_vocab}", ""])


# ---------------------------------------------------------------- the model


def layers(arch):
    """(layer, norm name, block) in order. An mlp directly after attention shares its layer, as ln2."""
    layer, previous, found = -1, None, []
    for block in arch["blocks"]:
        shares = block["kind"] == "mlp" and previous == "attention"
        layer += not shares
        found.append((layer, "ln2" if shares else "ln1", block))
        previous = block["kind"]
    return found


def positions_of(arch, block):
    """How this attention block knows positions ("learned" acts on the stream, not in the block)."""
    return block.get("positions", arch["positions"])


def shapes(arch, d_vocab=D_VOCAB):
    """Every parameter's name and shape."""
    D, n_ctx = arch["d_model"], arch["n_ctx"]
    norm = {"layer": ["w", "b"], "rms": ["w"], "none": []}[arch["normalization"]]
    named = {"embed.W_E": (d_vocab, D)}
    if arch["positions"] == "learned" or any(
        block["kind"] == "attention" and positions_of(arch, block) == "shortformer" for block in arch["blocks"]
    ):
        named["pos_embed.W_pos"] = (n_ctx, D)
    for layer, ln, block in layers(arch):
        at = f"blocks.{layer}."
        named |= {f"{at}{ln}.{part}": (D,) for part in norm}
        if block["kind"] == "attention":
            H, K = block["n_heads"], block["d_head"]
            named |= {f"{at}attn.W_{part}": (H, D, K) for part in "QKV"}
            named[at + "attn.W_O"] = (H, K, D)
            if block["smeared_keys"]:
                named[at + "attn.smear"] = (H,)
            if positions_of(arch, block) == "relative_bias":
                named[at + "attn.rel_bias"] = (H, n_ctx)
        elif block["kind"] == "conv1d":
            named[at + "conv.W"] = (D, 1 if block["depthwise"] else D, block["kernel_size"])
            named[at + "conv.b"] = (D,)
        else:
            M = block["d_mlp"]
            named |= {at + "mlp.W_in": (D, M), at + "mlp.b_in": (M,), at + "mlp.W_out": (M, D), at + "mlp.b_out": (D,)}
    named |= {f"ln_final.{part}": (D,) for part in norm}
    if not arch["tied_embeddings"]:
        named["unembed.W_U"] = (D, d_vocab)
    return named


def random_weights(arch, rng, d_vocab=D_VOCAB):
    """Weights large enough that every path shows in the outputs; float32 values held as float64."""
    scales = {"W_E": 0.6, "W_pos": 0.6, "smear": 0.5, "rel_bias": 0.5, "w": 0.2, "b": 0.3, "b_in": 0.3, "b_out": 0.3}
    weights = {}
    for name, shape in shapes(arch, d_vocab).items():
        last = name.rsplit(".", 1)[1]
        values = rng.standard_normal(shape) * scales.get(last, 0.4) + (last == "w")
        weights[name] = torch.from_numpy(values.astype(np.float32).astype(np.float64))
    return weights


def normalise(arch, weights, name, x):
    """x [B, T, D] -> [B, T, D]"""
    if arch["normalization"] == "none":
        return x
    if arch["normalization"] == "layer":
        x = x - x.mean(-1, keepdim=True)
    x = x / (x.pow(2).mean(-1, keepdim=True) + NORM_EPS).sqrt()
    x = x * weights[name + ".w"]
    return x + weights[name + ".b"] if arch["normalization"] == "layer" else x


def rotate(x):
    """x [B, H, T, K] -> the same, each pair (x[j], x[j + K/2]) turned by position * base^(-2j/K)."""
    T, K = x.shape[-2:]
    rates = ROTARY_BASE ** (-torch.arange(0, K, 2, dtype=x.dtype) / K)  # [K/2]
    angles = torch.arange(T, dtype=x.dtype)[:, None] * rates  # [T, K/2]
    low, high = x[..., : K // 2], x[..., K // 2 :]
    return torch.cat([low * angles.cos() - high * angles.sin(), high * angles.cos() + low * angles.sin()], -1)


def attend(arch, block, weights, at, h):
    """h [B, T, D], normalised -> what is added to the stream [B, T, D], and the pattern [B, H, T, T]."""
    T, positions = h.shape[1], positions_of(arch, block)
    look = h + weights["pos_embed.W_pos"][:T] if positions == "shortformer" else h  # [B, T, D]
    q = torch.einsum("btd,hdk->bhtk", look, weights[at + "attn.W_Q"])
    k = torch.einsum("btd,hdk->bhtk", look, weights[at + "attn.W_K"])
    v = torch.einsum("btd,hdk->bhtk", h, weights[at + "attn.W_V"])
    if block["smeared_keys"]:  # before the rotation
        share = weights[at + "attn.smear"].sigmoid()[:, None, None]  # [H, 1, 1]
        smeared = share * k[:, :, 1:] + (1 - share) * k[:, :, :-1]
        k = torch.cat([k[:, :, :1], smeared], 2)  # position 0 keeps its key
    if positions == "rotary":
        q, k = rotate(q), rotate(k)
    scores = torch.einsum("bhik,bhjk->bhij", q, k) / math.sqrt(block["d_head"])  # [B, H, T, T]
    distance = torch.arange(T)[:, None] - torch.arange(T)  # [T, T], i - j
    if positions == "relative_bias":
        scores = scores + weights[at + "attn.rel_bias"][:, distance.clamp(min=0)]  # [H, T, T]
    pattern = scores.masked_fill(distance < 0, -math.inf).softmax(-1)
    z = torch.einsum("bhij,bhjk->bhik", pattern, v)
    return torch.einsum("bhik,hkd->bid", z, weights[at + "attn.W_O"]), pattern


def convolve(block, weights, at, h):
    """h [B, T, D] -> [B, T, D]; padded on the left only, so the last tap is the current token."""
    padded = F.pad(h.transpose(1, 2), (block["kernel_size"] - 1, 0))  # [B, D, T + kernel_size - 1]
    groups = h.shape[-1] if block["depthwise"] else 1
    return F.conv1d(padded, weights[at + "conv.W"], weights[at + "conv.b"], groups=groups).transpose(1, 2)


def feed_forward(block, weights, at, h):
    """h [B, T, D] -> [B, T, D]"""
    hidden = h @ weights[at + "mlp.W_in"] + weights[at + "mlp.b_in"]  # [B, T, M]
    hidden = F.gelu(hidden) if block["activation"] == "gelu" else F.relu(hidden)  # gelu with erf
    return hidden @ weights[at + "mlp.W_out"] + weights[at + "mlp.b_out"]


def forward(arch, weights, inputs):
    """inputs [B, T] -> logits [B, T, V], patterns {layer: [B, H, T, T]}"""
    x = weights["embed.W_E"][inputs]  # [B, T, D]
    if arch["positions"] == "learned":
        x = x + weights["pos_embed.W_pos"][: inputs.shape[1]]
    patterns = {}
    for layer, ln, block in layers(arch):
        at = f"blocks.{layer}."
        h = normalise(arch, weights, at + ln, x)
        if block["kind"] == "attention":
            added, patterns[layer] = attend(arch, block, weights, at, h)
        elif block["kind"] == "conv1d":
            added = convolve(block, weights, at, h)
        else:
            added = feed_forward(block, weights, at, h)
        x = x + added
    x = normalise(arch, weights, "ln_final", x)
    W_U = weights["embed.W_E"].T if arch["tied_embeddings"] else weights["unembed.W_U"]  # [D, V]
    return x @ W_U, patterns


def cross_entropy(logits, targets):
    """Mean over all positions of all sequences: logits [B, T, V], targets [B, T]."""
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


# ---------------------------------------------------------------- the reference values


def decays(name):
    return name.rsplit(".", 1)[1].startswith("W")


def reference(arch, weights, tokens, dtype=torch.float64):
    """All tensors of one case, as {name: tensor}; tokens [B, T + 1]."""
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    live = {name: value.to(dtype).clone().requires_grad_() for name, value in weights.items()}
    logits, patterns = forward(arch, live, inputs)
    loss = cross_entropy(logits, targets)
    loss.backward()
    found = {f"weights/{name}": value.detach().clone() for name, value in live.items()}
    found |= {f"grads/{name}": value.grad.clone() for name, value in live.items()}
    found |= {f"patterns/{layer}": pattern for layer, pattern in patterns.items()}
    found |= {"logits": logits, "loss": loss[None]}

    groups = [{"params": [v for n, v in live.items() if decays(n)], "weight_decay": WEIGHT_DECAY},
              {"params": [v for n, v in live.items() if not decays(n)], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=BETAS, eps=EPS)
    losses, norms = [], []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = cross_entropy(forward(arch, live, inputs)[0], targets)
        loss.backward()
        # gradients times min(1, CLIP_NORM / (norm + 1e-6)); returns the norm before
        norms.append(torch.nn.utils.clip_grad_norm_(live.values(), CLIP_NORM))
        losses.append(loss)
        optimizer.step()
    found |= {"losses": torch.stack(losses), "grad_norms": torch.stack(norms)}
    found |= {f"after/{name}": value for name, value in live.items()}
    return {name: value.detach() for name, value in found.items()}


def make(case):
    arch = CASES[case]
    rng = np.random.default_rng(zlib.crc32(case.encode()))  # each case has its own stream
    tokens = torch.from_numpy(rng.integers(0, D_VOCAB, (BATCH, arch["n_ctx"] + 1)))  # [B, T + 1], int64
    return arch, random_weights(arch, rng), tokens


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--noise", action="store_true", help="only print how far float32 strays from float64")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    options.out.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        arch, weights, tokens = make(case)
        found = reference(arch, weights, tokens)
        if options.noise:
            single, worst = reference(arch, weights, tokens, torch.float32), {}
            for name, value in found.items():
                kind = name.split("/")[0]
                worst[kind] = max(worst.get(kind, 0.0), (single[name] - value).abs().max().item())
            print(f"{case:20}", *(f"{kind} {gap:.1e}" for kind, gap in worst.items() if kind != "weights"))
            continue
        dead = [name for name, value in found.items() if name.startswith("grads/") and not value.any()]
        assert not dead, f"{case}: parameters without a gradient: {dead}"
        text = to_toml(arch)
        assert tomllib.loads(text)["architecture"] == arch
        (options.out / f"{case}.toml").write_text(text)
        stored = {name: np.ascontiguousarray(value.numpy().astype(np.float32)) for name, value in found.items()}
        path = options.out / f"{case}.safetensors"
        save_file(stored | {"tokens": tokens.numpy()}, path)
        path.chmod(0o644)
        print(f"{case:20} loss {found['losses'][0]:.4f} -> {found['losses'][-1]:.4f}, "
              f"gradient norm {found['grad_norms'].min():.3f} to {found['grad_norms'].max():.3f}")
    if not options.noise:
        versions = dict(python=platform.python_version(), torch=torch.__version__, numpy=np.__version__,
                        safetensors=safetensors.__version__)
        rows = "".join(f"| {name} | {version} |\n" for name, version in versions.items())
        (options.out / "VERSIONS.md").write_text(
            "The reference files here were made by `make_reference.py` with:\n\n| | version |\n|---|---|\n" + rows)


if __name__ == "__main__":
    main()
