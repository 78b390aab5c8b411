import { expect, test } from "vitest";
import { alertmanagerForm, PLAIN_WEBHOOK, SLACK, templateForm } from "../../src/notify/forms.ts";
import type { Notification } from "../../src/notify/notification.ts";

const AT = Date.parse("2026-01-01T12:00:00Z");
const failed: Notification = {
  id: "n-1",
  event: "failed",
  level: "error",
  at: AT,
  drain: "d-1",
  node: { id: "i-1", name: "ip-10-0-1-5" },
  cluster: "blue",
  reason: 'they said "now"',
  result: "failed",
  tookMs: 1_234,
  title: "Node <i-1> & others",
  text: "It failed.",
  targets: [],
  targetsLeftOut: 0,
  resolves: [{ event: "stuck", level: "warning" }],
};
const json = (text: string | undefined): unknown => JSON.parse(text ?? "");

test("a webhook gets all that is known, as JSON", () => {
  expect(json(PLAIN_WEBHOOK.body([failed]))).toEqual({
    id: "n-1",
    event: "failed",
    level: "error",
    time: "2026-01-01T12:00:00.000Z",
    drain: "d-1",
    node: { id: "i-1", name: "ip-10-0-1-5" },
    cluster: "blue",
    reason: 'they said "now"',
    result: "failed",
    tookSeconds: 1.2,
    title: "Node <i-1> & others",
    text: "It failed.",
    targets: [],
    targetsLeftOut: 0,
    resolves: [{ event: "stuck", level: "warning" }],
  });
});

test("a template gets the same, escaped for JSON", () => {
  const form = templateForm('{"message": "{{title}}, because {{reason}}", "node": "{{node.id}}"}', "application/json");
  expect(json(form.body([failed]))).toEqual({
    message: 'Node <i-1> & others, because they said "now"',
    node: "i-1",
  });
});

test("a template of another content type gets values as they are", () => {
  expect(templateForm("{{title}}: {{reason}}", "text/plain").body([failed])).toBe(
    'Node <i-1> & others: they said "now"',
  );
});

test("Slack gets several in one message, with its own characters escaped", () => {
  const started: Notification = {
    ...failed,
    event: "started",
    level: "info",
    title: "Node b is being drained",
    text: "",
  };
  expect(json(SLACK.body([failed, started]))).toEqual({
    text: [
      ":rotating_light: *Node &lt;i-1&gt; &amp; others* in blue",
      'It failed. Reason of the drain: they said "now".',
      ":arrow_down: *Node b is being drained* in blue",
    ].join("\n"),
  });
});

test("Slack gets no more of a notification than it shows", () => {
  const { text } = json(SLACK.body([{ ...failed, text: "a".repeat(100_000) }])) as { text: string };
  expect(text.length).toBeLessThan(2_000);
});

test("Alertmanager gets what needs a person as an alert, and the end of an earlier one", () => {
  const labels = { severity: "critical", instance_id: "i-1", node: "ip-10-0-1-5", cluster: "blue", team: "platform" };
  const annotations = { summary: "Node <i-1> & others", description: "It failed.", drain: "d-1" };
  expect(json(alertmanagerForm({ team: "platform" }).body([failed]))).toEqual([
    {
      labels: { ...labels, alertname: "HastaLaVistaNodeDrainStuck", severity: "warning" },
      annotations,
      endsAt: "2026-01-01T12:00:00.000Z",
    },
    {
      labels: { ...labels, alertname: "HastaLaVistaNodeDrainFailed" },
      annotations,
      startsAt: "2026-01-01T12:00:00.000Z",
      endsAt: "2026-01-01T14:00:00.000Z",
    },
  ]);
});

test("Alertmanager gets nothing of a drain that ends as it should", () => {
  expect(alertmanagerForm({}).body([{ ...failed, event: "done", level: "info", resolves: [] }])).toBeUndefined();
});
