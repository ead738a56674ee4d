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
from reference_transformer import FFN, NORM_TENSORS, forward, shapes

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
}


def as_table(value):
    return {"kind": value} if isinstance(value, str) else value


def spec_of(name):
    top, attention, norm, ffn, positions = KNOBS[name]
    norm, ffn = NORM | as_table(norm), as_table(ffn)
    attention = ATTENTION | attention
    if positions == "rope":
        attention["rope"] = dict(theta=100.0)
    return {"name": name} | TOP | top | {
        "attention": attention,
        "norm": {"kind": "none"} if norm["kind"] == "none" else norm,
        "ffn": dict(kind=ffn["kind"], d_ff=48, bias=ffn.get("bias", False)),
        "positions": {"kind": positions},
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
        elif ".index_" in name:  # distinct scores, so that the choice does not hang on rounding
            noise = 3.0 * noise
        elif name == "embed.weight" and not spec["tied"]:  # comparable with sinusoidal positions
            noise = 5.0 * noise
        elif name.startswith("layers") and len(shape) == 2 and spec["norm"]["kind"] in ("batch", "none"):
            noise = 0.6 * noise  # nothing rescales the activations, so keep them from growing
        weights[name] = noise
    return weights


@torch.no_grad()
def make_case(spec, weights, generator):
    ids = torch.randint(3, spec["vocab_size"], (BATCH, SEQ), generator=generator)
    logits, states = forward(spec, weights, ids)
    case = {"input_ids": ids, "logits": logits}
    case.update({f"hidden_states.{i}": state for i, state in enumerate(states)})
    if spec["attention"]["causal"]:
        known, rows = ids[:1], []
        for _ in range(STEPS):
            rows.append(forward(spec, weights, known)[0][0, -1])
            known = torch.cat([known, rows[-1].argmax().view(1, 1)], dim=1)
        case.update({"greedy.ids": known[0, SEQ:], "greedy.logits": torch.stack(rows)})
    else:
        mask = torch.ones_like(ids)
        mask[0, -4:] = mask[1, -2:] = 0
        padded = ids * mask
        case.update({"masked.input_ids": padded, "masked.attention_mask": mask})
        case["masked.logits"] = forward(spec, weights, padded, mask)[0]
    return {key: tensor.clone().contiguous() for key, tensor in case.items()}


def make(name):
    folder, spec = ROOT / name, spec_of(name)
    assert tomllib.loads(to_toml(spec)) == spec
    for attempt in range(100):
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()) + attempt)
        weights = random_weights(spec, generator)
        case = make_case(spec, weights, generator)
        if "greedy.ids" not in case or (dump_reference.margin(case) > 0.02 and len(case["greedy.ids"].unique()) >= 5):
            break
    else:
        sys.exit(f"{name}: no seed gives a useful greedy run")
    with FlopCounterMode(display=False) as counter:
        forward(spec, weights, case["input_ids"])
    exact = forward(spec, {k: v.double() for k, v in weights.items()}, case["input_ids"])[0]
    meta = {
        # The running statistics of a batch norm are no parameters.
        "params": sum(v.numel() for k, v in weights.items() if "running" not in k),
        # Not where the reference computes another way than the definition counts.
        "flops": None if spec["attention"]["kind"] in ("linear", "dca", "gated_delta") else counter.get_total_flops(),
        "batch": BATCH,
        "seq": SEQ,
        "fp32_vs_fp64_max_diff": float((exact - case["logits"]).abs().max()),
        "versions": {"torch": torch.__version__.split("+")[0]},
    }
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "spec.toml").write_text(to_toml(spec))
    (folder / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")
    save_file(weights, folder / "model.safetensors")
    save_file(case, folder / "case.safetensors")
    print(f"{name:22} largest logit {case['logits'].abs().max():5.1f}  {meta}")


def main():
    torch.set_num_threads(1)
    specs = [spec_of(name) for name in KNOBS]
    assert {s["ffn"]["kind"] for s in specs} == set(FFN)
    assert {s["norm"]["kind"] for s in specs} == set(NORM_TENSORS)
    for name in sys.argv[1:] or KNOBS:
        make(name)


if __name__ == "__main__":
    main()
