import type { Config } from "../config/config.ts";
import { type ClusterNeeds, roleText } from "../kubernetes/rbac.ts";
import type { Call } from "./call.ts";
import { EXIT } from "./exit-codes.ts";
import { configFrom } from "./options.ts";
import type { CLUSTER_PURPOSES } from "./verbs/rbac.ts";

type ClusterPurpose = (typeof CLUSTER_PURPOSES)[number];

interface RbacOptions {
  readonly for: ClusterPurpose;
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount?: true;
  readonly disableEviction?: true;
  readonly doctor?: true;
}

/** Prints the role as YAML. */
export async function runRbac(call: Call): Promise<number> {
  const {
    for: purpose,
    name,
    namespace,
    serviceAccount,
    disableEviction,
    doctor,
  } = call.options as unknown as RbacOptions;
  const needs = {
    ...clusterNeeds(configFrom(call, "rbac"), purpose),
    deletesPods: disableEviction === true,
    ...(doctor && { audits: true }),
  };
  const printsServiceAccount = serviceAccount === true;
  call.streams.stdout.write(roleText({ needs, name, namespace, printsServiceAccount }));
  return EXIT.done;
}

/** What a verb with this configuration does in the cluster. The option of each feature is read here. */
export function clusterNeeds(
  { evict, evictionGate, tokenReview, lease }: Config,
  purpose: ClusterPurpose,
): ClusterNeeds {
  const watches = purpose === "serve";
  const evicts = !watches || evict !== "never";
  return {
    writes: purpose !== "plan" && purpose !== "doctor",
    ...(purpose === "doctor" && { audits: true, drains: false }),
    watches,
    evicts,
    gates: watches && evictionGate,
    reviewsTokens: watches && tokenReview,
    ...(watches && { lease }),
  };
}
