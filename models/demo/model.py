"""The llama architecture in PyTorch: RMSNorm, rotary positions on neighbouring pairs (llama.cpp's own
layout, so no permutation on export), grouped-query attention, SwiGLU, tied embeddings. Used by train.py
and evaluate.py. Sizes are multiples of 32, the block of Q8_0.
"""

import dataclasses
import math

import torch
from torch import nn
from torch.nn import functional as F


@dataclasses.dataclass(frozen=True)
class Shape:
    vocabulary: int = 2048
    width: int = 256
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    hidden: int = 512
    context: int = 512
    rope_base: float = 10000.0
    norm_epsilon: float = 1e-5

    @property
    def head_width(self):
        return self.width // self.heads


class Norm(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape.width))
        self.epsilon = shape.norm_epsilon

    def forward(self, x):
        x = x.float()
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * self.weight


class Layer(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        kv_width = shape.kv_heads * shape.head_width
        self.attn_norm, self.ffn_norm = Norm(shape), Norm(shape)
        self.attn_q = nn.Linear(shape.width, shape.width, bias=False)
        self.attn_k = nn.Linear(shape.width, kv_width, bias=False)
        self.attn_v = nn.Linear(shape.width, kv_width, bias=False)
        self.attn_output = nn.Linear(shape.width, shape.width, bias=False)
        self.ffn_gate = nn.Linear(shape.width, shape.hidden, bias=False)
        self.ffn_up = nn.Linear(shape.width, shape.hidden, bias=False)
        self.ffn_down = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x, turns, mask):
        shape = self.shape
        batch, length, _ = x.shape
        h = self.attn_norm(x)
        q = rotate(self.attn_q(h).view(batch, length, shape.heads, shape.head_width), turns)
        k = rotate(self.attn_k(h).view(batch, length, shape.kv_heads, shape.head_width), turns)
        v = self.attn_v(h).view(batch, length, shape.kv_heads, shape.head_width)
        # query heads of one group share keys and values: fold them into the rows
        q = q.view(batch, length, shape.kv_heads, -1, shape.head_width).permute(0, 2, 3, 1, 4)
        q = q.reshape(batch, shape.kv_heads, -1, shape.head_width) / math.sqrt(shape.head_width)
        scores = q @ k.permute(0, 2, 3, 1)
        scores = scores.view(batch, shape.kv_heads, -1, length, length) + mask
        mixed = scores.softmax(-1).view(batch, shape.kv_heads, -1, length) @ v.transpose(1, 2)
        mixed = mixed.view(batch, shape.heads, length, shape.head_width).transpose(1, 2)
        x = x + self.attn_output(mixed.reshape(batch, length, shape.width))
        h = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h))


class Llama(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape.vocabulary, shape.width)
        self.blk = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.output_norm = Norm(shape)
        self.set_initial_values()
        pairs = torch.arange(0, shape.head_width, 2).float() / shape.head_width
        angles = torch.outer(torch.arange(shape.context).float(), shape.rope_base ** -pairs)
        self.register_buffer("turns", torch.polar(torch.ones_like(angles), angles), persistent=False)
        self.register_buffer("mask", torch.full((shape.context, shape.context), -1e9).triu(1), persistent=False)

    def set_initial_values(self):
        """Embeddings of size 1, made small again by the last norm because they are the output matrix too: the
        layers' sums would drown small ones, and no name would ever be carried through a story. Values are a
        projection which the output matrix undoes: from the first step a head makes what it looks at likelier.
        """
        shape = self.shape
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                nn.init.normal_(weight, std=1.0 if "embd" in name else 0.01 if "down" in name else 0.05)
        nn.init.constant_(self.output_norm.weight, 0.05)
        for layer in self.blk:
            nn.init.orthogonal_(layer.attn_v.weight)
            groups = layer.attn_v.weight.data.view(shape.kv_heads, 1, shape.head_width, shape.width)
            heads = groups.expand(-1, shape.heads // shape.kv_heads, -1, -1).reshape(shape.width, shape.width)
            layer.attn_output.weight.data.copy_(0.5 * heads.T)

    def forward(self, ids):
        """Hidden states [batch, length, width]; logits are these times the embedding."""
        length = ids.shape[1]
        x = self.token_embd(ids)
        for layer in self.blk:
            x = layer(x, self.turns[:length, None], self.mask[:length, :length])
        return self.output_norm(x)

    def logits(self, hidden):
        return F.linear(hidden, self.token_embd.weight)


def rotate(x, turns):
    """Turns each pair (2i, 2i+1) of [batch, length, heads, head_width] by its position's angle."""
    pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * turns).flatten(-2)
