"""Formwork and its peers on the same weights: one table of ratios.

    python run.py --formwork FORMWORK --llama-bench LLAMA_BENCH --weights FOLDER --spec SPEC.toml

Needs what `weights.py` and `quantize.sh` leave in FOLDER, torch and transformers for `--torch`, and candle's program for `--candle`. Rounds are interleaved: each
runs every system once, one after the other, and cells are medians with the least and the greatest.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

# Formats and the GGUF file of each.
FORMATS = {"f32": "model", "bf16": "BF16", "q8": "Q8_0", "q6": "Q6_K", "q4": "Q4_0", "q4m": "Q4_K_M", "q4z": "Q4_K_M"}

# Our format beside torch's.
SAME = {"float32": "f32", "bfloat16": "bf16"}


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--formwork", required=True)
    parser.add_argument("--llama-bench", required=True)
    parser.add_argument("--ik-llama-bench", help="the program of the same name of ik_llama.cpp")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--spec", required=True)
    parser.add_argument("--formats", default="f32", help="formats of Formwork, with commas")
    parser.add_argument("--candle", help="the program of benches/peers/candle")
    parser.add_argument("--torch", default="", help="formats of torch, with commas: float32, bfloat16")
    parser.add_argument("--pp", type=int, default=512)
    parser.add_argument("--tg", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def run(command, **environment):
    command = [str(word) for word in command]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return json.loads(done.stdout)


def formwork(o, form):
    """Matrices packed in memory; `f32-mapped` leaves them in the file, `bf16-rounded` rounds inputs to bf16."""
    form, _, how = form.partition("-")
    extra = ["--hold", "mapped"] if how == "mapped" else ["--dtype", form]
    extra += ["--precision", "bf16"] if how == "rounded" else []
    sizes = ["--pp", o.pp, "--tg", o.tg, "--threads", o.threads, "--repeat", 1]
    report = run([o.formwork, "bench", o.spec, "--weights", o.weights / "model.safetensors", "--json", *sizes, *extra])
    pp, tg = (test["tokens_per_second"]["median"] for test in report["tests"])
    limits = report["limits"][0]
    read = limits["read_bytes_per_second"]["median"] / 1e9
    prompt, step = report["tests"]
    return {"pp": pp, "tg": tg, "read": read, "share": step["share_of_read"], "peak": prompt["share_of_peak"]}


def llama(o, form):
    return llama_bench(o, form, o.llama_bench)


def ik_llama(o, form):
    """With weights laid out anew at load for its kernels, which makes it faster."""
    return llama_bench(o, form, o.ik_llama_bench, "-rtr", 1)


def llama_bench(o, form, program, *extra):
    sizes = ["-p", o.pp, "-n", o.tg, "-t", o.threads, "-r", 1]
    tests = run([program, "-m", o.weights / f"{FORMATS[form]}.gguf", "-o", "json", *sizes, *extra])
    return {("pp" if test["n_prompt"] else "tg"): test["avg_ts"] for test in tests}


def pytorch(o, dtype):
    script = Path(__file__).with_name("torch_bench.py")
    return run([sys.executable, script, o.weights, dtype, o.pp, o.tg, o.threads])


def candle(o, form):
    weights = ["f32", o.weights] if form == "f32" else [o.weights / f"{FORMATS[form]}.gguf"]
    return run([o.candle, *weights, o.pp, o.tg], RAYON_NUM_THREADS=str(o.threads))


def cell(values):
    return f"{statistics.median(values):.1f} [{min(values):.1f}-{max(values):.1f}]"


def main():
    o = arguments()
    systems = [("formwork", form, formwork) for form in o.formats.split(",")]
    files = [form for form in FORMATS if (o.weights / f"{FORMATS[form]}.gguf").exists()]
    systems += [("llama.cpp", form, llama) for form in files]
    systems += [("ik_llama.cpp", form, ik_llama) for form in files if o.ik_llama_bench]
    systems += [("torch", form, pytorch) for form in o.torch.split(",") if form]
    systems += [("candle", form, candle) for form in ("f32", "q8", "q4") if o.candle]
    results = {system[:2]: [] for system in systems}
    for _ in range(o.rounds):
        for name, form, bench in systems:
            results[name, form].append(bench(o, form))
    print(f"| system | format | pp{o.pp} tok/s | tg{o.tg} tok/s | formwork / it: pp | tg |\n|---|---|---|---|---|---|")
    for (name, form), rounds in results.items():
        cells = [cell([r[test] for r in rounds]) for test in ("pp", "tg")]
        ours = results.get(("formwork", SAME.get(form, form)))
        print("| " + " | ".join([name, form, *cells, *(ratio(ours, rounds, test) for test in ("pp", "tg"))]) + " |")
    for (name, form), rounds in results.items():
        if name == "formwork":
            share = statistics.median(r["share"] for r in rounds)
            peak = statistics.median(r["peak"] for r in rounds)
            read = cell([r["read"] for r in rounds])
            print(f"\nformwork {form}: pp at {peak:.0%} of the peak, tg reads {share:.0%} of the read loop's {read} GB/s")


def ratio(ours, rounds, test):
    """The median of the rounds' ratios to ours in the same format, where that was run."""
    if ours is None:
        return "-"
    return f"{statistics.median(a[test] / b[test] for a, b in zip(ours, rounds, strict=True)):.2f}"


if __name__ == "__main__":
    main()
