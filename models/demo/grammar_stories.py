"""The rules that the demo's stories are made of; make_text.py says how they are written.
A plot is a list of beats; a beat with "?" may be left out.
"""

from grammar_words import TRAITS, words

RULES = {name: words(text) for name, text in {
    "trait": "|".join(TRAITS),
    "called": "named|called|by the name of",
    "ago": """long ago|many years ago|one hundred winters ago|not so long ago|in the days of great-grandmothers|
when the hills were young|far away and long ago|a while back|some summers ago|before there were roads|last spring|
last autumn|a few winters ago""",
    "placeadj": """quiet|hidden|green|misty|sunny|snowy|windy|sleepy|faraway|narrow|golden|silver|mossy|rocky|dusty|
foggy|old|crooked|forgotten|busy|tiny|wide|lonely|bright|shady|peaceful|colourful|secret|humming|warm|chilly|wild""",
    "objadj": """red|blue|green|golden|silver|purple|yellow|striped|spotted|shiny|rusty|dusty|old|tiny|huge|wooden|
glass|paper|copper|velvet|crooked|broken|painted|magic|strange|heavy|light|plain|beautiful|warm|lucky|borrowed|
tattered|smooth|round|brand-new|homemade|curious|splendid|secret|noisy|orange|white|black""",
    "things": """stars|clouds|pebbles|acorns|buttons|feathers|shells|maps|songs|riddles|stories|puddles|trains|boats|
cakes|mushrooms|flowers|bells|kites|birds|rainbows|snowflakes|castles|mountains|dreams|letters|stamps|coins|clocks|
leaves|berries|jokes|bubbles|lanterns|islands|dragons|footprints|whales|seeds|insects|cheeses|hats|secrets|numbers""",
    "hobby": """collected <objadj> <things>|painted pictures of <things>|sang songs about <things>|
dreamed of <placeadj> <things>|knew a hundred jokes about <things>|counted <things> before bed|
drew maps of <things>|could not stop talking about <things>|wrote poems about <objadj> <things>|
was afraid of <things>|baked biscuits shaped like <things>|whistled to the <things>|
read books about <things> and <things>|was famous for <objadj> <things>|carved <things> out of wood|
kept a box of <objadj> <things>|traded <things> for <things>""",
    "wadj": """windy|rainy|sunny|snowy|frosty|foggy|stormy|golden|grey|bright|chilly|warm|misty|quiet|cloudy|icy|
moonlit|sleepy|busy|dusty|clear|drizzly|strange|ordinary|sparkling|blustery""",
    "part": """morning|afternoon|evening|night|day|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|
spring day|summer evening|autumn morning|winter afternoon|market day|holiday""",
    "land": """rooftops|hills|fields|bridge|chimney|old mill|pine trees|river bank|garden wall|stone path|cornfield|
hedge|church tower|fence|water|treetops|barn|well|stepping stones|long grass|blackberry bushes|willow|orchard|
frozen pond|market square|gate|signpost|haystack|bakery|rose bushes|sand dunes|cliffs|harbour wall|railway line|
windmill|stairs|tall reeds|ferns|hollow oak|muddy lane|ruins|fountain|apple trees|beehives|cobbled street""",
    "over": "over|above|across|around|behind|near|beyond",
    "lookadj": """old|crooked|mossy|tall|silent|snowy|sunny|broken|narrow|dark|shining|dusty|golden|grey|wet|slippery|
pretty|ancient|steep|empty|green|sleepy""",
    "went": """walked|skipped|ran|hurried|tiptoed|marched|wandered|crept|trotted|raced|strolled|climbed|stumbled|
travelled|hopped|sneaked|dashed|rushed|plodded|journeyed""",
    "via": "past|around|over|along|towards|behind|beside|up to|across",
    "way": "<via> the <lookadj> <land>|<via> the <land> and <via> the <land>|<via> the <land>",
    "far": """all morning|all day|for an hour|for two days|until noon|until sunset|for a long while|without a rest|
as fast as possible|through the night|for a mile|for seven miles|step by step|in a great hurry""",
    "long": """all morning|all day|for an hour|for two days|until noon|until sunset|for a long while|without a rest|
through the night|until the candle burned down|for a whole week|until supper|every spare minute|from dawn to dusk""",
    "good": """happy|proud|glad|grateful|delighted|relieved|cheerful|merry|thankful|content|calm|hopeful|joyful|cosy|
brave|overjoyed|pleased|thrilled""",
    "bad": """sad|worried|lonely|nervous|cross|gloomy|disappointed|afraid|miserable|upset|ashamed|puzzled|frightened|
unhappy|anxious|heartbroken|helpless|restless""",
    "adv": """softly|loudly|quickly|slowly|kindly|calmly|gently|politely|firmly|warmly|quietly|eagerly|at once|
with a smile|with a wink|with a nod|in a whisper|in a low voice|after a while|from the doorway|with a bow|
with shining eyes|once more|very politely|after some thought|with a deep breath|all of a sudden""",
    "said": "said|cried|whispered|answered|replied|mumbled|called|exclaimed|murmured|said|declared|muttered|said",
    "cheer": "said|cried|laughed|shouted|sang|giggled|cheered|called|exclaimed|beamed",
    "oops": "oh dear|oh no|goodness|dear me|good heavens|alas|bother|help|what bad luck|oh my whiskers|this is terrible",
    "yay": """hooray|wonderful|at last|how lovely|what luck|marvellous|hurrah|splendid|how clever|thank you|look|
well done|bravo|oh joy""",
    "food": """soup|honey cake|apple pie|warm bread|pancakes|blueberry jam|toast|porridge|plum cake|hot chocolate|
peppermint tea|cheese|roasted nuts|cherry tart|noodles|strawberries|pumpkin stew|ginger biscuits|lemonade|corn|
carrot cake|dumplings|raspberry pudding|popcorn|waffles|mushroom pie|cinnamon rolls|pea soup|sweet milk|melon""",
    "sound": """a tiny sneeze|a strange humming|a soft knock|a loud crash|a sad song|a scratching noise|a deep rumble|
a faint bell|somebody crying|a splash|a giggle|footsteps|an odd whisper|a long howl|a squeak|quiet music|a rattle|
a snore|a hiss|three slow taps|a creaking door""",
    "spot": """under the <lookadj> <land>|behind the <lookadj> <land>|between the <land> and the <land>|
beside the <lookadj> <land>|on top of the <land>|at the foot of the <land>|at the edge of the <land>|close to the <land>|
in the shadow of the <land>|below the <land>""",
    "skill": """swim|dance|juggle|sing|whistle|read|bake bread|climb trees|paint|tell jokes|play the drum|skate|sail|
ride backwards|count to a thousand|do cartwheels|knit|balance on one leg|play chess|write poems|catch a ball|
walk on a rope|play the flute|make pancakes|spell long words|build bridges|tie knots|sew""",
    "problem": """the <land> was flooded|a tree had fallen across the <land>|a deep hole lay <spot>|
thick fog hid the <land>|a <trait> goose was guarding the <land>|thorns had grown over the <land>|
the gate <spot> was locked|somebody had turned the signpost <spot>|ice covered the <land>|
a <lookadj> wall stood <spot>|the path <spot> was full of mud|a swarm of wasps buzzed <spot>""",
    "plan": """built a bridge out of <objadj> <things>|drew a plan in the sand|tied a rope to the <land>|
asked a passing <anybody> for advice|went the long way, <way>|sang a song about <things> to keep brave|
dug a tunnel below the <land>|made a raft from <objadj> planks|waited until the <lookadj> <land> was empty|
counted to <count> and jumped|crawled <way>|lit a small fire <spot>|stacked <count> stones <spot>|
swapped some <food> for a good idea|followed a trail of <things>""",
    "anybody": "<trait> {fox|owl|mouse|crow|baker|sailor|goat|frog|shepherd|tailor|turtle|bee|postman|cat|heron|beetle|miller|pony}",
    "count": "three|four|five|six|seven|nine|ten|twelve|twenty|thirty|a hundred",
    "party": """danced|sang|laughed|feasted on <food>|ate <food>|shared <food> and <food>|told stories about <things>|
played games|watched the $S|lit <count> candles|played music""",
    "home": """a house full of <things>|a home made of <objadj> planks|a small room with a <objadj> door|
a cosy nest of blankets|a hut with <count> windows|a bed of <objadj> leaves|a round house with a <objadj> roof""",
    "lesson": """{even|often|sometimes} the {smallest|shyest|slowest|youngest|oldest|quietest} <who> can {help|be brave|find a way|save the day|have the best idea}|
a {shared|borrowed|small|kind|true} <gift> is worth more than <count> <objadj> <things>|
{friends|kind words|patience|courage|an honest heart|hard work|good company} can {open any door|mend a bad day|cross any river|beat any storm|make a long road short}|
it is never too {late|early} to {say sorry|ask for help|try again|learn something new|make a friend}|
{asking for help|saying sorry|telling the truth|trying again|sharing <food>|listening well} is {a kind of magic|braver than it looks|easier with a friend|better than <objadj> <things>}|
nobody should {hurry past a stranger|laugh at <things>|give up before supper|be lonely on a <wadj> <part>|keep <food> to themselves}""",
    "who": "friend|creature|traveller|neighbour|helper|voice|heart|hero",
    "gift": "meal|secret|word|smile|song|gift|promise|joke|blanket|idea",

    # -------- beats that every plot may use
    "open": """{once upon a time|<ago>}, $inP, there lived a $T $K <called> $N.|
{once upon a time|<ago>}, a $T $K <called> $N lived $inP.|
there was once a $T $K <called> $N, who lived $inP.|
$N was a $T $K who lived $inP and <hobby>.|
$inP lived a $T $K <called> $N, who <hobby>.|
{once|<ago>}, there was a $T and <trait> $K <called> $N, whose home was $inP.|
everybody $inP knew $N, the $T $K who <hobby>.|
a $T $K <called> $N had <home> $inP.""",
    "habit": """$he <hobby>.|$he <hobby>, and on <part>s $he <hobby>.|more than anything, $N liked <food> and <objadj> <things>.|
most of all, $he loved <things>, and every <part> $he <hobby>.|$H had <home> and <hobby>.|
the neighbours said that $H <hobby>.|every {spring|summer|autumn|winter}, $he <hobby>.""",
    "when": """one <wadj> <part>, while the $S $Sdo <over> the <land>,|on a <wadj> <part> when the $S $Sdo <over> the <lookadj> <land>,|
one <wadj> <part>,|early one <wadj> <part>,|late on a <wadj> <part>,|as the $S $Sdo <over> the <land> one <part>,""",
    "go": """$he <went> <way>.|$he <went> <far> and <went> <way>.|$N <went> <way>, and the $S $Sdo <over> the <land>.|
<far>, $H <went> <way>.|so $he <went> <way> and then <way>.|$he packed some <food> and <went> <way>.""",
    "bothgo": """together they <went> <way>.|the two friends <went> <way> and <went> <far>.|
$N and $M <went> <way>, and the $S $Sdo <over> the <land>.|they shared some <food> and <went> <way>.|
side by side, $N and $M <went> <far>, <way>.""",
    "carry": """in $his bag $he carried a $B $Q.|over $his shoulder hung a $B $Q, just in case.|
beside $him lay a $B $Q, a present from $his <anyrel>.|on the table stood a $B $Q.|
$he never left home without a $B $Q.""",
    "anyrel": "grandmother|uncle|aunt|cousin|sister|brother|teacher|neighbour",
    "qend": """and the $Q? ^it was {hung up|put|kept} <spot>.|from then on, the $B $Q stood <spot>.|
$N gave the $Q to $M, who {hugged|thanked} $him <adv>.|the $Q came in handy too, for they {mended|opened|carried} <things> with it.""",
    "close": """that <part>, they <party> and <party>, and $H felt <good>.|
in the evening, $N and $M <party> <spot>, and both felt <good>.|
then everybody <party>, and $N fell asleep, <good> and <good>.|
that night, the $S $Sdo <over> the <land>, and $N felt <good> and <good>.|
they <party> until the $S $Sdo <over> the <land>.|
and whenever the $S $Sdo <over> the <land>, $N and $M <party> and felt <good>.|
they went home <way>, ate <food> and felt <good>.""",
    "moral": """and so $N learned that <lesson>.|"^<lesson>," $M <said> <adv>.|from that <part> on, $N knew that <lesson>.|
"you see," <said> $M, "<lesson>."|$N wrote it in a <objadj> notebook: <lesson>.|
ever since, people $inP2 say that <lesson>.|and $N never forgot that <lesson>.|""",

    # -------- 1: lost and found
    "lost1": """<when> $N lost $his $A $O.|<when> $his $A $O was suddenly gone.|
<when> $N woke up and could not find $his $A $O.|<when> the wind carried $his $A $O away, <way>.""",
    "lost2": """"^<oops>! ^{where is|who has seen|who took} my $O?" <said> $N <adv>.|
$he looked <spot> and <spot>, but the $O was not there.|$he searched <spot>, and felt <bad>.|
without the $O, $H felt <bad> and <bad>.""",
    "lost3": """then $M, a $FT $FK, <went> <way>. "^{let us|we can|why not} look <spot>," $fhe <said>.|
$he met $M, a $FT $FK, <spot>. "^I saw {something|a $O} <spot>," $fhe <said> <adv>.|
$his friend $M, a $FT $FK, offered to help and <went> <way>.""",
    "lost4": """and there, <spot>, lay the $O, covered in <things>.|and what did they see <spot>? ^the $A $O!|
a <anybody> was sitting <spot> with the $O. "^I {kept it safe|found it} for you," the stranger <said> <adv>.|
the $O was <spot>, and inside it slept a <anybody>.""",
    "lost5": """"^<yay>!" <cheer> $N, and hugged $M <adv>.|"^<yay>! ^my $O is back," <cheer> $N <adv>.|
$N held the $O tight and thanked $M <adv>.""",

    # -------- 2: making a present
    "make1": """<when> $N wanted to make a $A $O for $M, the $FT $FK.|
<when> $N remembered that the birthday of $M, the $FT $FK, was near, and that $fhe wished for a $O.|
<when> $he promised $M, a $FT $FK, a $A $O.""",
    "make2": """$he gathered <objadj> <things> and <things> and worked <long>.|
$he measured, cut and painted <long>, with <things> all around $him.|
first $he needed <things>, then <count> <objadj> <things>, and $he found them <spot>.|
to get what $he needed, $he <went> <way> and traded <food> for <things>.""",
    "make3": """but the $O looked {crooked|lopsided|silly|broken}, and $H felt <bad>.|
then it fell <spot> and broke in <count> pieces. "^<oops>!" <said> $N <adv>.|
but the <objadj> paint ran, and the $O came out <objadj>. "^<oops>!" <said> $N.""",
    "make4": """a <anybody> came by. "^{start|try} again, and put <things> on it," the stranger <said> <adv>.|
$he took a deep breath, ate some <food> and began again <adv>.|
$he thought of $M, felt <good>, and mended it with <objadj> <things>.""",
    "make5": """when $M saw the $O, $fhe <said> <adv>, "^<yay>! ^{it is|this is} {perfect|lovely|the best $O of all|even better than <food>}."|
$M hugged the $O and <said> <adv>, "^<yay>! ^nobody ever made me a $O."|
at last $N gave the $A $O to $M, who was so <good> that $fhe <went> <way>.""",

    # -------- 3: afraid
    "fear1": """$H had one secret: $he was afraid of <fear>.|but there was one thing that made $N feel <bad>: <fear>.|
nobody knew that $N was afraid of <fear>.""",
    "fear": "the dark <spot>|the {thunder|shadows|deep water|high places} <spot>|<objadj> <things>|the <lookadj> <land>|speaking in front of others|<sound> <spot>",
    "fear2": """<when> $M, a $FT $FK, called from <spot2>, "^help! ^I am stuck!"|
<when> $his friend $M, a $FT $FK, did not come home from the <lookadj> <land>.|
<when> $N heard <sound> <spot>. ^it was $M, the $FT $FK, who was lost.""",
    "spot2": "behind the <land>|beyond the <lookadj> <land>|below the <land>|far beyond the <land>",
    "fear3": """$his knees shook, but $he took the $A $O and <went> <way>.|
$N felt <bad>, yet $he held the $A $O tight and <went> <way>.|
"^<oops>," <said> $N. ^then $he picked up a $A $O and <went> <way>.""",
    "fear4": """with the $O $he {pulled|guided|led} $M out, and they <went> <way>.|
the $O {made a noise like|shone like|smelled of} <things>, and so $M could follow it <way>.|
<sound> came from <spot2>, but $N lifted the $O and <went> on <adv>.""",
    "fear5": """"^you came for me!" <said> $M <adv>. "^were you not afraid?" "^a little," <said> $N <adv>.|
"^<yay>! ^you are the bravest $K I know," <cheer> $M <adv>.|
"^I was <bad>," <said> $N <adv>, "but you needed me." $M felt <good>.""",

    # -------- 4: a stranger in need
    "help1": """<when> $N heard <sound> <spot>.|<when> $he saw somebody sitting <spot>, looking <bad>.|
<when> there was <sound> <spot>, and $N <went> <way> to look.""",
    "help2": """it was $M, a $FT $FK, who had {lost the way home|hurt a foot|nothing to eat|nowhere to sleep} and felt <bad>.|
there sat $M, a $FT $FK, <bad> and <bad>. "^my $O is broken," $fhe <said> <adv>.|
a $FT $FK <called> $M was stuck <spot> with a $A $O.""",
    "help3": """$N gave $fhim <food> and a $A $O, and they <went> <way>.|
"^come with me," <said> $N <adv>, and shared $his <food>. ^then $he mended the $O with <things>.|
$N mended the $O with <objadj> <things> and cooked <food> for $M.""",
    "help4": """<count> days later, $N was in trouble $himself: <problem>.|
not long after, on a <wadj> <part>, <problem>, and $N felt <bad>.|
then, on a <wadj> <part>, $N needed help $himself, for <problem>.""",
    "help5": """who came <way>? ^it was $M, with the $A $O! "^now it is my turn," $fhe <said> <adv>.|
but $M had not forgotten. ^$fhe <went> <way> and <plan>.|
then $M came with the $O and <plan>. "^you helped me once," $fhe <said>.""",

    # -------- 5: an errand
    "quest1": """<when> $M, the $FT $FK, fell ill, and only a $A $O could help.|
<when> a letter came from $M, a $FT $FK: "^please bring me a $A $O. ^I feel <bad>."|
<when> $N heard that $M, a $FT $FK, needed a $A $O {before nightfall|by Sunday|before the snow came}.""",
    "quest2": """"^I will find it," <said> $N <adv>, and $he <went> <way>.|$N packed <food> and <things>, and <went> <way>.|
so $N took $his <objadj> bag, said goodbye <adv>, and <went> <way>.""",
    "quest3": """but <problem>.|on the way, <problem>. "^<oops>!" <said> $N <adv>.|after <count> miles, <problem>, and $N felt <bad>.""",
    "quest4": """so $he <plan>.|$H thought hard, and then $he <plan>.|$N did not give up. ^$he <plan>.|
first $he felt <bad>, but then $he <plan>.""",
    "quest5": """at last $he found the $O <spot>, guarded by a <anybody>. "^take it," the stranger <said> <adv>.|
a <anybody> sold $him a $A $O for <count> <things>, and $he <went> home <way>.|
there, <spot>, was the $O, as $A as could be, and $N carried it home <far>.""",
    "quest6": """$M saw the $O and felt <good> at once. "^<yay>!" $fhe <cheer> <adv>.|
"^<yay>! ^you brought the $O," <cheer> $M <adv>.|with the $O beside $fhim, $M was well again after <count> days.""",

    # -------- 6: a contest
    "race1": """<when> there was a great contest: the winner would get a $A $O.|
<when> a poster hung <spot>: "^who can $W? ^the prize is a $A $O!"|
<when> the <lookadj> <land> was full of flags, for there was a race, and the prize was a $A $O.""",
    "race2": """$M, a $FT $FK, laughed. "^you cannot win, $N. ^you can hardly $W," $fhe <said> <adv>.|
everybody thought that $M, a $FT $FK, would win, and $N felt <bad>.|
$N wanted to win, but so did $M, a $FT $FK who <hobby>.""",
    "race3": """they started <spot> and <went> <way>.|the bell rang, and all of them <went> <way>.|
first $M was ahead and <went> <way>, while $N <went> behind <adv>.""",
    "race4": """then $M fell <spot> and hurt a foot. ^$N stopped and <plan>.|
suddenly, <problem>. $M felt <bad>, but $N <plan>.|but $M got stuck <spot>, and $N turned back to help $fhim <adv>.""",
    "race5": """they crossed the line together, and the judge, a <anybody>, gave them the $O to share.|
neither of them won, but a <anybody> saw it all and gave $N the $A $O.|
$M won in the end, but $fhe put the $O in front of $N. "^you earned it," $fhe <said> <adv>.""",

    # -------- 7: a mystery
    "myst1": """<when> $N heard <sound> <spot>.|<when> a strange light appeared <spot>, and with it came <sound>.|
<when> $he found <objadj> footprints <spot>, and from far away came <sound>.|every <part>, <sound> came from <spot2>.""",
    "myst2": """"^did you hear that?" <said> $M, a $FT $FK. "^it sounds like <things>."|
$he asked $M, a $FT $FK, who <said> <adv>, "^perhaps it is a <anybody>."|
"^it must be a <anybody>," <said> $his friend $M, a $FT $FK, <adv>.""",
    "myst3": """they took a $A $O and <went> <way>.|armed with a $A $O, the two <went> <way> and <way>.|
$N brought a $O, $M brought <food>, and so they <went> <way>.""",
    "myst4": """<spot> they found a <anybody> with <objadj> <things>. "^I only wanted to <skill>," the stranger <said> <adv>.|
but it was only a <anybody>, who was trying to <skill> <spot>.|
and who sat <spot>? ^a <anybody>, playing with <objadj> <things>, all alone.""",
    "myst5": """"^<yay>! ^what a surprise," <cheer> $N, and gave the little one the $O to play with.|
they laughed, shared <food>, and with the $O they helped <adv>.|
"^stay with us," <said> $M <adv>, and $N let the newcomer hold the $O.""",

    # -------- 8: a quarrel
    "quar1": """<when> $N and $M, a $FT $FK, found a $A $O <spot>.|
<when> $N and $his friend $M, a $FT $FK, saw a $A $O in a shop window.|
<when> somebody left a $A $O <spot>, where $N was sitting with $M, a $FT $FK.""",
    "quar2": """"^it is mine!" <said> $N. "^no, mine!" <said> $M <adv>.|"^I saw the $O first," <said> $M <adv>. "^you did not!" <said> $N <adv>.|
both wanted to keep the $O, and soon they shouted about <things> and <things>.""",
    "quar3": """$M <went> off <way>, and $N sat alone <spot>, feeling <bad>.|
they did not speak for <count> days, and $N felt <bad> and <bad>.|
$N took the $O home, but <food> tasted of nothing, and the $O looked <objadj> and sad.""",
    "quar4": """in the end $N <went> <way>, knocked and <said> <adv>, "^I am sorry. ^you may have the $O."|
then, on a <wadj> <part>, $N <went> <way> with the $O and some <food>. "^I am sorry," $he <said> <adv>.|
a <anybody> <said> <adv>, "^what is a $O without a friend?" so $N <went> <way> to say sorry.""",
    "quar5": """"^I am sorry too," <said> $M <adv>. "^let us share it: you on {Mondays|Fridays|sunny days|even days}, and I on the others."|
$M felt <good>. ^they put the $O <spot>, where everybody could use it.|
$M hugged $him <adv>, and together they made the $O even more <objadj> with <things>.""",

    # -------- 9: learning
    "learn1": """$N could do many things, but $he could not $W.|there was one thing that $N wished for: to $W.|
<when> $N saw somebody $W <spot>, and wanted to learn it too.""",
    "learn2": """the first time, $he fell <spot>. ^the second time, $he landed among <things>.|
$he tried <long>, <spot>, but it went wrong <count> times. "^<oops>!" $he <said>.|
a <anybody> laughed, and $N felt <bad>. "^I will never learn to $W," $he <said> <adv>.""",
    "learn3": """then $M, a $FT $FK, came <way> with a $A $O. "^I will show you," $fhe <said> <adv>.|
$M, a $FT $FK, lent $him a $A $O. "^hold on to this and begin <adv>," $fhe <said>.|
"^nobody learns it in one day," <said> $M, a $FT $FK, and gave $him a $A $O for luck.""",
    "learn4": """so they practised <long>, <spot>, and <spot>.|every <part> they practised <spot>, and after <count> days it went better.|
with the $O in front of $him, $N practised <adv>, <long>, and ate <food> to stay strong.""",
    "learn5": """one <wadj> <part>, it worked! "^<yay>! ^look at me!" <cheer> $N <adv>.|
and then, <spot>, it worked, and $M threw <things> into the air. "^<yay>!"|
at the great feast <spot>, $N showed it to all, and even the <anybody> clapped.""",

    # -------- 10: a wish
    "wish1": """<when> $N found a $A $O <spot>. ^it could grant <count> wishes.|
<when> a <anybody> gave $N a $A $O. "^rub it and make a wish," the stranger <said> <adv>.|
<when> $N bought a $A $O from a <anybody>, and the $O began to speak: "^make a wish!\"""",
    "wish2": """"^I wish for $G!" <said> $N <adv>, and $G fell <spot>.|
first $he wished for <objadj> $G, and a mountain of $G grew <spot>.|
$he wished for <count> <objadj> $G, and there they were, <spot>.""",
    "wish3": """but soon there were too many $G, and $M, the $FT $FK next door, felt <bad>.|
but the heap of $G grew and grew, until it reached the <land>. "^<oops>!" <said> $M, a $FT $FK.|
$M, a $FT $FK, came <way>. "^there is no room left for me between all the $G," $fhe <said> <adv>.""",
    "wish4": """$N felt <bad>. "^then I wish that all is as it was before," $he <said> <adv>.|
so $H used the last wish <adv>: $he wished for a good <part> with $M.|
$N looked at the $O and <said> <adv>, "^I have $G enough. ^I wish to see $M <good> again.\"""",
    "wish5": """the $O gave <sound>, and everything went back to normal.|then the $O was just a $A $O again, and $N put it <spot>.|
at once the $O turned <objadj> and never spoke again.""",

    # -------- 11: a feast goes wrong
    "feast1": """<when> everybody got ready for the feast of <things>, and $N had to bring a $A $O.|
<when> there was to be a feast <spot>, with <food> and <food>, and $N carried the $A $O.|
<when> $M, a $FT $FK, asked $N to look after a $A $O until the great feast.""",
    "feast2": """but $he <went> too fast <way>, and the $O fell and broke.|but <problem>, and the $O slipped away <way>.|
but $he fell asleep <spot>, and when $he woke up, the $O was gone.""",
    "feast3": """"^what will $M say?" $he thought, and felt <bad>.|$he wanted to hide <spot>. "^<oops>," $he <said> <adv>.|
$he thought of telling a lie about a <anybody>, but it made $him feel <bad>.""",
    "feast4": """then $he <went> to $M, {the|a} $FT $FK, and told the whole truth <adv>.|
"^it was my fault," $he <said> <adv> to $M, the $FT $FK.|$N told $M, the $FT $FK, everything, even the part about the <land>.""",
    "feast5": """$M thought for a while. "^then we will use <things> instead," $fhe <said> <adv>, and they <plan>.|
"^thank you for being honest," <said> $M <adv>. ^together they made a new $O out of <objadj> <things>.|
$M was not cross at all. "^I once lost <count> <things>," $fhe <said> <adv>, and helped to find the $O <spot>.""",

    # -------- 12: the way home
    "home1": """<when> $N went out to pick <things> and <went> too far, <way>.|<when> $he followed <objadj> <things> <way>, and soon $he was lost.|
<when> $N <went> <way> to deliver a $A $O, but took the wrong turn.""",
    "home2": """everything looked strange <spot>, and $he felt <bad>. ^all $he had was a $A $O.|
$he heard <sound> and held on to $his $A $O.|"^<oops>! ^I do not know this <land>," <said> $N, and hugged $his $O.""",
    "home3": """a $FT $FK <called> $M looked out from <spot2>. "^are you lost?" $fhe <said> <adv>.|
then $he met $M, a $FT $FK, who <hobby>. "^I know the way," $fhe <said> <adv>.|
<spot> sat $M, a $FT $FK. "^I am lost as well," $fhe <said> <adv>.""",
    "home4": """they used the $O to {dig|see farther|make a sign|call for help|mark the path} and <went> <way>.|
"^{look at the $O|hold up the $O}!" <said> $M, and so they <plan>.|with <things> on one side and the $O in front, they <plan>.""",
    "home5": """at last $N saw the <land> near home. "^<yay>!" $he <cheer> <adv>.|beyond the <land> was home, and it smelled of <food>.|
when the $S $Sdo <over> the <land>, they stood at $his door.""",
}.items()}

PLOTS = [
    ["lost1", "lost2", "go?", "lost3", "bothgo?", "lost4", "lost5"],
    ["make1", "make2", "make3", "make4", "make5"],
    ["fear1", "fear2", "fear3", "fear4", "fear5"],
    ["help1", "help2", "help3", "help4", "help5"],
    ["quest1", "quest2", "go?", "quest3", "quest4", "quest5", "quest6"],
    ["race1", "go?", "race2", "race3", "race4", "race5"],
    ["myst1", "myst2", "myst3", "bothgo?", "myst4", "myst5"],
    ["quar1", "quar2", "quar3", "quar4", "quar5"],
    ["learn1", "learn2", "learn3", "learn4", "learn5"],
    ["wish1", "wish2", "wish3", "wish4", "wish5"],
    ["feast1", "go?", "feast2", "feast3", "feast4", "feast5"],
    ["home1", "home2", "home3", "home4", "home5"],
]
