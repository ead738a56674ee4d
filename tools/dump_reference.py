#!/usr/bin/env python3
"""Run a Hugging Face model folder in float32 and store what it computed.

The result is one safetensors file with the inputs and the outputs of the reference
implementation (transformers, eager attention). A second implementation that reads the
same folder must reproduce it.

Keys of the file (B rows, S tokens, V vocabulary entries):

  input_ids [B,S]                 random ids without special tokens, or --text
  decoder_input_ids [B,Sd]        encoder-decoders only; column 0 is the start token
  logits [B,S,V]                  or last_hidden_state [B,S,H] (+ pooler_output [B,H])
  hidden_states.<i>               input of layer i; the last one is the model's final state
  encoder_hidden_states.<i>, decoder_hidden_states.<i>      for encoder-decoders
  masked.input_ids, masked.attention_mask, masked.<output>  a right-padded batch; compare
                                  the positions whose mask is 1 (all decoder positions)
  types.token_type_ids, types.<output>   where the model has token type embeddings
  greedy.ids [N], greedy.logits [N,V]    N greedy tokens after row 0 (encoder-decoders: after
                                  decoder_input_ids[0,0]), with the cache; end tokens are ignored
  greedy.uncached_ids, greedy.uncached_logits   only where recomputing every step without
                                  the cache differs by more than 1e-4

A sub-case (masked, types) takes from the main case what it does not hold.
"""

import argparse
import inspect
import json
import sys
from pathlib import Path

try:
    import torch
    import transformers
    from safetensors.torch import save_file
except ImportError as error:
    sys.exit(f"error: {error}; run `pip install -r tools/requirements.txt` first")

AUTO_CLASSES = {
    "causal_lm": "AutoModelForCausalLM",
    "masked_lm": "AutoModelForMaskedLM",
    "seq2seq": "AutoModelForSeq2SeqLM",
    "classifier": "AutoModelForSequenceClassification",
    "token_classifier": "AutoModelForTokenClassification",
    "base": "AutoModel",
}


transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


class CaseError(Exception):
    """A reason, fit to show to the user, why no case can be made."""


def task_of(config):
    """The task that the architecture named in config.json stands for."""
    name = (config.architectures or [""])[0]
    if config.is_encoder_decoder:
        return "seq2seq" if name.endswith(("ForConditionalGeneration", "LMHeadModel", "MTModel")) else "base"
    if name.endswith(("ForCausalLM", "LMHeadModel")):
        return "causal_lm"
    if name.endswith("ForSequenceClassification"):
        return "classifier"
    if name.endswith("ForTokenClassification"):
        return "token_classifier"
    return "masked_lm" if name.endswith(("ForMaskedLM", "ForPreTraining")) else "base"


def load(folder, task=None):
    """Load `folder` in float32 with eager attention; returns (model, task)."""
    folder = Path(folder)
    if not folder.is_dir():
        raise CaseError(f"{folder} is not a folder")
    if not (folder / "config.json").is_file():
        raise CaseError(f"{folder} holds no config.json, so it is not a Hugging Face model folder")
    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
        task = task or task_of(config)
        # The eager path adds the linear biases of a config with `alibi` twice; sdpa adds them once, as the paper has it.
        attention = "sdpa" if getattr(config, "alibi", False) else "eager"
        model, info = getattr(transformers, AUTO_CLASSES[task]).from_pretrained(
            folder, config=config, dtype=torch.float32, attn_implementation=attention,
            local_files_only=True, output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise CaseError(f"transformers cannot load {folder} as {task or 'a model'}: {error}") from error
    # The default product of experts knows no float64 and no FLOPs.
    if any(name.endswith("Experts") for name in {type(module).__name__ for module in model.modules()}):
        model.set_experts_implementation("batched_mm")
    # A missing weight would be filled with random numbers. Only an absent pooler is harmless:
    # its output is left out of the case.
    missing = set(info["missing_keys"])
    model.formwork_has_pooler = not any("pooler" in key for key in missing)
    missing = sorted(key for key in missing if "pooler" not in key)
    if missing:
        name = type(model).__name__
        raise CaseError(f"the checkpoint lacks {len(missing)} weights of {name}, e.g. {missing[0]}; try another --task")
    return model.eval(), task


def special_ids(config, *names):
    """The ids under `names` in the config that are set, in that order (some models list several)."""
    found = [getattr(config, f"{name}_token_id", None) for name in names]
    return [i for entry in found for i in (entry if isinstance(entry, list) else [entry]) if i is not None]


def random_ids(config, shape, generator):
    """Random token ids that are no special tokens."""
    special = set(special_ids(config, "pad", "bos", "eos", "decoder_start"))
    allowed = torch.tensor([i for i in range(config.vocab_size) if i not in special])
    return allowed[torch.randint(len(allowed), shape, generator=generator)]


def text_ids(folder, texts):
    """The texts' token ids, cut to the shortest text so that no row needs padding."""
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise CaseError(f"--text needs the tokenizer of {folder}: {error}") from error
    rows = [tokenizer(text)["input_ids"] for text in texts]
    length = min(map(len, rows))
    if length == 0:
        raise CaseError("a --text gives no tokens")
    return torch.tensor([row[:length] for row in rows])


def outputs_of(model, out):
    """The named outputs of one forward pass, without the hidden states."""
    if getattr(out, "logits", None) is not None:
        return {"logits": out.logits}
    found = {"last_hidden_state": out.last_hidden_state}
    if getattr(out, "pooler_output", None) is not None and model.formwork_has_pooler:
        found["pooler_output"] = out.pooler_output
    return found


def uncached(model, **inputs):
    """One forward pass without the cache (models that have none do not know the option)."""
    if "use_cache" in inspect.signature(model.forward).parameters:
        inputs["use_cache"] = False
    return model(**inputs)


@torch.no_grad()
def greedy(model, steps, ids, start=None, cached=True):
    """`steps` greedy tokens and their logits; `start` is the first decoder input of an encoder-decoder."""
    name, known, fixed = "input_ids", ids, {}
    if start is not None:
        name, known = "decoder_input_ids", start
        fixed["encoder_outputs"] = model.get_encoder()(input_ids=ids, return_dict=True)
    # Some models count positions from zero in every call unless they are told.
    counts = start is None and "position_ids" in inspect.signature(model.forward).parameters
    feed, cache, rows = known, None, []
    for _ in range(steps):
        past = {} if cache is None else {"past_key_values": cache}
        if counts and cache is not None:
            past["position_ids"] = torch.tensor([[known.shape[1] - 1]])
        out = model(**{name: feed}, **fixed, **past, use_cache=cached)
        rows.append(out.logits[0, -1])
        token = rows[-1].argmax().view(1, 1)
        known = torch.cat([known, token], dim=1)
        cache = getattr(out, "past_key_values", None) if cached else None
        feed = known if cache is None else token
    return known[0, -steps:], torch.stack(rows)


@torch.no_grad()
def make_case(model, task, ids, generator, decoder_ids=None, steps=8):
    """All tensors of a case; see the module documentation."""
    config = model.config
    case = {"input_ids": ids}
    if decoder_ids is not None:
        case["decoder_input_ids"] = decoder_ids
    main = dict(case)

    out = uncached(model, **main, output_hidden_states=True)
    case.update(outputs_of(model, out))
    for kind in ("hidden_states", "encoder_hidden_states", "decoder_hidden_states"):
        of = decoder_ids if kind.startswith("decoder") else ids
        for i, state in enumerate(getattr(out, kind, None) or ()):
            case[f"{kind}.{i}"] = state[:, : of.shape[1]]  # some references leave in what they padded

    if task != "causal_lm" and ids.shape[1] > 1:
        mask = torch.ones_like(ids)
        for row in range(len(ids)):
            mask[row, -max(1, ids.shape[1] // 3 >> row):] = 0
        padded = torch.where(mask == 1, ids, (special_ids(config, "pad") or [0])[0])
        sub = {"input_ids": padded, "attention_mask": mask}
        out = uncached(model, **{**main, **sub})
        case.update({f"masked.{k}": v for k, v in {**sub, **outputs_of(model, out)}.items()})

    has_types = getattr(config, "type_vocab_size", 0) > 1
    if has_types and "token_type_ids" in inspect.signature(model.forward).parameters:
        sub = {"token_type_ids": torch.randint(config.type_vocab_size, ids.shape, generator=generator)}
        out = uncached(model, **{**main, **sub})
        case.update({f"types.{k}": v for k, v in {**sub, **outputs_of(model, out)}.items()})

    if task in ("causal_lm", "seq2seq") and steps:
        start = None if decoder_ids is None else decoder_ids[:1, :1]
        tokens, logits = greedy(model, steps, ids[:1], start)
        plain_tokens, plain_logits = greedy(model, steps, ids[:1], start, cached=False)
        case.update({"greedy.ids": tokens, "greedy.logits": logits})
        if not torch.equal(tokens, plain_tokens) or (logits - plain_logits).abs().max() > 1e-4:
            case.update({"greedy.uncached_ids": plain_tokens, "greedy.uncached_logits": plain_logits})
    return {key: tensor.detach().clone().contiguous() for key, tensor in case.items()}


def decoder_ids(config, batch, length, generator):
    """Decoder inputs: the start token, then random ids."""
    ids = random_ids(config, (batch, length), generator)
    ids[:, 0] = (special_ids(config, "decoder_start", "bos", "pad") or [0])[0]
    return ids


def build(model, task, seq=14, batch=2, steps=8, seed=0, ids=None):
    """A case from seeded random ids (or from `ids`)."""
    config, generator = model.config, torch.Generator().manual_seed(seed)
    ids = random_ids(config, (batch, seq), generator) if ids is None else ids
    batch, seq = ids.shape
    limit = getattr(config, "max_position_embeddings", None)
    need = seq + (steps if task == "causal_lm" else 0)
    if limit is not None and need > limit:
        raise CaseError(f"{need} positions are needed but max_position_embeddings is {limit}; lower --seq or --greedy")
    target = None
    if config.is_encoder_decoder:
        target = decoder_ids(config, batch, max(2, seq * 2 // 3), generator)
    return make_case(model, task, ids, generator, target, steps)


def margin(case):
    """The smallest gap between the two best tokens over the greedy steps (None without them)."""
    if "greedy.logits" not in case:
        return None
    best = case["greedy.logits"].topk(2, dim=-1).values
    return float((best[:, 0] - best[:, 1]).min())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model_dir", help="folder with config.json and safetensors weights")
    parser.add_argument("-o", "--output", required=True, help="the safetensors file to write")
    parser.add_argument("--task", choices=AUTO_CLASSES, help="default: from config.json's architectures")
    parser.add_argument("--seq", type=int, default=14, help="tokens in a row (default 14)")
    parser.add_argument("--batch", type=int, default=2, help="rows (default 2)")
    parser.add_argument("--greedy", type=int, default=8, help="greedy tokens, 0 for none (default 8)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random ids (default 0)")
    parser.add_argument("--text", action="append",
                        help="use the folder's tokenizer instead of random ids; once per row, rows are cut to the shortest")
    args = parser.parse_args()
    if args.seq < 1 or args.batch < 1 or args.greedy < 0:
        parser.error("--seq and --batch must be at least 1, --greedy at least 0")
    try:
        model, task = load(args.model_dir, args.task)
        ids = text_ids(args.model_dir, args.text) if args.text else None
        case = build(model, task, args.seq, args.batch, args.greedy, args.seed, ids)
    except CaseError as error:
        sys.exit(f"error: {error}")
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    try:
        save_file(case, args.output, metadata={"task": task, "seed": str(args.seed), "versions": json.dumps(versions)})
    except Exception as error:  # safetensors raises its own type for a path it cannot write
        sys.exit(f"error: cannot write {args.output}: {error}")
    for key, tensor in case.items():
        print(f"{key:28} {list(tensor.shape)}")
    gap = margin(case)
    if gap is not None and gap < 1e-3:
        print(f"note: two tokens come within {gap:.1e} in a greedy step; do not compare greedy.ids", file=sys.stderr)


if __name__ == "__main__":
    main()
