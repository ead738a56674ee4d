#!/bin/sh
# llama.cpp's own formats of FOLDER/model.gguf: quantize.sh LLAMA_QUANTIZE FOLDER
set -e
for format in BF16 Q8_0 Q6_K Q4_0 Q4_K_M; do
    [ -f "$2/$format.gguf" ] || "$1" "$2/model.gguf" "$2/$format.gguf" "$format" 2
done
