"""The vocabularies of crates/tokenizer's tests as GGUF files, and what independent libraries make of them.

    python tools/make_gguf_vocabularies.py

Reads the vocabularies and the corpus that tools/make_tokenizer_fixtures.py has written, and writes them under
crates/tokenizer/tests/fixtures/gguf/ with the `gguf` package, in the spelling that llama.cpp's converter gives them. What they
make of the corpus stands beside the originals, but for three:
- `rules.gguf`, a unigram model with rewritings of its own, against SentencePiece (`rules.ref`);
- `word_list.gguf`, which cannot hold every token of its original, against WordPiece by its definition (`word_list.ref`);
- `patterns.ref`, for each way of cutting words that crates/tokenizer/src/gguf/known.json has: its first name, the number of ids
  of the whole corpus and a hash of them, the number of words of some texts and a hash of where they end. The references are the
  `regex` package, which cuts the texts, and tiktoken, which merges.
"""

import contextlib
import io
import json
import pathlib
import tempfile

import gguf
import regex
import sentencepiece
import tiktoken
from sentencepiece import sentencepiece_model_pb2 as proto

import make_tokenizer_fixtures as base

FROM, OUT = base.OUT, base.OUT / "gguf"
KNOWN = base.ROOT / "crates/tokenizer/src/gguf/known.json"
NORMAL, UNKNOWN, CONTROL, USER_DEFINED = 1, 2, 3, 4


def write(name, model, tokens, types, **keys):
    """A GGUF file of keys alone."""
    writer = gguf.GGUFWriter(OUT / f"{name}.gguf", "vocabulary")
    writer.add_tokenizer_model(model)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    for key, value in keys.items():
        getattr(writer, f"add_{key}")(value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def pieces(name, model, bytes_of_model, **keys):
    """A SentencePiece model."""
    message = proto.ModelProto.FromString(bytes_of_model)
    tokens = [piece.piece for piece in message.pieces]
    types = [piece.type for piece in message.pieces]
    keys |= {
        "token_scores": [piece.score for piece in message.pieces],
        "add_space_prefix": message.normalizer_spec.add_dummy_prefix,
        "remove_extra_whitespaces": message.normalizer_spec.remove_extra_whitespaces,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "unk_token_id": 0,
        "add_bos_token": False,
        "add_eos_token": True,
    }
    if charsmap := message.normalizer_spec.precompiled_charsmap:
        keys["precompiled_charsmap"] = charsmap
    write(name, model, tokens, types, **keys)


def rules(lines):
    """A unigram model whose rewritings are few."""
    training = ["".join(c for c in line if c != "\0") for line in lines[::2]]
    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):
        pathlib.Path("rules.tsv").write_text("41\t61\n61 301\tE1\nDF\t73 73\n2003\t20\n200B\t\nFB01\t66 69\n")
        written = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(training), model_writer=written, model_type="unigram", vocab_size=700,
            character_coverage=0.98, hard_vocab_limit=False, normalization_rule_tsv="rules.tsv",
            user_defined_symbols=["<sep>", "🦀🦀"], num_threads=1, minloglevel=2,
        )  # fmt: skip
    pieces("rules", "t5", written.getvalue())
    model = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
    rows = [model.encode(line) for line in lines]
    base.reference("gguf/rules", [(ids, model.decode(ids)) for ids in rows])


def words(lines):
    """Beginnings of words are marked, not what goes on inside them, which cannot begin with the mark."""
    tokens = (FROM / "word_list/vocab.txt").read_text().splitlines()
    tokens = [token for token in tokens if not token.startswith("##\u2581")]
    special = tokens[:5]
    marked = [t if t in special else t[2:] if t.startswith("##") else "\u2581" + t for t in tokens]
    types = [CONTROL if t in special else NORMAL for t in tokens]
    vocab = {token: i for i, token in enumerate(tokens)}
    base.reference("gguf/word_list", [(list(base.wordpiece(vocab, line)), None) for line in lines])
    ids = dict(zip(["pad_token_id", "unk_token_id", "cls_token_id", "sep_token_id", "mask_token_id"], range(5)))
    ids["bos_token_id"] = ids.pop("cls_token_id")
    write("word_list", "bert", marked, types, token_type_count=2, **ids)


def merges(lines):
    """Byte-level merges with a token to end texts, and every way of cutting words."""
    vocab = json.loads((FROM / "byte_level/vocab.json").read_text())
    pairs = (FROM / "byte_level/merges.txt").read_text().splitlines()[1:]
    tokens = [*sorted(vocab, key=vocab.get), "<|end|>"]
    types = [NORMAL] * len(vocab) + [CONTROL]
    keys = {"token_merges": pairs, "bos_token_id": len(vocab), "eos_token_id": len(vocab)}
    write("byte_level", "gpt2", tokens, types, tokenizer_pre="gpt-2", **keys)

    byte = dict(zip(base.bytes_as_characters(), range(256)))
    ranks = {bytes(byte[c] for c in token): rank for token, rank in vocab.items()}
    merged = tiktoken.Encoding("any", pat_str=".", mergeable_ranks=ranks, special_tokens={})
    found = []
    for way in json.loads(KNOWN.read_text())["pre_tokenizers"]:
        patterns = [regex.compile(pattern) for pattern in way["patterns"]]
        ids = [i for line in lines for part in cuts(patterns, line) for i in merged._encode_single_piece(part)]
        ends = []
        for text in texts(lines):
            at = 0
            for part in cuts(patterns, text):
                at += len(part.encode())
                ends.append(at)
        found.append(" ".join([way["names"][0], *counted(ids), *counted(ends)]))
    (OUT / "patterns.ref").write_text("\n".join(found) + "\n")


def counted(numbers):
    return str(len(numbers)), base.fnv(b"".join(i.to_bytes(4, "little") for i in numbers))


def texts(lines):
    """Texts of three lines each, in planes whose letters are the same in every version of Unicode."""
    for at in range(0, len(lines) - 2, 16):
        text = f"{lines[at]}\n{lines[at + 1]}!\r\n\n{lines[at + 2]}"
        if len(text) < 200 and max(text) < "\U00030000":
            yield text


def cuts(patterns, text):
    """The words of a text: each pattern cuts what the one before it leaves."""
    parts = [text]
    for pattern in patterns:
        parts = [piece for part in parts for piece in cut(pattern, part)]
    return parts


def cut(pattern, text):
    """What a pattern matches, and what lies between."""
    at = 0
    for match in pattern.finditer(text):
        yield from filter(None, (text[at : match.start()], match[0]))
        at = match.end()
    if at < len(text):
        yield text[at:]


def main():
    OUT.mkdir(exist_ok=True)
    lines = (FROM / "corpus.txt").read_bytes().decode().split("\n")
    pieces("bpe_bytes", "llama", (FROM / "bpe_bytes.model").read_bytes())
    pieces("unigram_bytes", "t5", (FROM / "unigram_bytes.model").read_bytes())
    rules(lines)
    words(lines)
    merges(lines)


if __name__ == "__main__":
    main()
