"""Measures the quantised demo story model and writes figures.json: held-out perplexity, how far sampled
stories repeat the training text, and whether they hold what was asked for.

Run: python3 evaluate.py --text train.jsonl --held-out held_out.jsonl --checkpoint model.pt \
         --gguf demo-stories-q8_0.gguf --figures figures.json --stories stories.txt
"""

import argparse
import hashlib
import json
import math
import random
import re

import torch

from grammar_chats import ASKS
from grammar_words import HEROES, OBJECTS
from make_text import STORY_WORDS_MIN, expand, user_style
from tokenizer import EOS_ID, chat_ids, prompt_ids
from train import answer_loss, make_batches, to_tensors
from write_gguf import dequantize_q8_0, quantize_q8_0, read_checkpoint

WINDOW_WORDS = 12
TEMPERATURE = 0.8
ANSWER_TOKENS_MAX = 320


@torch.no_grad()
def quantize(model):
    """Gives the model the weights that the GGUF holds."""
    for weight in model.parameters():
        if weight.dim() == 2:
            weight.copy_(torch.from_numpy(dequantize_q8_0(quantize_q8_0(weight.numpy()), weight.shape)))


@torch.no_grad()
def perplexity(model, tokenizer, chats):
    """Over the tokens of the answers, their end included."""
    pairs = [pair for pair in (chat_ids(tokenizer, chat) for chat in chats) if len(pair[0]) <= model.shape.context]
    nats = tokens = 0
    for batch in make_batches(pairs, tokens_per_batch=4096, seed=0):
        loss, count = answer_loss(model, *to_tensors(batch))
        nats += loss.item() * count
        tokens += count
    return math.exp(nats / tokens), tokens


@torch.no_grad()
def answer(model, tokenizer, requests, temperature, seed):
    """One answer to each request, all side by side; None where no end came in time."""
    random_source = torch.Generator().manual_seed(seed)
    rows = [prompt_ids(tokenizer, [{"role": "user", "content": request}]) for request in requests]
    starts = [len(row) for row in rows]
    for _ in range(ANSWER_TOKENS_MAX):
        open_rows = [i for i, row in enumerate(rows) if len(row) == starts[i] or row[-1] != EOS_ID]
        if not open_rows:
            break
        width = max(len(rows[i]) for i in open_rows)
        ids = torch.tensor([rows[i] + [EOS_ID] * (width - len(rows[i])) for i in open_rows])
        last = torch.tensor([len(rows[i]) - 1 for i in open_rows])
        logits = model.logits(model(ids)[torch.arange(len(open_rows)), last])
        if temperature:
            picks = torch.multinomial((logits / temperature).softmax(-1), 1, generator=random_source)[:, 0]
        else:
            picks = logits.argmax(-1)
        for i, pick in zip(open_rows, picks.tolist()):
            rows[i].append(pick)
    return [tokenizer.decode(row[start:-1]) if row[-1] == EOS_ID else None for row, start in zip(rows, starts)]


def windows(text, plain):
    """Every run of 12 words; `plain` drops capitals and punctuation first."""
    if plain:
        text = re.sub(r"[^\w\s]", "", text.lower().replace("-", " "))
    found = text.split()
    return [tuple(found[i:i + WINDOW_WORDS]) for i in range(len(found) - WINDOW_WORDS + 1)]


def overlap(stories, training_answers, plain):
    """(share of all windows that the training text holds, share in the worst story)."""
    wanted = {window for story in stories for window in windows(story, plain)}
    seen = set()
    for text in training_answers:
        seen.update(wanted.intersection(windows(text, plain)))
    shares = [[window in seen for window in windows(story, plain)] for story in stories]
    return sum(map(sum, shares)) / sum(map(len, shares)), max(sum(share) / len(share) for share in shares)


def read_chats(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line)["messages"] for line in file]


def main():
    parser = argparse.ArgumentParser(description="measure the demo story model")
    for name in ("text", "held-out", "checkpoint", "gguf", "figures", "stories"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model, tokenizer, seen_tokens = read_checkpoint(args.checkpoint)
    held_out = read_chats(args.held_out)
    float_perplexity, _ = perplexity(model, tokenizer, held_out)
    quantize(model)
    quantized_perplexity, held_out_tokens = perplexity(model, tokenizer, held_out)

    rng = random.Random(100)
    topics = [(rng.choice(HEROES), rng.choice(OBJECTS)) for _ in range(100)]
    asks = [ask for ask in ASKS if ask]
    requests = [user_style(rng, f"{expand(rng, rng.choice(asks))} a {hero} and a {thing}") for hero, thing in topics]
    answers = answer(model, tokenizer, requests, TEMPERATURE, seed=100)
    stories = [text for text in answers if text and len(text.split()) >= WINDOW_WORDS]
    lengths = [len(story.split()) for story in stories]
    training_answers = [m["content"] for chat in read_chats(args.text) for m in chat if m["role"] == "assistant"]
    exact, exact_worst = overlap(stories, training_answers, plain=False)
    plain, plain_worst = overlap(stories, training_answers, plain=True)

    def holds(word, text):
        return bool(re.search(rf"\b{re.escape(word)}\b", text or ""))

    with open(args.gguf, "rb") as file:
        data = file.read()
    figures = {
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "file_bytes": len(data),
        "file_sha256": hashlib.sha256(data).hexdigest(),
        "training_chats_file_sha256": hashlib.sha256(open(args.text, "rb").read()).hexdigest(),
        "training_answer_tokens_seen": seen_tokens,
        "held_out_answer_tokens": held_out_tokens,
        "held_out_perplexity_float": round(float_perplexity, 4),
        "held_out_perplexity_q8_0": round(quantized_perplexity, 4),
        "sampled_stories": len(stories),
        "sampling_temperature": TEMPERATURE,
        "stories_ended": sum(text is not None for text in answers) / len(answers),
        "story_words_min": min(lengths),
        "story_words_mean": round(sum(lengths) / len(lengths), 1),
        "story_words_max": max(lengths),
        "stories_of_at_least_80_words": sum(length >= STORY_WORDS_MIN for length in lengths) / len(answers),
        "stories_with_asked_hero": sum(holds(hero, text) for (hero, _), text in zip(topics, answers)) / len(answers),
        "stories_with_asked_object": sum(holds(thing, text) for (_, thing), text in zip(topics, answers)) / len(answers),
        "overlap_window_words": WINDOW_WORDS,
        "overlap_exact": round(exact, 4),
        "overlap_exact_worst_story": round(exact_worst, 4),
        "overlap_without_case_and_punctuation": round(plain, 4),
        "overlap_without_case_and_punctuation_worst_story": round(plain_worst, 4),
    }
    with open(args.figures, "w", encoding="utf-8") as file:
        json.dump(figures, file, indent=2)
        file.write("\n")
    with open(args.stories, "w", encoding="utf-8") as file:
        for request, text in zip(requests, answers):
            file.write(f"> {request}\n\n{text}\n\n---\n\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
