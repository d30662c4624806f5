"""What an assistant's reply shows by itself: refusal, disclaimer, nothing, a loop, a cut. English first, common wordings elsewhere.

The hazard: an apology is not a refusal (sympathy, a corrected mistake), nor is "As an AI": it takes the words that decline, at
the beginning of the reply.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from lmsys_store.labels.linear import scores_of, shipped_table
from lmsys_store.labels.patterns import Found, Patterns, Places, blanked
from lmsys_store.labels.words import words_of

_HEAD: Final = 350
"""Characters in which a refusal is said; further down the same words speak of something else."""
_LOOP_CHARS: Final = 200
_LOOP_DISTINCT: Final = 0.5
"""A reply with more different words than this share of all goes round in no circle."""
_LOOP_TIMES: Final = 3
_LOOP_LINE: Final = 13
_LOOP_LINE_SHARE: Final = 1 / 3
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
_CANNED: Final = "empty_or_canned"
_HEADS: Final = Patterns(
    {
        _CANNED: [
            r"^\s*\$MODERATION\$", r"YOUR INPUT VIOLATES OUR CONTENT MODERATION GUIDELINES", r"YOU HAVE REACHED THE CONVERSATION LENGTH LIMIT", r"THIS SESSION HAS BEEN INACTIVE FOR TOO LONG",
            r"RATE LIMIT OF THIS MODEL IS REACHED", r"\*\*NETWORK ERROR DUE TO HIGH TRAFFIC", r"^\s*\(?error_code: ?\d+", r"^\s*(?:API|Internal Server|Connection) error\b",
        ],
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
TABLE: Final = "refusals.json.z"
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


def reply_signals(replies: Sequence[str]) -> list[list[Found]]:
    """What each reply shows, each at most once: ``empty_or_canned``, ``refusal``, ``capability_disclaimer``, ``repetition_loop``,
    ``truncated`` (plain to see) or ``truncated_weak`` (no mark at the end, as one ordinary reply in 25 has none)."""
    heads = [head_of(reply) for reply in replies]
    declined = _declined(replies, heads)
    return [list(_shown(reply, head, found)) for reply, head, found in zip(replies, heads, declined, strict=True)]


def _shown(reply: str, head: Places, declined: Found | None) -> Iterator[Found]:
    stripped = reply.strip()
    if not stripped:
        yield Found(_CANNED, 0, len(reply))
    elif _CANNED in head:
        yield head[_CANNED]
    else:
        yield from (one for one in (declined, _loop(reply), _cut(reply, stripped)) if one is not None)


def has_apology(reply: str) -> Found | None:
    """Where a later reply begins by owning a mistake."""
    return _SORRY.find(reply[:_HEAD]).get("assistant_apology")


def head_of(reply: str) -> Places:
    """What is found in the beginning of a reply, without what somebody says in it: in a story that is not the assistant."""
    return _HEADS.find(blanked(_SPOKEN, reply[:_HEAD]))


def _declined(replies: Sequence[str], heads: Sequence[Places]) -> list[Found | None]:
    """Of each reply: a refusal, or else a disclaimer of what the model cannot do. The doubtful ones are scored together."""
    found = [_plainly_declined(head) for head in heads]
    doubtful = [at for at, head in enumerate(heads) if found[at] is None and _may_decline(head)]
    if not doubtful:
        return found
    words = [refusal_words(replies[at], heads[at]) for at in doubtful]
    scores = scores_of(words, shipped_table(TABLE))["refusal"].values[:, 1]
    for at, score in zip(doubtful, scores.tolist(), strict=True):
        head = heads[at]
        if score > _REFUSES and "sympathy" not in head:
            found[at] = next(head[name] for name in _DOUBTFUL if name in head)._replace(id="refusal")
        elif "disclaimer" in head and ("lacks" in head or "persona" in head):
            found[at] = head["lacks" if "lacks" in head else "persona"]._replace(id="capability_disclaimer")
    return found


def _plainly_declined(head: Places) -> Found | None:
    """What the patterns alone say."""
    if "lacks" in head and "lecture" not in head:
        return head["lacks"]._replace(id="capability_disclaimer")
    if "refusal" not in head or ("persona" in head and "disclaimer" in head):
        return None
    refusal = head["refusal"]
    sorry_first = "sympathy" in head and head["sympathy"].start <= refusal.start
    helps_then = "helps" in head and head["helps"].start > refusal.start
    return None if sorry_first or helps_then else refusal


def _may_decline(head: Places) -> bool:
    return any(name in head for name in _DOUBTFUL)


def refusal_words(reply: str, head: Places) -> list[str]:
    """What the model of refusals weighs: words of the beginning, patterns that occur in it, the length of the whole."""
    size = next((f"@under {limit}" for limit in (300, 600, 1000) if len(reply) < limit), "@long")
    return [*words_of(head.text), *(f"@{name}" for name in head), size]


def _loop(reply: str) -> Found | None:
    """One run of words (or characters) that fills a good part of a reply and reaches its end."""
    if len(reply) < _LOOP_CHARS:
        return None
    return _word_loop(reply) or _line_loop(reply) or _character_loop(reply)


def _word_loop(reply: str) -> Found | None:
    """The words a little before the end, again and again."""
    before = reply.rstrip().rsplit(None, _LOOP_WORDS)[0]
    unit = before[len(before.rsplit(None, _LOOP_WORDS)[0]) :].strip()
    times = reply.count(unit) if unit else 0
    if times < _LOOP_TIMES:
        return None
    words = reply.split()
    if len(set(words)) > _LOOP_DISTINCT * len(words) or times * _LOOP_WORDS <= _LOOP_SHARE * len(words):
        return None
    return Found("repetition_loop", reply.find(unit), len(reply))


def _line_loop(reply: str) -> Found | None:
    """The last line but one, again and again, perhaps with another number before it."""
    before = reply.rstrip().rpartition("\n")[0]
    line = _bare_line(before.rstrip().rpartition("\n")[2])
    if len(line) < _LOOP_LINE or reply.count(line) <= _LOOP_TIMES:
        return None
    lines = [_bare_line(one) for one in reply.splitlines() if one.strip()]
    same = lines.count(line)
    if same <= _LOOP_TIMES or same <= _LOOP_LINE_SHARE * len(lines):
        return None
    return Found("repetition_loop", reply.find(line), len(reply))


def _bare_line(line: str) -> str:
    return line.lstrip(" 0123456789.)-*").rstrip()


def _character_loop(reply: str) -> Found | None:
    """One or a few characters over and over at the end."""
    tail = reply[-120:]
    if len(set(tail[-40:])) > _LONGEST_UNIT or len(set(tail)) > _LONGEST_UNIT:
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
