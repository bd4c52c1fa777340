import { CommandError, exitCodes } from '../exit-codes.ts';
import type { Target } from '../server-target.ts';
import { found, type Result } from './check.ts';
import { checks } from './checks.ts';
import { Deployment } from './deployment.ts';
import { findings } from './findings.ts';
import { Report } from './report.ts';

export interface DoctorOptions {
  /** The origin of the web page that wants to connect. */
  readonly origin: string | undefined;
  readonly json: boolean;
}

/**
 * `fanfare doctor`: examines a deployment of Socket.IO, and prints what is wrong and what to do.
 *
 * @throws CommandError without a message if a problem was found
 */
export async function runDoctor(target: Target, { origin, json }: DoctorOptions): Promise<void> {
  const deployment = new Deployment(target, origin);
  const report = new Report(deployment, json);
  report.begin();
  for (const check of checks) {
    // The checks expect what a deployment can do wrong, but not that the server goes away.
    const result: Result = await check.run(deployment).catch((error: unknown) => {
      const { message, name } = error as Error;
      return { ...found('connection_lost', `the check '${check.name}'`, message || name), isLast: true };
    });
    report.add(check.name, result);
    if (result.kind === 'found' && result.isLast === true) break;
  }
  const codes = report.end();
  const hasProblem = codes.some((code) => findings[code].level === 'problem');
  if (!hasProblem) return;
  throw new CommandError(
    deployment.engineVersion === undefined ? exitCodes.unreachable : exitCodes.refused,
    '',
  );
}
