// Mailgun's own JavaScript SDK against a server: what people do with it, and what it must see.
//
// Usage: node conformance.mjs BASE-URL KEY DOMAIN TARGET
// DOMAIN exists and has no webhooks and no events; TARGET answers 200 with "thanks" under /ok and 500 with "broken"
// under /broken. Exit 0 when all holds.
import assert from "node:assert/strict";
import FormData from "form-data";
import Mailgun from "mailgun.js";

const [base, key, domain, target] = process.argv.slice(2);
const client = (password) => new Mailgun(FormData).client({ username: "api", key: password, url: base });
const mg = client(key);
const A = "https://hooks.example.com/a";
const B = "https://hooks.example.com/b?x=1&y=2";

const fails = async (promise, status, details) => {
  const error = await promise.then(() => assert.fail("no error"), (e) => e);
  assert.equal(error.status, status, String(error));
  if (details) assert.match(String(error.details), details);
};

const scenarios = {
  async "webhooks: create, list, get, update, destroy"() {
    assert.deepEqual(await mg.webhooks.list(domain, {}), {});
    const created = await mg.webhooks.create(domain, "clicked", A);
    assert.deepEqual([created.id, created.url, created.urls], ["clicked", A, [A]]);
    const several = await mg.webhooks.create(domain, "opened", [A, B]);
    assert.deepEqual(several.urls, [A, B]);
    assert.deepEqual(await mg.webhooks.list(domain, {}), { clicked: { urls: [A] }, opened: { urls: [A, B] } });
    assert.deepEqual((await mg.webhooks.get(domain, "opened")).urls, [A, B]);
    assert.deepEqual((await mg.webhooks.update(domain, "clicked", B)).urls, [B]);
    assert.deepEqual((await mg.webhooks.update(domain, "clicked", [B, A])).urls, [B, A]);
    assert.deepEqual((await mg.webhooks.get(domain, "clicked")).urls, [B, A]);
    assert.deepEqual((await mg.webhooks.destroy(domain, "clicked")).urls, [B, A]);
    await mg.webhooks.destroy(domain, "opened");
    assert.deepEqual(await mg.webhooks.list(domain, {}), {});
  },

  async "webhooks: errors"() {
    await fails(mg.webhooks.get(domain, "clicked"), 404, /^Webhook not found$/);
    await fails(mg.webhooks.destroy(domain, "clicked"), 404, /^Webhook not found$/);
    await fails(mg.webhooks.create(domain, "foo", A), 400, /^Invalid webhook id: foo$/);
    const refused = mg.webhooks.create(domain, "clicked", "ftp://x.example/");
    await fails(refused, 400, /is not a valid url: invalid URL scheme$/);
    await mg.webhooks.create(domain, "clicked", A);
    await fails(mg.webhooks.create(domain, "clicked", B), 400, /already exists/);
    await mg.webhooks.destroy(domain, "clicked");
    await fails(mg.webhooks.list("unknown.example.org", {}), 404, /^Domain not found$/);
    await fails(client("wrong").webhooks.list(domain, {}), 401, /^Forbidden/);
  },

  async "webhooks: test"() {
    const tested = (path) => mg.webhooks.create(domain, "delivered", target + path, true);
    assert.deepEqual(await tested("/ok"), { code: null, message: "thanks" });
    assert.deepEqual(await tested("/broken"), { code: 500, message: "broken" });
    assert.deepEqual(await mg.webhooks.list(domain, {}), {});
  },

  async "events: pages to the end and back, filters"() {
    const now = Date.now() / 1000;
    const events = Array.from({ length: 25 }, (_, n) => ({
      event: n % 5 === 0 ? "opened" : "delivered", id: `js-${String(n).padStart(2, "0")}`,
      timestamp: now - 100 + n + 0.25, recipient: `r${n}@inbox.example`, tags: n % 2 ? ["odd"] : ["even"],
    }));
    const authorization = `Basic ${Buffer.from(`api:${key}`).toString("base64")}`;
    const request = { method: "POST", body: JSON.stringify(events), headers: { authorization } };
    const sent = await fetch(`${base}/v3/${domain}/events`, request);
    assert.equal((await sent.json()).stored, 25);

    const query = { begin: now - 3600, ascending: "yes", limit: 10 };
    const ids = (page) => page.items.map((item) => item.id);
    const idsAt = async (link) => ids(await mg.events.get(domain, { page: link.page }));
    const all = events.map((e) => e.id);
    const walked = [];
    let page = await mg.events.get(domain, query);
    for (const first = page; page.items.length > 0;) {
      walked.push(...ids(page));
      assert.equal(page.pages.next.id, "next");
      page = await mg.events.get(domain, { page: page.pages.next.page, ...query });
      assert.ok(walked.length <= 25, "the walk must end");
      if (walked.length === 20) assert.deepEqual(await idsAt(page.pages.previous), all.slice(10, 20));
      assert.deepEqual(await idsAt(first.pages.last), all.slice(15));
    }
    assert.deepEqual(walked, all);
    assert.deepEqual(await idsAt(page.pages.previous), all.slice(15));
    assert.deepEqual(await idsAt(page.pages.first), all.slice(0, 10));

    const opened = await mg.events.get(domain, { event: "opened" });
    assert.deepEqual(ids(opened), ["js-20", "js-15", "js-10", "js-05", "js-00"]);
    assert.equal((await mg.events.get(domain, { event: "opened OR delivered", tags: "NOT odd" })).items.length, 13);
    assert.deepEqual(ids(await mg.events.get(domain, { recipient: "r7@inbox.example" })), ["js-07"]);
    await fails(mg.events.get(domain, { begin: "yesterday" }), 400, /Invalid date/);
    await fails(mg.events.get("unknown.example.org", {}), 404, /^Domain not found$/);
    await fails(client("wrong").events.get(domain, {}), 401, /^Forbidden/);

    const logs = { start: new Date((now - 3600) * 1000), end: new Date((now + 60) * 1000), events: ["opened"],
                   filter: { AND: [{ attribute: "domain", comparator: "=", values: [{ label: domain, value: domain }] }] },
                   pagination: { sort: "timestamp:asc", limit: 2 } };
    const logged = [];
    for (let found = await mg.logs.list(logs); found.items.length > 0;) {
      assert.ok(found.start instanceof Date && found.items.every((item) => item["@timestamp"]));
      logged.push(...ids(found));
      const pagination = { ...logs.pagination, token: found.pagination.next };
      found = await mg.logs.list({ ...logs, pagination });
    }
    assert.deepEqual(logged, ["js-00", "js-05", "js-10", "js-15", "js-20"]);
  },

  async "domains: create, list, get, destroy"() {
    const name = `js.${domain}`;
    const created = await mg.domains.create({ name });
    assert.deepEqual([created.name, created.state], [name, "active"]);
    assert.ok((await mg.domains.list()).some((one) => one.name === name));
    const got = await mg.domains.get(name);
    assert.deepEqual([got.name, got.receiving_dns_records, got.sending_dns_records], [name, [], []]);
    assert.equal((await mg.domains.destroy(name)).message, "Domain will be deleted in the background");
    await fails(mg.domains.get(name), 404, /^Domain not found$/);
  },
};

let failed = 0;
for (const [name, run] of Object.entries(scenarios)) {
  try {
    await run();
    console.log(`ok ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}\n${error.stack}`);
  }
}
process.exit(failed ? 1 : 0);
