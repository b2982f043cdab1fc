"""The model of an `indhead` spec in PyTorch, at its best: how many tokens a second it trains on.

    python benches/peers/torch_peer.py specs/bench/small_conv_attn.toml [--compile] [--seconds 5] [--threads 2]
        [--device cuda] [--precision f32|tf32|bf16] [--batch SEQUENCES]

Packages from PyPI: torch, numpy. Reads attention and full conv1d blocks with learned positions or none.
The convolution is one matrix product over shifted inputs, attention is scaled_dot_product_attention, the optimizer
is fused AdamW with clipping by the global norm; f32 throughout, but on a GPU matrix products in TF32 or, by autocast,
bf16. Prints JSON.
"""

import argparse
import json
import resource
import statistics
import time
import tomllib

import torch
import torch.nn as nn
import torch.nn.functional as F


# What this peer can be told; anything else would be another model.
KNOWN = {
    "": {"name", "description", "seed", "architecture", "tokenizer", "dataset", "training", "analyses", "verdict", "report"},
    "architecture": {"d_model", "n_ctx", "positions", "blocks"},
    "conv1d": {"kind", "kernel_size"},
    "attention": {"kind", "n_heads"},
}


def check(table, where):
    unknown = sorted(table.keys() - KNOWN[where])
    if unknown:
        raise SystemExit(f"this peer does not know {', '.join(unknown)} in {where or 'the spec'}")


class Conv(nn.Module):
    def __init__(self, d_model, kernel_size):
        super().__init__()
        self.kernel_size = kernel_size
        self.norm = nn.LayerNorm(d_model)
        self.map = nn.Linear(kernel_size * d_model, d_model)

    def forward(self, x):
        # [batch, position, d_model], earlier tokens beside later ones
        n = self.norm(x)
        shifted = [F.pad(n, (0, 0, k, 0))[:, : n.shape[1]] for k in range(self.kernel_size)]
        return x + self.map(torch.cat(shifted, dim=-1))


class Attention(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.norm = nn.LayerNorm(d_model)
        self.qkv = nn.Linear(d_model, 3 * d_model, bias=False)
        self.out = nn.Linear(d_model, d_model, bias=False)

    def forward(self, x):
        batch, position, d_model = x.shape
        qkv = self.qkv(self.norm(x)).view(batch, position, 3, self.n_heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # [batch, head, position, d_head]
        z = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return x + self.out(z.transpose(1, 2).reshape(batch, position, d_model))


class Model(nn.Module):
    def __init__(self, spec):
        super().__init__()
        a, d_vocab = spec["architecture"], spec["tokenizer"].get("d_vocab")
        check(spec, "")
        check(a, "architecture")
        if d_vocab is None or any(block["kind"] not in KNOWN for block in a["blocks"]):
            raise SystemExit("this peer knows attention and conv1d blocks and a tokenizer with d_vocab")
        for block in a["blocks"]:
            check(block, block["kind"])
        d_model = a["d_model"]
        self.embed = nn.Embedding(d_vocab, d_model)
        self.positions = None
        if a.get("positions") == "learned":
            self.positions = nn.Parameter(torch.randn(a["n_ctx"], d_model) * 0.02)
        elif a.get("positions") != "none":
            raise SystemExit("this peer knows the positions learned and none")
        make = {
            "attention": lambda block: Attention(d_model, block["n_heads"]),
            "conv1d": lambda block: Conv(d_model, block["kernel_size"]),
        }
        self.blocks = nn.ModuleList(make[block["kind"]](block) for block in a["blocks"])
        self.norm = nn.LayerNorm(d_model)
        self.unembed = nn.Linear(d_model, d_vocab, bias=False)

    def forward(self, tokens, targets):
        x = self.embed(tokens)
        if self.positions is not None:
            x = x + self.positions
        for block in self.blocks:
            x = block(x)
        return F.cross_entropy(self.unembed(self.norm(x)).flatten(0, 1), targets.flatten())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("spec")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=["f32", "tf32", "bf16"], default="f32")
    parser.add_argument("--batch", type=int, help="sequences a step, instead of the spec's")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("highest" if arguments.precision == "f32" else "high")
    rounded = torch.autocast(arguments.device, torch.bfloat16, enabled=arguments.precision == "bf16")
    with open(arguments.spec, "rb") as file:
        spec = tomllib.load(file)
    batch, n_ctx = arguments.batch or spec["training"]["batch_size"], spec["architecture"]["n_ctx"]
    model = Model(spec).to(arguments.device)
    d_vocab = spec["tokenizer"]["d_vocab"]
    run = torch.compile(model) if arguments.compile else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, betas=(0.9, 0.95), weight_decay=0.01, fused=True)

    def step():
        windows = torch.randint(d_vocab, (batch, n_ctx + 1)).to(arguments.device)
        with rounded:
            loss = run(windows[:, :-1], windows[:, 1:])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    for _ in range(3):
        step()
    times, start = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - start < arguments.seconds:
        before = time.perf_counter()
        step()
        times.append(time.perf_counter() - before)
    on_a_card = arguments.device == "cuda"
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps(
            {
                "torch": torch.__version__,
                "compiled": arguments.compile,
                "threads": arguments.threads,
                "step_ms": statistics.median(times) * 1e3,
                "tokens_per_second": batch * n_ctx / statistics.median(times),
                "max_rss_mib": rss,
                "card": torch.cuda.get_device_name() if on_a_card else None,
                "card_mib": torch.cuda.max_memory_reserved() / 2**20 if on_a_card else None,
            }
        )
    )


main()
