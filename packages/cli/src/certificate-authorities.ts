import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { CommandError, exitCodes } from './exit-codes.ts';

/**
 * The certificates to trust: those of Node, of `NODE_EXTRA_CA_CERTS`, and of a file. A custom list replaces
 * Node's own, so it must include them.
 *
 * @param path - of a file with PEM certificates
 * @throws CommandError if the file has none
 */
export function readAuthorities(path: string): readonly string[] {
  const extra = process.env['NODE_EXTRA_CA_CERTS'];
  return [
    ...rootCertificates,
    ...(extra === undefined || extra === '' ? [] : [readCertificates('NODE_EXTRA_CA_CERTS', extra)]),
    readCertificates('--ca', path),
  ];
}

function readCertificates(source: string, path: string): string {
  let pem: string;
  try {
    pem = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandError(exitCodes.usage, `Cannot read ${source} ${path} (${code}).`);
  }
  try {
    // Node would silently ignore a text that is not a certificate.
    void new X509Certificate(pem);
    return pem;
  } catch {
    throw new CommandError(exitCodes.usage, `${source} ${path} has no PEM certificate.`);
  }
}
