"""transformers on torch, on the CPU: one round of pp and tg as JSON.

    python torch_bench.py FOLDER DTYPE PP TG THREADS
"""

import json
import sys
import time

import torch
from transformers import AutoModelForCausalLM

folder, dtype, pp, tg, threads = sys.argv[1], getattr(torch, sys.argv[2]), *map(int, sys.argv[3:])
torch.set_num_threads(threads)
start = time.perf_counter()
model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa").eval()
load = time.perf_counter() - start
ids = torch.randint(0, model.config.vocab_size, (1, pp), generator=torch.Generator().manual_seed(0))


def prompt():
    start = time.perf_counter()
    model(ids, use_cache=True, logits_to_keep=1)
    return pp / (time.perf_counter() - start)


def generate():
    cache, token = None, ids[:, :1]
    start = time.perf_counter()
    for _ in range(tg):
        cache = model(token, past_key_values=cache, use_cache=True).past_key_values
    return tg / (time.perf_counter() - start)


with torch.inference_mode():
    model(ids[:, :8])
    print(json.dumps({"pp": prompt(), "tg": generate(), "load": load}))
