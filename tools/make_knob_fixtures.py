#!/usr/bin/env python3
"""Write tests/fixtures/knobs: the standard transformer with each knob turned at least once.

Each folder holds spec.toml, model.safetensors with random weights, case.safetensors (the keys
of dump_reference.py; greedy tokens by recomputing every step) and meta.json. The reference is
reference_transformer.py. Everything is seeded by the fixture's name.
"""

import json
import shutil
import sys
import tomllib
import zlib
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.utils.flop_counter import FlopCounterMode

import dump_reference
from reference_attention import excess
from reference_transformer import FFN, NORM_TENSORS, encode, forward, shapes

ROOT = Path(__file__).resolve().parent.parent / "tests/fixtures/knobs"
SEQ, BATCH, STEPS = 14, 2, 8

TOP = dict(vocab_size=64, d_model=32, n_layers=2, max_seq_len=40, tied=False)
ATTENTION = dict(kind="mha", n_heads=4, bias=False, out_bias=False, qk_norm=False, causal=True)
NORM = dict(kind="rms", placement="pre", eps=0.02)

# name: (top level, attention, norm, ffn, positions); a string stands for a `kind`.
GQA = dict(kind="gqa", n_kv_heads=2)
BIASES = dict(bias=True, out_bias=True)
KNOBS = {
    # Shapes of well-known models.
    "gpt": (dict(tied=True), BIASES, "layer", dict(kind="gelu_tanh", bias=True), "learned"),
    "original": ({}, BIASES, dict(kind="layer", placement="post"), dict(kind="relu", bias=True), "sinusoidal"),
    "encoder": (
        {}, BIASES | dict(causal=False), dict(kind="layer", placement="post"), dict(kind="gelu", bias=True), "learned"),
    "llama_like": ({}, GQA, {}, "swiglu", "rope"),
    # Attention.
    "mha_rope": (dict(tied=True), {}, {}, "geglu", "rope"),
    "mqa_wide_heads": ({}, dict(kind="mqa", d_head=12), {}, "geglu", "rope"),
    "gqa_window": ({}, GQA | dict(window=5), {}, "swiglu", "rope"),
    "mqa_window_sinusoidal": (dict(tied=True), dict(kind="mqa", window=3), "layer", "gelu", "sinusoidal"),
    "prefix": (dict(n_layers=3), GQA | dict(prefix=6), {}, "swiglu", "rope"),
    "qk_norm": ({}, GQA | dict(qk_norm=True, d_head=16), {}, "swiglu", "rope"),
    "qk_norm_learned": ({}, dict(qk_norm=True), "layer", "gelu", "learned"),
    "qkv_bias": ({}, GQA | dict(bias=True), {}, "swiglu", "rope"),
    "out_bias": (dict(n_layers=3), dict(out_bias=True, n_heads=2), {}, "silu", "rope"),
    "no_positions": ({}, GQA, {}, "geglu_tanh", "none"),
    "alibi": ({}, GQA | dict(n_heads=6, d_head=8), {}, "swiglu", "alibi"),
    "encoder_alibi": ({}, dict(causal=False), "layer", "gelu", "alibi"),
    "encoder_rope": ({}, GQA | dict(causal=False, qk_norm=True), {}, "swiglu", "rope"),
    "encoder_window": ({}, dict(causal=False, window=4), "layer", "relu", "sinusoidal"),
    # Kinds of attention beside the softmax over all keys.
    "mla": ({}, dict(kind="mla", q_rank=20, kv_rank=24, d_rope=6, d_v=10, rope=dict(theta=100.0)), {}, "swiglu", "rope"),
    "mla_expanded": (
        {}, dict(kind="mla", kv_rank=24, d_rope=6, decoding="expanded"), dict(placement="sandwich"), "geglu", "rope"),
    "mla_defaults": ({}, dict(kind="mla"), {}, "swiglu", "rope"),
    "linear_elu": ({}, dict(kind="linear", n_kv_heads=2), {}, "swiglu", "rope"),
    "linear_softmax": ({}, dict(kind="linear", features="softmax"), "layer", "gelu", "sinusoidal"),
    "linear_encoder": ({}, dict(kind="linear", causal=False), "layer", "gelu", "learned"),
    "multi_scale": ({}, dict(kind="multi_scale", windows=[3, 0]), {}, "swiglu", "rope"),
    "multi_scale_encoder": ({}, dict(kind="multi_scale", windows=[2, 5, 0, 3], causal=False), "layer", "gelu", "learned"),
    "dca": ({}, dict(kind="dca", n_kv_heads=2, trained=7, chunk=4), {}, "swiglu", "rope"),
    "sparse_strided": ({}, dict(kind="sparse", pattern=dict(kind="strided", stride=3)), {}, "swiglu", "rope"),
    "sparse_local": ({}, dict(kind="sparse", n_kv_heads=2, pattern=dict(kind="local", size=4)), {}, "swiglu", "rope"),
    "sparse_blocks": (
        {}, dict(kind="sparse", pattern={"kind": "blocks", "size": 2, "local": 1, "global": 1, "random": 0, "seed": 0}),
        {}, "swiglu", "rope"),
    "sparse_random": (
        {}, dict(kind="sparse", pattern={"kind": "blocks", "size": 2, "local": 0, "global": 1, "random": 2, "seed": 5}),
        {}, "geglu", "sinusoidal"),
    "sparse_encoder": (
        {}, dict(kind="sparse", causal=False, pattern={"kind": "blocks", "size": 2, "local": 1, "global": 1, "random": 1, "seed": 3}),
        "layer", "gelu", "learned"),
    "dynamic_context": (
        {}, dict(kind="dynamic_context", n_kv_heads=2, top_k=4, index_heads=3, d_index=6), {}, "swiglu", "rope"),
    "gated_delta": ({}, dict(kind="gated_delta", n_kv_heads=2, conv=3), {}, "swiglu", "none"),
    # Norms and their places.
    "post_rms": ({}, {}, dict(placement="post"), dict(kind="reglu", bias=True), "rope"),
    "sandwich_rms": (dict(tied=True), GQA | dict(window=6), dict(placement="sandwich"), "geglu_tanh", "rope"),
    "sandwich_layer": ({}, BIASES, dict(kind="layer", placement="sandwich"), "silu", "learned"),
    "branch_rms": ({}, dict(qk_norm=True), dict(placement="branch"), "swiglu", "rope"),
    "branch_layer": ({}, {}, dict(kind="layer", placement="branch"), "relu2", "sinusoidal"),
    "parallel_layer": (
        {}, dict(bias=True), dict(kind="layer", placement="parallel"), dict(kind="gelu", bias=True), "rope"),
    "parallel_rms": ({}, dict(kind="mqa"), dict(placement="parallel"), "silu", "rope"),
    "deepnorm": ({}, BIASES, dict(kind="layer", placement="deepnorm", embedding=True), dict(kind="gelu", bias=True), "learned"),
    "pre_group": ({}, GQA, dict(kind="group", groups=4), "swiglu", "rope"),
    "pre_rms_plain": (dict(tied=True), GQA, dict(kind="rms_plain", embedding=True), "swiglu", "rope"),
    "sandwich_layer_plain": ({}, {}, dict(kind="layer_plain", placement="sandwich"), "gelu", "sinusoidal"),
    "pre_batch": ({}, {}, "batch", "relu2", "learned"),
    "post_batch": ({}, BIASES, dict(kind="batch", placement="post"), dict(kind="relu", bias=True), "sinusoidal"),
    "parallel_batch": ({}, GQA | dict(window=5), dict(kind="batch", placement="parallel"), "reglu", "rope"),
    "no_norm": ({}, GQA, "none", "swiglu", "rope"),
    "parallel_two_norms": ({}, GQA, dict(kind="layer_no_bias", placement="parallel_two_norms"), "silu", "rope"),
    "pre_layer_plus_one": (dict(tied=True), BIASES, "layer_plus_one", "tanh", "learned"),
    "sandwich_rms_plus_one": ({}, GQA, dict(kind="rms_plus_one", placement="sandwich"), "geglu_tanh", "rope"),
    # What surrounds the layers.
    "factorised": (dict(embedding=dict(d=20), head=dict(bias=True)), {}, {}, "gelu_quick", dict(kind="learned", offset=2)),
    "multipliers": (
        dict(multipliers=dict(embedding=3.0, residual=0.4, logits=0.5), head=dict(softcap=3.0)), GQA, {}, "swiglu",
        dict(kind="sinusoidal", interleaved=True)),
    "multipliers_parallel": (dict(multipliers=dict(residual=0.7)), {}, dict(placement="parallel"), "bilinear", "rope"),
    "masked_lm": (
        dict(task="masked_lm", tied=True, head=dict(bias=True)), BIASES | dict(causal=False), dict(kind="layer", placement="post"),
        dict(kind="gelu", bias=True), "learned"),
    "segmented": (
        dict(task="segmented", embedding=dict(n_token_types=3)), BIASES | dict(causal=False),
        dict(kind="layer", placement="post", embedding=True), dict(kind="gelu", bias=True), "learned"),
    "classifier_first": (
        dict(task="classifier", head=dict(n_labels=3, pooling="first")), dict(causal=False), "layer", "gelu", "learned"),
    "classifier_mean": (
        dict(task="classifier", head=dict(n_labels=4, pooling="mean")), GQA | dict(causal=False), {}, "swiglu", "rope"),
    "classifier_last": (dict(task="classifier", head=dict(n_labels=3, pooling="last")), GQA, {}, "swiglu", "rope"),
    "base": (dict(task="base"), GQA, {}, "swiglu", "rope"),
    "seq2seq": (
        dict(task="seq2seq", n_encoder_layers=3), BIASES, dict(kind="layer", placement="post"), dict(kind="relu", bias=True),
        "sinusoidal"),
    "seq2seq_grouped": (
        dict(task="seq2seq", n_encoder_layers=1), GQA | dict(window=5, qk_norm=True), dict(placement="sandwich"), "swiglu", "rope"),
    "seq2seq_everything": (
        dict(task="seq2seq", n_encoder_layers=2), GQA | dict(window=4, sinks=True, gate=True, global_every=2, d_value=6), {},
        dict(kind="swiglu", moe=dict(n_experts=4, n_active=2, d_expert=20, every=2)), "rope"),
    "seq2seq_buckets": (
        dict(task="seq2seq", n_encoder_layers=2), {}, {}, "relu", dict(kind="buckets", n_buckets=8, max_distance=10)),
    "seq2seq_linear": (dict(task="seq2seq", n_encoder_layers=2), dict(kind="linear"), {}, "swiglu", "rope"),
    "seq2seq_sparse": (
        dict(task="seq2seq", n_encoder_layers=1),
        dict(kind="sparse", pattern={"kind": "blocks", "size": 2, "local": 1, "global": 1, "random": 1, "seed": 2}), {}, "swiglu", "rope"),
    "conditioned": (dict(task="conditioned", d_features=20), GQA, {}, "swiglu", "rope"),
    # More of attention.
    "chunked": ({}, GQA | dict(chunk_len=5), {}, "swiglu", "rope"),
    "local_global": (
        dict(n_layers=4), GQA | dict(window=4, global_every=2, global_rope=False), {}, "swiglu", "rope"),
    "chunked_global": (dict(n_layers=3), dict(chunk_len=4, global_every=3), {}, "geglu", "rope"),
    "sinks_and_gate": ({}, GQA | dict(window=6, sinks=True, gate=True), {}, "geglu_quick", "rope"),
    "qk_norm_features": ({}, GQA | dict(qk_norm=True, qk_norm_place="features"), {}, "swiglu", "rope"),
    "qk_norm_turned": ({}, GQA | dict(qk_norm=True, qk_norm_place="turned"), {}, "swiglu", "rope"),
    "bias_by_matrix": (
        {}, GQA | dict(bias=True, k_bias=False), {}, dict(kind="swiglu", bias=True, gate_bias=False), "rope"),
    "clamped": ({}, {}, {}, dict(kind="swiglu", limit=0.3), "rope"),
    "scale_softcap": ({}, GQA | dict(scale=0.6, softcap=1.5), {}, "swiglu", "rope"),
    "wide_values": ({}, GQA | dict(d_value=14, gate=True), {}, "swiglu", "rope"),
    "local_global_theta": (
        dict(n_layers=4), GQA | dict(window=4, global_every=2, global_theta=7.0), {}, "swiglu", "rope"),
    # Positions.
    "buckets": (dict(n_layers=3), GQA, {}, "relu", dict(kind="buckets", n_buckets=6, max_distance=9)),
    "buckets_window": ({}, dict(window=6), {}, "swiglu", dict(kind="buckets", n_buckets=6, max_distance=9)),
    "buckets_encoder": ({}, dict(causal=False), "layer", "gelu", dict(kind="buckets", n_buckets=8, max_distance=10)),
    "rope_interleaved": ({}, GQA | dict(rope=dict(d_rot=6, layout="interleaved")), {}, "swiglu", "rope"),
    "rope_linear": ({}, GQA | dict(rope=dict(scaling=dict(kind="linear", factor=2.5))), {}, "swiglu", "rope"),
    "rope_dynamic": ({}, GQA | dict(rope=dict(scaling=dict(kind="dynamic", factor=2.0, original_max=40))), {}, "swiglu", "rope"),
    "rope_llama3": ({}, GQA | dict(rope=dict(scaling=dict(
        kind="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max=32))), {}, "swiglu", "rope"),
    "rope_yarn": ({}, GQA | dict(d_head=16, rope=dict(scaling=dict(
        kind="yarn", factor=4.0, original_max=16, beta_fast=4.0, beta_slow=0.25, attention_factor=1.2))), {}, "swiglu", "rope"),
    "rope_longrope": ({}, GQA | dict(rope=dict(scaling=dict(
        kind="longrope", short=[1.0, 1.2, 1.5, 2.0], long=[2.0, 3.0, 4.0, 6.0], original_max=64, attention_factor=1.1))),
        {}, "swiglu", "rope"),
    # Mixtures of experts.
    "moe": ({}, GQA, {}, dict(kind="swiglu", moe=dict(n_experts=4, n_active=2, d_expert=20)), "rope"),
    "moe_plain": (
        {}, {}, "layer", dict(kind="gelu", bias=True, moe=dict(n_experts=5, n_active=1, renormalise="none")), "learned"),
    "moe_shared": (
        dict(n_layers=4), GQA, {}, dict(kind="swiglu", moe=dict(
            n_experts=6, n_active=3, d_expert=12, score="sigmoid", choice_bias=True, factor=1.7, n_shared=2, shared_gate=True, n_dense=1,
            every=2)), "rope"),
    "moe_groups": (
        {}, GQA, {}, dict(kind="swiglu", limit=0.4, moe=dict(
            n_experts=8, n_active=2, d_expert=16, score="sigmoid", n_shared=1, groups=dict(kind="top2_sum", groups=4, chosen=2))), "rope"),
    "moe_best_group": (
        {}, GQA, {}, dict(kind="swiglu", moe=dict(
            n_experts=6, n_active=2, d_expert=16, renormalise="none", groups=dict(kind="max", groups=3, chosen=2))), "rope"),
    "moe_chosen_softmax": (
        {}, GQA, {}, dict(kind="geglu", moe=dict(n_experts=5, n_active=3, d_expert=16, score="chosen_softmax")), "rope"),
    "moe_sparse_mixer": (
        {}, GQA, {}, dict(kind="swiglu", moe=dict(
            n_experts=5, n_active=2, d_expert=16, score=dict(kind="sparse_mixer", jitter=0.3), renormalise="none")), "rope"),
    "moe_clamped_sum": (
        {}, GQA, {}, dict(kind="swiglu", moe=dict(
            n_experts=6, n_active=3, d_expert=12, score="sigmoid", renormalise=dict(kind="clamped_sum", least=1.9), factor=0.7)), "rope"),
}


def as_table(value):
    return {"kind": value} if isinstance(value, str) else value


def spec_of(name):
    top, attention, norm, ffn, positions = KNOBS[name]
    norm, ffn = NORM | as_table(norm), as_table(ffn)
    attention, positions = ATTENTION | attention, as_table(positions)
    if positions["kind"] == "rope":
        attention["rope"] = dict(theta=100.0) | attention.get("rope", {})
    return {"name": name} | TOP | top | {
        "attention": attention,
        "norm": {"kind": "none"} if norm["kind"] == "none" else norm,
        "ffn": dict(kind=ffn["kind"], d_ff=48, bias=ffn.get("bias", False)) | ffn,
        "positions": positions,
    }


def to_toml(spec):
    def value(v):
        if isinstance(v, dict):
            return "{ " + ", ".join(f"{k} = {value(x)}" for k, x in v.items()) + " }"
        return json.dumps(v)

    lines = [f"{k} = {value(v)}" for k, v in spec.items() if not isinstance(v, dict)]
    for section, table in spec.items():
        if isinstance(table, dict):
            lines += ["", f"[{section}]"] + [f"{k} = {value(v)}" for k, v in table.items()]
    return "\n".join(lines) + "\n"


def random_weights(spec, generator):
    """Weights around 0, scales and variances around 1, biases and means off 0."""
    weights = {}
    for name, shape in shapes(spec).items():
        noise = 0.2 * torch.randn(shape, generator=generator)
        if name.endswith("_conv.weight"):
            noise = 2.5 * noise
        elif len(shape) == 1 and name.endswith("weight"):
            noise = noise + 1.0
        elif name.endswith("running_var"):
            noise = (2.0 * noise).exp()
        elif ".index_" in name or ".router" in name:  # distinct scores, so that the choice does not hang on rounding
            noise = 3.0 * noise
        elif name.endswith("sinks"):
            noise = 5.0 * noise
        elif name == "embed.weight" and not spec["tied"]:  # comparable with sinusoidal positions
            noise = 5.0 * noise
        elif name.startswith("layers") and len(shape) == 2 and spec["norm"]["kind"] in ("batch", "none"):
            noise = 0.6 * noise  # nothing rescales the activations, so keep them from growing
        weights[name] = noise
    return weights


@torch.no_grad()
def make_case(spec, weights, generator):
    task = spec.get("task", "causal_lm")
    ids = torch.randint(3, spec["vocab_size"], (BATCH, SEQ), generator=generator)
    if task == "seq2seq":
        return seq2seq_case(spec, weights, ids, generator)
    if task == "conditioned":
        return conditioned_case(spec, weights, ids, generator)
    name = "last_hidden_state" if task in ("base", "segmented") else "logits"
    case, types = {"input_ids": ids}, None
    if task == "segmented":
        case["token_type_ids"] = types = torch.randint(0, spec["embedding"]["n_token_types"], ids.shape, generator=generator)
    case[name], states = forward(spec, weights, ids, types=types)
    case.update({f"hidden_states.{i}": state for i, state in enumerate(states)})
    if task in ("causal_lm", "masked_lm") and spec["attention"]["causal"]:
        known, rows = ids[:1], []
        for _ in range(STEPS):
            rows.append(forward(spec, weights, known)[0][0, -1])
            known = torch.cat([known, rows[-1].argmax().view(1, 1)], dim=1)
        case.update({"greedy.ids": known[0, SEQ:], "greedy.logits": torch.stack(rows)})
    elif task != "segmented":
        mask = torch.ones_like(ids)
        mask[0, -4:] = mask[1, -2:] = 0
        padded = ids * mask
        case.update({"masked.input_ids": padded, "masked.attention_mask": mask})
        case[f"masked.{name}"] = forward(spec, weights, padded, mask)[0]
    return {key: tensor.clone().contiguous() for key, tensor in case.items()}


def seq2seq_case(spec, weights, ids, generator):
    target = torch.randint(3, spec["vocab_size"], (BATCH, SEQ), generator=generator)
    memory = encode(spec, weights, ids)
    logits, states = forward(spec, weights, target, memory=memory[-1])
    case = {"input_ids": ids, "decoder_input_ids": target, "logits": logits}
    case.update({f"encoder_hidden_states.{i}": state for i, state in enumerate(memory)})
    case.update({f"decoder_hidden_states.{i}": state for i, state in enumerate(states)})
    known, rows = target[:1, :1], []
    for _ in range(STEPS):
        rows.append(forward(spec, weights, known, memory=memory[-1][:1])[0][0, -1])
        known = torch.cat([known, rows[-1].argmax().view(1, 1)], dim=1)
    case.update({"greedy.ids": known[0, 1:], "greedy.logits": torch.stack(rows)})
    return {key: tensor.clone().contiguous() for key, tensor in case.items()}


def conditioned_case(spec, weights, ids, generator):
    features = torch.randn(BATCH, SEQ, spec["d_features"], generator=generator)
    logits, states = forward(spec, weights, ids, memory=features)
    case = {"input_ids": ids, "features": features, "logits": logits}
    case.update({f"decoder_hidden_states.{i}": state for i, state in enumerate(states)})
    known, rows = ids[:1], []
    for _ in range(STEPS):
        rows.append(forward(spec, weights, known, memory=features[:1])[0][0, -1])
        known = torch.cat([known, rows[-1].argmax().view(1, 1)], dim=1)
    case.update({"greedy.ids": known[0, SEQ:], "greedy.logits": torch.stack(rows)})
    return {key: tensor.clone().contiguous() for key, tensor in case.items()}


def run(spec, weights, case):
    """The task's output for the case's inputs."""
    if "features" in case:
        return forward(spec, weights, case["input_ids"], memory=case["features"].to(weights["head.weight"].dtype))[0]
    if "decoder_input_ids" in case:
        return forward(spec, weights, case["decoder_input_ids"], memory=encode(spec, weights, case["input_ids"])[-1])[0]
    return forward(spec, weights, case["input_ids"], types=case.get("token_type_ids"))[0]


def attentions(spec):
    """Whether each attention of the spec's kind is causal: an encoder's first."""
    return [False] * spec.get("n_encoder_layers", 0) + [spec["attention"]["causal"]] * spec["n_layers"]


def make(name):
    folder, spec = ROOT / name, spec_of(name)
    assert tomllib.loads(to_toml(spec)) == spec
    for attempt in range(100):
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()) + attempt)
        weights = random_weights(spec, generator)
        case = make_case(spec, weights, generator)
        # A decoder that reads one memory soon repeats itself.
        distinct = 3 if "decoder_input_ids" in case else 5
        if "greedy.ids" not in case or (dump_reference.margin(case) > 0.02 and len(case["greedy.ids"].unique()) >= distinct):
            break
    else:
        sys.exit(f"{name}: no seed gives a useful greedy run")
    main = "logits" if "logits" in case else "last_hidden_state"
    with FlopCounterMode(display=False) as counter:
        run(spec, weights, case)
    exact = run(spec, {k: v.double() for k, v in weights.items()}, case)
    meta = {
        # The running statistics of a batch norm and the bias of a choice are no parameters.
        "params": sum(v.numel() for k, v in weights.items() if "running" not in k and "choice_bias" not in k),
        "flops": counter.get_total_flops() - sum(excess(spec, BATCH, SEQ, causal) for causal in attentions(spec)),
        "batch": BATCH,
        "seq": SEQ,
        "fp32_vs_fp64_max_diff": float((exact - case[main]).abs().max()),
        "versions": {"torch": torch.__version__.split("+")[0]},
    }
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "spec.toml").write_text(to_toml(spec))
    (folder / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")
    save_file(weights, folder / "model.safetensors")
    save_file(case, folder / "case.safetensors")
    print(f"{name:22} largest output {case[main].abs().max():5.1f}  {meta}")


def main():
    torch.set_num_threads(1)
    specs = [spec_of(name) for name in KNOBS]
    assert {s["ffn"]["kind"] for s in specs} == set(FFN)
    assert {s["norm"]["kind"] for s in specs} == set(NORM_TENSORS)
    for name in sys.argv[1:] or KNOBS:
        make(name)


if __name__ == "__main__":
    main()
