"""DeepEval's data set of a JSON file."""

import json
import sys

from deepeval.dataset import ConversationalGolden, EvaluationDataset

dataset = EvaluationDataset()
dataset.add_goldens_from_json_file(file_path=sys.argv[1])
found = []
for golden in dataset.goldens:
    if isinstance(golden, ConversationalGolden):
        turns = [{"role": turn.role, "content": turn.content} for turn in golden.turns or ()]
        found.append([golden.name, golden.scenario, turns, golden.expected_outcome, golden.additional_metadata])
    else:
        outputs = [golden.actual_output, golden.expected_output]
        found.append([golden.name, golden.input, outputs, golden.additional_metadata])
sys.stdout.write(json.dumps(found))
