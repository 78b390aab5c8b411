import { AwsError } from "../aws-error.ts";
import type { World } from "../world/world.ts";
import type { ApiActions } from "./action.ts";
import { autoScalingActions } from "./autoscaling.ts";
import { classicActions } from "./classic.ts";
import { ec2Actions } from "./ec2.ts";
import { elbv2ReadActions } from "./elbv2-read.ts";
import { elbv2WriteActions } from "./elbv2-write.ts";
import { type Params, parseParams, text } from "./params.ts";
import { xmlElement } from "./xml.ts";

/** EC2, the two versions of Elastic Load Balancing, and Auto Scaling. */
export const API_NAMES = ["ec2", "classic", "elbv2", "autoscaling"] as const;
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
};

/** Answers one call as AWS would: any signature is accepted, and every mistake is an answer, never an exception. */
export function answer(
  { body }: Pick<ApiRequest, "body">,
  world: World,
  requestId: string,
  admit: Admit = () => 0,
): ApiAnswer {
  const params = parseParams(body);
  const version = text(params, "Version") ?? "";
  const service = Object.hasOwn(SERVICES, version) ? SERVICES[version] : undefined;
  const name = text(params, "Action");
  const action = service !== undefined && name !== undefined ? `${service.name}:${name}` : undefined;
  try {
    const content = success(service, name, params, { world, requestId, admit });
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

function success(
  service: Service | undefined,
  name: string | undefined,
  params: Params,
  { world, requestId, admit }: { readonly world: World; readonly requestId: string; readonly admit: Admit },
): string {
  if (service === undefined) {
    throw new AwsError("InvalidAction", `The version '${text(params, "Version") ?? ""}' is not simulated`);
  }
  if (name === undefined) throw new AwsError("MissingAction", "The request is missing an action");
  const action = Object.hasOwn(service.actions, name) ? service.actions[name] : undefined;
  if (action === undefined)
    throw new AwsError("InvalidAction", `The action ${name} is not valid for this web service.`);
  const staleMs = admit({ api: service.api, action: name, params });
  world.catchUp();
  const isRead = name.startsWith("Describe");
  const result = isRead ? world.staleBy(staleMs, () => action(params, world)) : action(params, world);
  const xmlns = ` xmlns="${service.namespace}"`;
  if (service.protocol === "ec2") {
    return `<?xml version="1.0" encoding="UTF-8"?>\n${xmlElement(`${name}Response`, { requestId, ...result }, xmlns)}`;
  }
  const fields = { [`${name}Result`]: result, ResponseMetadata: { RequestId: requestId } };
  return xmlElement(`${name}Response`, fields, xmlns);
}

/** Every answer of AWS says when it was made, to the second. */
function headers(requestId: string, { clock }: World): Readonly<Record<string, string>> {
  const date = new Date(clock.now()).toUTCString();
  return { "content-type": "text/xml", "x-amzn-requestid": requestId, date };
}
