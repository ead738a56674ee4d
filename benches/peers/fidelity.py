"""How near quantised weights are to the originals: Formwork's formats beside llama.cpp's, on the same weights.

    python fidelity.py --formwork FORMWORK --spec SPEC --weights FOLDER [--files Q8_0,Q4_0,Q4_K_M] [--tokens 256]

FOLDER holds `model.safetensors` and what `quantize.sh` made of it. For each format: bits a weight, the relative root mean square
error of all matrices, and the KL divergence of the logits from those of the original weights on ids from all over the vocabulary:
with the numbers that the matrices stand for, computed in f32 on both sides and with the original embeddings, so that neither kernels
nor llama.cpp's quantised embeddings play a part; and once more as Formwork runs the file, with all of it and inputs of products in 8
bits. A model whose head is its embedding has no original embedding in a GGUF file: there both figures are of the whole file. Needs
numpy, safetensors and gguf.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file, save_file

from weights import gguf_name


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--formwork", required=True)
    parser.add_argument("--spec", required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--files", default="Q8_0,Q4_0,Q4_K_M")
    parser.add_argument("--tokens", type=int, default=256)
    return parser.parse_args()


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


def log_softmax(x):
    x = x.astype(np.float64)
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


class Judge:
    """Logits of the original weights, and how far others are from them."""

    def __init__(self, o, folder):
        self.o, self.folder, self.ids = o, folder, folder / "ids.safetensors"
        self.weights = load_file(o.weights / "model.safetensors")
        vocab = self.weights["model.embed_tokens.weight"].shape[0]
        ids = np.arange(1, o.tokens + 1, dtype=np.int64) * 2654435761 % vocab
        save_file({"input_ids": ids[None]}, self.ids)
        self.reference = log_softmax(self.logits(o.weights / "model.safetensors", "--hold", "packed"))

    def logits(self, weights, *how):
        out = self.folder / "out.safetensors"
        run(self.o.formwork, "forward", self.o.spec, "--weights", weights, "--input", self.ids, "--output", out, *how)
        return load_file(out)["logits"][0]

    def divergence(self, weights, *how):
        other = log_softmax(self.logits(weights, *how))
        return float((np.exp(self.reference) * (self.reference - other)).sum(-1).mean())


def ours(o, judge, form):
    small = judge.folder / form
    report = json.loads(run(o.formwork, "quantize", o.spec, "--weights", o.weights / "model.safetensors", "--dtype", form, "-o", small, "--json"))
    matrices = [tensor for tensor in report["tensors"] if tensor["format"]]
    count = sum(np.prod(tensor["shape"]) for tensor in matrices)
    bits = sum(np.prod(tensor["shape"]) * (8.5 if tensor["format"] == "q8" else 4.5) for tensor in matrices) / count
    file = small / "model.safetensors"
    return bits, report["relative_rms"], judge.divergence(file, "--dtype", "f32"), judge.divergence(file)


def theirs(o, judge, name, config):
    path = o.weights / f"{name}.gguf"
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config.get("num_key_value_heads") or config["num_attention_heads"]}
    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    squares = total = bits = count = 0
    plain = dict(judge.weights)
    for key, original in judge.weights.items():
        tensor = stored.get(gguf_name(key))
        if original.ndim < 2 or "embed_tokens" in key or tensor is None:
            continue
        found = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        for part, n in heads.items():
            found = halves(found, n) if part in key else found
        plain[key] = found
        squares += float(((original - found).astype(np.float64) ** 2).sum())
        total += float((original.astype(np.float64) ** 2).sum())
        bits, count = bits + 8 * tensor.n_bytes, count + original.size
    alone = path
    if "lm_head.weight" in plain:
        alone = judge.folder / "plain.safetensors"
        save_file(plain, alone)
    return bits / count, (squares / total) ** 0.5, judge.divergence(alone, "--dtype", "f32"), judge.divergence(path, "--hold", "packed")


def halves(matrix, heads):
    """The reverse of `interleaved`."""
    rows, columns = matrix.shape
    return np.ascontiguousarray(matrix.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns))


def main():
    o = arguments()
    config = json.loads((o.weights / "config.json").read_text())
    print("| weights | bits a weight | relative error | KL of the matrices alone | KL of the file as Formwork runs it |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=o.weights) as folder:
        judge = Judge(o, Path(folder))
        rows = [(f"formwork {form}", lambda form=form: ours(o, judge, form)) for form in ("q8", "q4")]
        names = [name for name in o.files.split(",") if (o.weights / f"{name}.gguf").exists()]
        rows += [(f"llama.cpp {name}", lambda name=name: theirs(o, judge, name, config)) for name in names]
        for title, row in rows:
            bits, error, alone, run_so = row()
            print(f"| {title} | {bits:.2f} | {error:.5f} | {alone:.2e} | {run_so:.2e} |", flush=True)


if __name__ == "__main__":
    main()
