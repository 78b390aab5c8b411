import { expect, onTestFinished, test } from "vitest";
import { MetadataListeners } from "../../src/simulator/metadata/metadata-listeners.ts";
import { SimulatedRegion, VPC } from "../support/simulated-region.ts";
import { describeWith, RunningProgram } from "./support/programs.ts";

interface Read {
  readonly attributes: Readonly<Record<string, string>>;
  readonly failures: Readonly<Record<string, string>>;
}

// https://pypi.org/project/ec2-metadata/
describeWith("python", "the client ec2-metadata", () => {
  test("reads every attribute of a simulated spot instance that is interrupted", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    const listeners = new MetadataListeners(region.world);
    onTestFinished(() => listeners.close());
    const url = await listeners.open(node);
    region.world.interruptions.interrupt(node);
    const { stdout, stderr } = await new RunningProgram("python", ["-m", "imds.attributes", url]).ended;
    expect(stderr).toBe("");
    const { attributes, failures }: Read = JSON.parse(stdout);
    // As on an instance whose tags are not allowed in its metadata, which is the default.
    // https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/work-with-tags-in-IMDS.html
    expect(failures).toEqual({ tags: expect.stringMatching(/^HTTPError: HTTP 404: .*\/tags\/instance\/$/) });
    expect(attributes).toMatchObject({
      account_id: region.world.accountId,
      ami_manifest_path: "(unknown)",
      autoscaling_target_lifecycle_state: "None",
      availability_zone: node.zone,
      iam_info: "None",
      instance_action: "none",
      instance_id: node.id,
      network_interfaces: expect.stringContaining(attributes["mac"] ?? "no mac"),
      partition: "aws",
      private_ipv4: node.privateIp,
      region: region.world.region,
      spot_instance_action: "terminate 2026-01-01 00:02:00+00:00",
      "interface.device_number": "0",
      "interface.private_ipv4s": `['${node.privateIp}']`,
      "interface.vpc_id": VPC,
      "interface.vpc_ipv4_cidr_block": "10.0.0.0/16",
    });
    expect(Object.keys(attributes).length).toBeGreaterThan(45);
  });
});
