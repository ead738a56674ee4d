#!/usr/bin/env python3
"""Write GGUF files for the tests, with llama.cpp's own `gguf` package.

    python tools/make_gguf_fixtures.py

`tests/fixtures/families/FAMILY/model.gguf` holds the weights beside it under the names, in the row order and with the keys that
llama.cpp's converter gives them. `tests/fixtures/gguf/blocks.gguf` holds blocks of every type that is read, and beside each
tensor `NAME.weight` what the package makes of it, `NAME.f32`. Everything is seeded.
"""

import json
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parent.parent / "tests/fixtures"

# The architectures of the fixtures. Converters permute the rows of queries and keys for `llama` alone.
FAMILIES = {
    "llama": "LLAMA",
    "llama_tied_bias": "LLAMA",
    "mistral": "LLAMA",
    "qwen2_tied": "QWEN2",
    "qwen2_untied": "QWEN2",
    "qwen3": "QWEN3",
}


def permuted(rows, heads):
    """Rows half a head apart become neighbours."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def convert(folder, arch):
    config = json.loads((folder / "config.json").read_text())
    heads, layers = config["num_attention_heads"], config["num_hidden_layers"]
    kv_heads = config.get("num_key_value_heads") or heads
    d_head = config.get("head_dim") or config["hidden_size"] // heads
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[arch], layers)
    writer = gguf.GGUFWriter(str(folder / "model.gguf"), gguf.MODEL_ARCH_NAMES[gguf.MODEL_ARCH[arch]])
    rope = config.get("rope_parameters") or {}
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(layers)
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(rope.get("rope_theta") or config.get("rope_theta", 10000.0))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_vocab_size(config["vocab_size"])
    if arch == "LLAMA":
        writer.add_rope_dimension_count(d_head)
    if arch == "QWEN3":
        writer.add_key_length(d_head)
        writer.add_value_length(d_head)
    if rope.get("rope_type") == "llama3":
        writer.add_tensor("rope_freqs.weight", np.ones(d_head // 2, np.float32))
    for name, tensor in load_file(folder / "model.safetensors").items():
        if "q_proj" in name and arch == "LLAMA":
            tensor = permuted(tensor, heads)
        if "k_proj" in name and arch == "LLAMA":
            tensor = permuted(tensor, kv_heads)
        stored = names.get_name(name, try_suffixes=(".weight", ".bias"))
        writer.add_tensor(stored, np.ascontiguousarray(tensor.astype(np.float32)))
    finish(writer)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def blocks(path):
    generator = np.random.default_rng(0)
    writer = gguf.GGUFWriter(str(path), "blocks")
    numbers = generator.standard_normal((3, 512), np.float32)
    for kind in (Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0, Type.BF16):
        add(writer, kind, gguf.quants.quantize(numbers, kind))
    # The package only reads K-quants: any bytes will do for codes, and small scales where 16-bit floats stand.
    for kind, scales in ((Type.Q4_K, [0, 2]), (Type.Q5_K, [0, 2]), (Type.Q6_K, [208])):
        _, size = gguf.GGML_QUANT_SIZES[kind]
        data = generator.integers(0, 256, (3, 2, size), np.uint8)
        for at in scales:
            halves = generator.standard_normal((3, 2, 1)).astype(np.float16) / np.float16(8)
            data[:, :, at : at + 2] = halves.view(np.uint8)
        add(writer, kind, data.reshape(3, 2 * size))
    writer.add_tensor("f16.weight", numbers[:, :8].astype(np.float16))
    writer.add_tensor("f64.weight", numbers[:, :8].astype(np.float64))
    writer.add_tensor("plain.f32", numbers[:, :8])
    finish(writer)


def add(writer, kind, data):
    name = kind.name.lower()
    writer.add_tensor(f"{name}.weight", data, raw_dtype=kind)
    writer.add_tensor(f"{name}.f32", gguf.quants.dequantize(data, kind).astype(np.float32))


def main():
    for family, arch in FAMILIES.items():
        convert(ROOT / "families" / family, arch)
    (ROOT / "gguf").mkdir(exist_ok=True)
    blocks(ROOT / "gguf/blocks.gguf")


if __name__ == "__main__":
    main()
