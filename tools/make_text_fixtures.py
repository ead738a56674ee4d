#!/usr/bin/env python3
"""Write tests/fixtures/texts: tiny random models with a vocabulary, and what transformers makes of a few texts.

The decoder under `generate` has a byte-level BPE of its own, with the greedy continuations of a few prompts, the log-probability of
every new token, and the likelihood of a text in overlapping windows.

Each folder is a checkpoint as save_pretrained writes it, with vocab.txt, and answers.json: the texts and, computed one text at
a time by transformers, the pooled and normalised vectors, the probabilities of the labels, or the likeliest fillers of each
mask. Everything is seeded; with the pinned versions of requirements.txt the files come out the same.
"""

import json
import shutil
from pathlib import Path

import tokenizers
import torch
import transformers

ROOT = Path(__file__).resolve().parent.parent
VOCABULARY = ROOT / "crates/tokenizer/tests/fixtures/word_list/vocab.txt"
CORPUS = ROOT / "crates/tokenizer/tests/fixtures/corpus.txt"
OUT = ROOT / "tests/fixtures/texts"
TEXTS = ["the cats", "the things of the world and the cats of the things", "a", "the world and the things"]
PAIRS = [("the cats", "the things of the world"), ("a", "and")]
TEMPLATE = """{{ bos_token }}{% for message in messages %}
{% if message.role == 'user' %}<|user|>{{ message.content }}<|end|>
{%- elif message.role == 'system' %}{{ message.content + '\\n' }}
{%- else %}{{ message.content }}<|end|>
{%- endif %}
{% endfor %}"""
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


def byte_pairs():
    """A byte-level BPE of 320 tokens, learnt from the committed corpus."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=320, special_tokens=["<s>", "</s>", "<|user|>", "<|end|>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train([str(CORPUS)], trainer)
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return tokenizer


def windows(model, ids, window, stride):
    """The negative log-likelihood of ids, each predicted from those before it in its window, and how many have any."""
    nll, done, tokens = 0.0, 1, 0
    for start in range(0, len(ids), stride):
        end = min(start + window, len(ids))
        rows = model(torch.tensor([ids[start:end]])).logits[0].double().log_softmax(-1)
        for at in range(max(done, start + 1), end):
            nll -= rows[at - 1 - start, ids[at]].item()
            tokens += 1
        done = end
        if end == len(ids):
            return {"window": window, "stride": stride, "nll": nll, "tokens": tokens}


def make_generate():
    torch.manual_seed(7)
    config = transformers.LlamaConfig(
        vocab_size=320, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=256, bos_token_id=0, eos_token_id=1, initializer_range=0.5, tie_word_embeddings=True,
    )
    model = transformers.LlamaForCausalLM(config).eval()
    folder = OUT / "generate"
    shutil.rmtree(folder, ignore_errors=True)
    model.generation_config = transformers.GenerationConfig(bos_token_id=0, eos_token_id=[1, 3])
    model.save_pretrained(folder)
    byte_pairs().save(str(folder / "tokenizer.json"), pretty=False)
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "chat_template": TEMPLATE
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    answers = []
    for prompt in ["The cats", "of the world", "é", ""]:
        ids = tokenizer(prompt, return_tensors="pt").input_ids
        out = model.generate(ids, max_new_tokens=24, do_sample=False, output_logits=True, return_dict_in_generate=True)
        new = out.sequences[0, ids.shape[1]:].tolist()
        logprobs = [row[0].double().log_softmax(-1)[id].item() for row, id in zip(out.logits, new)]
        text = tokenizer.decode(new, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        answers.append({"prompt": prompt, "ids": new, "logprobs": logprobs, "text": text})
    messages = [{"role": "system", "content": "Be kind."}]
    chat = []
    for turn in ["Who are the cats?", "And the things of the world?", "é"]:
        messages.append({"role": "user", "content": turn})
        prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=False)
        new = model.generate(prompt, max_new_tokens=10, do_sample=False)[0, prompt.shape[1]:].tolist()
        answer = tokenizer.decode(new, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        messages.append({"role": "assistant", "content": answer})
        chat.append({"user": turn, "prompt": prompt[0].tolist(), "answer": answer})
    text = CORPUS.read_text()[:600]
    ids = tokenizer(text).input_ids
    scores = [windows(model, ids, window, stride) for window, stride in [(256, 256), (64, 64), (64, 16)]]
    write(folder, {"continuations": answers, "chat": chat, "text": text, "scores": scores})


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

    make_generate()


if __name__ == "__main__":
    main()
