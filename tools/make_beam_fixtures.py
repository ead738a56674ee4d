#!/usr/bin/env python3
"""Write beams.json beside some fixtures: what transformers' generate finds with several beams.

Each search holds the prompt (what an encoder-decoder's encoder reads), the options under the names of generation configs, and
the best continuation: `ids` without the end token, `score`, and whether an end token `ended` it. The end tokens are ids that the
model is likely to take, so that answers end at different lengths. A search counts only if float64 finds the same.
"""

import json
import sys
from pathlib import Path

import torch
import transformers

import dump_reference

ROOT = Path(__file__).resolve().parent.parent / "tests/fixtures/families"
FIXTURES = sys.argv[1:] or ["bart", "t5", "m2m_100", "llama", "gpt2_inner", "gemma3", "lfm2", "deepseek_v3"]
COUNT = 10
OPTIONS = [  # beams, length penalty, early stopping
    (1, 1.0, False), (2, 1.0, False), (3, 0.0, False), (4, 1.0, True), (4, 2.0, False), (5, -1.0, True),
]


@torch.no_grad()
def search(model, prompt, beams, penalty, early, stop):
    ids = torch.tensor([prompt])
    out = model.generate(
        ids, attention_mask=torch.ones_like(ids), num_beams=beams, length_penalty=penalty, early_stopping=early,
        max_new_tokens=COUNT, do_sample=False, eos_token_id=stop or None, pad_token_id=0, output_scores=True, return_dict_in_generate=True, num_return_sequences=1,
    )
    start = 1 if model.config.is_encoder_decoder else len(prompt)
    new = out.sequences[0, start:].tolist()
    ended = any(id in stop for id in new)
    score = out.sequences_scores[0].item() if beams > 1 else None
    return (new[: next(i for i, id in enumerate(new) if id in stop)] if ended else new), score, ended


def make(name):
    torch.manual_seed(len(name))
    models = [dump_reference.load(ROOT / name)[0].to(dtype).eval() for dtype in (torch.float32, torch.float64)]
    model = models[0]
    for each in models:
        each.generation_config = transformers.GenerationConfig(decoder_start_token_id=each.config.to_dict().get("decoder_start_token_id"))
    vocabulary = model.config.vocab_size
    cases = []
    for beams, penalty, early in OPTIONS:
        for length in (3, 7):
            prompt = torch.randint(3, vocabulary, (length,)).tolist()
            free, _, _ = search(model, prompt, max(beams, 2), penalty, early, [])
            for stop in ([], [free[4]], [free[2], free[5]]):
                found = [search(m, prompt, beams, penalty, early, stop) for m in models]
                if found[0][0] != found[1][0]:
                    continue
                ids, score, ended = found[0]
                cases.append(dict(
                    prompt=prompt, num_beams=beams, length_penalty=penalty, early_stopping=early, max_new_tokens=COUNT,
                    eos_token_id=stop, ids=ids, score=score, ended=ended,
                ))
    start = model.generation_config.decoder_start_token_id if model.config.is_encoder_decoder else None
    lines = ",\n".join(json.dumps(case) for case in cases)
    (ROOT / name / "beams.json").write_text(f'{{"decoder_start_token_id": {json.dumps(start)}, "searches": [\n{lines}\n]}}\n')
    print(name, len(cases), "searches,", sum(case["ended"] for case in cases), "ended")


for fixture in FIXTURES:
    make(fixture)
