"""Are the conventions of make_reference.py those of TransformerLens?

    python check_conventions.py

Random models are written as checkpoints, loaded by check_transformer_lens.py and compared in float64:
logits, patterns, gradients. What TransformerLens lacks (smeared keys, relative bias) is put in through
its hooks; the convolution is compared with a sum written out. Last, check_transformer_lens.py itself is
run from end to end on such a run, this script standing in for `indhead inspect`, once true and once off
by a little, which it must notice. Exit 0 if all agree.
"""

import json
import shlex
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformer_lens import HookedTransformer, HookedTransformerConfig

import check_transformer_lens as lens
import make_reference as ours

TOLERANCE = 1e-10  # float64 on both sides
V = 17


def stack(positions, depth=2, n_ctx=12, d_model=8, normalization="layer", tied=False, **attention):
    blocks = [ours.attention(**attention) for _ in range(depth)]
    arch = ours.architecture(positions, *blocks, normalization=normalization, tied_embeddings=tied)
    return arch | dict(n_ctx=n_ctx, d_model=d_model)


LOADED = {
    "learned": stack("learned"),
    "learned, one block": stack("learned", depth=1),
    "learned, 3 heads of 5": stack("learned", n_heads=3, d_head=5),
    "shortformer": stack("shortformer"),
    "shortformer, 4 blocks": stack("shortformer", depth=4, n_ctx=40, d_model=24, n_heads=3, d_head=8),
    "rotary": stack("rotary"),
    "rotary, heads of 6": stack("rotary", d_head=6),
    "rotary, longer": stack("rotary", n_ctx=100, d_model=16, d_head=8),
    "learned, rms": stack("learned", normalization="rms"),
    "learned, no norm, tied": stack("learned", normalization="none", tied=True),
}


def write_run(folder, arch, weights):
    at = folder / "checkpoints" / "00000500"
    at.mkdir(parents=True)
    (folder / "plan.toml").write_text(ours.to_toml(arch, V))
    save_file({name: value.float() for name, value in weights.items()}, at / "model.safetensors")


def compare(model, arch, weights, tokens, hooks=()):
    """Largest differences in logits, patterns and (relative to each tensor's largest) gradients."""
    live = {name: value.clone().requires_grad_() for name, value in weights.items()}
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    logits, patterns = ours.forward(arch, live, inputs)
    ours.cross_entropy(logits, targets).backward()

    kept = {}

    def keep(pattern, hook):
        kept[hook.layer()] = pattern.detach()

    theirs = model.run_with_hooks(inputs, fwd_hooks=[*hooks, (lambda name: name.endswith("hook_pattern"), keep)])
    ours.cross_entropy(theirs, targets).backward()
    gradients = {name: value.grad for name, value in model.named_parameters()}
    if arch["tied_embeddings"]:
        gradients["embed.W_E"] = gradients["embed.W_E"] + gradients["unembed.W_U"].T
    gaps = dict(
        logits=[logits - theirs],
        patterns=[patterns[layer] - kept[layer] for layer in patterns],
        gradients=[(value.grad - gradients[name]) / value.grad.abs().max()
                   for name, value in live.items() if name in gradients])
    # torch's max, not Python's: a NaN must come through
    return {part: torch.cat([gap.flatten() for gap in found]).abs().max().item() for part, found in gaps.items()}


def check_loaded(arch, rng, folder):
    weights = ours.random_weights(arch, rng, V)
    write_run(folder, arch, weights)
    model, _ = lens.load(folder, dtype=torch.float64)
    tokens = torch.from_numpy(rng.integers(0, V, (4, arch["n_ctx"] + 1)))
    return compare(model, arch, weights, tokens)


def check_mlp(rng):
    """Blocks of attention and mlp, which TransformerLens counts as one layer each."""
    arch = ours.architecture("learned", *[ours.attention(), ours.mlp("gelu")] * 2)
    weights = ours.random_weights(arch, rng, V)
    model = HookedTransformer(HookedTransformerConfig(
        n_layers=2, n_heads=2, d_model=8, d_head=4, d_mlp=16, act_fn="gelu", n_ctx=12, d_vocab=V, eps=1e-5,
        normalization_type="LN", device="cpu", dtype=torch.float64))
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert not unexpected and all(lens.MAY_BE_MISSING.search(name) for name in missing)
    return compare(model, arch, weights, torch.from_numpy(rng.integers(0, V, (4, 13))))


def check_hooked(rng, folder, own):
    """Smeared keys (before the rotation) or a relative bias (after the scaling), through hooks."""
    arch = stack("rotary", smeared_keys=True) if own == "smear" else stack("relative_bias")
    weights = ours.random_weights(arch, rng, V)
    plain = arch | dict(positions="rotary" if own == "smear" else "learned",
                        blocks=[block | dict(smeared_keys=False) for block in arch["blocks"]])
    given = {name: value for name, value in weights.items() if not name.endswith(("smear", "rel_bias"))}
    if own == "rel_bias":
        given["pos_embed.W_pos"] = torch.zeros(12, 8)
    write_run(folder, plain, given)
    model, _ = lens.load(folder, dtype=torch.float64)

    def smear(k, hook):  # [B, T, H, K]
        share = torch.sigmoid(weights[f"blocks.{hook.layer()}.attn.smear"])
        out = k.clone()
        for t in range(1, k.shape[1]):
            for h in range(k.shape[2]):
                out[:, t, h] = share[h] * k[:, t, h] + (1 - share[h]) * k[:, t - 1, h]
        return out

    def bias(scores, hook):  # [B, H, T, T]
        out = scores.clone()
        for i in range(scores.shape[2]):
            for j in range(i + 1):
                out[:, :, i, j] += weights[f"blocks.{hook.layer()}.attn.rel_bias"][:, i - j]
        return out

    point, hook = ("hook_k", smear) if own == "smear" else ("hook_attn_scores", bias)
    hooks = [(f"blocks.{layer}.attn.{point}", hook) for layer in range(2)]
    return compare(model, arch, weights, torch.from_numpy(rng.integers(0, V, (4, 13))), hooks)


def check_convolution(rng, depthwise, D=5, T=7, taps=3):
    """y[t, o] = b[o] + sum over i, s of W[o, i, s] x[t - (taps - 1) + s, i]; depthwise: i = o alone."""
    W = torch.from_numpy(rng.standard_normal((D, 1 if depthwise else D, taps)))
    x, b = torch.from_numpy(rng.standard_normal((T, D))), torch.from_numpy(rng.standard_normal(D))
    y = b.repeat(T, 1)
    for t, o, i, s in np.ndindex(T, D, W.shape[1], taps):
        back = taps - 1 - s
        if t >= back:
            y[t, o] += W[o, i, s] * x[t - back, o if depthwise else i]
    block = dict(kernel_size=taps, depthwise=depthwise)
    return dict(output=(ours.convolve(block, {"conv.W": W, "conv.b": b}, "", x[None])[0] - y).abs().max().item())


def stand_in(off, run, tokens):
    """What `indhead inspect RUN --tokens … --json` should say; `off` is added to one loss."""
    run = Path(run)
    arch = tomllib.loads((run / "plan.toml").read_text())["architecture"]
    weights = load_file(lens.checkpoint(run) / "model.safetensors")
    ids = [int(token) for token in tokens.split(",")]
    logits, patterns = ours.forward(arch, weights, torch.tensor([ids]))  # float32, as indhead
    losses = -logits[0, :-1].log_softmax(-1)[range(len(ids) - 1), ids[1:]]
    losses[-1] += float(off)
    print(json.dumps({
        "tokens": ids, "strings": [str(token) for token in ids], "losses": [None, *losses.tolist()],
        "patterns": {f"{l}.{h}": p[0, h].tolist() for l, p in patterns.items() for h in range(p.shape[1])}}))


def check_end_to_end(rng, folder):
    arch = LOADED["rotary, longer"]
    run, script = folder / "run", folder / "indhead"
    write_run(run, arch, ours.random_weights(arch, rng, V))
    for off, expected in [(0.0, 0), (1e-3, 1)]:
        script.write_text("#!/bin/sh\n" + shlex.join([sys.executable, str(Path(__file__).resolve()), "--inspect", str(off)])
                          + ' "$@"\n')
        script.chmod(0o755)
        done = subprocess.run([sys.executable, Path(lens.__file__).resolve(), run, script, "--step", "500"],
                              stdout=subprocess.PIPE, text=True)
        print(f"\ncheck_transformer_lens.py, one loss off by {off}: exit {done.returncode}\n{done.stdout}")
        if done.returncode != expected:
            sys.exit("it should have been " + str(expected))


def main():
    torch.set_num_threads(1)
    rng, failed = np.random.default_rng(0), []

    def show(name, gaps):
        print(f"{name:24}", *(f"{part} {gap:.1e}" for part, gap in gaps.items()))
        if not all(gap <= TOLERANCE for gap in gaps.values()):
            failed.append(name)

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for number, (name, arch) in enumerate(LOADED.items()):
            show(name, check_loaded(arch, rng, folder / str(number)))
        show("attention, mlp, twice", check_mlp(rng))
        show("smeared keys, hooked", check_hooked(rng, folder / "smear", "smear"))
        show("relative bias, hooked", check_hooked(rng, folder / "bias", "rel_bias"))
        show("convolution", check_convolution(rng, depthwise=False))
        show("convolution, depthwise", check_convolution(rng, depthwise=True))
        check_end_to_end(rng, folder)
    if failed:
        sys.exit(f"disagree: {failed}")
    print("all agree")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inspect"]:  # --inspect OFF inspect RUN --checkpoint STEP --tokens IDS --json
        stand_in(sys.argv[2], sys.argv[4], sys.argv[sys.argv.index("--tokens") + 1])
    else:
        main()
