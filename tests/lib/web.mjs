// web.mjs: the web servers that a stack can run behind, each with the
// configuration that deploy/ has for it. BELLHOP_SERVER names one; lighttpd
// unless it does.
import fs from 'node:fs';
import path from 'node:path';

// What a web server can't do is said here, and the test that wants it is skipped
// with these words.
const deaf = 'Apache sees that a client has left only when it next writes to it';
const noCleartext = (name) => `${name} speaks HTTP/2 over TLS only, as it is configured here`;

const lighttpd = (piece, lines) => ({
  command: (stack, i) => ['lighttpd', '-D', '-f', stack.file(`web${i}.conf`)],
  pieces: [piece],
  main: (lane, fds) => `server.bind = "127.0.0.1"
server.port = ${lane.port}
server.document-root = "htdocs"
server.max-fds = ${Math.min(fds, 65535)}
server.max-connections = ${Math.floor(Math.min(fds, 65535) / 2)}
server.max-keep-alive-idle = 60
server.max-keep-alive-requests = 100000
${lane.tls ? `var.bellhop_certificate = "${lane.tls.cert}"\nvar.bellhop_key = "${lane.tls.key}"\ninclude "lighttpd-tls.conf"\n` : ''}${lines(lane)}
include "${piece}"
${lane.web ?? ''}
`,
});

// What Apache needs to run from the test's folder, with the names in it
// starting there.
const apache = (piece, module, lines) => ({
  // Apache won't serve as root: it is www-data then, and may still read the folder.
  command: (stack, i) => [...(process.getuid() === 0 ? wwwData : []), 'apache2', '-DFOREGROUND', '-f', stack.file(`web${i}.conf`)],
  pieces: [piece],
  deaf,
  cleartext: noCleartext('Apache'),
  main: (lane) => `ServerRoot "."
DefaultRuntimeDir "."
PidFile "apache${lane.i}.pid"
ServerName localhost
Listen 127.0.0.1:${lane.port}
DocumentRoot "htdocs"
ErrorLog /dev/stderr
${['mpm_event', 'authz_core', 'env', 'reqtimeout', ...module].map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so\n`).join('')}
ServerLimit 4
StartServers 2
ThreadLimit 512
ThreadsPerChild 512
MaxRequestWorkers 1024
MaxSpareThreads 1024
MaxKeepAliveRequests 0
KeepAliveTimeout 60
Define bellhop_socket ${lane.socket}
${lines(lane)}
Include "${piece}"
${lane.tls ? apacheTls(lane.tls) : ''}${lane.web ?? ''}
`,
});
const apacheTls = ({ cert, key }) => `LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
LoadModule http2_module /usr/lib/apache2/modules/mod_http2.so
Protocols h2 http/1.1
SSLEngine on
SSLCertificateFile "${cert}"
SSLCertificateKeyFile "${key}"
`;
const capability = '-all,+dac_override';
const wwwData = ['setpriv', '--reuid=www-data', '--regid=www-data', '--clear-groups', `--inh-caps=${capability}`, `--ambient-caps=${capability}`];

const servers = {
  lighttpd: lighttpd('lighttpd.conf', (lane) => `var.bellhop_socket = "${lane.socket}"`),
  // lighttpd starts the workers itself.
  'lighttpd-spawn': {
    ...lighttpd('lighttpd-spawn.conf', (lane) => `var.bellhop_worker = "${lane.worker}"
var.bellhop_conf = "${lane.conf}"
var.bellhop_socket = "${path.dirname(lane.conf)}/spawn${lane.i}.sock"`),
    spawns: 'lighttpd starts the workers here',
  },
  'apache-proxy': apache('apache-proxy.conf', ['proxy', 'proxy_fcgi'], () => ''),
  'apache-fcgid': apache('apache-fcgid.conf', ['fcgid'], (lane) => `Define bellhop_relay ./bellhop-relay
FcgidIPCDir "fcgid${lane.i}"
FcgidProcessTableFile "fcgid${lane.i}/table"`),
  nginx: {
    command: (stack, i) => ['nginx', '-e', 'stderr', '-p', stack.dir, '-c', stack.file(`web${i}.conf`)],
    pieces: ['nginx.conf'],
    cleartext: noCleartext('nginx'),
    main: (lane, fds) => `daemon off;
${process.getuid() === 0 ? 'user root;' : ''}
worker_processes 2;
worker_rlimit_nofile ${fds};
error_log stderr;
pid nginx${lane.i}.pid;
events { worker_connections ${Math.min(fds, 32768)}; }
http {
  access_log off;
  keepalive_timeout 60;
  keepalive_requests 100000;
${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `  ${name}_temp_path temp;\n`).join('')}
  upstream bellhop { server unix:${lane.socket}; }
  server {
    listen 127.0.0.1:${lane.port}${lane.tls ? ` ssl http2;\n    ssl_certificate ${lane.tls.cert};\n    ssl_certificate_key ${lane.tls.key}` : ''};
    large_client_header_buffers 4 32k;
    location / { include nginx.conf; }
  }
}
`,
  },
};

export const serverNames = Object.keys(servers);

// The web server called NAME, for a stack in its folder.
export function webServer(name = process.env.BELLHOP_SERVER || 'lighttpd') {
  if (!servers[name]) throw new Error(`no web server is called ${name}: there are ${serverNames.join(', ')}`);
  return { name, ...servers[name] };
}

// Lay what all configurations in STACK's folder share.
export function prepareWeb(web, stack, { root, build }) {
  fs.mkdirSync(stack.file('htdocs'));
  for (const piece of [...web.pieces, 'lighttpd-tls.conf']) fs.copyFileSync(path.join(root, 'deploy', piece), stack.file(piece));
  if (web.name === 'apache-fcgid') fs.symlinkSync(path.join(build, 'bellhop-relay'), stack.file('bellhop-relay'));
}
