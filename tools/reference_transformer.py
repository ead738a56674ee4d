"""The standard transformer of a TOML spec, written down in plain torch from the definitions.

It is slow and has no cache: it exists to be compared with. `shapes` names the weights,
`forward` computes logits and hidden states from a dictionary of them.
"""

import itertools
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
    "gelu_quick": (lambda x: x * torch.sigmoid(1.702 * x), False),
    "tanh": (torch.tanh, False),
    "reglu": (torch.relu, True),
    "geglu": (F.gelu, True),
    "geglu_tanh": (lambda x: F.gelu(x, approximate="tanh"), True),
    "geglu_quick": (lambda x: x * torch.sigmoid(1.702 * x), True),
    "swiglu": (F.silu, True),
    "bilinear": (lambda x: x, True),
}
NORM_TENSORS = {
    "rms": ["weight"],
    "layer": ["weight", "bias"],
    "batch": ["weight", "bias", "running_mean", "running_var"],
    "group": ["weight", "bias"],
    "layer_plain": [],
    "rms_plain": [],
    "layer_no_bias": ["weight"],
    "layer_plus_one": ["weight", "bias"],
    "rms_plus_one": ["weight"],
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


def is_global(spec, i):
    """Whether layer i sees past the window or the chunk."""
    every = spec["attention"].get("global_every")
    return every is not None and (i + 1) % every == 0


def has_mixture(spec, i):
    """Whether layer i has a mixture of experts."""
    moe = spec["ffn"].get("moe")
    return moe is not None and i >= moe.get("n_dense", 0) and (i + 1) % moe.get("every", 1) == 0


def shapes(spec):
    """Every tensor of the model, by name."""
    d, d_ff = spec["d_model"], spec["ffn"]["d_ff"]
    n, kv, width = heads(spec)
    attention, ffn, placed, found = spec["attention"], spec["ffn"], placement(spec), {}
    task, head = spec.get("task", "causal_lm"), spec.get("head", {})

    def linear(name, out, inner, bias):
        found[f"{name}.weight"] = (out, inner)
        if bias:
            found[f"{name}.bias"] = (out,)

    def norm(name):
        found.update({f"{name}.{part}": (d,) for part in NORM_TENSORS[spec["norm"]["kind"]]})

    wide_v = attention.get("d_value", width)

    def projections(name, normed, source=d):
        for part, out in (("q", n * width), ("k", kv * width), ("v", kv * wide_v)):
            linear(f"{name}.{part}", out, d if part == "q" else source, attention.get(f"{part}_bias", attention["bias"]))
        if normed:
            wide = attention.get("qk_norm_place") == "features"
            found[f"{name}.q_norm.weight"], found[f"{name}.k_norm.weight"] = ((h * width if wide else width,) for h in (n, kv))
        linear(f"{name}.o", d, n * wide_v, attention["out_bias"])

    def self_attention(name):
        if attention["kind"] in reference_attention.KINDS:
            found.update({f"{name}.{k}": v for k, v in reference_attention.shapes(spec).items()})
            return
        projections(name, attention["qk_norm"])
        if attention.get("sinks"):
            found[f"{name}.sinks"] = (n,)
        if attention.get("gate"):
            linear(f"{name}.gate", n * wide_v, d, False)

    def feed_forward(name, inner):
        if FFN[ffn["kind"]][1]:
            linear(f"{name}.gate", inner, d, ffn.get("gate_bias", ffn["bias"]))
        linear(f"{name}.up", inner, d, ffn.get("up_bias", ffn["bias"]))
        linear(f"{name}.down", d, inner, ffn.get("down_bias", ffn["bias"]))

    def mixture(name, moe):
        count, inner = moe["n_experts"], moe.get("d_expert", d_ff)
        linear(f"{name}.router", count, d, False)
        if moe.get("choice_bias"):
            found[f"{name}.choice_bias"] = (count,)
        for part, shape in (("gate_proj", (inner, d)), ("up_proj", (inner, d)), ("down_proj", (d, inner))):
            if part != "gate_proj" or FFN[ffn["kind"]][1]:
                found[f"{name}.experts.{part}"] = (count, *shape)
                if ffn["bias"]:
                    found[f"{name}.experts.{part}_bias"] = (count, shape[0])
        if moe.get("n_shared"):
            feed_forward(f"{name}.shared", moe["n_shared"] * inner)
            if moe.get("shared_gate"):
                linear(f"{name}.shared_gate", 1, d, False)

    def branch(layer, name):
        norm(f"{layer}.{name}_norm")
        if placed == "sandwich":
            norm(f"{layer}.{name}_post_norm")

    def embeddings(prefix):
        inner = spec.get("embedding", {}).get("d", d)
        found[f"{prefix}embed.weight"] = (spec["vocab_size"], inner)
        if inner != d:
            linear(f"{prefix}embed_proj", d, inner, False)
        if spec["positions"]["kind"] == "learned":
            found[f"{prefix}pos_embed.weight"] = (spec["max_seq_len"] + spec["positions"].get("offset", 0), d)
        if spec["norm"].get("embedding"):
            norm(f"{prefix}embed_norm")

    def position_bias(prefix):
        if spec["positions"]["kind"] == "buckets":
            found[f"{prefix}position_bias.weight"] = (spec["positions"]["n_buckets"], n)

    def think(layer, i):
        if has_mixture(spec, i):
            mixture(f"{layer}.ffn", ffn["moe"])
        else:
            feed_forward(f"{layer}.ffn", d_ff)

    def last_norm(prefix):
        if placed not in ("post", "deepnorm"):
            norm(f"{prefix}norm")

    embeddings("")
    if task == "segmented":
        found["type_embed.weight"] = (spec["embedding"]["n_token_types"], d)
    if task == "seq2seq":
        embeddings("encoder."), position_bias("encoder.")
        for i in range(spec["n_encoder_layers"]):
            layer = f"encoder.layers.{i}"
            branch(layer, "attn"), branch(layer, "ffn")
            self_attention(f"{layer}.attn"), think(layer, i)
        last_norm("encoder.")
    position_bias("")
    for i in range(spec["n_layers"]):
        layer = f"layers.{i}"
        branch(layer, "attn")
        self_attention(f"{layer}.attn")
        if task in ("seq2seq", "conditioned"):
            branch(layer, "cross")
            projections(f"{layer}.cross", False, spec.get("d_features", d))
        if placed != "parallel":
            branch(layer, "ffn")
        think(layer, i)
    last_norm("")
    if task == "masked_lm":
        linear("transform", d, d, True)
        norm("transform_norm")
    if task == "classifier":
        if head["pooling"] == "first":
            linear("pooler", d, d, True)
        linear("classifier", head["n_labels"], d, True)
    if task in ("causal_lm", "masked_lm", "seq2seq", "conditioned"):
        linear("head", spec["vocab_size"], d, head.get("bias", False))
        if spec["tied"]:
            del found["head.weight"]
    return found


def rms_norm(x, weight, eps):
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + eps) * weight


def sinusoids(length, d, interleaved=False):
    """[sin | cos] with the frequencies 10000^(-2i/d), or both of each frequency side by side."""
    angle = torch.arange(length)[:, None] * 10000.0 ** (-torch.arange(0, d, 2) / d)
    parts = [angle.sin(), angle.cos()]
    return torch.stack(parts, dim=-1).flatten(-2) if interleaved else torch.cat(parts, dim=-1)


def frequencies(rope, d, length):
    """What rotary pair i turns by from one position to the next, and the factor on queries and keys."""
    theta, scaling = rope["theta"], rope.get("scaling", {"kind": "none"})
    plain, factor = theta ** (-torch.arange(0, d, 2) / d), scaling.get("factor")
    if scaling["kind"] == "linear":  # positions in between those of training
        return plain / factor, 1.0
    if scaling["kind"] == "dynamic":  # a larger base, once the text is longer than in training
        grown = factor * max(length, scaling["original_max"]) / scaling["original_max"] - (factor - 1)
        return (theta * grown ** (d / (d - 2))) ** (-torch.arange(0, d, 2) / d), 1.0
    if scaling["kind"] == "llama3":  # by how often a pair turns over the trained length
        turns = scaling["original_max"] * plain / (2 * math.pi)
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        kept = ((turns - low) / (high - low)).clamp(0, 1)
        return plain * kept + plain / factor * (1 - kept), 1.0
    if scaling["kind"] == "yarn":  # the same, by the index of the pair that turns so often
        at = lambda turns: d * math.log(scaling["original_max"] / (turns * 2 * math.pi)) / (2 * math.log(theta))
        low, high = math.floor(at(scaling["beta_fast"])), math.ceil(at(scaling["beta_slow"]))
        low, high = max(low, 0), min(high, d - 1)
        stretched = ((torch.arange(d // 2) - low) / max(high - low, 0.001)).clamp(0, 1)
        return plain * (1 - stretched) + plain / factor * stretched, scaling["attention_factor"]
    if scaling["kind"] == "longrope":  # a divisor for each pair, by the length
        divisors = scaling["long" if length > scaling["original_max"] else "short"]
        return plain / torch.tensor(divisors), scaling["attention_factor"]
    return plain, 1.0


def rotate(x, rope):
    """Rotary positions over the first d_rot features of x [B,H,S,d]: feature i pairs with i + d_rot/2, or 2i with 2i + 1."""
    d = rope.get("d_rot", x.shape[-1])
    speed, factor = frequencies(rope, d, x.shape[-2])
    angle = torch.arange(x.shape[-2])[:, None] * speed
    cos, sin = (part.to(x.dtype) * factor for part in (angle.cos(), angle.sin()))
    x, rest = x[..., :d], x[..., d:]
    if rope.get("layout") == "interleaved":
        a, b = x[..., ::2], x[..., 1::2]
        turned = torch.stack([a * cos - b * sin, b * cos + a * sin], dim=-1).flatten(-2)
    else:
        a, b = x[..., : d // 2], x[..., d // 2:]
        turned = torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)
    return torch.cat([turned, rest], dim=-1)


def bucket(distance, positions, both_sides):
    """T5's bucket of key minus query: half the buckets one for each distance, the rest logarithmic up to the largest."""
    count, offset = positions["n_buckets"], 0
    if both_sides:
        count //= 2
        offset = count if distance > 0 else 0
    away, exact = abs(distance) if both_sides else max(-distance, 0), count // 2
    if away >= exact:
        grown = math.log(away / exact) / math.log(positions["max_distance"] / exact) * (count - exact)
        away = min(exact + int(grown + 1e-9), count - 1)
    return offset + away


def position_bias(spec, w, prefix, length, causal):
    """What is added to every layer's scores [1,H,S,S], or 0."""
    if spec["positions"]["kind"] != "buckets":
        return 0.0
    rows = [[bucket(j - i, spec["positions"], not causal) for j in range(length)] for i in range(length)]
    return w[f"{prefix}position_bias.weight"][torch.tensor(rows)].permute(2, 0, 1)[None]


def alibi(n, length):
    """[n,S,S]: minus the distance times each head's slope; with n no power of two, every other slope of twice as many fills up."""
    whole = 2 ** int(math.log2(n))
    slopes = [2 ** (-8 * (h + 1) / whole) for h in range(whole)]
    slopes += [2 ** (-8 * (h + 1) / (2 * whole)) for h in range(0, 2 * whole, 2)][: n - whole]
    distance = (torch.arange(length)[:, None] - torch.arange(length)).abs()
    return -torch.tensor(slopes)[:, None, None] * distance


def visible(spec, length, keep=None, everywhere=False, causal=None):
    """[B or 1,1,S,S]: which key (last) each query sees; `keep` [B,S] masks padding keys out, `everywhere` lifts window and chunk."""
    place = torch.arange(length)
    distance = place[:, None] - place  # query - key
    seen = torch.ones(length, length, dtype=torch.bool)
    if spec["attention"]["causal"] if causal is None else causal:
        seen &= distance >= 0
    if "window" in spec["attention"] and not everywhere:  # the token itself counts
        seen &= distance.abs() < spec["attention"]["window"]
    if "chunk_len" in spec["attention"] and not everywhere:
        chunk = place // spec["attention"]["chunk_len"]
        seen &= chunk[:, None] == chunk
    if "prefix" in spec["attention"]:
        seen |= place < spec["attention"]["prefix"]
    seen = seen[None, None]
    return seen if keep is None else seen & (keep[:, None, None, :] == 1)


def normalise(spec, w, name, x):
    """The norm called `name`."""
    part = {key: w.get(f"{name}.{key}") for key in ("weight", "bias", "running_mean", "running_var")}
    kind, eps = spec["norm"]["kind"], spec["norm"].get("eps")
    if kind == "none":
        return x
    if kind.startswith("rms"):
        return rms_norm(x, 1.0 if kind == "rms_plain" else part["weight"] + (kind == "rms_plus_one"), eps)
    if kind == "layer_plain":
        return F.layer_norm(x, x.shape[-1:], eps=eps)
    if kind == "group":
        y = F.layer_norm(x.unflatten(-1, (spec["norm"]["groups"], -1)), (x.shape[-1] // spec["norm"]["groups"],), eps=eps)
        return y.flatten(-2) * part["weight"] + part["bias"]
    if kind == "batch":
        mean, variance = part["running_mean"], part["running_var"]
    else:
        mean = x.mean(-1, keepdim=True)
        variance = ((x - mean) ** 2).mean(-1, keepdim=True)
    y = (x - mean) / torch.sqrt(variance + eps) * (part["weight"] + (kind == "layer_plus_one"))
    return y if part["bias"] is None else y + part["bias"]


def linear(w, name, x):
    """The matrix called `name`, with its bias if it has one."""
    return F.linear(x, w[f"{name}.weight"], w.get(f"{name}.bias"))


def attend(spec, w, name, x, seen, memory=None, rope=None, bias=0.0):
    """Attention of x, to itself or to `memory`; `seen` says which keys, `rope` how queries and keys turn."""
    n, kv, width = heads(spec)
    attention, eps = spec["attention"], spec["norm"].get("eps")
    source = x if memory is None else memory
    q, k, v = (linear(w, f"{name}.{part}", y) for part, y in (("q", x), ("k", source), ("v", source)))
    place = attention.get("qk_norm_place", "heads") if attention["qk_norm"] and memory is None else None
    scales = [w.get(f"{name}.{part}_norm.weight") for part in "qk"]
    if place == "features":
        q, k = rms_norm(q, scales[0], eps), rms_norm(k, scales[1], eps)
    q, k = (y.unflatten(-1, (-1, width)).transpose(1, 2) for y in (q, k))
    v = v.unflatten(-1, (kv, -1)).transpose(1, 2)
    if place == "heads":
        q, k = rms_norm(q, scales[0], eps), rms_norm(k, scales[1], eps)
    if rope is not None:
        q, k = rotate(q, rope), rotate(k, rope)
    if place == "turned":
        q, k = rms_norm(q, scales[0], eps), rms_norm(k, scales[1], eps)
    # Query head h reads key/value head h // (n / kv).
    k, v = k.repeat_interleave(n // kv, dim=1), v.repeat_interleave(n // kv, dim=1)
    scores = q @ k.transpose(-1, -2)
    scores = (scores * attention["scale"] if "scale" in attention else scores / math.sqrt(width)) + bias
    if "softcap" in attention:
        scores = attention["softcap"] * torch.tanh(scores / attention["softcap"])
    if spec["positions"]["kind"] == "alibi" and memory is None:
        scores = scores + alibi(n, x.shape[1]).to(x.dtype)
    scores = scores.masked_fill(~seen, -torch.inf)
    if f"{name}.sinks" in w:  # one more score in each row, whose share goes nowhere
        sink = w[f"{name}.sinks"].view(1, -1, 1, 1).expand(*scores.shape[:-1], 1)
        scores = torch.cat([scores, sink], dim=-1)
    # A query that sees no key (padding far from every token) gathers nothing.
    weights = torch.softmax(scores, dim=-1).nan_to_num(0.0)[..., : v.shape[-2]]
    mixed = (weights @ v).transpose(1, 2).flatten(-2)
    if f"{name}.gate.weight" in w:
        mixed = mixed * torch.sigmoid(linear(w, f"{name}.gate", x))
    return linear(w, f"{name}.o", mixed)


def unit(spec, up, gate):
    """The nonlinear part of a feed-forward."""
    activation, gated = FFN[spec["ffn"]["kind"]]
    limit = spec["ffn"].get("limit")
    if not gated:
        return activation(up)
    if limit is not None:
        up, gate = up.clamp(-limit, limit), gate.clamp(max=limit)
    return activation(gate) * up


def feed(spec, w, name, x):
    """A dense feed-forward."""
    gate = linear(w, f"{name}.gate", x) if FFN[spec["ffn"]["kind"]][1] else None
    return linear(w, f"{name}.down", unit(spec, linear(w, f"{name}.up", x), gate))


def shares_of_near(logits, k, jitter):
    """SparseMixer: each choice in turn, as a share of the experts left whose logits come near the best (arXiv:2310.00811, section 3)."""
    left, weights, chosen = logits, [], []
    for _ in range(k):
        best = left.max(-1, keepdim=True)
        far = (best.values - logits) / torch.maximum(logits.abs(), best.values) > 2 * jitter
        weights.append(left.masked_fill(far, -torch.inf).softmax(-1).gather(-1, best.indices))
        chosen.append(best.indices)
        left = left.scatter(-1, best.indices, -torch.inf)
    return torch.cat(weights, -1), torch.cat(chosen, -1)


def mixture(spec, w, name, x):
    """A mixture of experts, token by token."""
    moe, gated = spec["ffn"]["moe"], FFN[spec["ffn"]["kind"]][1]
    logits = linear(w, f"{name}.router", x)
    scores = torch.sigmoid(logits) if moe.get("score") == "sigmoid" else torch.softmax(logits, dim=-1)
    if moe.get("score") == "chosen_softmax":
        scores = logits.exp()  # which the sum of the chosen ones turns into a softmax
    choice = scores + w.get(f"{name}.choice_bias", 0.0)
    groups = moe.get("groups")
    if groups:  # the groups whose best expert, or two best experts together, score best
        inside = choice.unflatten(-1, (groups["groups"], -1))
        best = inside.topk(1 if groups["kind"] == "max" else 2, dim=-1).values.sum(-1).topk(groups["chosen"], dim=-1).indices
        kept = torch.zeros(inside.shape[:-1], dtype=torch.bool).scatter(-1, best, True)
        choice = inside.masked_fill(~kept[..., None], -torch.inf).flatten(-2)
    chosen = choice.topk(moe["n_active"], dim=-1).indices
    weights = scores.gather(-1, chosen)
    if isinstance(moe.get("score"), dict):
        weights, chosen = shares_of_near(logits, moe["n_active"], moe["score"]["jitter"])
    by = moe.get("renormalise", "sum")
    if by != "none":
        weights = weights / weights.sum(-1, keepdim=True).clamp(min=0.0 if by == "sum" else by["least"])
    weights = weights * moe.get("factor", 1.0)
    part = lambda key, e: (w[f"{name}.experts.{key}"][e], w[f"{name}.experts.{key}_bias"][e] if spec["ffn"]["bias"] else None)
    y = torch.zeros_like(x)
    for b, t in itertools.product(*map(range, x.shape[:2])):
        for weight, e in zip(weights[b, t], chosen[b, t].tolist()):
            token = x[b, t: t + 1]
            gate = F.linear(token, *part("gate_proj", e)) if gated else None
            h = unit(spec, F.linear(token, *part("up_proj", e)), gate)
            y[b, t] += weight * F.linear(h, *part("down_proj", e))[0]
    if moe.get("n_shared"):
        shared = feed(spec, w, f"{name}.shared", x)
        y = y + (shared * torch.sigmoid(linear(w, f"{name}.shared_gate", x)) if moe.get("shared_gate") else shared)
    return y


def embed(spec, w, prefix, ids):
    """Ids as vectors with their positions."""
    x = w[f"{prefix}embed.weight"][ids]
    if f"{prefix}embed_proj.weight" in w:
        x = linear(w, f"{prefix}embed_proj", x)
    x = x * spec.get("multipliers", {}).get("embedding", 1.0)
    positions, length = spec["positions"], ids.shape[1]
    if positions["kind"] == "learned":
        start = positions.get("offset", 0)
        x = x + w[f"{prefix}pos_embed.weight"][start: start + length]
    elif positions["kind"] == "sinusoidal":
        x = x + sinusoids(length, spec["d_model"], positions.get("interleaved", False)).to(x.dtype)
    return normalise(spec, w, f"{prefix}embed_norm", x) if spec["norm"].get("embedding") else x


def add(spec, x, y):
    return x + y * spec.get("multipliers", {}).get("residual", 1.0)


def branch(spec, w, layer, name, x, f):
    """The stream x with the branch f added."""
    placed, norm = placement(spec), lambda part, y: normalise(spec, w, f"{layer}.{name}_{part}", y)
    if placed == "deepnorm":
        return norm("norm", add(spec, x * (2 * spec["n_layers"]) ** 0.25, f(x)))
    if placed == "post":
        return norm("norm", add(spec, x, f(x)))
    if placed == "branch":
        return add(spec, x, norm("norm", f(x)))
    if placed == "sandwich":
        return add(spec, x, norm("post_norm", f(norm("norm", x))))
    return add(spec, x, f(norm("norm", x)))


def last_norm(spec, w, prefix, x):
    return x if placement(spec) in ("post", "deepnorm") else normalise(spec, w, f"{prefix}norm", x)


def layer_rope(spec, everywhere):
    """How queries and keys of a layer turn; None where they do not."""
    attention = spec["attention"]
    if spec["positions"]["kind"] != "rope" or everywhere and not attention.get("global_rope", True):
        return None
    return attention["rope"] | (dict(theta=attention["global_theta"]) if everywhere and "global_theta" in attention else {})


def branches(spec, w, layer, i, keep, bias, causal):
    """Layer i's attention and its feed-forward, as functions of their inputs."""
    everywhere = is_global(spec, i)

    def look(h):
        if spec["attention"]["kind"] in reference_attention.KINDS:
            it = spec | {"attention": spec["attention"] | {"causal": causal}}
            return reference_attention.attend(it, w, f"{layer}.attn", h, keep)
        seen = visible(spec, h.shape[1], keep, everywhere, causal)
        return attend(spec, w, f"{layer}.attn", h, seen, rope=layer_rope(spec, everywhere), bias=bias)

    def think(h):
        return (mixture if has_mixture(spec, i) else feed)(spec, w, f"{layer}.ffn", h)

    return look, think


def encode(spec, w, ids):
    """The encoder of an encoder-decoder: its states, the last one normed."""
    x = embed(spec, w, "encoder.", ids)
    states, bias = [x], position_bias(spec, w, "encoder.", ids.shape[1], False)
    for i in range(spec["n_encoder_layers"]):
        layer = f"encoder.layers.{i}"
        look, think = branches(spec, w, layer, i, None, bias, False)
        x = branch(spec, w, layer, "attn", x, look)
        x = branch(spec, w, layer, "ffn", x, think)
        states.append(x)
    states[-1] = last_norm(spec, w, "encoder.", x)
    return states


def forward(spec, w, ids, keep=None, types=None, memory=None):
    """The task's output and the hidden states: embedding, after each layer (the last one normed)."""
    placed, task, head = placement(spec), spec.get("task", "causal_lm"), spec.get("head", {})
    causal = spec["attention"]["causal"]
    x = embed(spec, w, "", ids)
    if types is not None:
        x = x + w["type_embed.weight"][types]
    states, bias = [x], position_bias(spec, w, "", ids.shape[1], causal)
    for i in range(spec["n_layers"]):
        layer = f"layers.{i}"
        look, think = branches(spec, w, layer, i, keep, bias, causal)
        if placed == "parallel":
            y = normalise(spec, w, f"{layer}.attn_norm", x)
            x = add(spec, add(spec, x, look(y)), think(y))
        elif placed == "parallel_two_norms":
            y = look(normalise(spec, w, f"{layer}.attn_norm", x))
            x = add(spec, add(spec, x, y), think(normalise(spec, w, f"{layer}.ffn_norm", x)))
        else:
            x = branch(spec, w, layer, "attn", x, look)
            if memory is not None:
                full = torch.ones(1, 1, ids.shape[1], memory.shape[1], dtype=torch.bool)
                x = branch(spec, w, layer, "cross", x, lambda h: attend(spec, w, f"{layer}.cross", h, full, memory))
            x = branch(spec, w, layer, "ffn", x, think)
        states.append(x)
    states[-1] = x = last_norm(spec, w, "", x)
    return output(spec, w, task, head, x, keep), states


def output(spec, w, task, head, x, keep):
    """What the task makes of the last states."""
    if task in ("base", "segmented"):
        return x
    if task == "classifier":
        keep = torch.ones(x.shape[:2]) if keep is None else keep
        if head["pooling"] == "first":
            pooled = torch.tanh(linear(w, "pooler", x[:, 0]))
        elif head["pooling"] == "mean":
            pooled = (x * keep[..., None]).sum(1) / keep.sum(1, keepdim=True)
        else:
            pooled = torch.stack([row[int(kept.nonzero().max())] for row, kept in zip(x, keep)])
        return linear(w, "classifier", pooled)
    if task == "masked_lm":
        x = normalise(spec, w, "transform_norm", F.gelu(linear(w, "transform", x)))
    logits = F.linear(x, w["embed.weight" if spec["tied"] else "head.weight"], w.get("head.bias"))
    logits = logits * spec.get("multipliers", {}).get("logits", 1.0)
    cap = head.get("softcap")
    return logits if cap is None else cap * torch.tanh(logits / cap)
