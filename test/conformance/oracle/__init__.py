"""AWS's service models, as botocore ships them, held against every raw answer of the simulator."""
