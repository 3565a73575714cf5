// http.mjs: requests, on connections that are kept open.
import http from 'node:http';
import https from 'node:https';

// An idle connection is given up by us, long before the server would: one that it closes in
// the moment of its use costs the request.
export const kept = { keepAlive: true, maxSockets: Infinity, timeout: 20_000 };
export const agent = () => new http.Agent(kept);

// One request and its whole answer: { status, headers, text, json }. json is
// undefined where the body is not JSON. Over TLS any certificate will do: tests
// make their own.
export function request(url, { method = 'GET', headers = {}, body, agent, signal, localAddress, timeout = 100_000 } = {}) {
  const secure = url.startsWith('https:');
  return new Promise((resolve, reject) => {
    const req = (secure ? https : http).request(url, { method, headers, agent: secure ? undefined : agent, signal, localAddress, rejectUnauthorized: false }, (res) => {
      const parts = [];
      res.on('data', (part) => parts.push(part));
      res.on('error', reject);
      res.on('aborted', () => reject(new Error('the answer was cut off')));
      res.on('end', () => resolve(answer(res, Buffer.concat(parts).toString('utf8'))));
    });
    req.setTimeout(timeout, () => req.destroy(new Error(`no answer within ${timeout} ms`)));
    req.on('error', reject);
    if (body !== undefined) req.setHeader('Content-Length', Buffer.byteLength(body));
    req.end(body);
  });
}

function answer(res, text) {
  let json;
  try {
    json = JSON.parse(text);
  } catch {
    // Not every answer has a body.
  }
  return { status: res.statusCode, headers: res.headers, text, json };
}
