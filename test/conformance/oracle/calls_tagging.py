"""Good and bad calls of every action of the Resource Groups Tagging API."""

from oracle.caller import Caller

INVALID = "InvalidParameterException"


def call_tagging(call: Caller) -> None:
    get = "get_resources"
    resources = call(get)["ResourceTagMappingList"]
    for resource in resources:
        call(get, ResourceARNList=[resource["ResourceARN"]])
    for kind in ("ec2:instance", "elasticloadbalancing", "elasticloadbalancing:targetgroup", "s3"):
        call(get, ResourceTypeFilters=[kind])
    call(get, TagFilters=[{"Key": "a + b", "Values": ["", "é"]}])
    call(get, TagFilters=[{"Key": "kubernetes.io/cluster/demo"}])
    page = call(get, ResourcesPerPage=1)
    while page["PaginationToken"]:
        page = call(get, ResourcesPerPage=1, PaginationToken=page["PaginationToken"])
    call(get, TagsPerPage=100)
    call(get, ResourcesPerPage=0, error=INVALID)
    call(get, TagsPerPage=501, error=INVALID)
    call(get, PaginationToken="nobody's", error=INVALID)
    call(get, TagFilters=[{"Values": ["x"]}], error=INVALID)
    call(get, TagFilters=[{"Key": "k", "Values": ["x"] * 21}], error=INVALID)
    call(get, ResourceARNList=["x"], ResourceTypeFilters=["ec2"], error=INVALID)
