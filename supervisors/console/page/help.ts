/** What the keys do. */
import { showDialog } from "./dialog.ts"
import { h } from "./dom.ts"

const keys: ReadonlyArray<readonly [keys: string, what: string]> = [
  ["/", "find actors"],
  ["↑ ↓ or k j", "the line above, below"],
  ["← → or h l", "fold, unfold"],
  ["Enter", "open the actor"],
  ["z", "zoom in on it"],
  ["Esc", "close, clear, zoom out"],
  ["r s p x", "restart, stop or start, suspend or resume, crash the actor that is open"],
  ["1 … 5", "tree, cluster, chainfire, breakers, events"],
  ["t", "light, dark, as the system has it"],
  ["?", "this"]
]

export const showHelp = (): void => {
  showDialog(
    "Keys",
    h(
      "dl",
      { class: "keys" },
      keys.flatMap(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)])
    ),
    h(
      "p",
      { class: "dim" },
      "Search takes words of a path or a kind, and is:down, is:crashed, is:restarted, is:queued, is:busy, kind:…"
    )
  )
}
