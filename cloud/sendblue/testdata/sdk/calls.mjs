// The documented calls of the official client, against the server at argv[2] with the
// keys argv[3] and argv[4], which has the line argv[5] and a Mac that answers. argv[6] is
// asked for what others do, argv[7] has a file, and the last two are keys that may make
// two requests a minute.
import assert from "node:assert/strict";
import SendblueAPI from "sendblue";

const [baseURL, apiKey, apiSecret, line, hook, site, poorKey, poorSecret] = process.argv.slice(2);
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
lose = 1; // what is shown once is shown
const hooks = await client.webhooks.create({ webhooks: ["https://example.com/in"], type: "receive", globalSecret: "shared" });
assert.match(hooks.standard_webhooks[0].secret, /^whsec_/);
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

// Every documented type of webhook can be kept.
for (const type of ["receive", "outbound", "typing_indicator", "call_log", "inbound_call", "line_blocked", "line_assigned", "contact_created", "contact_profile"]) {
  await client.webhooks.create({ webhooks: [{ url: "https://example.com/" + type, sendblue_numbers: type === "receive" ? [line] : undefined }], type });
}
assert.equal(Object.keys((await client.webhooks.list()).webhooks).length, 9);
await client.webhooks.update({ webhooks: {} });
assert.deepEqual((await client.webhooks.list()).webhooks, {});

// Contacts.
const person = "+15552223333";
lose = 1; // it is no conflict with itself
const made = await client.contacts.create({ number: person, first_name: "Ann", tags: ["vip"], custom_variables: { a: "1" }, sendblue_number: line });
assert.equal(made.status, "OK");
assert.equal(made.contact.phone, person);
assert.equal((await client.contacts.retrieve(person)).contact.first_name, "Ann");
const changed = await client.contacts.update(person, { last_name: "Lee", custom_variables: { b: "2" } });
assert.deepEqual(changed.contact.custom_variables, { a: "1", b: "2" });
assert.equal((await client.contacts.create({ number: person, first_name: "Anna", update_if_exists: true })).contact.first_name, "Anna");
assert.equal((await client.contacts.count()).count, 1);
assert.deepEqual((await client.contacts.list({ phone_number: person, limit: 10, order_by: "created_at", order_direction: "desc" })).map((c) => c.contact_id), [made.contact.contact_id]);
assert.deepEqual(await client.contacts.optOut({ number: person }), { status: "OK", number: person, opted_out: true });
const declined = await client.messages.send({ number: person, from_number: line, content: "x" });
assert.equal(declined.status, "DECLINED");
assert.equal(declined.opted_out, true);
assert.equal((await client.contacts.optOut({ number: person, opted_out: false })).opted_out, false);
await client.contacts.create({ number: somebody });
assert.equal((await client.contacts.verify({ number: somebody })).status, "OK"); // has written
assert.equal((await client.contacts.bulk.create({ contacts: [{ phone: "+15550001111" }, { phone: "+15550002222", first_name: "Bo" }] })).contacts.length, 2);
assert.equal((await client.contacts.bulk.delete({ contact_ids: ["+15550001111", "+15550002222", "+15550003333"] })).amount, 2);
assert.equal((await client.contacts.delete(person)).status, "OK");

// Files.
const object = await client.mediaObjects.upload({ media_url: site + "/a.png" });
assert.equal(object.status, "OK");
assert.match(object.mediaObjectId, /\.png$/);
const form = new FormData();
form.append("file", new Blob([await (await fetch(hook + "/picture")).arrayBuffer()]), "b.png");
const upload = await fetch(baseURL + "/api/upload-file", { method: "POST", headers: { "sb-api-key-id": apiKey, "sb-api-secret-key": apiSecret }, body: form });
assert.equal(upload.status, 201);
const { media_url } = await upload.json();
assert.equal((await client.messages.send({ number: somebody, from_number: line, media_url })).media_url, media_url);

// Numbers, lines, groups.
assert.deepEqual(await client.lookups.lookupNumber({ number: somebody }), { number: somebody, service: "iMessage", as_of: (await client.lookups.lookupNumber({ number: somebody })).as_of });
const lines = await client.lines.getState();
assert.deepEqual(lines.data.map((l) => [l.sendblue_number, l.status]), [[line, "ONLINE"]]);
await fetch(hook + "/group");
const group = await client.v2.groups.retrieve("any;+;chat7");
assert.deepEqual(group.data.participant_numbers, [line, somebody]);
const inGroup = await client.groups.sendMessage({ group_id: "any;+;chat7", from_number: line, content: "All" });
assert.deepEqual(inGroup.participants, [line, somebody]);

// Errors, each with as many tries as make sense.
const { BadRequestError, AuthenticationError, NotFoundError, ConflictError, RateLimitError } = SendblueAPI;
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
await fails("a contact twice", ConflictError, 409, 1, async () => {
  await client.contacts.create({ number: person });
  requests = 0;
  await client.contacts.create({ number: person });
});
await fails("no contact", NotFoundError, 404, 1, () => client.contacts.retrieve("+15559990000"));
await fails("no number", BadRequestError, 400, 1, () => client.contacts.create({ number: "nobody" }));
await fails("nobody wrote", BadRequestError, 400, 1, () => client.contacts.verify({ number: person }));
await fails("no exchange", NotFoundError, 404, 1, () => client.lookups.lookupNumber({ number: "+15559990000" }));
await fails("no group", NotFoundError, 404, 1, () => client.v2.groups.retrieve("any;+;none"));
await fails("no file", BadRequestError, 400, 1, () => client.mediaObjects.upload({ media_url: site + "/none.png" }));
await fails("no webhook", NotFoundError, 404, 1, () => client.webhooks.delete({ webhooks: ["https://example.com/none"], type: "receive" }));
for (const [what, call] of Object.entries({
  "an app card": () => client.messages.updateAppCard(sent.message_handle, {}),
  "a location": () => client.location.retrieve(somebody, { from_number: line }),
  "locations": () => client.location.list({ from_number: line }),
  "a watch": () => client.location.watch(somebody, { from_number: line }),
  "a request": () => client.requestLocation.create({ from_number: line, number: somebody }),
  "forwarding": () => client.lines.callForwarding.retrieve(line),
  "a forward": () => client.lines.callForwarding.update(line, { forwarding_number: somebody }),
  "no forward": () => client.lines.callForwarding.delete(line),
  "a name": () => client.v2.groups.rename("any;+;chat7", { group_name: "Crew" }),
  "seats": () => client.v2.seats.list(),
  "how many seats": () => client.v2.seats.count(),
  "a seat": () => client.v2.seats.retrieve("one"),
  "a code": () => client.v2.totp.getCode("one"),
  "secrets": () => client.v2.totp.secrets.list(),
  "a secret": () => client.v2.totp.secrets.delete("one"),
  "verifications": () => client.verify.verifications.list(),
  "a verification": () => client.verify.verifications.create("service", { to: somebody }),
})) {
  await fails(what, BadRequestError, 400, 1, call);
}
// Two requests a minute are soon used up; then the client waits as long as it is told.
const poor = new SendblueAPI({ apiKey: poorKey, apiSecret: poorSecret, baseURL, fetch: counted, logLevel: "off", maxRetries: 0 });
await poor.messages.list();
await poor.messages.list();
await fails("too many", RateLimitError, 429, 1, () => poor.messages.list());
// An answer of the server's trouble is asked for again, as often as the client does.
let trouble = 2;
const patient = new SendblueAPI({
  apiKey, apiSecret, baseURL, logLevel: "off",
  fetch: (url, init) => (trouble-- > 0 ? new Response('{"status":"ERROR","message":"later"}', { status: 503, headers: { "retry-after": "0", "content-type": "application/json" } }) : fetch(url, init)),
});
assert.equal((await patient.messages.retrieve(sent.message_handle)).data.content, "Hello");
const stranger = new SendblueAPI({ apiKey, apiSecret: "wrong", baseURL, fetch: counted, logLevel: "off" });
await fails("a wrong secret", AuthenticationError, 401, 1, () => stranger.messages.list());
console.log("all is well");
process.exit(0);
