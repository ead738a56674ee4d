"""A byte-level BPE learnt from one text by Formwork and by Hugging Face's trainer: seconds, peak memory, and whether they agree.

    python train_tokenizer.py FORMWORK TEXT [--vocab-size 8000] [--rounds 3]
    python train_tokenizer.py --make TEXT FOLDER     # about 100 MB of text from the HTML pages in a folder, tags stripped

The text is read and the vocabulary written by both; processes of their own, one after the other, best of the rounds. A page of
`$(rustc --print sysroot)/share/doc/rust/html` is long enough for FOLDER.
"""

import argparse
import html
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

SIZE = 100_000_000
PEER = """
import sys
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
text, size, out = sys.argv[1:]
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
trainer = trainers.BpeTrainer(vocab_size=int(size), min_frequency=2, show_progress=False, special_tokens=["<|endoftext|>"],
                              initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
tokenizer.train([text], trainer)
tokenizer.save(out)
"""


def make(text, folder):
    """Pages in the order of their paths, without scripts, styles, tags and empty lines."""
    written = 0
    with open(text, "w", encoding="utf-8") as out:
        for page in sorted(pathlib.Path(folder).rglob("*.html")):
            body = page.read_text(encoding="utf-8", errors="ignore")
            body = re.sub(r"(?s)<(script|style).*?</\1>|<!--.*?-->", "", body)
            body = html.unescape(re.sub(r"(?s)<[^>]*>", "", body))
            lines = "".join(f"{line.rstrip()}\n" for line in body.splitlines() if line.strip())
            out.write(lines)
            written += len(lines.encode())
            if written >= SIZE:
                return


def measured(command):
    """Seconds, seconds of all processors, and MB at the peak of a command."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command[0]} failed")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6


def model(path):
    found = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))["model"]
    return found["vocab"], [tuple(merge) for merge in found["merges"]]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("formwork")
    parser.add_argument("text")
    parser.add_argument("--vocab-size", default="8000")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        own, other = f"{scratch}/own.json", f"{scratch}/other.json"
        train = ["tokenizer", "train", "--algorithm", "byte-bpe", "--vocab-size", options.vocab_size]
        commands = {
            "formwork": [options.formwork, *train, options.text, "-o", own],
            "tokenizers": [sys.executable, "-c", PEER, options.text, options.vocab_size, other],
        }
        rounds = [{name: measured(command) for name, command in commands.items()} for _ in range(options.rounds)]
        for name in commands:
            seconds, work, memory = (min(round[name][at] for round in rounds) for at in range(3))
            print(f"{name:<12} {seconds:6.1f} s {work:6.1f} s of processors {memory:6.0f} MB")
        print("vocabulary equal:", model(own)[0] == model(other)[0], " merges equal:", model(own)[1] == model(other)[1])


if __name__ == "__main__":
    make(*sys.argv[2:]) if sys.argv[1:2] == ["--make"] else main()
