"""DSPy examples of a JSON Lines file, by the line that the format's purpose gives."""

import json
import sys
from pathlib import Path

import dspy

found = []
for line in Path(sys.argv[1]).read_text().split("\n"):
    if line:
        example = dspy.Example(**json.loads(line)).with_inputs("question", "history")
        found.append([example.id, dict(example.inputs()), dict(example.labels())["answer"]])
sys.stdout.write(json.dumps(found))
