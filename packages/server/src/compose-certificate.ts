import { SettingsError } from './config/resolve-settings.ts';
import type { Settings } from './config/settings.ts';
import { CertificateError, openCertificate, type Certificate } from './http/certificate.ts';
import type { Logger } from './observability/logger.ts';

/**
 * Reads the certificate. Returns undefined if the server serves HTTP without TLS.
 *
 * @throws SettingsError if the certificate or its key cannot be used
 */
export function composeCertificate(settings: Settings, logger: Logger): Certificate | undefined {
  try {
    return openCertificate(settings, {
      onFailure: (err) =>
        logger.error({ err }, 'Cannot use the changed certificate: still using the last one.'),
      onWarning: (sentence) => logger.warn({}, sentence),
    });
  } catch (error) {
    throw error instanceof CertificateError ? new SettingsError([error.message]) : error;
  }
}
