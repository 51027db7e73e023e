"""Trains the demo story model on the chats of make_text.py; write_gguf.py writes the result as GGUF.

Run: python3 train.py --text train.jsonl --checkpoint model.pt
Each chat is seen once; answers alone are learned, requests are only read. Muon turns the matrices of the
layers, AdamW the embedding and the norms. One thread is deterministic for one version of PyTorch.
"""

import argparse
import collections
import json
import math
import random
import time

import torch
from torch.nn import functional as F

from model import Llama, Shape
from tokenizer import EOS_ID, chat_ids, learn

MATRIX_RATE, MATRIX_DECAY = 0.02, 0.5  # keeps singular values below 2
EMBEDDING_RATE, NORM_RATE = 0.02, 3e-3


class Muon(torch.optim.Optimizer):
    """Momentum whose step is made orthogonal (Jordan et al. 2024, github.com/KellerJordan/Muon)."""

    def __init__(self, weights, lr, decay, momentum=0.95):
        super().__init__(weights, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            by_shape = collections.defaultdict(list)
            for weight in group["params"]:
                speed = self.state[weight].setdefault("speed", torch.zeros_like(weight))
                speed.lerp_(weight.grad, 1 - group["momentum"])
                by_shape[weight.shape].append((weight, weight.grad.lerp(speed, group["momentum"])))
            for shape, pairs in by_shape.items():
                steps = orthogonal(torch.stack([step for _, step in pairs]))
                scale = max(1.0, shape[0] / shape[1]) ** 0.5
                for (weight, _), step in zip(pairs, steps):
                    weight.mul_(1 - group["lr"] * group["decay"]).add_(step.float(), alpha=-group["lr"] * scale)


def orthogonal(matrices):
    """The nearest orthogonal matrices, roughly: five Newton-Schulz steps on a stack of them."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if tall else matrices
    x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).bfloat16()
    for _ in range(5):
        square = x @ x.transpose(1, 2)
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.transpose(1, 2) if tall else x


def make_batches(chats, tokens_per_batch, seed):
    """Batches of chats of like length, in random order. Widths are multiples of 32: few shapes run faster."""
    rng = random.Random(seed)
    rng.shuffle(chats)
    by_width = collections.defaultdict(list)
    for ids, spoken in chats:
        by_width[math.ceil((len(ids) - 1) / 32) * 32].append((ids, spoken))
    batches = []
    for width, group in sorted(by_width.items()):
        rows = max(1, tokens_per_batch // width)
        batches += [(width, group[i:i + rows]) for i in range(0, len(group), rows)]
    rng.shuffle(batches)
    return batches


def to_tensors(batch):
    """Inputs and targets [rows, width]; -100 where nothing is learned."""
    width, rows = batch
    inputs = torch.full((len(rows), width), EOS_ID)
    targets = torch.full((len(rows), width), -100)
    for row, (ids, spoken) in enumerate(rows):
        inputs[row, :len(ids) - 1] = torch.tensor(ids[:-1])
        targets[row, :len(ids) - 1] = torch.tensor([i if s else -100 for i, s in zip(ids[1:], spoken[1:])])
    return inputs, targets


def answer_loss(model, inputs, targets):
    """Mean cross entropy in nats over the answers' tokens, and their number."""
    logits = model.logits(model(inputs)).float()
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten()), int((targets >= 0).sum())


def train(model, batches, steps, save):
    matrices = [w for w in model.blk.parameters() if w.dim() == 2]
    norms = [weight for weight in model.parameters() if weight.dim() == 1]
    muon = Muon(matrices, lr=MATRIX_RATE, decay=MATRIX_DECAY)
    adam = torch.optim.AdamW([{"params": [model.token_embd.weight], "lr": EMBEDDING_RATE},
                              {"params": norms, "lr": NORM_RATE}], betas=(0.9, 0.97), weight_decay=0.0)
    peaks = [(group, group["lr"]) for optimizer in (muon, adam) for group in optimizer.param_groups]
    seen_tokens, started, mean = 0, time.time(), None
    for step, batch in enumerate(batches[:steps]):
        warm, left = min(1.0, (step + 1) / 30), 1 - step / steps
        for group, peak in peaks:
            group["lr"] = peak * warm * min(1.0, left / 0.6 + 0.01)
        inputs, targets = to_tensors(batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss, count = answer_loss(model, inputs, targets)
        model.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        muon.step()
        adam.step()
        seen_tokens += count
        mean = loss.item() if mean is None else 0.9 * mean + 0.1 * loss.item()
        if step % 25 == 0:
            rate = seen_tokens / (time.time() - started)
            print(f"step {step} loss {mean:.4f} tokens {seen_tokens} tokens/s {rate:.0f}", flush=True)
        if step % 100 == 99:
            save(seen_tokens)
    return seen_tokens


def main():
    parser = argparse.ArgumentParser(description="train the demo story model")
    parser.add_argument("--text", required=True)
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--tokens-per-batch", type=int, default=6144)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--checkpoint", required=True)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    with open(args.text, encoding="utf-8") as file:
        chats = [json.loads(line)["messages"] for line in file]
    shape = Shape()
    tokenizer = learn((message["content"] for chat in chats for message in chat), shape.vocabulary)
    pairs = [pair for pair in (chat_ids(tokenizer, chat) for chat in chats) if len(pair[0]) <= shape.context]
    batches = make_batches(pairs, args.tokens_per_batch, args.seed)
    model = Llama(shape)
    print(f"{sum(w.numel() for w in model.parameters())} parameters, {len(pairs)} chats, {len(batches)} batches")

    def save(seen_tokens):
        torch.save({"weights": model.state_dict(), "merges": tokenizer.merges, "shape": vars(shape),
                    "seen_tokens": seen_tokens}, args.checkpoint)

    save(train(model, batches, min(args.steps, len(batches)), save))


if __name__ == "__main__":
    main()
