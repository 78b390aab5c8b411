import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DescribeLoadBalancersCommand } from "@aws-sdk/client-elastic-load-balancing";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { createAwsClients } from "../../src/aws/clients.ts";
import { elbError, SimulatedRegion } from "../support/simulated-region.ts";

// What this machine knows of AWS is no part of any of these tests.
beforeEach(() => {
  const known = Object.keys(process.env).filter((name) => name.startsWith("AWS_") && !name.startsWith("AWS_SDK_JS_"));
  for (const name of known) vi.stubEnv(name, undefined);
  vi.stubEnv("AWS_CONFIG_FILE", "/nonexistent/file");
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
});
afterEach(() => {
  vi.unstubAllEnvs();
});

/** A call with credentials from a file, which is not there yet. AWS takes those of `renewed` alone. */
async function scene() {
  const folder = await mkdtemp(join(tmpdir(), "credentials-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, "credentials");
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", path);
  const region = new SimulatedRegion();
  region.intercept = ({ accessKeyId }) =>
    accessKeyId === "renewed" ? undefined : elbError("ExpiredToken", "it has expired", 403);
  // The SDK signs: it alone knows when it has found others.
  const { credentials: _, signer: __, ...aws } = region.aws();
  const { classic } = createAwsClients({ region: region.world.region, ...aws });
  const call = () => classic.send(new DescribeLoadBalancersCommand({}));
  /** As programs that renew credentials do: another file in the place of the first. */
  const write = async (accessKeyId: string) => {
    await writeFile(
      `${path}.new`,
      `[default]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = simulated\n`,
    );
    await rename(`${path}.new`, path);
  };
  return { call, write };
}

test("a credentials file that was absent at the first call is found at a later one", async () => {
  const { call, write } = await scene();
  await expect(call()).rejects.toMatchObject({ name: "CredentialsProviderError" });
  await write("renewed");
  await expect(call()).resolves.toHaveProperty("LoadBalancerDescriptions");
});

test("a credentials file that was replaced counts after AWS has refused the old one's credentials", async () => {
  const { call, write } = await scene();
  await write("expired");
  await expect(call()).rejects.toMatchObject({ name: "ExpiredToken" });
  await write("renewed");
  await expect(call()).resolves.toHaveProperty("LoadBalancerDescriptions");
});
