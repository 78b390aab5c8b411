import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { clusterRules, type PolicyRule } from "../../../src/kubernetes/rbac.ts";
import { account, ID } from "../../support/account.ts";
import { folder } from "../../support/api-client.ts";
import { codeBlocks } from "../../support/documents.ts";
import { runHere, serveHere } from "../../support/run-here.ts";
import { keepSecret } from "../../support/secret-search.ts";
import { VARIANTS } from "../support/chart-values.ts";
import { template } from "../support/helm.ts";
import type { KubernetesCluster } from "../support/kubernetes-cluster.ts";
import { describeOnKubernetes } from "../support/on-kubernetes.ts";

const SECRET = "a-secret-beside-the-tokens";
const AUDIENCE = "hasta-la-vista";
const ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts";

/** The first role of docs/kubernetes.md, for a caller that drains nodes. */
const [DOCUMENTED] = codeBlocks("docs/kubernetes.md")
  .filter(({ text }) => text.includes("[hasta-la-vista.io]"))
  .flatMap(({ text }) => parseAllDocuments(text).map((document) => document.toJS()))
  .filter(({ kind }) => kind === "ClusterRole") as readonly { readonly rules: readonly PolicyRule[] }[];

/** What `rbac --token-review` prints for the service. */
const RULES = clusterRules({ writes: true, watches: true, reviewsTokens: true });

interface Made {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

let callers = 0;

/** A service account that may do this, and how it gets tokens. */
async function caller(cluster: KubernetesCluster, rules: readonly PolicyRule[]) {
  const name = `caller-${++callers}`;
  await cluster.tokenFor(name, rules);
  const token = (spec: object = {}) => requestToken(cluster, `${ACCOUNTS}/${name}`, spec);
  return { name, user: `system:serviceaccount:default:${name}`, token };
}

async function requestToken(cluster: KubernetesCluster, account: string, spec: object): Promise<string> {
  const request = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { audiences: [AUDIENCE], expirationSeconds: 600, ...spec },
  };
  const { status } = await cluster.api.post<{ status: { token: string } }>(`${account}/token`, request);
  keepSecret(status.token);
  return status.token;
}

/** A service under the role that it needs, or under these rules. */
async function scene(cluster: KubernetesCluster, more: Readonly<Record<string, string>> = {}, rules = RULES) {
  const { env } = await account();
  const name = `service-${++callers}`;
  const KUBERNETES = cluster.kubeconfigFor(name, await cluster.tokenFor(name, rules));
  const { child, url } = await serveHere({ ...env, SECRET, KUBERNETES, UNDO: "true", TOKEN_REVIEW: "true", ...more });
  const ask = async (token: string, path: string, method = "GET") => {
    const answer = await fetch(url + path, { method, headers: { authorization: `Bearer ${token}` } });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
  return { child, url, env, ask };
}

const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());

describeOnKubernetes("a caller with a token of its service account, on a real API server,", ["helm"], (cluster) => {
  test("does what the documented role allows, and nothing else; its name is in the drain", async () => {
    const { ask, child } = await scene(cluster());
    const { token, user } = await caller(cluster(), DOCUMENTED?.rules ?? []);
    const sent = await token();
    const drained = await ask(sent, `/drain?id=${ID}&dryRun=true`, "POST");
    expect(drained.status).toBe(200);
    const begun = await ask(sent, `/drain?id=${ID}&wait=false`, "POST");
    expect(begun.status).toBe(202);
    const { body } = await ask(sent, `/drains/${begun.body["drainId"]}`);
    expect(body["requests"]).toEqual([expect.objectContaining({ asker: expect.objectContaining({ user }) })]);
    const refused = await ask(sent, `/drains/${begun.body["drainId"]}`, "DELETE");
    expect(refused.status).toBe(403);
    expect(refused.body["detail"]).toContain(`${user} may not 'delete' 'drains' of the group hasta-la-vista.io`);
    expect(child.output).toMatch(new RegExp(`"user":"${user}","msg":"request rejected"`));
  });

  test("is refused without a permission, and with a permission for other groups or names alone", async () => {
    const { ask } = await scene(cluster());
    const others: readonly PolicyRule[] = [
      { apiGroups: [""], resources: ["nodes"], verbs: ["*"] },
      { apiGroups: ["hasta-la-vista.io"], resources: ["nodes"], verbs: ["list", "watch", "create"] },
    ];
    for (const rules of [[], others]) {
      const { token } = await caller(cluster(), rules);
      expect((await ask(await token(), `/nodes/${ID}`)).status).toBe(403);
    }
  });

  test("is refused with a token that has expired, is forged, or is for another audience or nobody", async () => {
    const { ask } = await scene(cluster());
    const { token } = await caller(cluster(), DOCUMENTED?.rules ?? []);
    const valid = await token();
    const claims = claimsOf(valid);
    const hourAgo = Math.floor(Date.now() / 1_000) - 3_600;
    const expired = cluster().signedToken({ ...claims, iat: hourAgo - 600, nbf: hourAgo - 600, exp: hourAgo });
    const [head, payload, signature] = valid.split(".");
    const forged = Buffer.from(JSON.stringify({ ...claims, sub: "system:admin" })).toString("base64url");
    const wrong = {
      expired,
      forged: `${head}.${forged}.${signature}`,
      "without a signature": `${head}.${payload}.${"A".repeat(86)}`,
      "for the API server": await token({ audiences: ["https://kubernetes.default.svc"] }),
      "for another service": await token({ audiences: ["vault"] }),
    };
    for (const [what, sent] of Object.entries(wrong)) {
      const { status, body } = await ask(sent, "/drains");
      expect([what, status, body["detail"]]).toEqual([what, 401, expect.stringMatching(/^the token is not valid/)]);
    }
    // That it is the claims and not the way of signing:
    expect((await ask(cluster().signedToken(claims), "/drains")).status).toBe(200);
  });

  test("is refused once its service account is gone", async () => {
    const { ask } = await scene(cluster());
    const { token, name } = await caller(cluster(), DOCUMENTED?.rules ?? []);
    const [before, after] = [await token(), await token()];
    expect((await ask(before, "/drains")).status).toBe(200);
    await cluster().api.delete(`${ACCOUNTS}/${name}`);
    const review = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      spec: { token: after, audiences: [AUDIENCE] },
    };
    const isValid = async () => {
      const path = "/apis/authentication.k8s.io/v1/tokenreviews";
      const { status } = await cluster().api.post<{ status: { authenticated?: boolean } }>(path, review);
      return status.authenticated ?? false;
    };
    await expect.poll(isValid).toBe(false);
    expect((await ask(after, "/drains")).status).toBe(401);
  });

  test("gets 503 while the API server hangs, and the secret is accepted", async () => {
    const { ask, child } = await scene(cluster());
    const { token } = await caller(cluster(), DOCUMENTED?.rules ?? []);
    const sent = await token();
    await cluster().pause();
    try {
      const refused = await ask(sent, "/drains");
      expect([refused.status, refused.body["detail"]]).toEqual([503, expect.stringContaining("send the secret")]);
      expect((await ask(SECRET, "/drains")).status).toBe(200);
    } finally {
      cluster().resume();
    }
    await child.line(/"msg":"token review failed"/);
    expect((await ask(sent, "/drains")).status).toBe(200);
  });

  test("gets 503 where the service may not review tokens, and the log names the role", async () => {
    const { ask, child } = await scene(cluster(), {}, clusterRules({ writes: true, watches: true }));
    const { token } = await caller(cluster(), DOCUMENTED?.rules ?? []);
    expect((await ask(await token(), "/drains")).status).toBe(503);
    await child.line(/'hasta-la-vista rbac --token-review' prints the role.*"msg":"token review failed"/);
  });

  test("of the chart may do what the holder, the agents and the callers of the values need, and nothing else", async () => {
    const { stdout } = await template("helm", VARIANTS["tokens"] ?? {});
    const made = parseAllDocuments(stdout).map((document) => document.toJS() as Made);
    const accounts = made.filter(
      ({ kind, metadata: { name } }) => kind === "ServiceAccount" && name !== "hasta-la-vista",
    );
    expect(accounts.map(({ metadata: { name } }) => name)).toEqual(["hasta-la-vista-agent", "hasta-la-vista-holder"]);
    for (const { metadata, ...object } of made) {
      // The service's own Role is of a namespace.
      if (object.kind.startsWith("ClusterRole"))
        await cluster().api.apply(`/apis/${object.apiVersion}/${object.kind.toLowerCase()}s/${metadata.name}`, object);
    }
    const tokenOf = async (namespace: string, name: string) => {
      const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}`;
      await cluster().api.apply(path, { apiVersion: "v1", kind: "ServiceAccount" });
      return requestToken(cluster(), path, { audiences: ["drains"] });
    };
    await cluster().api.apply("/api/v1/namespaces/ci", { apiVersion: "v1", kind: "Namespace" });
    const { ask } = await scene(cluster(), { TOKEN_AUDIENCE: "drains" });
    const allowed = async (token: string) => {
      const answers = {
        drain: await ask(token, `/drain?id=${ID}&dryRun=true`, "POST"),
        list: await ask(token, "/drains"),
        follow: await ask(token, "/drains/d-0"),
        cancel: await ask(token, "/drains/d-0", "DELETE"),
        node: await ask(token, `/nodes/${ID}`),
      };
      return Object.entries(answers).flatMap(([what, { status }]) => (status === 403 ? [] : [what]));
    };
    expect(await allowed(await tokenOf("kube-system", "hasta-la-vista-holder"))).toEqual(["node"]);
    expect(await allowed(await tokenOf("kube-system", "hasta-la-vista-agent"))).toEqual(["drain", "list"]);
    for (const name of ["deployer", "runner"])
      expect(await allowed(await tokenOf("ci", name))).toEqual(["drain", "list", "follow", "node"]);
    expect(await allowed(await tokenOf("ci", "default"))).toEqual([]);
  });

  test("drains by the command line with --token-file", async () => {
    const { url, env } = await scene(cluster());
    const { token } = await caller(cluster(), DOCUMENTED?.rules ?? []);
    const file = join(folder(), "token");
    writeFileSync(file, await token());
    const { code, stderr } = await runHere(["plan", ID, "--server", url, "--token-file", file], env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });
});
