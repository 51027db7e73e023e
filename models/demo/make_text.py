"""Writes the training text of the demo story model: chats made by a grammar of our own.

Run: python3 make_text.py --chats 60000 --seed 1 --out train.jsonl
One line is one chat: {"messages": [{"role": "user"|"assistant", "content": "..."}, ...]}.
Standard library only; the same seed gives the same bytes.

How the grammar is written: `{a|b}` picks one, `<name>` expands the rule of that name, `$name` is
filled from the story's cast (so names, kinds and pronouns agree from start to end), `^` makes the
next letter a capital. "a" becomes "an" where needed.
"""

import argparse
import json
import random
import re

from grammar_chats import (
    AGAIN, ASKS, BYE, DO, FAREWELL, GREET, HELLO, IRREGULAR, OFFER, OTHER, PLAIN, PREFACE, SAME, SAME_WITH, SELF, THANKS,
    WELCOME, WHO,
)
from grammar_stories import PLOTS, RULES
from grammar_words import FIXED_GENDER, HEROES, NAMES, OBJECTS, PLACES, RARE, SKY, TRAITS

STORY_WORDS_MIN = 80
STORY_WORDS_MAX = 160

# ---------------------------------------------------------------- telling a story

CHOICE = re.compile(r"\{([^{}]*)\}")
RULE = re.compile(r"<(\w+)>")
FILL = re.compile(r"\$(\w+)")
ARTICLE = re.compile(r"\b([Aa]) (?=honest|[aeiou](?!ni[cfv]|kulele|s[ea]|ne\b))")
PRONOUNS = {"she": ("she", "her", "her", "herself"), "he": ("he", "him", "his", "himself")}


def expand(rng, text):
    """Replaces choices and rules until none is left; `$` names stay."""
    while True:
        if CHOICE.search(text):
            text = CHOICE.sub(lambda m: rng.choice(m[1].split("|")), text)
        elif RULE.search(text):
            text = RULE.sub(lambda m: rng.choice(RULES[m[1]]), text)
        else:
            return text


def new_cast(rng, wanted=None):
    """The people and things of one story; `wanted` holds what the request fixed."""
    cast = {
        "kind": rng.choice(HEROES), "trait": rng.choice(TRAITS), "friend_trait": rng.choice(TRAITS), "second": None,
        "place": rng.choice(list(PLACES)), "sky": rng.choice(list(SKY)),
        "object_look": rng.choice(RULES["objadj"]), "second_look": rng.choice(RULES["objadj"]),
        "skill": rng.choice(RULES["skill"]), "things": rng.choice(RULES["things"]),
    }
    cast.update(wanted or {})
    cast.setdefault("friend_kind", rng.choice([kind for kind in HEROES if kind != cast["kind"]]))
    cast.setdefault("object", rng.choice([thing for thing in OBJECTS if thing != cast["second"]]))
    for name, pronoun, kind in (("name", "he", "kind"), ("friend", "friend_he", "friend_kind")):
        if name in cast:
            cast[pronoun] = "she" if cast[name] in NAMES["she"] else "he"
        else:
            cast[pronoun] = FIXED_GENDER.get(cast[kind]) or rng.choice(["he", "she"])
            cast[name] = rng.choice([n for n in NAMES[cast[pronoun]] if n != cast.get("name")])
    return cast


def fill(rng, text, cast):
    """Puts the cast into one beat."""
    he, him, his, himself = PRONOUNS[cast["he"]]
    fhe, fhim, fhis, _ = PRONOUNS[cast["friend_he"]]

    def value(match):
        key = match[1]
        if key == "H":
            return rng.choice([cast["name"], cast["name"], f"the {cast['kind']}", f"the {cast['trait']} {cast['kind']}"])
        if key == "inP":
            return f"{PLACES.get(cast['place'], 'near')} a {rng.choice(RULES['placeadj'])} {cast['place']}"
        if key == "Sdo":
            return rng.choice(SKY[cast["sky"]].split("|"))
        return {
            "N": cast["name"], "K": cast["kind"], "T": cast["trait"], "M": cast["friend"],
            "FK": cast["friend_kind"], "FT": cast["friend_trait"], "O": cast["object"], "Q": cast["second"],
            "A": cast["object_look"], "B": cast["second_look"], "W": cast["skill"], "G": cast["things"],
            "S": cast["sky"], "inP2": f"{PLACES.get(cast['place'], 'near')} the {cast['place']}",
            "he": he, "him": him, "his": his, "himself": himself, "fhe": fhe, "fhim": fhim, "fhis": fhis,
        }[key]

    text = FILL.sub(value, text).strip()
    text = ARTICLE.sub(lambda m: m[1] + "n ", text)
    text = re.sub(r"\^(\W*)(\w)", lambda m: m[1] + m[2].upper(), text)
    text = re.sub(r"(^\W*|[.!?] )([a-z])", lambda m: m[1] + m[2].upper(), text)
    return text


def tell(rng, cast):
    """One story of STORY_WORDS_MIN to STORY_WORDS_MAX words."""
    while True:
        plot = rng.choice(PLOTS)
        beats = ["open"]
        if rng.random() < 0.5:
            beats.append("habit")
        if cast["second"]:
            beats.append("carry")
        first = len(beats)
        for beat in plot:
            if not beat.endswith("?") or rng.random() < 0.4:
                beats.append(beat.rstrip("?"))
        if cast["second"]:
            beats.append("qend")
        last = len(beats)
        beats += ["close"] if rng.random() < 0.5 else ["moral"] if rng.random() < 0.4 else ["close", "moral"]
        told = [fill(rng, expand(rng, rng.choice(RULES[beat])), cast) for beat in beats]
        breaks = {first} if rng.random() < 0.5 else {first, last}
        text = "".join(("\n\n" if i in breaks else " ") * (i > 0) + beat for i, beat in enumerate(told))
        uses_object = re.search(rf"\b{re.escape(cast['object'])}\b", text)
        uses_sky = not cast.get("sky_wanted") or re.search(rf"\b{cast['sky']}\b", text)
        if STORY_WORDS_MIN <= len(text.split()) <= STORY_WORDS_MAX and uses_object and uses_sky:
            return text.strip()


# ---------------------------------------------------------------- the user's side

def plural(noun):
    if noun in IRREGULAR:
        return IRREGULAR[noun]
    if re.search(r"(s|x|z|ch|sh)$", noun):
        return noun + "es"
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + "s"


def strange_word(rng):
    """A word that no list knows: real but rare, or made of syllables."""
    if rng.random() < 0.5:
        return rng.choice(RARE)
    onsets = "b|bl|br|c|ch|cl|d|dr|f|fl|g|gl|gr|h|j|k|kl|l|m|n|p|pl|pr|qu|r|s|sh|sk|sn|sp|st|t|th|tr|v|w|y|z".split("|")
    middles = "a|e|i|o|u|ai|ee|oo|ou|ar|er|or|in|an|on|el|al|um".split("|")
    ends = "|b|ck|d|ff|g|k|l|m|n|nd|nk|p|r|rt|s|st|t|x|zzle|ble|ly|mp|ng|tor|ment|ic".split("|")
    return "".join(rng.choice(onsets) + rng.choice(middles) for _ in range(rng.randint(1, 2))) + rng.choice(ends)


def wishes(rng):
    """What a request fixes: some of hero, object, place, sky, friend, second object, name and trait."""
    wanted = {}
    single = rng.random()
    if single < 0.04:
        return {"place": rng.choice(list(PLACES))}
    if single < 0.07:
        return {"sky": rng.choice(list(SKY)), "sky_wanted": True}
    if single < 0.11:
        return {"name": rng.choice(NAMES[rng.choice(["he", "she"])])}
    if rng.random() < 0.65:
        wanted["kind"] = rng.choice(HEROES) if rng.random() < 0.85 else strange_word(rng)
        if rng.random() < 0.2:
            wanted["trait"] = rng.choice(TRAITS)
        if rng.random() < 0.15:
            wanted["name"] = rng.choice(NAMES[FIXED_GENDER.get(wanted["kind"]) or rng.choice(["he", "she"])])
    if rng.random() < 0.5 or not wanted:
        wanted["object"] = rng.choice(OBJECTS) if rng.random() < 0.85 else strange_word(rng)
        if rng.random() < 0.2:
            wanted["second"] = rng.choice([o for o in OBJECTS if o != wanted["object"]])
    if "kind" in wanted and rng.random() < 0.25:
        wanted["friend_kind"] = rng.choice([k for k in HEROES if k != wanted["kind"]])
    if rng.random() < 0.2:
        wanted["place"] = rng.choice(list(PLACES))
    if rng.random() < 0.12:
        wanted["sky"] = rng.choice(list(SKY))
        wanted["sky_wanted"] = True
    return wanted


def noun_phrase(rng, noun, trait=None):
    form = rng.random()
    if trait:
        return f"a {trait} {noun}" if form < 0.8 else f"the {trait} {noun}"
    if form < 0.65:
        return f"a {noun}"
    return rng.choice([f"the {noun}", f"one {noun}", noun, plural(noun), plural(noun), f"my {noun}"])


def topic(rng, wanted):
    """'a fox and a lantern in a forest': the words of a request for what `wanted` fixes."""
    items = []
    if "kind" in wanted:
        hero = noun_phrase(rng, wanted["kind"], wanted.get("trait"))
        if "name" in wanted:
            hero = rng.choice([f"a {wanted['kind']} {rng.choice(['named', 'called'])} {wanted['name']}",
                               f"{wanted['name']} the {wanted['kind']}"])
            if "trait" in wanted:
                hero = f"{wanted['name']}, a {wanted['trait']} {wanted['kind']}"
        items.append(hero)
    elif "name" in wanted:
        items.append(wanted["name"])
    items += [noun_phrase(rng, wanted[key]) for key in ("friend_kind", "object", "second") if wanted.get(key)]
    if "sky" in wanted:
        items.append(rng.choice(["the ", ""]) + wanted["sky"])
    if len(items) > 1 and rng.random() < 0.3 and "friend_kind" not in wanted:
        rng.shuffle(items)
    joiner = rng.choice([" and ", " and ", " and ", ", ", " with ", " & "])
    if not items:
        return noun_phrase(rng, wanted["place"])
    text = items[0] if len(items) == 1 else ", ".join(items[:-1]) + joiner + items[-1]
    if "place" in wanted:
        place = wanted["place"]
        place = rng.choice([f"{PLACES[place]} {rng.choice(['a', 'the'])} {place}", f"set in a {place}", f"at the {place}"])
        text += (" " if rng.random() < 0.8 else ", ") + place
    return text


def offer(rng):
    two = f"a {rng.choice(HEROES)} and a {rng.choice(OBJECTS)}"
    return fill(rng, rng.choice(OFFER).replace("<two>", two), new_cast(rng))


def neat(text):
    return fill(random.Random(0), text, new_cast(random.Random(0)))


def about_me(rng, hello):
    parts = ([rng.choice(HELLO)] if hello else []) + [rng.choice(SELF)]
    return " ".join([neat(p) for p in parts] + [offer(rng)])


def user_style(rng, text):
    """How people type: capitals, all lower, all upper, with or without the last stop."""
    text = re.sub(r"\s+", " ", ARTICLE.sub(lambda m: m[1] + "n ", text)).strip()
    if text and text[-1].isalnum():
        text += rng.choice(["", "", ".", ".", "!", "?"] + ([] if "please" in text else [" please", ", please."]))
    style = rng.random()
    if style < 0.8:
        return text.lower()  # what the chat template makes of every request
    return text.upper() if style > 0.97 else text[:1].upper() + text[1:]


def story_turn(rng):
    """A request and its story."""
    kind = rng.random()
    preface = ""
    if kind < 0.74:
        wanted = wishes(rng)
        ask = rng.choice(ASKS)
        hello = rng.choice(["hello, ", "hi! ", "hey, ", "good evening. ", "please "]) if rng.random() < 0.06 else ""
        request = hello + expand(rng, ask) + " " + topic(rng, wanted)
    elif kind < 0.84:
        wanted = {}
        request = rng.choice(PLAIN)
    else:
        wanted, request = other_request(rng)
        preface = neat(rng.choice(PREFACE)) + "\n\n"
    cast = new_cast(rng, wanted)
    return user_style(rng, request), preface + tell(rng, cast), cast


def other_request(rng):
    """Anything but a request for a story; what it names and we know becomes part of the story."""
    wanted = {}
    if rng.random() < 0.1:
        return wanted, " ".join(strange_word(rng) for _ in range(rng.randint(1, 6)))

    def thing(_):
        pick = rng.random()
        if pick < 0.3 and "kind" not in wanted:
            wanted["kind"] = rng.choice(HEROES)
            return wanted["kind"]
        if pick < 0.6 and "object" not in wanted:
            wanted["object"] = rng.choice(OBJECTS)
            return wanted["object"]
        if pick < 0.7 and "place" not in wanted:
            wanted["place"] = rng.choice(list(PLACES))
            return wanted["place"]
        return strange_word(rng)

    text = rng.choice(OTHER)
    text = re.sub("<thing>", thing, text)
    text = re.sub("<num>", lambda _: str(rng.randint(2, 99)), text)
    text = re.sub("<do>", lambda _: rng.choice(DO), text)
    return wanted, expand(rng, text)


def short_turn(rng):
    """A greeting, a question about the model, thanks or goodbye, and its short answer."""
    pick = rng.random()
    if pick < 0.45:
        return user_style(rng, rng.choice(GREET)), about_me(rng, True)
    if pick < 0.75:
        ask = rng.choice(WHO)
        return user_style(rng, rng.choice(["", "", "hello, ", "hi! "]) + ask), about_me(rng, False)
    if pick < 0.9:
        return user_style(rng, rng.choice(THANKS)), neat(rng.choice(WELCOME)) + " " + offer(rng)
    return user_style(rng, rng.choice(BYE)), neat(rng.choice(FAREWELL))


STAYING = ("name", "kind", "trait", "he", "place", "friend", "friend_kind", "friend_trait", "friend_he")


def later_turn(rng, cast):
    """A turn after a story: another, more of the same hero, thanks, or something new."""
    pick = rng.random()
    if pick < 0.15:
        cast = new_cast(rng)
        return user_style(rng, rng.choice(AGAIN)), tell(rng, cast), cast
    if pick < 0.5:
        keep = {key: cast[key] for key in STAYING}
        if pick < 0.35:
            ask = rng.choice(SAME)
        else:
            keep["object"] = rng.choice(OBJECTS)
            ask = rng.choice(SAME_WITH)
        ask = ask.replace("$N", cast["name"]).replace("$K", cast["kind"]).replace("$X", keep.get("object", ""))
        cast = new_cast(rng, keep)
        return user_style(rng, ask), tell(rng, cast), cast
    if pick < 0.6:
        return *short_turn(rng), cast
    return story_turn(rng)


def make_chat(rng):
    """One chat of one to three turns."""
    turns = []
    length = rng.choices([1, 2, 3], [0.74, 0.2, 0.06])[0]
    cast = None
    for _ in range(length):
        if cast is None:
            if rng.random() < (0.12 if length == 1 else 0.4):
                turns.append(short_turn(rng))
                continue
            request, answer, cast = story_turn(rng)
        else:
            request, answer, cast = later_turn(rng, cast)
        turns.append((request, answer))
    return [{"role": role, "content": text} for turn in turns for role, text in zip(("user", "assistant"), turn)]


def make_chats(count, seed):
    """`count` chats; the same seed gives the same chats."""
    rng = random.Random(seed)
    for _ in range(count):
        yield make_chat(rng)


def main():
    parser = argparse.ArgumentParser(description="write the training text of the demo story model")
    parser.add_argument("--chats", type=int, default=60000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    with open(args.out, "w", encoding="utf-8") as file:
        for messages in make_chats(args.chats, args.seed):
            file.write(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
