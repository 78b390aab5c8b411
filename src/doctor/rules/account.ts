import type { Facts } from "../facts.ts";
import type { Finding } from "../finding.ts";

/** A region without a load balancer is more often the wrong region than a correct one. */
export function nothingFound({ pools, cluster, unread }: Facts, region: string | undefined): readonly Finding[] {
  if (pools.length > 0 || unread.length > 0) return [];
  const where = region ?? "the region that the AWS SDK finds";
  const which = cluster === undefined ? "" : ` of the cluster ${cluster}`;
  return [
    {
      code: "nothing-found",
      severity: "warning",
      resource: { kind: "region", id: where, name: where },
      cost: `No load balancer${which} was found in ${where}: nothing was judged.`,
      evidence: [
        {
          read: "elasticloadbalancing:DescribeTargetGroups",
          name: `target groups${which} with a load balancer`,
          value: "0",
        },
        { read: "elasticloadbalancing:DescribeLoadBalancers", name: `classic load balancers${which}`, value: "0" },
      ],
      mend: [],
      advice:
        "Check AWS_REGION, the account of the credentials, CLUSTERNAME and VPCID: one of them may be that of another cluster.",
    },
  ];
}

/** See `checkAccess` of the provider: the reads of a drain. */
export function permissionMissing({ denied }: Facts): readonly Finding[] {
  return denied.map(({ action = "unknown", error }) => ({
    code: "permission-missing",
    severity: "error",
    resource: { kind: "permissions", id: action, name: action },
    cost: "Every drain makes this call: without its answer a drain fails, or does not find where the node is registered.",
    evidence: [{ read: action, name: "answer", value: error.message }],
    mend: [],
    advice:
      "Print the policy with 'hasta-la-vista policy', and put it on the role that the service runs as: 'aws iam put-role-policy --role-name ROLE --policy-name hasta-la-vista --policy-document file://policy.json'.",
  }));
}
