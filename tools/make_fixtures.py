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
from safetensors.torch import load_file, save_file
from torch.utils.flop_counter import FlopCounterMode

import dump_reference
import reference_work

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
SMALL_T5 = T5 | dict(vocab_size=64, d_model=24, d_kv=6, d_ff=24)
ENCODER = dict(  # names and sizes that most encoders share
    **TOKENS, hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
    max_position_embeddings=40, layer_norm_eps=0.02, hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
)
AFTER_PADDING = ENCODER | dict(bos_token_id=0, pad_token_id=1)
NARROW = BERT | dict(embedding_size=20, hidden_act="gelu_new", intermediate_size=40)
MODERN = TOKENS | dict(
    vocab_size=64, hidden_size=24, intermediate_size=32, num_hidden_layers=4, num_attention_heads=4,
    max_position_embeddings=64, norm_eps=0.02, local_attention=6, norm_bias=True, attention_bias=True,
    mlp_bias=True, classifier_bias=True, hidden_activation="silu", classifier_activation="gelu",
    rope_parameters=dict(
        full_attention=dict(rope_type="default", rope_theta=40.0),
        sliding_attention=dict(rope_type="default", rope_theta=100.0)),
)
BART = dict(
    vocab_size=64, bos_token_id=1, eos_token_id=2, pad_token_id=0, decoder_start_token_id=3, d_model=24,
    encoder_layers=1, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=2,
    encoder_ffn_dim=32, decoder_ffn_dim=40, max_position_embeddings=32, dropout=0.0,
    attention_dropout=0.0, activation_dropout=0.0, forced_eos_token_id=None,
)
T5GEMMA_STACK = dict(
    vocab_size=64, hidden_size=24, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, head_dim=6, query_pre_attn_scalar=20, sliding_window=3, rms_norm_eps=0.02,
    attn_logit_softcapping=2.0, final_logit_softcapping=8.0, max_position_embeddings=64, dropout_rate=0.0,
    layer_types=["sliding_attention", "full_attention"],
    rope_parameters=dict(rope_type="default", rope_theta=100.0),
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


def without(values, *keys):
    """Defaults that a class does not know are left out."""
    return {k: v for k, v in values.items() if k not in keys}


def by_kind(full, sliding):
    """Rotary positions that differ between kinds of layers."""
    return dict(full_attention=full, sliding_attention=sliding)


# name: (model class, defaults, what this fixture changes). Keys in capitals are instructions of
# this script: DTYPE of the stored weights, SHARD size, UNTIE an lm_head that the class ties, how many
# DISTINCT greedy tokens there should be.
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
    "cwm": ("CwmForCausalLM", DECODER, dict(MIXED, head_dim=12, rope_parameters=dict(
        rope_type="llama3", rope_theta=100.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16))),
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
    "mt5": ("MT5ForConditionalGeneration", SMALL_T5, dict(feed_forward_proj="gated-gelu")),
    "umt5": ("UMT5ForConditionalGeneration", SMALL_T5, dict(DISTINCT=3)),
    "t5gemma": ("T5GemmaForConditionalGeneration", dict(encoder=T5GEMMA_STACK, decoder=T5GEMMA_STACK), dict(
        vocab_size=64, pad_token_id=0, bos_token_id=1, eos_token_id=2, dropout_rate=0.0, DISTINCT=3)),
    "ernie_mlm": ("ErnieForMaskedLM", BERT, dict(intermediate_size=40)),
    "roberta_mlm": ("RobertaForMaskedLM", AFTER_PADDING, dict(type_vocab_size=2)),
    "xlm_roberta_base": ("XLMRobertaModel", AFTER_PADDING, dict(type_vocab_size=1, pad_token_id=3)),
    "camembert_mlm": ("CamembertForMaskedLM", AFTER_PADDING, dict(type_vocab_size=1)),
    "albert_tokens": ("AlbertForTokenClassification", NARROW, dict(num_labels=3)),
    "megatron_bert_sequence": ("MegatronBertForSequenceClassification", BERT, dict(num_labels=3)),
    "roberta_sequence": ("RobertaForSequenceClassification", AFTER_PADDING, dict(num_labels=4)),
    "distilbert_sequence": ("DistilBertForSequenceClassification", TOKENS, dict(
        dim=32, hidden_dim=40, n_layers=2, n_heads=4, max_position_embeddings=40, num_labels=3)),
    "distilbert_mlm": ("DistilBertForMaskedLM", TOKENS, dict(
        dim=32, hidden_dim=40, n_layers=2, n_heads=4, max_position_embeddings=40, dropout=0.0,
        attention_dropout=0.0, activation="relu")),
    "albert_mlm": ("AlbertForMaskedLM", NARROW, dict(num_hidden_layers=3)),
    "albert_base": ("AlbertModel", NARROW, {}),
    "electra_mlm": ("ElectraForMaskedLM", NARROW, {}),
    "electra_base": ("ElectraModel", NARROW, dict(embedding_size=32)),
    "mpnet_base": ("MPNetModel", AFTER_PADDING, {}),
    "mpnet_mlm": ("MPNetForMaskedLM", AFTER_PADDING, dict(hidden_act="gelu_new")),
    "megatron_bert_mlm": ("MegatronBertForMaskedLM", BERT, dict(intermediate_size=40)),
    "roformer_mlm": ("RoFormerForMaskedLM", NARROW, {}),
    # Learned positions; a norm of the embeddings; mask tokens are kept.
    "esm_learned": ("EsmForMaskedLM", AFTER_PADDING, dict(
        position_embedding_type="absolute", emb_layer_norm_before=True, mask_token_id=4)),
    "esm_rotary": ("EsmForMaskedLM", AFTER_PADDING, dict(
        position_embedding_type="rotary", rope_theta=100.0, token_dropout=True, mask_token_id=4)),
    "modernbert_mlm": ("ModernBertForMaskedLM", MODERN, {}),
    "modernbert_decoder": ("ModernBertDecoderForCausalLM", MODERN, dict(
        norm_bias=False, attention_bias=False, mlp_bias=False, classifier_bias=False, decoder_bias=False)),
    "eurobert_mlm": ("EuroBertForMaskedLM", DECODER, dict(head_dim=12, tie_word_embeddings=True)),
    "nomic_bert_base": ("NomicBertModel", ENCODER, dict(
        rope_parameters=dict(rope_type="default", rope_theta=100.0))),
    "gte_mlm": ("GteForMaskedLM", ENCODER, dict(
        type_vocab_size=2, rope_parameters=dict(rope_type="default", rope_theta=100.0))),
    "bart": ("BartForConditionalGeneration", BART, dict(scale_embedding=True, DISTINCT=3)),
    "mbart": ("MBartForConditionalGeneration", BART, dict(activation_function="relu", DISTINCT=3)),
    "marian": ("MarianMTModel", BART, dict(
        activation_function="silu", scale_embedding=True, pad_token_id=62, decoder_start_token_id=62,
        DISTINCT=3)),
    "pegasus": ("PegasusForConditionalGeneration", BART, dict(
        activation_function="relu", scale_embedding=True, DISTINCT=2)),
    "m2m_100": ("M2M100ForConditionalGeneration", BART, dict(pad_token_id=1, bos_token_id=0, DISTINCT=3)),
    "blenderbot": ("BlenderbotForConditionalGeneration", BART, dict(scale_embedding=True, DISTINCT=3)),
    "blenderbot_small": ("BlenderbotSmallForConditionalGeneration", BART, dict(DISTINCT=3)),
    "plbart": ("PLBartForConditionalGeneration", BART, dict(DISTINCT=3)),
}

# Decoders with other positions and wirings, and mixtures of experts.
GPT_NEOX = dict(
    **TOKENS, hidden_size=32, intermediate_size=56, num_hidden_layers=2, num_attention_heads=4,
    max_position_embeddings=40, layer_norm_eps=0.02,
    rope_parameters=dict(rope_type="default", rope_theta=100.0, partial_rotary_factor=0.5),
)
GPTJ = dict(**GPT2, rotary_dim=4)
FALCON = dict(
    **TOKENS, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, layer_norm_epsilon=0.02, ffn_hidden_size=56,
    max_position_embeddings=40, rope_parameters=dict(rope_type="default", rope_theta=100.0),
)
OPT = dict(
    **TOKENS, hidden_size=32, num_hidden_layers=2, ffn_dim=56, max_position_embeddings=40, num_attention_heads=4,
    word_embed_proj_dim=32, dropout=0.0,
)
MOE = DECODER | dict(vocab_size=80, intermediate_size=12, num_experts_per_tok=2)
FIXTURES |= {
    "gpt_neox": ("GPTNeoXForCausalLM", GPT_NEOX, {}),
    "gpt_neox_sequential": ("GPTNeoXForCausalLM", GPT_NEOX, dict(
        use_parallel_residual=False, attention_bias=False, hidden_act="gelu_new", tie_word_embeddings=True)),
    "gptj": ("GPTJForCausalLM", GPTJ, dict(n_inner=48)),
    "codegen": ("CodeGenForCausalLM", GPTJ, dict(activation_function="relu", n_inner=40)),
    "falcon": ("FalconForCausalLM", FALCON, dict(activation="gelu_new", tie_word_embeddings=False)),
    "falcon_grouped": ("FalconForCausalLM", FALCON, dict(new_decoder_architecture=True, num_kv_heads=2, bias=True)),
    "falcon_grouped_one_norm": ("FalconForCausalLM", FALCON, dict(
        new_decoder_architecture=True, num_kv_heads=4, num_ln_in_parallel_attn=1)),
    "falcon_alibi": ("FalconForCausalLM", FALCON, dict(
        alibi=True, multi_query=False, parallel_attn=False, bias=True, tie_word_embeddings=False, vocab_size=96)),
    # Six heads: the slopes of four, then two of those of eight.
    "bloom": ("BloomForCausalLM", TOKENS, dict(
        hidden_size=24, n_head=6, layer_norm_epsilon=0.02, tie_word_embeddings=False)),
    "bloom_post": ("BloomForCausalLM", TOKENS, dict(
        hidden_size=28, n_head=4, layer_norm_epsilon=0.02, apply_residual_connection_post_layernorm=True,
        tie_word_embeddings=False)),
    "mpt": ("MptForCausalLM", TOKENS, dict(
        d_model=24, n_heads=6, n_layers=2, max_seq_len=40, layer_norm_epsilon=0.02, attn_config=dict(softmax_scale=0.3))),
    "opt": ("OPTForCausalLM", OPT, dict(activation_function="gelu", tie_word_embeddings=False)),
    "opt_post": ("OPTForCausalLM", OPT, dict(do_layer_norm_before=False, word_embed_proj_dim=16)),
    "opt_no_final_norm": ("OPTForCausalLM", OPT, dict(_remove_final_layer_norm=True, enable_bias=False)),
    "gpt_bigcode": ("GPTBigCodeForCausalLM", GPT2, dict(n_inner=48)),
    "gpt_bigcode_heads": ("GPTBigCodeForCausalLM", GPT2, dict(
        n_inner=40, multi_query=False, scale_attn_weights=False)),
    "gpt_neo": ("GPTNeoForCausalLM", TOKENS, dict(
        hidden_size=32, num_layers=2, num_heads=4, intermediate_size=56, max_position_embeddings=40, window_size=4,
        layer_norm_epsilon=0.02, attention_types=[[["local", "global"], 1]])),
    "openai_gpt": ("OpenAIGPTLMHeadModel", GPT2, dict(vocab_size=96, n_embd=28)),
    "biogpt": ("BioGptForCausalLM", TOKENS, dict(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=56, max_position_embeddings=40,
        layer_norm_eps=0.02, scale_embedding=False)),
    "xglm": ("XGLMForCausalLM", TOKENS, dict(
        d_model=32, ffn_dim=56, num_layers=2, attention_heads=4, max_position_embeddings=40, activation_function="relu",
        tie_word_embeddings=False)),
    "mixtral": ("MixtralForCausalLM", MOE, dict(num_local_experts=5, sliding_window=5, head_dim=12)),
    # A margin so wide that the softmax leaves some experts out and keeps others.
    "phimoe": ("PhimoeForCausalLM", MOE, dict(
        num_local_experts=6, router_jitter_noise=0.4, attention_bias=True, lm_head_bias=True)),
    "qwen2_moe": ("Qwen2MoeForCausalLM", MOE, dict(
        num_experts=4, moe_intermediate_size=10, shared_expert_intermediate_size=12, intermediate_size=28, mlp_only_layers=[0], num_hidden_layers=3,
        qkv_bias=True, norm_topk_prob=False)),
    "qwen3_moe": ("Qwen3MoeForCausalLM", MOE, dict(
        num_experts=6, num_experts_per_tok=3, moe_intermediate_size=12, decoder_sparse_step=2, head_dim=12, norm_topk_prob=True)),
    "olmoe": ("OlmoeForCausalLM", MOE, dict(num_experts=6, num_experts_per_tok=3, intermediate_size=12, clip_qkv=0.6)),
    "gpt_oss": ("GptOssForCausalLM", MOE, dict(
        num_local_experts=5, head_dim=12, sliding_window=5, swiglu_limit=0.4, rope_parameters=YARN | dict(truncate=False))),
    "granitemoe": ("GraniteMoeForCausalLM", MOE, dict(
        num_local_experts=5, embedding_multiplier=3.0, attention_multiplier=0.2, residual_multiplier=0.6, logits_scaling=0.4)),
    "granitemoeshared": ("GraniteMoeSharedForCausalLM", MOE, dict(
        num_local_experts=4, shared_intermediate_size=20, tie_word_embeddings=True, attention_bias=True)),
}

MLA = DECODER | dict(
    vocab_size=64, num_key_value_heads=4, kv_lora_rank=16, q_lora_rank=20, qk_nope_head_dim=12, qk_rope_head_dim=8,
    v_head_dim=10,
)
MLA_MOE = MLA | dict(
    n_routed_experts=6, num_experts_per_tok=2, n_shared_experts=2, moe_intermediate_size=12, first_k_dense_replace=1,
    routed_scaling_factor=1.7, vocab_size=64, hidden_size=24, intermediate_size=28, kv_lora_rank=14, q_lora_rank=12,
)
LFM2 = {k: v for k, v in DECODER.items() if k != "rms_norm_eps"} | dict(
    vocab_size=64, hidden_size=24, norm_eps=0.02, block_multiple_of=8, intermediate_size=60, num_hidden_layers=3, tie_word_embeddings=True,
)
FIXTURES |= {
    "minicpm3": ("MiniCPM3ForCausalLM", MLA, dict(
        scale_emb=3, scale_depth=1.2, dim_model_base=20, tie_word_embeddings=True, rope_parameters=YARN | dict(mscale_all_dim=0.7))),
    "youtu": ("YoutuForCausalLM", MLA, dict(attention_bias=True, q_lora_rank=None)),
    "deepseek_v2": ("DeepseekV2ForCausalLM", MLA_MOE, dict(
        topk_method="group_limited_greedy", n_group=3, topk_group=2, rope_parameters=YARN | dict(mscale=0.8, mscale_all_dim=0.6))),
    "deepseek_v3": ("DeepseekV3ForCausalLM", MLA_MOE, dict(n_group=3, topk_group=2, attention_bias=True)),
    "glm4_moe_lite": ("Glm4MoeLiteForCausalLM", {k: v for k, v in MLA_MOE.items() if k != "first_k_dense_replace"}, dict(
        n_group=1, topk_group=1, norm_topk_prob=False, rope_interleave=False)),
    "lfm2": ("Lfm2ForCausalLM", LFM2, dict(conv_bias=True, layer_types=["conv", "full_attention", "conv"], block_ffn_dim_multiplier=1.3)),
    "lfm2_moe": ("Lfm2MoeForCausalLM", {k: v for k, v in LFM2.items() if k != "block_multiple_of"}, dict(
        layer_types=["conv", "full_attention", "conv"], num_dense_layers=1, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=20,
        routed_scaling_factor=1.7)),
    "qwen3_next": ("Qwen3NextForCausalLM", DECODER, dict(
        vocab_size=64, hidden_size=24, head_dim=12, num_hidden_layers=3, layer_types=["linear_attention", "full_attention", "linear_attention"],
        linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=6, linear_value_head_dim=5, linear_conv_kernel_dim=3,
        num_experts=4, num_experts_per_tok=2, moe_intermediate_size=12, shared_expert_intermediate_size=10, norm_topk_prob=False,
        mlp_only_layers=[2], intermediate_size=28,
        rope_parameters=dict(rope_type="default", rope_theta=100.0, partial_rotary_factor=0.5))),
}

# State spaces, with and without attention beside them.
SCAN = dict(
    **TOKENS | dict(vocab_size=64), hidden_size=24, num_hidden_layers=2, state_size=6, conv_kernel=3, layer_norm_epsilon=0.02, use_bias=True,
)
SPACE = DECODER | dict(
    vocab_size=64, hidden_size=24, intermediate_size=28, mamba_n_heads=6, mamba_d_head=8, mamba_n_groups=2, mamba_d_state=5, mamba_d_conv=3,
    mamba_chunk_size=4, mamba_proj_bias=True, time_step_limit=[0.5, 0.9],
)
FIXTURES |= {
    "mamba": ("MambaForCausalLM", SCAN, dict(time_step_rank=5, tie_word_embeddings=False)),
    "mamba_no_bias": ("MambaForCausalLM", SCAN, dict(
        use_conv_bias=False, use_bias=False, expand=3, hidden_act="gelu", tie_word_embeddings=False)),
    "falcon_mamba": ("FalconMambaForCausalLM", SCAN, dict(time_step_rank=5, mixer_rms_eps=0.03, DISTINCT=3)),
    "mamba2": ("Mamba2ForCausalLM", SCAN, dict(num_heads=6, head_dim=8, n_groups=3, chunk_size=4)),
    "bamba": ("BambaForCausalLM", SPACE, dict(
        hidden_size=32, mamba_n_heads=8, attn_layer_indices=[1], attention_bias=True, mlp_bias=True, time_step_limit=[0.0, float("inf")])),
    "granitemoehybrid": ("GraniteMoeHybridForCausalLM", SPACE, dict(
        {k: v for k, v in MULTIPLIERS.items() if k != "mlp_bias"}, position_embedding_type="rope",
        layer_types=["linear_attention", "full_attention"], num_local_experts=4, shared_intermediate_size=20, time_step_limit=[0.0, float("inf")])),
}
NARROW_DECODER = DECODER | dict(vocab_size=64, hidden_size=24, intermediate_size=28)
FIXTURES |= {
    "falcon_h1": ("FalconH1ForCausalLM", SPACE, dict(
        mamba_d_ssm=48, mamba_rms_norm=True, mamba_norm_before_gate=False, projectors_bias=True, attention_bias=True, mlp_bias=True, time_step_limit=[0.0, float("inf")],
        embedding_multiplier=2.0, attention_in_multiplier=0.8, key_multiplier=0.6, attention_out_multiplier=1.2, ssm_in_multiplier=1.3,
        ssm_out_multiplier=0.75, ssm_multipliers=[0.9, 1.1, 0.8, 1.3, 0.7], mlp_multipliers=[0.7, 1.4], lm_head_multiplier=0.6)),
    "falcon_h1_norm_before_gate": ("FalconH1ForCausalLM", SPACE, dict(
        mamba_d_ssm=48, mamba_rms_norm=True, mamba_proj_bias=False, time_step_limit=[0.0, float("inf")])),
    "nemotron_h": ("NemotronHForCausalLM", {
        k: v for k, v in NARROW_DECODER.items() if k not in ("rms_norm_eps", "rope_parameters", "num_hidden_layers")}, dict(
        layers_block_type=["linear_attention", "moe", "full_attention", "mlp"], head_dim=10, mamba_num_heads=6, mamba_head_dim=8, n_groups=2,
        ssm_state_size=5, conv_kernel=3, chunk_size=4, use_bias=True, mlp_bias=True, layer_norm_epsilon=0.02, time_step_min=1e-9,
        n_routed_experts=6, n_group=3, topk_group=2, moe_intermediate_size=12, moe_shared_expert_intermediate_size=10, moe_latent_size=14,
        routed_scaling_factor=1.7)),
    "jamba": ("JambaForCausalLM", {k: v for k, v in NARROW_DECODER.items() if k != "rope_parameters"}, dict(
        attn_layer_period=2, attn_layer_offset=1, expert_layer_period=2, expert_layer_offset=0, num_experts=4, mamba_d_state=6, mamba_d_conv=3,
        mamba_dt_rank=5, mamba_proj_bias=True)),
    "minimax": ("MiniMaxForCausalLM", NARROW_DECODER, dict(
        head_dim=8, layer_types=["full_attention", "linear_attention"], block_size=4, num_local_experts=4, full_attn_alpha_factor=1.3,
        full_attn_beta_factor=0.8, linear_attn_alpha_factor=0.7, linear_attn_beta_factor=1.2, mlp_alpha_factor=1.1, mlp_beta_factor=0.9)),
    "recurrent_gemma": ("RecurrentGemmaForCausalLM", NARROW_DECODER, dict(
        num_hidden_layers=3, lru_width=24, attention_window_size=5, logits_soft_cap=8.0, conv1d_width=3, tie_word_embeddings=True, attention_bias=True,
        rope_parameters=dict(rope_type="default", rope_theta=100.0, partial_rotary_factor=0.34))),
    "rwkv": ("RwkvForCausalLM", TOKENS, dict(
        vocab_size=64, hidden_size=24, intermediate_size=40, num_hidden_layers=3, rescale_every=2, layer_norm_epsilon=0.02)),
}


# Mixtures of many small experts.
EXPERTS = DECODER | dict(
    vocab_size=64, hidden_size=24, intermediate_size=28, moe_intermediate_size=12, num_experts_per_tok=2, head_dim=8)
ROUTED = dict(n_routed_experts=6, n_shared_experts=2, routed_scaling_factor=1.7, norm_topk_prob=True)
FIXTURES |= {
    "glm4_moe": ("Glm4MoeForCausalLM", EXPERTS, dict(
        ROUTED, first_k_dense_replace=1, n_group=3, topk_group=2, use_qk_norm=True, attention_bias=True, rope_parameters=partial(0.5))),
    "solar_open": ("SolarOpenForCausalLM", EXPERTS, dict(ROUTED, n_shared_experts=1, norm_topk_prob=False)),
    "dots1": ("Dots1ForCausalLM", EXPERTS, dict(
        ROUTED, first_k_dense_replace=1, sliding_window=5, max_window_layers=1, attention_bias=True)),
    "exaone_moe": ("ExaoneMoeForCausalLM", EXPERTS, dict(
        MIXED, num_experts=6, num_shared_experts=2, first_k_dense_replace=1, routed_scaling_factor=1.7)),
    "minimax_m2": ("MiniMaxM2ForCausalLM", without(EXPERTS, "moe_intermediate_size"), dict(num_local_experts=5, intermediate_size=12, rope_parameters=partial(0.5))),
    "ernie4_5_moe": ("Ernie4_5_MoeForCausalLM", EXPERTS, dict(
        moe_num_experts=5, moe_k=2, moe_num_shared_experts=1, moe_layer_start_index=1, moe_norm_min=0.5, use_bias=True, tie_word_embeddings=True, DISTINCT=3)),
    "afmoe": ("AfmoeForCausalLM", EXPERTS, dict(
        MIXED, num_experts=5, num_shared_experts=1, num_dense_layers=1, mup_enabled=True, route_scale=1.4, attention_bias=True)),
    "cohere2_moe": ("Cohere2MoeForCausalLM", without(EXPERTS, "moe_intermediate_size"), dict(
        num_hidden_layers=3, layer_types=["full_attention", "sliding_attention", "full_attention"], sliding_window=5,
        mlp_layer_types=["dense", "sparse", "sparse"], prefix_dense_intermediate_size=20, intermediate_size=12, num_experts=5,
        num_shared_experts=1, expert_selection_fn="sigmoid", layer_norm_eps=0.02, rms_norm_eps=None,
        logit_scale=0.5, tie_word_embeddings=True, rope_theta=100.0)),
    "mimo_v2_flash": ("MiMoV2FlashForCausalLM", EXPERTS, dict(
        n_routed_experts=6, v_head_dim=6, sliding_window=5, layer_types=["full_attention", "sliding_attention"],
        mlp_layer_types=["sparse", "dense"], attention_bias=True, num_key_value_heads=1,
        rope_parameters=by_kind(partial(0.5), partial(0.25, rope_theta=40.0)))),
    "hunyuan_moe": ("HunYuanMoEV1ForCausalLM", without(EXPERTS, "moe_intermediate_size"), dict(num_experts=5, moe_topk=2, intermediate_size=12, attention_bias=True)),
    "flex_olmo": ("FlexOlmoForCausalLM", without(EXPERTS, "moe_intermediate_size", "head_dim"), dict(num_experts=5, intermediate_size=12, norm_topk_prob=True)),
    "dbrx": ("DbrxForCausalLM", {}, dict(
        vocab_size=64, d_model=24, n_heads=4, n_layers=2, max_seq_len=64, rope_parameters=dict(rope_type="default", rope_theta=100.0),
        attn_config=dict(kv_n_heads=2, clip_qkv=0.6, rope_theta=100.0),
        ffn_config=dict(hidden_size=24, ffn_hidden_size=12, moe_num_experts=5, moe_top_k=2, moe_normalize_expert_weights=1.0))),
    # The last layer turns nothing and sees every key; every layer's chunk is shorter than the rows.
    "llama4": ("Llama4ForCausalLM", without(EXPERTS, "moe_intermediate_size"), dict(
        num_hidden_layers=3, intermediate_size=12, intermediate_size_mlp=28, num_local_experts=4, interleave_moe_layer_step=2,
        no_rope_layers=[1, 1, 0], layer_types=["chunked_attention", "full_attention", "full_attention"], attention_chunk_size=5,
        attn_scale=0.5, floor_scale=4, attention_bias=True)),
    "longcat_flash": ("LongcatFlashForCausalLM", MLA, dict(
        hidden_size=24, head_dim=8, num_layers=1, ffn_hidden_size=28, expert_ffn_hidden_size=12, moe_topk=2, n_routed_experts=4, zero_expert_num=2,
        routed_scaling_factor=1.7, q_lora_rank=12, attention_bias=True)),
    "deepseek_v32": ("DeepseekV32ForCausalLM", MLA_MOE, dict(
        index_topk=5, index_head_dim=12, index_n_heads=8, n_group=3, topk_group=2)),
    "glm_moe_dsa": ("GlmMoeDsaForCausalLM", MLA_MOE, dict(index_topk=5, index_head_dim=12, index_n_heads=8, n_group=1, topk_group=1)),
}

# Mixers that keep a state of one size.
DELTA = DECODER | dict(
    vocab_size=64, hidden_size=24, intermediate_size=28, head_dim=12, num_hidden_layers=3,
    layer_types=["linear_attention", "full_attention", "linear_attention"], linear_num_key_heads=2, linear_num_value_heads=4,
    linear_key_head_dim=6, linear_value_head_dim=5, linear_conv_kernel_dim=3)
FIXTURES |= {
    "qwen3_5": ("Qwen3_5ForCausalLM", DELTA, dict(attention_bias=True, rope_parameters=partial(0.5))),
    "qwen3_5_moe": ("Qwen3_5MoeForCausalLM", DELTA, dict(
        num_experts=4, num_experts_per_tok=2, moe_intermediate_size=12, shared_expert_intermediate_size=10, rope_parameters=partial(0.5))),
    # Keys and values as wide as each other: transformers cuts its joined convolution into equal thirds when it saves.
    "olmo_hybrid": ("OlmoHybridForCausalLM", without(DELTA, "head_dim", "rope_parameters"), dict(
        linear_num_key_heads=4, linear_value_head_dim=6)),
    "olmo_hybrid_rotary": ("OlmoHybridForCausalLM", without(DELTA, "head_dim"), dict(
        linear_num_key_heads=2, linear_value_head_dim=3, linear_allow_neg_eigval=False)),
    "kimi_linear": ("KimiLinearForCausalLM", without(MLA, "rope_parameters"), dict(
        hidden_size=24, num_hidden_layers=3, layer_types=["linear_attention", "full_attention", "linear_attention"],
        mlp_layer_types=["dense", "sparse", "sparse"], linear_num_heads=3, linear_head_dim=6, linear_conv_kernel_dim=3, q_lora_rank=12,
        num_local_experts=6, num_experts_per_tok=2, moe_intermediate_size=12, intermediate_size=28, n_group=3, topk_group=2,
        routed_scaling_factor=1.7, n_shared_experts=1)),
}

# Encoders whose scores know more than content, or whose tokens see only a part of the text.
DEBERTA = without(ENCODER, "attention_probs_dropout_prob") | dict(
    type_vocab_size=3, relative_attention=True, pos_att_type=["p2c", "c2p"], position_biased_input=False, pooler_hidden_size=32)
LED = without(BART, "max_position_embeddings") | dict(max_encoder_position_embeddings=40, max_decoder_position_embeddings=32, encoder_layers=2)
FIXTURES |= {
    "deberta": ("DebertaForMaskedLM", DEBERTA, dict(max_relative_positions=20)),
    "deberta_absolute": ("DebertaForMaskedLM", DEBERTA, dict(type_vocab_size=0, relative_attention=False, pos_att_type=None, position_biased_input=True)),
    "deberta_v2": ("DebertaV2ForMaskedLM", DEBERTA, dict(position_buckets=4, share_att_key=True, norm_rel_ebd="layer_norm", max_relative_positions=12)),
    "deberta_v2_by_key": ("DebertaV2ForMaskedLM", DEBERTA, dict(
        type_vocab_size=0, pos_att_type=["p2c"], max_relative_positions=9, embedding_size=20, position_biased_input=True)),
    "longformer": ("LongformerForMaskedLM", AFTER_PADDING, dict(attention_window=[4, 4], type_vocab_size=2, sep_token_id=2)),
    "led": ("LEDForConditionalGeneration", LED, dict(attention_window=[6, 6], DISTINCT=3)),
    "big_bird": ("BigBirdForMaskedLM", BERT, dict(
        attention_type="original_full", block_size=3, use_bias=False, rescale_embeddings=True)),
    "big_bird_blocks": ("BigBirdForMaskedLM", BERT, dict(
        attention_type="block_sparse", block_size=4, num_random_blocks=1, max_position_embeddings=28, hidden_act="gelu_new")),
    "big_bird_sparse": ("BigBirdForMaskedLM", BERT, dict(attention_type="block_sparse", block_size=2, num_random_blocks=1, SEQ=23)),
    "longt5": ("LongT5ForConditionalGeneration", T5, dict(local_radius=3, encoder_attention_type="local")),
    # No expert takes more than six tokens of a text.
    "switch_transformers": ("SwitchTransformersForConditionalGeneration", T5, dict(
        num_decoder_layers=2, num_experts=2, expert_capacity=6, num_sparse_encoder_layers=1, num_sparse_decoder_layers=1, router_bias=True, DISTINCT=3)),
}

# The reference computes the scores of each pair of heads twice.
FIXTURES |= {
    "diffllama": ("DiffLlamaForCausalLM", DECODER, dict(head_dim=8, attention_bias=True, num_hidden_layers=3, DISTINCT=3)),
}

# Heads are experts as well.
FIXTURES |= {
    "jetmoe": ("JetMoeForCausalLM", without(DECODER, "num_attention_heads"), dict(
        kv_channels=8, num_local_experts=5, num_experts_per_tok=3, intermediate_size=24, tie_word_embeddings=True)),
}

# Parameters of a class that its outputs do not depend on, or that are no more than a formula.
UNREAD = {
    "EsmForMaskedLM": "contact_head", "RoFormerForMaskedLM": "embed_positions",
    "BigBirdForMaskedLM": "pooler", "LongformerForMaskedLM": "_global", "LEDForConditionalGeneration": "_global",
}
# Rows of a class's matrices that stand for experts without any.
NO_EXPERTS = {
    "longcat_flash": lambda c: c.num_layers * c.zero_expert_num * 2 * c.expert_ffn_hidden_size * c.hidden_size,
}
# transformers 4 had no such model, or wrote the same keys.
NO_LEGACY = {"mimo_v2_flash"}
# Biases of choices, which are not trained.
CHOICE_BIASES = ("e_score_correction_bias", "expert_bias")


def randomise(model, generator):
    """Weights around 0 with deviation 0.2, norm scales around 1, biases off 0; sinusoids stay what they are."""
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad and not name.endswith(CHOICE_BIASES):
            continue
        noise = 0.2 * torch.randn(parameter.shape, generator=generator)
        is_scale = parameter.dim() == 1 and name.endswith("weight")
        parameter.data = noise + 1.0 if is_scale else noise
    for name, buffer in model.named_buffers():
        if name == "final_logits_bias" or name.endswith(CHOICE_BIASES):
            buffer.copy_(0.2 * torch.randn(buffer.shape, generator=generator))


def legacy(config, values):
    """The same configuration as transformers 4 wrote it; `values` are those given to the class."""
    old = dict(config, torch_dtype=config["dtype"], transformers_version="4.46.0")
    for key in ("dtype", "rope_parameters"):
        old.pop(key, None)
    if "layer_types" not in values:
        old.pop("layer_types", None)
    rope = config.get("rope_parameters", {})
    if "full_attention" in rope and "local_attention" in config:
        old["global_rope_theta"] = rope["full_attention"]["rope_theta"]
        old["local_rope_theta"] = rope["sliding_attention"]["rope_theta"]
        old["global_attn_every_n_layers"] = 3
    elif rope:
        scaling = dict(rope.get("full_attention", rope))
        fraction, theta = scaling.pop("partial_rotary_factor", None), scaling.pop("rope_theta")
        if rope.get("sliding_attention", {}).get("rope_theta", theta) != theta:
            old["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
        if config["model_type"] == "gpt_neox":
            old.update(rotary_emb_base=theta, rotary_pct=fraction)
        else:
            old.update(rope_theta=theta, **({} if fraction is None else {"partial_rotary_factor": fraction}))
        old["rope_scaling"] = None if scaling["rope_type"] == "default" else scaling
    if "_sliding_window_pattern" in old:
        old["sliding_window_pattern"] = old.pop("_sliding_window_pattern")
    if "sliding_window" in old and "local_attention" not in old:  # transformers 5 drops a window that is switched off
        old["sliding_window"] = values.get("sliding_window")
    if "scale_decoder_outputs" in old:  # T5: the old key says nothing about tying
        old["tie_word_embeddings"] = old.pop("scale_decoder_outputs")
    return old


def write_model(name, folder, attempt):
    """Create the model of fixture `name` and save it to `folder`."""
    class_name, defaults, changes = FIXTURES[name]
    values = defaults | changes
    dtype, shard = values.pop("DTYPE", torch.float32), values.pop("SHARD", "1GB")
    untie, _, _ = values.pop("UNTIE", False), values.pop("DISTINCT", None), values.pop("SEQ", None)
    model_class = getattr(transformers, class_name)
    seed = zlib.crc32(name.encode()) + attempt
    torch.manual_seed(seed)
    model = model_class(model_class.config_class(**values))
    if untie:
        model.lm_head.weight = torch.nn.Parameter(torch.empty_like(model.lm_head.weight))
    randomise(model, torch.Generator().manual_seed(seed))
    model.to(dtype).save_pretrained(folder, max_shard_size=shard)
    (folder / "generation_config.json").unlink(missing_ok=True)
    config = json.loads((folder / "config.json").read_text())
    if dump_reference.task_of(model.config) not in ("causal_lm", "seq2seq") and "rope_parameters" not in config:
        return
    if config["model_type"] in NO_LEGACY:
        return
    (folder / "config.legacy.json").write_text(json.dumps(legacy(config, values), indent=2) + "\n")


def main_output(case):
    return "logits" if "logits" in case else "last_hidden_state"


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
        return torch.equal(forward(model, case)[main_output(case)], case[main_output(case)])
    finally:
        config.write_text(text)


def flops(model, case):
    """The products of a forward pass, as the model's formula has them."""
    model.requires_grad_(False)  # the counter hooks onto what would be trained
    with FlopCounterMode(display=False, depth=None) as counter:
        forward(model, case)
    return counter.get_total_flops() + reference_work.correction(model, counter.get_flop_counts(), case)


def describe(model, case):
    """The content of meta.json."""
    work = flops(model, case)
    main = main_output(case)
    try:
        exact = forward(model.double(), case)[main]
    except RuntimeError:  # some reference models build their masks in float32 alone
        exact = None
    meta = {
        "params": sum(p.numel() for p in model.parameters()),
        "flops": work,
        "batch": BATCH,
        "seq": case["input_ids"].shape[1],
    }
    # What the config alone says: a class may tie weights that this checkpoint keeps apart.
    by_config = sum(p.numel() for p in type(model)(model.config).parameters())
    if by_config != meta["params"]:
        meta["params_by_config"] = by_config
    no_experts = NO_EXPERTS.get(model.config.model_type)
    if no_experts:
        meta["params_by_config"] = meta["params"] - no_experts(model.config)
    # Weights that the outputs do not depend on: they are no part of the compiled model.
    unread = UNREAD.get(type(model).__name__)
    if unread:
        kept = (p.numel() for n, p in model.named_parameters() if unread not in n)
        meta["params_by_config"] = sum(kept)
    if "decoder_input_ids" in case:
        meta["decoder_seq"] = case["decoder_input_ids"].shape[1]
    # The case's own rounding noise: asking an implementation for less makes no sense.
    if exact is not None:
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
        case = dump_reference.build(model, task, FIXTURES[name][2].get("SEQ", SEQ), BATCH, seed=attempt)
        # Greedy decoding says most when it neither hangs on a near tie nor repeats one token.
        if "greedy.ids" not in case or (dump_reference.margin(case) > 0.02 and len(case["greedy.ids"].unique()) >= FIXTURES[name][2].get("DISTINCT", 5)):
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


def recount(name):
    """Renew the FLOPs of a fixture alone."""
    folder = ROOT / name
    model, _ = dump_reference.load(folder)
    meta = json.loads((folder / "meta.json").read_text())
    meta["flops"] = flops(model, load_file(folder / "case.safetensors"))
    (folder / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")
    print(f"{name:22} {meta['flops']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="name", help=f"default: all of {', '.join(FIXTURES)}")
    parser.add_argument("--flops", action="store_true", help="count the work of stored fixtures again, and change nothing else")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name in args.names or FIXTURES:
        if name not in FIXTURES:
            parser.error(f"no fixture is called {name}")
        (recount if args.flops else make)(name)


if __name__ == "__main__":
    main()
