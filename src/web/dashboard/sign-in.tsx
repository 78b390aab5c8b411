import { useState } from "preact/hooks";

interface SignInProps {
  /** Why the last credential was not accepted. Empty: there was none. */
  readonly problem: string;
  readonly onSignIn: (credential: string) => void;
}

/** The field has no name, and the form is never submitted, so that the credential is in no URL. */
export function SignIn({ problem, onSignIn }: SignInProps) {
  const [given, setGiven] = useState("");
  const [isEmpty, setEmpty] = useState(false);
  const submit = (event: Event) => {
    event.preventDefault();
    const credential = given.trim();
    setEmpty(credential === "");
    if (credential !== "") onSignIn(credential);
  };
  const said = isEmpty ? "Enter the secret or a token." : problem;
  return (
    <main class="start">
      <h1>hasta-la-vista</h1>
      <form method="post" onSubmit={submit}>
        {/* Password managers want to know whose it is. */}
        <input
          class="unseen"
          tabIndex={-1}
          aria-hidden="true"
          autocomplete="username"
          value="hasta-la-vista"
          readOnly
        />
        <label for="credential">Secret of the service, or a Kubernetes token</label>
        <input
          id="credential"
          type="password"
          autocomplete="current-password"
          spellcheck={false}
          value={given}
          onInput={({ currentTarget }) => setGiven(currentTarget.value)}
          aria-describedby="credential-help credential-problem"
          aria-invalid={said !== ""}
        />
        <p id="credential-problem" class="problem" role="alert">
          {said}
        </p>
        <button type="submit" class="primary">
          Sign in
        </button>
        <p id="credential-help" class="quiet">
          It is sent only to this service, and forgotten when the tab is closed. Tokens need TOKEN_REVIEW.
        </p>
      </form>
    </main>
  );
}
