#!/usr/bin/env python3
"""Write tests/fixtures/examples: specs/examples/*.fw against a few lines of torch, written from what the example says.

Each folder holds model.safetensors with random weights, case.safetensors (the keys of dump_reference.py; greedy tokens by
recomputing every step) and meta.json. Everything is seeded.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch.utils.flop_counter import FlopCounterMode

import dump_reference

ROOT = Path(__file__).resolve().parent.parent / "tests/fixtures/examples"
SEQ, BATCH, STEPS = 14, 2, 8
V, D, LAYERS, H, KV, DH, FF, EPS, WINDOWS = 96, 32, 6, 4, 2, 8, 64, 1e-6, (4, 9)


def two_windows_shapes():
    shapes = {"embed": (V, D), "norm": (D,), "lm_head": (V, D)}
    for i in range(LAYERS):
        for side in ["attn"] if i % 3 == 2 else ["near", "far"]:
            shapes |= {f"layers.{i}.{side}.{m}": (D, D) for m in ("q_proj", "o_proj", "gate")}
            shapes |= {f"layers.{i}.{side}.{m}": (KV * DH, D) for m in ("k_proj", "v_proj")}
        shapes |= {f"layers.{i}.{n}": (D,) for n in ("attn_norm", "attn_post_norm", "mlp_norm", "mlp_post_norm")}
        shapes |= {f"layers.{i}.mlp.{m}": (FF, D) for m in ("gate_proj", "up_proj")} | {f"layers.{i}.mlp.down_proj": (D, FF)}
    return {f"{name}.weight": shape for name, shape in shapes.items()}


def rotate(x):
    angle = torch.arange(x.shape[1], dtype=x.dtype)[:, None] * 10000.0 ** (-torch.arange(0, DH, 2, dtype=x.dtype) / DH)
    cos, sin = angle.cos()[:, None], angle.sin()[:, None]
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


def two_windows(w, ids):
    def norm(x, name):
        return x * (x.square().mean(-1, keepdim=True) + EPS).rsqrt() * w[f"{name}.weight"]

    def look(h, at, window):
        def heads(name):
            return (h @ w[f"{at}.{name}_proj.weight"].T).unflatten(-1, (-1, DH))

        q, k, v = heads("q"), heads("k"), heads("v")
        if window:
            q, k = rotate(q), rotate(k)
        k, v = (t.repeat_interleave(H // KV, 2) for t in (k, v))
        distance = torch.arange(h.shape[1])[:, None] - torch.arange(h.shape[1])
        hidden = (distance < 0) | (distance >= (window or h.shape[1]))
        scores = q.transpose(1, 2) @ k.permute(0, 2, 3, 1) / DH**0.5
        y = scores.masked_fill(hidden, -torch.inf).softmax(-1) @ v.transpose(1, 2)
        y = y.transpose(1, 2).flatten(2) @ w[f"{at}.o_proj.weight"].T
        return y * (h @ w[f"{at}.gate.weight"].T).sigmoid()

    x, states = w["embed.weight"][ids], []
    for i in range(LAYERS):
        states.append(x)
        at = f"layers.{i}"
        h = norm(x, f"{at}.attn_norm")
        if i % 3 == 2:
            y = look(h, f"{at}.attn", None)
        else:
            y = look(h, f"{at}.near", WINDOWS[0]) + look(h, f"{at}.far", WINDOWS[1])
        x = x + norm(y, f"{at}.attn_post_norm")
        h = norm(x, f"{at}.mlp_norm")
        h = F.silu(h @ w[f"{at}.mlp.gate_proj.weight"].T) * (h @ w[f"{at}.mlp.up_proj.weight"].T)
        x = x + norm(h @ w[f"{at}.mlp.down_proj.weight"].T, f"{at}.mlp_post_norm")
    return norm(x, "norm") @ w["lm_head.weight"].T, states


PATCH, PATCHES, READER_LAYERS = 20, 14, 3


def picture_reader_shapes():
    shapes = {"embed": (V, D), "norm": (D,), "lm_head": (V, D)}
    for i in range(READER_LAYERS):
        shapes |= {f"layers.{i}.attn.{m}": (D, D) for m in ("q_proj", "o_proj")}
        shapes |= {f"layers.{i}.attn.{m}": (KV * DH, D) for m in ("k_proj", "v_proj")}
        if i % 2 == 1:
            shapes |= {f"layers.{i}.look_norm": (D,), f"layers.{i}.look.q_proj": (D, D), f"layers.{i}.look.o_proj": (D, D)}
            shapes |= {f"layers.{i}.look.{m}": (KV * DH, PATCH) for m in ("k_proj", "v_proj")}
        shapes |= {f"layers.{i}.{n}": (D,) for n in ("attn_norm", "mlp_norm")}
        shapes |= {f"layers.{i}.mlp.{m}": (FF, D) for m in ("gate_proj", "up_proj")} | {f"layers.{i}.mlp.down_proj": (D, FF)}
    return {f"{name}.weight": shape for name, shape in shapes.items()}


def picture_reader(w, ids, patches):
    def norm(x, name):
        return x * (x.square().mean(-1, keepdim=True) + EPS).rsqrt() * w[f"{name}.weight"]

    def attend(h, source, at, causal):
        def heads(x, name):
            return (x @ w[f"{at}.{name}_proj.weight"].T).unflatten(-1, (-1, DH))

        q, k, v = heads(h, "q"), heads(source, "k"), heads(source, "v")
        if causal:
            q, k = rotate(q), rotate(k)
        k, v = (t.repeat_interleave(H // KV, 2) for t in (k, v))
        scores = q.transpose(1, 2) @ k.permute(0, 2, 3, 1) / DH**0.5
        if causal:
            scores = scores.masked_fill(torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1), -torch.inf)
        y = scores.softmax(-1) @ v.transpose(1, 2)
        return y.transpose(1, 2).flatten(2) @ w[f"{at}.o_proj.weight"].T

    x, states = w["embed.weight"][ids], []
    for i in range(READER_LAYERS):
        states.append(x)
        at = f"layers.{i}"
        h = norm(x, f"{at}.attn_norm")
        x = x + attend(h, h, f"{at}.attn", True)
        if i % 2 == 1:
            x = x + attend(norm(x, f"{at}.look_norm"), patches, f"{at}.look", False)
        h = norm(x, f"{at}.mlp_norm")
        h = F.silu(h @ w[f"{at}.mlp.gate_proj.weight"].T) * (h @ w[f"{at}.mlp.up_proj.weight"].T)
        x = x + h @ w[f"{at}.mlp.down_proj.weight"].T
    return norm(x, "norm") @ w["lm_head.weight"].T, states


def carried_values_shapes():
    shapes = {"embed": (V, D), "norm": (D,), "lm_head": (V, D), "first_values": (KV * DH, D)}
    for i in range(READER_LAYERS):
        shapes |= {f"layers.{i}.attn.{m}": (D, D) for m in ("q_proj", "o_proj")}
        shapes |= {f"layers.{i}.attn.{m}": (KV * DH, D) for m in ("k_proj", "v_proj")}
        shapes |= {f"layers.{i}.{n}": (D,) for n in ("attn_norm", "mlp_norm")}
        shapes |= {f"layers.{i}.mlp.{m}": (FF, D) for m in ("gate_proj", "up_proj")} | {f"layers.{i}.mlp.down_proj": (D, FF)}
    return {f"{name}.weight": shape for name, shape in shapes.items()}


def carried_values(w, ids):
    def norm(x, name):
        return x * (x.square().mean(-1, keepdim=True) + EPS).rsqrt() * w[f"{name}.weight"]

    def heads(x, name):
        return (x @ w[f"{name}.weight"].T).unflatten(-1, (-1, DH))

    x, states = w["embed.weight"][ids], []
    values = heads(x, "first_values")
    for i in range(READER_LAYERS):
        states.append(x)
        at = f"layers.{i}"
        h = norm(x, f"{at}.attn_norm")
        q, k = rotate(heads(h, f"{at}.attn.q_proj")), rotate(heads(h, f"{at}.attn.k_proj"))
        values = (heads(h, f"{at}.attn.v_proj") + values) / 2
        k, v = (t.repeat_interleave(H // KV, 2) for t in (k, values))
        scores = q.transpose(1, 2) @ k.permute(0, 2, 3, 1) / DH**0.5
        scores = scores.masked_fill(torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1), -torch.inf)
        y = (scores.softmax(-1) @ v.transpose(1, 2)).transpose(1, 2).flatten(2)
        x = x + y @ w[f"{at}.attn.o_proj.weight"].T
        h = norm(x, f"{at}.mlp_norm")
        h = F.silu(h @ w[f"{at}.mlp.gate_proj.weight"].T) * (h @ w[f"{at}.mlp.up_proj.weight"].T)
        x = x + h @ w[f"{at}.mlp.down_proj.weight"].T
    return norm(x, "norm") @ w["lm_head.weight"].T, states


@torch.no_grad()
def make(name, shapes, model, features=None):
    """`features` is the shape of a row of numbers beside the ids."""
    for seed in range(100):
        generator = torch.Generator().manual_seed(seed)
        weights = {}
        for tensor, shape in shapes.items():
            noise = torch.randn(shape, generator=generator)
            weights[tensor] = 1 + 0.2 * noise if len(shape) == 1 else 0.3 * noise
        ids = torch.randint(3, V, (BATCH, SEQ), generator=generator)
        beside = [] if features is None else [torch.randn((BATCH, *features), generator=generator)]

        def forward(weights, ids):
            return model(weights, ids, *(f[: len(ids)].to(weights["norm.weight"].dtype) for f in beside))

        with FlopCounterMode(display=False) as counter:
            logits, states = forward(weights, ids)
        known, rows = ids[:1], []
        for _ in range(STEPS):
            rows.append(forward(weights, known)[0][0, -1])
            known = torch.cat([known, rows[-1].argmax().view(1, 1)], dim=1)
        case = {"input_ids": ids, "logits": logits, "greedy.ids": known[0, SEQ:], "greedy.logits": torch.stack(rows)}
        case |= {f"hidden_states.{i}": state for i, state in enumerate(states)}
        case |= {"features": f for f in beside}
        if dump_reference.margin(case) > 0.02 and len(case["greedy.ids"].unique()) >= 5:
            break
    else:
        sys.exit(f"{name}: no seed gives a useful greedy run")
    exact = forward({k: v.double() for k, v in weights.items()}, ids)[0]
    meta = {
        "params": sum(v.numel() for v in weights.values()),
        "flops": counter.get_total_flops(),
        "batch": BATCH,
        "seq": SEQ,
        "fp32_vs_fp64_max_diff": float((exact - logits).abs().max()),
        "versions": {"torch": torch.__version__.split("+")[0]},
    }
    folder = ROOT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")
    save_file(weights, folder / "model.safetensors")
    save_file({key: tensor.clone().contiguous() for key, tensor in case.items()}, folder / "case.safetensors")
    print(f"{name:22} largest logit {case['logits'].abs().max():5.1f}  {meta}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    make("two_windows", two_windows_shapes(), two_windows)
    make("picture_reader", picture_reader_shapes(), picture_reader, (PATCHES, PATCH))
    make("carried_values", carried_values_shapes(), carried_values)
