import { describe, expect, test } from "vitest";
import type { Notification } from "../../src/notify/notification.ts";
import { readReceivers } from "../../src/notify/receivers.ts";
import { RECEIVER_FILES } from "../support/chart-options.ts";

const notification = (more: Partial<Notification>): Notification => ({
  id: "n-1",
  event: "failed",
  level: "error",
  at: 0,
  node: { id: "i-1" },
  title: "A title",
  text: "A text.",
  targets: [],
  targetsLeftOut: 0,
  resolves: [],
  ...more,
});
const files: Readonly<Record<string, string>> = {
  "/slack": "https://hooks.slack.com/services/T0/B0/secret-part\n",
  "/empty": "\n",
  "/no-url": "a-secret-nobody-may-see",
  "/token": "the-token \nignored",
};
const readFile = (path: string) => Promise.resolve(files[path] ?? "");
const one = (text: string) => {
  const [receiver] = readReceivers(text).receivers;
  if (receiver === undefined) throw new Error("no receiver");
  return receiver;
};

describe("a file of receivers", () => {
  test("has the address, the token and the secret of each in files that are read each time", async () => {
    const text =
      "receivers: [{ name: chat, webhook: { urlFile: /slack, bearerTokenFile: /token, secretFile: /token } }]";
    const receiver = one(text);
    expect((await receiver.url(readFile)).href).toBe("https://hooks.slack.com/services/T0/B0/secret-part");
    expect(await receiver.token?.(readFile)).toBe("the-token");
    expect(await receiver.secret?.(readFile)).toBe("the-token");
  });

  test.each(RECEIVER_FILES)("is read where a document shows one: $document", ({ text }) => {
    expect(readReceivers(text).receivers.length).toBeGreaterThan(0);
  });

  test.each([
    ["http://alerts:9093", "http://alerts:9093/api/v2/alerts"],
    ["https://example.com/alertmanager/", "https://example.com/alertmanager/api/v2/alerts"],
  ])("names an Alertmanager by its address: %s", async (url, called) => {
    const receiver = one(`receivers: [{ name: alerts, alertmanager: { url: "${url}" } }]`);
    expect((await receiver.url(readFile)).href).toBe(called);
  });

  test("says after how many seconds a drain is stuck, and may be JSON", () => {
    const given = { stuckAfter: 900, receivers: [{ name: "a", webhook: { url: "https://example.com" } }] };
    expect(readReceivers(JSON.stringify(given)).stuckAfterMs).toBe(900_000);
    expect(readReceivers(JSON.stringify({ receivers: given.receivers })).stuckAfterMs).toBe(300_000);
  });

  const webhook = (more: string) => `receivers: [{ name: a, webhook: { url: "https://example.com", ${more} } }]`;
  test.each([
    ["", "give a mapping with the key receivers"],
    ["receivers: []", "receivers: give at least 1 in the list"],
    ["receiver: 1", "receivers: give a list; the file: there is no key 'receiver' here: remove it"],
    ["receivers: [}", /^it is not valid YAML, line 1: /],
    [
      "receivers: [{ name: A, slack: { url: 'https://example.com' } }]",
      "receivers[0].name: give lower-case letters, digits and -",
    ],
    ["receivers: [{ name: a }]", "receivers[0]: give exactly one of slack, alertmanager and webhook"],
    [
      "receivers: [{ name: a, slack: { url: 'https://example.com' }, webhook: { url: 'https://example.com' } }]",
      "receivers[0]: give exactly one of slack, alertmanager and webhook",
    ],
    ["receivers: [{ name: a, slack: {} }]", "receivers[0].slack: give either url or urlFile"],
    [
      "receivers: [{ name: a, slack: { url: 'https://example.com', urlFile: /slack } }]",
      "receivers[0].slack: give either url or urlFile",
    ],
    [
      "receivers: [{ name: a, slack: { url: 'ftp://example.com/a-secret' } }]",
      "receivers[0].slack.url: give a URL that begins with https:// or http://",
    ],
    [
      "receivers: [{ name: a, slack: { url: 'https://example.com', secretFile: /a } }]",
      "receivers[0].slack: there is no key 'secretFile' here: remove it",
    ],
    ["stuckAfter: 5\nreceivers: [{ name: a, slack: { url: 'https://example.com' } }]", "stuckAfter: give at least 60"],
    [
      "receivers: [{ name: a, slack: { url: 'https://a.example' } }, { name: a, slack: { url: 'https://b.example' } }]",
      "two receivers have the name 'a': give each its own",
    ],
    [webhook(`template: "{{#title}}"`), /^receiver 'a': the template is malformed: /],
    [
      webhook(`template: "{{title}}"`),
      /^receiver 'a': the template makes no valid JSON: put each value in double quotes/,
    ],
    [
      webhook(`template: '{"a": "{{titel}}"}'`),
      "receiver 'a': the template has 'titel', which no notification has: use the names of the document",
    ],
    [webhook(`template: '"{{#targets}}{{node.nam}}{{/targets}}"'`), "the template has 'node.nam'"],
    [webhook(`template: '"{{> header}}"'`), "the template has 'header'"],
    [webhook("contentType: text"), "receivers[0].webhook.contentType: give a media type such as application/json"],
    [webhook('contentType: "text/plain\\nX: y"'), "receivers[0].webhook.contentType: give a media type"],
    [
      webhook("").replace("name: a", "name: a, events: [paused]"),
      "receivers[0].events[0]: give one of started, stuck, refused, failed, done",
    ],
    [webhook("").replace("name: a", "name: a, level: loud"), "receivers[0].level: give one of info, warning, error"],
    [
      "receivers: [{ name: a, alertmanager: { url: 'https://a.example', labels: { 1team: b } } }]",
      /a label has letters, digits and _/,
    ],
  ])("is refused where it says %s", (text, problem) => {
    expect(() => readReceivers(text)).toThrow(problem);
    expect(() => readReceivers(text)).not.toThrow(/a-secret/);
  });

  test.each([
    ["/empty", "the first line of /empty is empty"],
    ["/no-url", "/no-url holds no URL that begins with https:// or http://"],
  ])("names a file of an address that has none, and not what it holds: %s", async (path, problem) => {
    await expect(one(`receivers: [{ name: a, slack: { urlFile: ${path} } }]`).url(readFile)).rejects.toThrow(problem);
  });
});

test("a template may use each name of the document, also inside of lists", () => {
  const template =
    "{{title}} {{{text}}} {{node.name}} {{tookSeconds}} {{#targets}}{{loadBalancer}} {{place}} {{error}}{{/targets}}" +
    "{{^cluster}}-{{/cluster}}{{targets.length}}{{#resolves}}{{event}}{{/resolves}}{{! a comment }}";
  const text = JSON.stringify(template);
  expect(() =>
    readReceivers(
      `receivers: [{ name: a, webhook: { url: "https://a.example", contentType: "text/plain; charset=utf-8", template: ${text} } }]`,
    ),
  ).not.toThrow();
});

test.each([
  ["bearerTokenFile", "tök-a-secret", "the first line of /file has characters that are not ASCII"],
  ["secretFile", "whsec_a secret", "the secret in /file begins with whsec_, but no base64 follows"],
])("%s is refused where it can't be used, and its content is not shown", async (key, content, problem) => {
  const { token, secret } = one(`receivers: [{ name: a, webhook: { url: "https://a.example", ${key}: /file } }]`);
  const read = (token ?? secret)?.(() => Promise.resolve(content));
  await expect(read).rejects.toThrow(problem);
  await expect(read).rejects.not.toThrow(/a.secret/);
});

describe("a receiver gets", () => {
  const of = (rest: string, form = "slack") =>
    one(`receivers: [{ name: a, ${rest} ${form}: { url: "https://example.com" } }]`);
  const started = notification({ event: "started", level: "info" });
  const refused = notification({ event: "refused", level: "warning" });
  const failed = notification({});
  const done = notification({ event: "done", level: "info" });

  test("warnings and errors, and a webhook everything, unless it asks otherwise", () => {
    expect([started, refused, failed, done].map(of("").wants)).toEqual([false, true, true, false]);
    expect([started, refused, failed, done].map(of("", "webhook").wants)).toEqual([true, true, true, true]);
    expect([started, refused, failed, done].map(of("level: error,").wants)).toEqual([false, false, true, false]);
    expect([started, refused, failed, done].map(of("level: info, events: [started],").wants)).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });

  test("the end of a trouble that it was told of, and of no other", () => {
    const over = notification({ event: "done", level: "info", resolves: [{ event: "stuck", level: "warning" }] });
    expect(of("").wants(over)).toBe(true);
    expect(of("level: error,").wants(over)).toBe(false);
    expect(of("events: [failed],").wants(over)).toBe(false);
  });
});
