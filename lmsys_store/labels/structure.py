"""How a prompt is built: tags of its parts, the kind of its question, and the verb and object of an instruction.

The hazard: pasted text. What a prompt quotes is not what it asks, so only its beginning and its end are read for the question.
"""

import re
from typing import Final

from lmsys_store.labels.patterns import Patterns
from lmsys_store.search import tokens

_HEAD: Final = 1500
_TAIL: Final = 400
_PASTED: Final = 700
"""A prompt of so many characters after its first line has text to work on."""

_TAGS: Final = Patterns(
    {
        "role-given": [
            r"\byou(?:'re| are)(?: now)? (?:a|an|the|my)\b", r"\b(?:act|behave|respond|answer|pretend|roleplay|play) (?:as|like|to be)\b",
            r"\bplay the role\b", r"\btake (?:on )?the role\b", r"\bimagine (?:that )?you are\b", r"\bact[úu]a como\b", r"\bdu bist (?:ein|der|die)",
            r"\btu es une?\b", r"\baja como\b", r"ты (?:—|-)? ?(?:опытный|эксперт)", r"你是一[个位名]|扮演",
        ],
        "output-format": [
            r"\b(?:json|yaml|xml|csv|markdown|html table|latex)\b", r"\b(?:as|in|into|using|with) (?:a |an )?(?:numbered |bulleted? |bullet[- ]point )?(?:table|list|bullets?|bullet points?|outline)\b",
            r"\btable (?:format|with)\b", r"\bin the (?:following )?format\b", r"\bformat(?:ted)? (?:as|like|your|the output|it)\b", r"\b(?:one|single) word\b",
            r"\b(?:only|just) (?:output|return|respond|reply|answer|print|give)\b", r"\b(?:output|answer|respond|reply|return) (?:only|just|with only|in)\b", r"\byes or no\b", r"\bcode block\b",
        ],
        "schema-given": [
            r"\b(?:fields?|columns?|keys?|attributes?|properties|sections?) (?:are|:|should|must|named|called|include)", r"\{\s*\"\w+\"\s*:", r"\bwith (?:the )?(?:following )?(?:columns|fields|keys|sections|headings|headers)\b",
            r"\bschema\b", r"\bcreate table\b",
        ],
        "examples-given": [
            r"\b(?:for example|for instance|e\.g\.|example\s*(?:\d+)?\s*:|examples\s*:|here (?:is|are) (?:an |some |a few )?examples?)", r"\b(?:input|output)\s*:.*\n", r"(?:^|\n)\s*Q\s*[:.].*\n\s*A\s*[:.]",
            r"\bzum beispiel\b|\bpor ejemplo\b|\bpar exemple\b|\bpor exemplo\b|например|例如|比如",
        ],
        "step-by-step": [r"\bstep[- ]by[- ]step\b", r"\bthink (?:carefully|step|through|aloud|out loud)", r"\bshow (?:your|the|all) (?:work|working|steps|reasoning)", r"\bexplain your reasoning\b", r"\bchain of thought\b", r"\bpaso a paso\b|\bschritt für schritt\b|\bétape par étape\b|\bpasso a passo\b|шаг за шагом|пошагово|一步一步|逐步"],
        "constraints": [
            r"\b(?:do not|don't|dont|never|avoid|without|must(?: not)?|should not|shouldn't|make sure|ensure|at (?:most|least)|no more than|less than|fewer than|more than|exactly|maximum|minimum|limit(?:ed)? to|up to|only use|strictly)\b",
            r"\bohne\b|\bsin usar\b|\bsans\b|\bsem usar\b|\bmáximo\b|\bhöchstens\b|не (?:используй|более)|不要|不超过|必须",
        ],
        "length-named": [r"\b\d+(?:\s?-\s?\d+)?[ -](?:words?|sentences?|paragraphs?|lines?|pages?|characters?|bullet points?|tokens?)\b", r"\b(?:one|two|three|four|five|a few|several) (?:short |long )?(?:words|sentences?|paragraphs?|lines|pages)\b", r"\b(?:short|brief|long|detailed|concise|briefly|in detail)\b", r"\d+ ?(?:palabras|wörter|worten|mots|palavras|слов|字)"],
        "audience-named": [r"\b(?:for|to) (?:a |an |my |the )?(?:beginners?|dummies|kids|children|child|students?|layman|laymen|\d+[- ](?:year|yr)|five[- ]year|high school|experts?|audience of|general audience|toddlers?|non-technical|seniors)", r"\beli5\b", r"\blike i'?m (?:five|5|\d+)"],
        "tone-named": [r"\b(?:in (?:a|an) |use (?:a|an) |with (?:a|an) )?(?:\w+ )?(?:tone|style|voice) ?(?:of|:)?", r"\b(?:funny|humorous|formal|informal|friendly|professional|sarcastic|polite|persuasive|casual|witty|poetic|engaging)\b"],
        "language-named": [r"\b(?:in|into|to|auf|en|em|на) (?:english|spanish|portuguese|german|french|russian|chinese|japanese|korean|italian|arabic|hindi|dutch|turkish|polish|englisch|deutsch|spanisch|französisch|inglés|español|alemán|francés|inglês|português|anglais|français|английск\w+|русск\w+)\b", r"用(?:英|中|日|法|德)[文语]"],
        "placeholder": [r"\[(?:your |the |insert |name|company|topic|date|city|product)[^\]\n]{0,40}\]", r"\{\{[^}\n]{1,40}\}\}", r"<(?:insert|name|your|topic)[^>\n]{0,40}>", r"\[[A-Z][A-Z _]{2,30}\]", r"_{4,}"],
        "context-pasted": [
            r"(?:^|\n)\s*(?:text|context|article|passage|transcript|document|email|e-mail|paragraph|input|content|abstract|story|résumé|resume|job description|review)\s*:", r"\"\"\"|<<<|'''", r"\b(?:the )?(?:following|below|above) (?:text|article|passage|paragraph|sentence|email|e-mail|document|code|data|table|conversation|story|abstract|information|content|statement)",
            r"\bthis (?:text|article|passage|paragraph|sentence|email|document)\b", r"\bbased on (?:the|this)\b", r"以下|下面",
        ],
        "code-pasted": [r"```", r"(?:^|\n)\s*(?:import |from \w+ import|def \w+\(|class \w+|#include|public (?:static|class)|function \w+\(|const \w+ =|let \w+ =|var \w+ =|SELECT .+ FROM|<\?php|package \w+)", r";\s*\n[^\n]*;\s*\n", r"</(?:div|html|p|span|body|script|a|li|td)>", r"Traceback \(most recent"],
        "multi-part": [r"(?:^|\n)\s*(?:1[.)]|a\)|i\.)[^\n]+\n(?s:.*)\n\s*(?:2[.)]|b\)|ii\.)", r"\?[^?]+\?", r"\b(?:first|firstly)\b.+\b(?:then|second|secondly)\b", r"\band (?:then )?(?:also|explain|write|give|list|provide|tell|describe|create|translate)\b"],
        "greeting": [r"^\W*(?:hi|hello|hey|good (?:morning|afternoon|evening)|greetings|hola|ol[áa]|hallo|guten (?:tag|morgen)|bonjour|salut|привет|здравствуйте)\b", r"^\W*(?:привет|здравствуй|你好|您好)"],
        "polite": [r"\b(?:please|pls|plz|kindly|thank you|thanks|could you|would you|por favor|bitte|s'il (?:te|vous) pla[iî]t)\b", r"пожалуйста|请|谢谢"],
    }
)  # fmt: skip
STRUCTURE_TAGS: Final = (
    "audience-named", "code-pasted", "constraints", "context-pasted", "examples-given", "greeting", "language-named",
    "length-named", "multi-part", "output-format", "placeholder", "polite", "role-given", "schema-given", "step-by-step",
    "tone-named",
)  # fmt: skip
"""Every tag of :func:`structure_tags`."""

QUESTION_KINDS: Final = (
    "what", "who", "when", "where", "which", "why", "how", "how-many", "yes-no", "definition", "comparison", "instruction",
    "statement", "fill-in",
)  # fmt: skip
"""What the head of a prompt is: a question by its word, ``definition`` ("what is osmosis"), ``comparison`` ("X vs Y"), an
``instruction``, a ``fill-in`` (a choice, a blank), or a ``statement`` that asks for nothing."""


def structure_tags(prompt: str) -> tuple[str, ...]:
    """What a prompt has: tags of STRUCTURE_TAGS, sorted."""
    found = _TAGS.ids(prompt if len(prompt) <= _HEAD + _TAIL else f"{prompt[:_HEAD]}\n{prompt[-_TAIL:]}")
    if len(prompt) > _PASTED and "context-pasted" not in found and "code-pasted" not in found:
        first, _, rest = prompt.partition("\n")
        if len(rest) > _PASTED > len(first):
            found.append("context-pasted")
    return tuple(sorted(found))


_KIND: Final = Patterns(
    {
        "fill-in": [r"_{3,}", r"\n\s*\(?[Aa][).]\s.+\n\s*\(?[Bb][).]\s", r"^\W*(?:complete|fill in|finish) (?:the|this|these)\b", r"\bfill in the blank"],
        "comparison": [
            r"^\W*(?:what(?:'s| is| are)?|explain|describe|tell me|list)? ?(?:the )?(?:main |key )?(?:differences?|similarities) (?:between|of)\b", r"\b(?:vs\.?|versus)\b", r"^\W*(?:compare|contrast)\b",
            r"^\W*(?:which|what|who) (?:\w+ )?(?:is|are|one is|would be) (?:better|best|faster|bigger|larger|cheaper|worse|more)\b.*\bor\b", r"^\W*(?:is|are) .+ (?:better|worse|faster|more \w+) than\b",
            r"^\W*(?:cu[áa]l es la diferencia|qual (?:é )?a diferença|unterschied zwischen|was ist der unterschied|quelle est la différence|в чем разница|чем отличается)", r"区别|哪个更",
        ],
        "how-many": [r"^\W*(?:and |so |in )?how (?:many|much|old|long|tall|far|often|big|large|fast|deep|high|heavy|wide)\b", r"^\W*(?:cu[áa]nt|wie ?viel|combien|quant[oa]s?\b|сколько)", r"多少|几个|多久"],
        "definition": [
            r"^\W*what(?:'s| is| are|s) (?:an? )?[\w'-]+(?: [\w'-]+)?(?: in [\w ]{1,30})?\W*$", r"^\W*what (?:does|do) .+ (?:mean|stand for)\b", r"^\W*define\b", r"^\W*(?:what is )?the (?:meaning|definition) of\b", r"^\W*what is (?:the )?(?:meaning|definition) of\b",
            r"^\W*(?:qu[ée] (?:es|significa)|was (?:ist|bedeutet)|qu'est-ce qu|o que (?:é|significa)|что такое)", r"^\W*什么是|是什么(?:意思)?\W*$",
        ],
        "instruction": [
            r"^\W*(?:please |kindly |pls |now |then |ok |okay |so |also |next |just |first )*(?:can|could|would|will) (?:you|u) (?:please |kindly |also |just )?(?:write|make|give|tell|explain|help|create|show|list|translate|summari[sz]e|generate|rewrite|provide|draft|find|suggest|recommend|describe|design|fix|convert|solve|calculate|analy[sz]e|review|check|continue|compose|build|teach|act|play|be|recommend|name|do|add|change|correct|improve|explain|write|answer|speak|pretend|code|implement|plan|elaborate|expand|come|guess|draw)\b",
            r"^\W*(?:please |kindly |pls |plz |now |then |ok |okay |so |also |next |just |let's |lets |i want you to |i would like you to |i'd like you to |i need you to |your task is to |help me (?:to )?|help )+(?:\w+)",
            r"^\W*(?:write|make|give|tell|explain|create|show|list|translate|summari[sz]e|generate|rewrite|provide|draft|find|suggest|recommend|describe|design|fix|convert|solve|calculate|compute|analy[sz]e|review|check|continue|compose|build|teach|act|play|pretend|imagine|name|add|change|correct|improve|answer|implement|plan|elaborate|expand|extract|classify|identify|prove|derive|evaluate|outline|discuss|rank|sort|paraphrase|rephrase|edit|proofread|simplify|shorten|complete|consider|assume|respond|reply|output|print|return|use|take|tell|repeat|say|let|do|don't|stop|start|develop|prepare|produce|propose|construct|determine|estimate|predict|pick|choose|select|brainstorm|craft|invent|think|describe|code|optimi[sz]e|refactor|debug|format|turn|transform|introduce|justify|critique|argue|interpret|read|role ?play|simulate|count|reverse|draw|tell|talk|speak|categori[sz]e|group|match|formulate|illustrate|transcribe|remove|replace|put|organi[sz]e|set|run|test|demonstrate|provide|present|give|come up|work|ask|report|find|get|guide|walk|advise|rate|score|judge|verify|ignore|forget|remember|search|look|try|keep|send|call|open|provide)\b",
            r"^\W*(?:escribe|escriba|haz|hazme|dame|crea|explica|traduce|resume|genera|redacta|dime|cu[ée]ntame|ayúdame|actúa|schreib\w*|erstell\w*|erklär\w*|übersetz\w*|gib|nenne|mach\w*|fass\w*|erz[äa]hl\w*|hilf|[ée]cri[st]\w*|donne\w*|cr[ée]e\w*|expliqu\w*|tradui\w*|r[ée]sume\w*|fais|g[ée]n[èe]re\w*|raconte\w*|escreva|crie|faça|explique|traduza|resuma|me (?:dê|explique|ajude|conte)|gere|liste|напиши\w*|объясни\w*|переведи\w*|создай\w*|расскажи\w*|дай\w*|сделай\w*|придумай\w*|составь\w*|помоги\w*)",
            r"^\W*(?:请|帮我|写|翻译|给我|解释|告诉我|生成|列出|总结|设计|创建|介绍)", r"\byou(?:'re| are) (?:now )?(?:a|an|the) .+\b(?:write|help|answer|respond|generate|create)\b",
        ],
        "who": [r"^\W*(?:and |so )?who(?:'s|s|se|m)?\b", r"^\W*(?:qui[ée]n|wer\b|qui\b|quem\b|кто\b)", r"^\W*谁"],
        "when": [r"^\W*(?:and |so |since |until )?when(?:'s)? (?:is|was|were|are|did|do|does|will|should|can|would|has|have)\b", r"^\W*(?:in|on|at) (?:what|which) (?:year|day|date|month|century|time)\b", r"^\W*(?:cu[áa]ndo|wann|quand|когда)\b", r"什么时候"],
        "where": [r"^\W*(?:and |so |from )?where(?:'s)?\b", r"^\W*(?:d[óo]nde|wo\b|o[ùu] (?:est|se|sont)|onde|где|куда)\b", r"在哪|哪里"],
        "which": [r"^\W*(?:and |so |in |of |on |at |to |from )*which\b", r"^\W*(?:cu[áa]l|welche\w*|quel\w*|qual\b|quais|как(?:ой|ая|ие|ое))\b", r"哪(?:个|些|种)"],
        "why": [r"^\W*(?:and |so |but )?why\b", r"^\W*(?:por ?qu[ée]|warum|wieso|weshalb|pourquoi|почему|зачем)\b", r"为什么"],
        "how": [r"^\W*(?:and |so |but |then )?how(?:'s|s|d)?\b", r"^\W*(?:c[óo]mo|wie\b|comment|как\b)", r"^\W*(?:i (?:want|need|would like) to know |do you know |tell me )?how (?:to|do|can)\b", r"怎么|如何|怎样"],
        "what": [r"^\W*(?:and |so |but |in |of |for |at |to |from |on |then )*(?:what|whats)(?:'s|re)?\b", r"^\W*(?:qu[ée]\b|was\b|que\b|o que|что\b|какова)", r"什么"],
        "yes-no": [
            r"^\W*(?:and |so |but |ok |then )?(?:is|are|was|were|am|do|does|did|can|could|will|would|should|shall|has|have|had|may|might|must|isn't|aren't|don't|doesn't|can't|won't|ain't)\b(?: not)? (?:\w+|['\"])",
            r"^\W*(?:es|est[áa]|puedo|puedes|hay|tienes|ist|sind|kann|kannst|hast|gibt es|est-ce|peux|peut|as-tu|existe|você|pode|tem)\b", r"\bor not\b\s*\?", r"吗",
        ],
    }
)  # fmt: skip
_ORDER: Final = (
    "fill-in", "comparison", "how-many", "definition", "instruction", "who", "when", "where", "which", "why", "how", "what", "yes-no",
)  # fmt: skip
_OPENING: Final = re.compile(
    r"^(?:\W*(?:hi|hello|hey|good (?:morning|afternoon|evening|day)|dear \w+|ok|okay|please|thanks?|thank you)\b[\w ]{0,20}[,.!:;\n]+)+\s*",
    re.IGNORECASE,
)
_SENTENCES: Final = re.compile(r"[^.!?。！？\n]+[.!?。！？]*")
_TOLD: Final = 3


def question_kind(prompt: str) -> str:
    """Which of QUESTION_KINDS a prompt is: by its head, or by its last sentence where the head asks for nothing.

    >>> question_kind("Hello, could you write a poem?"), question_kind("is it safe to eat raw eggs"), question_kind("cats vs dogs")
    ('instruction', 'yes-no', 'comparison')
    """
    text = prompt[:_HEAD].strip()
    head = _OPENING.sub("", text, count=1) or text
    sentences = _SENTENCES.findall(head[:_PASTED]) or [head]
    kinds = _KIND.ids(
        f"{sentences[0].strip()}\n{head}" if "___" in head or "\nA" in head or "\na" in head else sentences[0].strip()
    )
    first = next((kind for kind in _ORDER if kind in kinds), None)
    if first is not None:
        return first
    asked = [one.strip() for one in _SENTENCES.findall(prompt[-_TAIL:]) if one.strip()]
    for sentence in [*reversed(asked[-_TOLD:]), *(one.strip() for one in sentences[1:_TOLD])]:
        found = _KIND.ids(sentence)
        kind = next((kind for kind in _ORDER if kind in found), None)
        if kind is not None and (kind == "instruction" or sentence.endswith(("?", "？"))):
            return kind
    return "yes-no" if head.rstrip().endswith(("?", "？")) else "statement"


_VERBS: Final = frozenset(
    (
        "write make give tell explain create show list translate summarize summarise generate rewrite provide draft "
        "find suggest recommend describe design fix convert solve calculate compute analyze analyse review check "
        "continue compose build teach name add change correct improve answer implement plan extract classify "
        "identify prove derive evaluate outline discuss rank sort paraphrase edit proofread simplify shorten "
        "complete develop prepare produce propose construct determine estimate predict choose select brainstorm "
        "craft invent optimize refactor debug format transform introduce compare draw count"
    ).split()
)
_SKIPPED: Final = frozenset(
    (
        "please kindly can could would you me us i want need to a an the some my your this that these those short "
        "long brief small simple good new nice detailed complete full quick few several many more another one two "
        "three four five ten very really just also now then funny interesting creative professional formal following "
        "all possible best great of numbered for"
    ).split()
)
_STOPS: Final = frozenset(
    "about in on with from by as at using that which who where how what why if and or into between".split()
)
_OBJECT_WITHIN: Final = 6


def verb_and_object(prompt: str) -> tuple[str, str] | None:
    """The verb of an instruction and the noun it is about, lower case; None where they are not plain to see.

    >>> verb_and_object("Please write a short poem about cats")
    ('write', 'poem')
    """
    words = tokens(_OPENING.sub("", prompt[:200].strip(), count=1))
    while words and words[0] in _SKIPPED:
        words.pop(0)
    if not words or words[0] not in _VERBS:
        return None
    found = None
    for word in words[1 : 1 + _OBJECT_WITHIN]:
        if word in _STOPS:
            break
        if found is not None and word in _SKIPPED:
            break
        if word not in _SKIPPED and not word.isdigit():
            found = word
    return None if found is None else (words[0], found)
