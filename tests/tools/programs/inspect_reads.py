"""Inspect's data set of a JSON Lines file."""

import json
import sys

from inspect_ai.dataset import json_dataset

found = []
for sample in json_dataset(sys.argv[1]):
    asked: object = sample.input
    if not isinstance(sample.input, str):
        asked = [{"role": message.role, "content": message.text} for message in sample.input]
    found.append([sample.id, asked, sample.target, sample.metadata])
sys.stdout.write(json.dumps(found))
