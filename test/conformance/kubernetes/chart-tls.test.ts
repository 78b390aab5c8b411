import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { account } from "../../support/account.ts";
import { Authority } from "../../support/certificates.ts";
import { type PodSpec, startPod } from "../../support/pod-process.ts";
import { VARIANTS } from "../support/chart-values.ts";
import { template } from "../support/helm.ts";
import { describeOnKubernetes } from "../support/on-kubernetes.ts";

const KINDS = ["--api-versions=monitoring.coreos.com/v1/ServiceMonitor"];
const URL = "https://hasta-la-vista.kube-system:8080";

interface Made {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: PodSpec & { readonly template?: { readonly spec: PodSpec } };
}

describeOnKubernetes("the pods of the chart with TLS and client certificates", ["helm"], () => {
  /** Their processes on this machine, with the Secrets that the values name. */
  async function started() {
    const { stdout } = await template("helm", VARIANTS["TLS"] ?? {}, KINDS);
    const objects = parseAllDocuments(stdout).map((document) => document.toJS() as Made);
    const podOf = (kind: string, suffix = "") => {
      const found = objects.find((object) => object.kind === kind && object.metadata.name.endsWith(suffix));
      if (found === undefined) throw new Error(`there is no ${kind}`);
      return found.spec.template?.spec ?? found.spec;
    };
    const [servers, callers] = [new Authority("servers"), new Authority("callers")];
    const [service, caller] = [servers.sign("service"), callers.sign("caller")];
    const secrets = {
      "hasta-la-vista": { secret: "a-secret-of-the-chart" },
      "service-tls": { "tls.crt": service.cert, "tls.key": service.key, "ca.crt": servers.cert + callers.cert },
      "gate-tls": { "tls.crt": service.cert, "tls.key": service.key },
      "caller-tls": { "tls.crt": caller.cert, "tls.key": caller.key },
    };
    const { env } = await account();
    const environment = { ...env, HOST: "127.0.0.1", PORT: "0", KUBERNETES: "", LEASE: "", EVICTION_GATE: "" };
    const running = await startPod(podOf("Deployment"), { secrets, environment });
    const { port } = JSON.parse(await running.line(/"listening"/));
    await running.line(/"access check passed"/);
    const addresses = { [URL]: `https://127.0.0.1:${port}` };
    return { podOf, secrets, addresses, env };
  }

  test("let helm test and the holder through with the client certificate", async () => {
    const { podOf, secrets, addresses, env } = await started();
    const check = await startPod(podOf("Pod"), { secrets, environment: {}, addresses });
    expect(await check.finished).toMatchObject({ code: 0, stdout: expect.stringMatching(/^(ok: .+\n){3}$/) });
    const environment = { ...env, NODE_NAME: "i-0fffffffffffffff0" };
    const holding = await startPod(podOf("DaemonSet", "-holder"), { secrets, environment, addresses });
    await holding.line(/"msg":"hold ready"/);
    holding.signal("SIGTERM");
    await holding.line(/"result":"node-not-found","msg":"hold ended"/);
  });

  test("let no caller through with a certificate of another authority", async () => {
    const { podOf, secrets, addresses } = await started();
    const stranger = new Authority("strangers").sign("stranger");
    const forged = { ...secrets, "caller-tls": { "tls.crt": stranger.cert, "tls.key": stranger.key } };
    const check = await startPod(podOf("Pod"), { secrets: forged, environment: {}, addresses });
    const { code, stdout } = await check.finished;
    expect(code).toBe(1);
    expect(stdout).toContain("failed: the service takes the secret: GET /drains answered 4");
  });

  test("do not show the key of the service to its callers", async () => {
    const { podOf } = await started();
    for (const pod of [podOf("DaemonSet", "-holder"), podOf("DaemonSet", "-agent"), podOf("Pod")]) {
      const items = pod.volumes
        .filter(({ secret }) => secret?.secretName === "service-tls")
        .map(({ secret }) => secret?.items);
      expect(items).toEqual([[{ key: "ca.crt", path: "ca.crt" }]]);
    }
  });
});
