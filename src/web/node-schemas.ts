import * as z from "zod";
import { LOAD_BALANCER_KINDS } from "../drain/load-balancer-kinds.ts";

const awsPlace = z
  .string()
  .optional()
  .describe(
    "Account and region, if AWS_PLACES is set: 444455556666/eu-west-1, or the region alone for its own credentials.",
  );

export const node = z
  .strictObject({
    id: z.string().describe("EC2 instance id."),
    name: z.string().describe("Private DNS name, by default the Kubernetes node name."),
    network: z.string().describe("Id of the VPC."),
    cluster: z.string().optional().describe("Name of the cluster, from the tag kubernetes.io/cluster/<name>."),
    place: awsPlace,
  })
  .meta({ id: "Node" });

/** Identifies a registration. */
export const place = {
  kind: z
    .enum(LOAD_BALANCER_KINDS)
    .describe(
      "Kind of the load balancer. unattached: no load balancer uses the target group. unknown: a kind that is not known, or several kinds.",
    ),
  loadBalancer: z
    .string()
    .optional()
    .describe("Name of the load balancer. Absent if no load balancer uses the target group."),
  pool: z.string().describe("Name of the target group or of the classic load balancer."),
  place: awsPlace,
  target: z.string().describe("Instance id or IP address, with the port."),
};
