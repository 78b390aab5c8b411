import "../../src/provider/audit.ts";
import { AutoScalingClient, DescribeAutoScalingGroupsCommand } from "@aws-sdk/client-auto-scaling";
import { examine } from "../../src/app/doctor.ts";
import { createEngine } from "../../src/app/engine.ts";
import { readConfig } from "../../src/config/config.ts";
import type { FindingCode } from "../../src/doctor/finding.ts";
import type { DoctorReport } from "../../src/doctor/report.ts";
import type { CloudCall } from "../../src/drain/events.ts";
import { mend } from "./mending.ts";
import { printedFor } from "./printed-policy.ts";
import { CREDENTIALS, never, SimulatedRegion } from "./simulated-region.ts";

/**
 * What doctor says of a region, with credentials that may do what `policy --for doctor` prints, but for the
 * action that is `denied`. `options`: by their variables.
 */
export async function doctorOf(
  region: SimulatedRegion,
  options: Readonly<Record<string, string>> = {},
  onCall: (call: Omit<CloudCall, "purpose">) => unknown = () => {},
  denied?: string,
): Promise<DoctorReport> {
  const environment = { AWS_REGION: region.world.region, QUOTA_SHARE: "100", ...options };
  const accessKeyId = "doctor";
  const { Version, Statement } = printedFor({ AWS_REGION: region.world.region, ...options }, { for: "doctor" });
  const allowed = Statement.map((one) => ({ ...one, Action: one.Action.filter((action) => action !== denied) }));
  const document = { Version, Statement: allowed.filter(({ Action }) => Action.length > 0) };
  region.simulator.access.restrict({ accessKeyId, document });
  const aws = region.aws({ ...CREDENTIALS, accessKeyId });
  const config = readConfig({ verb: "doctor", environment });
  const { clock } = region;
  const engine = createEngine(config, { clock, aws, onCall });
  return clock.run(examine(config, { clock, engine, aws, onCall, environment: {} }, never));
}

/** Runs the commands of all findings with the code, as an operator would. Throws where there is none. */
export async function mendAll(region: SimulatedRegion, { findings }: DoctorReport, code: FindingCode): Promise<void> {
  const lines = findings.filter((one) => one.code === code).flatMap((one) => one.mend);
  if (lines.length === 0) throw new Error(`nothing mends ${code}`);
  for (const line of lines) await mend(line, region.aws());
}

export function codesOf({ findings }: DoctorReport): readonly FindingCode[] {
  return findings.map(({ code }) => code);
}

// At its first call the SDK loads modules, for which no virtual clock waits.
await new AutoScalingClient({ region: "eu-west-1", ...new SimulatedRegion().aws() }).send(
  new DescribeAutoScalingGroupsCommand({}),
);
