"""What a user's next message says about the reply before it: wrong, no good, asked again, unclear, thanks; or nothing.

Words, patterns and what the message shares with prompt and reply are weighed together (``make labels`` trains the table).
The hazard: a wish is not a complaint. "Shorter", "another one", "continue" and thanks in advance say nothing about the reply.
"""

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise
from typing import Final, NamedTuple

from lmsys_store.labels.linear import Scores, scores_of, shipped_table
from lmsys_store.labels.patterns import Found, Patterns, Places, blanked
from lmsys_store.labels.rounds import Round
from lmsys_store.search import tokens

_HEAD: Final = 260
_TAIL: Final = 120
_SHORT: Final = 45
"""Below so many characters a complaint has no room to say what is wrong."""
_SHORTEST_WISH: Final = 15

_SAID: Final = Patterns(
    {
        "user_rejection": [
            r"\b(?:this|that|it|your (?:answer|response|code|reply)|you|these|those)(?:'s| is| are|'re| was|s)? (?:\w+ )?(?:terrible|awful|useless|garbage|trash|horrible|bad|stupid|dumb|nonsense|bullshit|crap|rubbish|ridiculous|lame|boring|pathetic|worthless|bs|unhelpful|no good|a joke|lazy|idiot|the worst)\b",
            r"^\W*(?:terrible|awful|useless|garbage|trash|bad|stupid|dumb|nonsense|bullshit|bs|crap|rubbish|lame|boring|pathetic|wtf|ugh+|meh|yuck|no[, ]+(?:no+|not good|bad)|not (?:good|great|helpful|funny|useful|impressed|what i (?:asked|wanted|meant|need\w*))|horrible|that sucks|you suck|idiot|moron|fail|booo*)\b",
            r"\b(?:i (?:do not|don't|dont|didn't|didnt) (?:really |even )?like (?:it|this|that|any|them|these|your|the (?:first|answer|ending|result))|(?:not|isn't|isnt|wasn't|wasnt) (?:very |really |at all |even )?(?:helpful|useful|good enough|funny|what i (?:asked|wanted|meant|was looking|need\w*|said))|you(?:'re| are|r)? (?:not|so|being|really|completely)? ?(?:helping|useless|dumb|stupid|an idiot|hopeless|bad at|terrible at)|doesn't help|does not help|didn't help|did not help|no help|never ?mind|forget it|waste of time|you (?:keep|are|'re) repeating|you (?:can't|cannot|cant) (?:do|even)|you can do better|try harder|do better|is that (?:all|it|the best)|(?:you )?did(?:n't| not|nt) (?:even )?(?:answer|read|listen|understand|help)|not answering|won't work|you(?:'re| are) (?:wrong|mistaken|lying|not making sense)|makes no sense|doesn't make (?:any )?sense|thanks for nothing|great,? (?:another|more)|wow,? (?:so|very|really) helpful)\b",
            r"^\W*(?:no|nope|nah|wrong|incorrect|false|not (?:right|correct|true)|try again|that's not (?:it|right|true|correct)|thats (?:not (?:it|right|true)|wrong)|that's wrong|that is (?:wrong|incorrect|not right|not correct|false)|(?:still|again) (?:wrong|not|no)|not this|doesn'?t work|does not work|didn'?t work|not working|it doesn'?t work)\W*$",
            r"^\W*(?:it |that |this |sorry |but )*(?:still )?(?:doesn'?t|does not|didn'?t|did not|won't) work\b[^.\n]{0,30}$", r"^\W*(?:no me gusta|eso no (?:sirve|ayuda)|muy mal|no sirve|está mal|inútil|esto es (?:horrible|malo|basura)|não gostei|ruim|péssimo|isso não ajuda|não ajudou|inútil|gefällt mir nicht|das (?:ist )?(?:doch |ja |echt |nur |alles )?(?:schlecht|quatsch|unsinn|mist|müll|hilft (?:mir )?nicht|gefällt)|nutzlos|blödsinn|quatsch|falsch\W*$|je n'aime pas|nul\b|c'est (?:nul|mauvais|n'importe quoi)|ça n'aide pas|inutile|не нравится|мне не|плохо|ужасно|бесполезно|бред|чушь|ерунда|это не помогает|不好|太差|不喜欢|没用|垃圾|胡说|不行|答非所问)",
        ],
        "user_correction": [
            r"\b(?:that|this|it|which|you|your (?:answer|response|code|math|calculation)|the (?:answer|code|second|first|last|third|link|result|output|date|formula|number|function|query))(?:'s| is| are|'re| was|s)? (?:\w+ )?(?:wrong|incorrect|mistaken|not (?:right|correct|true|accurate|what|a|the|an|in|valid)|false|inaccurate|outdated|off by|missing)\b",
            r"^\W*(?:no|nope|wrong|incorrect|actually|not quite|not really|nein|non|nee|não)\s*[,.!:;-]+\s*\w+[^?]*$", r"^\W*no (?:it|that|this|you|i|its|the|thats|not)\b[^?]*$", r"\bis not an? \w+, (?:it|but)\b", r"\b(?:i (?:said|asked (?:for|you|about)|wanted|told you|specifically|was asking|didn'?t (?:ask|say|mean|want))|should(?:n't| not)? (?:have )?(?:be|been|say|return|use|include|have)|you (?:forgot|missed|left out|ignored|skipped|misunderstood|misread|confused|mixed|made (?:a|an|up|the)|said|used|got (?:it|that|the)|wrote|gave me|are (?:missing|confusing)|(?:did not|didn't|didnt) (?:use|include|follow|mention|add|do|give|write|rhyme|finish|consider|translate)|counted)|there (?:is|are|'s) (?:a|an|no|some|only|two|three) (?:\w+ )?(?:mistake|error|bug|typo|problem|such|rhyme)|it(?:'s| is) (?:actually|not|spelled|called)|that(?:'s| is|s) (?:actually|not (?:how|what|true|a|the|even|my))|not .{1,40}, (?:but|it's)|instead of what|contradict\w*|there (?:is|are|was|were) no \w+|doesn't (?:exist|compile|run|match|rhyme|return|work (?:because|when|with|on|if|in|,))|does not (?:exist|compile|run|match|rhyme|return|work (?:because|when|with|on|if|in|,))|hallucinat\w*|made (?:that|this|it) up|still (?:the same|get(?:ting)?|has|have|shows?|says?|too|doesn'?t|not|fails?|gives?))\b",
            r"^\W*not (?:\w+ ){1,5}?\w+, ", r", (?:not|não|nicht|pas|а не|не) \w+", r"\b(?:e não|y no|und nicht|et pas|and not) \w+|而不是|не .{1,20}, а ",
            r"^\W*(?:i(?:'m| am)? (?:still )?(?:get(?:ting)?|got|receive|see|have)|it (?:gives?|throws?|shows?|returns?|says?|fails?|crashes?)|that (?:gives?|throws?|returns?|fails?)|now (?:i get|it)|got|getting|this gives?) (?:\w+ ){0,5}(?:errors?|exception|failed|crash|undefined|warning|none|null|nothing)\b", r"^\W*(?:\w*Error|Traceback|Exception)\b",
            r"\b(?:eso (?:no es|está mal|es incorrecto)|te equivocas|es incorrecto|te pedí|dije que|olvidaste|isso (?:está errado|não está|é errado)|você errou|está errado|eu pedi|faltou|esqueceu|das (?:ist|stimmt) (?:falsch|nicht|leider nicht)|stimmt nicht|du hast .{1,60}(?:vergessen|falsch)|ich (?:wollte|sagte|hatte)|c'est (?:faux|incorrect|pas)|tu as oublié|vous avez oublié|j'ai demandé|ce n'est pas|tu te trompes)\b",
            r"(?:это (?:неправильно|неверно|не так|ошибка)|вы ошиблись|ты ошиб|неправильно|неверно|я (?:просил|имел|сказал)|забыл|不对|错了|不是这个|你搞错|我要的是|我说的是|我问的是|有错误|应该是|你忘了|漏了)",
        ],
        "clarification": [
            r"\bare (?:you|u) (?:sure|certain|serious|positive)\b|^\W*(?:really|seriously|sure)\W*\?|\bis (?:that|this|it) (?:true|correct|right|accurate|real|so|really)\b\W*\?|\bwhat (?:do|did) (?:you|u) mean\b|\bwhat does (?:that|this|it|the|\W?\w+\W?) mean\b|\bwhat(?:'s| is| was) (?:that|the meaning|\"|')|\b(?:can|could) you (?:clarify|explain (?:that|this|what|why|how|more|it|the (?:\w+ )?(?:part|line|step|point|difference|second|first|last))|elaborate on (?:that|what|why|your)|be more (?:clear|specific))|\bi (?:don't|do not|dont|didn't|didnt) (?:really |quite )?(?:understand|get|follow)\b|\bhow (?:did|do) you (?:know|get|arrive|come|calculate)|\bwhere (?:did|do) you (?:get|find|read)|\bwhat(?:'s| is| are) your sources?\b|\bsources?\?|\bwhy (?:did|do|didn't|don't|are|is|would|should) (?:you|it|that|this|there|the|we|i) |\bhow so\b|^\W*(?:but )?(?:why|how|huh|what|wdym|meaning|and|so what|how come|which one|why not)\W*\?|\bwhat is (?:the )?\w+ (?:in|on) (?:line|step|point|the (?:first|second|last|code|formula))|\byou said .*\?|\bwhat if .* is wrong|\bdoes (?:that|this|it) (?:mean|work|also|include)\b.*\?|\bconfus(?:ed|ing)\b|\bin what (?:sense|way)\b|\bdo you mean\b|\b(?:in|from|of) your (?:\w+ )?(?:sentence|answer|response|list|reply|code|example|paragraph|point|explanation)\b.*\?|\bi'm lost\b",
            r"(?:est[áa]s segur[oa]|qu[ée] (?:significa|quieres decir)|no entiendo|tem certeza|o que (?:significa|quer dizer)|não entendi|bist du (?:dir )?sicher|was (?:meinst|bedeutet|heißt)|sind sie sicher|verstehe (?:ich )?nicht|tu es s[ûu]r|es-tu s[ûu]r|vous êtes s[ûu]r|que veux-tu dire|que signifie|je ne comprends pas|qu'est-ce que ça veut dire|ты уверен|вы уверены|что (?:значит|это значит|ты имеешь|вы имеете)|не понял|не понимаю|你确定|确定吗|什么意思|不明白|没看懂|是真的吗)",
        ],
        "rephrase": [
            r"^\W*(?:sorry,? |ok,? |no,? )?(?:i mean\b|what i (?:mean|meant) (?:is|was)|i meant\b|in other words|let me (?:rephrase|ask (?:it|this|that|again))|to rephrase|rephrasing|i(?:'m| am) asking|ich meine\b|ich meinte|anders gefragt|je veux dire|je voulais dire|autrement dit|quiero decir|quise decir|me refiero|quero dizer|quis dizer|eu quis|я име[юл]\w* в виду|то есть|我的意思是|我是说|我是问)",
        ],
        "praise": [
            r"^\W*(?:ok(?:ay)?|oh|ah|wow|yes|yeah|cool|alright|haha|lol|hey|well)?[,. !]*(?:many |a lot of |big )?(?:thanks|thank you|thank u|thankyou|thx|tnx|ty|tysm|thnx|tks|cheers)\b(?: for nothing)?", r"\b(?:thanks|thank you|thx|ty|cheers)\b[^.?\n]{0,40}$",
            r"\b(?:thanks|thank you|thx|ty)(?: (?:so|very) much| a (?:lot|ton|bunch|million))? ?(?:[!.;:)]|[,-] )", r"\b(?:they|these|those|both|all of (?:it|them)|everything) (?:all |both )?(?:works?|worked|helped|did (?:it|the trick)|(?:are|were|is|was) (?:\w+ )?(?:great|perfect|amazing|wonderful|brilliant|excellent|lovely|exactly|spot on))\b", r"\bwork(?:s|ed|ing)? (?:perfectly|great|fine|well|flawlessly|beautifully|wonders|like a charm|a treat|first time|now)\b",
            r"^\W*(?:ok(?:ay)?|oh|ah|wow|yes|yeah|haha|lol|that(?:'s| is| was|s)|this is|it(?:'s| is)|its|very|so|really|how|you(?:'re| are)|what a|pretty|much|now (?:that|this)(?:'s| is))?[,. !]*(?:an? |the |so |very |really |pretty |absolutely |just |quite |all |much |simply )*(?:great|awesome|perfect|excellent|amazing|brilliant|wonderful|fantastic|nice(?: (?:one|job|work))?|good (?:job|work|answer|one|stuff|bot|point|idea)|good|love(?:ly)?|beautiful|superb|cool|neat|impressive|helpful|spot on|exactly|well done|bravo|genius|hilarious|funny|super|fabulous|sweet|interesting|incredible|useful|better|the best|best answer|legend)(?:\W*$|\s*[,.!;:)]|\s+(?:thanks|thank|thx|job|work|answer|now|but|and|that|this|it|can|could|one|so|please|do|make|give|write|idea|stuff|bot|poem|story|code|list|i|you|explanation|response|man|bro|dude)\b)",
            r"\b(?:i (?:really |absolutely |just |do )?(?:love|like|liked|loved|enjoyed|appreciate) (?:it|this|that|your|the (?:way|idea|first|second|poem|story|ending|answer))|(?:it|that|this) (?:works?|worked|helped|helps|did it|fixed it|solved|makes (?:perfect |a lot of |much more |more )?sense)\b|works (?:now|perfectly|great|like a charm|well|fine)|exactly what i (?:need\w*|want\w*|was)|you(?:'re| are) (?:the best|awesome|amazing|right|great|a (?:genius|star|life ?saver|legend)|so (?:smart|good|helpful))|very helpful|so helpful|well done|good job|great job|nice work|great answer|perfect answer|my (?:boss|wife|kids?|teacher|girlfriend|daughter|son|team) (?:loved|liked|loves|was))\b",
            r"^\W*(?:that's |thats |yes,? )?(?:correct|right)(?:[!.,]| again|$)", r"\b(?:obrigad[oa]|gracias|danke|merci|спасибо)\b|спасибо|谢谢", r"^\W*(?:ficou |está |quedó |quedo |das ist |c'est |это )?(?:(?:muchas )?gracias|perfecto|excelente|genial|muy bien|buen trabajo|me gusta|me encanta|obrigad[oa]|valeu|perfeito|ótimo|muito bom|legal|adorei|danke|vielen dank|perfekt|super|toll|klasse|prima|sehr gut|wunderbar|gefällt mir|merci|parfait|génial|excellent|très bien|bravo|j'adore|спасибо|благодарю|отлично|супер|класс|здорово|прекрасно|хорошо|молодец|谢谢|多谢|感谢|太好了|很好|太棒了|完美|不错|很棒)", r"(?:funciona|funktioniert jetzt|ça marche|заработало|помогло|работает|成功了|解决了|可以了)",
        ],
    }
)  # fmt: skip
_GUARDS: Final = Patterns(
    {
        "only_wish": [
            r"^\W*(?:ok(?:ay)?|now|and|please|pls|then|next|also|can you|could you|so)?[,. ]*(?:please )?(?:continue|go on|carry on|keep going|more|another|again|shorter|longer|make (?:it|this|them|that) (?:shorter|longer|more|less|sound|a|into|better|funnier|simpler|rhyme)|proceed|next|go ahead|give me (?:more|another|\d+ more)|write (?:more|another)|rewrite|translate|summari[sz]e|add|weiter|continúa|sigue|continue|prossiga|ещё|продолжай|继续)\b",
        ],
        "advance": [r"\bthank(?:s| you) in advance\b", r"\bno,? (?:problem|worries|thanks|thank you|that's (?:ok|fine|all|it)|need)\b", r"\b(?:good|great|nice|best|perfect) (?:for|way|time|place|books?|morning|evening|night|day|luck|restaurant|movie|example of|places)\b"],
        "negated_praise": [r"\b(?:not|isn't|isnt|wasn't|never|n't|nicht|no es|pas|не) (?:\w+ ){0,2}(?:good|great|perfect|helpful|nice|works?|funny|interesting|like|gut|bueno|bon|bien)\b", r"\b(?:but|however|except|aber|pero|mais|mas|но|但)\b[^.]*\b(?:wrong|incorrect|not|n't|error|missing|forgot|too|should|falsch|nicht|incorrecto|faux|errado|неправильно|не)\b", r"\b(?:thanks for nothing|great,? (?:another|just great|more))\b"],
        "task": [r"^\W*(?:write|create|generate|translate|list|give me|explain how|how (?:do|can|to)|what (?:is|are) the|tell me (?:a|about|more)|make (?:a|me)|code)\b"],
        "question": [r"\?\s*$"],
    }
)  # fmt: skip
_GOES_ON: Final = re.compile(r"[.!,;]\s")
_QUOTED: Final = re.compile(r"[\"“„«][^\"”“»]{5,}[\"”“»]")
_NARRATES: Final = frozenset('*"“„«—')
"""A message that begins so tells a story or plays a role."""
_NUMBERS: Final = re.compile(r"[\d\s.,:;()-]+")
_BARE_NO: Final = re.compile(r"\W*(?:no|nope|nah|nein|não|нет|不)\W*")
TABLE: Final = "feedback.json.z"
KINDS: Final = ("none", "rephrase", "user_correction", "user_rejection", "clarification", "praise")
"""What a message may say of a reply; the first is nothing."""
_SURE: Final = 0.5
"""A kind with a lower score is no evidence: of two doubtful readings the one that says nothing is taken."""
_WEIGHED: Final = 25
"""Words of a message that are weighed: what is said of a reply is said at once."""
_LENGTHS: Final = (1, 2, 4, 8, 16, 32)
_MARKS: Final = {"?": "#?", "？": "#?", "!": "#!", ".": "#.", "…": "#…"}


def feedback(rounds: Sequence[Round]) -> list[Found | None]:
    """What messages say about the replies before them: of each round one thing, or None.

    The ids: ``user_correction`` (what is wrong or should be), ``user_rejection`` (no good, without saying why), ``rephrase``
    (the same asked in other words), ``resend`` (in the same), ``clarification`` (about the reply itself), ``praise`` (thanks,
    approval, success), ``user_builds_on`` (goes on from the reply; weak, and no feedback).

    >>> feedback([Round("Capital of Australia?", "Sydney.", "no, that's wrong. it is Canberra")])
    [Found(id='user_correction', start=4, end=16)]
    """
    found = [_plain(one) for one in rounds]
    doubtful = [at for at, one in enumerate(found) if one is None]
    if doubtful:
        places = [said_in(rounds[at].message) for at in doubtful]
        words = [feedback_words(rounds[at], said) for at, said in zip(doubtful, places, strict=True)]
        kinds = _chosen(scores_of(words, shipped_table(TABLE))["feedback"])
        for at, said, kind in zip(doubtful, places, kinds, strict=True):
            kind = kind or said.plainly
            found[at] = _builds_on(rounds[at]) if kind is None else _placed(kind, said.places, rounds[at].message)
    return [None if one is None or one.id == "none" else one for one in found]


def _plain(asked: Round) -> Found | None:
    """What needs no weighing; None where it does."""
    if not asked.stripped or asked.stripped[0] in _NARRATES:
        return Found("none", 0, 0)
    if asked.is_resent():
        return Found("resend", 0, len(asked.message))
    answers = asked.reply_asks and _BARE_NO.fullmatch(asked.stripped)
    if answers or _NUMBERS.fullmatch(asked.stripped) or asked.is_of_other_things():
        return Found("none", 0, 0)  # an answer to the assistant's own question, a move, the same asked of other things
    return None


def _chosen(scores: Scores) -> Iterator[str | None]:
    names = scores.axis.names
    for best, score, _, _ in scores.best_two():
        yield names[best] if best and score >= _SURE else None


def _placed(kind: str, places: Places, message: str) -> Found:
    """Where it is said: where its pattern is, else the whole message."""
    return places[kind] if kind in places else Found(kind, 0, len(message))


class Said(NamedTuple):
    """What patterns find in a message: of feedback, of what guards against it, and what they alone would say."""

    places: Places
    guards: Sequence[str]
    plainly: str | None


def said_in(message: str) -> Said:
    """What the patterns find in the beginning of a message, without what it quotes."""
    places = _SAID.find(blanked(_QUOTED, message[:_HEAD]))
    guards = _GUARDS.ids(places.text)
    return Said(places, guards, _plainly_said(places, frozenset(guards)))


def feedback_words(asked: Round, said: Said) -> list[str]:
    """What the model of feedback weighs: words, patterns, and how much of the message stands in the prompt and in the reply."""
    places, guards, plainly = said
    words = tokens(places.text)[:_WEIGHED]
    mark = _MARKS.get(asked.stripped[-1:], "")
    in_prompt, in_reply, of_prompt = asked.shares()
    found = [*words, *map(" ".join, pairwise(words)), *(f"^{word}" for word in words[:1])]
    found += [f"^{' '.join(words[:2])}"] if len(words) > 1 else []
    found += [f"@{name}" for name in (*places, *guards)]
    found += [f"@{name}{mark}" for name in places if mark]
    found += [f"=@{plainly}"] if plainly else []
    found += [mark] if mark else []
    found.append(f"#{sum(len(words) >= limit for limit in _LENGTHS)} words")
    found += [f"#{in_prompt} of prompt", f"#{in_reply} of reply", f"#{in_prompt} {of_prompt} of both"]
    facts = {
        "#asked": asked.reply_asks,
        "#long": len(asked.message) > _HEAD,
        "#number": asked.brings_number(),
        "#again": asked.is_asked_again(),
        "#term": asked.asks_of_term(),
        "#thanks at the end": len(asked.message) > _HEAD and "praise" in _SAID.ids(asked.message[-_TAIL:]),
    }
    return found + [name for name, holds in facts.items() if holds]


def _plainly_said(said: Places, guards: AbstractSet[str]) -> str | None:
    """What the patterns alone say, the strongest of what they find; it is right nearly always, and misses much."""
    if not said:
        return None
    found = dict(said)
    asking = "question" in guards and "thank" not in said.text.casefold() and not _GOES_ON.search(said.text)
    if guards & {"advance", "negated_praise"} or asking:
        found.pop("praise", None)
    if "only_wish" in guards:
        found = {
            name: one for name, one in found.items() if name == "praise" or (one.start and name == "user_correction")
        }
    if "task" in guards:
        found = {
            name: one for name, one in found.items() if name in ("user_correction", "user_rejection") and not one.start
        }
    if "user_rejection" in found and len(said.text) < _SHORT and "rephrase" not in found:
        return "user_rejection"
    if "praise" in found and found["praise"].start <= min(one.start for one in found.values()):
        return "praise"
    if "clarification" in found and "question" in guards and "user_rejection" not in found:
        return "clarification"
    return next((name for name in KINDS if name in found), None)


def _builds_on(asked: Round) -> Found | None:
    """A message that takes up words of the reply and asks for more."""
    if not _SHORTEST_WISH <= len(asked.message) <= _HEAD:
        return None
    share = asked.taken_up()
    return None if share is None or not 0.3 <= share <= 0.8 else Found("user_builds_on", 0, len(asked.message))
