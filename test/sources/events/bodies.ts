import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const FOLDER = "test/sources/events/bodies";

/** As AWS documents them and others have recorded them, with ids made up; named for kind and envelope. */
export const BODY_NAMES = readdirSync(FOLDER).map((name) => name.replace(/\.json$/, ""));

export function body(name: string): string {
  return readFileSync(join(FOLDER, `${name}.json`), "utf8");
}

/** The same body with the fields at paths such as `detail.instance-id` replaced; what is undefined is left out. */
export function changed(name: string, changes: Readonly<Record<string, unknown>>): string {
  const whole = JSON.parse(body(name));
  for (const [path, value] of Object.entries(changes)) {
    const steps = path.split(".");
    const last = steps.pop() ?? "";
    steps.reduce((object, step) => object[step], whole)[last] = value;
  }
  return JSON.stringify(whole);
}

/** As SNS hands a text to a queue. */
export function inSns(message: string): string {
  return changed("autoscaling-terminate.sns", { Message: message });
}
