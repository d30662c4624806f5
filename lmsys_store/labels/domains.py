"""What a conversation is about (domain) and what is asked of the model (task): by the weights of its words.

They come from ``make labels`` (training/domains.py); the table is read when the first row is classified.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from lmsys_store.labels.linear import Scores, deciding_words, scores_of, shipped_table
from lmsys_store.labels.patterns import Patterns
from lmsys_store.labels.words import read_part, words_of
from lmsys_store.vocabulary import DOMAINS, TASKS

TABLE: Final = "words.json.z"
_ENOUGH: Final = 60
"""Characters of prompts that are read at least, if there are so many: a chat that opens with "hi" is about what comes next."""
_SECOND: Final = 0.6
"""How near the second choice must come to the first to be named, as a share of its score."""
_DIGITS: Final = 2


class Classified(NamedTuple):
    """Domain and task of a prompt with their scores (0 to 1), close seconds, and tags."""

    domain: str
    domain_score: float
    second_domain: str | None
    task: str
    task_score: float
    second_task: str | None
    tags: tuple[str, ...]


def text_of(prompts: Sequence[str]) -> str:
    """The prompts that say what a chat is about: the first, and further ones while they are very short."""
    text = prompts[0]
    for prompt in prompts[1:]:
        if len(text) >= _ENOUGH:
            break
        text = f"{text}\n{prompt}"
    return text


def classify(chats: Sequence[Sequence[str]]) -> list[Classified]:
    """Domain, task and subject tags of conversations, each given as its prompts."""
    texts = [text_of(prompts) for prompts in chats]
    found = scores_of([words_of(text) for text in texts], shipped_table(TABLE))
    return [
        Classified(*domain, *task, tuple(SUBJECTS.ids(read_part(text))))
        for domain, task, text in zip(_choices(found["domain"]), _choices(found["task"]), texts, strict=True)
    ]


def words_that_decided(prompts: Sequence[str], axis: str) -> tuple[str, ...]:
    """The words that spoke most for the domain (or the task) of a conversation."""
    words, table = words_of(text_of(prompts)), shipped_table(TABLE)
    return deciding_words(words, table, axis, scores_of([words], table)[axis].ranked()[0][0])


def _choices(scores: Scores) -> list[tuple[str, float, str | None]]:
    """Of each text: the first class with its score, and the second where it comes close."""
    names, found = scores.axis.names, []
    for values, (first, second, *_) in zip(scores.values.tolist(), scores.ranked(), strict=True):
        close = values[second] >= _SECOND * values[first]
        found.append((names[first], round(values[first], _DIGITS), names[second] if close else None))
    return found


DOMAIN_AND_TASK: Final = {"domain": DOMAINS, "task": TASKS}
"""The axes of the table."""

SUBJECTS: Final = Patterns(
    {
        "marketing": [
            r"\bmarket(?:ing|er|ers)\b",
            r"\badvert(?:s|ise|isement|isements|ising|iser)?\b",
            r"\bads?\b",
            r"\bbrand(?:s|ing|ed)?\b",
            r"\bslogans?\b",
            r"\btag ?lines?\b",
            r"\bcampaigns?\b",
            r"\bSEO\b",
            r"\bseo[- ]",
            r"\bnewsletters?\b",
            r"\blanding page",
            r"\bsocial media\b",
            r"\b(?:instagram|tiktok|linkedin|facebook|twitter) (?:post|caption|ad|bio|campaign|content)",
            r"\bcaptions?\b",
            r"\bhashtags?\b",
            r"\bproduct (?:description|launch|name)",
            r"\btarget (?:audience|group|customers?)\b",
            r"\binfluencers?\b",
            r"\bpromot(?:e|es|ion|ional|ing)\b",
            r"\bcall to action\b",
            r"\bcopywrit",
            r"\bsales (?:copy|page|pitch|letter)",
            r"\bcold (?:e-?mail|outreach)",
            r"\bpress release",
            r"\bclick[- ]?through\b",
            r"\bconversion rates?\b",
            r"\bfunnel\b",
            r"\bunique selling\b",
            r"\bUSP\b",
            r"\bpersonas?\b",
            r"\bgo[- ]to[- ]market\b",
            r"\b(?:google|facebook|meta) ads\b",
            r"\bkeywords?\b",
            r"publicidad|mercadotecnia|campaña|eslogan|anuncio",
            r"werbe|werbung|kampagne|zielgruppe",
            r"publicit|campagne|slogan",
            r"anúncio|campanha|divulga",
            r"реклам|маркетинг|слоган|бренд",
            r"营销|广告|推广|品牌|文案",
        ],
        "machine-learning": [
            r"\b(?:machine|deep|reinforcement|transfer|supervised|unsupervised|federated|few-shot|zero-shot)[- ]learning\b",
            r"\bneural net",
            r"\b(?:py)?torch\b",
            r"\btensorflow\b",
            r"\bkeras\b",
            r"\bsklearn\b",
            r"\bscikit",
            r"\bhugging ?face\b",
            r"\bxgboost\b",
            r"\b(?:llm|llms|gpt|bert|lstm|rnn|cnn|gan|gans|vae|yolo|lora|rag|rlhf|nlp|ml|svm|gpt-?\d\w*|resnet\w*|llama\w*|langchain|openai|mlops)\b",
            r"\btransformers?\b",
            r"\bembeddings?\b",
            r"\bfine-?tun",
            r"\bback ?prop",
            r"\bgradient descent\b",
            r"\bclassifiers?\b",
            r"\b(?:train|training|trained) (?:a|an|the|my|our|this|your)? ?(?:\w+ )?(?:model|network|classifier|set|data|loop|loss)",
            r"\b(?:loss function|learning rate|batch size|epochs?|overfit\w*|dropout|attention (?:layer|head|mechanism)|tokeni[sz]er|inference|diffusion)\b",
            r"\b(?:computer vision|image (?:classification|segmentation)|object detection|speech recognition|vector (?:store|database|db)|chat ?bots?)\b",
            r"\b(?:aprendizaje automático|aprendizado de máquina|maschinelles lernen|apprentissage automatique|машинн\w+ обучени\w+)",
            r"机器学习|神经网络|深度学习|大模型",
        ],
    }
)
"""Words of two subjects that cut across the domains. Wide on purpose: a query asks for them together with a domain."""
