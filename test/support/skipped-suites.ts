import type { Reporter, TestModule } from "vitest/node";

const COMMAND =
  "test/conformance/install VENV && test/conformance/install-node NODES && test/conformance/kubernetes/install PROGRAMS && " +
  "CONFORMANCE_VENV=VENV CONFORMANCE_NODES=NODES CONFORMANCE_KUBERNETES=PROGRAMS npm test";

/** Says in one line, at the end, how many tests did not run, and which command runs them. */
export default class SkippedSuites implements Reporter {
  readonly #print: (line: string) => void;

  constructor(print: (line: string) => void = console.info) {
    this.#print = print;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const line = skippedLine(modules);
    if (line !== undefined) this.#print(line);
  }
}

/** Undefined where all tests ran that those programs are needed for. */
export function skippedLine(modules: readonly TestModule[]): string | undefined {
  const skipped = modules
    .filter(({ moduleId }) => moduleId.includes("/test/conformance/"))
    .map(({ children }) => [...children.allTests("skipped")].length)
    .filter((count) => count > 0);
  if (skipped.length === 0) return undefined;
  const tests = skipped.reduce((sum, count) => sum + count);
  return `Skipped: ${tests} tests in ${skipped.length} files that need other programs or other versions of Node. To run them: ${COMMAND}`;
}
