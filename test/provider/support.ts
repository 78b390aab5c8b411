import type { FoundRegistrations, Node, PoolTerms, Registration } from "../../src/drain/cloud-provider.ts";
import type { AwsProviderOptions } from "../../src/provider/aws-provider.ts";
import type { ApiAnswer } from "../../src/simulator/api/answer.ts";
import { type XmlFields, xmlElement } from "../../src/simulator/api/xml.ts";
import { awsProvider, type ProviderCalls } from "../support/provider-calls.ts";
import { type InterceptedCall, never, type SimulatedRegion } from "../support/simulated-region.ts";

export const OTHER_VPC = "vpc-0fedcba9876543210";

/** With credentials that may do what the policy allows which is printed for these options. */
export function providerOf(region: SimulatedRegion, options: Partial<AwsProviderOptions> = {}): ProviderCalls {
  const { discovery = "vpc", writableCluster } = options;
  const clients = region.restrictedClients({
    DISCOVERY: discovery,
    ...(writableCluster !== undefined && { POLICY_SCOPE: "tag", CLUSTERNAME: writableCluster }),
  });
  return awsProvider(clients, { discovery, ...options }, region.clock);
}

/** The same with the policy that lets drains be undone. */
export function undoingProviderOf(region: SimulatedRegion): ProviderCalls {
  return awsProvider(region.restrictedClients({ UNDO: "true" }), {}, region.clock);
}

export async function resolved(region: SimulatedRegion, { id }: { readonly id: string }): Promise<Node> {
  return await providerOf(region).resolve({ by: "id", value: id }, never);
}

/** Everything found of the instance, as a drain does it: resolve, then find. */
export async function find(
  region: SimulatedRegion,
  { id }: { readonly id: string },
  options: Partial<AwsProviderOptions> = {},
): Promise<FoundRegistrations> {
  const provider = providerOf(region, options);
  return await provider.findRegistrations(await provider.resolve({ by: "id", value: id }, never), never);
}

export async function registrationsOf(
  region: SimulatedRegion,
  instance: { readonly id: string },
): Promise<readonly Registration[]> {
  return (await find(region, instance)).registrations;
}

/** The instance's one registration; fails when there is another number of them. */
export async function onlyRegistrationOf(
  region: SimulatedRegion,
  instance: { readonly id: string },
): Promise<Registration> {
  const registrations = await registrationsOf(region, instance);
  const [registration] = registrations;
  if (registration === undefined || registrations.length > 1) throw new Error(`${registrations.length} registrations`);
  return registration;
}

/** How the pool of the instance's one registration lets go. */
export async function onlyTermsOf(
  region: SimulatedRegion,
  instance: { readonly id: string },
  options: Partial<AwsProviderOptions> = {},
): Promise<PoolTerms | undefined> {
  const { pool } = await onlyRegistrationOf(region, instance);
  return providerOf(region, options).describe(pool, never);
}

/** `group:target` of each, in alphabetical order. */
export function shown(registrations: readonly Registration[]): readonly string[] {
  return registrations.map(({ pool, target }) => `${pool.name} ${target}`).sort();
}

/** A result as both ELB APIs put it on the wire. */
export function elbAnswer(action: string, result: XmlFields): Partial<ApiAnswer> {
  return { body: xmlElement(`${action}Response`, { [`${action}Result`]: result }) };
}

export function ec2Answer(action: string, result: XmlFields): Partial<ApiAnswer> {
  return { body: xmlElement(`${action}Response`, result) };
}

/** The values of a list parameter: `Targets.member.1.Id`, or `ResourceArns.member.1` without a field. */
export function listed(params: URLSearchParams, name: string, field = ""): readonly string[] {
  const form = new RegExp(`^${name}\\.member\\.\\d+${field === "" ? "" : `\\.${field}`}$`);
  return [...params].filter(([key]) => form.test(key)).map(([, value]) => value);
}

/** Which of the two ELB APIs was called: they share names of actions. */
export function isClassic({ params }: Pick<InterceptedCall, "params">): boolean {
  return params.get("Version") === "2012-06-01";
}
