"""Prints what a folder's Terraform files declare, as JSON; ends with an error where one can't be parsed."""

import json
import pathlib
import sys

import hcl2
from hcl2.utils import SerializationOptions

OPTIONS = SerializationOptions(with_comments=False, with_meta=False, explicit_blocks=False, strip_string_quotes=True)

files = sorted(pathlib.Path(sys.argv[1]).glob("*.tf"))
print(json.dumps({file.name: hcl2.loads(file.read_text(), serialization_options=OPTIONS) for file in files}))
