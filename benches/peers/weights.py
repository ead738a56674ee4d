"""Random weights of one Llama, once for every system: a Hugging Face folder and a GGUF file.

    python weights.py SPEC.toml FOLDER

Needs numpy, safetensors and gguf. FOLDER gets `config.json` and `model.safetensors` (f32) and `model.gguf` (f32), which hold
the same numbers: matrices with a deviation of 0.02, norms of ones, seed 0.
"""

import json
import sys
import tomllib
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file, save_file

# The names of a layer's tensors in a checkpoint and in a GGUF file.
LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def config(spec):
    """The Hugging Face config of a spec of the family `llama`."""
    heads = spec["n_heads"]
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": spec["vocab_size"],
        "hidden_size": spec["d_model"],
        "intermediate_size": spec["d_ff"],
        "num_hidden_layers": spec["n_layers"],
        "num_attention_heads": heads,
        "num_key_value_heads": spec.get("n_kv_heads", heads),
        "max_position_embeddings": spec["max_seq_len"],
        "rms_norm_eps": spec["eps"],
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
    }


def shapes(c):
    """Names and shapes of a checkpoint's tensors."""
    d, ff, vocab = c["hidden_size"], c["intermediate_size"], c["vocab_size"]
    kv = c["num_key_value_heads"] * (d // c["num_attention_heads"])
    layer = {
        "input_layernorm": (d,),
        "self_attn.q_proj": (d, d),
        "self_attn.k_proj": (kv, d),
        "self_attn.v_proj": (kv, d),
        "self_attn.o_proj": (d, d),
        "post_attention_layernorm": (d,),
        "mlp.gate_proj": (ff, d),
        "mlp.up_proj": (ff, d),
        "mlp.down_proj": (d, ff),
    }
    yield "model.embed_tokens.weight", (vocab, d)
    for i in range(c["num_hidden_layers"]):
        for name, shape in layer.items():
            yield f"model.layers.{i}.{name}.weight", shape
    yield "model.norm.weight", (d,)
    yield "lm_head.weight", (vocab, d)


def random(c):
    generator = np.random.default_rng(0)

    def tensor(shape):
        if len(shape) == 1:
            return np.ones(shape, np.float32)
        return generator.standard_normal(shape, np.float32) * np.float32(0.02)

    return {name: tensor(shape) for name, shape in shapes(c)}


def interleaved(matrix, heads):
    """llama.cpp turns neighbouring rows of a head together, the checkpoint rows half a head apart."""
    rows, columns = matrix.shape
    return matrix.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def gguf_name(name):
    parts = name.removesuffix(".weight").split(".", 3)
    if parts[:2] == ["model", "layers"]:
        return f"blk.{parts[2]}.{LAYER[parts[3]]}.weight"
    return {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}[".".join(parts)] + ".weight"


def write_gguf(c, tensors, path, vocabulary=None):
    """A GGUF file of architecture `llama` in f32; without a vocabulary it gets one of numbered words."""
    heads, kv_heads = c["num_attention_heads"], c.get("num_key_value_heads") or c["num_attention_heads"]
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(c["max_position_embeddings"])
    writer.add_embedding_length(c["hidden_size"])
    writer.add_block_count(c["num_hidden_layers"])
    writer.add_feed_forward_length(c["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_rope_dimension_count(c["hidden_size"] // heads)
    writer.add_rope_freq_base(c.get("rope_theta", 10000.0))
    writer.add_layer_norm_rms_eps(c["rms_norm_eps"])
    writer.add_vocab_size(c["vocab_size"])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    words = vocabulary or ["<unk>", "<s>", "</s>"] + [f"w{i}" for i in range(3, c["vocab_size"])]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(words)
    writer.add_token_scores([0.0] * len(words))
    writer.add_token_types([gguf.TokenType.CONTROL if i < 3 else gguf.TokenType.NORMAL for i in range(len(words))])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    for name, tensor in tensors.items():
        if name == "lm_head.weight" and c.get("tie_word_embeddings"):
            continue
        if "q_proj" in name:
            tensor = interleaved(tensor, heads)
        if "k_proj" in name:
            tensor = interleaved(tensor, kv_heads)
        writer.add_tensor(gguf_name(name), np.ascontiguousarray(tensor))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def from_folder(folder):
    """The GGUF file of a checkpoint that is there."""
    c = json.loads((folder / "config.json").read_text())
    tensors = {name: tensor.astype(np.float32) for name, tensor in load_file(folder / "model.safetensors").items()}
    return c, tensors


def main():
    spec, folder = tomllib.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    if (folder / "model.gguf").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    c = config(spec)
    (folder / "config.json").write_text(json.dumps(c, indent=1))
    tensors = random(c)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    write_gguf(c, tensors, folder / "model.gguf")


if __name__ == "__main__":
    main()
