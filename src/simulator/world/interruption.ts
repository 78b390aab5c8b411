/** What EC2 does to an instance whose capacity it takes back. */
export type InterruptionAction = "terminate" | "stop" | "hibernate";

/** EC2's warning to one instance. Times are milliseconds since the epoch. */
export interface Interruption {
  readonly action: InterruptionAction;
  /** Whose capacity it was. A reservation's instances are terminated, always. */
  readonly of: "spot" | "capacity-reservation";
  /** When EC2 acts, whatever anybody does. */
  readonly actsAt: number;
}
