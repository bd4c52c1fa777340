import { readFileSync } from 'node:fs';
import { createSecureContext, type Server } from 'node:tls';
import { exposureOf } from '../access/exposed-file.ts';
import { FileStamp, lookMs } from '../access/file-stamp.ts';

export interface CertificateOptions {
  /** The path of the certificate, followed by those of its issuers, as PEM. */
  readonly certPath: string;
  /** The path of its private key, as PEM. */
  readonly keyPath: string;
  /** Called if the changed files cannot be used. The last certificate stays in use. */
  readonly onFailure: (error: CertificateError) => void;
  /** Called with a warning, one sentence: other users can read the private key. */
  readonly onWarning: (sentence: string) => void;
}

interface Pair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** The certificate or its key cannot be used. The message names the file. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError';
}

/** The certificate of a server, which is read again when one of its files changes. */
export class Certificate {
  readonly #options: CertificateOptions;
  readonly #stamp: FileStamp;
  #pair: Pair;
  #timer: NodeJS.Timeout | undefined;

  /** @throws CertificateError */
  constructor(options: CertificateOptions) {
    this.#options = options;
    this.#stamp = new FileStamp(options.certPath, options.keyPath);
    this.#pair = this.#read();
  }

  /** The certificate and its key, for `https.createServer()`. */
  get pair(): Pair {
    return this.#pair;
  }

  /** From now on, new connections to the server get the newest certificate. */
  keepUp(server: Pick<Server, 'setSecureContext'>): void {
    this.#timer = setInterval(() => this.#look(server), lookMs).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(server: Pick<Server, 'setSecureContext'>): void {
    if (!this.#stamp.hasChanged()) return;
    try {
      this.#pair = this.#read();
    } catch (error) {
      // While a program replaces both files, they do not fit for a moment. Then the second change mends it.
      return this.#options.onFailure(error as CertificateError);
    }
    server.setSecureContext(this.#pair);
  }

  #read(): Pair {
    const { certPath, keyPath, onWarning } = this.#options;
    const pair = { cert: readPem(certPath, 'certificate'), key: readPem(keyPath, 'key') };
    try {
      createSecureContext(pair);
    } catch (error) {
      const { message, code } = error as NodeJS.ErrnoException;
      throw new CertificateError(
        code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH'
          ? `The key in '${keyPath}' does not belong to the certificate in '${certPath}'.`
          : `The certificate in '${certPath}' and the key in '${keyPath}' cannot be used (${message}).`,
      );
    }
    const exposure = exposureOf(keyPath);
    if (exposure !== undefined) onWarning(exposure);
    return pair;
  }
}

/**
 * Reads the certificate of the settings. Undefined if the server serves HTTP without TLS.
 *
 * @throws CertificateError
 */
export function openCertificate(
  { tlsCert, tlsKey }: { readonly tlsCert: string; readonly tlsKey: string },
  listeners: Pick<CertificateOptions, 'onFailure' | 'onWarning'>,
): Certificate | undefined {
  return tlsCert === '' || tlsKey === ''
    ? undefined
    : new Certificate({ certPath: tlsCert, keyPath: tlsKey, ...listeners });
}

function readPem(path: string, what: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new CertificateError(
      `The ${what} file '${path}' cannot be read (${(error as NodeJS.ErrnoException).code}).`,
    );
  }
}
