import { ABSENT, count, type Expected, refused } from "./comparison.ts";
import { createGroup, GONE_GROUP } from "./elbv2-calls.ts";
import { ALB_GUIDE, ELBV2 } from "./pages.ts";
import { differs, elbv2, type Row, UNCHECKED } from "./row.ts";

const CREATE = `${ELBV2}/API_CreateTargetGroup.html`;

const modify = (settings: Omit<Parameters<typeof elbv2<"modifyTargetGroup">>[1], "TargetGroupArn">) =>
  elbv2("ModifyTargetGroup", { TargetGroupArn: "{web}", ...settings });
const described = (group: Expected): Expected => ({ TargetGroups: [group] });

/** Changes of target groups, and tags. */
export const groupChangeRows: readonly Row[] = [
  {
    says: "a change leaves what it does not mention",
    page: `${ELBV2}/API_ModifyTargetGroup.html`,
    call: modify({ HealthCheckIntervalSeconds: 10 }),
    answers: described({ HealthCheckIntervalSeconds: 10, HealthCheckTimeoutSeconds: 5, HealthyThresholdCount: 5 }),
  },
  {
    says: "checks can be moved to another port and path",
    page: `${ELBV2}/API_ModifyTargetGroup.html`,
    call: modify({ HealthCheckPort: "10256", HealthCheckPath: "/healthz" }),
    answers: described({ HealthCheckPort: "10256", HealthCheckPath: "/healthz" }),
  },
  {
    says: "an unknown group cannot be changed",
    page: `${ELBV2}/API_ModifyTargetGroup.html`,
    call: elbv2("ModifyTargetGroup", { TargetGroupArn: GONE_GROUP, HealthCheckPath: "/" }),
    answers: refused("TargetGroupNotFound"),
  },
  {
    says: "a group in use cannot be deleted",
    page: `${ELBV2}/API_DeleteTargetGroup.html`,
    quote: "You can delete a target group if it is not referenced by any actions.",
    call: elbv2("DeleteTargetGroup", { TargetGroupArn: "{web}" }),
    answers: refused("ResourceInUse"),
  },
  {
    says: "a deleted group is unknown",
    page: `${ELBV2}/API_DeleteTargetGroup.html`,
    given: [createGroup(), elbv2("DeleteTargetGroup", { TargetGroupArn: "{made}" })],
    call: elbv2("DescribeTargetGroups", { TargetGroupArns: ["{made}"] }),
    answers: refused("TargetGroupNotFound"),
  },
  {
    says: "a group is created with tags",
    page: CREATE,
    quote: "The tags to assign to the target group.",
    given: [createGroup({ Tags: [{ Key: "kubernetes.io/cluster/demo", Value: "owned" }] })],
    call: elbv2("DescribeTags", { ResourceArns: ["{made}"] }),
    answers: {
      TagDescriptions: [{ ResourceArn: "{made}", Tags: [{ Key: "kubernetes.io/cluster/demo", Value: "owned" }] }],
    },
  },
  {
    says: "the same key may not come twice",
    page: `${ELBV2}/API_AddTags.html`,
    quote: "A tag key was specified more than once.",
    call: elbv2("AddTags", {
      ResourceArns: ["{idle}"],
      Tags: [
        { Key: "a", Value: "1" },
        { Key: "a", Value: "2" },
      ],
    }),
    answers: refused("DuplicateTagKeys"),
    moto: UNCHECKED,
  },
  {
    says: "the value of a key that is there is replaced",
    page: `${ELBV2}/API_AddTags.html`,
    quote: "If a resource already has a tag with the same key, AddTags updates its value.",
    given: [
      createGroup({ Tags: [{ Key: "a", Value: "1" }] }),
      elbv2("AddTags", { ResourceArns: ["{made}"], Tags: [{ Key: "a", Value: "2" }] }),
    ],
    call: elbv2("DescribeTags", { ResourceArns: ["{made}"] }),
    answers: { TagDescriptions: [{ Tags: [{ Key: "a", Value: "2" }] }] },
  },
  {
    says: "a 51st tag is refused",
    page: `${ALB_GUIDE}/target-group-tags.html`,
    quote: "You've reached the limit on the number of tags for this resource.",
    call: elbv2("AddTags", {
      ResourceArns: ["{idle}"],
      Tags: Array.from({ length: 51 }, (_, index) => ({ Key: `key-${index}`, Value: "" })),
    }),
    answers: refused("TooManyTags"),
    moto: UNCHECKED,
  },
  {
    says: "a removed tag is gone, and so is one that was not there",
    page: `${ELBV2}/API_RemoveTags.html`,
    given: [
      createGroup({
        Tags: [
          { Key: "a", Value: "1" },
          { Key: "b", Value: "2" },
        ],
      }),
      elbv2("RemoveTags", { ResourceArns: ["{made}"], TagKeys: ["a", "c"] }),
    ],
    call: elbv2("DescribeTags", { ResourceArns: ["{made}"] }),
    answers: { TagDescriptions: [{ Tags: [{ Key: "b", Value: "2" }] }] },
  },
  {
    says: "tags of an unknown resource are refused",
    page: `${ELBV2}/API_DescribeTags.html`,
    call: elbv2("DescribeTags", { ResourceArns: [GONE_GROUP] }),
    answers: refused("TargetGroupNotFound"),
    moto: UNCHECKED,
  },
  {
    says: "tags of 21 resources are refused",
    page: `${ELBV2}/API_DescribeTags.html`,
    quote: "You can specify up to 20 resources in a single call.",
    call: elbv2("DescribeTags", { ResourceArns: Array(21).fill("{idle}") }),
    answers: refused("ValidationError"),
    moto: UNCHECKED,
  },
  {
    says: "tags of a load balancer and a group come in one call",
    page: `${ELBV2}/API_DescribeTags.html`,
    call: elbv2("DescribeTags", { ResourceArns: ["{alb}", "{web}"] }),
    answers: { TagDescriptions: [{ ResourceArn: "{alb}" }, { ResourceArn: "{web}" }] },
  },
  {
    says: "a region has 3,000 groups at most",
    page: `${ALB_GUIDE}/load-balancer-limits.html`,
    call: elbv2("DescribeAccountLimits", { PageSize: 400 }),
    answers: { Limits: count(18), NextMarker: ABSENT },
    moto: differs("other value", { Limits: count(9) }),
  },
];
