/** One time of being registered. A target that was deregistered and registered again has two. */
export interface Spell {
  /** Milliseconds since the epoch, as all times here. */
  readonly registeredAt: number;
  /** While it drains, and after. */
  deregisteredAt: number | undefined;
}

/** What a read that knows the world as it was at `asOf` takes for the target's registration: the newest one by then. */
export function spellAsOf<T extends Spell>(spells: readonly T[], asOf: number): T | undefined {
  return spells.findLast(({ registeredAt }) => registeredAt <= asOf);
}

/** Whether the spell has ended in the eyes of such a read. */
export function hasEndedAsOf({ deregisteredAt }: Spell, asOf: number): boolean {
  return deregisteredAt !== undefined && deregisteredAt <= asOf;
}
