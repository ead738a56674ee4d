//! What each error code means, for `explain`.

/// Every code with a paragraph that explains it, sorted.
pub const CODES: &[(&str, &str)] = &[
    (
        "bad-gguf",
        "The file breaks the rules of the GGUF format at the byte or the tensor that is named, or \
         is of a version or byte order that is not read. Download it again, or convert the \
         original weights with newer tools.",
    ),
    (
        "bad-index",
        "An index of shards (`model.safetensors.index.json`) is not JSON, or has no \
         `weight_map` that gives each tensor's file. Download it again.",
    ),
    (
        "bad-prompt",
        "`generate` reads ids from standard input, separated by whitespace; a word there is \
         not a whole number that fits an id. Text has to go through the tokenizer first. A \
         `.jsonl` file of `run --prompts` has on each line an object with a text under `prompt`.",
    ),
    (
        "context-too-long",
        "The input, or the input and the tokens to generate, are longer than the positions \
         that the model was made for, or than the room that a session was given. Shorten the \
         input or generate less.",
    ),
    (
        "diverges",
        "`verify` found outputs that differ from the reference by more than the tolerance, or \
         that hold NaN. The first hidden state that differs names the layer where the fault \
         begins: compare that layer's wiring, its norms and its positions with the reference.",
    ),
    (
        "duplicate-tensor",
        "A header names a tensor twice, or two shards hold a tensor of one name. Which one \
         counts would be a guess, so neither is used.",
    ),
    ("empty-input", "There are no ids to run on: an empty prompt, or an input without elements."),
    (
        "gguf-architecture",
        "A GGUF file says which architecture it is for, and the model's family reads others, or no \
         GGUF files at all. Give the spec that the file was made for; a family reads GGUF files \
         where it has a `gguf` section.",
    ),
    (
        "gguf-differs",
        "A GGUF file and the model disagree about a number, e.g. about the base of the rotary \
         positions. The file belongs to another model, or the spec is wrong.",
    ),
    (
        "gguf-key",
        "A GGUF file has a key about its architecture that nothing reads. It may change what the \
         model computes, so the family's `gguf` section has to check it or to ignore it, with a \
         reason.",
    ),
    (
        "input-dtype",
        "A tensor of an input file has a type that its role does not allow: ids and masks are \
         I64 (I32 and U8 are read too), reference outputs are floats.",
    ),
    (
        "input-shape",
        "Input tensors do not fit each other: ids are [B, S], and all streams of a case have \
         the same number of rows.",
    ),
    (
        "io",
        "A file could not be read or written; the message ends with the system's reason. \
         Outputs are written under a temporary name first, so an older file is untouched.",
    ),
    (
        "mask-shape",
        "An attention mask has one number for every id of its input, 1 for a token and 0 for \
         padding; this one has another shape.",
    ),
    (
        "mask-value",
        "An attention mask is 1 at a token and 0 at padding; any other number, such as a weight or the \
         minus infinity of an additive mask, would be read as a token.",
    ),
    ("missing-input", "The model reads an input that is not there. `info` lists the inputs of a model."),
    (
        "missing-shard",
        "The index lists a file that is not in its folder: a download that stopped early. \
         Fetch the missing shard.",
    ),
    (
        "missing-tensor",
        "The index puts a tensor into a shard that does not hold it. Index and shards come \
         from different checkpoints, or one of them is damaged.",
    ),
    (
        "missing-weight",
        "The model has a parameter that the checkpoint lacks. The nearest name in the \
         checkpoint is shown; if it is the same weight, the spec's weights section has to map \
         it.",
    ),
    (
        "no-finite-logits",
        "Every logit is NaN or minus infinity, so no token can be chosen. Damaged weights, or \
         a model that overflowed, give this.",
    ),
    (
        "no-weights",
        "The folder holds neither `model.safetensors` nor `model.safetensors.index.json`. \
         Give the folder of a checkpoint, or the file itself. Pickles are not read: convert \
         them.",
    ),
    (
        "not-generative",
        "The model gives representations or scores for a whole input; it does not continue \
         sequences.",
    ),
    (
        "not-safetensors",
        "The file is not in the safetensors format, or its header breaks the format's rules. \
         Common causes are a Git LFS pointer, an HTML error page, a pickle, an archive.",
    ),
    (
        "nothing-to-verify",
        "The case holds no output under a name that the model produces, so there is nothing \
         to compare.",
    ),
    (
        "outputs-not-finite",
        "`quantize` compares the model's answers before and after, and those at the named token \
         hold NaN or infinity. With the original weights, the checkpoint is damaged or the model \
         overflows in 32 bits; with the new ones, the format is too small for it. Nothing was \
         written.",
    ),
    (
        "overlapping-tensors",
        "Two tensors of a file claim the same bytes. No writer does that; the file is damaged \
         or hostile.",
    ),
    (
        "packed-pair",
        "In weights written by `quantize`, `NAME.codes` and `NAME.scales` belong together and \
         fit each other. The file is damaged, or was written by something else: quantise the \
         original weights again.",
    ),
    (
        "packed-version",
        "The file was written by `quantize` in another version of its form. Quantise the \
         original weights again.",
    ),
    (
        "sampling-option",
        "A sampling option is out of its range: temperature 0 or more, top-p above 0 and at \
         most 1, min-p from 0 to 1, repetition penalty above 0.",
    ),
    (
        "shard-path",
        "A shard name of an index is a path, is empty, or is a link that leads out of the \
         checkpoint's folder. Shards are plain file names beside their index.",
    ),
    ("split-gguf", "The file is one part of a GGUF model that was split. Parts are not read: join them first."),
    (
        "tensor-dtype",
        "A header gives a tensor a type that the format does not have, or one of less than a \
         byte, which is not read.",
    ),
    (
        "tensor-gap",
        "Bytes between two tensors of a file belong to none. The format does not allow holes: \
         the file is damaged.",
    ),
    (
        "tensor-shape",
        "A tensor's shape has a zero or more than eight axes, or its byte range does not \
         match its type and shape.",
    ),
    (
        "token-out-of-range",
        "An id is not in the vocabulary of the model, or not in the embedding it goes to. \
         Check that the tokenizer belongs to the model.",
    ),
    (
        "trailing-bytes",
        "Bytes follow the last tensor of a file. The format does not allow them: the file is \
         damaged or something was appended.",
    ),
    (
        "truncated-gguf",
        "The file ends before what it says that it holds: a download that stopped early. Download \
         it again.",
    ),
    (
        "truncated-safetensors",
        "The file ends before its header or its tensors do: a download that stopped early. \
         Download it again.",
    ),
    (
        "unknown-simd",
        "FORMWORK_SIMD names a level that does not exist. It is one of amx, avx512bf16, vnni, \
         avx512, avxvnni, avx2 and portable.",
    ),
    (
        "unlisted-tensor",
        "A shard holds a tensor that the index does not list. Index and shards come from \
         different checkpoints.",
    ),
    (
        "unsupported-simd",
        "FORMWORK_SIMD asks for instructions that this CPU lacks. Unset it to use the best \
         level that the CPU has.",
    ),
    (
        "unused-weight",
        "The checkpoint holds a tensor that the model does not use. Either the model lacks a \
         part, or the spec has to list the tensor as ignorable, with a reason.",
    ),
    (
        "usage",
        "The command line is wrong: an unknown command or option, a missing one, or a value \
         of the wrong kind.",
    ),
    (
        "weight-dtype",
        "A parameter is stored in a type that is not read as numbers of a model: F32, BF16, \
         F16 and F64 are. Integers and quantised types need a spec that says how to unpack \
         them.",
    ),
    (
        "weight-not-finite",
        "`quantize` says how far weights move, which nothing can say of NaN or infinity. The named \
         parameter holds such: the file is damaged, or the training that made it diverged.",
    ),
    (
        "weight-overflow",
        "A parameter holds numbers that the asked format has no room for, e.g. above 65504 in f16; \
         they would become infinity. Formats of 8 and 4 bits have 16-bit scales.",
    ),
    (
        "weight-shape",
        "A parameter has another shape in the checkpoint than in the model. Sizes differ, or \
         (where the message says transposed) the checkpoint stores it as [in, out] and the \
         spec has to transpose it.",
    ),
];
