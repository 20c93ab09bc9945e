/** The console as an operator sees it, in a browser: three nodes, and one with five thousand actors. */
import anyTest, { type ExecutionContext, type TestFn } from "ava"
import type { Browser, Page } from "playwright-core"
import { isBrowserInstalled, launch, logIn, type Visit, visit } from "./fixtures/browser.ts"
import { type ConsoleCluster, withConsoles } from "./fixtures/console-cluster.ts"

/** What of a browser the functions need that run in the page. */
declare const document: {
  readonly documentElement: { readonly scrollWidth: number }
  readonly querySelector: (
    selector: string
  ) => { scrollTop: number; readonly clientHeight: number; readonly scrollHeight: number } | null
}
declare const requestAnimationFrame: (frame: (now: number) => void) => void

interface Context {
  readonly browser: Browser
  readonly cluster: ConsoleCluster
  readonly url: string
}

const test = anyTest as TestFn<Context>
const withBrowser = isBrowserInstalled ? test : test.skip

let context: Context | undefined
let release = () => {}
let running: Promise<void> = Promise.resolve()

test.before(async (t) => {
  if (!isBrowserInstalled) return
  t.timeout(180_000)
  await new Promise<void>((ready, failed) => {
    running = withConsoles({ nodes: 3, actors: 60 }, async (cluster) => {
      const browser = await launch()
      try {
        context = { browser, cluster, url: cluster.nodes[0]?.console ?? "" }
        ready()
        await new Promise<void>((resolve) => {
          release = resolve
        })
      } finally {
        await browser.close()
      }
    })
    running.catch(failed)
  })
})

test.after.always(async () => {
  release()
  await running
})

/** Logged in at the first node. Whatever happens, nothing may come from elsewhere, and nobody may complain. */
const looking = async (
  t: ExecutionContext<Context>,
  body: (visit: Visit) => Promise<void>,
  options?: Parameters<typeof visit>[3]
): Promise<void> => {
  if (context === undefined) return
  const { browser, cluster, url } = context
  const look = async (visited: Visit) => {
    await logIn(visited.page, cluster.token)
    await body(visited)
    t.deepEqual(visited.complaints, [])
    t.deepEqual(visited.foreign, [])
  }
  await (options === undefined ? visit(browser, url, look) : visit(browser, url, look, options))
}

const line = (page: Page, path: string) => page.locator(`.grid-space [data-path="${path}"]`)

withBrowser("who has no token, or a wrong one, sees a door and why it stays closed", async (t) => {
  if (context === undefined) return
  const { browser, cluster, url } = context
  await visit(browser, url, async ({ page, screenshot }) => {
    await page.getByLabel("Operator's token").fill("eyJ.not.one")
    await page.getByRole("button", { name: "Log in" }).click()
    await page.getByRole("alert").filter({ hasText: "the token is malformed" }).waitFor()
    await screenshot("door")
    t.is(await page.locator(".grid").count(), 0)
    await logIn(page, cluster.token)
    // Stays so when the page is loaded anew, and ends when one leaves.
    await page.reload()
    await page.locator(".grid-space .grid-line").first().waitFor()
    await page.getByRole("button", { name: "Log out" }).click()
    await page.getByLabel("Operator's token").waitFor()
    await page.reload()
    await page.getByLabel("Operator's token").waitFor()
    t.deepEqual(await page.context().cookies(), [])
  })
})

withBrowser("the tree has all three nodes, through any of them", async (t) => {
  await looking(t, async ({ page, screenshot }) => {
    await page.locator("#search").fill("membership")
    for (const node of ["node01", "node02", "node03"])
      await line(page, `/${node}/cluster/membership`).waitFor()
    await page.locator("#search").fill("")
    const nodes = page.locator(".tile", { hasText: "Nodes" })
    await nodes.filter({ hasText: "3" }).filter({ hasText: "all answer" }).waitFor()
    await screenshot("tree-light")
    await page.emulateMedia({ colorScheme: "dark" })
    await screenshot("tree-dark")
  })
})

withBrowser("an actor that is crashed on the page comes back, and its restart is seen", async (t) => {
  const path = "/node01/pool/group-001/worker-07"
  await looking(t, async ({ page, screenshot }) => {
    await page.goto(`${page.url().split("#")[0]}#/actor${path}`)
    await page.getByRole("heading", { name: "worker-07" }).waitFor()
    await page.locator(".panel .number", { hasText: "Life" }).filter({ hasText: "1" }).waitFor()
    await page.getByRole("button", { name: "Crash" }).click()
    const dialog = page.getByRole("dialog")
    t.regex((await dialog.textContent()) ?? "", /group-001 starts it again\. Its siblings go on\./)
    await dialog.getByLabel("Why").fill("to see it come back")
    await dialog.getByRole("button", { name: "Crash it" }).click()
    await page.locator(".panel .pill", { hasText: "restarted" }).waitFor()
    await page.locator(".panel .number", { hasText: "Life" }).filter({ hasText: "2" }).waitFor()
    await page.locator(".last-crash", { hasText: "to see it come back" }).waitFor()
    await line(page, path).filter({ hasText: "restarted" }).waitFor()
    t.regex((await line(page, path).getAttribute("class")) ?? "", /flash-[ab]/)
    await page.locator(".tile", { hasText: "Restarts" }).filter({ hasText: "1" }).waitFor()
    await screenshot("actor")
  })
})

withBrowser("a stopped actor stays down, is counted, and starts again", async (t) => {
  const path = "/node01/pool/group-001/worker-09"
  await looking(t, async ({ page }) => {
    await page.goto(`${page.url().split("#")[0]}#/actor${path}`)
    await page.getByRole("button", { name: "Stop" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Stop" }).click()
    await page.locator(".panel .pill", { hasText: "stopped" }).waitFor()
    await page.locator("button.tile", { hasText: "Down" }).filter({ hasText: "not running" }).click()
    await page.getByText("1 actor", { exact: true }).waitFor()
    await page.getByRole("button", { name: "Start", exact: true }).click()
    await page.locator(".panel .pill", { hasText: "restarted" }).waitFor()
    await page.locator(".tile", { hasText: "Down" }).filter({ hasText: "all run" }).waitFor()
  })
})

withBrowser("a breaker is tripped and reset, and says who did it", async (t) => {
  await looking(t, async ({ page, screenshot }) => {
    await page.getByRole("link", { name: "breakers" }).click()
    const breaker = page.locator(".breaker", { hasText: "/node02/shop-breaker" })
    await breaker.locator(".pill", { hasText: "closed" }).waitFor()
    await breaker.getByRole("button", { name: "Trip" }).click()
    await page.getByRole("dialog").getByLabel("Why").fill("the shop is on fire")
    await page.getByRole("dialog").getByRole("button", { name: "Trip" }).click()
    await breaker.locator(".pill", { hasText: "open" }).waitFor()
    await breaker.getByText("the shop is on fire").waitFor()
    await screenshot("breakers")
    await breaker.getByRole("button", { name: "Reset" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Reset" }).click()
    await breaker.locator(".pill", { hasText: "closed" }).waitFor()

    const fleet = page.locator(".breaker", { hasText: "the fleet" })
    await fleet.getByRole("button", { name: "Trip" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Stop automation" }).click()
    await fleet.getByText("by HUMAN::operator").first().waitFor()
    await fleet.getByRole("button", { name: "Reset" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Go on" }).click()
    await fleet.getByText("machines may act").waitFor()

    await page.getByRole("link", { name: "events" }).click()
    await page
      .locator(".event", { hasText: "breaker open" })
      .filter({ hasText: "by HUMAN::operator" })
      .waitFor()
  })
})

withBrowser("everything is found and reached with keys alone", async (t) => {
  await looking(t, async ({ page }) => {
    await page.keyboard.press("/")
    await page.keyboard.type("worker-2 group-001")
    await page.getByText("10 actors", { exact: true }).waitFor()
    await page.keyboard.press("ArrowDown")
    const active = page.locator(".grid-line.active")
    await active.filter({ hasText: "worker-20" }).waitFor()
    await page.keyboard.press("ArrowDown")
    await active.filter({ hasText: "worker-21" }).waitFor()
    t.is(
      await page.locator(".grid").getAttribute("aria-activedescendant"),
      await active.getAttribute("id"),
      "a screen reader is told of it"
    )
    await page.keyboard.press("Enter")
    await page.getByRole("heading", { name: "worker-21" }).waitFor()
    await page.keyboard.press("Escape")
    await page.locator(".panel").waitFor({ state: "hidden" })
    await page.keyboard.press("Escape")
    t.is(await page.locator("#search").inputValue(), "")

    await page.keyboard.press("Home")
    await active.filter({ hasText: "node01" }).waitFor()
    await page.keyboard.press("ArrowLeft")
    await line(page, "/node01/cluster").waitFor({ state: "hidden" })
    await page.keyboard.press("ArrowRight")
    await line(page, "/node01/cluster").waitFor()
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("z")
    await page.locator(".zoomed", { hasText: "cluster" }).waitFor()
    t.is(await line(page, "/node02").count(), 0)

    const pages = ["Tree", "Cluster", "Chainfire", "Breakers", "Events"]
    for (const [index, name] of pages.entries()) {
      await page.keyboard.press(String(index + 1))
      await page.getByRole("region", { name }).waitFor()
    }
    await page.keyboard.press("?")
    await page.getByRole("dialog", { name: "Keys" }).waitFor()
    await page.keyboard.press("Escape")
    await page.getByRole("dialog").waitFor({ state: "detached" })
  })
})

withBrowser("the cluster, chainfire and its keys are there to be looked at", async (t) => {
  await looking(t, async ({ page, screenshot }) => {
    await page.getByRole("link", { name: "cluster" }).click()
    await page.locator(".cluster-map .member.alive").nth(2).waitFor()
    t.is(await page.locator(".cluster-map .link.up").count(), 6, "each link is seen from both ends")
    await screenshot("cluster")
    await page.getByRole("link", { name: "chainfire" }).click()
    await page.locator("td .pill", { hasText: "leader" }).waitFor()
    await page.locator("td .pill", { hasText: "follower" }).nth(1).waitFor()
    await page.getByLabel("Keys that begin with").fill("ultracloud/leases/")
    await page.locator("td code", { hasText: "ultracloud/leases/failover" }).first().waitFor()
    await screenshot("chainfire")
    await page.getByLabel("Keys that begin with").fill("nothing begins like this")
    await page.getByText("No key begins like that.").waitFor()
  })
})

withBrowser("it is legible on a phone: nothing is wider than the screen", async (t) => {
  const phone = {
    viewport: { width: 390, height: 844 },
    deviceScaleFactor: 2,
    isMobile: true,
    hasTouch: true
  }
  await looking(
    t,
    async ({ page, screenshot }) => {
      for (const [hash, name] of [
        ["tree", "tree"],
        ["actor/node01/chainfire/member", "actor"],
        ["cluster", "cluster"],
        ["chainfire", "chainfire"],
        ["breakers", "breakers"],
        ["events", "events"]
      ]) {
        await page.goto(`${page.url().split("#")[0]}#/${hash}`)
        await page.waitForTimeout(1_500)
        const width = await page.evaluate(() => document.documentElement.scrollWidth)
        t.true(width <= 390, `${name} is ${width} wide`)
        await screenshot(`phone-${name}`)
      }
    },
    phone
  )
})

withBrowser("a node that dies is missed at once, and what was known of it is marked as old", async (t) => {
  await withConsoles({ nodes: 2 }, async (cluster) => {
    if (context === undefined) return
    const [first, second] = cluster.nodes
    await visit(context.browser, first?.console ?? "", async ({ page, screenshot }) => {
      await logIn(page, cluster.token)
      const nodes = page.locator(".tile", { hasText: "Nodes" })
      await nodes.filter({ hasText: "2" }).filter({ hasText: "all answer" }).waitFor()
      second?.process.kill("SIGKILL")
      await nodes.filter({ hasText: "1 does not answer" }).waitFor()
      await line(page, "/node02").filter({ hasText: "no answer" }).waitFor()
      await line(page, "/node02/cluster").filter({ hasText: "unknown" }).waitFor()
      await screenshot("dead-node")
      t.is(await line(page, "/node01").getAttribute("data-health"), "well")
    })
  })
})

withBrowser("five thousand actors are scrolled through without a wait", async (t) => {
  await withConsoles({ nodes: 1, actors: 5_000 }, async (cluster) => {
    if (context === undefined) return
    const { browser } = context
    await visit(
      browser,
      cluster.nodes[0]?.console ?? "",
      async ({ complaints, foreign, page, screenshot }) => {
        await logIn(page, cluster.token)
        await page
          .locator(".tile", { hasText: "Actors" })
          .filter({ hasText: /5,1\d\d/ })
          .waitFor()
        await screenshot("many")
        await page.getByRole("button", { name: "Msg/s" }).click()
        await page.waitForTimeout(2_500)
        const frames = await page.evaluate(scrollThrough)
        const sorted = frames.toSorted((one, other) => one - other)
        const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? 0
        const told = [0.5, 0.95, 0.99, 1].map((share) => `p${share * 100} ${at(share).toFixed(1)}`).join(", ")
        t.log(`${sorted.length} frames while scrolling through 5,000 actors, in ms: ${told}`)
        const lines = await page.locator(".grid-space .grid-line").count()
        t.true(lines < 120, `${lines} lines exist for five thousand actors`)
        await screenshot("many-sorted")
        t.deepEqual(complaints, [])
        t.deepEqual(foreign, [])
      }
    )
  })
})

/** In the page: a screen a frame, there and back, for as long as it takes; the time between frames. */
const scrollThrough = (): Promise<Array<number>> =>
  new Promise((resolve) => {
    const grid = document.querySelector(".grid")
    const times: Array<number> = []
    let last = 0
    let step = 240
    const frame = (now: number) => {
      if (grid === null || times.length >= 400) return resolve(times)
      if (last !== 0) times.push(now - last)
      last = now
      if (grid.scrollTop + grid.clientHeight >= grid.scrollHeight - 4) step = -Math.abs(step)
      if (grid.scrollTop <= 0) step = Math.abs(step)
      grid.scrollTop += step * 2
      requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
  })
