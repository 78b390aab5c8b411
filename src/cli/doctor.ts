import type { Severity } from "../doctor/finding.ts";
import { type DoctorReport, hasAtLeast } from "../doctor/report.ts";
import { newAbort } from "../drain/abort.ts";
import type { Call } from "./call.ts";
import { EXIT } from "./exit-codes.ts";
import { configFrom, type ServerOptions } from "./options.ts";
import { type Format, formatFrom, type OutputFlags, printResult } from "./output.ts";

interface DoctorOptions extends OutputFlags, ServerOptions {
  readonly failOn: Severity;
}

export async function runDoctor(call: Call): Promise<number> {
  const options = call.options as unknown as DoctorOptions;
  const format = formatFrom(options);
  const { server, failOn } = options;
  if (server !== undefined) return askService({ ...options, server }, format, call);
  const report = await examineHere(call);
  return tell(report, failOn, format, call);
}

async function examineHere(call: Call): Promise<DoctorReport> {
  const config = configFrom(call, "doctor");
  const { clock } = call.streams;
  const [{ openEngine }, { examine }] = await Promise.all([import("../app/places.ts"), import("../app/doctor.ts")]);
  const engine = await openEngine(config, { clock });
  return examine(config, { clock, engine, environment: call.environment }, newAbort().signal);
}

/** The report of a service, which has the permissions and the configuration. */
async function askService(
  { server, failOn }: DoctorOptions & Required<ServerOptions>,
  format: Format,
  call: Call,
): Promise<number> {
  const [{ remoteFrom }, { patient, refused }] = await Promise.all([
    import("./remote-from.ts"),
    import("./remote-reads.ts"),
  ]);
  const { service } = await remoteFrom(call, "doctor", server);
  const answer = await patient(service, call).ask("GET", "/doctor", undefined, newAbort().signal);
  if (answer.status !== 200) return refused(answer, format, call);
  return tell(answer.body as unknown as DoctorReport, failOn, format, call);
}

async function tell(report: DoctorReport, failOn: Severity, format: Format, call: Call): Promise<number> {
  const { doctorText } = await import("./doctor-text.ts");
  await printResult(call, format, {
    data: report,
    names: report.findings.map(({ resource }) => `${resource.kind}/${resource.name}`),
    text: (look) => doctorText(report, look),
  });
  return exitCodeOfDoctor(report, failOn);
}

/** Findings decide first. A report that could not read some part, or has found nothing to judge, is not a success. */
function exitCodeOfDoctor(report: Pick<DoctorReport, "findings" | "notLookedAt">, failOn: Severity): number {
  if (hasAtLeast(report, failOn)) return EXIT.refused;
  const { findings, notLookedAt } = report;
  const isWhole = notLookedAt.length === 0 && findings.every(({ code }) => code !== "nothing-found");
  return isWhole ? EXIT.done : EXIT.notDrained;
}
