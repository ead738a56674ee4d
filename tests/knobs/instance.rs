//! The random instances: choices with few values take their turns, the rest comes from a seed.

use std::fmt::Write as _;

const PLACEMENTS: &[&str] = &["pre", "post", "sandwich", "branch", "parallel"];
const NORMS: &[&str] = &["layer", "rms", "batch", "none"];
const FFNS: &[&str] = &["relu", "gelu", "gelu_tanh", "silu", "relu2", "reglu", "geglu", "geglu_tanh", "swiglu"];
const POSITIONS: &[&str] = &["rope", "learned", "sinusoidal", "rope", "none"];
const ATTENTIONS: &[&str] = &["mha", "gqa", "mqa"];
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
    line(format!("kind = {kind:?}\nn_heads = {heads}"));
    if kind == "gqa" {
        line(format!("n_kv_heads = {}", heads / 2));
    }
    if random.below(3) == 0 {
        line(format!("d_head = {}", random.pick(&[6_u64, 10])));
    }
    for knob in ["bias", "out_bias", "qk_norm"] {
        line(format!("{knob} = {}", random.flag()));
    }
    // One in six sees both sides.
    line(format!("causal = {}", at % 6 != 5));
    if random.below(3) == 0 {
        line(format!("window = {}", 2 + random.below(5)));
    }
    if random.below(4) == 0 {
        line("scale = 0.3".into());
    }
    if random.below(4) == 0 {
        line("softcap = 5.0".into());
    }
    let layout = random.pick(&["half_split", "interleaved"]);
    let rotated = if random.flag() { "" } else { "d_rot = 4, " };
    let theta = random.pick(&["100.0", "10000.0"]);
    line(format!("rope = {{ theta = {theta}, {rotated}layout = {layout:?}, scaling = {} }}", random.pick(SCALINGS)));

    line(format!("[norm]\nkind = {:?}", NORMS[(at + at / 4) % NORMS.len()]));
    line(format!("placement = {:?}\neps = {}", PLACEMENTS[at % PLACEMENTS.len()], random.pick(&["1e-5", "0.01"])));

    line(format!("[ffn]\nkind = {:?}", FFNS[at % FFNS.len()]));
    if random.flag() {
        line(format!("d_ff = {}", random.pick(&[24_u64, 40, 56])));
    }
    line(format!("bias = {}", random.flag()));

    line(format!("[positions]\nkind = {:?}", POSITIONS[(at + at / 5) % POSITIONS.len()]));
    out
}
