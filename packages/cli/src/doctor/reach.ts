import { found, fine, type Check, type Found } from './check.ts';
import type { FindingCode } from './finding.ts';
import { probe, seen } from './http-probe.ts';

/** Is there a server that responds to HTTP? */
export const reach: Check = {
  name: 'reach',
  async run(deployment) {
    const { target } = deployment;
    const tried = `GET ${target.name}/`;
    try {
      const answer = await probe(target, `${target.name}/`, { headers: { accept: 'text/plain' } });
      deployment.firstAnswer = answer;
      deployment.isFanfare = /^Fanfare \d/.test(answer.body);
      const { status, elapsedMs } = answer;
      if (status >= 502 && status <= 504)
        return { ...found('gateway_error', tried, seen(answer)), isLast: true };
      const [software] = answer.valuesOf('server');
      const by = software === undefined ? '' : ` by ${software}`;
      const what = deployment.isFanfare ? 'Fanfare responds' : `HTTP ${status}`;
      return fine(`${what}${by} after ${Math.ceil(elapsedMs)} ms`);
    } catch (error) {
      return { ...failure(tried, error as NodeJS.ErrnoException), isLast: true };
    }
  },
};

function failure(tried: string, error: NodeJS.ErrnoException): Found {
  const { code = '', name, message } = error;
  // OpenSSL names its source files too.
  const saw = /SSL routines:[^:]*:([^:]+)/.exec(message)?.[1] ?? (message === '' ? code : message);
  if (name === 'TimeoutError') return found('no_response', tried, 'no response within 5 s');
  const known = codes[code];
  if (known !== undefined) return found(known, tried, saw);
  if (/^HPE_|^EPROTO$|^ERR_SSL_/.test(code)) return found('not_http', tried, saw);
  if (/CERT|^ERR_TLS_|^UNABLE_TO_/.test(code)) return found('certificate_bad', tried, saw);
  return found('no_response', tried, saw);
}

const codes: Readonly<Record<string, FindingCode>> = {
  ENOTFOUND: 'host_unknown',
  EAI_AGAIN: 'host_unknown',
  ECONNREFUSED: 'nothing_listens',
  ECONNRESET: 'connection_closed',
  EPIPE: 'connection_closed',
};
