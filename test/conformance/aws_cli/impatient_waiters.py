"""Writes AWS's own waiters of both ELB APIs into the folder given, with no delay between their polls.

What ends a waiter, and after how many polls it gives up, stays AWS's. The command line finds them by AWS_DATA_PATH.
"""

import json
import sys
from pathlib import Path

from botocore.loaders import Loader


def main(folder: Path) -> None:
    for api in ("elb/2012-06-01", "elbv2/2015-12-01"):
        model = Loader().load_data(f"{api}/waiters-2")
        for waiter in model["waiters"].values():
            waiter["delay"] = 0
        (folder / api).mkdir(parents=True)
        (folder / api / "waiters-2.json").write_text(json.dumps(model))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
