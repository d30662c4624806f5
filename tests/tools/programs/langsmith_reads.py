"""LangSmith's examples to create, of a JSON Lines file."""

import json
import sys
from pathlib import Path

from langsmith.schemas import ExampleCreate

examples = [ExampleCreate(**json.loads(line)) for line in Path(sys.argv[1]).read_text().split("\n") if line]
found = [[str(one.id), one.inputs, one.reference_outputs, one.metadata] for one in examples]
sys.stdout.write(json.dumps(found))
