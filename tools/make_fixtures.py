#!/usr/bin/env python3
"""Write tests/fixtures/families: tiny random models with what transformers computes for them.

Each folder holds config.json and the weights as save_pretrained writes them, config.legacy.json
(decoders and encoder-decoders: the same model in the transformers-4 spelling), case.safetensors
(see dump_reference.py) and meta.json. Everything is seeded by the fixture's name; with the
pinned versions of requirements.txt the files come out the same.
"""

import argparse
import json
import shutil
import sys
import zlib
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from torch.utils.flop_counter import FlopCounterMode

import dump_reference

ROOT = Path(__file__).resolve().parent.parent / "tests/fixtures/families"
SEQ, BATCH = 14, 2

# Defaults by model type; eps is large and the windows are shorter than the rows, so that a
# reader that overlooks them cannot pass.
TOKENS = dict(vocab_size=112, bos_token_id=1, eos_token_id=2, pad_token_id=0)
DECODER = dict(
    **TOKENS, hidden_size=32, intermediate_size=56, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=64, rms_norm_eps=0.02, tie_word_embeddings=False,
    rope_parameters=dict(rope_type="default", rope_theta=100.0),
)
BERT = dict(
    **TOKENS, hidden_size=32, intermediate_size=56, num_hidden_layers=2, num_attention_heads=4,
    max_position_embeddings=40, type_vocab_size=2, layer_norm_eps=0.02,
    hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
)
GPT2 = dict(
    **TOKENS, n_embd=32, n_layer=2, n_head=4, n_positions=40, layer_norm_epsilon=0.02,
    resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
)
T5 = dict(
    vocab_size=96, eos_token_id=1, pad_token_id=0, decoder_start_token_id=0, d_model=32, d_kv=8,
    d_ff=40, num_heads=4, num_layers=2, relative_attention_num_buckets=8,
    relative_attention_max_distance=12, layer_norm_epsilon=0.02, dropout_rate=0.0,
)
LLAMA3 = dict(
    rope_type="llama3", rope_theta=100.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
    original_max_position_embeddings=32,
)
YARN = dict(
    rope_type="yarn", rope_theta=100.0, factor=4.0, beta_fast=4.0, beta_slow=0.25,
    original_max_position_embeddings=16,
)

LAYER_NORM = {k: v for k, v in DECODER.items() if k != "rms_norm_eps"} | dict(layer_norm_eps=0.02)
NO_EPS = {k: v for k, v in DECODER.items() if k != "rms_norm_eps"}
GEMMA = DECODER | dict(
    head_dim=8, sliding_window=5, query_pre_attn_scalar=20, attn_logit_softcapping=2.0,
    final_logit_softcapping=8.0, tie_word_embeddings=True, attention_bias=True,
)
MULTIPLIERS = dict(
    embedding_multiplier=3.0, residual_multiplier=0.6, attention_multiplier=0.2, logits_scaling=2.5,
    attention_bias=True, mlp_bias=True,
)
MIXED = dict(layer_types=["sliding_attention", "full_attention"], sliding_window=5)


def partial(factor, **rest):
    """Rotary positions of a part of each head."""
    return dict(dict(rope_type="default", rope_theta=100.0), partial_rotary_factor=factor, **rest)


def by_kind(full, sliding):
    """Rotary positions that differ between kinds of layers."""
    return dict(full_attention=full, sliding_attention=sliding)


# name: (model class, defaults, what this fixture changes). Keys in capitals are instructions of
# this script: DTYPE of the stored weights, SHARD size, UNTIE an lm_head that the class ties.
FIXTURES = {
    "llama": ("LlamaForCausalLM", DECODER, dict(head_dim=12)),
    "llama_tied_bias": ("LlamaForCausalLM", DECODER, dict(
        attention_bias=True, mlp_bias=True, tie_word_embeddings=True, rope_parameters=LLAMA3)),
    "llama_linear_rope": ("LlamaForCausalLM", DECODER, dict(
        rope_parameters=dict(rope_type="linear", rope_theta=100.0, factor=2.5))),
    "llama_yarn": ("LlamaForCausalLM", DECODER, dict(head_dim=16, rope_parameters=YARN)),
    "llama_yarn_defaults": ("LlamaForCausalLM", DECODER, dict(
        num_key_value_heads=4, rope_parameters={
            k: v for k, v in YARN.items() if not k.startswith("beta")} | dict(attention_factor=1.3))),
    "llama_bf16_sharded": ("LlamaForCausalLM", DECODER, dict(DTYPE=torch.bfloat16, SHARD="36KB")),
    "llama_fp16": ("LlamaForCausalLM", DECODER, dict(DTYPE=torch.float16, num_key_value_heads=1)),
    "mistral": ("MistralForCausalLM", DECODER, dict(sliding_window=5, head_dim=8)),
    "mistral_full": ("MistralForCausalLM", DECODER, dict(sliding_window=None, head_dim=16)),
    "qwen2_tied": ("Qwen2ForCausalLM", DECODER, dict(tie_word_embeddings=True)),
    # As on the hub: a window is given and switched off.
    "qwen2_untied": ("Qwen2ForCausalLM", DECODER, dict(
        num_key_value_heads=4, use_sliding_window=False, sliding_window=5, max_window_layers=0)),
    "qwen2_window": ("Qwen2ForCausalLM", DECODER, dict(
        use_sliding_window=True, sliding_window=4, max_window_layers=1)),
    "qwen3": ("Qwen3ForCausalLM", DECODER, dict(head_dim=16)),
    "qwen3_tied": ("Qwen3ForCausalLM", DECODER, dict(
        head_dim=16, tie_word_embeddings=True, attention_bias=True)),
    "ministral": ("MinistralForCausalLM", DECODER, dict(MIXED, head_dim=12)),
    "smollm3": ("SmolLM3ForCausalLM", DECODER, dict(no_rope_layers=[1, 0], tie_word_embeddings=True)),
    "seed_oss": ("SeedOssForCausalLM", DECODER, dict(head_dim=12, attention_out_bias=True)),
    "helium": ("HeliumForCausalLM", DECODER, dict(head_dim=8)),
    "ernie4_5": ("Ernie4_5ForCausalLM", DECODER, dict(head_dim=12, use_bias=True)),
    "olmo": ("OlmoForCausalLM", NO_EPS, dict(clip_qkv=1.5, attention_bias=True)),
    "olmo2": ("Olmo2ForCausalLM", DECODER, dict(attention_bias=True)),
    "olmo3": ("Olmo3ForCausalLM", DECODER, dict(MIXED, rope_parameters=by_kind(
        YARN | dict(rope_theta=500000.0), dict(rope_type="default", rope_theta=500000.0)))),
    "gemma": ("GemmaForCausalLM", DECODER, dict(
        head_dim=12, num_key_value_heads=1, tie_word_embeddings=True, attention_bias=True)),
    "gemma2": ("Gemma2ForCausalLM", GEMMA, {}),
    "vaultgemma": ("VaultGemmaForCausalLM", GEMMA, {}),
    "gemma3": ("Gemma3ForCausalLM", GEMMA, dict(
        attn_logit_softcapping=None, num_hidden_layers=3, intermediate_size=40,
        sliding_window_pattern=2, rope_parameters=by_kind(
            dict(rope_type="linear", rope_theta=300.0, factor=4.0), dict(rope_type="default", rope_theta=40.0)))),
    "granite": ("GraniteForCausalLM", DECODER, MULTIPLIERS),
    "hyperclovax": ("HyperCLOVAXForCausalLM", DECODER, dict(MULTIPLIERS, head_dim=12)),
    "phi3": ("Phi3ForCausalLM", DECODER, dict(
        sliding_window=5, original_max_position_embeddings=8, rope_parameters=partial(
            0.75, rope_type="longrope", short_factor=[1.0, 1.1, 1.2], long_factor=[1.0, 1.5, 3.0]))),
    "phi": ("PhiForCausalLM", LAYER_NORM, dict(qk_layernorm=True, rope_parameters=partial(0.5))),
    "starcoder2": ("Starcoder2ForCausalLM", NO_EPS, dict(
        norm_epsilon=0.02, sliding_window=5, tie_word_embeddings=True)),
    "stablelm": ("StableLmForCausalLM", LAYER_NORM, dict(
        qk_layernorm=True, use_qkv_bias=True, rope_parameters=partial(0.5))),
    "stablelm_parallel": ("StableLmForCausalLM", LAYER_NORM, dict(
        use_parallel_residual=True, rope_parameters=partial(0.25))),
    "cohere": ("CohereForCausalLM", LAYER_NORM, dict(
        use_qk_norm=True, logit_scale=0.5, attention_bias=True, tie_word_embeddings=True)),
    "cohere2": ("Cohere2ForCausalLM", LAYER_NORM, dict(MIXED, logit_scale=0.5, tie_word_embeddings=True)),
    "glm": ("GlmForCausalLM", DECODER, dict(head_dim=12, rope_parameters=partial(0.5))),
    "glm4": ("Glm4ForCausalLM", DECODER, dict(head_dim=8, attention_bias=True, rope_parameters=partial(0.5))),
    "nemotron": ("NemotronForCausalLM", NO_EPS, dict(
        norm_eps=0.02, head_dim=12, attention_bias=True, mlp_bias=True, rope_parameters=partial(0.5))),
    "arcee": ("ArceeForCausalLM", DECODER, dict(head_dim=12, attention_bias=True, mlp_bias=True)),
    "exaone4": ("Exaone4ForCausalLM", DECODER, MIXED),
    "ministral3": ("Ministral3ForCausalLM", DECODER, dict(head_dim=12, rope_parameters=YARN | dict(
        original_max_position_embeddings=4, llama_4_scaling_beta=0.3, mscale=1.0, mscale_all_dim=0.5))),
    "hunyuan": ("HunYuanDenseV1ForCausalLM", DECODER, dict(
        head_dim=12, attention_bias=True, rope_parameters=dict(
            rope_type="dynamic", rope_theta=100.0, alpha=50.0, factor=1.0))),
    "apertus": ("ApertusForCausalLM", DECODER, dict(attention_bias=True, rope_parameters=LLAMA3)),
    "bitnet": ("BitNetForCausalLM", DECODER, dict(attention_bias=True, tie_word_embeddings=True)),
    "nanochat": ("NanoChatForCausalLM", DECODER, dict(attention_bias=True, final_logit_softcapping=4.0)),
    "persimmon": ("PersimmonForCausalLM", {
        k: v for k, v in LAYER_NORM.items() if k != "num_key_value_heads"}, dict(rope_parameters=partial(0.5))),
    "gpt2_inner": ("GPT2LMHeadModel", GPT2, dict(n_inner=48)),
    "gpt2_inverse_layer": ("GPT2LMHeadModel", GPT2, dict(
        scale_attn_by_inverse_layer_idx=True, activation_function="gelu", vocab_size=96)),
    "bert_base": ("BertModel", BERT, {}),
    "bert_mlm": ("BertForMaskedLM", BERT, {}),
    "bert_gelu_new": ("BertModel", BERT, dict(hidden_act="gelu_new")),
    "bert_relu": ("BertForMaskedLM", BERT, dict(hidden_act="relu")),
    "t5": ("T5ForConditionalGeneration", T5, {}),
    "t5_v1_1": ("T5ForConditionalGeneration", T5, dict(
        feed_forward_proj="gated-gelu", num_layers=1, num_decoder_layers=2, num_heads=3,
        tie_word_embeddings=False, UNTIE=True)),
}


def randomise(model, generator):
    """Weights around 0 with deviation 0.2, norm scales around 1, biases off 0."""
    for name, parameter in model.named_parameters():
        noise = 0.2 * torch.randn(parameter.shape, generator=generator)
        is_scale = parameter.dim() == 1 and name.endswith("weight")
        parameter.data = noise + 1.0 if is_scale else noise


def legacy(config, values):
    """The same configuration as transformers 4 wrote it; `values` are those given to the class."""
    old = dict(config, torch_dtype=config["dtype"], transformers_version="4.46.0")
    for key in ("dtype", "rope_parameters"):
        old.pop(key, None)
    if "layer_types" not in values:
        old.pop("layer_types", None)
    if "rope_parameters" in config:
        scaling = dict(config["rope_parameters"])
        if "full_attention" in scaling:  # each kind of layer has its own
            local, scaling = scaling["sliding_attention"], dict(scaling["full_attention"])
            if local["rope_theta"] != scaling["rope_theta"]:
                old["rope_local_base_freq"] = local["rope_theta"]
        old["rope_theta"] = scaling.pop("rope_theta")
        if "partial_rotary_factor" in scaling:
            old["partial_rotary_factor"] = scaling.pop("partial_rotary_factor")
        old["rope_scaling"] = None if scaling["rope_type"] == "default" else scaling
    if "_sliding_window_pattern" in old:
        old["sliding_window_pattern"] = old.pop("_sliding_window_pattern")
    if "sliding_window" in old:  # transformers 5 drops a window that is switched off
        old["sliding_window"] = values.get("sliding_window")
    if "scale_decoder_outputs" in old:  # T5: the old key says nothing about tying
        old["tie_word_embeddings"] = old.pop("scale_decoder_outputs")
    return old


def write_model(name, folder, attempt):
    """Create the model of fixture `name` and save it to `folder`."""
    class_name, defaults, changes = FIXTURES[name]
    values = defaults | changes
    dtype, shard = values.pop("DTYPE", torch.float32), values.pop("SHARD", "1GB")
    untie = values.pop("UNTIE", False)
    model_class = getattr(transformers, class_name)
    seed = zlib.crc32(name.encode()) + attempt
    torch.manual_seed(seed)
    model = model_class(model_class.config_class(**values))
    if untie:
        model.lm_head.weight = torch.nn.Parameter(torch.empty_like(model.lm_head.weight))
    randomise(model, torch.Generator().manual_seed(seed))
    model.to(dtype).save_pretrained(folder, max_shard_size=shard)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if class_name.startswith("Bert"):
        return
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.legacy.json").write_text(json.dumps(legacy(config, values), indent=2) + "\n")


@torch.no_grad()
def forward(model, case):
    """The model's output for the inputs of the case, without the cache."""
    inputs = {k: case[k] for k in ("input_ids", "decoder_input_ids") if k in case}
    return dump_reference.uncached(model, **inputs)


def same_with_legacy_config(folder, task, case):
    """Whether transformers reads config.legacy.json as it reads config.json."""
    config, old = folder / "config.json", folder / "config.legacy.json"
    if not old.exists():
        return True
    text = config.read_text()
    try:
        config.write_text(old.read_text())
        model, _ = dump_reference.load(folder, task)
        return torch.equal(forward(model, case)["logits"], case["logits"])
    finally:
        config.write_text(text)


def describe(model, case):
    """The content of meta.json."""
    with FlopCounterMode(display=False) as counter:
        forward(model, case)
    main = "logits" if "logits" in case else "last_hidden_state"
    exact = forward(model.double(), case)[main]
    meta = {
        "params": sum(p.numel() for p in model.parameters()),
        "flops": counter.get_total_flops(),
        "batch": BATCH,
        "seq": SEQ,
    }
    # What the config alone says: a class may tie weights that this checkpoint keeps apart.
    by_config = sum(p.numel() for p in type(model)(model.config).parameters())
    if by_config != meta["params"]:
        meta["params_by_config"] = by_config
    if "decoder_input_ids" in case:
        meta["decoder_seq"] = case["decoder_input_ids"].shape[1]
    # The case's own rounding noise: asking an implementation for less makes no sense.
    meta["fp32_vs_fp64_max_diff"] = float((exact - case[main]).abs().max())
    if "greedy.ids" in case:
        meta["greedy_min_margin"] = dump_reference.margin(case)
    meta["versions"] = {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}
    return meta


def make(name):
    folder = ROOT / name
    for attempt in range(100):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_model(name, folder, attempt)
        model, task = dump_reference.load(folder)
        case = dump_reference.build(model, task, SEQ, BATCH, seed=attempt)
        # Greedy decoding says most when it neither hangs on a near tie nor repeats one token.
        if "greedy.ids" not in case or (dump_reference.margin(case) > 0.02 and len(case["greedy.ids"].unique()) >= 5):
            break
    else:
        sys.exit(f"{name}: no seed gives a useful greedy run")
    if not same_with_legacy_config(folder, task, case):
        sys.exit(f"{name}: config.legacy.json is read differently")
    assert not any(key.startswith("greedy.uncached") for key in case), name
    save_file(case, folder / "case.safetensors")
    meta = describe(model, case)
    (folder / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{name:22} {size / 1000:6.0f} kB  {meta}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="name", help=f"default: all of {', '.join(FIXTURES)}")
    torch.set_num_threads(1)
    for name in parser.parse_args().names or FIXTURES:
        if name not in FIXTURES:
            parser.error(f"no fixture is called {name}")
        make(name)


if __name__ == "__main__":
    main()
