#!/bin/sh
# Builds llama.cpp as llama-cpp-python carries it, for this machine: llama.sh FOLDER [JOBS]
# Needs a C++ compiler, and cmake, ninja and scikit-build-core (all on PyPI).
set -e
mkdir -p "$1"
cd "$1"
[ -d dl ] || pip download --no-deps --no-binary :all: --no-build-isolation llama-cpp-python==0.3.36 -d dl
[ -d source ] || { mkdir source && tar xf dl/llama_cpp_python-*.tar.gz -C source --strip-components 1; }
# AVX512=1 lists what an AVX-512 machine has except its matrix tiles, with which llama.cpp crashed on a virtual machine.
if [ -n "$AVX512" ]; then
    on="SSE42 AVX AVX2 FMA F16C BMI2 AVX_VNNI AVX512 AVX512_VNNI AVX512_VBMI AVX512_BF16"
    flags="-DGGML_NATIVE=OFF $(printf -- '-DGGML_%s=ON ' $on)"
else
    flags="-DGGML_NATIVE=ON"
fi
cmake -G Ninja -S source/vendor/llama.cpp -B build -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF $flags \
    -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_EXAMPLES=OFF
nice -n 19 ninja -C build -j"${2:-1}" llama-bench llama-quantize
