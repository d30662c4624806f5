"""What an assistant's reply shows by itself: refusal, disclaimer, nothing, a loop, a cut. English first, common wordings elsewhere.

The hazard: an apology is not a refusal (sympathy, a corrected mistake), nor is "As an AI": it takes the words that decline, at
the beginning of the reply.
"""

import re
from collections.abc import Iterable
from typing import Final

from lmsys_store.labels.linear import scores_of, shipped_table
from lmsys_store.labels.patterns import Found, Patterns, blanked
from lmsys_store.labels.words import words_of

_HEAD: Final = 350
"""Characters in which a refusal is said; further down the same words speak of something else."""
_LOOP_CHARS: Final = 200
_LOOP_DISTINCT: Final = 0.5
"""A reply with more different words than this share of all goes round in no circle."""
_LONGEST_UNIT: Final = 12
"""Characters that a run of characters repeats, at most."""
_LOOP_SHARE: Final = 0.25
_LOOP_WORDS: Final = 6
_ENDINGS: Final = tuple(".!?…:;)]}\"'”’»*`~>|。！？」』）】।؟-—_")

_CANNOT: Final = (
    r"(?:cannot|can ?not|can't|can’t|cant|could not|couldn't|won't|won’t|will not|would not|wouldn't|am not able to|'m not able to|’m not able to|am unable to|'m unable to|’m unable to|"
    r"am not going to|'m not going to|must (?:decline|refuse)|have to decline|decline to|refuse to|am not programmed to|am not allowed to|am not comfortable|"
    r"'m not comfortable|do not feel comfortable|don't feel comfortable|am not designed to|am not permitted to|am not authorized to|shall not)"
)
_DOING: Final = (
    r"(?:fulfil+|comply|assist|help|provide|generate|create|write|engage|support|participate|promote|produce|offer|answer|discuss|give|share|condone|encourage|suggest|make|"
    r"recommend|respond|continue|do that|do this|carry out|complete|satisfy|accommodate|endorse|say|tell|describe|explain|speak|judge|comment|express|take part|advise|"
    r"instruct|facilitate|process|proceed|grant|honou?r|perform|present|predict|form|adopt|ignore|break|bypass|act|imagine|pretend|role|argue|advocate|defend|speculate|confirm|draw|compare|justify|support|be used|glorify|tolerate|spread|repeat|use)"
)
_HEADS: Final = Patterns(
    {
        "refusal": [
            rf"\bI(?: (?:really|just|simply|also|therefore|truly|still))? ?{_CANNOT}(?: (?:in good conscience|really|ethically|simply|legally|directly|and will not|to))?(?: to)? {_DOING}",
            rf"\b(?:sorry|apologi[sz]e|regret|afraid|unfortunately)\b[^.\n]*\b(?:I|we) ?{_CANNOT}",
            r"\b(?:sorry|apologi[sz]e|regret|afraid)\b[^.\n]*[,.] ?(?:but )?[^.\n]*\b(?:not (?:possible|appropriate|able|ethical|acceptable|right|within)|inappropriate|against|violat|unethical|offensive|harmful|illegal|goes against)",
            r"\b(?:it|this|that|doing so|such \w+|your (?:request|question|prompt)) (?:is|would be|are|was|may be|could be) (?:\w+ )?(?:not (?:\w+ )?(?:appropriate|ethical|acceptable|possible for me|right|respectful|suitable|okay|something I)|inappropriate|unethical|offensive|disrespectful|morally wrong|illegal and|harmful)",
            r"\b(?:against|violates?|goes against|contrary to|outside|conflicts? with) (?:my|our|the|openai'?s?|any)? ?(?:\w+ )?(?:programming|guidelines|polic(?:y|ies)|principles|ethic\w*|values|rules|terms|purpose|moral)",
            r"\bnot (?:appropriate|ethical|acceptable|right|okay|respectful) (?:for me )?to (?:\w+ )?(?:write|create|generate|make|provide|engage|discuss|promote|joke|say|use|compare|judge|stereotype|glorify|tear|celebrate|criticize|assume|generalize)",
            r"\bI (?:do not|don't|don’t) (?:have (?:the (?:ability|capability)|any|enough|an|access)|hold|possess|form|engage in|support|promote|condone|believe it|think it|feel it|provide|generate|encourage|endorse|take sides|write)\b[^.\n]*(?:opinion|belief|harm|hate|violen|illegal|offens|discriminat|appropriate|personal|violat|inappropriate|content|side)",
            r"\bmy (?:programming|guidelines|purpose|training|ethical \w+|principles|code of ethics)[^.\n]*\b(?:prohibit|prevent|not|forbid|does not|do not|don't|restrict|against|avoid|refrain)",
            r"\b(?:I|we) (?:must|should|have to|need to|would like to|want to|will|strongly)? ?(?:remind you|emphasize|advise you (?:against|not)|urge you|encourage you to (?:seek|consider|respect|be|treat|think|not)|refrain from|discourage|advise against|respectfully decline)",
            r"\bas a(?:n)? (?:responsible|ethical|respectful|helpful and|neutral|unbiased)[^.\n]*\b(?:cannot|can't|not|decline|refuse|unable)",
            r"\bI (?:strongly )?(?:condemn|do not condone|don't condone|cannot condone)\b", r"\bcan(?:no|')t (?:help|assist) (?:you )?with that\b", r"\bno,? I (?:can't|cannot|won't|will not)\b",
            r"\blo siento[^.\n]*\bno (?:puedo|es posible|me es)|\bno puedo (?:ayudar|cumplir|proporcionar|generar|escribir|participar|hacer)|\bdesculpe[^.\n]*\bnão (?:posso|é)|\bnão posso (?:ajudar|fornecer|cumprir|gerar|escrever)",
            r"\btut mir leid[^.\n]*\b(?:kann|darf|nicht)|\bich kann (?:dir |ihnen |das |diese\w* |leider )*(?:\w+ ){0,4}nicht (?:helfen|erfüllen|schreiben|erstellen|unterstützen|beantworten)|\bdésolé[^.\n]*\b(?:ne peux pas|ne suis pas|impossible)|\bje ne peux pas (?:vous |t'|répondre|aider|fournir|écrire|générer|satisfaire)",
            r"(?:извини|прости|сожалени)[^.\n]*не (?:могу|могла|смогу|буду)|я не могу (?:помочь|выполнить|предоставить|написать|создать|ответить|обсуждать)|(?:抱歉|对不起)[^。\n]*(?:不能|无法|不可以|不会)|我(?:不能|无法|不可以)(?:提供|帮助|协助|满足|回答|生成|写)",
        ],
        "disclaimer": [
            r"\bas an? (?:\w+ )?(?:ai|artificial intelligence|language model|llm|computer program|chat ?bot|machine|virtual assistant|digital assistant|assistant|text-based)\b",
            r"\bI(?:'m| am) (?:just |only |simply |merely )?an? (?:\w+ )?(?:ai|artificial intelligence|language model|computer program|chat ?bot|machine learning)\b",
            r"\bmy (?:knowledge|training|information|data) (?:cut-?off|only goes|was last|is limited|ends|stops|data|goes up)", r"\bcomo (?:un |uma? )?(?:modelo|ia|inteligencia|inteligência)|\bals (?:ki|sprachmodell)|\ben tant qu(?:e|'une?) (?:ia|modèle|intelligence)|как (?:ии|искусственный|языков)|作为(?:一个|一名)?(?:人工智能|AI|语言模型)",
        ],
        "persona": [
            r"\b(?:do not|don't|don’t|cannot|can't|can’t|not capable of|lack(?: the)?|without|no) (?:\w+ )*?(?:physical|personal (?:experience|opinion|feeling|belief|preference|data|information)s?|feelings?|emotions?|body|senses|taste|consciousness|experiences?|opinions?|preferences?|beliefs?)\b",
        ],
        "lacks": [
            r"\b(?:do not|don't|don’t|cannot|can't|can’t|not able to|unable to|not capable of|lack|no) (?:currently |actually |directly |physically |have |the |any |an? )*(?:access\b|browse|browsing|see|seeing|hear|view|open|look|read|check|remember|download|send|watch|listen|predict|real[- ]time|current|live|latest|up[- ]to[- ]date|internet|memory|ability to|capability to|way to|information (?:on|about) (?:current|real))(?:\w*) ?[^.\n]*",
            r"\bknowledge cut-?off\b", r"\bno (?:puedo|tengo) (?:acced|acceso|ver)|\bkeinen? zugriff|\bpas accès|\bnão tenho acesso|нет доступа|无法(?:访问|实时|查看)|没有(?:实时|能力)",
        ],
        "lecture": [
            r"\b(?:it is|it's|is) (?:important|crucial|essential|vital|never|not|unfair|wrong|inaccurate|unethical|illegal|inappropriate|unacceptable)\b", r"\b(?:should (?:not|never)|must not|is never|are never|rather than|instead,|respect|illegal|harmful|discriminat\w*|stereotyp\w*|generaliz\w*|I (?:encourage|urge|recommend|suggest) you)\b",
        ],
        "sympathy": [
            r"\bsorry (?:to hear|for your loss|about (?:your|the) loss|you(?:'re| are) (?:going|feeling|having|experiencing)|that you(?:'re| are)? (?:feel|going|had|have|experienc|dealing|strugg))", r"\b(?:sorry|apologi[sz]e) for (?:the|any|my|that) (?:\w+ )?(?:confusion|inconvenience|misunderstanding|mistake|error|delay|oversight|incorrect|earlier|previous)", r"\bdear\b[^.\n]*\n",
            r"\b(?:we|our team|our company)\b[^.\n]*\bapologi[sz]e\b",
        ],
        "helps": [
            r"\b(?:here(?:'s| is| are)|however,? (?:I can \w|here|if)|but (?:I can \w|here|let me|I'll)|nevertheless|that (?:being )?said,? (?:here|I can))\b",
            r"^\W*(?:sure|of course|certainly|absolutely)\b",
        ],
    }
)  # fmt: skip
_DOUBTFUL: Final = ("refusal", "lacks", "disclaimer", "lecture")
"""What may be a refusal, the plainest first."""
_REFUSES: Final = 0.4
_SPOKEN: Final = re.compile(r"[\"“][^\"”]{5,}[\"”]")
"""What somebody says in a story is not what the assistant says."""
TABLE: Final = "refusals.json.z"
_CANNED: Final = Patterns(
    {
        "empty_or_canned": [
            r"^\s*\$MODERATION\$", r"YOUR INPUT VIOLATES OUR CONTENT MODERATION GUIDELINES", r"YOU HAVE REACHED THE CONVERSATION LENGTH LIMIT", r"THIS SESSION HAS BEEN INACTIVE FOR TOO LONG",
            r"RATE LIMIT OF THIS MODEL IS REACHED", r"\*\*NETWORK ERROR DUE TO HIGH TRAFFIC", r"^\s*\(?error_code: ?\d+", r"^\s*(?:API|Internal Server|Connection) error\b",
        ],
    }
)  # fmt: skip
_SORRY: Final = Patterns(
    {
        "assistant_apology": [
            r"^\W*(?:oh|ah|oops|yes|hmm|my)?[,. !]*(?:(?:I'm|I am|I’m|so|very|my|sincere|I|do|deeply|again|please accept|please|truly)[, ]+)*(?:sorry|apolog\w+)(?: for (?:the|that|my|any|being|not|misunder|giving|confus)| about that| I (?:mis|made|was|got)|[.,!]| if)",
            r"^\W*you(?:'re| are|’re) (?:absolutely |completely |quite |totally |indeed )?(?:right|correct)\b[^\n]*", r"^\W*(?:my (?:mistake|bad|apologies)|oops|I stand corrected|I made (?:a|an) (?:mistake|error)|I misunderstood|good catch|thank you for (?:pointing|catching|correcting|the correction))\b",
            r"^\W*(?:lo siento|mis disculpas|disculp[ae]|perd[óo]n|tienes raz[óo]n|tiene raz[óo]n|entschuldig\w*|tut mir leid|sie haben recht|du hast recht|désolée?|je m'excuse|toutes mes excuses|vous avez raison|tu as raison|desculpe|peço desculpa\w*|você (?:está cert|tem raz)\w*)",
            r"^\W*(?:извини\w*|прошу прощения|приношу извинения|вы правы|ты прав\w*|прости\w*|抱歉|对不起|您说得对|你说得对|非常抱歉)",
        ],
    }
)  # fmt: skip


def reply_signals(reply: str) -> list[Found]:
    """What a reply shows, each at most once: ``empty_or_canned``, ``refusal``, ``capability_disclaimer``, ``repetition_loop``,
    ``truncated`` (plain to see) or ``truncated_weak`` (no mark at the end, as one ordinary reply in 25 has none)."""
    stripped = reply.strip()
    if not stripped:
        return [Found("empty_or_canned", 0, len(reply))]
    canned = _CANNED.find(reply[:_HEAD])
    if canned:
        return canned
    found = [one for one in (_declined(reply), _loop(reply)) if one is not None]
    cut = _cut(reply, stripped)
    return found if cut is None else [*found, cut]


def has_apology(reply: str) -> Found | None:
    """Where a later reply begins by owning a mistake."""
    found = _SORRY.find(reply[:_HEAD])
    return found[0] if found else None


def _declined(reply: str) -> Found | None:
    """A refusal, or else a disclaimer of what the model cannot do."""
    head = blanked(_SPOKEN, reply[:_HEAD])
    found = {one.id: one for one in _HEADS.find(head)}
    if found.keys().isdisjoint(_DOUBTFUL):
        return None
    refusal, lacks = found.get("refusal"), found.get("lacks")
    if lacks is not None and "lecture" not in found:
        return Found("capability_disclaimer", lacks.start, lacks.end)
    if refusal is not None and not ("sympathy" in found and found["sympathy"].start <= refusal.start):
        able = "helps" in found and found["helps"].start > refusal.start
        if not able and not ("persona" in found and "disclaimer" in found):
            return refusal
    if "sympathy" not in found and _refusal_score(reply, found) > _REFUSES:
        place = next(found[name] for name in _DOUBTFUL if name in found)
        return place._replace(id="refusal")
    lacks = lacks or found.get("persona")
    return None if lacks is None or "disclaimer" not in found else lacks._replace(id="capability_disclaimer")


def _refusal_score(reply: str, found: Iterable[str]) -> float:
    """How likely a doubtful beginning is a refusal, by its words."""
    scores = scores_of(refusal_words(reply, found), shipped_table(TABLE))["refusal"]
    return float(scores.values[1])


def refusal_words(reply: str, found: Iterable[str] | None = None) -> list[str]:
    """What the model of refusals weighs: words of the beginning, patterns that occur in it, the length of the whole."""
    head = reply[:_HEAD]
    patterns = _HEADS.ids(head) if found is None else found
    size = next((f"@under {limit}" for limit in (300, 600, 1000) if len(reply) < limit), "@long")
    return [*words_of(head), *(f"@{name}" for name in patterns), size]


def _loop(reply: str) -> Found | None:
    """One run of words (or characters) that fills a good part of a reply and reaches its end."""
    if len(reply) < _LOOP_CHARS:
        return None
    words = reply.split()
    size = _LOOP_WORDS
    if len(words) < 2 * size or len(set(words)) > _LOOP_DISTINCT * len(words):
        return _character_loop(reply)
    times = " ".join(words).count(" ".join(words[-2 * size : -size]))
    lines = [line.lstrip(" 0123456789.)-*").rstrip() for line in reply.splitlines() if line.strip()]
    same = sum(line == lines[-2] for line in lines) if len(lines) > 3 and len(lines[-2]) > 12 else 0
    if (times >= 3 and times * size > _LOOP_SHARE * len(words)) or (same >= 4 and same * 3 > len(lines)):
        start = reply.find(words[-2 * size])
        return Found("repetition_loop", max(start, 0), len(reply))
    return _character_loop(reply)


def _character_loop(reply: str) -> Found | None:
    """One or a few characters over and over at the end."""
    tail = reply[-120:]
    if len(set(tail)) > _LONGEST_UNIT:
        return None
    for size in range(1, _LONGEST_UNIT + 1):
        unit = tail[-size:]
        if unit.strip() and not set(unit) <= set("-=_*#. \n|~") and tail.endswith(unit * (100 // size)):
            return Found("repetition_loop", len(reply) - 100, len(reply))
    return None


def _cut(reply: str, stripped: str) -> Found | None:
    """A reply that stops in the middle."""
    end = len(reply)
    if reply.count("```") % 2:
        return Found("truncated", reply.rfind("```"), end)
    if stripped.endswith(_ENDINGS) or len(stripped) < 80:
        return None
    line = stripped.rsplit("\n", 1)[-1]
    words = line.split()
    prose = len(stripped) > 400 and len(words) > 8 and any(mark in stripped for mark in ".。!?")
    joining = words[-1].casefold() in _JOINING if words else False
    if joining or (prose and stripped[-1] == ","):
        return Found("truncated", max(end - 40, 0), end)
    if prose and stripped[-1].isalpha() and line.count(". ") + stripped.count(".\n") >= 1:
        return Found("truncated", max(end - 40, 0), end)
    return Found("truncated_weak", max(end - 40, 0), end)


_JOINING: Final = frozenset(
    (
        "the a an and or of to in for with by that which is are was as at from on but if when because this these "
        "their its your our my el la los las un una de y que der die das und ein eine zu le les des et du à в и на с "
        "не что"
    ).split()
)
"""Words after which no sentence ends."""
