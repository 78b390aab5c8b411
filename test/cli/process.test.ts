import { expect, test } from "vitest";
import { environmentOf } from "../../src/cli/process.ts";

const PLUG_IN = "/usr/local/bin/kubectl-hasta_la_vista";

test.each([
  ["kubectl's files", PLUG_IN, { KUBECONFIG: "/a:/b", HOME: "/home" }, "/a:/b"],
  ["kubectl's default", PLUG_IN, { HOME: "/home" }, "/home/.kube/config"],
  ["kubectl's default, where KUBECONFIG is empty", PLUG_IN, { KUBECONFIG: "", HOME: "/home" }, "/home/.kube/config"],
  ["what KUBERNETES says", PLUG_IN, { KUBERNETES: "in-cluster", KUBECONFIG: "/a" }, "in-cluster"],
  ["nothing without a home", PLUG_IN, {}, undefined],
  ["nothing by its own name", "/usr/local/bin/hasta-la-vista", { KUBECONFIG: "/a", HOME: "/home" }, undefined],
])("a run goes by %s", (_, program, environment, expected) => {
  expect(environmentOf(program, environment)["KUBERNETES"]).toBe(expected);
});
