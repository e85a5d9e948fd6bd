// The documented calls of the official client, against the server at argv[2] with the
// keys argv[3] and argv[4], which has the line argv[5] and a Mac that answers.
import assert from "node:assert/strict";
import SendblueAPI from "sendblue";

const [baseURL, apiKey, apiSecret, line, hook] = process.argv.slice(2);
const somebody = "+19998887777";

// Requests are counted, and one answer in a row may be lost on its way.
let requests = 0;
let lose = 0;
async function counted(url, init) {
  requests++;
  const answer = await fetch(url, init);
  if (lose > 0) {
    lose--;
    await answer.arrayBuffer();
    throw new TypeError("the answer was lost");
  }
  return answer;
}
const client = new SendblueAPI({ apiKey, apiSecret, baseURL, fetch: counted, logLevel: "off" });

// fails expects an error of a class, after a number of requests.
async function fails(what, kind, status, tries, call) {
  requests = 0;
  await assert.rejects(call, (e) => {
    assert.ok(e instanceof kind, `${what}: ${e.constructor.name} ${e.message}`);
    assert.equal(e.status, status, what);
    assert.equal(e.error.status, "ERROR", what);
    assert.equal(e.message, `${status} ${e.error.message}`, what);
    return true;
  });
  assert.equal(requests, tries, `${what}: requests`);
}

// Messages.
const sent = await client.messages.send({ number: somebody, from_number: line, content: "Hello", status_callback: hook + "/callback" });
assert.equal(sent.status, "QUEUED");
assert.equal(sent.number, somebody);
assert.equal(sent.account_email, "owner@acme.example");
assert.match(sent.message_handle, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);

const one = await client.messages.retrieve(sent.message_handle);
assert.equal(one.status, "OK");
assert.equal(one.data.message_handle, sent.message_handle);
assert.equal(one.data.content, "Hello");

const status = await client.messages.getStatus({ handle: sent.message_handle });
assert.equal(status.message_handle, sent.message_handle);

const page = await client.messages.list({
  number: somebody, is_outbound: "true", limit: 50, offset: 0, order_by: "createdAt", order_direction: "desc",
  created_at_gte: "2025-01-15T10:30:00.000Z", sendblue_number: line, service: "iMessage", group_id: null,
});
assert.equal(page.status, "OK");
assert.equal(page.pagination.total, 1);
assert.equal(page.pagination.hasMore, false);
assert.deepEqual(page.data[0], one.data);
assert.equal((await client.messages.list()).data.length, 1);

// A lost answer: the client asks again by itself, and nothing is sent twice.
requests = 0;
lose = 2;
const again = await client.messages.send({ number: somebody, from_number: line, content: "Once" });
assert.equal(requests, 3);
assert.equal((await client.messages.list()).pagination.total, 2);
const twice = await client.messages.send({ number: somebody, from_number: line, content: "Once" });
assert.notEqual(twice.message_handle, again.message_handle);

assert.deepEqual(await client.delete(`/api/message/${twice.message_handle}`), { status: "OK", message: "Message deleted" });
assert.equal((await client.messages.list()).pagination.total, 2);

// Webhooks.
assert.deepEqual((await client.webhooks.list()).webhooks, {});
await client.webhooks.create({ webhooks: ["https://example.com/in"], type: "receive", globalSecret: "shared" });
await client.webhooks.update({ webhooks: { outbound: [{ url: "https://example.com/out", secret: "own" }] } });
assert.deepEqual((await client.webhooks.list()).webhooks, { outbound: [{ url: "https://example.com/out", secret: "own" }] });
await client.webhooks.delete({ webhooks: ["https://example.com/out"], type: "outbound" });
assert.deepEqual((await client.webhooks.list()).webhooks, {});

// Events.
const events = await client.events.stream({ types: "message.updated,message.received" });
setTimeout(() => fetch(hook + "/write"), 200); // somebody writes
for await (const e of events) {
  assert.equal(e.version, 1);
  if (e.type !== "message.received") continue;
  assert.equal(e.data.message.content, "Hey");
  break;
}

// Errors, each with as many tries as make sense.
const { BadRequestError, AuthenticationError, NotFoundError, RateLimitError } = SendblueAPI;
await fails("no text", BadRequestError, 400, 1, () => client.messages.send({ number: somebody, from_number: line }));
await fails("another's line", BadRequestError, 400, 1, () => client.messages.send({ number: somebody, from_number: "+14155550000", content: "x" }));
await fails("a wrong limit", BadRequestError, 400, 1, () => client.messages.list({ limit: 101 }));
await fails("unknown", NotFoundError, 404, 1, () => client.messages.retrieve("5a17319e-cbcf-443e-897e-d8b0c04b1b09"));
await fails("odd", NotFoundError, 404, 1, () => client.messages.retrieve("p:0/5A17 319E+x%?#"));
await fails("none", NotFoundError, 404, 1, () => client.messages.retrieve(""));
await fails("typing", BadRequestError, 400, 1, () => client.typingIndicators.send({ number: somebody, from_number: line }));
await fails("group", BadRequestError, 400, 1, () => client.groups.sendMessage({ numbers: [somebody, "+15552223333"], from_number: line, content: "x" }));
await fails("change of a group", BadRequestError, 400, 1, () => client.groups.modify({ group_id: "x", modify_type: "add_recipient", number: somebody }));
await fails("carousel", BadRequestError, 400, 1, () => client.sendCarousel.send({ number: somebody, from_number: line, media_urls: [] }));
const stranger = new SendblueAPI({ apiKey, apiSecret: "wrong", baseURL, fetch: counted, logLevel: "off" });
await fails("a wrong secret", AuthenticationError, 401, 1, () => stranger.messages.list());
console.log("all is well");
process.exit(0);
