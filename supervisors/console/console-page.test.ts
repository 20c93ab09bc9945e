/** The console as an operator sees it, in a browser: three nodes, and one with five thousand actors. */
import test from "ava"
import type { Page } from "playwright-core"
import { isBrowserInstalled, logIn, visit } from "./fixtures/browser.ts"
import { withConsoles } from "./fixtures/console-cluster.ts"
import { sharedConsole } from "./fixtures/shared-console.ts"

/** What of a browser the functions need that run in the page. */
declare const document: {
  readonly activeElement: {
    readonly getAttribute: (name: string) => string | null
    readonly labels?: ArrayLike<{ readonly textContent: string | null }> | null
    readonly textContent: string | null
  } | null
  readonly documentElement: { readonly scrollWidth: number }
}

const withBrowser = isBrowserInstalled ? test : test.skip
/** What stops and crashes actors shows in the numbers of the cluster, which others look at. */
const acting = isBrowserInstalled ? test.serial : test.skip

const { looking, shared } = sharedConsole(test, { nodes: 3, actors: 60 })

const line = (page: Page, path: string) => page.locator(`.grid-space [data-path="${path}"]`)

withBrowser("who has no token, or a wrong one, sees a door and why it stays closed", async (t) => {
  const context = shared()
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

acting("an actor that is crashed on the page comes back, and its restart is seen", async (t) => {
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

acting("a stopped actor stays down, is counted, and starts again", async (t) => {
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

acting("a breaker is tripped and reset, and says who did it", async (t) => {
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
    await page.getByRole("dialog").getByRole("button", { name: "Trip" }).click()
    await fleet.getByText("by HUMAN::operator").first().waitFor()
    await fleet.getByRole("button", { name: "Reset" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Reset" }).click()
    await fleet.getByText("machines may act").waitFor()

    await page.getByRole("link", { name: "events" }).click()
    await page
      .locator(".event", { hasText: "breaker open" })
      .filter({ hasText: "by HUMAN::operator" })
      .waitFor()
  })
})

acting("from the door on, everything that can be done to an actor is done with keys alone", async (t) => {
  const context = shared()
  if (context === undefined) return
  const { browser, cluster, url } = context
  await visit(browser, url, async ({ complaints, page }) => {
    const { keyboard } = page
    const named = (name: string) => page.locator(":focus").and(page.getByLabel(name, { exact: true }))
    await named("Operator's token").waitFor()
    await keyboard.type(cluster.token)
    await keyboard.press("Enter")
    await page.locator(".grid-space .grid-line").first().waitFor()

    // The first stop leads past everything; the next ones are what is in sight, in its order, and all say what they are.
    const stops: Array<string> = []
    while (stops.length < 40 && stops.at(-1) !== "Actors") {
      await keyboard.press("Tab")
      stops.push(await page.evaluate(focusedName))
    }
    t.deepEqual(stops.slice(0, 9), [
      "To the content",
      ...["tree", "cluster", "chainfire", "breakers", "events"],
      ...["Light or dark (t)", "Keys (?)", "Log out"]
    ])
    t.is(stops.at(-1), "Actors", "the tree is one stop, however long it is")
    t.true(
      stops.every((name) => name !== ""),
      stops.join(", ")
    )

    await keyboard.press("/")
    await keyboard.type("group-001/worker-31")
    await page.getByText("1 actor", { exact: true }).waitFor()
    await keyboard.press("Enter")
    await keyboard.press("Enter")
    await page.getByRole("heading", { name: "worker-31" }).waitFor()
    const status = page.locator(".panel .pill").first()
    const life = (number: number) =>
      page
        .locator(".panel .number", { hasText: "Life" })
        .filter({ hasText: String(number) })
        .waitFor()
    const confirmed = async (key: string, title: string) => {
      await keyboard.press(key)
      const dialog = page.getByRole("dialog", { name: title })
      await dialog.waitFor()
      await keyboard.press("Enter")
      await dialog.waitFor({ state: "detached" })
      await page.locator(".grid:focus").waitFor()
    }
    await status.filter({ hasText: "running" }).waitFor()
    await confirmed("r", "Restart worker-31?")
    await life(2)
    // Who thinks better of it goes back with Escape, and nothing has happened.
    await keyboard.press("x")
    await page.getByRole("dialog").waitFor()
    await keyboard.press("Escape")
    await page.getByRole("dialog").waitFor({ state: "detached" })
    await confirmed("p", "Suspend worker-31?")
    await status.filter({ hasText: "suspended" }).waitFor()
    await confirmed("p", "Resume worker-31?")
    await status.filter({ hasText: "restarted" }).waitFor()
    await confirmed("s", "Stop worker-31?")
    await status.filter({ hasText: "stopped" }).waitFor()
    t.deepEqual(
      await page.getByRole("group", { name: "Actions" }).getByRole("button").allTextContents(),
      ["Start"],
      "who is stopped can be started, and nothing else"
    )
    await keyboard.press("s")
    await life(3)
    await confirmed("x", "Have worker-31 crash?")
    await life(4)
    await page.locator(".last-crash", { hasText: "by hand, from the console" }).waitFor()
    await keyboard.press("Escape")
    await page.locator(".panel").waitFor({ state: "hidden" })
    t.deepEqual(complaints, [])
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
      for (const [hash, name, shown] of [
        ["tree", "tree", ".grid-space .grid-line"],
        ["actor/node01/chainfire/member", "actor", ".panel .state dd"],
        ["cluster", "cluster", ".cluster-map .member.alive"],
        ["chainfire", "chainfire", "td .pill"],
        ["breakers", "breakers", ".breaker"],
        ["events", "events", ".events.long"]
      ] as const) {
        await page.goto(`${page.url().split("#")[0]}#/${hash}`)
        await page.locator(shown).first().waitFor()
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
    const context = shared()
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

withBrowser("of 5,000 actors only those in view are in the page, wherever one scrolls", async (t) => {
  await withConsoles({ nodes: 1, actors: 5_000 }, async (cluster) => {
    const context = shared()
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
        // Rates need two samples.
        await page
          .locator(".grid-line:not([hidden]) .cell.rate")
          .filter({ hasText: /^[\d,.]+$/ })
          .first()
          .waitFor()
        const lines = await page.locator(".grid-space .grid-line").count()
        t.true(lines < 120, `${lines} lines exist for five thousand actors`)
        // How smooth that is, console.bench.ts measures.
        await page.locator(".grid").evaluate((grid) => {
          grid.scrollTop = grid.scrollHeight
        })
        await page.locator(".grid-line:not([hidden])", { hasText: "worker-" }).last().waitFor()
        const elements = await page.locator("*").count()
        t.true(elements < 2_000, `${elements} elements exist for five thousand actors`)
        await screenshot("many-sorted")
        t.deepEqual(complaints, [])
        t.deepEqual(foreign, [])
      }
    )
  })
})

/** In the page: what is said of who has the focus. */
const focusedName = (): string => {
  const { activeElement: element } = document
  if (element === null) return ""
  const label = element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent
  return (label ?? element.textContent ?? "").trim()
}
