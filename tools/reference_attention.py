"""Kinds of attention besides softmax over all keys, each written down from its definition in plain torch.

Every kind is dense and recomputes everything: masks instead of sparse reads, loops over tokens instead of
chunks, expanded keys instead of a latent. `shapes(spec, kind)` names a kind's own tensors below `layers.{i}.attn`,
`attend` computes one layer of it. `KINDS` lists them.
"""

import math

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

import reference_work

KINDS = ("mla", "linear", "multi_scale", "dca", "sparse", "dynamic_context", "gated_delta")


def sizes(spec):
    """(query heads, key/value heads, head width) and the kind's own settings with the defaults filled in."""
    attention = spec["attention"]
    n = attention["n_heads"]
    width = attention.get("d_head", spec["d_model"] // n)
    trained = attention.get("trained", spec["max_seq_len"] // 4)
    own = {
        "q_rank": None, "kv_rank": 4 * width, "d_rope": width // 2, "d_v": width,
        "features": "elu", "windows": [256, 0],
        "trained": trained, "chunk": 3 * trained // 4,
        "pattern": dict(kind="blocks", size=64, local=1, **{"global": 1}, random=0, seed=0),
        "top_k": 256, "index_heads": 4, "d_index": width // 2, "conv": 4,
    } | attention
    return n, attention.get("n_kv_heads", n), width, own


def shapes(spec):
    """The tensors of one attention: `{name: shape}`."""
    d, found = spec["d_model"], {}
    n, kv, width, own = sizes(spec)
    kind = own["kind"]
    if kind == "mla":
        c, r = own["kv_rank"], own["d_rope"]
        if own["q_rank"] is None:
            found["q_proj.weight"] = (n * (width + r), d)
        else:
            found["q_a_proj.weight"] = (own["q_rank"], d)
            found["q_a_layernorm.weight"] = (own["q_rank"],)
            found["q_b_proj.weight"] = (n * (width + r), own["q_rank"])
        found["kv_a_proj_with_mqa.weight"] = (c + r, d)
        found["kv_a_layernorm.weight"] = (c,)
        found["kv_b_proj.weight"] = (n * (width + own["d_v"]), c)
        found["o_proj.weight"] = (d, n * own["d_v"])
        return found
    for name, heads in (("q", kv if kind == "gated_delta" else n), ("k", kv), ("v", n if kind == "gated_delta" else kv)):
        found[f"{name}.weight"] = (heads * width, d)
        if kind == "gated_delta":
            found[f"{name}_conv.weight"] = (heads * width, 1, own["conv"])
    if kind == "gated_delta":
        found |= {"beta.weight": (n, d), "decay.weight": (n, d), "decay_rate.A_log": (n,), "decay_rate.dt_bias": (n,)}
        found |= {"y_norm.weight": (width,), "gate.weight": (n * width, d)}
    if kind == "dynamic_context":
        found |= {"index_q.weight": (own["index_heads"] * own["d_index"], d), "index_k.weight": (own["d_index"], d)}
        found |= {"index_k_norm.weight": (own["d_index"],), "index_k_norm.bias": (own["d_index"],)}
        found["index_w.weight"] = (own["index_heads"], d)
    found["o.weight"] = (d, n * width)
    return found


def rotate(x, theta, position):
    """Rotary positions over x [B,H,S,d] at `position` [S]: feature i pairs with feature i + d/2."""
    d = x.shape[-1]
    angle = position[:, None] * theta ** (-torch.arange(0, d, 2) / d)
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x[..., : d // 2], x[..., d // 2:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


def norm(x, weight, eps):
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + eps) * weight


def softmax(scores, seen, v):
    return torch.softmax(scores.masked_fill(~seen, -torch.inf), dim=-1).nan_to_num(0.0) @ v


def split_mix(x):
    """SplitMix64 (Steele et al. 2014)."""
    word = (1 << 64) - 1
    x = (x + 0x9E3779B97F4A7C15) & word
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & word
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & word
    return x ^ (x >> 31)


def sparse_mask(pattern, length, causal):
    """[S,S]: which keys (columns) each query sees, entry by entry."""
    seen = torch.zeros(length, length, dtype=torch.bool)
    for i in range(length):
        for j in range(i + 1 if causal else length):
            distance = abs(i - j)
            if pattern["kind"] == "local":
                seen[i, j] = distance < pattern["size"]
            elif pattern["kind"] == "strided":
                seen[i, j] = distance < pattern["stride"] or distance % pattern["stride"] == 0
            else:
                own, block = i // pattern["size"], j // pattern["size"]
                last = (i if causal else length - 1) // pattern["size"]

                def fixed(b):
                    return b < pattern["global"] or abs(own - b) <= pattern["local"]

                others = [b for b in range(last + 1) if not fixed(b)]
                others.sort(key=lambda b: (split_mix(pattern["seed"] ^ (own << 32 | b)), b))
                everything = not causal and own < pattern["global"]
                seen[i, j] = everything or fixed(block) or block in others[: pattern["random"]]
    return seen


def attend(spec, w, name, x, keep):
    """One attention over x [B,S,d]; `keep` [B,S] masks padding keys out."""
    n, kv, width, own = sizes(spec)
    kind, causal = own["kind"], own["causal"]
    batch, length, _ = x.shape
    rope = spec["positions"]["kind"] == "rope"
    theta = own.get("rope", {}).get("theta", 10000.0)
    eps = spec["norm"].get("eps", 1e-5)
    place = torch.arange(length)

    def linear(part, x=x):
        return F.linear(x, w[f"{name}.{part}.weight"])

    def heads(x, count):
        return x.view(batch, length, count, -1).transpose(1, 2)

    distance = place[:, None] - place
    seen = (distance >= 0 if causal else torch.ones(length, length, dtype=torch.bool))[None, None]
    if keep is not None:
        seen = seen & (keep[:, None, None, :] == 1)
    if kind == "mla":
        c, r = own["kv_rank"], own["d_rope"]
        low = x if own["q_rank"] is None else norm(linear("q_a_proj"), w[f"{name}.q_a_layernorm.weight"], eps)
        q = heads(linear("q_proj" if own["q_rank"] is None else "q_b_proj", low), n)
        latent, shared = linear("kv_a_proj_with_mqa").split([c, r], dim=-1)
        latent = norm(latent, w[f"{name}.kv_a_layernorm.weight"], eps)
        k, v = heads(linear("kv_b_proj", latent), n).split([width, own["d_v"]], dim=-1)
        q = torch.cat([q[..., :width], rotate(q[..., width:], theta, place)], dim=-1)
        k = torch.cat([k, rotate(shared[:, None], theta, place).expand(-1, n, -1, -1)], dim=-1)
        y = softmax(q @ k.transpose(-1, -2) / math.sqrt(width + r), seen, v)
        return linear("o_proj", y.transpose(1, 2).reshape(batch, length, -1))
    if kind == "gated_delta":
        y = gated_delta(own, w, name, x, linear, heads, (n, kv, width), eps)
        return linear("o", y)
    q, k, v = heads(linear("q"), n), heads(linear("k"), kv), heads(linear("v"), kv)
    k, v = k.repeat_interleave(n // kv, dim=1), v.repeat_interleave(n // kv, dim=1)
    if rope and kind != "dca":
        q, k = rotate(q, theta, place), rotate(k, theta, place)
    scores = q @ k.transpose(-1, -2) / math.sqrt(width)
    if kind == "linear":
        features = {"elu": lambda x: F.elu(x) + 1, "softmax": lambda x: x.softmax(-1)}[own["features"]]
        weights = features(q) @ features(k).transpose(-1, -2) * seen
        y = weights / weights.sum(-1, keepdim=True) @ v
    elif kind == "multi_scale":
        width_of = torch.tensor(own["windows"]).repeat_interleave(n // len(own["windows"]))[None, :, None, None]
        y = softmax(scores, seen & ((width_of == 0) | (distance.abs() < width_of)), v)
    elif kind == "dca":
        s, c = own["chunk"], own["trained"]
        k = rotate(k, theta, place % s)
        forms = [place % s, (place % s + s).clamp(max=c - 1), torch.full_like(place, c - 1)]
        own_chunk, last_chunk, earlier = (rotate(q, theta, form) @ k.transpose(-1, -2) for form in forms)
        chunks = (place // s)[:, None] - place // s
        scores = torch.where(chunks == 0, own_chunk, torch.where(chunks == 1, last_chunk, earlier)) / math.sqrt(width)
        y = softmax(scores, seen, v)
    elif kind == "sparse":
        y = softmax(scores, seen & sparse_mask(own["pattern"], length, causal), v)
    else:
        index_q = heads(linear("index_q"), own["index_heads"])
        index_k = linear("index_k")
        part = (w[f"{name}.index_k_norm.{part}"] for part in ("weight", "bias"))
        index_k = F.layer_norm(index_k, index_k.shape[-1:], *part, eps)[:, None]
        if rope:
            index_q, index_k = rotate(index_q, theta, place), rotate(index_k, theta, place)
        score = (torch.relu(index_q @ index_k.transpose(-1, -2)) * linear("index_w").transpose(1, 2)[..., None]).sum(1)
        score = score.masked_fill(~seen[:, 0], -torch.inf)
        best = score.sort(dim=-1, descending=True, stable=True).indices[..., : own["top_k"]]
        chosen = torch.zeros_like(score, dtype=torch.bool).scatter(-1, best, True)
        y = softmax(scores, seen & chosen[:, None], v)
    return linear("o", y.transpose(1, 2).reshape(batch, length, -1))


def gated_delta(own, w, name, x, linear, heads, counts, eps):
    """Short convolutions, then the recurrence token by token."""
    n, kv, width = counts
    batch, length, _ = x.shape

    def mixed(part, count):
        conv = w[f"{name}.{part}_conv.weight"]
        y = F.pad(linear(part).transpose(1, 2), (own["conv"] - 1, 0))
        return heads(F.silu(F.conv1d(y, conv, groups=conv.shape[0])).transpose(1, 2), count)

    def unit(x):
        return x / torch.sqrt((x * x).sum(-1, keepdim=True) + 1e-6)

    q, k, v = mixed("q", kv), mixed("k", kv), mixed("v", n)
    q, k = unit(q).repeat_interleave(n // kv, dim=1), unit(k).repeat_interleave(n // kv, dim=1)
    rate, bias = w[f"{name}.decay_rate.A_log"], w[f"{name}.decay_rate.dt_bias"]
    decay = (-rate.exp() * F.softplus(linear("decay") + bias)).exp().transpose(1, 2)
    beta = torch.sigmoid(linear("beta")).transpose(1, 2)
    y = norm(delta_rule(q, k, v, decay, beta), w[f"{name}.y_norm.weight"], eps).reshape(batch, length, n * width)
    return y * F.silu(linear("gate"))


def delta_rule(q, k, v, decay, beta):
    """q, k and v [B,H,S,d], decay and beta [B,H,S] to [B,S,H,d]."""
    batch, n, length, width = q.shape
    matrix, rows = q.new_zeros(batch, n, width, width), []
    for t in range(length):
        matrix = matrix * decay[..., t, None, None]
        correction = beta[..., t, None] * (v[:, :, t] - torch.einsum("bhed,bhe->bhd", matrix, k[:, :, t]))
        matrix = matrix + torch.einsum("bhe,bhd->bhed", k[:, :, t], correction)
        rows.append(torch.einsum("bhed,bhe->bhd", matrix, q[:, :, t]) / math.sqrt(width))
    return torch.stack(rows, dim=1)


def excess(spec, batch, length, causal):
    """FLOPs of one attention's products here beyond those of its definition: it is written down another way than it is counted."""
    n, _, width, own = sizes(spec)
    rows = batch * length * n
    product = 2 * rows * length * width
    if own["kind"] == "linear":
        # Unread scores, features by features, values; the sums over keys are written and read, a chunk's own pairs multiplied.
        within = 4 * reference_work.CHUNK * width if causal else 0
        return 3 * product - rows * (4 * width * width + within)
    if own["kind"] == "dca":
        # Scores without and with each of the three remappings; a pair has one.
        return 3 * product
    if own["kind"] == "gated_delta":
        with FlopCounterMode(display=False) as counter:
            delta_rule(*[torch.zeros(batch, n, length, width)] * 3, *[torch.zeros(batch, n, length)] * 2)
        return counter.get_total_flops() - reference_work.delta(rows, width, width)
    return 0
