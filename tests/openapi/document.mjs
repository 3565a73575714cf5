// document.mjs: docs/openapi.yaml as a judge: is this answer described, down to
// its headers and every member; and which of what is described was never seen.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';

const file = new URL('../../docs/openapi.yaml', import.meta.url);
const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

// The web server's own, or those of the message and not of its meaning.
const framing = new Set(['connection', 'keep-alive', 'date', 'server', 'transfer-encoding', 'content-length', 'content-type', 'accept-ranges']);

const escape = (name) => name.replaceAll('~', '~0').replaceAll('/', '~1');
const pointer = (...names) => `#/${names.map((name) => escape(String(name))).join('/')}`;

export class Document {
  seen = new Set(); // "GET /healthz 200", with more behind it: a header, a media type, a code, an event
  text = fs.readFileSync(file, 'utf8');

  constructor() {
    this.json = parse(this.text);
    this.ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true, strictRequired: false });
    addFormats.default(this.ajv);
    this.ajv.addVocabulary(Object.keys(this.json)); // the root is no schema, but what holds them
    this.ajv.addSchema({ ...this.json, $id: 'openapi' }, undefined, false, false);
  }

  // ---- looking things up ----

  at(ref) {
    return ref.slice(2).split('/').reduce((node, part) => node?.[part.replaceAll('~1', '/').replaceAll('~0', '~')], this.json);
  }

  // The node at REF, through any $ref, and where it really is.
  follow(ref) {
    const node = this.at(ref);
    return node?.$ref ? this.follow(node.$ref) : { node, ref };
  }

  operations() {
    return Object.entries(this.json.paths).flatMap(([path, item]) =>
      methods.filter((method) => item[method]).map((method) => ({ path, method, operation: item[method], ref: pointer('paths', path, method) })));
  }

  // Whose answer it is. Another method than the path knows is answered by the one
  // that is no preflight, and only ever with 405 or 413.
  operation(method, target, status) {
    const path = target.split('?')[0];
    const of = this.operations().filter((each) => new RegExp(`^${each.path.replace('{domain}', '[^/]+')}$`).test(path));
    assert.ok(of.length > 0, `${path} is no path of the document`);
    const own = of.find((each) => each.method === method.toLowerCase());
    if (own) return own;
    assert.ok([405, 413].includes(status), `${method} ${path} was answered with ${status}; the document knows no such method`);
    return of.find((each) => each.method !== 'options');
  }

  validator(ref) {
    return this.ajv.getSchema(`openapi${ref}`);
  }

  valid(ref, value) {
    return this.validator(ref)(value);
  }

  assertValid(ref, value, what) {
    const check = this.validator(ref);
    assert.ok(check(value), `${what} isn't as ${ref} says: ${this.ajv.errorsText(check.errors)}\n${JSON.stringify(value)?.slice(0, 600)}`);
  }

  // ---- judging ----

  // An answer { status, headers, text } to METHOD TARGET; fails where the document
  // lacks something of it, and keeps account.
  judge(method, target, res) {
    const { path, method: of, ref } = this.operation(method, target, res.status);
    const name = `${of.toUpperCase()} ${path} ${res.status}`;
    const { node: response, ref: at } = this.follow(pointerInto(ref, 'responses', res.status));
    assert.ok(response, `${name} isn't in the document: ${res.text?.slice(0, 300)}`);
    this.seen.add(name);
    this.#judgeHeaders(name, at, response, res.headers);
    const media = this.#media(name, response, res.headers);
    if (media && method !== 'HEAD' && res.text !== undefined) this.#judgeBody(name, pointerInto(at, 'content', media), media, res.text);
    return { name, at, media };
  }

  #judgeHeaders(name, at, response, headers) {
    const described = new Map(Object.keys(response.headers ?? {}).map((header) => [header.toLowerCase(), header]));
    for (const header of Object.keys(headers)) {
      if (!framing.has(header)) assert.ok(described.has(header), `${name}: the header ${header} isn't in the document`);
    }
    for (const [lower, header] of described) {
      const { node, ref } = this.follow(pointerInto(at, 'headers', header));
      assert.ok(lower in headers || !node.required, `${name}: there is no ${header}`);
      if (!(lower in headers)) continue;
      this.assertValid(pointerInto(ref, 'schema'), headers[lower], `${name}, ${header}`);
      this.seen.add(`${name} ${header}`);
    }
  }

  // The media type as the document has it, without its parameters.
  #media(name, response, headers) {
    const type = headers['content-type']?.split(';')[0];
    if (!response.content) {
      assert.equal(type, undefined, `${name} has a body; the document knows of none`);
      return undefined;
    }
    assert.ok(response.content[type], `${name}: ${type} isn't in the document`);
    this.seen.add(`${name} ${type}`);
    return type;
  }

  #judgeBody(name, ref, media, text) {
    const schema = pointerInto(ref, 'schema');
    if (media.startsWith('text/')) return this.assertValid(schema, text, name);
    const json = JSON.parse(text);
    this.assertValid(schema, json, name);
    if (json.code) this.seen.add(`${name} ${json.code}`);
    return undefined;
  }

  // One event of a stream, or one line of JSON; WHERE is what judge() returned.
  judgeEvent({ name, at }, type, value) {
    const ref = pointerInto(at, 'content', 'text/event-stream', 'x-events', type);
    assert.ok(this.at(ref), `${name}: an event ${type} isn't in the document`);
    this.assertValid(this.follow(ref).ref, value, `${name}, ${type}`);
    this.seen.add(`${name} event ${type}`);
  }

  judgeLine({ name, at }, value) {
    this.assertValid(pointerInto(at, 'content', 'application/x-ndjson', 'schema'), value, name);
  }

  // ---- the account ----

  // All that the document promises can be seen.
  promised() {
    const all = [];
    for (const { path, method, operation, ref } of this.operations()) {
      for (const status of Object.keys(operation.responses)) {
        const name = `${method.toUpperCase()} ${path} ${status}`;
        const { node } = this.follow(pointerInto(ref, 'responses', status));
        all.push(name, ...Object.keys(node.headers ?? {}).map((header) => `${name} ${header}`));
        for (const [media, { schema, 'x-events': events = {} }] of Object.entries(node.content ?? {})) {
          all.push(`${name} ${media}`, ...Object.keys(events).map((type) => `${name} event ${type}`));
          all.push(...(schema.properties?.code?.enum ?? []).map((code) => `${name} ${code}`));
        }
      }
    }
    return all;
  }

  // Of a status that was never seen, that alone.
  unseen() {
    const all = this.promised().filter((each) => !this.seen.has(each));
    const statuses = new Set(all.filter((each) => / \d+$/.test(each)));
    return all.filter((each) => statuses.has(each) || !statuses.has(each.split(' ').slice(0, 3).join(' ')));
  }
}

function pointerInto(ref, ...names) {
  return `${ref}${pointer(...names).slice(1)}`;
}
