import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A private key and a certificate for this machine, signed with this key, as PEM in one text. */
export async function selfSigned(): Promise<string> {
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const kind = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2'];
  const { stdout } = await run('openssl', [...kind, '-keyout', '-', '-out', '-', ...subject]);
  return stdout;
}
