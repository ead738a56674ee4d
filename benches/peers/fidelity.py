"""How near quantised weights are to the originals: Formwork's formats beside llama.cpp's, on the same weights.

    python fidelity.py --formwork FORMWORK --llama-quantize LLAMA_QUANTIZE --made FOLDER NAME=CHECKPOINT..

CHECKPOINT is a Hugging Face folder of a Llama or a BERT with one `model.safetensors`. GGUF files are taken from it where it has them
(`quantize.sh` makes them) and else made in FOLDER. Every format's numbers are put into the same torch model in f32, so that only
weights differ. One row a format:

- bits a weight of the matrices: all that are multiplied with, the head among them, embeddings not;
- relative root mean square error of a matrix: the median and the worst;
- output with these matrices and the original embeddings: its relative error, and the KL divergence of the logits in nats or, for an
  encoder, 1 - cosine of the mean of a text's hidden states;
- the last of these for the whole file, embeddings included;
- the same as Formwork computes it from its own file, with inputs of products in 8 bits.

A causal model is asked about texts that it writes itself (torch, temperature 1, seed 0), an encoder about the Apache licence. Needs
numpy, safetensors, gguf, torch and transformers.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer, logging

import encoder_weights
import weights

TEXT = Path(__file__).parents[2] / "LICENSE-APACHE"
TEXTS, TOKENS = 8, 128
HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--formwork", required=True)
    parser.add_argument("--llama-quantize", required=True)
    parser.add_argument("--made", type=Path, required=True)
    parser.add_argument("--ours", default="q8,q6,q4m,q4z,q4", help="formats of Formwork, with commas")
    parser.add_argument("--theirs", default="Q8_0,Q4_0,Q4_K_M", help="formats of llama.cpp, with commas")
    parser.add_argument("checkpoints", nargs="+", help="NAME=CHECKPOINT")
    return parser.parse_args()


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


def relative(found, original):
    return float(np.linalg.norm((found - original).ravel()) / np.linalg.norm(original.ravel()))


class Checkpoint:
    """The original weights and their output, and how far others are from them."""

    def __init__(self, o, name, folder):
        self.o, self.name, self.folder, self.made = o, name, folder, o.made / name
        self.made.mkdir(parents=True, exist_ok=True)
        self.config = json.loads((folder / "config.json").read_text())
        self.encoder = self.config["model_type"] == "bert"
        self.original = load_file(folder / "model.safetensors")
        arch = gguf.MODEL_ARCH.BERT if self.encoder else gguf.MODEL_ARCH.LLAMA
        self.place = encoder_weights.names(arch, self.config["num_hidden_layers"])
        kind = AutoModel if self.encoder else AutoModelForCausalLM
        self.model = kind.from_pretrained(folder, dtype=torch.float32).eval()
        if self.config.get("tie_word_embeddings"):
            # The head is multiplied with and may be quantised where the embedding is not.
            self.original[HEAD] = self.original[EMBEDDING]
            self.model.lm_head.weight = torch.nn.Parameter(self.model.lm_head.weight.clone())
        self.ids = self.licence() if self.encoder else self.written()
        self.reference = self.answer()

    def licence(self):
        tokenizer = AutoTokenizer.from_pretrained(self.folder)
        ids = tokenizer(TEXT.read_text(), add_special_tokens=False)["input_ids"][: TEXTS * (TOKENS - 2)]
        framed = lambda ids: [tokenizer.cls_token_id, *ids, tokenizer.sep_token_id]
        return torch.tensor([framed(ids[at : at + TOKENS - 2]) for at in range(0, len(ids), TOKENS - 2)])

    def written(self):
        torch.manual_seed(0)
        start = torch.ones(TEXTS, 1, dtype=torch.long)
        with torch.inference_mode():
            count = TOKENS - 1
            how = {"do_sample": True, "top_k": 0, "max_new_tokens": count, "min_new_tokens": count}
            return self.model.generate(start, attention_mask=torch.ones_like(start), **how)

    def answer(self):
        with torch.inference_mode():
            output = self.model(self.ids)
        return output.last_hidden_state if self.encoder else output.logits

    def with_numbers(self, numbers):
        """The output with some parameters replaced."""
        places = [(self.model.get_parameter(key), torch.from_numpy(found)) for key, found in numbers.items()]
        kept = [place.detach().clone() for place, _ in places]
        with torch.no_grad():
            for place, found in places:
                place.copy_(found)
            answer = self.answer()
            for (place, _), original in zip(places, kept, strict=True):
                place.copy_(original)
        return answer

    def apart(self, answer):
        """The relative error of an output, and its divergence."""
        error = float((answer - self.reference).norm() / self.reference.norm())
        if self.encoder:
            cosines = torch.cosine_similarity(answer.double().mean(1), self.reference.double().mean(1), dim=-1)
            return error, float((1 - cosines).mean())
        rows = []
        for found, original in zip(answer.double(), self.reference.double(), strict=True):
            p, q = original.log_softmax(-1), found.log_softmax(-1)
            rows.append((p.exp() * (p - q)).sum(-1).mean())
        return error, float(torch.stack(rows).mean())

    def ours(self, form):
        """What `quantize` makes: the matrices' names and bits, all numbers, and what Formwork makes of them."""
        small, spec, weights = self.made / form, self.folder / "config.json", self.folder / "model.safetensors"
        report = json.loads(run(self.o.formwork, "quantize", spec, "--weights", weights, "--dtype", form, "-o", small, "--json"))
        stored = load_file(small / "model.safetensors")
        bits, numbers = {}, {}
        for name in (tensor["name"] for tensor in report["tensors"] if tensor["format"] and self.place(tensor["name"])):
            bits[name] = 8 * sum(stored[f"{name}.{part}"].nbytes for part in ("codes", "scales"))
            numbers[name] = unpacked(stored, name, self.original[name].shape)
        return bits, numbers, self.apart(self.forward(spec, small))[1]

    def forward(self, spec, small):
        given, found = self.made / "ids.safetensors", self.made / "output.safetensors"
        save_file({"input_ids": self.ids.numpy()}, given)
        run(self.o.formwork, "forward", spec, "--weights", small, "--input", given, "--output", found)
        found = load_file(found)
        return torch.from_numpy(found["last_hidden_state" if self.encoder else "logits"])

    def gguf(self, form):
        """The path of a GGUF file, which is made where it is missing."""
        if (there := self.folder / f"{form}.gguf").exists():
            return there
        plain, path = self.made / "model.gguf", self.made / f"{form}.gguf"
        if not plain.exists():
            config, tensors = filled(self.config, self.original)
            (encoder_weights if self.encoder else weights).write_gguf(config, tensors, plain)
        if not path.exists():
            run(self.o.llama_quantize, plain, path, form, 2)
        return path

    def theirs(self, form):
        """All that is in a GGUF file: bits and numbers by the checkpoint's names."""
        stored = {tensor.name: tensor for tensor in gguf.GGUFReader(self.gguf(form)).tensors}
        bits, numbers = {}, {}
        for key, original in self.original.items():
            tensor = stored.get(self.place(key)) or stored.get(self.place(EMBEDDING) if key == HEAD else None)
            if tensor is None or original.ndim < 2:
                continue
            found = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
            rows, columns = original.shape
            bits[key] = 8 * int(tensor.n_bytes) * rows // len(found)
            found = np.ascontiguousarray(found[:rows, :columns])
            heads = self.config["num_attention_heads"]
            kv_heads = self.config.get("num_key_value_heads") or heads
            parts = {} if self.encoder else {"q_proj": heads, "k_proj": kv_heads}
            for part, n in parts.items():
                found = halves(found, n) if part in key else found
            numbers[key] = found
        return bits, numbers, None

    def row(self, matrices, bits, numbers, running):
        """The cells of a format of which some numbers are matrices."""
        errors = [relative(numbers[name], self.original[name]) for name in matrices]
        a_weight = sum(bits[name] for name in matrices) / sum(self.original[name].size for name in matrices)
        error, alone = self.apart(self.with_numbers({name: numbers[name] for name in matrices}))
        whole = self.apart(self.with_numbers(numbers))[1] if len(numbers) > len(matrices) else alone
        as_run = "" if running is None else f"{running:.2e}"
        middle, worst = statistics.median(errors), max(errors)
        return f"{a_weight:.2f} | {middle:.5f} | {worst:.5f} | {error:.5f} | {alone:.2e} | {whole:.2e} | {as_run}"


def filled(config, tensors):
    """The same model with its inner width filled up with zeros to whole blocks of 32, as Formwork's groups are: llama.cpp would keep
    matrices of other widths in 16 bits."""
    width = config["intermediate_size"]
    more = -width % 32
    pad = lambda tensor: np.pad(tensor.astype(np.float32), [(0, more if n == width else 0) for n in tensor.shape])
    return config | {"intermediate_size": width + more}, {name: pad(tensor) for name, tensor in tensors.items()}


def unpacked(stored, name, shape):
    """A matrix in Formwork's own form, as numbers."""
    codes, scales, zeros = stored[f"{name}.codes"], stored[f"{name}.scales"], 0
    if codes.shape[-1] == 24:
        low, high = codes[..., :16], codes[..., 16:]
        low = np.concatenate([low & 15, low >> 4], -1).astype(np.float32)
        codes = low + 16 * np.concatenate([high >> shift & 3 for shift in (0, 2, 4, 6)], -1).astype(np.float32) - 32
    elif codes.dtype == np.uint8:
        codes = np.concatenate([codes & 15, codes >> 4], -1).astype(np.float32) - 8
    if scales.dtype == np.uint16:
        zeros = (scales & 127)[..., None].astype(np.float32) / 8 - 8
        scales = (scales >> 7 << 6).view(np.float16).astype(np.float32) / 64
    numbers = (codes.astype(np.float32) - zeros) * scales.astype(np.float32)[..., None]
    return np.ascontiguousarray(numbers.reshape(*numbers.shape[:-2], -1)[..., : shape[-1]])


def halves(matrix, heads):
    """The reverse of `interleaved`."""
    rows, columns = matrix.shape
    return np.ascontiguousarray(matrix.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns))


def main():
    o = arguments()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    print("| model | weights | bits a weight | error of a matrix, median | worst | error of the output | KL or 1-cos | of the file | as run |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, folder in (text.split("=", 1) for text in o.checkpoints):
        checkpoint, matrices = Checkpoint(o, name, Path(folder)), None
        for form in o.ours.split(",") + o.theirs.split(","):
            is_ours = form in o.ours.split(",")
            found = checkpoint.ours(form) if is_ours else checkpoint.theirs(form)
            matrices = matrices or list(found[0])
            print(f"| {name} | {'formwork' if is_ours else 'llama.cpp'} {form} | {checkpoint.row(matrices, *found)} |", flush=True)


if __name__ == "__main__":
    main()
