"""The standard transformer of a TOML spec, written down in plain torch from the definitions.

It is slow and has no cache: it exists to be compared with. `shapes` names the weights,
`forward` computes logits and hidden states from a dictionary of them.
"""

import math

import torch
import torch.nn.functional as F

import reference_attention

# name: (activation, has a gate)
FFN = {
    "relu": (torch.relu, False),
    "gelu": (F.gelu, False),
    "gelu_tanh": (lambda x: F.gelu(x, approximate="tanh"), False),
    "silu": (F.silu, False),
    "relu2": (lambda x: torch.relu(x) ** 2, False),
    "reglu": (torch.relu, True),
    "geglu": (F.gelu, True),
    "geglu_tanh": (lambda x: F.gelu(x, approximate="tanh"), True),
    "swiglu": (F.silu, True),
}
NORM_TENSORS = {
    "rms": ["weight"],
    "layer": ["weight", "bias"],
    "batch": ["weight", "bias", "running_mean", "running_var"],
    "group": ["weight", "bias"],
    "layer_plain": [],
    "rms_plain": [],
    "none": [],
}


def heads(spec):
    """(query heads, key/value heads, head width)."""
    attention = spec["attention"]
    n = attention["n_heads"]
    kv = {"mha": n, "mqa": 1}.get(attention["kind"], attention.get("n_kv_heads", n))
    return n, kv, attention.get("d_head", spec["d_model"] // n)


def placement(spec):
    return "pre" if spec["norm"]["kind"] == "none" else spec["norm"]["placement"]


def shapes(spec):
    """Every tensor of the model, by name."""
    d, d_ff = spec["d_model"], spec["ffn"]["d_ff"]
    n, kv, width = heads(spec)
    attention, placed, found = spec["attention"], placement(spec), {}

    def linear(name, out, inner, bias):
        found[f"{name}.weight"] = (out, inner)
        if bias:
            found[f"{name}.bias"] = (out,)

    def norm(name):
        found.update({f"{name}.{part}": (d,) for part in NORM_TENSORS[spec["norm"]["kind"]]})

    found["embed.weight"] = (spec["vocab_size"], d)
    if spec["positions"]["kind"] == "learned":
        found["pos_embed.weight"] = (spec["max_seq_len"], d)
    if spec["norm"].get("embedding"):
        norm("embed_norm")
    for i in range(spec["n_layers"]):
        layer = f"layers.{i}"
        norm(f"{layer}.attn_norm")
        if attention["kind"] in reference_attention.KINDS:
            found.update({f"{layer}.attn.{k}": v for k, v in reference_attention.shapes(spec).items()})
        else:
            for name, out in (("q", n), ("k", kv), ("v", kv)):
                linear(f"{layer}.attn.{name}", out * width, d, attention["bias"])
            if attention["qk_norm"]:
                found[f"{layer}.attn.q_norm.weight"] = found[f"{layer}.attn.k_norm.weight"] = (width,)
            linear(f"{layer}.attn.o", d, n * width, attention["out_bias"])
        if placed != "parallel":
            norm(f"{layer}.ffn_norm")
        if FFN[spec["ffn"]["kind"]][1]:
            linear(f"{layer}.ffn.gate", d_ff, d, spec["ffn"]["bias"])
        linear(f"{layer}.ffn.up", d_ff, d, spec["ffn"]["bias"])
        linear(f"{layer}.ffn.down", d, d_ff, spec["ffn"]["bias"])
        if placed == "sandwich":
            norm(f"{layer}.attn_post_norm")
            norm(f"{layer}.ffn_post_norm")
    if placed not in ("post", "deepnorm"):
        norm("norm")
    if not spec["tied"]:
        found["head.weight"] = (spec["vocab_size"], d)
    return found


def rms_norm(x, weight, eps):
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + eps) * weight


def sinusoids(length, d):
    """[sin | cos] with the frequencies 10000^(-2i/d)."""
    angle = torch.arange(length)[:, None] * 10000.0 ** (-torch.arange(0, d, 2) / d)
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def rotate(x, theta):
    """Rotary positions over x [B,H,S,d]: feature i pairs with feature i + d/2."""
    length, d = x.shape[-2:]
    angle = torch.arange(length)[:, None] * theta ** (-torch.arange(0, d, 2) / d)
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x[..., : d // 2], x[..., d // 2:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


def alibi(n, length):
    """[n,S,S]: minus the distance times each head's slope; with n no power of two, every other slope of twice as many fills up."""
    whole = 2 ** int(math.log2(n))
    slopes = [2 ** (-8 * (h + 1) / whole) for h in range(whole)]
    slopes += [2 ** (-8 * (h + 1) / (2 * whole)) for h in range(0, 2 * whole, 2)][: n - whole]
    distance = (torch.arange(length)[:, None] - torch.arange(length)).abs()
    return -torch.tensor(slopes)[:, None, None] * distance


def visible(spec, length, keep=None):
    """[B or 1,1,S,S]: which key (last) each query sees; `keep` [B,S] masks padding keys out."""
    distance = torch.arange(length)[:, None] - torch.arange(length)  # query - key
    seen = torch.ones(length, length, dtype=torch.bool)
    if spec["attention"]["causal"]:
        seen &= distance >= 0
    if "window" in spec["attention"]:  # the token itself counts
        seen &= distance.abs() < spec["attention"]["window"]
    if "prefix" in spec["attention"]:
        seen |= torch.arange(length) < spec["attention"]["prefix"]
    seen = seen[None, None]
    return seen if keep is None else seen & (keep[:, None, None, :] == 1)


def forward(spec, w, ids, keep=None):
    """Logits [B,S,V] and the hidden states: embedding, after each layer (the last one normed)."""
    batch, length = ids.shape
    n, kv, width = heads(spec)
    attention, eps, placed = spec["attention"], spec["norm"].get("eps"), placement(spec)
    seen = visible(spec, length, keep)

    def linear(name, x):
        return F.linear(x, w[f"{name}.weight"], w.get(f"{name}.bias"))

    def norm(name, x):
        part = {key: w.get(f"{name}.{key}") for key in ("weight", "bias", "running_mean", "running_var")}
        kind = spec["norm"]["kind"]
        if kind == "none":
            return x
        if kind == "rms_plain":
            return rms_norm(x, 1.0, eps)
        if kind == "layer_plain":
            return F.layer_norm(x, x.shape[-1:], eps=eps)
        if kind == "group":
            y = F.layer_norm(x.unflatten(-1, (spec["norm"]["groups"], -1)), (x.shape[-1] // spec["norm"]["groups"],), eps=eps)
            return y.flatten(-2) * part["weight"] + part["bias"]
        if kind == "rms":
            return rms_norm(x, part["weight"], eps)
        if kind == "layer":
            mean = x.mean(-1, keepdim=True)
            variance = ((x - mean) ** 2).mean(-1, keepdim=True)
        else:
            mean, variance = part["running_mean"], part["running_var"]
        return (x - mean) / torch.sqrt(variance + eps) * part["weight"] + part["bias"]

    def attend(name, x):
        if attention["kind"] in reference_attention.KINDS:
            return reference_attention.attend(spec, w, name, x, keep)
        q, k, v = (
            linear(f"{name}.{part}", x).view(batch, length, -1, width).transpose(1, 2) for part in "qkv"
        )
        if attention["qk_norm"]:
            q, k = rms_norm(q, w[f"{name}.q_norm.weight"], eps), rms_norm(k, w[f"{name}.k_norm.weight"], eps)
        if spec["positions"]["kind"] == "rope":
            theta = attention["rope"]["theta"]
            q, k = rotate(q, theta), rotate(k, theta)
        # Query head h reads key/value head h // (n / kv).
        k, v = k.repeat_interleave(n // kv, dim=1), v.repeat_interleave(n // kv, dim=1)
        scores = q @ k.transpose(-1, -2) / math.sqrt(width)
        if spec["positions"]["kind"] == "alibi":
            scores = scores + alibi(n, length).to(x.dtype)
        # A query that sees no key (padding far from every token) gathers nothing.
        weights = torch.softmax(scores.masked_fill(~seen, -torch.inf), dim=-1).nan_to_num(0.0)
        mixed = weights @ v
        return linear(f"{name}.o", mixed.transpose(1, 2).reshape(batch, length, n * width))

    def feed(name, x):
        activation, gated = FFN[spec["ffn"]["kind"]]
        up = linear(f"{name}.up", x)
        inner = activation(linear(f"{name}.gate", x)) * up if gated else activation(up)
        return linear(f"{name}.down", inner)

    def block(name, f, norm_name, x):
        if placed == "pre":
            return x + f(name, norm(norm_name, x))
        if placed == "deepnorm":
            return norm(norm_name, x * (2 * spec["n_layers"]) ** 0.25 + f(name, x))
        if placed == "post":
            return norm(norm_name, x + f(name, x))
        if placed == "branch":
            return x + norm(norm_name, f(name, x))
        if placed == "sandwich":
            return x + norm(norm_name.replace("_norm", "_post_norm"), f(name, norm(norm_name, x)))
        raise ValueError(f"unknown norm placement {placed}")

    x = w["embed.weight"][ids]
    if spec["positions"]["kind"] == "learned":
        x = x + w["pos_embed.weight"][:length]
    elif spec["positions"]["kind"] == "sinusoidal":
        x = x + sinusoids(length, spec["d_model"]).to(x.dtype)
    if spec["norm"].get("embedding"):
        x = norm("embed_norm", x)
    states = [x]
    for i in range(spec["n_layers"]):
        layer = f"layers.{i}"
        if placed == "parallel":
            y = norm(f"{layer}.attn_norm", x)
            x = x + attend(f"{layer}.attn", y) + feed(f"{layer}.ffn", y)
        else:
            x = block(f"{layer}.attn", attend, f"{layer}.attn_norm", x)
            x = block(f"{layer}.ffn", feed, f"{layer}.ffn_norm", x)
        states.append(x)
    if placed not in ("post", "deepnorm"):
        states[-1] = x = norm("norm", x)
    return F.linear(x, w["embed.weight" if spec["tied"] else "head.weight"]), states
