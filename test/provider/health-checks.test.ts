import { expect, test } from "vitest";
import { keepsUnhealthyMs, kubeProxyCheckOf } from "../../src/provider/health-checks.ts";

const SHARED = {
  HealthCheckProtocol: "HTTP",
  HealthCheckPort: "10256",
  HealthCheckPath: "/healthz",
  HealthCheckIntervalSeconds: 10,
  UnhealthyThresholdCount: 3,
  Matcher: { HttpCode: "200-399" },
} as const;

test("a health check asks kube-proxy by its port and path, and fails after the threshold", () => {
  expect(kubeProxyCheckOf(SHARED)).toBe(30_000);
  expect(kubeProxyCheckOf({ ...SHARED, HealthCheckEnabled: true, Matcher: { HttpCode: "200,204" } })).toBe(30_000);
});

test.each([
  ["of the traffic port", { HealthCheckPort: "traffic-port" }],
  ["by TCP", { HealthCheckProtocol: "TCP" }],
  ["by HTTPS", { HealthCheckProtocol: "HTTPS" }],
  ["of a Service's own health check port (externalTrafficPolicy: Local)", { HealthCheckPort: "32123" }],
  ["that says nothing of the node", { HealthCheckPath: "/livez" }],
  ["that takes 503 for healthy", { Matcher: { HttpCode: "200-599" } }],
  ["that names 503 as healthy", { Matcher: { HttpCode: "200,503" } }],
  ["without an interval", { HealthCheckIntervalSeconds: undefined }],
  ["without a threshold", { UnhealthyThresholdCount: 0 }],
  ["that is switched off", { HealthCheckEnabled: false }],
] as const)("a health check %s does not", (_, more) => {
  expect(kubeProxyCheckOf({ ...SHARED, ...more } as Parameters<typeof kubeProxyCheckOf>[0])).toBeUndefined();
});

const TERMINATION = "target_health_state.unhealthy.connection_termination.enabled";
const INTERVAL = "target_health_state.unhealthy.draining_interval_seconds";

test.each([
  ["closed at once by default", {}, undefined],
  ["closed at once", { [TERMINATION]: "true", [INTERVAL]: "300" }, undefined],
  ["kept", { [TERMINATION]: "false" }, Number.POSITIVE_INFINITY],
  ["kept without an interval", { [TERMINATION]: "false", [INTERVAL]: "0" }, Number.POSITIVE_INFINITY],
  ["kept for the interval", { [TERMINATION]: "false", [INTERVAL]: "300" }, 300_000],
  ["closed where the interval can't be read", { [TERMINATION]: "false", [INTERVAL]: "soon" }, undefined],
  ["closed where the attribute can't be read", { [TERMINATION]: "off" }, undefined],
])("connections of an unhealthy target are %s", (_, attributes, keptMs) => {
  expect(keepsUnhealthyMs(new Map(Object.entries(attributes)))).toBe(keptMs);
});
