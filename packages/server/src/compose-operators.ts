import type { Stats } from '@fanfare/protocol';
import type { Access } from './access/access.ts';
import type { ClientEnd } from './client-end.ts';
import type { OpenedLogAndWebhooks } from './compose-webhooks.ts';
import type { Settings } from './config/settings.ts';
import { AdminServer } from './http/admin-server.ts';
import { fixedLimits } from './limits/fixed-limits.ts';
import type { MessagePath } from './message-path/message-path.ts';
import { metricsText, type MetricsText } from './metrics/exposition.ts';
import { logMetrics } from './metrics/log-metrics.ts';
import { processMetrics } from './metrics/process-metrics.ts';
import { webhookMetrics } from './metrics/webhook-metrics.ts';
import { trafficMetrics } from './metrics/traffic-metrics.ts';
import { invariantNames } from './observability/invariants.ts';
import type { ProcessHealth } from './observability/process-health.ts';
import { readinessOf, type Check, type Checks } from './observability/readiness.ts';
import type { RequestLogger } from './observability/unexpected-failure.ts';
import { version } from './version.ts';

export interface OperatorParts {
  readonly settings: Settings;
  readonly opened: OpenedLogAndWebhooks;
  readonly path: MessagePath;
  readonly access: Access;
  readonly clientEnd: Pick<ClientEnd, 'sessions'>;
  readonly health: ProcessHealth;
  readonly logger: RequestLogger;
}

/** What operators and load balancers ask for. */
export interface ForOperators {
  readonly checks: Checks;
  readonly metrics: MetricsText;
  /** From now on, the server is not ready, because it is about to stop. */
  readonly announceStop: () => void;
  /** The address for operators. It listens only if a setting says so. */
  readonly admin: AdminServer;
}

export function composeOperators(parts: OperatorParts): ForOperators {
  const { opened, path, access, logger } = parts;
  const { checkKeys } = access;
  let isStopping = false;
  const checks: Checks = {
    ...opened.checks,
    ...(checkKeys && { keys: checkKeys }),
    running: () => runningCheck(isStopping),
  };
  const metrics = metricsOf(parts, checks);
  const stats = (): Promise<Stats> => path.nodes.stats(access.fullRights);
  const announceStop = (): void => void (isStopping = true);
  return { checks, metrics, announceStop, admin: new AdminServer({ checks, metrics, stats, logger }) };
}

function runningCheck(isStopping: boolean): Check {
  return isStopping ? { ok: false, reason: 'The server is shutting down.' } : { ok: true };
}

/** Reads all figures of this server when its metrics are asked for. */
function metricsOf(parts: OperatorParts, checks: Checks): MetricsText {
  const { settings, opened, path, access, clientEnd, health, logger } = parts;
  const { log, cluster } = opened;
  return metricsText(async () => {
    const figures = opened.figures();
    const [pathFigures, usage, freeBytes, nodes] = await Promise.all([
      path.figures(),
      log.usage().catch(() => undefined),
      figures.disk?.freeBytes(),
      cluster.nodes(),
    ]);
    return [
      ...trafficMetrics({
        path: pathFigures,
        refusals: logger.refusals,
        authentications: access.isOpen ? undefined : access.counts,
        sessions: clientEnd.sessions,
        limits: settings,
      }),
      ...logMetrics({
        figures,
        usage,
        freeBytes,
        nodes: cluster.nodeId === '' ? undefined : nodes.length,
        limits: {
          topicsMax: settings.topicsMax,
          idsMax: fixedLimits.idsMax.value,
          waitingBytesMax: fixedLimits.storesWaitingBytesMax.value,
        },
      }),
      ...(opened.webhooks ? webhookMetrics(opened.webhooks.stats) : []),
      ...processMetrics({
        version,
        nodeId: cluster.nodeId,
        startedAt: health.startedAt,
        loopDelayMs: health.loopDelayMs,
        readiness: readinessOf(checks),
        invariants: invariantNames.map((name) => [name, opened.invariants.counts.get(name) ?? 0]),
      }),
    ];
  });
}
