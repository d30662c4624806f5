"""A prompt as the words that a linear model weighs. One place for training and for use: a difference between them is silent."""

from itertools import pairwise
from typing import Final

from lmsys_store.labels.patterns import Patterns
from lmsys_store.labels.subjects import MACHINE_LEARNING, MARKETING
from lmsys_store.search import tokens

_HEAD: Final = 900
_TAIL: Final = 300
_WORDS: Final = 220
_LONG: Final = 7
_STEM: Final = 5
SUBJECTS: Final = {"#marketing": "marketing", "#machine-learning": "machine-learning"}
"""Rules that are tags, too."""
_CODE: Final = (
    r"(?:functions?|scripts?|programs?|code|class(?:es)?|quer(?:y|ies)|regex|reg ?exp?|apps?|applications?|websites?|web ?page|plug-?in|extension|api|endpoint|bot|component|"
    r"macros?|formulas?|snippets?|algorithm|method|module|library|package|game|simulation|crawler|scraper|parser|compiler|shader|dockerfile|makefile|pipeline|schema|migration|unit tests?|tests?|cli|gui|dashboard|calculator)"
)
_FORM: Final = (
    r"(?:poems?|haikus?|sonnets?|limericks?|villanelle|ballads?|odes?|verses?|stanzas?|rhymes?|lyrics|songs?|raps?|sea shant(?:y|ies)|story|stories|tales?|fables?|fairy ?tales?|fan ?fic\w*|novels?|novella|chapters?|"
    r"screenplays?|scripts? for a (?:film|movie|play|short|scene|sketch)|scenes?|dialogues?|monologues?|sketch(?:es)?|skits?|plays?|prologues?|epilogues?|diary entr(?:y|ies)|love letters?|eulog(?:y|ies)|toasts?|vows|bedtime stor(?:y|ies)|opening lines?|parod(?:y|ies)|satire)"
)
_RULES: Final = Patterns(
    {
        # What stands in the text.
        "#fence": ["```"],
        "#code": [r"[;{}]\s*\n", r"\w\(\w*\)", r"</\w+>", "=>", "==", "!=", r"\w+\.\w+\("],
        "#program": [r"(?:^|\n)\s*(?:def|class|import|from|function|public|private|const|let|var|using|package|#include|fn|func) [\w<>{}*.\"' ]+", r"\b(?:traceback|stack ?trace|exception|segfault|null ?pointer|undefined (?:is not|reference|variable)|syntax ?error|type ?error|key ?error|cannot find|compile error|npm err|exit code)\b"],
        "#select": [r"\bselect\b[^;]+\bfrom\b", r"\b(?:group|order|partition) by\b", r"\b(?:left|inner|outer) join\b", r"=(?:sum|if|vlookup|index|count)\w*\("],
        "#formula": [r"\\frac", r"\\sum", r"\$[^$ ][^$\n]*\$", r"\d\s*[+*/^]\s*\d", r"\bx\s*=", r"[=<>]\s*\d", r"\b[a-z]\^\d", r"\bsqrt\b", r"\b\d*[xyn]\s*[+=-]\s*\d"],
        "#table": [r"\n[^\n|]*\|[^\n|]*\|", r"\n[^\n,]+,[^\n,]+,[^\n,]+\n[^\n,]+,[^\n,]+,", r"\n[^\n\t]+\t[^\n\t]+\t"],
        "#address": ["https?://"],
        "#mark": [r"[?？]\s*$"],
        "#quote": [r"[\"“„«「][^\"”“»」]{20}[^\"”“»」]*[\"”“»」]"],
        "#money": [r"[$€£]\s?\d"],
        "#number": [r"\d"],
        "#lines": [r"\n[^\n]*\n[^\n]*\n"],
        # What is wanted: a verb and, some words on, its object.
        "#write code": [
            rf"\b(?:write|create|implement|make|build|develop|code|generate|give me|provide|design|need|want|show me)\b[^.?!\n]*\b{_CODE}\b", r"\b(?:in|using|with) (?:python|java|javascript|typescript|c\+\+|c#|rust|golang|go|php|ruby|kotlin|swift|bash|powershell|sql|html|css|react|r|matlab|perl|scala|lua|vba|node(?:\.js)?|django|flask|numpy|pytorch)\b",
        ],
        "#debug": [
            r"\b(?:error|exception|bug|crash(?:es|ed|ing)?|fail(?:s|ed|ing)?|broken|wrong output|not work\w*|doesn'?t (?:work|compile|run)|does not (?:work|compile|run)|won'?t (?:work|compile|run|start|build))\b", r"\bwhat(?:'s| is) wrong (?:with|in|here)\b", r"\b(?:fix|debug)\b", r"\bwhy (?:is|does|do|am|are) (?:my|this|i|it)\b",
        ],
        "#literary": [
            rf"\b(?:write|compose|create|continue|tell|make|craft|pen|draft|need|want|give me|turn|start|finish|rewrite)\b[^.?!\n]*\b{_FORM}\b", rf"^\W*(?:an? |the )?(?:\w+ )*{_FORM}\b (?:about|of|on|for|where|in which|with|set in|from|in the style)\b",
            r"\b(?:my|our|the) (?:\w+ )?(?:novel|short story|protagonist|main character|villain|antagonist|manuscript|screenplay|fantasy (?:world|novel|story)|d&d campaign)\b", r"\bin the (?:style|voice) of\b", r"\biambic\b", r"\bshow,? don'?t tell\b", r"\bonce upon a time\b", r"\bmagic system\b", r"\bplot twists?\b", r"\bfantasy (?:kingdom|world|race|names?)\b",
            r"\b(?:cuento|poema|historia corta|gedicht|geschichte|kurzgeschichte|histoire|po[èe]me|conte|hist[óo]ria|стихотворение|рассказ|сказк\w+)\b", r"写(?:一)?(?:首|个|篇)?[^。]{0,10}(?:诗|故事|小说|歌词)",
        ],
        "#translate": [r"\btranslat\w*\b", r"\bhow (?:do|would) (?:you|i) say\b", r"\b(?:in|into|to) (?:english|spanish|french|german|italian|portuguese|chinese|japanese|korean|russian|arabic|hindi|latin|dutch|polish|turkish)\b", r"\b(?:traduc|traduz|tradui|übersetz|перевед|перевод)", r"翻译"],
        "#summarize": [r"\bsummar(?:y|ies|i[sz]e\w*)\b", r"\btl;?dr\b", r"\bkey (?:points|takeaways)\b", r"\b(?:condense|recap|sum up|main (?:points|ideas?))\b", r"\b(?:resum\w+|zusammenfass\w*|r[ée]sum\w*)\b", r"总结|概括"],
        "#rewrite": [
            r"\b(?:rewrite|re-write|rephrase|paraphrase|reword|proof-?read|polish|shorten|simplify|edit)\b", r"\b(?:correct|fix|check|improve) (?:the |my |this |these |any )*(?:\w+ )?(?:grammar|spelling|text|writing|wording|sentences?|paragraph|english|email|essay|mistakes)\b", r"\bmake (?:it|this|the \w+|my \w+) (?:sound |read )?(?:more|less|better|shorter|longer|clearer|simpler|formal|professional|concise)\b", r"\b(?:corrig\w+|reformul\w+|umformulier\w*|korrigier\w*)\b", r"润色|改写|修改",
        ],
        "#message": [r"\b(?:write|draft|compose|reply|respond|answer|word)\b[^.?!\n]*\b(?:e-?mails?|letters?|messages?|texts?|notes?|sms|whatsapp|replies|reply|invitation|announcement)\b", r"\b(?:cover letter|out[- ]of[- ]office|thank[- ]you note)\b"],
        "#essay": [r"\b(?:write|draft|compose|create|generate|prepare|need|give me)\b[^.?!\n]*\b(?:essay|article|blog ?(?:post)?|speech|report|paragraphs?|introduction|description|post|review|script|copy|captions?|outline|proposal|summary|statement|bio|plan|profile|press release|presentation)\b"],
        "#role": [r"\b(?:act|behav\w+|respond|speak|talk|answer|reply) (?:as|like) (?:if |a |an |the |you)", r"\bpretend\b", r"\byou(?:'re| are| will be)? (?:now )?(?:a|an|the|my|going to (?:act|be|play)) ", r"\brole-?\s?play\w*\b", r"\bimagine (?:you|that you|being)\b", r"\bin character\b", r"\b(?:embody|impersonate|simulate)\b", r"\blet'?s play\b", r"\b(?:act[úu]a como|du bist|tu es|aja como|представь)\b", r"扮演|假设你是"],
        "#ideas": [r"\b(?:ideas?|suggestions?|names|titles|options|alternatives|topics|questions|examples|ways|reasons|recommendations|slogans|captions|tips) (?:for|to|of|about|on|that|around)\b", r"\bbrainstorm\w*\b", r"\bcome up with\b", r"\b(?:suggest|recommend|propose)\b", r"\b(?:give|list|name|write|generate|tell)(?: me)? (?:\d+|some|a few|several|ten|five|three|twenty)\b", r"\bwhat (?:are|would be) (?:some|good|the best)\b"],
        "#advice": [r"\bhow (?:to|do i|can i|should i|can we|do you|would you|could i|do we)\b", r"\bwhat (?:should|can|do) i\b", r"\bshould (?:i|we)\b", r"\b(?:steps|guide|plan|strategy|tips|advice|best way|itinerary|roadmap|checklist)\b", r"\bhelp me\b", r"\b(?:wie kann ich|comment|c[óo]mo|como|как)\b", r"如何|怎么"],
        "#explain": [r"\bexplain\w*\b", r"\bdescribe\b", r"\bwhat (?:is|are|does|do|was|were)\b", r"\bwhat'?s\b", r"\bwhy\b", r"\bhow (?:does|do|did|is|are|was|were)\b", r"\bdifferences? between\b", r"\b(?:meaning|concept|overview|history|pros and cons|role|impact) of\b", r"\btell me about\b", r"\b(?:erkl[äa]r\w*|expliqu\w*|explica\w*|объясни\w*)\b", r"解释|为什么|什么是"],
        "#fact": [r"^\W*(?:who|when|where|which|whose|how (?:many|much|old|long|tall|far|big|high|fast))\b", r"\b(?:capital|population|height|age|year|name|inventor|author|winner|number|date|price) of\b", r"^\W*(?:is|are|was|were|did|does|do|can|has|have) \w+"],
        "#classify": [r"\b(?:classif\w*|categori[sz]\w*|extract\w*|label\w*|identif\w*|detect|tag|annotate|sort these|group these|find all|list all)\b", r"\b(?:sentiment|entities|named entity|category|positive or negative|true or false|json)\b"],
        "#solve": [r"\b(?:solve|calculate|compute|evaluate|simplify|prove|derive|integrate|differentiate|factor|find the (?:value|area|sum|number|probability|limit|derivative|integral|volume|length|angle|equation|solution|roots?|minimum|maximum))\b", r"\bhow many\b", r"\bwhat(?:'s| is) (?:the )?(?:probability|sum|product|area|value|\d)", r"\bprobability\b"],
        "#compare": [r"\b(?:compare|comparison|versus|vs\.?|better|best|pros and cons|which (?:one|is|of)|rank|judge|decide|choose between|trade-?offs?)\b", r"\b(?:puzzle|riddle|logic(?:al)?|deduce|infer|therefore|if all|step by step)\b"],
        "#learn": [r"\b(?:students?|teachers?|pupils|class(?:room)?|lessons?|homework|exam|course|curriculum|syllabus|school|grade \d|\d(?:st|nd|rd|th) grade|quiz|worksheet|teach)\b"],
        "#customer": [r"\b(?:customers?|clients?|guests?|buyers?|shoppers?|passengers?|users?|subscribers?|callers?)\b[^.?!\n]*\b(?:complain\w*|angry|upset|refund|return|wants?|wrote|writes|says|asks?|asked|reports?|reported|unhappy|review|cancel\w*|wait\w*|demand\w*|furious|claims?)\b", r"\b(?:support (?:ticket|agent|team|rep\w*|chat|e-?mail)|help ?desk|call cent(?:er|re)|refund|complaint)\b", r"\b(?:reply|respond|response|apologi[sz]e|apology) (?:to|for) (?:a |an |the |this |our |my |these )*(?:\w+ )?(?:customer|client|guest|review|complaint|ticket|passenger|delay|inconvenience)"],
        "#my body": [r"\bmy (?:\w+ )?(?:head|stomach|back|knee|throat|chest|skin|doctor|blood|tooth|teeth|eyes?|ear|leg|foot|heart|period|medication|pills?|anxiety|depression|symptoms?|diagnosis|surgery|liver|kidneys?|shoulder|hip|wrist|ankle|neck)\b", r"\b(?:mg|mcg|dosage|dose|symptoms?|diagnos\w+|patients?|treatment|side effects?)\b"],
        "#my rights": [r"\b(?:is it|it'?s) (?:il)?legal\b", r"\b(?:legally|lawsuits?|sue[ds]?|lawyers?|attorney|court|landlord|tenant|contract|clause|liab\w+|plaintiff|defendant|statute|copyright|trademark|patent|gdpr|evict\w*|notice period|non-?compete|visa|custody|will and testament|power of attorney)\b"],
        "#the bot": [r"\b(?:are|do|can|did|were|have|will|would) you (?:\w+ )?(?:an? ai|human|sentient|conscious|alive|real|feel|remember|think|trained|made|created|know about yourself|have (?:feelings|emotions|memory|access)|dream|chatgpt|gpt)", r"\b(?:chat ?gpt|gpt-?\d?\w*|openai|anthropic|claude|bard|gemini|llama|vicuna|midjourney|dall-?e|stable diffusion|copilot|language models?|llms?|prompts?|system message|jailbreak\w*|ai (?:model|assistant|ethics|safety|alignment|agents?|tools?|art|detector))\b", r"\bartificial intelligence\b", r"\bwho (?:made|created|built|trained) you\b", r"\b(?:your|previous) (?:instructions|training|knowledge cut-?off|guidelines)\b"],
        "#marketing": MARKETING,
        "#machine-learning": MACHINE_LEARNING,
    }
)  # fmt: skip
"""What the words alone do not show, because others stand between them. A rule decides nothing by itself: it is a feature, so
that how far it can be trusted is learned with all the rest, and a wrong one costs little."""


def read_part(text: str) -> str:
    """The part of a text that is read: its beginning and its end."""
    return text if len(text) <= _HEAD + _TAIL else f"{text[:_HEAD]}\n{text[-_TAIL:]}"


def words_of(text: str) -> list[str]:
    """The features of a text: words, pairs of neighbours, beginnings of long words, the first words, shapes. With repetitions.

    >>> words_of("Sort a list")
    ['sort', 'a', 'list', 'sort a', 'a list', '^sort', '^sort a', '#short']
    """
    part = read_part(text)
    words = tokens(part)[:_WORDS]
    found = [*words, *map(" ".join, pairwise(words))]
    found += [f"{word[:_STEM]}~" for word in words if len(word) >= _LONG]
    found += [f"^{word}" for word in words[:1]]
    found += [f"^{' '.join(words[:2])}"] if len(words) > 1 else []
    found += _RULES.ids(part)
    found.append("#short" if len(words) < 6 else "#long" if len(words) > 80 else "#middle")
    return found
