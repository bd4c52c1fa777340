import { SettingsError } from './config/resolve-settings.ts';
import type { Settings } from './config/settings.ts';
import { Certificate, CertificateError } from './http/certificate.ts';
import type { Logger } from './observability/logger.ts';

/**
 * Reads the certificate. Returns undefined if the server serves HTTP without TLS.
 *
 * @throws SettingsError if the certificate or its key cannot be used
 */
export function composeCertificate({ tlsCert, tlsKey }: Settings, logger: Logger): Certificate | undefined {
  if (tlsCert === '') return undefined;
  try {
    return new Certificate({
      certPath: tlsCert,
      keyPath: tlsKey,
      onFailure: (err) =>
        logger.error({ err }, 'Cannot use the changed certificate: still using the last one.'),
      onWarning: (sentence) => logger.warn({}, sentence),
    });
  } catch (error) {
    throw error instanceof CertificateError ? new SettingsError([error.message]) : error;
  }
}
