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


_END: Final = r"(?:\PL|$)"
"""Where a word ends: RE2 knows letters by `L`, while its word characters and word boundaries are of ASCII alone."""
_AFTER: Final = r"[,;:—–-] ?(?:\(?(?:so|and|but|then|or)\s)?"
"""Where a question may begin inside a sentence, after what leads up to it."""
_FINITE: Final = (
    r"(?:is|are|was|were|do|does|did|should|shall|can|could|would|will|has|have|had|might|may|exactly|else)\b"
)

_WHOLE: Final = Patterns(
    {
        "fill-in": [
            r"_{3,}", r"\[(?:blank|\.\.\.|…)\]", r"\n\s*\(?(?:[Aa]|1)[).]\s?[^\n]{1,60}\n\s*\(?(?:[Bb]|2)[).]\s?[^\n]{1,60}(?:\n\s*\(?(?:[Cc]|3)[).]\s?[^\n]{1,60})?(?:\n\s*\(?(?:[Dd]|4)[).]\s?[^\n]{1,60})?\s*$",
            r"(?:^|[\n.!?] ?)\PL*(?:complete|finish) (?:the|this|these) (?:\w+ )?(?:sentence|phrase|poem|proverb|saying|quote|lyrics?|analogy|blank)", r"\bfill (?:in )?(?:the|this|these|each)?\s?(?:gap|blank|missing)", r"\b(?:choose|select|pick) the (?:correct|right|best|appropriate) (?:option|answer|word|form|verb)",
            r"(?:\.{3,}|…)\s*(?:finish|complete|continue) (?:it|the|this)\b", r"(?i)completa la (?:frase|oración)|ergänze|complète la phrase|complete a frase|заполни(?:те)? пропуск|вставь(?:те)? (?:пропущенн|слов)|填空|填入",
        ],
    }
)  # fmt: skip
_COMPARED: Final = [
    r"\bdifferences? (?:is there )?(?:between|of)\b", r"\b(?:similarities|distinction) between\b", r"\b(?:vs\.?|versus)(?:\PL|$)", r"^\PL*(?:compare|contrast)\b", r"\bhow (?:is|are|do|does|did) .+ (?:different|differ) from\b", r"\bdiffers? from\b", r"\bhow do(?:es)? .+ compare\b",
    r"\b(?:which|what|who)(?: \w+)? (?:is|are|one is|was|would be) (?:the )?(?:better|best|faster|bigger|larger|cheaper|worse|more|safer|healthier|stronger|older|heavier)\b.*\bor\b", r"\bor\b.{0,60}\bwhich (?:one )?(?:is|should|would) ?(?:\w+ )?(?:better|best|faster|cheaper|safer|more|i)\b",
    r"\b(?:is|are|was|were) .+ (?:better|worse|more \w+|less \w+|\w{3,}ier|faster|bigger|smaller|cheaper|stronger|older|safer|longer|larger|harder|warmer|colder|taller) than\b",
    r"(?:cu[áa]l es la diferencia|diferencia entre|diferença entre|unterschied zwischen|différence entre|в ч[её]м разница|чем отличается|разница между)", r"区别|不同|哪个更|差别",
]  # fmt: skip
_FIRST_WORDS: Final = Patterns(
    {
        "comparison": _COMPARED,
        "how-many": [
            r"^\PL*(?:in )?how ?(?:many|much|old|long|tall|far|often|big|large|fast|deep|high|heavy|wide|hot|cold|thick|expensive|big|small|strong)\b", r"^\PL*what(?:'s| is| was| are) the (?:\w+ )?(?:number|amount|height|length|weight|population|distance|percentage|price|cost|average \w+) of\b",
            rf"^\PL*(?:cu[áa]nt\pL+|wie ?(?:viele?|lange?|oft|hoch|alt|groß|weit)|combien|quant[oa]s?|сколько|как (?:долго|часто|далеко)){_END}", r"多少|几个|多久|多远|多大|多高|いくつ|いくら|何(?:人|個|回|本|年|時間)",
        ],
        "definition": [
            r"^\PL*what(?:'s| is| are|s) (?:an? )?(?:\"[^\"]{1,40}\"|“[^”]{1,40}”|[\w'-]+(?: [\w'-]+)?)(?: in [\w ]{1,30})?\PL*$", r"^\PL*what (?:exactly )?(?:does|do|did) .+ (?:mean|stand for)\b", r"^\PL*(?:please )?define\b", r"^\PL*(?:what(?:'s| is) |give (?:me )?)?(?:the |a )?(?:meaning|definition) of\b", r"^\PL*(?:what(?:'s| is) )?meant by\b",
            rf"^\PL*(?:qu[ée] (?:es|significa)|was (?:ist (?:ein|eine)|bedeutet|heißt)|qu['’]est-ce qu|que signifie|o que (?:é|significa)|что (?:такое|значит|означает)){_END}", r"^\PL*(?:请问)?什么(?:是|叫)|是什么(?:意思)?[\s?？。!！]*$",
        ],
        "who": [r"^\PL*(?:by |to |for |with |from )?who(?:'s|s|se|m)?\b", rf"^\PL*(?:qui[ée]n\pL*|wer|wem|wen|wessen|qui|quem|кто|кого|кому|чей){_END}", r"^\PL*(?:是)?谁|是谁|誰"],
        "when": [
            rf"^\PL*(?:since |until |by |from )?when(?:'s)? {_FINITE}", r"^\PL*(?:in |on |at |by )?(?:what|which) (?:exact )?(?:year|day|date|month|century|time|age|decade|season)\b",
            rf"^\PL*(?:cu[áa]ndo|wann|quand|quando|когда|в каком году){_END}", r"什么时候|何时|哪(?:一)?年|几点|いつ",
        ],
        "where": [r"^\PL*(?:from |to )?wher(?:e(?:'s|s)?)?\b", rf"^\PL*(?:(?:a |de |en |desde )?d[óo]nde|wo|woher|wohin|o[ùu]|onde|где|куда|откуда){_END}", r"在哪|哪里|哪儿|どこ"],
        "which": [r"^\PL*(?:in |of |on |at |to |from |for |with |by )?(?:which|wich)\b", rf"^\PL*(?:(?:en|a|de|em|in|dans|в|на|из) )?(?:cu[áa]l(?:es)?|welche\pL*|quels?|quelles?|qual|quais|как(?:ой|ая|ие|ое|ую|ом|их)){_END}", r"哪(?:个|些|种|一)|どちら|どれ"],
        "why": [r"^\PL*(?:why|y (?:do|does|is|are|did)|how come|any idea why|what(?:'s| is) the reason)\b", rf"^\PL*(?:por ?qu[ée]|warum|wieso|weshalb|pourquoi|почему|зачем|отчего){_END}", r"为什么|为何|怎么会|なぜ|どうして"],
        "how": [r"^\PL*how(?:'s|s|d|'d)?\b", r"^\PL*(?:in|by) what (?:way|ways|means)\b", r"^\PL*what(?:'s| is) the (?:best |easiest |right |fastest )?way to\b", rf"^\PL*(?:c[óo]mo|wie|comment|как(?:им образом)?){_END}", r"怎么|如何|怎样|どうやって|どのように|どうすれば"],
        "what": [r"^\PL*(?:(?:in|of|for|at|to|from|on|with|about|under|by) )?(?:what|whats|wat|wut)(?:'s|'re|’s)?\b", rf"^\PL*(?:(?:a|de|en|con|para|por) )?(?:qu[ée]|was (?:ist|sind|macht|kann|soll|sollte|hat|haben|für|passiert|wäre|würde|muss|darf|wird|war|waren|kostet|gibt|denkst|meinst|genau|tun|ich)|que|qu['’]est-ce qui|o que|что|чем|чего|какова?){_END}", r"什么|啥|何(?:です|でしょ|が|を|に|の|は)"],
        "instruction": [
            r"^\PL*(?:please |kindly |pls |plz )*(?:can|could|would|will) (?:you|u|we) (?:please |kindly |also |just )?(?:write|make|give|tell|explain|help|create|show|list|translate|summari[sz]e|generate|rewrite|provide|draft|find|suggest|recommend|describe|design|fix|convert|solve|calculate|analy[sz]e|review|check|continue|compose|build|teach|act|play|be|recommend|name|do|add|change|correct|improve|explain|write|answer|speak|pretend|code|implement|plan|elaborate|expand|come|guess|draw)\b", r"^\PL*(?:please|kindly|pls|plz|let's|lets|i want you to|i would like you to|i'd like you to|i need you to|your task is to|help me|i need help|help)\s+\w+",
            r"^\PL*i(?:'d| would)? (?:like|want|need) (?:a|an|some|the|\d+|ideas|help|you) ?\w*", r"^\PL*(?:write|make|give|tell|explain|create|show|list|translate|summari[sz]e|generate|rewrite|provide|draft|find|suggest|recommend|describe|design|fix|convert|solve|calculate|compute|analy[sz]e|review|check|continue|compose|build|teach|act|play|pretend|imagine|name|add|change|correct|improve|answer|implement|plan|elaborate|expand|extract|classify|identify|prove|derive|evaluate|outline|discuss|rank|sort|paraphrase|rephrase|edit|proofread|simplify|shorten|complete|consider|assume|respond|reply|output|print|return|use|take|tell|repeat|say|let|do (?:a|an|this|it|not)|don't (?:be|use|say|tell|give|write|include|forget|make|mention|add|repeat)|stop|start|develop|prepare|produce|propose|construct|determine|estimate|predict|pick|choose|select|brainstorm|craft|invent|think|describe|code|optimi[sz]e|refactor|debug|format|turn|transform|introduce|justify|critique|argue|interpret|read|role ?play|simulate|count|reverse|draw|tell|talk|speak|categori[sz]e|group|match|formulate|illustrate|transcribe|remove|replace|put|organi[sz]e|set|run|test|demonstrate|provide|present|give|come up|work|ask|report|find|get|guide|walk|advise|rate|score|judge|verify|ignore|forget|remember|search|look|try|keep|send|call|open|provide|cut|fill|trim|merge|split|highlight|underline|recite|sing|shorten|polish|reword|spell|quote|mention|stay)\b", r"^\PL*(?:escribe|escriba|haz|hazme|dame|crea|explica|traduce|resume|genera|redacta|dime|cu[ée]ntame|ayúdame|actúa|schreib\w*|erstell\w*|erklär\w*|übersetz\w*|gib|nenne|mach\w*|fass\w*|erz[äa]hl\w*|hilf|[ée]cri[st]\w*|donne\w*|cr[ée]e\w*|expliqu\w*|tradui\w*|r[ée]sume\w*|fais|g[ée]n[èe]re\w*|raconte\w*|escreva|crie|faça|explique|traduza|resuma|me (?:dê|explique|ajude|conte)|gere|liste|напиши\w*|объясни\w*|переведи\w*|создай\w*|расскажи\w*|дай\w*|сделай\w*|придумай\w*|составь\w*|помоги\w*|rédige\w*|[ée]criv\w*|décri\w*|impl[ée]mente\w*|extray\w*|proposez|bearbeit\w*|verbesser\w*|formulier\w*|reescribe|arregla|corrige\w*|verfass\w*|исправь\w*|перепиши\w*)", r"^\PL*(?:请|帮我|帮忙|写|翻译|给我|解释|告诉我|生成|列出|总结|设计|创建|介绍|用.{1,12}写)", r"(?:ください|下さい|しなさい)[。!！]*\s*$",
            r"\byou(?:'re| are) (?:now )?(?:a|an|the) .+\b(?:write|help|answer|respond|generate|create)\b", r"^\PL*(?:[ck]annst du|könntest du|puedes|podrías|peux-tu|pouvez-vous|pourrais-tu|pode|você pode|можешь|могли бы вы|не могли бы) (?:mir |me |m['’])?\pL+",
        ],
        "yes-no": [
            r"^\PL*(?:is|are|was|were|am|do|does|did|can|could|will|would|should|shall|has|have|had|may|might|must|isn't|aren't|don't|doesn't|can't|won't|ain't|if|whether)\b(?: not)? (?:\w+|['\"“])",
            rf"^\PL*(?:es|est[áa]n?|puedo|se puede|hay|tienes?|ist|sind|kann|darf|hast|gibt es|muss|est-ce|peut-on|as-tu|existe|posso|é|tem|можно|правда|есть ли|является){_END}", r"\bor not\b\s*\?", r"吗|是不是|能不能|可不可以|(?:です|ます)か|есть ли|ли\s",
        ],
    }
)  # fmt: skip
"""What a sentence asks by its first words; those of what leads up to it are taken off before."""
_LATER_WORDS: Final = Patterns(
    {
        "comparison": [rf"{_AFTER}(?:is|are) .+ (?:better|\w{{3,}}ier|more \w+) than\b"],
        "how-many": [rf"{_AFTER}how ?(?:many|much|old|long|tall|far|often|big|large|fast|high)\b"],
        "who": [rf"{_AFTER}who(?:se)? (?:{_FINITE}|actually|really|first|invented|wrote|won|made|sang)"],
        "when": [rf"{_AFTER}when {_FINITE}", rf"{_AFTER}(?:in|on|at) (?:what|which) (?:year|date|day|month|age|time)\b", rf"{_AFTER}what (?:time|year|date)\b"],
        "where": [rf"{_AFTER}where(?:'s)? ?{_FINITE}"],
        "which": [rf"{_AFTER}which (?:one|of|\w+ (?:is|are|do|did|does|should|would))\b", rf"{_AFTER}which .+\?"],
        "why": [rf"{_AFTER}why\b", r"\bany idea why\b"],
        "how": [rf"{_AFTER}how (?:to|do|does|did|can|could|should|would|is|are)\b"],
        "what": [rf"{_AFTER}what(?:'s)?\b"],
    }
)  # fmt: skip
_LATER_ORDER: Final = ("comparison", "how-many", "when", "who", "where", "which", "why", "how", "what")
_ORDER: Final = (
    "comparison", "how-many", "definition", "when", "why", "how", "which", "who", "where", "what", "instruction", "yes-no",
)  # fmt: skip
_OPENING: Final = re.compile(
    r"^(?:\W*(?:hi|hello|hey|good (?:morning|afternoon|evening|day)|dear \w+|ok|okay|please|thanks?|thank you)\b[\w ]{0,20}[,.!:;\n]+)+\s*",
    re.IGNORECASE,
)
_LED_UP: Final = re.compile(
    r"^(?:\W*(?:so|and|but|ok(?:ay)?|well|also|then|now|next|just curious|quick (?:one|question)|question|btw|actually|hmm+|again|hey|hi|hello there|hello)\b[\s,.:;!-]*)+",
    re.IGNORECASE,
)
_ASKED_FOR: Final = re.compile(
    r"^\W*(?:(?:please|pls) )?(?:(?:can|could|would|will) (?:you|u|anyone|someone|somebody) (?:please |kindly |also |just )?(?:tell|remind|explain|show|teach)"
    r"(?: to)?(?: me| us)?|(?:do|does) (?:you|u|anyone|anybody) (?:know|remember|happen to know)|tell me|remind me|explain to me"
    r"|i(?:'d| would)? (?:like|want|need) to know|i(?:'m| am) (?:wondering|curious)|i wonder|wondering)\s+"
    r"(?=(?:(?:in|at|on|to|from|by) )?(?:what|who|whose|whom|when|where|which|why|how|if|whether)\b)",
    re.IGNORECASE,
)
_SENTENCES: Final = re.compile(r"[^.!?。！？\n]+[.!?。！？]*")
_TOLD: Final = 3
_SENTENCE: Final = 300


def question_kind(prompt: str) -> str:
    """Which of QUESTION_KINDS a prompt is: by its head, or by its last sentence where the head asks for nothing.

    >>> question_kind("Hello, could you write a poem?"), question_kind("is it safe to eat raw eggs"), question_kind("cats vs dogs")
    ('instruction', 'yes-no', 'comparison')
    """
    text = prompt[:_HEAD].strip()
    head = _OPENING.sub("", text, count=1) or text
    if _WHOLE.ids(head):
        return "fill-in"
    sentences = [one.strip() for one in _SENTENCES.findall(head[:_PASTED])] or [head]
    first = _asked(sentences[0])
    if first is not None:
        return first
    last = [one.strip() for one in _SENTENCES.findall(prompt[-_TAIL:])][-_TOLD:]
    for sentence in dict.fromkeys(
        (*sentences[1:_TOLD], *reversed(last if len(sentences) > 1 or len(head) > _PASTED else ()))
    ):
        kind = _asked(sentence)
        if kind is not None and (kind != "yes-no" or sentence.endswith(("?", "？"))):
            return kind
    return "yes-no" if head.rstrip().endswith(("?", "？")) else "statement"


def _asked(sentence: str) -> str | None:
    """What one sentence asks; None where it asks for nothing."""
    bare = _ASKED_FOR.sub("", _LED_UP.sub("", sentence[:_SENTENCE], count=1), count=1)
    found = _FIRST_WORDS.ids(bare)
    if found:
        return next(kind for kind in _ORDER if kind in found)
    later = _LATER_WORDS.ids(bare)
    return next((kind for kind in _LATER_ORDER if kind in later), None)


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
