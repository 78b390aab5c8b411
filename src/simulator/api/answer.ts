import { AwsError } from "../aws-error.ts";
import type { World } from "../world/world.ts";
import type { ApiActions, Caller } from "./action.ts";
import { autoScalingActions } from "./autoscaling.ts";
import { classicActions } from "./classic.ts";
import { ec2Actions } from "./ec2.ts";
import { elbv2ReadActions } from "./elbv2-read.ts";
import { elbv2WriteActions } from "./elbv2-write.ts";
import { type Params, parseParams, text } from "./params.ts";
import { securityTokenActions } from "./sts.ts";
import { xmlElement } from "./xml.ts";

/** EC2, the two versions of Elastic Load Balancing, Auto Scaling, and the Security Token Service. */
export const API_NAMES = ["ec2", "classic", "elbv2", "autoscaling", "sts"] as const;
export type ApiName = (typeof API_NAMES)[number];

export interface ApiRequest {
  readonly body: string;
  /** The header of that name. It says whose request it is; the signature in it is not checked. */
  readonly authorization?: string | undefined;
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** `elasticloadbalancing:DescribeTargetHealth`; undefined where the request named no action. */
  readonly action: string | undefined;
}

/** A call that the simulator knows. */
export interface ApiCall {
  readonly api: ApiName;
  /** `DescribeTargetHealth` */
  readonly action: string;
  readonly params: Params;
}

/**
 * Asked before each call is carried out; throws `AwsError` to refuse it. Returns how many milliseconds a read is to lag
 * behind what happens.
 */
export type Admit = (call: ApiCall) => number;

interface Service {
  readonly api: ApiName;
  /** As in IAM actions. Both ELB APIs share it. */
  readonly name: string;
  readonly namespace: string;
  readonly protocol: "query" | "ec2";
  readonly actions: ApiActions;
}

/** All share a port, and both ELB APIs host, path, signing name and many action names: only the version distinguishes them. */
const SERVICES: Readonly<Record<string, Service>> = {
  "2012-06-01": {
    api: "classic",
    name: "elasticloadbalancing",
    namespace: "http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/",
    protocol: "query",
    actions: classicActions,
  },
  "2015-12-01": {
    api: "elbv2",
    name: "elasticloadbalancing",
    namespace: "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
    protocol: "query",
    actions: { ...elbv2ReadActions, ...elbv2WriteActions },
  },
  "2016-11-15": {
    api: "ec2",
    name: "ec2",
    namespace: "http://ec2.amazonaws.com/doc/2016-11-15/",
    protocol: "ec2",
    actions: ec2Actions,
  },
  "2011-01-01": {
    api: "autoscaling",
    name: "autoscaling",
    namespace: "http://autoscaling.amazonaws.com/doc/2011-01-01/",
    protocol: "query",
    actions: autoScalingActions,
  },
  "2011-06-15": {
    api: "sts",
    name: "sts",
    namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
    protocol: "query",
    actions: securityTokenActions,
  },
};

/** The actions that are simulated, by API. */
export function simulatedActions(): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(Object.values(SERVICES).map(({ api, actions }) => [api, Object.keys(actions).sort()]));
}

/** How the names of AWS's actions begin. */
const VERBS =
  /^(Accept|Add|Advertise|Allocate|Apply|Assign|Associate|Assume|Attach|Authorize|Batch|Bundle|Cancel|Complete|Configure|Confirm|Copy|Create|Decode|Delete|Deprovision|Deregister|Describe|Detach|Disable|Disassociate|Enable|Enter|Execute|Exit|Export|Get|Import|Launch|List|Lock|Modify|Monitor|Move|Provision|Purchase|Put|Reboot|Record|Register|Reject|Release|Remove|Replace|Report|Request|Reset|Restore|Resume|Revoke|Rollback|Run|Search|Send|Set|Start|Stop|Suspend|Terminate|Unassign|Unlock|Unmonitor|Update|Withdraw)[A-Z]/;

/** Answers one call as AWS would: any signature is accepted, and every mistake is an answer, never an exception. */
export function answer(
  { body }: Pick<ApiRequest, "body">,
  world: World,
  requestId: string,
  { admit = () => 0, caller = {} }: { readonly admit?: Admit; readonly caller?: Caller } = {},
): ApiAnswer {
  const params = parseParams(body);
  const version = text(params, "Version") ?? "";
  const service = Object.hasOwn(SERVICES, version) ? SERVICES[version] : undefined;
  const name = text(params, "Action");
  const action = service !== undefined && name !== undefined ? `${service.name}:${name}` : undefined;
  try {
    const content = success(service, name, params, { world, requestId, admit, caller });
    return { status: 200, headers: headers(requestId, world), body: content, action };
  } catch (error) {
    const failure = error instanceof AwsError ? error : new AwsError("InternalFailure", String(error), 500);
    const body = errorXml(failure, service, requestId);
    return { status: failure.status, headers: headers(requestId, world), body, action };
  }
}

/** An error in the service's own form; also for tests that make a call fail. */
export function errorXml(
  error: AwsError,
  service: Pick<Service, "namespace" | "protocol"> | undefined,
  requestId: string,
): string {
  if (service?.protocol === "ec2") {
    const errors = { Error: { Code: error.code, Message: error.message } };
    return `<?xml version="1.0" encoding="UTF-8"?>\n${xmlElement("Response", { Errors: errors, RequestID: requestId })}`;
  }
  const Type = error.status >= 500 ? "Receiver" : "Sender";
  const fields = { Error: { Type, Code: error.code, Message: error.message }, RequestId: requestId };
  return xmlElement("ErrorResponse", fields, service === undefined ? "" : ` xmlns="${service.namespace}"`);
}

interface Call {
  readonly world: World;
  readonly requestId: string;
  readonly admit: Admit;
  readonly caller: Caller;
}

function success(
  service: Service | undefined,
  name: string | undefined,
  params: Params,
  { world, requestId, admit, caller }: Call,
): string {
  if (service === undefined) {
    throw new AwsError("InvalidAction", `The version '${text(params, "Version") ?? ""}' is not simulated`);
  }
  if (name === undefined) throw new AwsError("MissingAction", "The request is missing an action");
  const action = Object.hasOwn(service.actions, name) ? service.actions[name] : undefined;
  if (action === undefined) throw unknownAction(name, service);
  const staleMs = admit({ api: service.api, action: name, params });
  world.catchUp();
  const isRead = name.startsWith("Describe");
  const result = isRead ? world.staleBy(staleMs, () => action(params, world, caller)) : action(params, world, caller);
  const xmlns = ` xmlns="${service.namespace}"`;
  if (service.protocol === "ec2") {
    return `<?xml version="1.0" encoding="UTF-8"?>\n${xmlElement(`${name}Response`, { requestId, ...result }, xmlns)}`;
  }
  const fields = { ...(result && { [`${name}Result`]: result }), ResponseMetadata: { RequestId: requestId } };
  return xmlElement(`${name}Response`, fields, xmlns);
}

/**
 * AWS's own word is for what AWS does not have either: nonsense, and an action of the other version of the API. The names of
 * AWS's 900 actions are not listed here: what looks like one is said to be missing here, with a code and a status that AWS
 * does not use for it.
 */
function unknownAction(action: string, { name }: Service): AwsError {
  const ofSibling = Object.values(SERVICES).some(
    (other) => other.name === name && Object.hasOwn(other.actions, action),
  );
  if (VERBS.test(action) && !ofSibling)
    return new AwsError("NotSimulated", `The action ${action} is not simulated`, 501);
  return new AwsError("InvalidAction", `The action ${action} is not valid for this web service.`);
}

/** Every answer of AWS says when it was made, to the second. */
function headers(requestId: string, { clock }: World): Readonly<Record<string, string>> {
  const date = new Date(clock.now()).toUTCString();
  return { "content-type": "text/xml", "x-amzn-requestid": requestId, date };
}
