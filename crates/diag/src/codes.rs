//! Every diagnostic code with the text that `formwork explain CODE` prints: what is wrong, a wrong example, the mended one.

/// A code and its explanation.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// Kebab-case words.
    pub name: &'static str,
    /// What is wrong, why it matters, and how to mend it.
    pub text: &'static str,
}

/// The entry of a code.
pub fn code(name: &str) -> Option<&'static Code> {
    CODES.iter().find(|c| c.name == name)
}

macro_rules! codes {
    ($($name:literal: $text:literal,)*) => {
        /// Every code, in alphabetical order.
        pub const CODES: &[Code] = &[$(Code { name: $name, text: $text }),*];
    };
}

codes! {
    "bad-argument": "A function of the static stage was given a value that it cannot use.

    wrong:  d_ff = \"round_up(d_model, 0)\"      # a step of zero
    right:  d_ff = \"round_up(d_model, 64)\"",

    "bad-fact": "A `gguf` section holds a file's keys against numbers of the family; null leaves a key alone.

    wrong:  \"rope.freq_base\" == rope
    right:  \"rope.freq_base\" == rope.theta",

    "bad-input": "An entry point takes token streams: `ids` with a batch and a sequence, each a symbol of the run; beside them
    it may take one input of numbers, `[B, P, width]`.

    wrong:  model causal_lm(tokens: [8, 512]) -> ..
    right:  model causal_lm(tokens: ids[B, S]) -> ..",

    "bad-name": "A model's name becomes a crate's name, so it has 1 to 100 letters, digits, `-`, `_` and `.`.

    wrong:  name = \"my model!\"
    right:  name = \"my-model\"",

    "bad-operand": "An op's own rules refuse what it was given; the message says which rule.

    wrong:  rope(x, config)                        // x is [B, S, d_model]
    right:  x |> heads(n_heads) |> rope(config)    // [B, S, n_heads, d_head]",

    "bad-operator": "An operator stands between values that it does not apply to.

    wrong:  d_model * \"4\"
    right:  d_model * 4",

    "bad-path": "A path names weights. What stands in its braces must be a static integer or string, and each brace is closed.

    wrong:  linear(x, d) @ \"experts.{e.w1\"
    right:  linear(x, d) @ \"experts.{e}.w1\"",

    "bad-result": "An entry point ends with the tensor that it computes, written as the last expression of its body.

    wrong:  model base(tokens: ids[B, S]) { x = embedding(tokens, vocab_size, d_model) @ \"embed\" }
    right:  model base(tokens: ids[B, S]) { embedding(tokens, vocab_size, d_model) @ \"embed\" }",

    "bad-size": "Every dimension of a tensor, and every size that an op takes, is at least 1.

    wrong:  d_model = 0
    right:  d_model = 512",

    "bad-weight-source": "The right side of a weight rule is a name in the checkpoint, or one of the mapping functions around it.

    wrong:  \"{p*}.q.weight\" <- half(\"{p}.qkv.weight\")
    right:  \"{p*}.q.weight\" <- rows(\"{p}.qkv.weight\", 0, d_model)",

    "carried-shape": "A value that a loop carries from layer to layer has the same shape after a layer as before it.

    wrong:  repeat i in 0..n @ \"h.{i}\" { x = linear(x, 2 * d_model) @ \"w\" }
    right:  repeat i in 0..n @ \"h.{i}\" { x = linear(x, d_model) @ \"w\" }",

    "cyclic-definition": "A parameter or `let` needs its own value to be computed; the note shows the way round.

    wrong:  let d_head = d_model / n_heads    let n_heads = d_model / d_head
    right:  param n_heads: int                let d_head = d_model / n_heads",

    "division-by-zero": "A division or remainder by zero.

    wrong:  d_head = \"d_model / 0\"
    right:  d_head = \"d_model / 8\"",

    "duplicate-key": "A key stands twice in one object; readers differ in which one they take, so neither is taken.

    wrong:  { \"hidden_size\": 512, \"hidden_size\": 768 }
    right:  { \"hidden_size\": 512 }",

    "duplicate-name": "Two declarations of one file have the same name.

    wrong:  let d = 64    let d = 128
    right:  let d = 64    let e = 128",

    "duplicate-weight": "Two parameters would be read from one name. Give each its own path; a tie belongs in `weights`.

    wrong:  linear(x, d) @ \"w\" + linear(x, d) @ \"w\"
    right:  linear(x, d) @ \"w1\" + linear(x, d) @ \"w2\"",

    "empty-file": "The file holds nothing but space and comments. The smallest instance sets one size.

    right:  d_model = 512",

    "huge-tensor": "A tensor would have more elements than any machine can address (2^48), most often by a mistyped size.

    wrong:  vocab_size = 9223372036854775807
    right:  vocab_size = 32000",

    "index-range": "A list is indexed from 0 to its length less one.

    wrong:  windows[n_layers]
    right:  windows[n_layers - 1]",

    "internal": "The compiler contradicts itself. This is a bug of the compiler, not of the spec: please report it with the spec.",

    "json-syntax": "The file is not JSON. Comments, trailing commas and unquoted keys are not JSON either.

    wrong:  { \"hidden_size\": 512, }
    right:  { \"hidden_size\": 512 }",

    "layer-count": "A loop runs 0 to 65536 times.

    wrong:  n_layers = 4000000000
    right:  n_layers = 40",

    "misplaced-op": "An op makes a tensor, and tensors exist only inside a `model` or a `block` that one calls.

    wrong:  let x = relu(y)
    right:  block f(y) { relu(y) }",

    "misplaced-path": "A path `@ \"name\"` follows a call that has parameters: an op with weights, or a block.

    wrong:  relu(x) @ \"act\"
    right:  linear(x, d) @ \"proj\"",

    "misplaced-probe": "A probe at the start of a layer observes a value that the loop carries.

    wrong:  repeat i in 0..n @ \"h.{i}\" { probe ids as \"x.{i}\"  x = f(x) }
    right:  repeat i in 0..n @ \"h.{i}\" { probe x as \"x.{i}\"  x = f(x) }",

    "missing-argument": "A block, function or op was called without an argument that has no default.

    wrong:  linear(x) @ \"proj\"
    right:  linear(x, d_model) @ \"proj\"",

    "missing-field": "A record or variant was built without a field that has no default.

    wrong:  rope: { scaling: linear() }
    right:  rope: { scaling: linear(factor: 4.0) }",

    "missing-index": "The path of a loop's layers (or a probe in one) mentions the loop's index, else all layers would share one name. A loop
    that applies one layer again and again says `shared` before its path.

    wrong:  repeat i in 0..n_layers @ \"layers\" { .. }
    right:  repeat i in 0..n_layers @ \"layers.{i}\" { .. }",

    "missing-key": "The file does not give a key that has no default.

    wrong:  [attention]  kind = \"gqa\"
    right:  [attention]  kind = \"gqa\"  n_kv_heads = 8",

    "missing-kind": "A table that stands for a choice says which one with `kind`, unless the parameter has a default to say it.

    wrong:  tokenizer = { vocab_size = 4096 }
    right:  tokenizer = { kind = \"byte_bpe\", vocab_size = 4096 }",

    "missing-path": "An op with parameters needs the name that they have in the checkpoint.

    wrong:  linear(x, d_model)
    right:  linear(x, d_model) @ \"proj\"",

    "no-entry-point": "A family has at least one `model`: the function from tokens to a result.

    wrong:  family tiny { param d: int }
    right:  family tiny { param d: int  model base(tokens: ids[B, S]) { .. } }",

    "no-family": "A `.fw` file that is compiled on its own declares a family; a file of blocks alone is a library.

    wrong:  block f(x) { relu(x) }
    right:  family tiny { block f(x) { relu(x) }  model base(tokens: ids[B, S]) { .. } }",

    "no-match": "No arm of a `match` accepts the value. Name the missing case, or end with `_ => ..`.

    wrong:  match kind { relu => .. }
    right:  match kind { relu => ..  _ => .. }",

    "no-sequence": "The op works along a sequence of tokens, and its operand has no sequence axis of the model's inputs.

    wrong:  first_token(x) |> heads(h) |> rope(config)
    right:  x |> heads(h) |> rope(config)",

    "not-callable": "Something that is no block, function or op stands before a parenthesis.

    wrong:  d_model(x)
    right:  linear(x, d_model) @ \"proj\"",

    "not-divisible": "A size would be a fraction: one number does not divide another.

    wrong:  n_heads = 32  n_kv_heads = 12
    right:  n_heads = 32  n_kv_heads = 8",

    "not-finite": "A number is infinite or not a number. No model can compute with it.

    wrong:  eps = nan
    right:  eps = 1e-5",

    "not-utf8": "Specs are UTF-8 text. The message says at which byte the text ends.

    mend:   save the file as UTF-8, without binary parts",

    "number-overflow": "An intermediate result does not fit 128 bits.

    wrong:  d_ff = \"100000000000000000000 * 100000000000000000000\"
    right:  d_ff = \"4 * d_model\"",

    "number-range": "A number is too large or too small for what will hold it.

    wrong:  eps = 1e-400
    right:  eps = 1e-5",

    "once-depends-on-step": "`once` computes a part one time per source and keeps it, so it may not read what changes with each step.

    wrong:  once(f(decoder_state))
    right:  once(f(encoder_state))",

    "out-of-fuel": "The static stage took half a million steps without an end, most often in nested `each`.

    wrong:  each(1000, |i| each(1000, |j| each(1000, |k| 0)))
    right:  each(n_layers, |i| window)",

    "per-layer-number": "A number that differs from layer to layer is a table in the generated code, so a layer's body cannot compute with it.

    wrong:  repeat i in 0..n, s = each_scale[i] @ \"h.{i}\" { x = scale(x, s * 2.0) }
    right:  repeat i in 0..n, s = each_scale[i] * 2.0 @ \"h.{i}\" { x = scale(x, s) }",

    "rank-mismatch": "A tensor has another number of axes than the declaration says.

    wrong:  block f(x: [B, S]) { .. }             // called with [B, S, d_model]
    right:  block f(x: [B, S, d_model]) { .. }",

    "recursion": "A block or function calls itself without end. Layers are repeated with `repeat`, not with recursion.

    wrong:  block f(x) { f(x) }
    right:  repeat i in 0..n @ \"layers.{i}\" { x = f(x) }",

    "requirement": "A `require` of the family does not hold for these arguments. The labels show the values that decide it.

    wrong:  require d_head % 2 == 1, \"heads are odd\"
    mend:   change one of the sizes that the labels point at",

    "result-count": "A block gives another number of values than are declared or taken.

    wrong:  (q, k) = split(x, [d, d, d])
    right:  (q, k, v) = split(x, [d, d, d])",

    "shape-mismatch": "Two dimensions that should be equal differ. The labels show where each came from.

    wrong:  x + linear(x, 2 * d_model) @ \"proj\"
    right:  x + linear(x, d_model) @ \"proj\"",

    "spec-version": "`spec_version` says which edition of the language a spec was written for; this compiler knows edition 1.

    wrong:  spec_version = 7
    right:  spec_version = 1",

    "syntax": "The text is not in the language's grammar. The message says what may stand at this place.

    wrong:  let d_ff 4 * d_model
    right:  let d_ff = 4 * d_model",

    "tie-shape": "Two parameters that share their storage have different shapes.

    wrong:  \"head.weight\" <- \"embed.weight\"      // [vocab_size, d_model] and [vocab_size, d_embed]
    mend:   project first, or drop the tie",

    "toml-syntax": "The file is not TOML.

    wrong:  d_model 512
    right:  d_model = 512",

    "too-deep": "Values or brackets nest deeper than 64 levels.

    mend:   give inner parts a name with `let`, or make them blocks",

    "too-large": "A spec file may have 1 MiB. Weights do not belong in it.

    mend:   check that the path names the spec and not a checkpoint",

    "too-long": "One expression has more than 256 operators or 4096 bytes, or one item more than 64 KiB.

    mend:   give parts of it a name with `let`, or use `each`",

    "too-many-arguments": "A call has more arguments than the declaration.

    wrong:  relu(x, 3)
    right:  relu(x)",

    "too-many-kinds": "The layers of one loop differ in more than 1024 ways; each way is a layer of its own in the generated code.

    wrong:  repeat i in 0..n, width = i @ \"h.{i}\" { .. }
    right:  repeat i in 0..n, wide = i % 2 == 0 @ \"h.{i}\" { .. }",

    "type-mismatch": "A value has another type than is needed here.

    wrong:  tied = \"yes\"
    right:  tied = true",

    "unbalanced": "A bracket or a string is never closed, or closes something else.

    wrong:  linear(x, d_model @ \"proj\"
    right:  linear(x, d_model) @ \"proj\"",

    "unknown-argument": "A call names an argument that the declaration does not have.

    wrong:  attention(q, k, v, masks: causal)
    right:  attention(q, k, v, mask: causal)",

    "unknown-class": "A config's `architectures` names a class for which the family has no entry point.

    wrong:  \"architectures\": [\"SomethingForQuestionAnswering\"]
    mend:   choose an entry point with `--task`, or add `task \"..\" -> name` to the `hf` section",

    "unknown-family": "No family has this name. Families of your own are found in the folders given with `--spec-path`.

    wrong:  family = \"transfomer\"
    right:  family = \"transformer\"",

    "unknown-field": "A record, variant or value has no field of this name.

    wrong:  attention.heads
    right:  attention.n_heads",

    "unknown-key": "The file has a key that nothing declares. Nothing is ignored silently: remove it or mend its name.

    wrong:  n_layer = 12
    right:  n_layers = 12",

    "unknown-model-type": "No family's `hf` section claims configs of this `model_type`.

    mend:   write a family for it, with `hf \"the_type\" { .. }`, and give its folder with `--spec-path`",

    "unknown-name": "Nothing at this place has this name: no parameter, `let`, local value or declaration.

    wrong:  linear(x, dmodel) @ \"proj\"
    right:  linear(x, d_model) @ \"proj\"",

    "unknown-op": "No block, function or op has this name.

    wrong:  rmsnorm(x, eps)
    right:  rms_norm(x, eps)",

    "unknown-param": "An `hf` section maps a config's key to a parameter that the family does not have.

    wrong:  hidden_size -> dmodel
    right:  hidden_size -> d_model",

    "unknown-surface": "A spec is a `.toml` (an instance), a `.fw` (a family), a `config.json`, or a folder that holds exactly one of them.

    wrong:  formwork compile notes.txt
    right:  formwork compile model.toml",

    "unknown-task": "The family has no entry point of this name.

    wrong:  task = \"causal\"
    right:  task = \"causal_lm\"",

    "unknown-type": "No type has this name. Built in are int, float, bool, string, block, list<..>, ids[..] and [..]; others are records and enums.

    wrong:  param d_model: integer
    right:  param d_model: int",

    "unknown-variant": "A word is none of the choices of an enum; the label lists them.

    wrong:  kind = \"swigl\"
    right:  kind = \"swiglu\"",

    "unread-config-key": "A config has a key that the family neither maps nor ignores. It may change what the model computes, so it is not skipped.

    wrong:  a config with \"new_scaling\": 2.0
    mend:   map it in the family's `hf` section, or list it: ignore new_scaling because \"training\"",

    "unreadable-file": "A file or folder could not be read; the message holds the system's reason.

    mend:   check the path and its permissions",

    "unsupported": "The family understands what is asked for and says that it cannot do it (`fail(\"..\")` in its text).

    mend:   choose a supported value, or add the missing mechanism",

    "unused-weight-rule": "A weight rule matches no parameter of the model, so it was meant for something else.

    wrong:  \"haed.weight\" <- \"embed.weight\"
    right:  \"head.weight\" <- \"embed.weight\"",

    "vocabulary-mismatch": "A tokenizer gives ids that the model's embedding has no row for, or no embedding reads them. Rows beyond the
    tokenizer's ids are padding, which many models have.

    wrong:  vocab_size = 32000  [tokenizer]  kind = \"bpe\"  vocab_size = 32768
    right:  vocab_size = 32768  [tokenizer]  kind = \"bpe\"  vocab_size = 32768",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_kebab_case_words_with_a_text() {
        assert!(CODES.is_sorted_by(|a, b| a.name < b.name));
        for code in CODES {
            assert!(
                code.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                "{}",
                code.name
            );
            assert!(code.text.lines().all(|l| l.chars().count() <= 140), "{} is too wide", code.name);
        }
    }
}
