import type { InterceptedCall, SimulatedRegion } from "../../support/simulated-region.ts";
import { CALLS, type CallName, type MatrixCall, VERSIONS, wireNameOf } from "./calls.ts";
import { effectOf, type FaultName, PROXY_PAGE } from "./faults.ts";

/** Makes one call fail, and counts how often it did. */
export class Breaking {
  struck = 0;
  readonly #region: SimulatedRegion;
  readonly #name: CallName;
  readonly #fault: FaultName;
  #isOver = false;
  #hasBegun = false;

  constructor(region: SimulatedRegion, name: CallName, fault: FaultName) {
    this.#region = region;
    this.#name = name;
    this.#fault = fault;
  }

  begin(which: "first" | "every"): void {
    const { api }: MatrixCall = CALLS[this.#name];
    if (api === "sqs") throw new Error("the simulator has no queues");
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    const action = wireNameOf(this.#name);
    const effect = effectOf(this.#fault, this.#name);
    const when = which === "first" ? { when: { first: 1 } } : {};
    if (effect !== undefined) this.#region.simulator.faults.add({ api, action, ...when, effect });
    const before = this.#region.intercept;
    this.#region.intercept = (call) => {
      const isAbout = call.action === action && call.params.get("Version") === VERSIONS[api];
      if (this.#isOver || !isAbout || (which === "first" && this.struck > 0)) return before(call);
      this.struck += 1;
      if (this.#fault === "vanished") this.#delete(call);
      return before(call) ?? (this.#fault === "proxy page" ? { status: 200, body: PROXY_PAGE } : undefined);
    };
  }

  end(): void {
    this.#isOver = true;
    this.#region.simulator.faults.clear();
  }

  #delete({ params }: InterceptedCall): void {
    const { targetGroups, loadBalancers, classics } = this.#region.world;
    for (const named of params.values()) {
      const user = this.#region.world.loadBalancerOf(named);
      if (user !== undefined) loadBalancers.delete(user.arn);
      targetGroups.delete(named);
      loadBalancers.delete(named);
      classics.delete(named);
    }
  }
}
