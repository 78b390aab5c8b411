import { describe, expect, test } from "vitest";
import { PLAIN_LOOK } from "../../src/cli/look.ts";
import { aligned, table, wrapped } from "../../src/cli/table.ts";
import { nodeStatusText, planText } from "../../src/cli/text.ts";
import type { PlanReport } from "../../src/drain/report.ts";

const NODE = {
  cluster: undefined,
  id: "i-0123456789abcdef0",
  name: "ip-10-0-1-5.eu-west-1.compute.internal",
  network: "vpc-0123456789abcdef0",
};
const REGISTRATION = {
  kind: "alb",
  loadBalancer: "k8s-ingressn-ingressn-0123456789",
  pool: "k8s-ingressn-ingressn-abcdef0123",
  target: "i-0123456789abcdef0:30080",
  state: "healthy",
} as const;
const PLAN: PlanReport = {
  node: NODE,
  asOf: "1970-01-01T00:00:00.000Z",
  longestHoldSeconds: 300,
  limit: { reason: "deadline", at: "1970-01-01T00:02:00.000Z" },
  registrations: [
    {
      ...REGISTRATION,
      action: "deregister",
      writable: true,
      waitSeconds: 0,
      holdSeconds: 300,
      shortBySeconds: 190,
      unsaved: [{ code: "long-requests", message: "requests that take longer than 300 s are cut" }],
    },
  ],
  elsewhere: [],
  warnings: [
    "the deadline leaves 110 s (10 s are reserved by DEADLINE_MARGIN), the longest hold needs 300 s: traffic may be lost",
  ],
};
const STATUS = { node: NODE, asOf: PLAN.asOf, registrations: [REGISTRATION], elsewhere: [] };

const look = (width = Number.POSITIVE_INFINITY) => ({ ...PLAIN_LOOK, width });
const widest = (text: string) => Math.max(...text.split("\n").map((line) => line.length));

describe.each([
  ["a plan", (width?: number) => planText(PLAN, look(width))],
  ["a status", (width?: number) => nodeStatusText(STATUS, look(width))],
])("%s", (_, textFor) => {
  test("has one row a registration in a file or a pipe, however long its names are", () => {
    expect(textFor()).toMatch(
      /^alb +k8s-ingressn-ingressn-0123456789 \/ k8s-ingressn-ingressn-abcdef0123 {2}i-\S+ {2}healthy/m,
    );
  });

  test("fits a terminal of 80 columns, with every name whole", () => {
    const text = textFor(80);
    expect(widest(text)).toBeLessThanOrEqual(80);
    for (const name of [REGISTRATION.loadBalancer, REGISTRATION.pool, REGISTRATION.target])
      expect(text).toContain(name);
  });

  test("keeps its columns in a terminal that is wide enough", () => {
    expect(textFor(200).split("\n")).toContainEqual(
      expect.stringMatching(/^KIND {2}LOAD BALANCER \/ POOL +TARGET +STATE/),
    );
  });
});

describe("a table", () => {
  const header = ["KIND", "PLACE", "TARGET", "STATE"];
  const rows = [
    ["alb", "web-lb / web-pool", "i-1:80", "healthy"],
    ["nlb", "tcp", "i-1:90", ""],
  ];
  const lines = (width: number) => table({ header, rows, width, naming: 1 });

  test("has columns as wide as their cells need", () => {
    expect(lines(80)).toEqual([
      "KIND  PLACE              TARGET  STATE",
      "alb   web-lb / web-pool  i-1:80  healthy",
      "nlb   tcp                i-1:90",
    ]);
  });

  test("breaks cells at spaces where it has less room", () => {
    expect(lines(31)).toEqual([
      "KIND  PLACE     TARGET  STATE",
      "alb   web-lb /  i-1:80  healthy",
      "      web-pool",
      "nlb   tcp       i-1:90",
    ]);
  });

  test("has a paragraph for each row where not even the words fit, and breaks none of them", () => {
    expect(lines(30)).toEqual([
      "alb  web-lb / web-pool",
      "    target: i-1:80",
      "    state: healthy",
      "nlb  tcp",
      "    target: i-1:90",
    ]);
  });

  test("counts the columns that a terminal needs: wide characters two, colours none", () => {
    expect(
      aligned([
        ["節点", "x"],
        ["\u001b[31mab\u001b[39m", "y"],
      ]),
    ).toEqual(["節点  x", "\u001b[31mab\u001b[39m    y"]);
    expect(wrapped("  節点 節点 節点", 11)).toBe("  節点\n    節点\n    節点");
  });
});
