import Mustache from "mustache";
import { printable } from "../drain/errors.ts";
import type { Notification, NotificationEvent } from "./notification.ts";

/** The format in which a receiver gets notifications. */
export interface Form {
  /** The largest number in one request. */
  readonly batchMax: number;
  readonly contentType: string;
  /** The body of a request. Undefined: the receiver does not use any of these. */
  readonly body: (notifications: readonly Notification[]) => string | undefined;
}

/** What a webhook gets without a template. */
function documentOf(notification: Notification): object {
  const { at, tookMs, ...rest } = notification;
  return {
    ...rest,
    time: new Date(at).toISOString(),
    ...(tookMs === undefined ? {} : { tookSeconds: Math.round(tookMs / 100) / 10 }),
  };
}

/** One JSON document for each notification. */
export const PLAIN_WEBHOOK: Form = {
  batchMax: 1,
  contentType: "application/json",
  body: (notifications) => JSON.stringify(documentOf(notifications[0] as Notification)),
};

const EXAMPLE: Notification = {
  id: "00000000-0000-0000-0000-000000000000",
  event: "failed",
  level: "error",
  at: 0,
  drain: "d-example",
  node: { id: "i-0123456789abcdef0", name: 'a "quoted" name\n' },
  cluster: "example",
  reason: "spot-interruption",
  result: "failed",
  tookMs: 1_000,
  title: "Node i-0123456789abcdef0 was not drained",
  text: "An example.",
  targets: [
    {
      kind: "alb",
      loadBalancer: "example",
      pool: "example",
      place: "444455556666/eu-west-1",
      target: "i-0123456789abcdef0:80",
      state: "failed",
      error: "an example",
    },
  ],
  targetsLeftOut: 0,
  resolves: [{ event: "stuck", level: "warning" }],
};

/**
 * A Mustache template over `documentOf`. Values are escaped for a JSON string if the content type is JSON, and are not
 * changed otherwise. Throws if the template is malformed, contains a name that no notification has, or makes invalid
 * JSON of an example.
 */
export function templateForm(template: string, contentType: string): Form {
  const isJson = /^application\/([\w.-]+\+)?json\b/i.test(contentType);
  const escaped = (value: unknown) => (isJson ? JSON.stringify(String(value)).slice(1, -1) : String(value));
  const render = (notification: Notification) =>
    Mustache.render(template, documentOf(notification), {}, { escape: escaped });
  let example: string;
  try {
    example = render(EXAMPLE);
  } catch (error) {
    throw new Error(`the template is malformed: ${(error as Error).message}`);
  }
  const unknown = namesIn(Mustache.parse(template)).find((name) => !isKnown(name));
  if (unknown !== undefined)
    throw new Error(
      `the template has '${printable(unknown)}', which no notification has: use the names of the document`,
    );
  if (isJson && !isValidJson(example))
    throw new Error("the template makes no valid JSON: put each value in double quotes, or set another contentType");
  return { batchMax: 1, contentType, body: (notifications) => render(notifications[0] as Notification) };
}

/** Mustache takes a name that does not exist for an empty value. */
const KNOWN_NAMES: ReadonlySet<string> = new Set(keysIn(documentOf(EXAMPLE)));

function keysIn(value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null) return [];
  const children = Object.values(value).flatMap(keysIn);
  return Array.isArray(value) ? children : [...Object.keys(value), ...children];
}

type Spans = ReturnType<typeof Mustache.parse>;

/** The names of variables, sections and partials. */
function namesIn(spans: Spans): readonly string[] {
  return spans.flatMap(([type, value, , , inner]) => [
    ...(["name", "&", "#", "^", ">"].includes(type) ? [value] : []),
    ...(Array.isArray(inner) ? namesIn(inner as Spans) : []),
  ]);
}

/** `.` is the value itself, and a list has a length and numbered entries. */
function isKnown(name: string): boolean {
  return name === "." || name.split(".").every((part) => KNOWN_NAMES.has(part) || /^(length|\d+)$/.test(part));
}

function isValidJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const EMOJI: Readonly<Record<NotificationEvent, string>> = {
  started: ":arrow_down:",
  stuck: ":hourglass:",
  refused: ":no_entry:",
  failed: ":rotating_light:",
  done: ":white_check_mark:",
};
/** Slack cuts longer messages: https://docs.slack.dev/reference/methods/chat.postMessage/#truncating */
const SLACK_CHARACTERS_MAX = 1_800;

/** An incoming webhook of Slack: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/ */
export const SLACK: Form = {
  batchMax: 20,
  contentType: "application/json",
  body: (notifications) => JSON.stringify({ text: notifications.map(slackText).join("\n") }),
};

function slackText({ event, title, text, cluster, reason }: Notification): string {
  const where = cluster === undefined ? "" : ` in ${cluster}`;
  const why = event === "started" || reason === undefined ? "" : ` Reason of the drain: ${reason}.`;
  const body = `${EMOJI[event]} *${slackEscaped(title)}*${slackEscaped(where)}${text === "" ? "" : `\n${slackEscaped(text + why)}`}`;
  return body.length > SLACK_CHARACTERS_MAX ? `${body.slice(0, SLACK_CHARACTERS_MAX)}…` : body;
}

/** https://docs.slack.dev/messaging/formatting-message-text/#escaping */
function slackEscaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** The events that need a person, and the names of their alerts. */
const ALERTS: Readonly<Partial<Record<NotificationEvent, string>>> = {
  stuck: "HastaLaVistaNodeDrainStuck",
  refused: "HastaLaVistaNodeDrainRefused",
  failed: "HastaLaVistaNodeDrainFailed",
};
/**
 * An alert that is not sent again ends then, in milliseconds. It is longer than the hour after which a drain is
 * reported as stuck again.
 */
const ALERT_LASTS_MS = 2 * 3_600_000;

/** Alerts of the API of Alertmanager: https://prometheus.io/docs/alerting/latest/alerts_api/ */
export function alertmanagerForm(labels: Readonly<Record<string, string>>): Form {
  const alertsOf = (notification: Notification) => {
    const { event, at, node, cluster, title, text, drain, resolves } = notification;
    const alert = (of: NotificationEvent, times: object) => ({
      labels: {
        alertname: ALERTS[of],
        // The severity of the alert, not of the notification that resolves it: other labels would make another alert.
        severity: of === "failed" ? "critical" : "warning",
        instance_id: node.id,
        ...(node.name === undefined ? {} : { node: node.name }),
        ...(cluster === undefined ? {} : { cluster }),
        ...labels,
      },
      annotations: { summary: title, description: text, ...(drain === undefined ? {} : { drain }) },
      ...times,
    });
    const [now, later] = [new Date(at).toISOString(), new Date(at + ALERT_LASTS_MS).toISOString()];
    const fires = event in ALERTS ? [alert(event, { startsAt: now, endsAt: later })] : [];
    return [...resolves.map((one) => alert(one.event, { endsAt: now })), ...fires];
  };
  return {
    batchMax: 50,
    contentType: "application/json",
    body: (notifications) => {
      const alerts = notifications.flatMap(alertsOf);
      return alerts.length === 0 ? undefined : JSON.stringify(alerts);
    },
  };
}
