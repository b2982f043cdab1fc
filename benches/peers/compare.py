"""`indhead bench` and PyTorch on the same specs, in turn, and the medians of their ratios.

    pip install torch numpy
    python benches/peers/compare.py [--pairs 5] [--compile] [--indhead target/release/indhead] [SPEC…]
        [--device cuda] [--precision f32|tf32|bf16] [--batch SEQUENCES]

Without specs, those in specs/bench. The two run one after the other, pair by pair, so that a change of the
machine's speed meets both.
"""

import argparse
import glob
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def run(command, **environment):
    """What a command prints as JSON; it has told on stderr why, if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, env={**os.environ, **environment})
    if done.returncode != 0:
        raise SystemExit(f"failed: {' '.join(command)}")
    return json.loads(done.stdout)


def at_least_one(text):
    if int(text) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return int(text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("specs", nargs="*")
    parser.add_argument("--pairs", type=at_least_one, default=5)
    parser.add_argument("--compile", action="store_true", help="with torch.compile instead of eager")
    parser.add_argument("--indhead", default=os.path.join(ROOT, "target/release/indhead"))
    parser.add_argument("--threads", type=at_least_one, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=["f32", "tf32", "bf16"], default="f32")
    parser.add_argument("--batch", type=at_least_one, help="sequences a step, instead of the specs'")
    arguments = parser.parse_args()
    threads = str(arguments.threads)
    memory = "max_rss_mib" if arguments.device == "cpu" else "card_mib"
    theirs = ["--device", arguments.device, "--precision", arguments.precision, "--threads", threads]
    ours_too = ["--device", arguments.device, "--set", f"training.precision={arguments.precision}"]
    if arguments.batch:
        theirs += ["--batch", str(arguments.batch)]
        ours_too += ["--set", f"training.batch_size={arguments.batch}"]
    specs = arguments.specs or sorted(glob.glob(os.path.join(ROOT, "specs/bench/*.toml")), key=size)
    print(f"{'':<24}{'tokens/s':>10}{'PyTorch':>10}{'ratio':>7}{'(of pairs)':>14}{'utilised':>10}{'MiB':>7}{'PyTorch':>9}")
    for spec in specs:
        ours, peers = [], []
        for _ in range(arguments.pairs):
            peer = [sys.executable, os.path.join(HERE, "torch_peer.py"), spec, *theirs]
            peers.append(run(peer + ["--compile"] * arguments.compile))
            ours.append(run([arguments.indhead, "bench", spec, "--json", *ours_too], RAYON_NUM_THREADS=threads))
        ratios = [a["tokens_per_second"] / b["tokens_per_second"] for a, b in zip(ours, peers)]
        median = lambda values, key: statistics.median(value[key] for value in values)
        print(
            f"{os.path.basename(spec)[:-5]:<24}{median(ours, 'tokens_per_second'):>10.0f}"
            f"{median(peers, 'tokens_per_second'):>10.0f}{statistics.median(ratios):>7.2f}"
            f"{f'{min(ratios):.2f}–{max(ratios):.2f}':>14}{median(ours, 'utilisation'):>10.2f}"
            f"{median(ours, memory):>7.0f}{median(peers, memory):>9.0f}",
            flush=True,
        )


def size(spec):
    names = ["small", "medium", "paper"]
    return next((i for i, name in enumerate(names) if name in spec), len(names)), spec


main()
