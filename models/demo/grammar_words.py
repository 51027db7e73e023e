"""The words of the demo's grammar: who and what a story, or a request for one, can be about.
Read by make_text.py, grammar_stories.py, grammar_chats.py and evaluate.py.
"""

import re


def words(text):
    """A list from 'a|b|two {words|names}'; newlines are only for us."""
    parts = re.split(r"\|(?![^{]*\})", text.replace("\n", ""))
    return [part.strip() for part in parts if part.strip()]


ANIMALS = words("""fox|bear|rabbit|owl|mouse|cat|dog|wolf|deer|hedgehog|badger|squirrel|frog|toad|duck|goose|
swan|hen|goat|sheep|lamb|cow|horse|pony|donkey|pig|otter|beaver|mole|bat|crow|raven|robin|sparrow|penguin|seal|
whale|dolphin|turtle|snail|spider|bee|ant|beetle|butterfly|ladybird|lion|tiger|elephant|monkey|giraffe|zebra|
camel|parrot|panda|koala|kangaroo|crab|octopus|fish|lizard|snake|crocodile|hippo|rhino|moose|lynx|weasel|stork|
heron|magpie|puppy|kitten|duckling|hamster|caterpillar""")
PEOPLE = words("""girl|boy|baker|sailor|farmer|king|queen|prince|princess|knight|teacher|doctor|painter|tailor|
gardener|miller|shepherd|fisherman|clockmaker|carpenter|cook|pirate|wizard|witch|astronaut|scientist|librarian|
postman|musician|dancer|shoemaker|blacksmith|nurse|explorer|inventor|grandmother|grandfather|child|traveller|
juggler|soldier|beekeeper|potter|weaver""")
FANTASY = words("""dragon|robot|ghost|giant|fairy|mermaid|unicorn|elf|dwarf|troll|goblin|snowman|scarecrow|
monster|phoenix|gnome|alien|dinosaur|puppet""")
HEROES = ANIMALS + PEOPLE + FANTASY
OBJECTS = words("""lantern|kite|key|map|umbrella|hat|scarf|bell|drum|violin|flute|clock|compass|book|letter|
basket|blanket|button|ring|crown|mirror|candle|ladder|rope|boat|ship|bicycle|cart|wheel|balloon|ball|doll|puzzle|
pencil|paintbrush|notebook|suitcase|backpack|teapot|cup|spoon|kettle|cake|pie|apple|pear|pumpkin|carrot|loaf|cookie|
honeypot|shoe|boot|glove|coat|cloak|pillow|chair|box|chest|jar|bottle|feather|shell|pebble|crystal|marble|coin|
necklace|whistle|trumpet|guitar|piano|telescope|magnet|hammer|bucket|shovel|broom|sled|train|car|rocket|wagon|
camera|radio|machine|computer|phone|wand|potion|egg|seed|acorn|flower|rose|sunflower|mushroom|flag|pocket watch|
music box|snow globe|spyglass|parcel|sandwich|pancake|birdhouse|teddy|stamp|ribbon|needle""")
PLACES = {  # place: the word before it
    **dict.fromkeys(words("""forest|valley|village|town|city|garden|meadow|castle|cave|swamp|desert|jungle|
harbour|wood|orchard|palace|lighthouse|windmill|cottage|treehouse|library|school|museum|market|kitchen|bakery|
burrow|canyon|tower|barn|greenhouse|toyshop|zoo|tunnel"""), "in"),
    **dict.fromkeys(words("""island|farm|hill|mountain|beach|ship deck|prairie|planet|cliff|street"""), "on"),
    **dict.fromkeys(words("""river|lake|sea|pond|waterfall|brook|bridge|crossroads|railway|well"""), "by"),
}
SKY = {  # what the sky holds: what it does
    "moon": "shone|glowed|hung|peeped out", "sun": "shone|glowed|sparkled|blazed",
    "stars": "twinkled|glittered|shone|winked", "rain": "drummed|pattered|fell|splashed",
    "snow": "fell|drifted|settled|whirled", "wind": "whistled|blew|howled|sang",
    "fog": "crept|rolled|hung|spread", "rainbow": "stretched|shone|glowed|arched",
    "storm": "roared|rumbled|raged|grumbled", "clouds": "drifted|floated|sailed|gathered",
    "thunder": "rumbled|rolled|grumbled|boomed", "leaves": "danced|tumbled|rustled|swirled",
    "frost": "glittered|sparkled|crept|shone",
}
NAMES = {
    "she": words("""Mia|Lily|Nora|Ada|Ruby|Clara|Elsa|Ivy|Rosa|Luna|Tilda|Maya|Greta|Hazel|Bella|Cleo|Dora|Freya|Hanna|
Juno|Lena|Momo|Olive|Stella|Tara|Vera|Wanda|Xena|Yara|Zoe|Alba|Cora|Edith|Gwen|Ines|Kira|Mabel|Opal|Rita|Thea|Viola|
Zelda|Bonnie|Daisy|Fern|Heidi|Kiki|Lotte|Nadia|Orla|Poppy|Selma|Ursula|Willa|Minna|Anouk|Flora|Nell|Suki|Tessa|Emma|
Anna|Alice|Lucy|Sara"""),
    "he": words("""Pip|Tom|Oscar|Finn|Milo|Hugo|Leo|Theo|Max|Otto|Sam|Ben|Felix|Jack|Arlo|Bruno|Emil|Gus|Igor|Kai|Nils|
Paul|Quinn|Rufus|Ugo|Basil|Dario|Fritz|Henry|Jasper|Lars|Ned|Percy|Silas|Umar|Walter|Yusuf|Amir|Casper|Elio|Gilbert|
Ivan|Jonas|Marvin|Ralph|Tobias|Victor|Barnaby|Teo|Bodo|Rolf|Pablo|Peter|Noah|Adam|Karl|Anton|Ravi|Omar|Luis|Ali|Bob|
Fred|George|Simon"""),
}
TRAITS = words("""brave|shy|curious|clever|gentle|grumpy|cheerful|sleepy|stubborn|quiet|noisy|patient|proud|
careful|clumsy|kind|lazy|hungry|dreamy|bold|polite|silly|tidy|messy|busy|honest|nervous|playful|thoughtful|lonely|
merry|restless|humble|jolly|daring|timid|loyal|hopeful|serious|generous|forgetful|wise|young|old|little|small|tiny|
big|tall|round""")
# Words that the stories use only when a request brings them: the model learns to carry a strange word over.
RARE = words("""volcano|pizza|toaster|sock|cactus|sofa|helicopter|tractor|submarine|banana|lemon|onion|potato|
tomato|cheese|noodle|fridge|lamp|window|door|carpet|bathtub|towel|pyjamas|jacket|wallet|ticket|passport|airport|
station|engine|tyre|bus|tram|truck|plane|satellite|laser|battery|keyboard|printer|screen|tablet|server|database|
algorithm|poem|song|novel|lawyer|dentist|plumber|mayor|president|judge|banker|waiter|barber|detective|ninja|samurai|
viking|cowboy|clown|acrobat|vampire|werewolf|zombie|mummy|yeti|griffin|jellyfish|shark|squid|walrus|leopard|cheetah|
gorilla|sloth|raccoon|skunk|possum|ferret|gecko|iguana|cobra|falcon|eagle|vulture|flamingo|peacock|ostrich|turkey|
pigeon|mosquito|cricket|moth|worm|bacterium|galaxy|comet|asteroid|hospital|office|factory|bank|temple|church|stadium|
theatre|hotel|garage|cellar|attic|glacier|oasis|lagoon|tent|anchor|statue|diamond|sword|shield|bow|cannon|wrench|
screwdriver|microscope|calculator|dictionary|newspaper|ukulele|saxophone|harp|skateboard|surfboard|racket|trophy""")
FIXED_GENDER = {
    **dict.fromkeys(words("girl|queen|princess|witch|grandmother|mermaid|hen|cow"), "she"),
    **dict.fromkeys(words("boy|king|prince|fisherman|postman|grandfather|snowman|wizard"), "he"),
}
