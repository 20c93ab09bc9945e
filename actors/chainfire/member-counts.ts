/** What a member counts while it works, from the start of this life on. Shown by member-metrics.ts. */
import { Counter, Counters, exponential, Histogram } from "#actors/kernel/metrics.ts"
import type { Command } from "./command.ts"
import { KeyCount } from "./key-count.ts"
import type { Change } from "./mvcc.ts"

export class MemberCounts {
  /** From the wish to have it on disk until it is there. */
  readonly syncSeconds = new Histogram(exponential(0.001, 2, 14))
  /** A leader became known that was not known right before. */
  readonly leaderChanges = new Counter()
  /** Not carried out, or not known to be. */
  readonly proposalsFailed = new Counter()
  readonly readsFailed = new Counter()
  /** Keys that were put and deleted by what was applied here. */
  readonly keysPut = new Counter()
  readonly keysDeleted = new Counter()
  readonly keys = new KeyCount()
  readonly leasesGranted = new Counter()
  readonly leasesRevoked = new Counter()
  /** By the other member. */
  readonly peerSentBytes = new Counters(["To"])
  readonly peerReceivedBytes = new Counters(["From"])
  readonly #sentTo = new Map<number, Counter>()
  readonly #receivedFrom = new Map<number, Counter>()
  #leader = 0

  sentTo(member: number): Counter {
    return counterOf(this.#sentTo, this.peerSentBytes, member)
  }

  receivedFrom(member: number): Counter {
    return counterOf(this.#receivedFrom, this.peerReceivedBytes, member)
  }

  changed(changes: ReadonlyArray<Change>): void {
    this.keys.changed(changes)
    for (const { type } of changes) (type === "put" ? this.keysPut : this.keysDeleted).add()
  }

  /** What was refused has granted and revoked nothing. */
  carriedOut(kind: Command["_tag"] | undefined, isRefused: boolean): void {
    if (isRefused) return
    if (kind === "LeaseGrant") this.leasesGranted.add()
    else if (kind === "LeaseRevoke") this.leasesRevoked.add()
  }

  /** 0: none is known. */
  led(leader: number): void {
    if (leader === this.#leader) return
    this.#leader = leader
    if (leader !== 0) this.leaderChanges.add()
  }
}

/** There are few members and many packets: the name is made once. */
const counterOf = (known: Map<number, Counter>, counters: Counters, member: number): Counter => {
  let counter = known.get(member)
  if (counter === undefined) {
    counter = counters.of(member.toString(16))
    known.set(member, counter)
  }
  return counter
}
