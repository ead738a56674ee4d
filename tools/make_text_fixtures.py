#!/usr/bin/env python3
"""Write tests/fixtures/texts: tiny random encoders with a vocabulary, and what transformers makes of a few texts.

Each folder is a checkpoint as save_pretrained writes it, with vocab.txt, and answers.json: the texts and, computed one text at
a time by transformers, the pooled and normalised vectors, the probabilities of the labels, or the likeliest fillers of each
mask. Everything is seeded; with the pinned versions of requirements.txt the files come out the same.
"""

import json
import shutil
from pathlib import Path

import torch
import transformers

ROOT = Path(__file__).resolve().parent.parent
VOCABULARY = ROOT / "crates/tokenizer/tests/fixtures/word_list/vocab.txt"
OUT = ROOT / "tests/fixtures/texts"
TEXTS = ["the cats", "the things of the world and the cats of the things", "a", "the world and the things"]
PAIRS = [("the cats", "the things of the world"), ("a", "and")]
MASKED = ["the [MASK] of the world", "[MASK] and the [MASK]", "the cats of the things and the [MASK]"]


def make(name, architecture, **more):
    torch.manual_seed(7)
    words = VOCABULARY.read_text().splitlines()
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=24, type_vocab_size=2, layer_norm_eps=0.02, initializer_range=0.5, **more,
    )
    model = architecture(config).eval()
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    shutil.copy(VOCABULARY, folder / "vocab.txt")
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "mask_token": "[MASK]", "model_max_length": 24}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    tokenizer = transformers.BertTokenizer(vocab={word: at for at, word in enumerate(words)}, do_lower_case=True)
    assert len(tokenizer) == len(words)
    return model, tokenizer, folder


def write(folder, answers):
    (folder / "answers.json").write_text(json.dumps(answers, indent=1) + "\n")


@torch.no_grad()
def main():
    model, tokenizer, folder = make("embed", transformers.BertModel)
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
    (folder / "1_Pooling/config.json").write_text(json.dumps(pooling) + "\n")
    steps = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    modules = [
        {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for at, (path, kind) in enumerate(steps)
    ]
    (folder / "modules.json").write_text(json.dumps(modules) + "\n")
    vectors = []
    for text in TEXTS:
        mean = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
        vectors.append((mean / mean.norm()).tolist())
    write(folder, {"texts": TEXTS, "vectors": vectors})

    labels = {"id2label": {0: "bad", 1: "fair", 2: "good"}, "label2id": {"bad": 0, "fair": 1, "good": 2}}
    model, tokenizer, folder = make("classify", transformers.BertForSequenceClassification, **labels)
    inputs = [(text, None) for text in TEXTS] + PAIRS
    scores = [model(**tokenizer(a, b, return_tensors="pt")).logits[0].softmax(-1).tolist() for a, b in inputs]
    write(folder, {"texts": TEXTS, "pairs": PAIRS, "labels": ["bad", "fair", "good"], "scores": scores})

    model, tokenizer, folder = make("fill_mask", transformers.BertForMaskedLM)
    answers = []
    for text in MASKED:
        inputs = tokenizer(text, return_tensors="pt")
        logits = model(**inputs).logits[0][inputs["input_ids"][0] == tokenizer.mask_token_id]
        best = logits.softmax(-1).topk(3)
        answers.append([[[int(i), float(p)] for i, p in zip(*row)] for row in zip(best.indices, best.values)])
    write(folder, {"texts": MASKED, "fillers": answers})


if __name__ == "__main__":
    main()
