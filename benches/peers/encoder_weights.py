"""The GGUF file of a BERT checkpoint in f32, for `llama-quantize`: it has no vocabulary, so it quantises and does not run."""

import gguf
import numpy as np


def names(arch, layers):
    """A checkpoint's name of a tensor -> its name in a GGUF file, or none."""
    table = gguf.get_tensor_name_map(arch, layers)
    return lambda name: table.get_name(name, try_suffixes=(".weight", ".bias"))


def write_gguf(c, tensors, path):
    writer = gguf.GGUFWriter(str(path), "bert")
    writer.add_context_length(c["max_position_embeddings"])
    writer.add_embedding_length(c["hidden_size"])
    writer.add_block_count(c["num_hidden_layers"])
    writer.add_feed_forward_length(c["intermediate_size"])
    writer.add_head_count(c["num_attention_heads"])
    writer.add_layer_norm_eps(c["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    name = names(gguf.MODEL_ARCH.BERT, c["num_hidden_layers"])
    for key, tensor in tensors.items():
        # Indices of positions and the pooler have no place in the file.
        if (place := name(key)) is not None:
            writer.add_tensor(place, np.ascontiguousarray(tensor, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
