import { readFileSync } from "node:fs";
import { parse } from "yaml";
import type { Option } from "../../src/config/config.ts";
import { OPTION_TEXTS } from "../../src/config/option-texts.ts";
import { AGENT_OPTIONS, CHART, type ChartOption, SERVICE_OPTIONS } from "./chart-options.ts";

/** https://json-schema.org/draft-07 : the newest that all supported versions of Helm read. */
type Schema = { readonly [key: string]: unknown };

/** Values of the chart of 1.0, by their paths, and what to do with each. */
export function renamedValues(): Readonly<Record<string, string>> {
  return parse(readFileSync(`${CHART}/files/renamed-values.yaml`, "utf8"));
}

/** What the chart takes. Names that it does not know are refused, except where Kubernetes has the names. */
export function chartSchema(): Schema {
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Values of the chart hasta-la-vista",
    ...withRenamed(
      object({
        global: { type: "object" },
        image: object({
          repository: text("The image that you built and pushed, without a tag.", "^[^\\s@]*$"),
          tag: text("The tag. Empty: the version of the chart.", "^[\\w.-]{0,128}$"),
          digest: text("The digest, in place of a tag.", "^(sha256:[0-9a-f]{64})?$"),
          pullPolicy: { enum: ["Always", "IfNotPresent", "Never"] },
        }),
        imagePullSecrets: { type: "array", items: object({ name: NAME }, ["name"]) },
        nameOverride: NAME_OR_EMPTY,
        fullnameOverride: NAME_OR_EMPTY,
        labels: { ...STRINGS, propertyNames: { not: { enum: SELECTING } } },
        replicas: { type: "integer", minimum: 0, description: "Replicas of the service. 0 stops it." },
        options: object(optionSchemas(SERVICE_OPTIONS)),
        secret: object({ value: text("The secret that callers must send."), existingSecret: NAME_OR_EMPTY, key: KEY }),
        tls: object({
          existingSecret: NAME_OR_EMPTY,
          caKey: KEY_OR_EMPTY,
          clientCaKey: KEY_OR_EMPTY,
          clientSecret: NAME_OR_EMPTY,
        }),
        serviceAccount: object({
          create: BOOLEAN,
          name: NAME_OR_EMPTY,
          roleArn: text("The IAM role, with IRSA.", "^(arn:[a-z-]+:iam::\\d{12}:role/[\\w+=,.@/-]+)?$"),
          annotations: STRINGS,
        }),
        rbac: object({ create: BOOLEAN, doctor: BOOLEAN }),
        persistence: object({
          enabled: BOOLEAN,
          existingClaim: NAME_OR_EMPTY,
          storageClass: { ...NAME_OR_EMPTY, type: ["string", "null"] },
          size: { type: "string", pattern: "^\\d+(\\.\\d+)?([KMGTPE]i?)?$" },
          accessMode: { enum: ["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"] },
          annotations: STRINGS,
        }),
        ...POD,
        terminationGracePeriodSeconds: { type: ["integer", "null"], minimum: 1 },
        podLabels: { ...STRINGS, propertyNames: { not: { enum: SELECTING } } },
        podSecurityContext: { type: "object" },
        securityContext: { type: "object" },
        extraEnv: OBJECTS,
        extraVolumes: OBJECTS,
        extraVolumeMounts: OBJECTS,
        ...ACCESS,
        evictionGate: object({
          enabled: BOOLEAN,
          certManager: BOOLEAN,
          existingSecret: NAME_OR_EMPTY,
          caBundle: text("The authority of its certificate, PEM in base64.", "^[A-Za-z0-9+/]*={0,2}$"),
        }),
        tokenReview: object({
          enabled: BOOLEAN,
          callers: { type: "array", items: object({ name: NAME, namespace: NAME }, ["name", "namespace"]) },
        }),
        holder: object({
          enabled: BOOLEAN,
          options: object(optionSchemas(AGENT_OPTIONS.filter(({ name }) => name === "logLevel"))),
          ...POD_OF_NODE,
        }),
        agent: object({
          enabled: BOOLEAN,
          options: object(optionSchemas(AGENT_OPTIONS)),
          metricsPort: { type: ["integer", "null"], minimum: 1, maximum: 65_535 },
          conntrack: BOOLEAN,
          nodeSelector: STRINGS,
          ...POD_OF_NODE,
        }),
      }),
    ),
  };
}

/** The labels by which the chart selects pods. */
const SELECTING = ["name", "instance", "component"].map((label) => `app.kubernetes.io/${label}`);
const BOOLEAN: Schema = { type: "boolean" };
const STRINGS: Schema = { type: "object", additionalProperties: { type: "string" } };
const OBJECTS: Schema = { type: "array", items: { type: "object" } };
/** https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ */
const NAME: Schema = { type: "string", maxLength: 253, pattern: "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$" };
const NAME_OR_EMPTY: Schema = { type: "string", maxLength: 253, pattern: "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$" };
const KEY: Schema = { type: "string", maxLength: 253, pattern: "^[-._a-zA-Z0-9]+$" };
const KEY_OR_EMPTY: Schema = { type: "string", maxLength: 253, pattern: "^[-._a-zA-Z0-9]*$" };

const POD: Readonly<Record<string, Schema>> = {
  resources: { type: "object" },
  priorityClassName: NAME_OR_EMPTY,
  podAnnotations: STRINGS,
  nodeSelector: STRINGS,
  tolerations: OBJECTS,
  affinity: { type: "object" },
};

const POD_OF_NODE: Readonly<Record<string, Schema>> = {
  terminationGracePeriodSeconds: { type: "integer", minimum: 1 },
  resources: { type: "object" },
  priorityClassName: NAME_OR_EMPTY,
  podAnnotations: STRINGS,
  tolerations: OBJECTS,
  affinity: { type: "object" },
  maxUnavailable: {
    oneOf: [
      { type: "integer", minimum: 1 },
      { type: "string", pattern: "^([1-9][0-9]?|100)%$" },
    ],
  },
};

/** The ways to the service, and what watches it. */
const ACCESS: Readonly<Record<string, Schema>> = {
  service: object({
    type: { enum: ["ClusterIP", "NodePort", "LoadBalancer"] },
    port: { type: "integer", minimum: 1, maximum: 65_535 },
    annotations: STRINGS,
  }),
  ingress: object({
    enabled: BOOLEAN,
    className: NAME_OR_EMPTY,
    host: { type: "string", maxLength: 253 },
    tlsSecret: NAME_OR_EMPTY,
    annotations: STRINGS,
  }),
  httpRoute: object({
    enabled: BOOLEAN,
    parentRefs: OBJECTS,
    hostnames: { type: "array", items: { type: "string" } },
    annotations: STRINGS,
  }),
  networkPolicy: object({ enabled: BOOLEAN, from: OBJECTS, extraEgress: OBJECTS }),
  serviceMonitor: object({
    enabled: BOOLEAN,
    interval: { type: "string", pattern: "^\\d+(ms|s|m|h)$" },
    labels: STRINGS,
  }),
  prometheusRule: object({
    enabled: BOOLEAN,
    labels: STRINGS,
    runbookUrl: text("The page with the runbooks.", "^https?://[^\\s#]+$"),
  }),
  dashboard: object({ enabled: BOOLEAN, labels: STRINGS, annotations: STRINGS }),
};

function object(properties: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema {
  return {
    type: "object",
    additionalProperties: false,
    ...(required.length === 0 ? {} : { required }),
    properties,
  };
}

function text(description: string, pattern?: string): Schema {
  return { type: "string", description, ...(pattern === undefined ? {} : { pattern }) };
}

function optionSchemas(options: readonly ChartOption[]): Readonly<Record<string, Schema>> {
  return Object.fromEntries(
    options.map(({ name, option }) => {
      const { description } = OPTION_TEXTS[name];
      const { alternatives } = schemaOf(option);
      // The value may hold a password, so it may come from a Secret.
      const all = option.isSecret === true ? [...alternatives, FROM_SECRET] : alternatives;
      return [option.variable, { description, ...anyOf([...all, { type: "null" }]) }];
    }),
  );
}

const FROM_SECRET: Schema = object({ secretKeyRef: object({ name: NAME, key: KEY }, ["name", "key"]) }, [
  "secretKeyRef",
]);

/** One type with `null` reads better in Helm's messages than two alternatives. */
function anyOf(alternatives: readonly Schema[]): Schema {
  const [first = {}, second] = alternatives;
  if (alternatives.length !== 2 || second?.["type"] !== "null") return { anyOf: alternatives };
  const { enum: allowed } = first as { readonly enum?: readonly unknown[] };
  return allowed === undefined ? { ...first, type: [first["type"], "null"] } : { enum: [...allowed, null] };
}

/** From the ranges that documents state; test/config/option-texts.test.ts holds these to the checks. */
function schemaOf({ variable, type, range, pattern }: Option): { readonly alternatives: readonly Schema[] } {
  const [, min = "", max = ""] = /from ([\d.]+)%? to ([\d.]+)/.exec(range) ?? [];
  const bounds = { minimum: Number(min), maximum: Number(max) };
  const [, length] = /at most (\d+) characters$/.exec(range) ?? [];
  const line = { type: "string", minLength: 1, pattern: "^[^\\x00-\\x1f\\x7f]*$" };
  switch (type) {
    case "boolean":
      return { alternatives: [{ type: "boolean" }] };
    case "word":
      return { alternatives: [{ enum: range.replace("one of ", "").split(", ") }] };
    case "whole number":
      // A pod needs a port that others know.
      return { alternatives: [{ type: "integer", ...bounds, ...(/PORT$/.test(variable) ? { minimum: 1 } : {}) }] };
    case "number":
    case "seconds":
      return { alternatives: [{ type: "number", ...bounds }, FRACTION] };
    case "whole number or percentage":
      return { alternatives: [{ type: "integer", ...bounds }, percentage(Number(min))] };
    case "list":
      return { alternatives: [{ ...line, pattern: listPattern(range) }] };
    case "text":
    case "path":
    case "in-cluster or path":
    case "URL":
    case "URL or name":
      return {
        alternatives: [
          {
            ...line,
            ...(length === undefined ? {} : { maxLength: Number(length) }),
            ...(pattern === undefined ? {} : { pattern: pattern.source }),
          },
        ],
      };
    default:
      throw new Error(`${variable} is of the type '${type}': say here which values of the chart it takes`);
  }
}

/** `helm --set` gives fractions as text. */
const FRACTION: Schema = { type: "string", pattern: "^\\d+\\.\\d+$" };

function percentage(min: number): Schema {
  return { type: "string", pattern: min === 0 ? "^(\\d{1,2}|100)%$" : "^(0?[1-9]|[1-9]\\d|100)%$" };
}

/** `none, or some of a, b, taint:KEY` */
function listPattern(range: string): string {
  const words = range.replace("none, or some of ", "").split(", ");
  const word = words.map((each) => each.replace("KEY", "[-\\w./]+")).join("|");
  return `^(none|(${word})( *, *(${word}))*)$`;
}

/** The schema lets values of 1.0 pass, so that the chart can say what they are called now. */
function withRenamed(schema: Schema): Schema {
  return Object.entries(renamedValues()).reduce(
    (whole, [path, advice]) => withProperty(whole, path.split("."), { description: `A value of 1.0: ${advice}.` }),
    schema,
  );
}

function withProperty(schema: Schema, [key = "", ...rest]: readonly string[], value: Schema): Schema {
  const properties = schema["properties"] as Readonly<Record<string, Schema>>;
  const before = properties[key];
  const inner = rest.length === 0 ? value : withProperty(before ?? object({}), rest, value);
  return { ...schema, properties: { ...properties, [key]: inner } };
}
