"""Reads every attribute of the instance metadata by the client ec2-metadata: `python -m imds.attributes URL`.

Prints {"attributes": {name: text}, "failures": {name: text}}. A network interface's names begin with "interface.".
"""

import json
import sys
from functools import cached_property

from ec2_metadata import EC2Metadata


def names_of(client):
    return [name for name, value in vars(type(client)).items() if isinstance(value, (property, cached_property))]


def read(client, prefix, attributes, failures):
    for name in names_of(client):
        try:
            attributes[prefix + name] = str(getattr(client, name))
        except Exception as error:
            failures[prefix + name] = f"{type(error).__name__}: {error}"


def main(url):
    client = EC2Metadata()
    client.service_url = f"{url}/latest/"
    client.dynamic_url = f"{client.service_url}dynamic/"
    client.metadata_url = f"{client.service_url}meta-data/"
    client.userdata_url = f"{client.service_url}user-data/"
    attributes, failures = {}, {}
    read(client, "", attributes, failures)
    if interruption := client.spot_instance_action:
        attributes["spot_instance_action"] = f"{interruption.action} {interruption.time}"
    for interface in client.network_interfaces.values():
        read(interface, "interface.", attributes, failures)
    json.dump({"attributes": attributes, "failures": failures}, sys.stdout)


main(sys.argv[1])
