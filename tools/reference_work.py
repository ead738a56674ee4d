"""Where a reference of transformers multiplies otherwise than its model's formula says.

Torch's counter adds up the products that a forward pass runs. Some references run more of them than the model asks for (scores
outside a window, padding, experts that no token chose, poolers that nothing reads), some fewer, and a scan over a prompt may be
cut into chunks of any length. A correction takes out what such a module multiplies and puts in the count of the formula.
"""

import math

# Tokens that a scan takes at once: its products are counted for whole chunks.
CHUNK = 64


def correction(model, counts, case):
    """What to add to the counter's total; `counts` are its counts by module, `case` holds the inputs."""
    config, (batch, tokens) = model.config, case["input_ids"].shape
    of = Counts(model, counts)
    out = 0
    for name, module in model.named_modules():
        for kind, formula in FORMULAS.items():
            if type(module).__name__.endswith(kind):
                out += formula(module, config, batch * tokens, tokens) - of.own(name)
        out -= padding(module, batch)
    for kinds, rest in RESTS.items():
        if config.model_type in kinds:
            out += rest(of, case)
    return out


class Counts:
    """A counter's products by the names of a model's modules."""

    def __init__(self, model, counts):
        self.model, self.config, self.counts = model, model.config, counts

    def total(self, name):
        """Of a module, without convolutions."""
        ops = self.counts.get(f"{type(self.model).__name__}.{name}", {})
        return sum(count for op, count in ops.items() if "convolution" not in str(op))

    def own(self, name):
        """Of a module, outside of its submodules."""
        inner = (child for child, _ in self.model.get_submodule(name).named_children())
        return self.total(name) - sum(self.total(f"{name}.{child}") for child in inner)

    def modules(self, kind):
        """Names of the modules of a class."""
        return [name for name, module in self.model.named_modules() if type(module).__name__ == kind]


def padding(module, batch):
    """Outputs of a convolution that are computed over padding and cut off."""
    if type(module).__name__ != "Conv1d" or module.groups == 1:
        return 0
    return 2 * batch * module.padding[0] * module.out_channels * module.kernel_size[0]


def decayed(rows, keys, values):
    """Chunks of a state that decays: queries by keys, the mixed values, the state read and written (arXiv:2405.21060, section 6)."""
    return rows * (2 * CHUNK * (keys + values) + 4 * keys * values)


def delta(rows, keys, values):
    """Chunks of the gated delta rule: the same, keys by keys, and what the state says of the keys (arXiv:2412.06464, section 3.3)."""
    return rows * (4 * CHUNK * keys + 2 * CHUNK * values + 6 * keys * values)


def scan(module, config, rows, tokens):
    return decayed(rows * module.num_heads, module.ssm_state_size, module.head_dim)


def scores(module, config, rows, tokens):
    """Attention of every token to every token."""
    return 4 * rows * tokens * module.num_heads * module.head_dim


# What a module multiplies itself, by the end of its class's name.
FORMULAS = {
    "Mamba2Mixer": scan,
    "BambaMixer": scan,
    "GraniteMoeHybridMambaLayer": scan,
    "FalconH1Mixer": scan,
    "LightningAttention": lambda m, c, rows, _: decayed(rows * m.num_attention_heads, m.head_dim, m.head_dim),
    "GatedDeltaNet": lambda m, c, rows, _: delta(rows * m.num_v_heads, m.head_k_dim, m.head_v_dim),
    # A decay for each feature goes token by token, without products.
    "KimiLinearDeltaAttention": lambda m, c, rows, _: 0,
    "LongformerSelfAttention": scores,
    "LEDEncoderSelfAttention": scores,
    "BigBirdBlockSparseAttention": lambda m, c, rows, tokens: 4 * rows * tokens * m.num_attention_heads * m.attention_head_size,
    "LongT5LocalAttention": lambda m, c, rows, tokens: 4 * rows * tokens * m.n_heads * m.key_value_proj_dim,
    "Llama4TextExperts": lambda m, c, rows, _: 6 * rows * c.num_experts_per_tok * m.hidden_size * m.intermediate_size,
    # Choices of no expert count as experts: which they are is known at run time alone.
    "LongcatFlashExperts": lambda m, c, rows, _: 6 * rows * c.moe_topk * c.hidden_size * c.expert_ffn_hidden_size,
}


def unread_distances(of, case):
    """Rows of DeBERTa's tables, and scores against them, that no pair of this length is apart."""
    config, (batch, tokens) = of.config, case["input_ids"].shape
    if not config.relative_attention:
        return 0
    reach = config.max_relative_positions if config.max_relative_positions > 0 else config.max_position_embeddings
    rows = 2 * (reach - min(tokens, reach))
    per_kind = 2 * rows * config.hidden_size * (config.hidden_size + batch * tokens)
    return config.num_hidden_layers * len(config.pos_att_type) * per_kind


def head_sums(of, case):
    """The sum over an indexer's heads, which is no product here."""
    batch, tokens = case["input_ids"].shape
    return -2 * of.config.num_hidden_layers * batch * tokens**2 * of.config.index_n_heads


def second_scores(of, case):
    """The scores of each pair of heads, which the reference computes twice."""
    batch, tokens = case["input_ids"].shape
    return -2 * of.config.num_hidden_layers * of.config.num_attention_heads * batch * tokens**2 * of.config.head_dim


def unread_pooler(of, case):
    """A pooler beside the masked-LM head, and what pads texts to whole blocks."""
    padded = whole_windows(of, case) if of.modules("BigBirdBlockSparseAttention") else 0
    return padded - 2 * len(case["input_ids"]) * of.config.hidden_size**2


def whole_windows(of, case):
    """Matrices of an encoder whose texts are padded to whole windows or blocks."""
    tokens, config = case["input_ids"].shape[1], of.config
    window = config.block_size if config.model_type == "big_bird" else max(config.attention_window)
    padded = math.ceil(tokens / window) * window
    matrices = [name for name in of.modules("Linear") if "encoder.layer" in name]
    return -sum(of.total(name) for name in matrices) * (padded - tokens) // padded


def full_experts(of, case):
    """One expert for each token, also where it has no room left."""
    ids = {"encoder": case["input_ids"], "decoder": case["decoder_input_ids"]}
    config = of.config
    return sum(
        4 * ids[name.split(".")[0]].numel() * config.d_model * config.d_ff - of.total(name)
        for name in of.modules("SwitchTransformersExperts")
    )


# The rest, by model type.
RESTS = {
    ("deberta",): unread_distances,
    ("deepseek_v32", "glm_moe_dsa"): head_sums,
    ("diffllama",): second_scores,
    ("big_bird",): unread_pooler,
    ("longformer", "led"): whole_windows,
    ("switch_transformers",): full_experts,
}
