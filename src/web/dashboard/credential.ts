const KEY = "hasta-la-vista-credential";

/** The credential of the user. It is kept as long as the tab, and no other tab gets it. */
export function keptCredential(): string | undefined {
  try {
    return sessionStorage.getItem(KEY) ?? undefined;
  } catch {
    return undefined; // The browser keeps nothing: the user signs in again.
  }
}

/** Undefined: the credential is forgotten. */
export function keepCredential(credential: string | undefined): void {
  try {
    if (credential === undefined) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, credential);
  } catch {
    // As above.
  }
}
