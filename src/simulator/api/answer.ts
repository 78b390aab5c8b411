import { AwsError, notSimulated } from "../aws-error.ts";
import type { World } from "../world/world.ts";
import type { ApiActions, Caller } from "./action.ts";
import { isAwsAction } from "./action-names.ts";
import { autoScalingActions } from "./autoscaling.ts";
import { classicActions } from "./classic.ts";
import { ec2Actions } from "./ec2.ts";
import { elbv2ReadActions } from "./elbv2-read.ts";
import { elbv2WriteActions } from "./elbv2-write.ts";
import { errorJson, inWordsOf, type JsonService, readJson, readTarget, resultJson } from "./json-answer.ts";
import { type Params, parseParams, text } from "./params.ts";
import { securityTokenActions } from "./sts.ts";
import { taggingActions } from "./tagging.ts";
import { type XmlFields, xmlElement } from "./xml.ts";

/** EC2, the two versions of Elastic Load Balancing, Auto Scaling, the Security Token Service, and the Resource Groups Tagging API. */
export const API_NAMES = ["ec2", "classic", "elbv2", "autoscaling", "sts", "tagging"] as const;
export type ApiName = (typeof API_NAMES)[number];

export interface ApiRequest {
  readonly body: string;
  /** The header of that name. It identifies the caller. The signature in it is not checked. */
  readonly authorization?: string | undefined;
  /** The header X-Amz-Target, which names the action of a JSON protocol. */
  readonly target?: string | undefined;
  /** Without the query. Default: `/`, where all simulated APIs are. */
  readonly path?: string;
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** `elasticloadbalancing:DescribeTargetHealth`. Undefined if the request named no action. */
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
 * Called before each call is carried out. Throws `AwsError` to refuse it. Returns by how many milliseconds a read lags
 * behind.
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

/**
 * All share a port, and both ELB APIs have the same host, path, signing name and many action names, so only the version
 * distinguishes them.
 */
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

/** The services of the JSON protocol, which name their action in a header. */
const JSON_SERVICES: readonly (JsonService & Pick<Service, "api" | "name">)[] = [
  {
    api: "tagging",
    name: "tag",
    target: "ResourceGroupsTaggingAPI_20170126",
    actions: taggingActions,
    invalidParameter: "InvalidParameterException",
  },
];

/** The signing names of requests to the simulated services. */
const SIGNING_NAMES: ReadonlySet<string> = new Set(["tagging", ...Object.values(SERVICES).map(({ name }) => name)]);

/** The actions that are simulated, by API. */
export function simulatedActions(): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    [...Object.values(SERVICES), ...JSON_SERVICES].map(({ api, actions }) => [api, Object.keys(actions).sort()]),
  );
}

/** Answers one call as AWS would: any signature is accepted, and every mistake is an answer, never an exception. */
export function answer(
  request: ApiRequest,
  world: World,
  requestId: string,
  { admit = () => 0, caller = {} }: { readonly admit?: Admit; readonly caller?: Caller } = {},
): ApiAnswer {
  const call = { world, requestId, admit, caller };
  if (request.target !== undefined) return answerJson(request.target, request.body, call);
  const params = parseParams(request.body);
  const version = text(params, "Version") ?? "";
  const service = Object.hasOwn(SERVICES, version) ? SERVICES[version] : undefined;
  const name = text(params, "Action");
  const action = service !== undefined && name !== undefined ? `${service.name}:${name}` : undefined;
  try {
    if (service === undefined) throw unknownService(version, name, request);
    const content = success(service, name, params, call);
    return { status: 200, headers: headers(requestId, world), body: content, action };
  } catch (error) {
    const failure = asAwsError(error);
    const { status } = failure;
    // A request without an action is of a REST protocol: most of those are JSON.
    if (service === undefined && name === undefined && request.path !== undefined && request.path !== "/")
      return {
        status,
        headers: { ...headers(requestId, world, JSON_TYPE), ...errorType(failure) },
        body: errorJson(failure),
        action,
      };
    return { status, headers: headers(requestId, world), body: errorXml(failure, service, requestId), action };
  }
}

const JSON_TYPE = "application/x-amz-json-1.1";
const errorType = ({ code }: AwsError) => ({ "x-amzn-errortype": code });

function answerJson(target: string, body: string, call: Call): ApiAnswer {
  const { requestId, world } = call;
  const { service: prefix, action: name } = readTarget(target);
  const service = JSON_SERVICES.find((one) => one.target === prefix);
  const action = service === undefined ? undefined : `${service.name}:${name}`;
  try {
    if (service === undefined) throw notSimulated(`The API ${prefix} is not simulated: ${name} was called`);
    const result = perform(service, name, readJson(body), call);
    return { status: 200, headers: headers(requestId, world, JSON_TYPE), body: resultJson(result), action };
  } catch (error) {
    const failure = asAwsError(error);
    const worded = service === undefined ? failure : inWordsOf(service, failure);
    const answered = { ...headers(requestId, world, JSON_TYPE), ...errorType(worded) };
    return { status: worded.status, headers: answered, body: errorJson(worded), action };
  }
}

function asAwsError(error: unknown): AwsError {
  return error instanceof AwsError ? error : new AwsError("InternalFailure", String(error), 500);
}

/** An error in the service's own form. Tests use it too, to make a call fail. */
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

function success(service: Service, name: string | undefined, params: Params, call: Call): string {
  const { requestId } = call;
  if (name === undefined) throw new AwsError("MissingAction", "The request is missing an action");
  const result = perform(service, name, params, call);
  const xmlns = ` xmlns="${service.namespace}"`;
  if (service.protocol === "ec2") {
    return `<?xml version="1.0" encoding="UTF-8"?>\n${xmlElement(`${name}Response`, { requestId, ...result }, xmlns)}`;
  }
  const fields = { ...(result && { [`${name}Result`]: result }), ResponseMetadata: { RequestId: requestId } };
  return xmlElement(`${name}Response`, fields, xmlns);
}

/** Carries out an action of any protocol. */
function perform(
  service: Pick<Service, "api" | "actions">,
  name: string,
  params: Params,
  { world, admit, caller }: Call,
): XmlFields | undefined {
  const action = Object.hasOwn(service.actions, name) ? service.actions[name] : undefined;
  if (action === undefined) throw unknownAction(name, service.api);
  const staleMs = admit({ api: service.api, action: name, params });
  world.catchUp();
  const isRead = name.startsWith("Describe");
  return isRead ? world.staleBy(staleMs, () => action(params, world, caller)) : action(params, world, caller);
}

/** AWS's own error is for names that AWS does not have either, and for an action of the other version of the API. */
function unknownAction(action: string, api: ApiName): AwsError {
  if (isAwsAction(api, action)) return notSimulated(`The action ${action} is not simulated`);
  return api === "tagging"
    ? new AwsError("UnknownOperationException", `The operation ${action} is not known`)
    : new AwsError("InvalidAction", `The action ${action} is not valid for this web service.`);
}

/** Services that are not simulated are recognized by the signing name of their requests. */
function unknownService(version: string, action: string | undefined, { authorization, path }: ApiRequest): AwsError {
  const signedFor = /Credential=[^/,\s]+\/\d{8}\/[^/,\s]*\/([^/,\s]+)\/aws4_request/.exec(authorization ?? "")?.[1];
  if (signedFor !== undefined && !SIGNING_NAMES.has(signedFor))
    return notSimulated(`The service ${signedFor} is not simulated: ${action ?? path ?? "/"} was called`);
  return new AwsError("InvalidAction", `The version '${version}' is not simulated`);
}

/** Every answer of AWS has its time, to the second. */
function headers(requestId: string, { clock }: World, contentType = "text/xml"): Readonly<Record<string, string>> {
  const date = new Date(clock.now()).toUTCString();
  return { "content-type": contentType, "x-amzn-requestid": requestId, date };
}
