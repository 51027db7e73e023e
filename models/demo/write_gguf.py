"""Writes the trained model as a GGUF v3 file: matrices in Q8_0, norms in F32, tokenizer and chat template
in the metadata. The format: github.com/ggml-org/ggml/blob/master/docs/gguf.md.

Run: python3 write_gguf.py --checkpoint model.pt --out demo-stories-q8_0.gguf
"""

import argparse
import struct

import numpy
import torch

from model import Llama, Shape
from tokenizer import BOS_ID, CHAT_TEMPLATE, EOS_ID, SPECIALS, UNKNOWN_ID, Tokenizer

ALIGNMENT_BYTES = 32
BLOCK = 32
F32, Q8_0 = 0, 8
U32, F32_VALUE, BOOL, STRING, ARRAY, I32 = 4, 6, 7, 8, 9, 5
NORMAL_TOKEN, UNKNOWN_TOKEN, CONTROL_TOKEN = 1, 2, 3
FILE_TYPE_MOSTLY_Q8_0 = 7


def quantize_q8_0(matrix):
    """Rows cut into blocks of 32: an f16 scale (largest magnitude / 127), then 32 signed bytes."""
    blocks = matrix.astype(numpy.float32).reshape(-1, BLOCK)
    scales = numpy.abs(blocks).max(axis=1, keepdims=True) / numpy.float32(127)
    inverse = numpy.divide(1, scales, out=numpy.zeros_like(scales), where=scales > 0)
    scaled = blocks * inverse
    levels = numpy.trunc(scaled + numpy.copysign(numpy.float32(0.5), scaled)).astype(numpy.int8)
    packed = numpy.empty(len(blocks), dtype=[("scale", "<f2"), ("levels", "i1", BLOCK)])
    packed["scale"], packed["levels"] = scales[:, 0], levels
    return packed


def dequantize_q8_0(packed, shape):
    return (packed["scale"].astype(numpy.float32)[:, None] * packed["levels"]).reshape(shape)


def metadata(shape, tokenizer, parameters):
    """Key: (type, value); a list's type is that of its items."""
    control = {token: CONTROL_TOKEN for token in SPECIALS} | {SPECIALS[UNKNOWN_ID]: UNKNOWN_TOKEN}
    return {
        "general.architecture": (STRING, "llama"),
        "general.type": (STRING, "model"),
        "general.name": (STRING, "bkg demo stories"),
        "general.description": (STRING, "demo: only tells stories"),
        "general.author": (STRING, "the bkg project"),
        "general.license": (STRING, "Apache-2.0"),
        "general.size_label": (STRING, f"{parameters / 1e6:.1f}M"),
        "general.languages": (STRING, ["en"]),
        "general.alignment": (U32, ALIGNMENT_BYTES),
        "general.file_type": (U32, FILE_TYPE_MOSTLY_Q8_0),
        "general.quantization_version": (U32, 2),
        "llama.vocab_size": (U32, shape.vocabulary),
        "llama.context_length": (U32, shape.context),
        "llama.embedding_length": (U32, shape.width),
        "llama.block_count": (U32, shape.layers),
        "llama.feed_forward_length": (U32, shape.hidden),
        "llama.attention.head_count": (U32, shape.heads),
        "llama.attention.head_count_kv": (U32, shape.kv_heads),
        "llama.attention.layer_norm_rms_epsilon": (F32_VALUE, shape.norm_epsilon),
        "llama.rope.dimension_count": (U32, shape.head_width),
        "llama.rope.freq_base": (F32_VALUE, shape.rope_base),
        "tokenizer.ggml.model": (STRING, "gpt2"),
        "tokenizer.ggml.pre": (STRING, "gpt-2"),
        "tokenizer.ggml.tokens": (STRING, tokenizer.tokens),
        "tokenizer.ggml.token_type": (I32, [control.get(token, NORMAL_TOKEN) for token in tokenizer.tokens]),
        "tokenizer.ggml.merges": (STRING, [" ".join(pair) for pair in tokenizer.merges]),
        "tokenizer.ggml.bos_token_id": (U32, BOS_ID),
        "tokenizer.ggml.eos_token_id": (U32, EOS_ID),
        "tokenizer.ggml.unknown_token_id": (U32, UNKNOWN_ID),
        "tokenizer.ggml.padding_token_id": (U32, EOS_ID),
        "tokenizer.ggml.add_bos_token": (BOOL, True),
        "tokenizer.ggml.add_eos_token": (BOOL, False),
        "tokenizer.ggml.add_space_prefix": (BOOL, False),
        "tokenizer.chat_template": (STRING, CHAT_TEMPLATE),
    }


def pack_string(text):
    data = text.encode("utf-8")
    return struct.pack("<Q", len(data)) + data


def pack_value(kind, value):
    if kind == STRING:
        return pack_string(value)
    return struct.pack({U32: "<I", I32: "<i", F32_VALUE: "<f", BOOL: "<?"}[kind], value)


def pack_pair(key, kind, value):
    if isinstance(value, list):
        items = b"".join(pack_value(kind, item) for item in value)
        return pack_string(key) + struct.pack("<IIQ", ARRAY, kind, len(value)) + items
    return pack_string(key) + struct.pack("<I", kind) + pack_value(kind, value)


def padding(length):
    return b"\0" * (-length % ALIGNMENT_BYTES)


def write_model(path, model, tokenizer):
    """The output matrix is the embedding (tied): llama.cpp reuses token_embd where output is missing."""
    weights = {name: weight.detach().numpy() for name, weight in model.named_parameters()}
    pairs = metadata(model.shape, tokenizer, sum(weight.size for weight in weights.values()))
    infos, blobs, offset = [], [], 0
    for name, weight in weights.items():
        kind = Q8_0 if weight.ndim == 2 else F32
        data = (quantize_q8_0(weight) if kind == Q8_0 else weight.astype("<f4")).tobytes()
        dimensions = weight.shape[::-1]  # GGUF names the fastest-varying dimension first
        infos.append(pack_string(name) + struct.pack(f"<I{len(dimensions)}QIQ", len(dimensions), *dimensions, kind, offset))
        blobs.append(data + padding(len(data)))
        offset += len(blobs[-1])
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(infos), len(pairs))
    head += b"".join(pack_pair(key, *value) for key, value in pairs.items()) + b"".join(infos)
    with open(path, "wb") as file:
        file.write(head + padding(len(head)) + b"".join(blobs))


def read_checkpoint(path):
    """(model, tokenizer, answer tokens trained on) from what train.py saved."""
    saved = torch.load(path)
    model = Llama(Shape(**saved["shape"]))
    model.load_state_dict(saved["weights"])
    return model.eval(), Tokenizer(saved["merges"]), saved["seen_tokens"]


def main():
    parser = argparse.ArgumentParser(description="write the demo story model as GGUF")
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    model, tokenizer, _ = read_checkpoint(args.checkpoint)
    write_model(args.out, model, tokenizer)


if __name__ == "__main__":
    main()
