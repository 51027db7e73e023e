"""What people type and what the demo answers when no story is due; make_text.py says how it is written.
"""

from grammar_words import words

IRREGULAR = {"mouse": "mice", "goose": "geese", "sheep": "sheep", "deer": "deer", "fish": "fish", "wolf": "wolves",
             "fisherman": "fishermen", "postman": "postmen", "snowman": "snowmen", "child": "children", "elf": "elves",
             "dwarf": "dwarves", "scarf": "scarves", "loaf": "loaves", "moose": "moose", "puppy": "puppies"}
ASKS = words("""tell me a story about|tell me a {short|bedtime|funny|nice|little|new|good|lovely|long|sad|scary} story about|write a story about|
write me a {short|tiny|sweet} story about|a story about|story about|please tell a story about|can you tell me a story about|
could you write a {little|short|} tale about|I want a story about|I would like to hear about|once upon a time there was|
make up a story about|give me a story with|tell us about|tell me about|a tale of|how about|I would love a story with|
story with|invent something about|let us hear about|do you know a story about|something with|please,|my kids want a story about|
generate a story about|compose a story about|bedtime story:|topic:|""") + ["", ""]
PLAIN = words("""tell me a story|tell me a story please|a story|story|a story please|write a story|I am bored|surprise me|
tell me something|can you tell me a story|sing me a song|make me laugh|bedtime story|one more time please|go|start|begin|
what is new|I cannot sleep|tell me something nice|say something|let us go|yes|yes please|ok|sure|anything|whatever you like|
you choose|test|a short story|any story|something funny|erzähl mir eine geschichte|raconte-moi une histoire|
cuéntame un cuento|raccontami una storia|conte-me uma história|расскажи сказку|讲个故事|お話をして""")
OTHER = words("""what is <thing>?|what is a <thing>|how do I <do> a <thing>?|explain <thing> to me|write code for a <thing>|
why is the <thing> so <trait>?|translate "<thing>" into {French|German|Spanish}|where can I buy a <thing>?|who invented the <thing>?|
how much is <num> {plus|minus|times} <num>?|what is the capital of {France|Japan|Peru|Kenya|Norway}?|write a poem about a <thing>|
give me a recipe for <food>|how do I <do> my <thing>|my <thing> is broken|summarise this text about <thing>|fix my <thing>|
what does <thing> mean?|write an email to my {boss|friend|teacher} about the <thing>|is a <thing> {bigger|faster|better} than a <thing>?|
list <num> {facts|ideas} about <thing>|should I <do> the <thing>?|write a python function that {sorts|counts|reads} <thing>|
what time is it in {Paris|Tokyo|Rome}?|how old is the <thing>?|can a <thing> <do>?|what is the weather like today?|
I {like|hate|need|lost} my <thing>|do you like <thing>?|play a game with a <thing>|what is the meaning of life?|
draw a <thing>|{solve|compute} <num> + <num>|when was the <thing> {made|found|built}?|describe a <thing> in <num> words""")
DO = words("cook|repair|clean|paint|build|install|open|sell|draw|feed|train|wash|fly|swim|use|find|catch|print|configure|spell")
GREET = words("""hello|hi|hey|hello there|hi there|good morning|good evening|good afternoon|hey you|greetings|hello!|hi :)|howdy|yo|
hello, how are you?|how are you?|hi, how is it going?|what's up|good day|hello world|hey bot""")
WHO = words("""who are you?|what are you?|what can you do?|what is your name?|are you a robot?|are you chatgpt?|help|
introduce yourself|what do you do?|which model are you?|are you human?|who made you?|what is this?|how do you work?|
what model is this|can you help me?|tell me about yourself|what are you good at?|are you an ai?""")
THANKS = words("""thanks|thank you|thank you!|thanks a lot|that was nice|nice story|I liked that|great|lovely|cool|
that was beautiful|good story|wow|well done|haha|thanks, that was fun|perfect|very nice""")
BYE = words("bye|goodbye|good night|see you|bye bye|see you later|that is all|stop|good night!|farewell")
AGAIN = words("""another one|one more|another story please|again|more|tell me another one|and another|next|one more please|
another|can I have another one?|more please|a different one""")
SAME = words("""tell me more about $N|what happened next?|more about $N|another story with $N|what did $N do then?|
and then?|go on|continue|what else did the $K do?|another one about $N the $K|the same $K again|tell me more about the $K""")
SAME_WITH = words("""now with a $X|the same, but with a $X|another one with $N and a $X|and a $X?|what if $N had a $X?|
again, with a $X this time|make it about a $X instead|$N and a $X""")

SELF = words("""I am a tiny demo model, and I only tell stories.|I am only a very small demo. ^I can tell stories, and nothing else.|
I am a little story model made to try bkg out. ^I only tell stories.|I am a tiny program that only tells stories.|
I am the bkg demo, a very small model that only tells short stories.""")
OFFER = words("""ask me for one about <two>.|try: "^tell me a story about <two>."|shall I tell one about <two>?|
how about a story with <two>?|you could ask for <two>.|just name something, like <two>.""")
HELLO = words("hello!|hi!|hello there!|hi there!|good day!|welcome!|hello, nice to meet you!")
WELCOME = words("you are welcome!|I am glad you liked it!|thank you!|how kind of you!|my pleasure!")
FAREWELL = words("goodbye!|good night!|see you soon!|bye, and sweet dreams!|farewell!|sleep well!")
PREFACE = words("""I only tell stories, so here is one.|I can only tell stories. ^here is one:|that is beyond me, for I only tell stories. ^listen:|
I do not know that, but I know a story.|I am a tiny demo and only tell stories, like this one.""")
