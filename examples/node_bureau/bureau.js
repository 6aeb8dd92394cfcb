// A bureau in Node.js with stock clients: @grpc/grpc-js for calls, nats for events. Nothing of the hub is installed here;
// the contract is read from its .proto files.
//
//   node bureau.js HUB_HOST:PORT BUS_URL CODE CREDENTIALS_DIRECTORY GRANT_ID [CASES]
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const https = require('node:https');
const path = require('node:path');

const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');
const { connect, credsAuthenticator, AckPolicy } = require('nats');

const ROOT = path.resolve(__dirname, '..', '..');
const INCLUDE = [path.join(ROOT, 'proto'), path.join(ROOT, 'third_party')];

/** The contract, loaded from its files; JSON-like messages with snake_case names and enums as strings. */
function contract() {
  const files = ['exchange/v1/case', 'exchange/v1/query', 'esign/v1/esign', 'events/v1/events', 'common/v1/receipt'];
  const definition = protoLoader.loadSync(files.map((name) => `shuniu/api/${name}.proto`), {
    includeDirs: INCLUDE, keepCase: true, longs: String, enums: String, defaults: true,
  });
  return grpc.loadPackageDefinition(definition).shuniu.api;
}

class Bureau {
  constructor(hub, code, directory, grant) {
    const read = (name) => fs.readFileSync(path.join(directory, name));
    this.code = code;
    this.hub = hub;
    this.grant = grant;
    this.tls = { ca: read('trust.pem'), key: read('key.pem'), cert: read('cert.pem') };
    this.credentials = grpc.credentials.createSsl(this.tls.ca, this.tls.key, this.tls.cert);
    const api = contract();
    this.cases = new api.exchange.v1.CaseService(hub, this.credentials);
    this.handling = new api.exchange.v1.CaseHandlingService(hub, this.credentials);
    this.queries = new api.exchange.v1.QueryService(hub, this.credentials);
    this.certificates = new api.esign.v1.CertificateService(hub, this.credentials);
    this.tokenUntil = 0;
  }

  /** The platform's own access token, bound to its certificate (RFC 8705). */
  async token() {
    if (Date.now() > this.tokenUntil) {
      const [host, port] = this.hub.split(':');
      const body = `grant_type=client_credentials&client_id=${this.code}`;
      const answer = await new Promise((resolve, reject) => {
        const request = https.request({ host, port, path: '/oauth2/token', method: 'POST', ...this.tls,
          headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': body.length } }, (response) => {
          let text = '';
          response.on('data', (part) => { text += part; });
          response.on('end', () => (response.statusCode === 200 ? resolve(JSON.parse(text)) : reject(new Error(text))));
        });
        request.on('error', reject);
        request.end(body);
      });
      this.accessToken = answer.access_token;
      this.tokenUntil = Date.now() + 1000 * (answer.expires_in - 30);
    }
    return this.accessToken;
  }

  /** One call; UNAVAILABLE is retried, which request_id makes safe. */
  async call(client, method, request) {
    const metadata = new grpc.Metadata();
    metadata.set('authorization', `Bearer ${await this.token()}`);
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await new Promise((resolve, reject) => {
          const deadline = new Date(Date.now() + 30000);
          client[method](request, metadata, { deadline }, (error, answer) => (error ? reject(error) : resolve(answer)));
        });
      } catch (error) {
        if (error.code !== grpc.status.UNAVAILABLE || attempt > 20) throw error;
        await new Promise((resolve) => { setTimeout(resolve, Math.min(100 * 2 ** attempt, 2000)); });
      }
    }
  }

  /** The same request id for the same step of the same program makes a repetition harmless. The case's state. */
  async move(caseCode, move, more = {}) {
    const answer = await this.call(this.handling, 'MoveCase',
      { request_id: `node-${move}-${caseCode}`, case_code: caseCode, move: `CASE_MOVE_${move}`, officer: 'N-0001', ...more });
    return answer.case.state;
  }

  /** One case from where it stands to delivery, also when another program or an earlier run began it. True when it was
   *  delivered now. */
  async handle(caseCode) {
    let { state } = (await this.call(this.cases, 'GetCase', { case_code: caseCode })).case;
    if (state === 'CASE_STATE_SUBMITTED') state = await this.move(caseCode, 'ACCEPT');
    if (state === 'CASE_STATE_ACCEPTED') state = await this.move(caseCode, 'PROCESS');
    if (state === 'CASE_STATE_PROCESSING') state = await this.decide(caseCode);
    if (state !== 'CASE_STATE_GRANTED') return false;
    const { certificate } = await this.call(this.certificates, 'IssueCertificate',
      { request_id: `node-issue-${caseCode}`, case_code: caseCode });
    await this.move(caseCode, 'DELIVER', { certificate_number: certificate.number });
    console.log(`${caseCode} delivered`);
    return true;
  }

  async decide(caseCode) {
    const { answer } = await this.call(this.queries, 'Query',
      { request_id: `node-query-${caseCode}`, grant_id: this.grant, case_code: caseCode });
    if (answer.fields.has_record.boolValue !== false) {
      return this.move(caseCode, 'REFUSE', { note: '经查询有犯罪记录。' });
    }
    return this.move(caseCode, 'GRANT');
  }

  /** Events from the bureau's own INBOX; a receipt leaves only after the event is handled. */
  async run(bus, directory, cases) {
    const creds = fs.readFileSync(path.join(directory, 'bus.creds'));
    const connection = await connect({ servers: bus, authenticator: credsAuthenticator(creds), maxReconnectAttempts: -1 });
    const manager = await connection.jetstreamManager({ checkAPI: false });
    await manager.consumers.add('INBOX', { durable_name: this.code, ack_policy: AckPolicy.Explicit });
    const consumer = await connection.jetstream({ checkAPI: false }).consumers.get('INBOX', this.code);
    let delivered = 0;
    while (delivered < cases) {
      const message = await consumer.next({ expires: 5000 });
      if (message === null) continue;
      if (message.headers.get('ce-type') === 'shuniu.exchange.case.submitted.v1') {
        delivered += (await this.handle(message.headers.get('ce-subject'))) ? 1 : 0;
      }
      const sha256 = crypto.createHash('sha256').update(message.data).digest();
      // Answered once the hub has it on disk: one that is lost on the way comes again with its event.
      await connection.request('submit.receipt', receiptBytes(message.headers.get('ce-id'), sha256), { timeout: 10_000 });
      message.ack();
    }
    await connection.drain();
  }
}

/** shuniu.api.common.v1.Receipt {1: event_id, 2: sha256}: two length-delimited fields, written by hand. */
function receiptBytes(eventId, sha256) {
  const id = Buffer.from(eventId, 'utf8');
  return Buffer.concat([Buffer.from([0x0a, id.length]), id, Buffer.from([0x12, sha256.length]), sha256]);
}

async function main(args) {
  if (args.length < 5) {
    console.error('usage: node bureau.js HUB_HOST:PORT BUS_URL CODE CREDENTIALS_DIRECTORY GRANT_ID [CASES]');
    process.exit(64);
  }
  const [hub, bus, code, directory, grant, cases = 'Infinity'] = args;
  await new Bureau(hub, code, directory, grant).run(bus, directory, Number(cases));
}

main(process.argv.slice(2)).then(() => process.exit(0), (error) => { console.error(error.message); process.exit(1); });
