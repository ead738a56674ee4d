//! The random instances: choices with few values take their turns, the rest comes from a seed.

use std::fmt::Write as _;

const PLACEMENTS: &[&str] = &["pre", "post", "sandwich", "branch", "parallel", "deepnorm"];
const NORMS: &[&str] = &["layer", "rms", "batch", "none", "layer_plain", "rms_plain"];
const FFNS: &[&str] = &["relu", "gelu", "gelu_tanh", "silu", "relu2", "reglu", "geglu", "geglu_tanh", "swiglu"];
const POSITIONS: &[&str] = &["rope", "learned", "sinusoidal", "rope", "none"];
const ATTENTIONS: &[&str] = &["mha", "gqa", "mqa"];
/// Instances of the plain kinds; the others follow.
pub(crate) const PLAIN: usize = 24;
/// Kinds besides the softmax over all keys, with settings narrower than the prompt.
pub(crate) const OTHERS: &[&str] = &[
    "kind = \"mla\"\nq_rank = 12\nkv_rank = 10\nd_rope = 4\nd_v = 6",
    "kind = \"linear\"",
    "kind = \"multi_scale\"\nwindows = [3, 0]",
    "kind = \"dca\"\ntrained = 6\nchunk = 4",
    "kind = \"sparse\"\npattern = { kind = \"strided\", stride = 3 }",
    "kind = \"sparse\"\npattern = { kind = \"blocks\", size = 2, local = 0, random = 1 }",
    "kind = \"dynamic_context\"\ntop_k = 4\nindex_heads = 2\nd_index = 4",
    "kind = \"gated_delta\"\nconv = 3",
    "kind = \"linear\"\nfeatures = \"softmax\"",
];
/// Mixtures of experts in plain instances, the last ones.
pub(crate) const MIXTURES: &[&str] = &[
    "{ n_experts = 4, n_active = 2, d_expert = 20, n_shared = 1 }",
    "{ n_experts = 5, n_active = 3, d_expert = 36, score = \"sigmoid\", factor = 1.7, every = 2 }",
];
/// How many instances there are.
pub(crate) const COUNT: usize = PLAIN + OTHERS.len() + MIXTURES.len();
const SCALINGS: &[&str] = &[
    "{ kind = \"none\" }",
    "{ kind = \"linear\", factor = 2.0 }",
    "{ kind = \"llama3\", factor = 8.0, low_freq_factor = 1.0, high_freq_factor = 4.0, original_max = 16 }",
    "{ kind = \"yarn\", factor = 4.0, original_max = 16, attention_factor = 1.1 }",
];

/// Numbers from a seed (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % n
    }

    fn flag(&mut self) -> bool {
        self.below(2) == 0
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[usize::try_from(self.below(items.len() as u64)).unwrap_or(0)]
    }
}

/// The TOML text of an instance.
pub(crate) fn spec(at: usize) -> String {
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (at as u64 + 1).wrapping_mul(0x2545_f491_4f6c_dd1d));
    let mut out = String::new();
    let mut line = |text: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{text}");
    };
    let heads = random.pick(&[2_u64, 4, 6]);
    let d_model = heads * random.pick(&[8_u64, 12, 16]);
    line(format!("vocab_size = {}", 20 + random.below(50)));
    line(format!("d_model = {d_model}"));
    line(format!("n_layers = {}", 1 + random.below(3)));
    line("max_seq_len = 32".into());
    line(format!("tied = {}", random.flag()));

    line("[attention]".into());
    let kind = ATTENTIONS[at % ATTENTIONS.len()];
    let other = at.checked_sub(PLAIN).and_then(|at| OTHERS.get(at).copied());
    let mixture = at.checked_sub(PLAIN + OTHERS.len()).map(|at| MIXTURES[at]);
    let is_plain = other.is_none();
    line(other.map_or_else(|| format!("kind = {kind:?}"), String::from));
    line(format!("n_heads = {heads}"));
    if is_plain && kind == "gqa" {
        line(format!("n_kv_heads = {}", heads / 2));
    }
    if random.below(3) == 0 {
        line(format!("d_head = {}", random.pick(&[6_u64, 10])));
    }
    let knobs: &[&str] = if is_plain { &["bias", "out_bias", "qk_norm"] } else { &["out_bias"] };
    for knob in knobs {
        line(format!("{knob} = {}", random.flag()));
    }
    // One in six sees both sides.
    line(format!("causal = {}", !is_plain || at % 6 != 5));
    if is_plain && random.below(3) == 0 {
        line(format!("window = {}", 2 + random.below(5)));
    }
    if is_plain && random.below(4) == 0 {
        line("scale = 0.3".into());
    }
    if is_plain && random.below(4) == 0 {
        line("softcap = 5.0".into());
    }
    let layout = random.pick(&["half_split", "interleaved"]);
    let rotated = if random.flag() || !is_plain { "" } else { "d_rot = 4, " };
    let theta = random.pick(&["100.0", "10000.0"]);
    line(format!("rope = {{ theta = {theta}, {rotated}layout = {layout:?}, scaling = {} }}", random.pick(SCALINGS)));

    line(format!("[norm]\nkind = {:?}", NORMS[(at + at / 4) % NORMS.len()]));
    line(format!("placement = {:?}\neps = {}", PLACEMENTS[at % PLACEMENTS.len()], random.pick(&["1e-5", "0.01"])));

    line(format!("[ffn]\nkind = {:?}", FFNS[at % FFNS.len()]));
    if random.flag() {
        line(format!("d_ff = {}", random.pick(&[24_u64, 40, 56])));
    }
    line(format!("bias = {}", random.flag()));
    if let Some(mixture) = mixture {
        line(format!("moe = {mixture}"));
    }

    let positions = if is_plain { POSITIONS[(at + at / 5) % POSITIONS.len()] } else { "rope" };
    line(format!("[positions]\nkind = {positions:?}"));
    out
}
