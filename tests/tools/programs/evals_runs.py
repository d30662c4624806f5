"""OpenAI's evals: a Match eval of a JSON Lines file, by a completion function that gives the ideal answer for every other one."""

import json
import sys
from typing import Any

import evals
from evals.elsuite.basic.match import Match
from evals.record import DummyRecorder

samples = evals.get_jsonl(sys.argv[1])
answers = {json.dumps(sample["input"]): sample["ideal"] for sample in samples[::2]}


class Answer:
    """What evals calls a CompletionResult."""

    def __init__(self, text: str) -> None:
        self.text = text

    def get_completions(self) -> list[str]:
        return [self.text]


def complete(prompt: Any, **_: Any) -> Answer:
    return Answer(answers.get(json.dumps(prompt), "another answer"))


match = Match(completion_fns=[complete], samples_jsonl=sys.argv[1], eval_registry_path=None)
recorder = DummyRecorder(None)
passed = []
for number, sample in enumerate(samples):
    with recorder.as_default_recorder(str(number)):
        passed.append(bool(match.eval_sample(sample, None)))
sys.stdout.write(json.dumps({"samples": samples, "passed": passed}))
