"""What TransformerLens says of a trained model's heads: writes trained/transformer_lens.json.

    python make_trained.py

Loads trained/model.safetensors, as it is, into HookedTransformer (attention -> attention, shortformer
positions). Diagonal prefix matching is taken from its attention patterns on the sequences [BOS, s, s] that
the file holds; then the norms' gains and centring are folded into the weights (fold_ln, nothing else), and
the positivity of OV eigenvalues and Q-, K- and V-composition are computed by FactoredMatrix.
tests/circuits_reference.rs compares. The numbers of composition are plain ratios, without a baseline.
"""

import json
import platform
import tomllib
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformer_lens import HookedTransformer

from check_transformer_lens import MAY_BE_MISSING, config, diagonal, repeated, seen

HERE = Path(__file__).parent / "trained"
SEQUENCES = 8


def rounded(values):
    """Nested lists with as many digits as the comparison needs."""
    return [rounded(v) for v in values] if isinstance(values, list) else round(values, 6)


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    architecture = {"positions": "shortformer", "normalization": "layer", "tied_embeddings": False,
                    **tomllib.loads((HERE / "spec.toml").read_text())["architecture"]}
    tensors = load_file(HERE / "model.safetensors")
    model = HookedTransformer(config(architecture, tensors, torch.float64)).eval()
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    assert not unexpected and all(MAY_BE_MISSING.search(name) for name in missing), (missing, unexpected)

    generator = torch.Generator().manual_seed(0)
    drawn = [repeated(model.cfg, generator) for _ in range(SEQUENCES)]
    prefix_matching = torch.stack([diagonal(seen(model, s)[1], period) for s, period in drawn]).mean(0)

    model.process_weights_(fold_ln=True, center_writing_weights=False, center_unembed=False,
                           refactor_factored_attn_matrices=False)
    eigenvalues = (model.W_E @ model.OV @ model.W_U).eigenvalues  # [n_layers, n_heads, d_head]
    positivity = eigenvalues.real.sum(-1) / eigenvalues.abs().sum(-1)
    composition = {term: model.all_composition_scores(term) for term in "QKV"}  # [layer, head, later layer, head]
    said = {
        "versions": {"python": platform.python_version(),
                     **{name: version(name) for name in ["transformer_lens", "torch"]}},
        "sequences": [s.tolist() for s, _ in drawn],
        "prefix_matching": rounded(prefix_matching.tolist()),
        "positivity": rounded(positivity.tolist()),
        "composition": {term: rounded(scores.tolist()) for term, scores in composition.items()},
    }
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in said.items())
    (HERE / "transformer_lens.json").write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main()
