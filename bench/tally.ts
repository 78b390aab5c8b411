import type { ApiAnswer } from "../src/simulator/api/answer.ts";
import type { Departures } from "./departures.ts";
import { columnOf, type ElbCall, guessPurpose, isThrottled, type Purpose } from "./purpose.ts";

type Columns = { drain: number; scan: number; index: number };

/** What one client has asked of AWS. Calls to EC2 are counted by action, and in no column. */
export class Tally {
  readonly #departures: Departures;
  readonly #byAction = new Map<string, number>();
  #guessed: Columns = { drain: 0, scan: 0, index: 0 };
  #told: Columns = { drain: 0, scan: 0, index: 0 };
  /** Pools that somebody has been taken out of since the last time when no drain ran. */
  readonly #leaving = new Set<string>();
  #throttledAnswers = 0;
  #givenUp = 0;

  constructor(departures: Departures) {
    this.#departures = departures;
  }

  /** Forgets what was counted: from here on it matters. */
  restart(): void {
    this.#byAction.clear();
    this.#guessed = { drain: 0, scan: 0, index: 0 };
    this.#told = { drain: 0, scan: 0, index: 0 };
    this.#throttledAnswers = 0;
    this.#givenUp = 0;
  }

  sent(call: ElbCall, purpose: Purpose | undefined): void {
    const name = `${call.api} ${call.action}`;
    this.#byAction.set(name, (this.#byAction.get(name) ?? 0) + 1);
    if (call.api === "ec2") return;
    if (this.#departures.running === 0) this.#leaving.clear();
    this.#guessed[columnOf(purpose ?? guessPurpose(call, (pool) => this.#leaving.has(pool)))] += 1;
  }

  answered(call: ElbCall, answer: ApiAnswer, at: number): void {
    if (isThrottled(answer)) this.#throttledAnswers += 1;
    if (call.api === "ec2" || answer.status !== 200) return;
    if (call.ids.length > 0) {
      this.#leaving.add(call.pool);
      this.#departures.acknowledged(call, at);
    } else if (guessPurpose(call, (pool) => this.#leaving.has(pool)) === "find") this.#departures.searched(at);
  }

  /** For a client that says what each of its calls was for, once it is answered: then nothing is guessed. */
  told(purpose: Purpose, at: number): void {
    const column = columnOf(purpose);
    this.#told[column] += 1;
    if (column === "scan") this.#departures.searched(at);
  }

  /** A drain, or a call of one, was given up because AWS went on throttling. */
  gaveUp(): void {
    this.#givenUp += 1;
  }

  get columns(): Readonly<Columns> {
    const { drain, scan, index } = this.#told;
    return drain + scan + index > 0 ? this.#told : this.#guessed;
  }

  get byAction(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#byAction].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  get throttledAnswers(): number {
    return this.#throttledAnswers;
  }

  get failedByThrottling(): number {
    return this.#givenUp;
  }
}
