"""An encoder beside its peers: texts per second, side by side, with random weights; of equal lengths, or with --mixed of lengths that
are spread evenly up to those listed, which torch and sentence-transformers pad.

    python encoders.py --formwork FORMWORK [--spec specs/models/minilm-l6-v2.toml] [--candle CANDLE_ENCODER] [--rounds 3]

Rounds are interleaved: each runs every system on every size; cells are medians with the least and the greatest. Peers are in f32.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import torch
from run import cell
from transformers import BertConfig, BertModel

# The sizes of `specs/models/minilm-l6-v2.toml`.
CONFIG = BertConfig(
    vocab_size=30522, hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--formwork", required=True)
    parser.add_argument("--spec", default="specs/models/minilm-l6-v2.toml")
    parser.add_argument("--candle", help="the program `candle-encoder` of benches/peers/candle")
    parser.add_argument("--sentence-transformers", metavar="FOLDER", help="its model of these sizes, which reads words")
    parser.add_argument("--lengths", default="16,64,256")
    parser.add_argument("--batches", default="1,8,32")
    parser.add_argument("--mixed", action="store_true", help="lengths that differ")
    parser.add_argument("--dtype", default="f32", help="format of Formwork: f32, bf16, q8, q4z, q4")
    parser.add_argument("--precision", default="full", help="of products: full, or bf16")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def formwork(o):
    """Texts per second by length and batch."""
    command = [o.formwork, "bench", o.spec, "--pp", o.lengths, "--tg", "0", "--batch", o.batches, "--dtype", o.dtype]
    command += ["--precision", o.precision, "--threads", str(o.threads), "--repeat", "5", "--json"]
    command += ["--mixed"] if o.mixed else []
    report = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    rate = lambda test: test["batch"] / test["seconds"]["median"]
    return {(test["tokens"], test["batch"]): rate(test) for test in report["tests"]}


def spread(length, batch, mixed):
    """The lengths of texts side by side."""
    return [-(-length * at // batch) for at in range(1, batch + 1)] if mixed else [length] * batch


def pytorch(model, lengths, batches, mixed):
    return {(length, batch): texts_per_second(model, spread(length, batch, mixed)) for length in lengths for batch in batches}


def texts_per_second(model, lengths):
    batch, longest = len(lengths), max(lengths)
    ids = torch.randint(0, CONFIG.vocab_size, (batch, longest), generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(longest) < torch.tensor(lengths)[:, None]).long() if min(lengths) < longest else None
    return batch / seconds(lambda: model(ids, attention_mask=mask))


def seconds(run):
    """The median of five runs after one that is not counted."""
    run()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def sentences(model, lengths, batches, mixed):
    """From text to vectors: two of the tokens stand around the words."""
    text = lambda length: " ".join(["the"] * (length - 2))
    run = lambda length, batch: model.encode([text(n) for n in spread(length, batch, mixed)], batch_size=batch)
    return {(length, batch): batch / seconds(lambda: run(length, batch)) for length in lengths for batch in batches}


def candle(o, lengths, batches):
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.json")
        config.write_text(CONFIG.to_json_string(use_diff=False))
        environment = os.environ | {"RAYON_NUM_THREADS": str(o.threads)}
        command = [o.candle, o.lengths, o.batches, config]
        rates = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)
    return {(length, batch): rates[f"{length}x{batch}"] for length in lengths for batch in batches}


def main():
    o = arguments()
    torch.set_num_threads(o.threads)
    model = BertModel(CONFIG, add_pooling_layer=False).eval()
    lengths, batches = ([int(n) for n in text.split(",")] for text in (o.lengths, o.batches))
    peers = {"torch": lambda: pytorch(model, lengths, batches, o.mixed)}
    if o.sentence_transformers:
        from sentence_transformers import SentenceTransformer

        whole = SentenceTransformer(o.sentence_transformers, device="cpu")
        peers["sentence-transformers"] = lambda: sentences(whole, lengths, batches, o.mixed)
    if o.candle and not o.mixed:
        peers["candle"] = lambda: candle(o, lengths, batches)
    rounds = []
    with torch.inference_mode():
        for _ in range(o.rounds):
            rounds.append((formwork(o), [run() for run in peers.values()]))
    columns = "".join(f" {name} | ratio |" for name in peers)
    print(f"| tokens | side by side | formwork {o.dtype} texts/s |{columns}\n|{'---|' * (3 + 2 * len(peers))}")
    for length in lengths:
        for batch in batches:
            ours = [of[length, batch] for of, _ in rounds]
            cells = [str(length), str(batch), cell(ours)]
            for at in range(len(peers)):
                theirs = [of[at][length, batch] for _, of in rounds]
                ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
                cells += [cell(theirs), f"{ratio:.2f}"]
            print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
