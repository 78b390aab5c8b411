import { load as parseYaml } from "js-yaml";
import * as z from "zod";
import { printable } from "../drain/errors.ts";
import { alertmanagerForm, type Form, PLAIN_WEBHOOK, SLACK, templateForm } from "./forms.ts";
import { LEVELS, NOTIFICATION_EVENTS, type Notification, type Resolved } from "./notification.ts";

type ReadFile = (path: string) => Promise<string>;

/** Where notifications are sent. */
export interface Receiver {
  readonly name: string;
  readonly form: Form;
  readonly wants: (notification: Notification) => boolean;
  /**
   * Read each time, because Kubernetes replaces the files of a Secret while the service runs. Throws if it is not a
   * URL, without repeating it.
   */
  readonly url: (readFile: ReadFile) => Promise<URL>;
  /** Sent as a bearer token. */
  readonly token?: (readFile: ReadFile) => Promise<string>;
  /** Signs each request. */
  readonly secret?: (readFile: ReadFile) => Promise<string>;
}

/** The content of the file of receivers. */
export interface Receivers {
  readonly receivers: readonly Receiver[];
  /** A drain that has made no progress for this long is stuck, in milliseconds. */
  readonly stuckAfterMs: number;
}

const RECEIVERS_MAX = 20;
/** https://www.rfc-editor.org/rfc/rfc9110#field.content-type, in characters that a header may have. */
const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+([ \t]*;[\x20-\x7e]*)?$/;
const path = z.string().min(1).max(4_096);
const web = z.url({ protocol: /^https?$/, error: "give a URL that begins with https:// or http://" });
const address = { url: web.optional(), urlFile: path.optional(), bearerTokenFile: path.optional() };
const label = z.record(
  z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, "a label has letters, digits and _, and begins with no digit"),
  z.string().max(1_024),
);

const receiver = z
  .strictObject({
    name: z
      .string()
      .max(63)
      .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, "give lower-case letters, digits and -"),
    level: z.enum(LEVELS).optional(),
    events: z.array(z.enum(NOTIFICATION_EVENTS)).min(1).optional(),
    slack: z.strictObject(address).optional(),
    alertmanager: z.strictObject({ ...address, labels: label.optional() }).optional(),
    webhook: z
      .strictObject({
        ...address,
        secretFile: path.optional(),
        template: z.string().min(1).max(65_536).optional(),
        contentType: z.string().max(100).regex(MEDIA_TYPE, "give a media type such as application/json").optional(),
      })
      .optional(),
  })
  .superRefine((given, context) => {
    const forms = (["slack", "alertmanager", "webhook"] as const).filter((form) => given[form] !== undefined);
    if (forms.length !== 1)
      context.addIssue({ code: "custom", message: "give exactly one of slack, alertmanager and webhook" });
    for (const form of forms) {
      const { url, urlFile } = given[form] ?? {};
      if ((url === undefined) === (urlFile === undefined))
        context.addIssue({ code: "custom", path: [form], message: "give either url or urlFile" });
    }
  });

const SCHEMA = z.strictObject({
  stuckAfter: z.number().int().min(60).max(86_400).default(300),
  receivers: z.array(receiver).min(1).max(RECEIVERS_MAX),
});

/**
 * Reads the file of receivers: YAML, or JSON. Throws an `Error` whose message names each problem, and no value, because
 * it may be a secret.
 */
export function readReceivers(text: string): Receivers {
  const given = SCHEMA.safeParse(parsed(text));
  if (!given.success) throw new Error(given.error.issues.map(problemOf).join("; "));
  const { receivers, stuckAfter } = given.data;
  const names = receivers.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new Error(`two receivers have the name '${twice}': give each its own`);
  return { receivers: receivers.map(receiverOf), stuckAfterMs: stuckAfter * 1_000 };
}

function parsed(text: string): unknown {
  try {
    return parseYaml(text);
  } catch (error) {
    const { mark, reason } = error as { readonly mark?: { readonly line: number }; readonly reason?: string };
    throw new Error(`it is not valid YAML${mark === undefined ? "" : `, line ${mark.line + 1}`}: ${reason ?? ""}`);
  }
}

function problemOf(issue: z.core.$ZodIssue): string {
  if (issue.path.length === 0 && issue.code === "invalid_type") return "give a mapping with the key receivers";
  const where = issue.path.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("");
  return `${where.replace(/^\./, "") || "the file"}: ${adviceOn(issue)}`;
}

/** In words that say what to do, and without the given value. */
function adviceOn(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `give ${TYPES[issue.expected] ?? issue.expected}`;
    case "too_small":
      return `give at least ${issue.minimum}${UNITS[issue.origin] ?? ""}`;
    case "too_big":
      return `give at most ${issue.maximum}${UNITS[issue.origin] ?? ""}`;
    case "unrecognized_keys":
      return `there is no key ${issue.keys.map((key) => `'${printable(key)}'`).join(", ")} here: remove it`;
    case "invalid_value":
      return `give one of ${issue.values.map(String).join(", ")}`;
    case "invalid_key":
      return issue.issues[0]?.message ?? issue.message;
    default:
      return issue.message;
  }
}

const UNITS: Readonly<Record<string, string>> = { string: " characters", array: " in the list" };

const TYPES: Readonly<Record<string, string>> = {
  object: "a mapping",
  record: "a mapping",
  array: "a list",
  string: "a text",
  int: "a whole number",
  number: "a number",
};

function receiverOf(given: z.infer<typeof receiver>): Receiver {
  const { name, level, events, slack, alertmanager, webhook } = given;
  const { url, urlFile, bearerTokenFile } = slack ?? alertmanager ?? webhook ?? {};
  const lowest = LEVELS.indexOf(level ?? (webhook === undefined ? "warning" : "info"));
  const wanted = events && new Set(events);
  const isWanted = ({ event, level: its }: Resolved) => (wanted?.has(event) ?? true) && LEVELS.indexOf(its) >= lowest;
  return {
    name,
    form: formOf(given),
    // The end of a trouble goes to the receivers of the trouble, whatever its own level.
    wants: (notification) => isWanted(notification) || notification.resolves.some(isWanted),
    url: async (readFile) => {
      const base = urlFrom(url ?? (await firstLine(urlFile ?? "", readFile)), urlFile);
      return alertmanager === undefined ? base : new URL(base.pathname.replace(/\/+$/, "") + ALERTS_PATH, base);
    },
    ...(bearerTokenFile !== undefined && { token: (readFile) => tokenIn(bearerTokenFile, readFile) }),
    ...(webhook?.secretFile !== undefined && secretOf(webhook.secretFile)),
  };
}

function secretOf(file: string): Pick<Receiver, "secret"> {
  return {
    secret: async (readFile) => {
      const secret = await firstLine(file, readFile);
      if (/^whsec_/.test(secret) && !/^whsec_[\w+/-]+={0,2}$/.test(secret))
        throw new Error(`the secret in ${file} begins with whsec_, but no base64 follows`);
      return secret;
    },
  };
}

function formOf({
  name,
  alertmanager,
  webhook,
}: Pick<z.infer<typeof receiver>, "name" | "alertmanager" | "webhook">): Form {
  if (alertmanager !== undefined) return alertmanagerForm(alertmanager.labels ?? {});
  if (webhook === undefined) return SLACK;
  const { template, contentType = "application/json" } = webhook;
  if (template === undefined) return PLAIN_WEBHOOK;
  try {
    return templateForm(template, contentType);
  } catch (error) {
    throw new Error(`receiver '${name}': ${(error as Error).message}`);
  }
}

/** https://prometheus.io/docs/alerting/latest/alerts_api/ */
const ALERTS_PATH = "/api/v2/alerts";

function urlFrom(text: string, file: string | undefined): URL {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text))
    throw new Error(`${file} holds no URL that begins with https:// or http://`);
  return new URL(text);
}

async function tokenIn(file: string, readFile: ReadFile): Promise<string> {
  const token = await firstLine(file, readFile);
  if (!/^[\x20-\x7e]+$/.test(token)) throw new Error(`the first line of ${file} has characters that are not ASCII`);
  return token;
}

async function firstLine(file: string, readFile: ReadFile): Promise<string> {
  const [line = ""] = (await readFile(file)).split(/\r?\n/, 1);
  const text = line.trim();
  if (text === "") throw new Error(`the first line of ${file} is empty`);
  return text;
}
