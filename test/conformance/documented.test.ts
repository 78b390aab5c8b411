import { expect, test } from "vitest";
import { playOnMoto } from "../simulator/documented/play.ts";
import { CAUSES, type Cause } from "../simulator/documented/row.ts";
import { ROWS } from "../simulator/documented/rows.ts";
import { MotoStage } from "./support/moto-stage.ts";
import { describeWith, RunningProgram } from "./support/programs.ts";

describeWith("moto_server", "moto, asked for what AWS documents", () => {
  test("answers each row as the row says, and as AWS does where the row does not say otherwise", async () => {
    const server = new RunningProgram("moto_server", ["-H", "127.0.0.1", "-p", "0"]);
    const [, url = ""] = await server.said(/Running on (http:\/\/127\.0\.0\.1:\d+)/);
    const clients = MotoStage.clientsOf(url);
    const wrong: string[] = [];
    for (const row of ROWS) {
      const stage = await MotoStage.open(url, clients);
      for (const one of await playOnMoto(row, stage)) wrong.push(`${row.call.action}: ${row.says}: ${one}`);
    }
    expect(wrong).toEqual([]);
    console.info(countOf());
  });
});

function countOf(): string {
  const differing = (cause: Cause) => ROWS.filter(({ moto }) => moto?.cause === cause).length;
  const agreed = ROWS.filter(({ moto }) => moto === undefined).length;
  const causes = (Object.keys(CAUSES) as Cause[]).map((cause) => `${differing(cause)} ${CAUSES[cause]}`);
  return `${ROWS.length} documented behaviours; moto agrees with ${agreed}; differences: ${causes.join("; ")}`;
}
