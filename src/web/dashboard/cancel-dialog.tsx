import { useEffect, useRef, useState } from "preact/hooks";
import { type Api, Refused } from "./api.ts";
import { sentence } from "./format.ts";

export interface ToCancel {
  readonly drainId: string;
  readonly name: string;
  readonly isRunning: boolean;
  /** Its machine goes at a deadline. */
  readonly isDoomed: boolean;
}

interface CancelDialogProps {
  readonly api: Pick<Api, "cancel">;
  readonly toCancel: ToCancel;
  readonly onClose: () => void;
}

type Progress = { readonly is: "asked" | "running" | "done" } | { readonly is: "failed"; readonly why: string };

/** Nothing is cancelled without a confirmation. */
export function CancelDialog({ api, toCancel, onClose }: CancelDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [progress, setProgress] = useState<Progress>({ is: "asked" });
  useEffect(() => dialog.current?.showModal(), []);
  const cancel = async () => {
    setProgress({ is: "running" });
    try {
      await api.cancel(toCancel.drainId);
      setProgress({ is: "done" });
    } catch (error) {
      const why =
        error instanceof Refused ? error.message : "the service cannot be reached: the drain may be cancelled";
      setProgress({ is: "failed", why: sentence(why) });
    }
  };
  const { name, isRunning, isDoomed } = toCancel;
  const action = isRunning ? "Cancel the drain" : "Register again";
  return (
    <dialog ref={dialog} aria-labelledby="cancel-title" onClose={onClose}>
      <h2 id="cancel-title">
        {action}: <span class="name">{name}</span>
      </h2>
      <p>
        {isRunning && "The drain stops. "}All targets that it has deregistered are registered again, and the node gets
        traffic again. Do not terminate the node.
      </p>
      {isDoomed && (
        <p class="bad">
          The machine was announced to go away. If it goes while it is registered, its requests are lost.
        </p>
      )}
      <p role="status">
        {progress.is === "running" && "Registering the targets again. This may take some minutes."}
        {progress.is === "done" && "Done: AWS shows all targets as registered."}
        {progress.is === "failed" && <span class="bad">{progress.why}</span>}
      </p>
      <div class="buttons">
        <button type="button" onClick={() => dialog.current?.close()}>
          {progress.is === "asked" ? "Keep it as it is" : "Close"}
        </button>
        {(progress.is === "asked" || progress.is === "failed") && (
          <button type="button" class="danger" onClick={cancel}>
            {progress.is === "failed" ? "Try again" : action}
          </button>
        )}
      </div>
    </dialog>
  );
}
