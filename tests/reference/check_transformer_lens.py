"""Does a trained run mean the same in TransformerLens as in indhead?

    python check_transformer_lens.py RUN_DIR INDHEAD_BINARY [--step STEP]

Loads RUN_DIR/checkpoints/<step>/model.safetensors into HookedTransformer, as it is, and compares losses
and attention patterns with what `indhead inspect` says of the same tokens, within 2e-4. Then prints the
diagonal prefix-matching score of every head, as TransformerLens sees it. For runs of attention blocks
alone, all of one size, with learned, shortformer or rotary positions. Exit: 0 agree, 1 differ, 2 cannot.
"""

import argparse
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformer_lens import HookedTransformer, HookedTransformerConfig

TOLERANCE = 2e-4
BOS, SEQUENCES, PERIOD = 0, 10, 50
POSITIONS = {"learned": "standard", "shortformer": "shortformer", "rotary": "rotary"}
NORMALIZATIONS = {"layer": "LN", "rms": "RMS", "none": None}
# What TransformerLens has and a checkpoint need not: biases (zero), masks, tables of angles.
MAY_BE_MISSING = re.compile(r"\.(b_[QKVOU]|mask|IGNORE|rotary_sin|rotary_cos)$")


def refuse(reason):
    print(f"cannot compare: {reason}", file=sys.stderr)
    sys.exit(2)


def checkpoint(run, step=None):
    """The folder of one checkpoint; the last one where no step is given."""
    folders = sorted((f for f in (run / "checkpoints").iterdir() if f.name.isdigit()), key=lambda f: int(f.name))
    chosen = [f for f in folders if step is None or int(f.name) == step]
    return chosen[-1] if chosen else refuse(f"no such checkpoint; there are {[f.name for f in folders]}")


def config(arch, tensors, dtype=torch.float32):
    """The HookedTransformerConfig of an architecture table; sizes come from the tensors."""
    for block in arch["blocks"]:
        if block["kind"] != "attention" or block.get("smeared_keys"):
            refuse("TransformerLens has no counterpart of " + ("smeared keys" if block.get("smeared_keys") else block["kind"]))
        own = block.get("positions", arch["positions"])
        if own != arch["positions"] and (arch["positions"], own) != ("learned", "none"):
            refuse(f"a block has positions of its own: {own}")
    if arch["positions"] not in POSITIONS:
        refuse(f"TransformerLens has no counterpart of positions = \"{arch['positions']}\"")
    sizes = {tuple(value.shape) for name, value in tensors.items() if name.endswith("attn.W_Q")}
    if len(sizes) != 1:
        refuse(f"the blocks differ in size: {sizes}")
    n_heads, d_model, d_head = sizes.pop()
    return HookedTransformerConfig(
        n_layers=len(arch["blocks"]), n_heads=n_heads, d_model=d_model, d_head=d_head, n_ctx=arch["n_ctx"],
        d_vocab=tensors["embed.W_E"].shape[0], attn_only=True, positional_embedding_type=POSITIONS[arch["positions"]],
        normalization_type=NORMALIZATIONS[arch["normalization"]], eps=1e-5, device="cpu", dtype=dtype)


def load(run, step=None, dtype=torch.float32):
    """The HookedTransformer of a run's checkpoint, and the checkpoint's folder."""
    arch = tomllib.loads((run / "plan.toml").read_text())["architecture"]
    folder = checkpoint(run, step)
    tensors = load_file(folder / "model.safetensors")
    model = HookedTransformer(config(arch, tensors, dtype))
    if arch["tied_embeddings"]:  # stored once; TransformerLens holds both
        tensors["unembed.W_U"] = tensors["embed.W_E"].T.contiguous()
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    missing = [name for name in missing if not MAY_BE_MISSING.search(name)]
    if missing or unexpected:
        print(f"missing: {missing}\nunexpected: {list(unexpected)}", file=sys.stderr)
        sys.exit(1)
    biases = [name for name, value in model.named_parameters() if name not in tensors and value.any()]
    assert not biases, f"biases that are not zero: {biases}"
    return model.eval(), folder


def repeated(cfg, generator):
    """[BOS, s, s], s distinct tokens other than BOS: [1 + 2 P], and P."""
    period = min(PERIOD, (cfg.n_ctx - 1) // 2, cfg.d_vocab - 1)
    others = torch.tensor([token for token in range(cfg.d_vocab) if token != BOS])
    s = others[torch.randperm(len(others), generator=generator)[:period]]
    return torch.cat([torch.tensor([BOS]), s, s]), period


def diagonal(pattern, period):
    """pattern [..., T, T] of [BOS, s, s] -> mean over the queries of the second s of the attention on
    the one position after the previous occurrence of the query's token."""
    queries = torch.arange(period + 1, 2 * period + 1)
    return pattern[..., queries, queries - period + 1].mean(-1)


@torch.no_grad()
def seen(model, tokens):
    """tokens [T] -> losses [T - 1] of tokens 1 and on, patterns [n_layers, n_heads, T, T]"""
    losses, cache = model.run_with_cache(tokens[None], return_type="loss", loss_per_token=True)
    return losses[0], torch.stack([cache["pattern", layer][0] for layer in range(model.cfg.n_layers)])


def inspect(binary, run, folder, tokens):
    """The same of indhead."""
    listed = ",".join(map(str, tokens.tolist()))
    command = [binary, "inspect", run, "--checkpoint", str(int(folder.name)), "--tokens", listed, "--json"]
    said = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    assert said["tokens"] == tokens.tolist(), "indhead looked at other tokens"
    assert len(said["losses"]) == len(tokens) and said["losses"][0] is None, "the first token has no loss"
    patterns = {name: torch.tensor(rows) for name, rows in said["patterns"].items()}  # "layer.head": [T, T]
    return torch.tensor(said["losses"][1:]), patterns


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("indhead_binary")
    parser.add_argument("--step", type=int)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model, folder = load(options.run_dir, options.step)
    cfg, generator = model.cfg, torch.Generator().manual_seed(0)
    print(f"TransformerLens {version('transformer_lens')}, torch {torch.__version__}; {folder}")

    # Two texts: one that repeats, so that induction shows, and one of random tokens that fills the context.
    texts = [repeated(cfg, generator)[0], torch.randint(cfg.d_vocab, (cfg.n_ctx,), generator=generator)]
    largest = {"losses": 0.0, "patterns": 0.0}
    for tokens in texts:
        losses, patterns = seen(model, tokens)
        its_losses, its_patterns = inspect(options.indhead_binary, options.run_dir, folder, tokens)
        named = {f"{l}.{h}": patterns[l, h] for l in range(cfg.n_layers) for h in range(cfg.n_heads)}
        assert named.keys() == its_patterns.keys(), f"patterns of other heads: {sorted(its_patterns)}"
        gaps = {"losses": [(losses - its_losses).abs().max()],
                "patterns": [(named[name] - its_patterns[name]).abs().max() for name in named]}
        for part, found in gaps.items():
            largest[part] = torch.stack([torch.tensor(largest[part]), *found]).max().item()  # NaN stays NaN
    agree = all(gap <= TOLERANCE for gap in largest.values())
    for part, gap in largest.items():
        print(f"largest difference in {part}: {gap:.2e} (allowed {TOLERANCE:.0e})")

    scores, period = [], 0
    for _ in range(SEQUENCES):
        tokens, period = repeated(cfg, generator)
        scores.append(diagonal(seen(model, tokens)[1], period))  # [n_layers, n_heads]
    scores = torch.stack(scores).mean(0)
    print(f"diagonal prefix matching, {SEQUENCES} sequences of [BOS, s, s] with {period} distinct tokens in s:")
    for layer in range(cfg.n_layers):
        print(*(f"  {layer}.{head} {scores[layer, head]:.4f}" for head in range(cfg.n_heads)))
    print("agree" if agree else "DIFFER")
    sys.exit(0 if agree else 1)


if __name__ == "__main__":
    main()
