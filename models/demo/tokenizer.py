"""A byte-level BPE in the style of GPT-2, learned from the training text; llama.cpp reads it as model
"gpt2" with pre-tokenizer "gpt-2". Used by train.py and evaluate.py. Every byte has a token of its own.
"""

import collections
import re

SPECIALS = ["<|begin|>", "<|end|>", "<|user|>", "<|assistant|>", "<|unknown|>"]
BOS_ID, EOS_ID, USER_ID, ASSISTANT_ID, UNKNOWN_ID = range(5)
# Keeps the last exchange only, so that a chat never outgrows the context of 512 tokens. A system prompt is
# read and dropped: where a template does not touch it, llama.cpp puts it before the user's words.
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- set text = message['content'] | trim -%}"
    "{%- if loop.revindex <= 3 -%}"
    "{%- if message['role'] == 'user' -%}{{- '<|user|>' + (text | lower) -}}"
    "{%- elif message['role'] == 'assistant' -%}{{- '<|assistant|>' + text + '<|end|>' -}}"
    "{%- endif -%}{%- endif -%}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
)
PIECES = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")


def byte_letters():
    """GPT-2's printable stand-in for each byte: itself where visible, else a letter from 256 on."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {**{byte: chr(byte) for byte in visible}, **{byte: chr(256 + i) for i, byte in enumerate(hidden)}}


LETTERS = byte_letters()
BYTES = {letter: byte for byte, letter in LETTERS.items()}


class Tokenizer:
    """`merges` are pairs of token texts in the order learned; token ids follow from them."""

    def __init__(self, merges):
        self.merges = [tuple(pair) for pair in merges]
        self.ranks = {pair: rank for rank, pair in enumerate(self.merges)}
        self.tokens = SPECIALS + [LETTERS[byte] for byte in range(256)] + [a + b for a, b in self.merges]
        self.ids = {token: i for i, token in enumerate(self.tokens)}
        self._known = {}

    def encode(self, text):
        """Token ids of plain text; special tokens are never made from text."""
        ids = []
        for piece in PIECES.findall(text):
            if piece not in self._known:
                self._known[piece] = self._encode_piece(piece)
            ids += self._known[piece]
        return ids

    def decode(self, ids):
        letters = "".join(self.tokens[i] for i in ids if i >= len(SPECIALS))
        return bytes(BYTES[letter] for letter in letters).decode("utf-8", errors="replace")

    def _encode_piece(self, piece):
        parts = [LETTERS[byte] for byte in piece.encode("utf-8")]
        while len(parts) > 1:
            pairs = list(zip(parts, parts[1:]))
            best = min(pairs, key=lambda pair: self.ranks.get(pair, len(self.ranks)))
            if best not in self.ranks:
                break
            parts = join_pair(parts, best)
        return [self.ids[part] for part in parts]


def join_pair(parts, pair):
    """Joins every occurrence of the pair, from the left."""
    joined, i = [], 0
    while i < len(parts):
        if i + 1 < len(parts) and (parts[i], parts[i + 1]) == pair:
            joined.append(parts[i] + parts[i + 1])
            i += 2
        else:
            joined.append(parts[i])
            i += 1
    return joined


def learn(texts, vocabulary_size):
    """Learns merges until the vocabulary is full; ties go to the pair that sorts first."""
    pieces = collections.Counter()
    for text in texts:
        pieces.update(PIECES.findall(text))
    spelled = {p: [LETTERS[b] for b in p.encode("utf-8")] for p, count in pieces.items() if count >= 3}
    counts = collections.Counter()
    homes = collections.defaultdict(set)  # pair: the pieces that hold it
    for piece, parts in spelled.items():
        for pair in zip(parts, parts[1:]):
            counts[pair] += pieces[piece]
            homes[pair].add(piece)
    merges = []
    while len(SPECIALS) + 256 + len(merges) < vocabulary_size:
        best = max(counts, key=lambda pair: (counts[pair], pair))
        merges.append(best)
        for piece in homes.pop(best):
            old = spelled[piece]
            new = spelled[piece] = join_pair(old, best)
            for pair in zip(old, old[1:]):
                counts[pair] -= pieces[piece]
            for pair in zip(new, new[1:]):
                counts[pair] += pieces[piece]
                homes[pair].add(piece)
        counts.pop(best, None)
    return Tokenizer(merges)


def chat_ids(tokenizer, messages):
    """Ids of a chat and, for each, whether it is the assistant's (what training learns to say)."""
    ids, spoken = [BOS_ID], [False]
    for message in messages:
        body = tokenizer.encode(message["content"])
        mine = message["role"] == "assistant"
        turn = [ASSISTANT_ID, *body, EOS_ID] if mine else [USER_ID, *body]
        ids += turn
        spoken += [False] + [mine] * (len(turn) - 1)
    return ids, spoken


def prompt_ids(tokenizer, messages):
    """What the chat template makes of the messages, up to where the assistant speaks."""
    messages = [m if m["role"] == "assistant" else {**m, "content": m["content"].strip().lower()} for m in messages[-3:]]
    return [*chat_ids(tokenizer, messages)[0], ASSISTANT_ID]
