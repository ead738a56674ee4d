"""Tokenizers and what independent libraries make of a nasty corpus, for the tests of crates/tokenizer.

    python tools/make_tokenizer_fixtures.py

Writes crates/tokenizer/tests/fixtures/: `corpus.txt`, small vocabularies trained here, and for each a `.ref` file with one
line for each line of the corpus: the number of ids, a hash of the ids and one of the decoded text.
SentencePiece's own library is the reference for its models, tiktoken for byte-level BPE, and for WordPiece its definition,
written down here. Hashes are the upper half of 64-bit FNV-1a over
ids as four bytes each, the low one first, and over text as UTF-8.
"""

import collections
import contextlib
import io
import json
import pathlib
import random
import tempfile
import unicodedata

import sentencepiece
import tiktoken
import tokenizers

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "crates/tokenizer/tests/fixtures"
LINES = 2400

WORDS = """the of and to in is that it was for on are with as his they be at one have this from or had by hot but some what there
we can out other were all your when up use word how said an each she which do their time if will way about many then them
write would like so these her long make thing see him two has look more day could go come did my sound no most number who over
tokenizer vocabulary merges unigram don't we'll I'VE you're THE Naïve café résumé Zürich straße İstanbul ﬁnal ǅ ŉ""".split()
SCRIPTS = [
    "東京都に住んでいます。吾輩は猫である", "中文分词是一个难题，标点符号！", "한국어 형태소 분석기입니다", "مرحبا بالعالم كيف حالك",
    "שלום עולם", "Привет мир ёлка Ъ", "Γειά σου Κόσμε ς σ", "नमस्ते दुनिया क्षत्रिय", "สวัสดีชาวโลก", "Xin chào thế giới ạ",
    "ქართული ენა", "አማርኛ", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚𝟛", "ﷺ ﷽ ﬃ ㌔ ㍿ Ⅷ ½ ² ①", "ｆｕｌｌ　ｗｉｄｔｈ　ｶﾀｶﾅ", "한글 자모",
]
MARKS = ["\u0301", "\u0308", "\u0323", "\u20dd", "\u0e33", "\ufe0f", "\u200d", "\u093f", "\u3099", "\u1160"]
EMOJI = ["🦀", "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪", "☕︎", "🫠", "🧑🏿‍🚀", "❤️", "#️⃣"]
SPACES = [" ", "  ", "   ", "\t", "\u00a0", "\u2003", "\u3000", "\u200b", "\u2028", "\u0085", "\r", "\u2581", "\u202f", "\ufeff"]
CODE = ["fn main() {", "x += 1;", "</div>", "\\n", "0x1F", "a.b->c", "::<T>", "#include <stdio.h>", "SELECT *", "--help", "{{ }}"]
TOKENS = ["<s>", "</s>", "<unk>", "<0x41>", "<0xFF>", "[CLS]", "##ing", "<|endoftext|>", "<sep>", "🦀🦀", "Ġ", "▁", "<pad>"]
CONTROL = ["\x00", "\x01", "\x1b[31m", "\x7f", "\u200e", "\u202e", "\u2066", "\ufffd", "\ufffe", "\U000e0001", "\U0010ffff", "\ue000"]


def piece(rng):
    """A short stretch of text of some kind."""
    kind = rng.randrange(11)
    if kind <= 2:
        return " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 6)))
    if kind == 3:
        text = rng.choice(SCRIPTS)
        at = rng.randrange(len(text))
        return text[at : at + rng.randint(1, 9)]
    if kind == 4:
        return rng.choice("aeoucnsق한かक") + "".join(rng.choice(MARKS) for _ in range(rng.randint(1, 4)))
    if kind == 5:
        return "".join(rng.choice(EMOJI) for _ in range(rng.randint(1, 3)))
    if kind == 6:
        return rng.choice(CODE)
    if kind == 7:
        return rng.choice(TOKENS)
    if kind == 8:
        return rng.choice(CONTROL)
    if kind == 9:
        return str(rng.randrange(10 ** rng.randint(1, 12)))
    return rng.choice("ab!?.-=_ '٣") * rng.randint(2, 40)


def random_char(rng):
    """Any scalar value but a line feed, of a category that has not changed since Unicode 3.2: tables differ in age."""
    while True:
        code = rng.randrange(0x110000) if rng.random() < 0.5 else rng.randrange(0x3000)
        if 0xD800 <= code < 0xE000 or code == 10:
            continue
        if unicodedata.category(chr(code)) == unicodedata.ucd_3_2_0.category(chr(code)):
            return chr(code)


def corpus():
    rng = random.Random(20261126)
    lines = ["", " ", "  ", "\t", "a", " a", "a ", "  a  b  ", "▁", "▁▁a", "\u0301", "\r", "ab" * 300]
    while len(lines) < LINES:
        if rng.random() < 0.08:
            lines.append("".join(random_char(rng) for _ in range(rng.randint(1, 12))))
            continue
        parts = [piece(rng) + (rng.choice(SPACES) if rng.random() < 0.7 else "") for _ in range(rng.randint(1, 5))]
        lines.append("".join(parts).replace("\n", " "))
    return lines


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value >> 32:08x}"


def reference(name, rows):
    """Writes a `.ref` file: rows of ids with a text."""
    lines = []
    for ids, text in rows:
        hashes = [fnv(b"".join(i.to_bytes(4, "little") for i in ids)), "-" if text is None else fnv(text.encode())]
        lines.append(" ".join([str(len(ids)), *hashes]))
    (OUT / f"{name}.ref").write_text("\n".join(lines) + "\n")


def sentencepieces(lines, training):
    rules = "41\t61\n61 301\tE1\nDF\t73 73\n2003\t20\n200B\t\nFB01\t66 69\n"
    # A model keeps the paths that it was trained with: none, or one without a folder.
    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):
        pathlib.Path("rules.tsv").write_text(rules)
        common = {"hard_vocab_limit": False, "user_defined_symbols": ["<sep>", "🦀🦀"], "num_threads": 1, "minloglevel": 2}
        plain = {"normalization_rule_name": "identity", "byte_fallback": True, "remove_extra_whitespaces": False}
        models = {
            "bpe_bytes": {"model_type": "bpe", "vocab_size": 1200, **plain},
            "unigram": {"model_type": "unigram", "vocab_size": 900, "normalization_rule_name": "nmt_nfkc"},
            "bpe_suffix": {
                "model_type": "bpe",
                "vocab_size": 900,
                "normalization_rule_tsv": "rules.tsv",
                "treat_whitespace_as_suffix": True,
            },
            "unigram_bytes": {"model_type": "unigram", "vocab_size": 1000, "add_dummy_prefix": False, **plain},
        }
        for name, options in models.items():
            written = io.BytesIO()
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(training), model_writer=written, character_coverage=0.98, **common, **options
            )
            (OUT / f"{name}.model").write_bytes(written.getvalue())
            model = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
            rows = [model.encode(line) for line in lines]
            reference(name, [(ids, model.decode(ids)) for ids in rows])


def byte_level(lines, training):
    trained = tokenizers.ByteLevelBPETokenizer()
    trained.train_from_iterator(training, vocab_size=1500, show_progress=False)
    model = json.loads(trained.to_str())["model"]
    vocab, merges = model["vocab"], model["merges"]
    folder = OUT / "byte_level"
    folder.mkdir(exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    byte = dict(zip(bytes_as_characters(), range(256)))
    ranks = {bytes(byte[c] for c in token): rank for token, rank in vocab.items()}
    patterns = {
        "byte_level": r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""",
        "byte_level_split": r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
    }
    for name, pattern in patterns.items():
        encoding = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
        rows = [encoding.encode_ordinary(line) for line in lines]
        reference(name, [(ids, encoding.decode(ids)) for ids in rows])
    (OUT / "byte_level_split.txt").write_text(patterns["byte_level_split"])


def bytes_as_characters():
    """The printable character that stands for each byte in GPT-2's vocabulary, by its definition."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    return [chr(b) if b in printable else chr(256 + others.index(b)) for b in range(256)]


def is_space(c):
    return c in " \t\n\r" or unicodedata.category(c) == "Zs"


def is_punctuation(c):
    """ASCII that is neither a letter nor a digit, and the categories of punctuation."""
    return 33 <= ord(c) <= 126 and not c.isalnum() or unicodedata.category(c).startswith("P")


def is_cjk(c):
    """The ideographs: not Hangul, not kana."""
    ranges = [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F)]
    ranges += [(0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)]
    return any(low <= ord(c) <= high for low, high in ranges)


def words_of(text):
    """The words that WordPiece splits: cleaned, lower case, without accents, ideographs and punctuation by themselves."""
    clean = ""
    for c in text:
        if is_space(c):
            clean += " "
        elif not (c in "\0\ufffd" or unicodedata.category(c) in ("Cc", "Cf", "Co")):
            clean += f" {c} " if is_cjk(c) else c
    for word in clean.split():
        word = unicodedata.normalize("NFD", word.lower())
        run = ""
        for c in word:
            if unicodedata.category(c) == "Mn":
                continue
            if is_punctuation(c) or is_space(c):
                yield from ([run] if run else []) + ([] if is_space(c) else [c])
                run = ""
            else:
                run += c
        if run:
            yield run


def wordpiece(vocab, text):
    """The longest piece that the rest of a word begins with, again and again; a word that cannot be written is unknown."""
    for word in words_of(text):
        ids, start = [], 0
        while start < len(word) <= 100:
            ends = (end for end in range(len(word), start, -1) if ("##" if start else "") + word[start:end] in vocab)
            end = next(ends, None)
            if end is None:
                break
            ids.append(vocab[("##" if start else "") + word[start:end]])
            start = end
        yield from ids if start == len(word) else [vocab["[UNK]"]]


def word_list(lines):
    """A vocabulary of frequent words, stems, endings and characters."""
    counts = collections.Counter()
    for line in lines:
        for word in words_of(line):
            counts[word] += 1
            counts.update(word[:1])
            for at in range(1, len(word)):
                counts.update(["##" + word[at:], "##" + word[at], word[:at]])
    frequent = sorted(token for token, count in counts.items() if count >= 6 and len(token) < 30)
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *frequent]
    (OUT / "word_list").mkdir(exist_ok=True)
    (OUT / "word_list/vocab.txt").write_text("\n".join(tokens) + "\n")
    vocab = {token: i for i, token in enumerate(tokens)}
    reference("word_list", [(list(wordpiece(vocab, line)), None) for line in lines])


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    lines = corpus()
    (OUT / "corpus.txt").write_bytes("\n".join(lines).encode())
    prose = [line for path in sorted(ROOT.glob("*.md")) for line in path.read_text().splitlines()]
    training = [line.replace("\x00", "") for line in prose + lines[::2]]
    sentencepieces(lines, training)
    byte_level(lines, training)
    word_list(lines)


if __name__ == "__main__":
    main()
