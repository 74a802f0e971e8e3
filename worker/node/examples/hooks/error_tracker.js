// Tells an error tracker of every execution that fails. Put this file into the workflows folder beside your workflows,
// `npm install @sentry/node`, and set SENTRY_DSN in the supervisor's `worker_env`.

import * as Sentry from "@sentry/node";
import { onRunEnd, onWorkerStart } from "muster-worker";

const FLUSH_MS = 2000;

onWorkerStart(() => {
  // What nobody caught is the worker's affair: it fails the execution, which ends up below.
  const ownHandlers = ["OnUncaughtException", "OnUnhandledRejection"];
  Sentry.init({
    dsn: process.env.SENTRY_DSN,
    integrations: (all) => all.filter(({ name }) => !ownHandlers.includes(name)),
  });
});

onRunEnd(async (ctx, error) => {
  if (error === null) return;
  Sentry.withScope((scope) => {
    scope.setTags({ workflow: ctx.workflow, execution_id: ctx.executionId, organization: ctx.organization?.name });
    Sentry.captureException(error);
  });
  await Sentry.flush(FLUSH_MS);
});
