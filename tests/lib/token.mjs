// token.mjs: tokens made here, in JavaScript, so that thousands cost nothing
// and wrong ones can be made at all. RFC 7515, RFC 7518.
import crypto from 'node:crypto';

const encode = (value) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

const signers = {
  none: () => '',
  HS256: (text, key) => crypto.createHmac('sha256', key).update(text).digest('base64url'),
  RS256: (text, key) => crypto.sign('sha256', Buffer.from(text), key).toString('base64url'),
  ES256: (text, key) =>
    crypto.sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url'),
};

// Sign CLAIMS (an object, or JSON text where the numbers' form matters).
export function sign(claims, { alg, kid, key }, header = {}) {
  const text = `${encode({ alg, typ: 'JWT', kid, ...header })}.${encode(claims)}`;
  return `${text}.${signers[alg](text, key)}`;
}

export const now = () => Math.floor(Date.now() / 1000);

// The keys that a stack is configured with: one of each kind. `file` is what
// the server gets, `key` what signs.
export function makeKeys() {
  const pem = { type: 'spki', format: 'pem' };
  const rsa = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const secret = crypto.randomBytes(48).toString('base64url');
  return {
    hs: { alg: 'HS256', kid: 'hs', key: secret, file: secret },
    rs: { alg: 'RS256', kid: 'rs', key: rsa.privateKey, file: rsa.publicKey.export(pem) },
    es: { alg: 'ES256', kid: 'es', key: ec.privateKey, file: ec.publicKey.export(pem) },
  };
}
