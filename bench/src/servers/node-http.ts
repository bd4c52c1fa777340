// The cost of an HTTP publish without a pub/sub server: the same request and response, and nothing in
// between.
import { createServer } from 'node:http';
import { listen } from './listen.ts';
import { answerPublish, keepAliveTimeoutMs } from './publish-request.ts';

listen(
  createServer({ keepAliveTimeout: keepAliveTimeoutMs }, (request, response) =>
    answerPublish(request, response, () => undefined),
  ),
);
